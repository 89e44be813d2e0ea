/** CONNECT, CONNACK, Keep Alive and the pauses between connections of the small client. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem } from '../../hal/memory/index.js'
import { ERR_CONNECT, ERR_OFFLINE, ERR_REFUSED, type SmallOptions } from '../../src/small/index.js'
import { bytesOf } from '../session/desk.js'
import { board, boot, kept, message, SmallDesk, textsOf, words } from './small-desk.js'

describe('CONNECT of the small client', () => {
  const payload = Uint8Array.of(0, 1, 255)
  const cases: [name: string, Partial<SmallOptions>, packet: object][] = [
    ['nothing but a name', { cleanStart: true }, { clean: true }],
    ['a session to keep', kept, { clean: false }],
    ['no Keep Alive', { ...kept, keepAliveMs: 0 }, { clean: false, keepalive: 0 }],
    ['the longest Keep Alive', { keepAliveMs: 65535000 }, { clean: true, keepalive: 65535 }],
    ['parts of a second', { keepAliveMs: 1500 }, { clean: true, keepalive: 2 }],
    ['a user', { username: 'ü' }, { clean: true, username: 'ü' }],
    ['an empty user', { username: '' }, { clean: true, username: '' }],
    [
      'a user with a password',
      { username: 'u', password: 'päss' },
      { clean: true, username: 'u', password: 'päss' },
    ],
    [
      'a password of bytes',
      { username: 'u', password: payload },
      { clean: true, username: 'u', password: payload },
    ],
    ...[0, 1, 2].flatMap((qos): [string, Partial<SmallOptions>, object][] =>
      [false, true].map((retain) => [
        `a will of QoS ${qos}, retain ${retain}`,
        { username: 'u', password: 'p', will: { topic: 'w/t', payload: 'gone', qos, retain } },
        {
          clean: true,
          username: 'u',
          password: 'p',
          will: { topic: 'w/t', payload: 'gone', qos, retain },
        },
      ]),
    ),
    [
      'a will of bytes, long enough for a length of two bytes',
      { will: { topic: 'w'.repeat(200), payload } },
      { clean: true, will: { topic: 'w'.repeat(200), payload, qos: 0, retain: false } },
    ],
  ]
  for (const [name, options, packet] of cases) {
    it(`is byte for byte that of mqtt-packet: ${name}`, () => {
      const desk = new SmallDesk(options)
      desk.client.start()
      desk.poll()
      desk.transport.accept()
      desk.poll()
      const whole = { cmd: 'connect', clientId: 'desk', keepalive: 60, ...packet } as any
      for (const part of [whole, whole.will ?? {}]) {
        for (const field of ['password', 'payload']) {
          if (part[field] instanceof Uint8Array) part[field] = Buffer.from(part[field])
        }
      }
      const expected = bytesOf({ protocolId: 'MQTT', protocolVersion: 4, ...whole }, 4)
      assert.deepEqual([...desk.transport.sent], [...expected])
    })
  }

  it('comes first and once, and nothing leaves between it and CONNACK', () => {
    const desk = new SmallDesk(kept)
    desk.client.subscribe('x')
    desk.greet()
    desk.client.start()
    desk.publish(1)
    assert.equal(desk.publish(0), ERR_OFFLINE)
    desk.after(5000)
    assert.deepEqual(desk.sent(), [])
  })

  it('clean by default without durable storage, and not with it', () => {
    assert.equal(new SmallDesk().connect().clean, true)
    assert.equal(boot(board()).connect().clean, false)
  })
})

describe('CONNACK and the small client', () => {
  it('tells of Session Present at each connection', () => {
    const desk = new SmallDesk(kept)
    desk.connect()
    desk.reconnect({ sessionPresent: true })
    desk.reconnect({ sessionPresent: false })
    const present = desk.of('client.connected').map(({ sessionPresent }) => sessionPresent)
    assert.deepEqual(present, [false, true, false])
  })

  for (const returnCode of [1, 2, 3, 4, 5, 6, 255]) {
    it(`a refusal with ${returnCode} is told, not answered, and the queue waits`, () => {
      const desk = new SmallDesk(kept)
      desk.greet()
      desk.publish(1)
      desk.reply({ cmd: 'connack', sessionPresent: false, returnCode })
      assert.deepEqual(desk.sent(), [])
      assert.equal(desk.transport.state, 0)
      const { status, reasonCode } = desk.of('client.disconnected')[0]!
      assert.deepEqual([status, reasonCode], [ERR_REFUSED, returnCode])
      desk.connect()
      assert.deepEqual(textsOf(desk.sent()), ['x'])
    })
  }

  it('a broker that does not know us begins anew: queued messages leave', () => {
    const desk = new SmallDesk(kept)
    desk.publish(1, 'a')
    desk.publish(2, 'b')
    assert.equal(desk.connect().clean, false)
    assert.deepEqual(words(desk.sent()), ['publish 2', 'publish 3'])
    assert.equal(desk.of('session.lost').length, 0)
  })

  it("somebody else's session is wiped before ours begins", () => {
    for (const start of [() => boot(board()), () => new SmallDesk(kept)]) {
      const desk = start()
      desk.publish(2, 'mine')
      desk.connect({ sessionPresent: true })
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.of('client.disconnected')[0]!.status, -0x82)
      assert.deepEqual(desk.sent(), [], 'nothing is said in it')
      assert.equal(desk.greet().clean, true)
      const connack = { cmd: 'connack', sessionPresent: false, returnCode: 0 }
      desk.transport.deliver(bytesOf(connack, 4))
      assert.deepEqual(words(desk.sentAtOnce()), ['disconnect'])
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.connect({ sessionPresent: false }).clean, false)
      assert.deepEqual(textsOf(desk.sent()), ['mine'])
      assert.equal(desk.of('client.disconnected').length, 1, 'the clean connection is not told')
      assert.equal(desk.reconnect().clean, false)
      assert.ok(desk.client.isConnected)
    }
  })

  it('a session that is present after a clean start is not believed, without a spin', () => {
    const desk = new SmallDesk({ cleanStart: true })
    desk.publish(1)
    for (let n = 0; n < 20; n++) {
      assert.equal(desk.connect({ sessionPresent: true }).clean, true)
      assert.equal(desk.client.isConnected, false)
    }
    assert.ok(desk.system.now() > 60000, `20 attempts in ${desk.system.now()} ms`)
    assert.equal(desk.client.stats.queued, 1)
  })

  it('a session whose CONNACK was lost is ours; its filters are asked for again', () => {
    const desk = new SmallDesk(kept)
    desk.client.subscribe('x')
    desk.connect()
    desk.reply({ cmd: 'suback', messageId: desk.sentOne().messageId, granted: [0] })
    desk.transport.drop('cut')
    desk.greet()
    desk.transport.drop('cut before CONNACK')
    desk.connect({ sessionPresent: true })
    assert.deepEqual(
      desk.sent().map(({ cmd }) => cmd),
      ['subscribe'],
    )
    desk.reconnect()
    desk.sent()
  })

  it('a resumed session is asked for nothing that it has', () => {
    const desk = new SmallDesk(kept)
    desk.client.subscribe('x')
    desk.connect()
    desk.reply({ cmd: 'suback', messageId: desk.sentOne().messageId, granted: [0] })
    desk.reconnect()
    assert.deepEqual(desk.sent(), [])
    desk.reconnect({ sessionPresent: false })
    assert.deepEqual(
      desk.sent().map(({ cmd }) => cmd),
      ['subscribe'],
    )
  })
})

describe('Keep Alive of the small client', () => {
  it('PINGREQ leaves in time while nothing else does, with any late poll up to a quarter', () => {
    const desk = new SmallDesk({ keepAliveMs: 20000 })
    desk.connect()
    for (let round = 0; round < 10; round++) {
      assert.ok(desk.waitMs <= 15000)
      desk.after(desk.waitMs - 1)
      assert.deepEqual(desk.sent(), [])
      desk.after(1 + (round % 2) * 4999)
      assert.deepEqual(words(desk.sent()), ['pingreq'])
      desk.reply({ cmd: 'pingresp' })
    }
    assert.ok(desk.client.isConnected)
  })

  it('what is sent in one direction alone does not put it off', () => {
    const desk = new SmallDesk({ keepAliveMs: 20000 })
    desk.connect()
    let pings = 0
    for (let second = 0; second < 100; second++) {
      desk.client.publish('t', 'x')
      desk.after(1000)
      if (words(desk.sent()).includes('pingreq')) {
        pings++
        desk.reply({ cmd: 'pingresp' })
      }
    }
    assert.ok(pings >= 4, `${pings} PINGREQ while the broker is silent`)
    for (let second = 0; second < 16; second++) {
      desk.after(1000)
      desk.reply(message(0, 0, 'x'))
      if (words(desk.sent()).includes('pingreq')) pings += 100
    }
    assert.ok(pings >= 100, 'no PINGREQ while only the broker talks')
  })

  it('a PINGREQ without answer ends the connection, bytes that arrive put that off', () => {
    const desk = new SmallDesk({ keepAliveMs: 20000, pingTimeoutMs: 3000 })
    desk.connect()
    desk.after(15000)
    assert.equal(desk.sentOne().cmd, 'pingreq')
    desk.after(2999)
    desk.reply(message(0, 0, 'x'))
    desk.after(2999)
    assert.ok(desk.client.isConnected)
    desk.after(1)
    assert.equal(desk.client.isConnected, false)
    const { status, reasonCode } = desk.of('client.disconnected')[0]!
    assert.deepEqual([status, reasonCode], [-0x8d, 0x8d])
  })

  it('Keep Alive 0 sends none, for days', () => {
    const desk = new SmallDesk({ keepAliveMs: 0 })
    desk.connect()
    assert.equal(desk.waitMs, Infinity)
    desk.after(86400000 * 3)
    assert.deepEqual(desk.sent(), [])
    assert.ok(desk.client.isConnected)
  })

  it('a PUBLISH without answer ends the connection after ackTimeoutMs, and is sent again', () => {
    const desk = new SmallDesk({ ...kept, keepAliveMs: 0, ackTimeoutMs: 5000 })
    desk.connect()
    desk.publish(1, 'one')
    desk.publish(1, 'two')
    const [, two] = desk.sent()
    desk.after(4999)
    desk.reply({ cmd: 'puback', messageId: two!.messageId })
    desk.after(4999)
    assert.ok(desk.client.isConnected, 'an answer begins the time anew')
    desk.after(1)
    assert.equal(desk.client.isConnected, false)
    desk.connect({ sessionPresent: true })
    assert.deepEqual(words(desk.sent()), ['publish 2 dup'])
    const patient = new SmallDesk({ ...kept, keepAliveMs: 0, ackTimeoutMs: 0 })
    patient.connect()
    patient.publish(1)
    patient.after(86400000)
    assert.ok(patient.client.isConnected)
  })
})

describe('the pauses of the small client', () => {
  it('are drawn from 0 to a limit that doubles from retryMinMs to retryMaxMs', () => {
    const draws = [0, 0.5, 0.999999999]
    for (const draw of draws) {
      const system = new ManualSystem(1)
      system.random = () => Math.floor(draw * 4294967296)
      const desk = new SmallDesk({ retryMinMs: 1000, retryMaxMs: 6000 }, system)
      desk.client.start()
      desk.poll()
      for (let n = 0; n < 6; n++) {
        desk.transport.fail('no route')
        desk.poll()
        const { retryMs, status, text } = desk.of('client.disconnected')[n]!
        const limit = [1000, 2000, 4000, 6000, 6000, 6000][n]!
        assert.equal(retryMs, Math.floor(draw * (limit + 1)))
        assert.deepEqual([status, text], [ERR_CONNECT, 'no route'])
        for (; desk.transport.state !== 1; desk.poll()) desk.system.advance(desk.waitMs)
      }
      desk.connect()
      desk.transport.drop('cut')
      desk.poll()
      const { retryMs } = desk.of('client.disconnected').at(-1)!
      assert.equal(retryMs, Math.floor(draw * 1001), 'a good connection begins anew')
    }
  })

  it('a fleet does not come back as one', () => {
    const pauses = new Set<number>()
    for (let seed = 1; seed <= 50; seed++) {
      const desk = new SmallDesk({}, new ManualSystem(seed))
      desk.connect()
      desk.transport.drop('broker restarts')
      desk.poll()
      const { retryMs } = desk.of('client.disconnected')[0]!
      assert.ok(retryMs >= 0 && retryMs <= 1000)
      pauses.add(retryMs)
    }
    assert.ok(pauses.size > 30, `${pauses.size} different pauses`)
  })

  it('connectTimeoutMs holds for TCP and CONNACK together', () => {
    const desk = new SmallDesk({ connectTimeoutMs: 5000 })
    desk.client.start()
    desk.poll()
    assert.equal(desk.waitMs, 5000)
    desk.after(3000)
    desk.transport.accept()
    desk.poll()
    assert.equal(desk.waitMs, 2000)
    desk.after(1999)
    assert.equal(desk.of('client.disconnected').length, 0)
    desk.after(1)
    assert.equal(desk.of('client.disconnected')[0]!.status, ERR_CONNECT)
    desk.transport.openRefusal = 'no interface'
    desk.after(60000)
    assert.equal(desk.of('client.disconnected')[1]!.text, 'no interface')
  })
})
