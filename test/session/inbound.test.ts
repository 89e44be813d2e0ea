import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Desk, parse, words } from './desk.js'

const kept = { sessionExpirySeconds: 3600, cleanStart: false } as const
const message = (qos: number, messageId: number, text: string, dup = false) => ({
  cmd: 'publish',
  topic: 'in/1',
  payload: text,
  qos,
  messageId,
  dup,
  retain: false,
})

for (const protocol of [4, 5]) {
  describe(`arriving messages, protocol ${protocol}`, () => {
    it('QoS 0 is handed over, QoS 1 is handed over and acknowledged', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.reply(message(0, 0, 'zero'), message(1, 9, 'one'))
      assert.deepEqual(
        desk.received.map((seen) => seen.text),
        ['zero', 'one'],
      )
      assert.deepEqual(words(desk.sent()), ['puback 9'])
    })

    it('what found no room for its answer is handled as soon as there is room', () => {
      for (let fill = 100; fill <= 128; fill++) {
        const desk = new Desk({ protocol, sendBufferSize: 128 })
        desk.connect()
        desk.transport.room = 0
        const head = protocol === 5 ? 8 : 7
        assert.ok(desk.client.publish('t', 'x'.repeat(fill - head), { qos: 1 }) > 0)
        desk.poll()
        desk.reply(message(1, 1, ''), message(1, 2, ''), message(1, 3, ''), message(1, 4, ''))
        desk.transport.giveRoom(Infinity)
        desk.poll()
        const sent = words(parse(desk.transport.takeSent(), protocol)).slice(1)
        assert.deepEqual(sent, ['puback 1', 'puback 2', 'puback 3', 'puback 4'], `${fill} bytes`)
      }
    })

    it('QoS 2 is handed over once however often the broker repeats it', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      desk.reply(message(2, 7, 'two'), message(2, 7, 'two', true))
      assert.deepEqual(words(desk.sent()), ['pubrec 7', 'pubrec 7'])
      desk.reconnect({ sessionPresent: true })
      desk.reply(message(2, 7, 'two', true))
      assert.deepEqual(words(desk.sent()), ['pubrec 7'])
      desk.reply({ cmd: 'pubrel', messageId: 7 })
      assert.deepEqual(words(desk.sent()), ['pubcomp 7'])
      assert.equal(desk.received.length, 1)
    })

    it('after PUBCOMP the same identifier is a new message', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.reply(message(2, 7, 'a'), { cmd: 'pubrel', messageId: 7 }, message(2, 7, 'b'))
      assert.deepEqual(
        desk.received.map((seen) => seen.text),
        ['a', 'b'],
      )
    })

    it('a PUBREL for an unknown identifier is answered with PUBCOMP', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.reply({ cmd: 'pubrel', messageId: 99 })
      const pubcomp = desk.sentOne()
      assert.equal(pubcomp.cmd, 'pubcomp')
      if (protocol === 5) assert.equal(pubcomp.reasonCode, 0x92)
    })

    it('answers keep the order of what they answer', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.reply(message(1, 1, 'a'), message(2, 2, 'b'), message(1, 3, 'c'), message(2, 4, 'd'))
      assert.deepEqual(words(desk.sent()), ['puback 1', 'pubrec 2', 'puback 3', 'pubrec 4'])
    })

    it('packets cut into single bytes are read as well', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.transport.readLimit = 1
      desk.reply(message(1, 1, 'hello'), message(0, 0, 'world'))
      assert.equal(desk.received.length, 2)
    })

    it('a handler may publish and stop', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.client.on('message.received', (event) => {
        assert.ok(desk.client.publish('echo', event.message!.payload, { qos: 1 }) > 0)
        desk.client.stop()
      })
      desk.reply(message(1, 3, 'ping'))
      assert.deepEqual(
        desk.sent().map((packet) => packet.cmd),
        ['puback', 'publish', 'disconnect'],
      )
      assert.ok(desk.client.isStopped)
    })

    it('a handler that throws does not lose the packet it was called for', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      let calls = 0
      desk.client.on('message.received', () => {
        if (++calls === 1) throw new Error('of the application')
      })
      assert.throws(() => desk.reply(message(1, 3, 'ping')), /of the application/)
      desk.poll()
      assert.deepEqual(words(desk.sent()), ['puback 3'])
      assert.equal(calls, 2)
    })
  })
}

describe('what a broker must not do', () => {
  const cases: [string, Record<string, any> | Uint8Array, number][] = [
    ['send CONNACK twice', { cmd: 'connack', reasonCode: 0, sessionPresent: false }, 0x82],
    ['send a packet of type 0', Uint8Array.from([0x00, 0x00]), 0x81],
    ['send QoS 3', Uint8Array.from([0x36, 0x06, 0, 1, 0x61, 0, 1, 0]), 0x81],
    ['send a packet only clients send', Uint8Array.from([0xc0, 0x00]), 0x82],
    ['send more than our buffer', Uint8Array.from([0x30, 0xff, 0xff, 0x03]), 0x95],
    ['use an alias we did not offer', message5({ topicAlias: 1 }), 0x94],
  ]
  for (const [name, packet, reason] of cases) {
    it(`${name}: DISCONNECT with 0x${reason.toString(16)}`, () => {
      const desk = new Desk()
      desk.connect()
      desk.client.publish('t', 'kept', { qos: 1 })
      desk.sent()
      if (packet instanceof Uint8Array) desk.transport.deliver(packet)
      else desk.reply(packet)
      const disconnect = desk.sentOne()
      assert.equal(disconnect.cmd, 'disconnect')
      assert.equal(disconnect.reasonCode, reason)
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.client.stats.queued, 1)
      assert.equal(desk.of('client.disconnected')[0]!.reasonCode, reason)
    })
  }

  it('more QoS 2 messages at a time than Receive Maximum: 0x93', () => {
    const desk = new Desk({ receiveMaximum: 2 })
    assert.equal(desk.connect().properties!.receiveMaximum, 2)
    desk.reply(message(2, 1, 'a'), message(2, 2, 'b'))
    desk.sent()
    desk.reply(message(2, 3, 'c'))
    assert.equal(desk.sentOne().reasonCode, 0x93)
  })

  it('messages held from an earlier connection take nothing of its Receive Maximum', () => {
    const desk = new Desk({ receiveMaximum: 2, ...kept })
    desk.connect()
    desk.reply(message(2, 1, 'a'), message(2, 2, 'b'))
    desk.reconnect({ sessionPresent: true })
    desk.sent()
    desk.reply(message(2, 3, 'c'), { cmd: 'pubrel', messageId: 1 }, message(2, 4, 'd'))
    assert.deepEqual(words(desk.sent()), ['pubrec 3', 'pubcomp 1', 'pubrec 4'])
    desk.reply(message(2, 5, 'e'))
    assert.equal(desk.sentOne().reasonCode, 0x93)
  })

  it('a DISCONNECT of the broker ends the connection with its reason', () => {
    const desk = new Desk()
    desk.connect()
    desk.reply({ cmd: 'disconnect', reasonCode: 0x8b })
    assert.equal(desk.of('client.disconnected')[0]!.reasonCode, 0x8b)
    assert.equal(desk.client.isConnected, false)
  })
})

function message5(properties: Record<string, any>): Record<string, any> {
  return { ...message(1, 1, 'x'), properties }
}
