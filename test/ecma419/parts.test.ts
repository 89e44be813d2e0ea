/**
 * Clause 25, onReadable and read: a message larger than the receive buffer comes in parts. What it
 * has for answers, what becomes of it when the connection ends, and who waits for whom.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MQTTClient } from '../../src/ecma419/mqtt-client.js'
import { TopicAliases } from '../../src/session/topic-aliases.js'
import { FlashStore } from '../../src/storage.js'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { seededTest } from '../store/seed.js'
import { BUFFER, Collector, payloadOf, VERSIONS } from './parts-rig.js'
import { bytes, textOf } from './rig.js'

const KEPT = { clean: false }

for (const protocol of VERSIONS) {
  describe(`a message in parts, protocol ${protocol}`, () => {
    it('the first has topic, QoS and byteLength, all say whether more follow', () => {
      const one = new Collector({ protocol }).connect()
      const text = payloadOf(300)
      one.deliver(one.packet(1, text, { topic: 'ä/b', retain: true }))
      const all = one.rig.readables.map(([, options]) => options)
      const first = { more: true, topic: 'ä/b', QoS: 1, byteLength: 300, retain: true }
      assert.deepEqual(all[0], first)
      assert.deepEqual(all.at(-1), { more: false })
      assert.ok(all.slice(1, -1).every(({ more, ...rest }) => more && !Object.keys(rest).length))
      assert.ok(one.rig.readables.every(([count]) => count > 0 && count <= BUFFER))
      assert.deepEqual(one.whole, [`ä/b 1 ${text}`])
    })

    it('one that fits the buffer behind its head comes in one part', () => {
      const one = new Collector({ protocol }).connect()
      const packet = one.packet(1, payloadOf(BUFFER))
      const head = packet.length - BUFFER
      one.deliver(packet.subarray(0, head))
      assert.deepEqual(one.rig.take(), [])
      one.deliver(packet.subarray(head))
      const [[count, options]] = one.rig.readables as [[number, any]]
      assert.deepEqual([count, options.more, options.byteLength], [BUFFER, false, BUFFER])
      assert.deepEqual(one.rig.names(), ['puback'])
    })

    it('PUBACK and PUBREC leave after the last part, QoS 0 has no answer', () => {
      for (const [qos, answers] of [[], ['puback'], ['pubrec']].entries()) {
        const one = new Collector({ protocol }).connect()
        const collect = one.rig.onReadable
        one.rig.onReadable = function (count, options) {
          assert.equal(one.rig.transport.takeSent().length, 0)
          assert.ok(!one.rig.client.holdfast.session.connection.state.inbound.has(7))
          collect.call(this, count, options)
        }
        one.deliver(one.packet(qos, payloadOf(500)))
        assert.deepEqual(one.rig.names(), answers)
        assert.equal(one.whole.length, 1)
        if (qos < 2) continue
        one.rig.reply({ cmd: 'pubrel', messageId: 7 })
        assert.deepEqual(one.rig.names(), ['pubcomp'])
      }
    })

    it('a repeat of QoS 2 is passed over, until PUBREL; what is behind it comes', () => {
      const one = new Collector({ protocol, ...KEPT }).connect()
      const text = payloadOf(500)
      one.deliver(one.packet(2, text))
      one.comeBack()
      const small = one.packet(1, 'small', { messageId: 8 })
      one.deliver(Buffer.concat([one.packet(2, text, { dup: true }), small]))
      assert.deepEqual(one.rig.names(), ['pubrec', 'puback'])
      assert.deepEqual(one.whole, [`a 2 ${text}`, 'a 1 small'])
      one.rig.reply({ cmd: 'pubrel', messageId: 7 })
      one.deliver(one.packet(2, text))
      assert.deepEqual(one.rig.names(), ['pubcomp', 'pubrec'])
      assert.equal(one.whole.length, 3)
    })

    it('nor does it come again after a reboot', () => {
      const flash = new NorFlash({ capacity: 65536 })
      const boot = (): Collector => {
        const storage = new FlashStore(flash, new ManualSystem(1))
        return new Collector({ protocol, holdfast: { storage } })
      }
      const text = payloadOf(500)
      const first = boot().connect()
      first.deliver(first.packet(2, text))
      assert.deepEqual(first.whole, [`a 2 ${text}`])
      const second = boot().connect({ sessionPresent: true })
      second.deliver(second.packet(2, text, { dup: true }))
      assert.deepEqual(second.whole, [])
      assert.deepEqual(second.rig.names(), ['pubrec'])
    })

    it('flash that does not take the identifier: no PUBREC, the connection ends', () => {
      const flash = new NorFlash({ capacity: 65536 })
      const storage = new FlashStore(flash, new ManualSystem(1))
      const one = new Collector({ protocol, holdfast: { storage } }).connect()
      const packet = one.packet(2, payloadOf(300))
      one.deliver(packet.subarray(0, 250))
      flash.write = () => -300
      flash.erase = () => -300
      one.deliver(Buffer.concat([packet.subarray(250), one.packet(0, 'behind')]))
      assert.equal(one.whole.length, 1)
      assert.ok(!one.isConnected)
      assert.ok(!one.rig.names().includes('pubrec'))
    })

    for (const qos of [0, 1, 2]) {
      it(`a connection that ends at any byte of it, QoS ${qos}`, () => {
        const text = payloadOf(150)
        const properties = { contentType: 'x', userProperties: { key: 'value' } }
        const length = new Collector({ protocol }).packet(qos, text, { properties }).length
        for (let cut = 0; cut <= length; cut++) {
          const one = new Collector({ protocol, ...KEPT }).connect()
          const packet = one.packet(qos, text, { properties })
          one.deliver(packet.subarray(0, cut))
          const came = one.coming?.text ?? ''
          assert.ok(text.startsWith(came))
          assert.equal(one.whole.length, cut === length ? 1 : 0)
          const answers = cut === length ? [[], ['puback'], ['pubrec']][qos]! : []
          assert.deepEqual(one.rig.names(), answers, `cut at ${cut}`)
          one.comeBack()
          assert.deepEqual(one.broken, came === '' ? [] : [came])
          one.deliver(one.packet(qos, text, { dup: qos > 0 }))
          const isOurs = qos === 2 && cut === length
          assert.equal(one.whole.length, cut === length && !isOurs ? 2 : 1, `cut at ${cut}`)
          assert.ok(one.whole.every((line) => line === `a ${qos} ${text}`))
          assert.deepEqual(one.rig.names(), [[], ['puback'], ['pubrec']][qos])
        }
      })
    }

    seededTest('any sizes, any pieces, read at any time', '../ecma419/parts.test.js', (chance) => {
      for (let round = 0; round < 30; round++) lively(protocol, (limit) => chance.below(limit))
    })

    seededTest(
      'flipped bytes end the connection or nothing',
      '../ecma419/parts.test.js',
      (chance) => {
        for (let round = 0; round < 200; round++) hostile(protocol, (limit) => chance.below(limit))
      },
    )

    it('while a part is unread nothing is taken from the connection', () => {
      const one = new Collector({ protocol }).connect()
      let taken = 0
      const read = one.rig.transport.read.bind(one.rig.transport)
      one.rig.transport.read = (target, at, length) => {
        const count = read(target, at, length)
        if (count > 0) taken += count
        return count
      }
      let open = 0
      one.rig.onReadable = (count, options) => {
        one.begin(options)
        open = count
      }
      const text = payloadOf(5000)
      one.deliver(Buffer.concat([one.packet(1, text), one.packet(0, 'behind')]))
      for (let handed = 0; one.whole.length < 1;) {
        assert.ok(taken <= handed + 2 * BUFFER, `${taken} bytes taken, ${handed} read`)
        assert.deepEqual(one.rig.take(), [`readable ${open} ${handed === 0 ? 'a' : undefined}`])
        const before = taken
        for (let turn = 0; turn < 3; turn++) one.rig.after(1)
        assert.equal(taken, before)
        const { more } = one.rig.readables.at(-1)![1]
        assert.equal(one.rig.names().includes('puback'), !more)
        handed += open
        one.add(
          one.rig.act((client) => textOf(client.read())),
          more,
        )
        assert.equal(one.rig.client.read(), undefined)
        one.rig.turn()
      }
    })

    it('the broker is slow: PINGREQ leaves in time, and the bytes are the sign of life', () => {
      const one = new Collector({ protocol, keepAlive: 10000 }).connect()
      const packet = one.packet(1, payloadOf(400))
      one.deliver(packet.subarray(0, 30))
      let lastAt = one.rig.system.now()
      let pings = 0
      for (let at = 30; at < packet.length; at++) {
        one.rig.after(1000)
        one.deliver(packet.subarray(at, at + 1))
        for (const name of one.rig.names()) {
          if (name === 'puback') continue
          assert.equal(name, 'pingreq')
          pings++
          assert.ok(one.rig.system.now() - lastAt <= 10000)
          lastAt = one.rig.system.now()
        }
        assert.ok(one.rig.system.now() - lastAt <= 10000)
      }
      assert.ok(pings > 30)
      assert.equal(one.whole.length, 1)
      one.rig.reply(...Array.from({ length: pings }, () => ({ cmd: 'pingresp' })))
      assert.ok(one.isConnected)
    })

    it('a broker that falls silent in the midst of it is given up', () => {
      const one = new Collector({ protocol, keepAlive: 10000 }).connect()
      one.deliver(one.packet(1, payloadOf(400)).subarray(0, 200))
      one.rig.after(7500)
      assert.deepEqual(one.rig.names(), ['pingreq'])
      one.rig.after(9999)
      assert.ok(one.isConnected)
      one.rig.after(1)
      assert.ok(!one.isConnected)
    })

    for (const [what, length] of [
      ['a part', 400],
      ['a message', 20],
    ] as const) {
      it(`the application is slow with ${what}: PINGREQ leaves, nobody is given up`, () => {
        const one = new Collector({ protocol, keepAlive: 10000 }).connect()
        const collect = one.rig.onReadable
        one.rig.onReadable = () => {}
        one.deliver(one.packet(0, payloadOf(length)))
        const waiting = one.rig.readables.at(-1)!
        for (let pings = 0; pings < 100; pings++) {
          one.rig.after(7500)
          assert.deepEqual(one.rig.names(), ['pingreq'])
          one.rig.transport.deliver(Uint8Array.of(0xd0, 0))
        }
        one.rig.onReadable = collect
        one.rig.act((client) => {
          one.begin(waiting[1])
          one.add(textOf(client.read()), waiting[1].more)
        })
        one.rig.turn()
        assert.deepEqual(one.whole, [`a 0 ${payloadOf(length)}`])
        assert.ok(one.isConnected)
        one.rig.after(17500)
        one.rig.after(10000)
        assert.ok(!one.isConnected, 'and then a silent broker is given up again')
      })
    }

    it('an answer that stands behind it is not late', () => {
      const one = new Collector({ protocol, holdfast: { ackTimeoutMs: 5000 } }).connect()
      one.rig.write('x', { topic: 't', QoS: 1 })
      const { messageId } = one.rig.sent()[0]!
      const packet = one.packet(0, payloadOf(300))
      for (let at = 0; at < packet.length; at += 10) {
        one.rig.after(1000)
        one.deliver(packet.subarray(at, at + 10))
      }
      one.rig.reply({ cmd: 'puback', messageId })
      assert.ok(one.isConnected)
      assert.equal(one.rig.client.holdfast.stats.queued, 0)
    })

    it('one call hands over so many parts and no more', () => {
      const one = new Collector({ protocol }).connect()
      one.rig.transport.deliver(one.packet(1, payloadOf(20000)))
      let before = 0
      for (let calls = 0; one.whole.length === 0; calls++) {
        const waitMs = one.rig.polled!.poll(one.rig.system.now())
        assert.ok(waitMs === 0 || one.coming === null)
        assert.ok(one.counts.length - before <= 32)
        before = one.counts.length
        assert.ok(calls < 100)
      }
    })

    it('a callback that throws gets the same part again', () => {
      const one = new Collector({ protocol }).connect()
      const collect = one.rig.onReadable
      let calls = 0
      one.rig.onReadable = function (count, options) {
        if (++calls % 2 === 1) {
          this.read(1)
          throw new Error('of the application')
        }
        collect.call(this, count, options)
      }
      const text = payloadOf(300)
      one.rig.transport.deliver(one.packet(2, text))
      for (let turn = 0; turn < 100 && one.whole.length === 0; turn++) {
        try {
          one.rig.turn()
        } catch (error) {
          assert.match(String(error), /of the application/)
        }
      }
      assert.deepEqual(one.whole, [`a 2 ${text}`])
      assert.deepEqual(one.rig.names(), ['pubrec'])
    })

    it('nobody listens: it is passed over and answered', () => {
      const one = new Collector({ protocol, onReadable: null }).connect()
      one.deliver(one.packet(1, payloadOf(3000)))
      assert.deepEqual(one.rig.names(), ['puback'])
    })

    it('`close` in the midst: no callback, no answer, and what was written leaves', () => {
      for (const isInside of [true, false]) {
        const one = new Collector({ protocol }).connect()
        one.rig.onReadable = function (count) {
          this.read(isInside ? count : 1)
          if (!isInside) return
          this.write(bytes('last'), { topic: 't' })
          this.close()
        }
        one.deliver(one.packet(1, payloadOf(300)))
        if (!isInside) {
          one.rig.act((client) => {
            client.write(bytes('last'), { topic: 't' })
            client.read()
            client.close()
          })
        }
        assert.equal(one.rig.log.length, 1, one.rig.log.join())
        assert.deepEqual(one.rig.names(), ['publish'])
        assert.ok(one.rig.isStopped)
      }
    })

    it('DISCONNECT in the midst: it leaves, no further part comes', () => {
      const one = new Collector({ protocol }).connect()
      const packet = one.packet(1, payloadOf(300))
      one.deliver(packet.subarray(0, 200))
      one.rig.write(null, { operation: MQTTClient.DISCONNECT })
      const count = one.counts.length
      assert.deepEqual(one.rig.names(), ['disconnect'])
      assert.equal(one.counts.length, count)
      assert.equal(one.rig.errors.length, 1)
    })

    it('what is unread of it is gone when the next connection begins', () => {
      const one = new Collector({ protocol, ...KEPT }).connect()
      const collect = one.rig.onReadable
      one.rig.onReadable = () => {}
      const packet = one.packet(1, payloadOf(300))
      one.deliver(packet.subarray(0, 200))
      one.rig.onReadable = collect
      one.rig.write('x', { topic: 't' }) // so that the end of the connection is noticed
      one.comeBack()
      assert.equal(one.rig.client.read(), undefined)
      one.deliver(packet)
      assert.equal(one.whole.length, 1)
    })

    it('a message without a connection to answer is still read to its end', () => {
      const one = new Collector({ protocol, ...KEPT }).connect()
      const collect = one.rig.onReadable
      one.rig.onReadable = () => {}
      one.deliver(one.packet(2, 'small one'))
      assert.deepEqual(one.rig.names(), ['pubrec'])
      one.rig.write('x', { topic: 't' })
      one.comeBack()
      assert.ok(one.isConnected, 'CONNACK comes')
      one.deliver(one.packet(1, payloadOf(300)))
      assert.equal(one.rig.readables.length, 1, 'but no message does')
      one.rig.onReadable = collect
      assert.equal(
        one.rig.act((client) => textOf(client.read())),
        'small one',
      )
      one.rig.turn()
      assert.deepEqual(one.whole, [`a 1 ${payloadOf(300)}`])
    })

    it('a small one that is unread in a callback and read in the next lets the rest come', () => {
      const one = new Collector({ protocol }).connect()
      one.rig.onReadable = () => {}
      let text = ''
      one.rig.onWritable = function () {
        for (;;) {
          const data = this.read()
          if (data === undefined) return
          text += textOf(data)
        }
      }
      one.rig.write('x', { topic: 't' })
      one.rig.transport.deliver(
        Buffer.concat([one.packet(0, 'one'), one.packet(0, 'two'), one.packet(0, payloadOf(100))]),
      )
      for (let count = 0; count < 5; count++) {
        one.rig.turn()
        one.rig.write('x', { topic: 't' })
      }
      one.rig.turn()
      assert.equal(text, 'onetwo' + payloadOf(100))
    })
  })
}

/** One client, messages of all sizes, an application that reads when it likes. */
function lively(protocol: number, chance: (limit: number) => number): void {
  const size = BUFFER + chance(60)
  const one = new Collector({ protocol, holdfast: { receiveBufferSize: size } }).connect()
  const collect = one.rig.onReadable
  let unread: { left: number; more: boolean } | null = null
  let text = ''
  one.rig.onReadable = function (count, options) {
    if (chance(2) === 0) return collect.call(this, count, options)
    one.begin(options)
    const some = chance(count)
    text = some === 0 ? '' : textOf(this.read(some))
    unread = { left: count - some, more: options.more }
    if (unread.left > 0) return
    unread = null
    one.add(text, options.more)
  }
  const sent: string[] = []
  const packets: Uint8Array[] = []
  const answers: string[] = []
  for (let id = 1; id <= 12; id++) {
    const qos = chance(3)
    const words = payloadOf(chance(3) === 0 ? chance(600) : chance(40), `${id}:`)
    packets.push(one.packet(qos, words, { messageId: id }))
    sent.push(`a ${qos} ${words}`)
    if (qos > 0) answers.push(`${qos === 1 ? 'puback' : 'pubrec'} ${id}`)
  }
  const stream = Buffer.concat(packets)
  const got: string[] = []
  for (let at = 0; at < stream.length || unread;) {
    one.rig.transport.readLimit = 1 + chance(chance(2) === 0 ? 5 : 200)
    const count = chance(150)
    one.rig.transport.deliver(stream.subarray(at, at + count))
    at += count
    one.rig.turn()
    if (unread === null) continue
    const { left, more }: { left: number; more: boolean } = unread
    unread = null
    text += textOf(one.rig.act((client) => client.read(left)))
    one.add(text, more)
    one.rig.turn()
  }
  one.rig.turn()
  while (unread) {
    const { left, more }: { left: number; more: boolean } = unread
    unread = null
    text += textOf(one.rig.act((client) => client.read(left)))
    one.add(text, more)
    one.rig.turn()
  }
  got.push(...one.rig.sent().map(({ cmd, messageId }) => `${cmd} ${messageId}`))
  assert.deepEqual(one.whole, sent)
  assert.deepEqual(got, answers)
}

