/** The AUTH exchange of MQTT 5, section 4.12, with a method that counts and remembers. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_ARGUMENT, ERR_BUSY, ERR_OFFLINE, ERR_REFUSED, OK } from '../../src/index.js'
import { Authentication } from '../../src/session/authentication.js'
import type { AuthenticationMethod } from '../../src/session/authentication.js'
import { Desk, type Packet, words } from './desk.js'
import { kept } from './failures-rig.js'

/** Answers each challenge with its text and a number; refuses what says "evil". */
class Echo implements AuthenticationMethod {
  readonly name = 'ECHO-1'
  readonly heard: string[] = []
  exchanges = 0
  startData: Uint8Array | null = null
  start(): Uint8Array | null {
    this.exchanges++
    return this.startData ?? Buffer.from(`hello ${this.exchanges}`)
  }
  step(data: Uint8Array, isLast: boolean): Uint8Array | null | number {
    const text = Buffer.from(data).toString()
    this.heard.push(text + (isLast ? ' (last)' : ''))
    if (text.includes('evil')) return -1
    return text === 'nothing' ? null : Buffer.from(`re: ${text}`)
  }
}

const auth = (reasonCode: number, data?: string, method = 'ECHO-1') => ({
  cmd: 'auth',
  reasonCode,
  properties: {
    ...(method === '' ? {} : { authenticationMethod: method }),
    ...(data === undefined ? {} : { authenticationData: Buffer.from(data) }),
  },
})
const accepted = (data?: string, method?: string) => ({
  properties: auth(0, data, method).properties,
})
const dataOf = (packet: Packet) => String(packet.properties?.authenticationData ?? '-')

function rig(options: object = {}): { desk: Desk; method: Echo } {
  const method = new Echo()
  return { desk: new Desk({ authentication: new Authentication(method), ...options }), method }
}

/** Up to the CONNECT, which it returns. */
function greet(desk: Desk): Packet {
  desk.client.start()
  desk.poll()
  desk.transport.accept()
  return desk.sentOne()
}

