/** What a broken or hostile broker may do, state by state, and what the client does about it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_ARGUMENT, ERR_FULL } from '../../src/index.js'
import { connackPacket, Desk, parse, words } from './desk.js'
import { kept, message, textsOf, VERSIONS } from './failures-rig.js'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/ /g, ''), 'hex'))

/** Bytes, and the Reason Code MQTT 5 names; `greeting` is for bytes that come before CONNACK. */
const FORBIDDEN: [name: string, version: number, bytes: string, reason: number][] = [
  ['packet type 0', 0, '00 00', 0x81],
  ['CONNECT', 0, '10 0c 00 04 4d 51 54 54 04 02 00 00 00 00', 0x82],
  ['SUBSCRIBE', 0, '82 06 00 01 00 01 61 00', 0x82],
  ['UNSUBSCRIBE', 0, 'a2 05 00 01 00 01 61', 0x82],
  ['PINGREQ', 0, 'c0 00', 0x82],
  ['QoS 3', 0, '36 06 00 01 61 00 01 00', 0x81],
  ['DUP with QoS 0', 0, '38 05 00 01 61 00 00', 0x81],
  ['Packet Identifier 0', 0, '40 02 00 00', 0x82],
  ['wrong header flags', 0, '41 02 00 01', 0x81],
  ['PUBREL without its flags', 0, '60 02 00 01', 0x81],
  ['a length of five bytes', 0, 'd0 80 80 80 80 01', 0x81],
  ['a packet larger than we allow', 0, '30 ff ff 03', 0x95],
  ['a topic with a wildcard', 0, '30 05 00 01 2b 00 00', 0x81],
  ['a topic that is no UTF-8', 0, '30 05 00 01 ff 00 00', 0x81],
  ['SUBACK nobody waits for', 4, '90 03 00 01 00', 0x82],
  ['SUBACK nobody waits for', 5, '90 04 00 01 00 00', 0x82],
  ['UNSUBACK nobody waits for', 4, 'b0 02 00 01', 0x82],
  ['UNSUBACK nobody waits for', 5, 'b0 04 00 01 00 00', 0x82],
  ['a Topic Alias we did not offer', 5, '30 07 00 01 61 03 23 00 01', 0x94],
  ['a Topic Alias of 0', 5, '30 07 00 01 61 03 23 00 00', 0x94],
  ['a Reason Code that is none', 5, '40 03 00 01 55', 0x82],
  ['a property twice', 5, '40 0a 00 01 00 06 1f 00 00 1f 00 00', 0x82],
  ['AUTH without a method of ours', 5, 'f0 02 18 00', 0x82],
  ['DISCONNECT in 3.1.1', 4, 'e0 00', 0x82],
]

function greeting(options: object): Desk {
  const desk = new Desk(options)
  desk.client.start()
  desk.poll()
  desk.transport.accept()
  desk.sentOne()
  return desk
}