/** Messages of which bytes were changed on the way: none is handed over in more or in less. */
function hostile(protocol: number, chance: (limit: number) => number): void {
  const one = new Collector({ protocol, ...KEPT, holdfast: { maximumPacketSize: 2000 } }).connect()
  const packets = [300, 20, 700, 3, 100].map((size, index) => {
    return one.packet(chance(3), payloadOf(size), { messageId: index + 1 })
  })
  const stream = Buffer.concat(packets)
  for (let count = 1 + chance(4); count > 0; count--) {
    const at = chance(4) === 0 ? chance(stream.length) : chance(20)
    stream[at] = chance(256)
  }
  for (let at = 0; at < stream.length && one.isConnected;) {
    const count = 1 + chance(200)
    one.deliver(stream.subarray(at, at + count)) // the Collector counts
    at += count
  }
  for (const line of one.whole) assert.ok(line.length <= 2000)
  if (one.isConnected) return
  one.comeBack()
  const before = one.whole.length
  one.deliver(one.packet(0, payloadOf(300)))
  assert.equal(one.whole.length, before + 1)
}

describe('what is taken of a message in parts', () => {
  it('CONNECT says how large a packet may be, with a store or an empty identifier too', () => {
    const limitOf = (options: object, connack = {}): number => {
      const one = new Collector({ protocol: 5, ...options })
      return one.rig.connect(connack).properties!.maximumPacketSize
    }
    assert.equal(limitOf({}), 268435460)
    assert.equal(limitOf({ holdfast: { maximumPacketSize: 5000 } }), 5000)
    assert.equal(limitOf({ holdfast: { maximumPacketSize: BUFFER } }), BUFFER)
    const unnamed = new Collector({ protocol: 5, id: '' })
    unnamed.rig.connect({ properties: { assignedClientIdentifier: 'auto' } })
    const again = unnamed.rig.reconnect()
    assert.equal(again.clientId, 'auto')
    assert.equal(again.properties!.maximumPacketSize, 268435460)
    const older = new Collector({ protocol: 4 })
    assert.equal(older.rig.connect().properties, undefined)
  })

  it('a limit that cannot be is refused by name', () => {
    const limit = (maximumPacketSize: unknown) => () =>
      new Collector({ holdfast: { maximumPacketSize } })
    for (const wrong of [BUFFER - 1, 268435461, 0, -1, 1.5, '5', null]) {
      assert.throws(limit(wrong), /"holdfast.maximumPacketSize"/)
    }
    limit(268435460)()
  })

  for (const protocol of VERSIONS) {
    it(`more than the limit ends the connection, protocol ${protocol}`, () => {
      for (const limit of [BUFFER, 200]) {
        const fits = new Collector({ protocol, holdfast: { maximumPacketSize: limit } }).connect()
        const head = fits.packet(1, '').length + (limit > 128 ? 1 : 0)
        fits.deliver(fits.packet(1, payloadOf(limit - head)))
        assert.equal(fits.whole.length, 1)
        assert.deepEqual(fits.rig.names(), ['puback'])
        fits.deliver(fits.packet(1, payloadOf(limit - head + 1)))
        assert.ok(!fits.isConnected)
        assert.equal(fits.whole.length, 1)
        assert.equal(fits.coming, null)
        const said = fits.rig.sent()
        if (protocol === 4) assert.deepEqual(said, [])
        else assert.deepEqual([said[0]!.cmd, said[0]!.reasonCode], ['disconnect', 0x95])
      }
    })

    /** What arrives ends the connection with this Reason Code, and nobody hears of it. */
    const refused = (
      what: string,
      reason: number,
      packet: (one: Collector) => Uint8Array,
    ): void => {
      it(`${what}: refused, protocol ${protocol}`, () => {
        const one = new Collector({ protocol }).connect()
        one.deliver(packet(one))
        assert.ok(!one.isConnected)
        assert.deepEqual(one.rig.readables, [])
        const said = one.rig.sent()
        if (protocol === 4) assert.deepEqual(said, [])
        else assert.deepEqual([said[0]!.cmd, said[0]!.reasonCode], ['disconnect', reason])
      })
    }
    /** A PUBLISH of 300 bytes and more whose body begins so. */
    const raw = (first: number, ...start: number[]): Uint8Array =>
      Uint8Array.from([first, 0xac, 0x02, ...start, ...new Array(300 - start.length).fill(0x41)])

    refused('a topic larger than the buffer', 0x95, (one) =>
      one.packet(0, 'x', { topic: 't'.repeat(200) }),
    )
    refused('a topic that is said to be larger than the packet', 0x95, () => raw(0x30, 0xff, 0xff))
    refused('a wildcard in the topic', 0x81, () => raw(0x30, 0, 1, 0x23, 0))
    refused('QoS 3', 0x81, () => raw(0x36, 0, 1, 0x61, 0, 1, 0))
    refused('DUP with QoS 0', 0x81, () => raw(0x38, 0, 1, 0x61, 0))
    refused('Packet Identifier 0', 0x82, () => raw(0x32, 0, 1, 0x61, 0, 0, 0))
    refused('a large packet that is no PUBLISH', 0x95, () => raw(0x90, 0, 1, 0, 0))
    if (protocol === 5) {
      refused('properties larger than the buffer', 0x95, (one) =>
        one.packet(0, 'x', { properties: { contentType: 't'.repeat(200) } }),
      )
      refused('a Property Length without an end', 0x81, () =>
        raw(0x30, 0, 1, 0x61, 0xff, 0xff, 0xff, 0xff),
      )
      refused('a property that does not belong there', 0x81, () => raw(0x30, 0, 1, 0x61, 2, 36, 1))
      refused('a Topic Alias that was not offered', 0x94, () => raw(0x30, 0, 1, 97, 3, 35, 0, 1))
    }

    it(`a large packet before CONNACK is refused, protocol ${protocol}`, () => {
      const one = new Collector({ protocol })
      one.rig.turn()
      one.rig.transport.accept()
      one.rig.turn()
      one.deliver(one.packet(0, payloadOf(300)))
      assert.ok(!one.isConnected)
      assert.deepEqual(one.rig.log, [])
    })
  }

  it('Receive Maximum counts it', () => {
    const one = new Collector({ protocol: 5, holdfast: { receiveMaximum: 1 } }).connect()
    one.deliver(one.packet(2, payloadOf(300), { messageId: 1 }))
    assert.deepEqual(one.rig.names(), ['pubrec'])
    one.deliver(one.packet(2, payloadOf(300), { messageId: 2 }))
    const [packet] = one.rig.sent()
    assert.deepEqual([packet!.cmd, packet!.reasonCode], ['disconnect', 0x93])
    assert.equal(one.whole.length, 1)
  })

  it('without room to remember its identifier it has no answer', () => {
    const one = new Collector({ protocol: 4 }).connect()
    for (let id = 1; id <= 70; id++) one.deliver(one.packet(2, payloadOf(100), { messageId: id }))
    const answered = one.rig.names().length
    assert.equal(answered, one.whole.length)
    assert.equal(answered, 64)
    one.deliver(one.packet(1, payloadOf(100)))
    assert.deepEqual(one.rig.names(), ['puback'])
  })

  it('its topic may be an alias, and teach one', () => {
    const one = new Collector({ protocol: 5, holdfast: { aliases: new TopicAliases(0, 2) } })
    one.connect()
    const properties = { topicAlias: 2 }
    one.deliver(one.packet(0, payloadOf(300), { topic: 'long/topic', properties }))
    one.deliver(one.packet(0, payloadOf(200), { topic: '', properties }))
    one.deliver(one.packet(0, 'small', { topic: '', properties }))
    assert.deepEqual(
      one.whole.map((line) => line.split(' ')[0]),
      ['long/topic', 'long/topic', 'long/topic'],
    )
    one.deliver(one.packet(0, payloadOf(200), { topic: '', properties: { topicAlias: 1 } }))
    assert.ok(!one.isConnected)
  })

  it('the answer waits for room behind what the network does not take', () => {
    const one = new Collector({ holdfast: { sendBufferSize: 64 } }).connect()
    one.rig.transport.room = 0
    const collect = one.rig.onReadable
    one.rig.onReadable = function (count, options) {
      if (!options.more) this.write(new Uint8Array(40), { topic: 't' })
      collect.call(this, count, options)
    }
    const packet = one.packet(1, payloadOf(300))
    one.deliver(Buffer.concat([packet, packet, packet]))
    assert.ok(one.whole.length > 0)
    for (let turn = 0; turn < 20; turn++) {
      one.rig.transport.giveRoom(40)
      one.rig.turn()
    }
    assert.equal(one.whole.length, 3)
    one.rig.transport.giveRoom(Infinity)
    const names = one.rig.names()
    assert.deepEqual(names.filter((name) => name === 'puback').length, 3)
    assert.deepEqual(names.filter((name) => name === 'publish').length, 3)
  })

  it('so does the one that is behind it', () => {
    for (let length = 44; length < 60; length++) {
      const one = new Collector({ holdfast: { sendBufferSize: 64 } }).connect()
      one.rig.transport.room = 0
      one.rig.write(new Uint8Array(length - 5), { topic: 't' })
      one.rig.turn()
      const ids = [1, 2, 3]
      const packets = ids.map((messageId) => one.packet(1, payloadOf(300), { messageId }))
      one.deliver(Buffer.concat([...packets, one.packet(1, 'small', { messageId: 4 })]))
      one.rig.transport.giveRoom(Infinity)
      const answered = one.rig.sent().map((packet) => packet.messageId ?? packet.payload!.length)
      assert.deepEqual(answered, [length - 5, 1, 2, 3, 4])
    }
  })

  it('with manualAck a message is whole: the application may not ask for larger ones', () => {
    const manualAck = { bind() {}, send() {}, onPublish() {}, acknowledge: () => 0 }
    const make = (more: object) => () => new Collector({ holdfast: { manualAck, ...more } })
    assert.throws(make({ maximumPacketSize: BUFFER + 1 }), /"holdfast.maximumPacketSize"/)
    const one = make({})().connect()
    one.deliver(one.packet(0, payloadOf(300)))
    assert.ok(!one.isConnected)
  })
})