describe('authentication while connecting', () => {
  it('CONNECT has method and data, each AUTH is answered with 0x18, method and data', () => {
    const { desk, method } = rig()
    const connect = greet(desk)
    assert.equal(connect.properties!.authenticationMethod, 'ECHO-1')
    assert.equal(dataOf(connect), 'hello 1')
    for (const challenge of ['one', 'two', 'nothing']) {
      desk.reply(auth(0x18, challenge))
      const answer = desk.sentOne()
      assert.equal(answer.cmd, 'auth')
      assert.equal(answer.reasonCode, 0x18)
      assert.equal(answer.properties!.authenticationMethod, 'ECHO-1')
      assert.equal(dataOf(answer), challenge === 'nothing' ? '-' : `re: ${challenge}`)
      assert.equal(Object.keys(answer.properties!).length, challenge === 'nothing' ? 1 : 2)
    }
    desk.reply({ cmd: 'connack', reasonCode: 0, sessionPresent: false, ...accepted('bye') })
    assert.ok(desk.client.isConnected)
    assert.deepEqual(method.heard, ['one', 'two', 'nothing', 'bye (last)'])
  })

  it('nothing but AUTH leaves before CONNACK, whatever waits', () => {
    const { desk } = rig({ ...kept })
    desk.client.subscribe('a/#')
    desk.client.publish('t', 'x', { qos: 1 })
    greet(desk)
    desk.reply(auth(0x18, 'one'))
    desk.after(20000)
    assert.deepEqual(words(desk.sent()), ['auth'])
    desk.reply({ cmd: 'connack', reasonCode: 0, sessionPresent: false, ...accepted() })
    assert.deepEqual(words(desk.sent()).sort(), ['publish 2', 'subscribe 32769'])
  })

  it('each connection begins an exchange of its own, with what belongs to it', () => {
    const { desk, method } = rig({ ...kept })
    assert.equal(dataOf(desk.connect(accepted())), 'hello 1')
    const second = desk.reconnect({ sessionPresent: true, ...accepted() })
    assert.equal(dataOf(second), 'hello 2')
    assert.equal(second.clean, false)
    assert.equal(second.clientId, 'desk')
    assert.equal(method.exchanges, 2)
    assert.ok(desk.client.isConnected)
  })

  it('the client may refuse the broker, in the exchange and at its end', () => {
    for (const last of [false, true]) {
      const { desk } = rig()
      greet(desk)
      desk.reply(
        last
          ? { cmd: 'connack', reasonCode: 0, sessionPresent: false, ...accepted('evil') }
          : auth(0x18, 'evil'),
      )
      const disconnect = desk.sentOne()
      assert.deepEqual([disconnect.cmd, disconnect.reasonCode], ['disconnect', 0x80])
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.of('client.connected').length, 0)
    }
  })

  it('a broker that refuses is told by its Reason Code', () => {
    const { desk } = rig()
    greet(desk)
    desk.reply({ cmd: 'connack', reasonCode: 0x8c, sessionPresent: false })
    const event = desk.of('client.disconnected')[0]!
    assert.deepEqual([event.status, event.reasonCode], [ERR_REFUSED, 0x8c])
  })

  const wrong: [string, Record<string, any>][] = [
    ['AUTH of another method', auth(0x18, 'x', 'OTHER')],
    ['AUTH without a method', auth(0x18, 'x', '')],
    ['AUTH that says success before CONNACK', auth(0)],
    ['AUTH that wants to begin anew', auth(0x19)],
    ['CONNACK of another method', { cmd: 'connack', reasonCode: 0, ...accepted('x', 'OTHER') }],
    ['CONNACK without a method', { cmd: 'connack', reasonCode: 0, ...accepted('x', '') }],
  ]
  for (const [what, packet] of wrong) {
    it(`${what} is a protocol error`, () => {
      const { desk, method } = rig()
      greet(desk)
      desk.transport.deliver(rawOf({ sessionPresent: false, ...packet }))
      const disconnect = desk.sentOne()
      assert.deepEqual([disconnect.cmd, disconnect.reasonCode], ['disconnect', 0x82])
      assert.deepEqual(method.heard, [])
    })
  }

  it('a broker that challenges for ever is left after connectTimeoutMs', () => {
    const { desk } = rig({ connectTimeoutMs: 5000 })
    greet(desk)
    for (let n = 0; n < 100 && desk.transport.state === 2; n++) {
      desk.system.advance(100)
      desk.reply(auth(0x18, `${n}`))
    }
    assert.equal(desk.transport.state, 0)
    assert.ok(words(desk.sent()).length <= 51)
  })

  it('data that no CONNECT can hold ends the attempt with a reason', () => {
    const { desk, method } = rig({ sendBufferSize: 128 })
    method.startData = new Uint8Array(200)
    desk.client.start()
    desk.poll()
    desk.transport.accept()
    assert.deepEqual(desk.sent(), [])
    assert.equal(desk.transport.state, 0)
    assert.ok(desk.of('client.disconnected')[0]!.status < 0)
  })
})