for (const protocol of VERSIONS) {
  const cases = FORBIDDEN.filter(([, version]) => version === 0 || version === protocol)

  describe(`a hostile broker, protocol ${protocol}`, () => {
    for (const [name, , bytes, reason] of cases) {
      it(`${name} ends the connection at once, with the reason, and loses nothing`, () => {
        for (const when of ['greeting', 'connected', 'in flight', 'leaving'] as const) {
          const desk = when === 'greeting' ? greeting({ protocol, ...kept }) : null
          const client = desk ?? new Desk({ protocol, ...kept })
          if (!desk) client.connect()
          const tickets = [client.client.publish('t', 'kept', { qos: 1 })]
          if (when === 'in flight') {
            tickets.push(client.client.publish('t', 'too', { qos: 2 }))
            client.reply({ cmd: 'pubrec', messageId: client.sent()[1]!.messageId })
            client.sent()
          }
          if (when === 'leaving') {
            client.transport.room = 0
            client.client.stop()
            client.poll()
          }
          client.transport.deliver(hex(bytes))
          client.poll()
          client.transport.room = Infinity
          client.transport.giveRoom(0)
          client.poll()
          assert.equal(client.transport.state, 0, when)
          assert.equal(client.client.stats.queued, tickets.length, when)
          assert.equal(client.of('message.dropped').length, 0)
          if (protocol === 4 || when === 'leaving') continue
          const last = client.sent().at(-1)
          assert.equal(last?.cmd, 'disconnect', when)
          if (when !== 'greeting' || reason === 0x81 || reason === 0x95) {
            assert.equal(last.reasonCode, reason, when)
          }
        }
      })
    }

    it('anything but CONNACK first is a protocol error', () => {
      const disconnect = { cmd: 'disconnect', reasonCode: 0x89 }
      const early = protocol === 5 ? [disconnect] : []
      for (const packet of [message(1, 1, 'x'), { cmd: 'pubrel', messageId: 1 }, ...early]) {
        const desk = greeting({ protocol, ...kept })
        desk.reply(packet)
        assert.equal(desk.transport.state, 0)
        assert.equal(desk.received.length, 0)
      }
    })

    it('Session Present 1 after a clean start is not believed', () => {
      const desk = new Desk({ protocol, cleanStart: true, sessionExpirySeconds: 600 })
      desk.connect()
      desk.client.publish('t', 'x', { qos: 1 })
      desk.sent()
      assert.equal(desk.reconnect({ sessionPresent: true }).clean, true)
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.client.stats.queued, 1)
    })

    it('a refused CONNACK is not answered with DISCONNECT, and the queue waits', () => {
      const desk = greeting({ protocol, ...kept })
      desk.client.publish('t', 'x', { qos: 1 })
      desk.reply(connackPacket(protocol, { reasonCode: protocol === 5 ? 0x88 : 3 }))
      assert.deepEqual(desk.sent(), [])
      assert.equal(desk.transport.state, 0)
      assert.equal(desk.client.stats.queued, 1)
      assert.deepEqual(textsOf(desk.sent()), [])
    })

    it('a flood is read in bounded steps', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      for (let n = 0; n < 5000; n++) desk.transport.deliver(hex('d0 00'))
      let polls = 0
      while (desk.client.poll(desk.system.now()) === 0) polls++
      assert.ok(polls > 30 && polls < 500, `${polls} polls`)
    })

    it('a broker that accepts and closes for ever is not asked in a spin', () => {
      const desk = new Desk({ protocol })
      desk.client.start()
      let attempts = 0
      for (; desk.system.now() < 600000; attempts++) {
        for (desk.poll(); desk.transport.state !== 1; desk.poll()) desk.system.advance(desk.waitMs)
        desk.transport.accept()
        desk.poll()
        desk.transport.drop('no')
        desk.poll()
        desk.system.advance(desk.waitMs)
      }
      assert.ok(attempts < 60, `${attempts} attempts in ten minutes`)
    })

    it('a broker that stops reading is noticed, with QoS 0 alone too', () => {
      const desk = new Desk({ protocol, keepAliveMs: 20000, pingTimeoutMs: 3000 })
      desk.connect()
      desk.transport.room = 0
      while (desk.client.publish('t', 'x'.repeat(50)) === 0);
      while (desk.client.publish('t', '') === 0);
      for (let n = 0; n < 60; n++) desk.after(1000)
      assert.equal(desk.client.isConnected, false)
    })

    it('more QoS 2 messages than Receive Maximum end the connection only in MQTT 5', () => {
      const desk = new Desk({ protocol, ...kept, receiveMaximum: 2 })
      desk.connect()
      for (let n = 1; n <= 20; n++) {
        if (desk.client.isConnected) desk.reply(message(2, n, `${n}`))
      }
      // In 3.1.1 nothing tells the broker of such a limit: 20 at a time is what Mosquitto sends.
      assert.equal(desk.client.isConnected, protocol === 4)
      assert.equal(desk.received.length, protocol === 4 ? 20 : 2)
    })

    it('bytes of a packet half sent are never followed by those of another', () => {
      for (const end of ['stop', 'protocol error']) {
        for (let left = 0; left < 8; left++) {
          const desk = new Desk({ protocol, ...kept, sendBufferSize: 200 })
          desk.connect()
          desk.transport.takeSent()
          const payload = 'p'.repeat(60)
          desk.client.publish('t', payload, { qos: 1 })
          const size = (protocol === 5 ? 8 : 7) + payload.length
          desk.transport.room = size - left
          desk.poll()
          // The buffer is full behind the rest of the packet.
          for (let n = 100; n >= 0; n--) {
            while (desk.client.publish('t', 'q'.repeat(n)) === 0);
          }
          if (end === 'stop') desk.client.stop()
          else desk.transport.deliver(hex('00 00'))
          desk.transport.room = Infinity
          desk.poll()
          const sent = desk.transport.sent
          const at = Buffer.from(sent).indexOf('p'.repeat(10))
          const arrived = sent.subarray(at, at + payload.length)
          if (arrived.length < payload.length) continue // cut off: the broker drops it
          assert.equal(Buffer.from(arrived).toString('latin1'), payload, `${end}, ${left} left`)
        }
      }
    })

    it('a handler that publishes QoS 0 without end leaves room for the acknowledgement', () => {
      const desk = new Desk({ protocol, sendBufferSize: 256 })
      desk.connect()
      desk.client.on('message.received', () => {
        for (let n = 100; n >= 0; n--) {
          while (desk.client.publish('t', 'x'.repeat(n)) === 0);
        }
        assert.equal(desk.client.publish('t', 'x'), ERR_FULL)
      })
      desk.reply(message(1, 7, 'go'))
      assert.ok(desk.client.isConnected)
      assert.ok(words(desk.sent()).includes('puback 7'))
    })

    it('a filter asked for again before its SUBACK does not end the connection', () => {
      const desk = new Desk({ protocol })
      desk.client.subscribe('x')
      desk.connect()
      const first = desk.sentOne()
      desk.client.subscribe('x', { qos: 1 })
      desk.reply({ cmd: 'suback', messageId: first.messageId, granted: [0] })
      assert.ok(desk.client.isConnected)
      const second = desk.sentOne()
      assert.equal(second.subscriptions![0].qos, 1)
      desk.reply({ cmd: 'suback', messageId: second.messageId, granted: [1] })
      assert.equal(desk.of('session.subscribed').at(-1)!.reasonCode, 1)
    })

    it('a filter given up and wanted again in one breath does not end the connection', () => {
      const desk = new Desk({ protocol })
      desk.client.subscribe('x')
      desk.connect()
      desk.reply({ cmd: 'suback', messageId: desk.sentOne().messageId, granted: [0] })
      desk.client.unsubscribe('x')
      const { messageId } = desk.sentOne()
      desk.client.subscribe('x')
      desk.reply({ cmd: 'unsuback', messageId, granted: [0] })
      assert.ok(desk.client.isConnected)
      assert.equal(desk.sentOne().cmd, 'subscribe', 'what is wanted now is asked for')
    })

    it('stats.queued counts what is not complete, also behind an older open message', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      for (const text of ['a', 'b', 'c']) desk.client.publish('t', text, { qos: 1 })
      desk.reply({ cmd: 'puback', messageId: desk.sent()[1]!.messageId })
      assert.equal(desk.client.stats.queued, 2)
    })
  })
}