describe('authentication again', () => {
  const begun = (options: object = {}) => {
    const { desk, method } = rig({ ...kept, ...options })
    desk.connect(accepted())
    assert.equal(desk.client.reauthenticate(), OK)
    return { desk, method }
  }

  it('AUTH with 0x19 begins it, and the connection goes on meanwhile', () => {
    const { desk, method } = begun()
    const done: string[] = []
    desk.client.on('client.authenticated', (event) => done.push(event.text))
    const first = desk.sentOne()
    assert.deepEqual([first.cmd, first.reasonCode, dataOf(first)], ['auth', 0x19, 'hello 2'])
    assert.equal(first.properties!.authenticationMethod, 'ECHO-1')
    desk.client.publish('t', 'x', { qos: 1 })
    assert.equal(desk.client.reauthenticate(), ERR_BUSY)
    desk.reply(auth(0x18, 'again'))
    assert.deepEqual(words(desk.sent()).sort(), ['auth', 'publish 2'])
    assert.deepEqual(done, [])
    desk.reply(auth(0, 'end'))
    assert.deepEqual(done, ['ECHO-1'])
    assert.deepEqual(method.heard.slice(-2), ['again', 'end (last)'])
    assert.equal(desk.client.reauthenticate(), OK, 'and once more')
    assert.equal(desk.sentOne().reasonCode, 0x19)
  })

  it('when it fails on our side, DISCONNECT says so and the connection is closed', () => {
    for (const code of [0x18, 0]) {
      const { desk } = begun()
      desk.sent()
      desk.reply(auth(code, 'evil'))
      assert.deepEqual(words(desk.sent()), ['disconnect'])
      assert.equal(desk.transport.state, 0)
    }
  })

  it('when it takes longer than connectTimeoutMs, the connection is closed', () => {
    const { desk } = rig({ connectTimeoutMs: 5000, ...kept })
    desk.connect(accepted())
    desk.system.advance(20000) // the clock of the last poll is not that of the call
    assert.equal(desk.client.reauthenticate(), OK)
    desk.sent()
    desk.after(4999)
    assert.ok(desk.client.isConnected)
    desk.after(1)
    assert.equal(desk.client.isConnected, false)
  })

  it('AUTH that nobody asked for is a protocol error', () => {
    for (const packet of [auth(0x18, 'x'), auth(0)]) {
      const { desk } = rig({ ...kept })
      desk.connect(accepted())
      desk.reply(packet)
      assert.equal(desk.sentOne().reasonCode, 0x82)
    }
  })

  it('an exchange does not outlive its connection', () => {
    const { desk, method } = begun()
    desk.reconnect({ sessionPresent: true, ...accepted() })
    assert.equal(method.exchanges, 3)
    assert.equal(desk.client.reauthenticate(), OK)
  })

  it('AUTH waits for room, and one the broker cannot take ends the connection', () => {
    const { desk } = rig({ ...kept, sendBufferSize: 256 })
    desk.connect(accepted())
    desk.transport.room = 0
    while (desk.client.publish('t', 'x'.repeat(20)) >= 0);
    assert.equal(desk.client.reauthenticate(), OK)
    desk.poll()
    desk.transport.room = Infinity
    assert.ok(words(desk.sent()).includes('auth'))

    const small = rig({ ...kept })
    small.desk.connect({ properties: { ...accepted().properties, maximumPacketSize: 20 } })
    assert.equal(small.desk.client.reauthenticate(), OK)
    assert.deepEqual(words(small.desk.sent()), ['disconnect'])
  })

  it('it is refused by number without a connection or without the option', () => {
    assert.equal(rig().desk.client.reauthenticate(), ERR_OFFLINE)
    assert.equal(new Desk().client.reauthenticate(), ERR_ARGUMENT)
  })
})

describe('the option authentication', () => {
  it('is for MQTT 5, for one client, and not given as a property', () => {
    assert.throws(() => rig({ protocol: 4 }), /"authentication"/)
    const authentication = new Authentication(new Echo())
    new Desk({ authentication })
    assert.throws(() => new Desk({ authentication }), /"authentication" is in use/)
    const connectProperties = { authenticationData: new Uint8Array(1) }
    assert.throws(() => new Desk({ connectProperties }), /connectProperties.authenticationData/)
  })
})

/** mqtt-packet writes no AUTH without a method and no AUTH of 0x19 for a broker: by hand. */
function rawOf(packet: Record<string, any>): Uint8Array {
  const { authenticationMethod: name, authenticationData: data } = packet.properties
  const string = (text: Uint8Array) => [0, text.length, ...text]
  const properties = [
    ...(name === undefined ? [] : [21, ...string(Buffer.from(name))]),
    ...(data === undefined ? [] : [22, ...string(data)]),
  ]
  const body = [packet.reasonCode, properties.length, ...properties]
  const isAuth = packet.cmd === 'auth'
  const all = isAuth ? body : [0, ...body]
  return Uint8Array.from([isAuth ? 0xf0 : 0x20, all.length, ...all])
}