it('an alias given as a property of a message is refused: aliases belong to a connection', () => {
  const desk = new Desk()
  const properties = { topicAlias: 3 }
  assert.equal(desk.client.publish('t', 'x', { qos: 1, properties }), ERR_ARGUMENT)
  assert.throws(() => desk.client.publisher('t', { properties }))
})

it('a PUBREC with an error is not followed by PUBREL, with a session to keep as well', () => {
  const desk = new Desk({ ...kept })
  desk.connect()
  desk.client.publish('t', '1', { qos: 2 })
  desk.reply({ cmd: 'pubrec', messageId: desk.sentOne().messageId, reasonCode: 0x97 })
  assert.deepEqual(desk.sent(), [])
  desk.reconnect({ sessionPresent: true })
  assert.deepEqual(desk.sent(), [])
})

it('Maximum Packet Size holds for SUBSCRIBE too', () => {
  const desk = new Desk()
  for (let n = 0; n < 6; n++) desk.client.subscribe('a/rather/long/filter/' + n)
  desk.connect({ properties: { maximumPacketSize: 64 } })
  for (let n = 0; n < 6; n++) {
    const bytes = desk.transport.takeSent()
    if (bytes.length === 0) break
    assert.ok(bytes.length <= 64, `SUBSCRIBE of ${bytes.length} bytes`)
    const { messageId, subscriptions } = parse(bytes, 5)[0]!
    desk.reply({ cmd: 'suback', messageId, granted: subscriptions!.map(() => 0) })
  }
  assert.equal(desk.of('session.subscribed').length, 6)
})
