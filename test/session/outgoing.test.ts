import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_ARGUMENT, ERR_FULL, ERR_NOT_AVAILABLE, ERR_OFFLINE } from '../../src/index.js'
import { ERR_EXPIRED, ERR_REFUSED, ERR_TOO_LARGE, ERR_TOPIC } from '../../src/index.js'
import { ManualSystem } from '../../hal/memory/index.js'
import { Desk, words } from './desk.js'

const BOTH = [4, 5]

for (const protocol of BOTH) {
  describe(`outgoing messages, protocol ${protocol}`, () => {
    it('a QoS 0 message leaves at once and has no identifier', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      assert.equal(desk.client.publish('a/b', 'hello'), 0)
      const publish = desk.sentOne()
      assert.equal(publish.topic, 'a/b')
      assert.equal(String(publish.payload), 'hello')
      assert.equal(publish.qos, 0)
      assert.equal(publish.messageId, undefined)
    })

    it('a QoS 0 message without a connection is refused, unless it may wait', () => {
      assert.equal(new Desk({ protocol }).client.publish('a', 'x'), ERR_OFFLINE)
      const desk = new Desk({ protocol, queueQos0: true })
      assert.ok(desk.client.publish('a', 'x') > 0)
      desk.connect()
      assert.equal(desk.sentOne().qos, 0)
      assert.equal(desk.client.stats.queued, 0)
    })

    it('a QoS 1 message is complete with its PUBACK and settles once', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      const ticket = desk.client.publish('a', 'x', { qos: 1, retain: true })
      assert.ok(ticket > 0)
      const publish = desk.sentOne()
      assert.equal(publish.qos, 1)
      assert.equal(publish.retain, true)
      assert.equal(publish.dup, false)
      desk.reply({ cmd: 'puback', messageId: publish.messageId })
      desk.reply({ cmd: 'puback', messageId: publish.messageId })
      assert.deepEqual(
        desk.of('message.acked').map((event) => event.ticket),
        [ticket],
      )
      assert.equal(desk.client.stats.queued, 0)
    })

    it('a QoS 2 message goes PUBLISH, PUBREC, PUBREL, PUBCOMP', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      const ticket = desk.client.publish('a', 'x', { qos: 2 })
      const messageId = desk.sentOne().messageId
      desk.reply({ cmd: 'pubrec', messageId })
      assert.deepEqual(words(desk.sent()), [`pubrel ${messageId}`])
      assert.equal(desk.of('message.acked').length, 0)
      desk.reply({ cmd: 'pubcomp', messageId })
      assert.equal(desk.of('message.acked')[0]!.ticket, ticket)
      assert.equal(desk.client.stats.queued, 0)
    })

    it('messages published before the first connection follow it in order', () => {
      const desk = new Desk({ protocol })
      for (let n = 0; n < 10; n++) assert.ok(desk.client.publish('t/' + n, 'x', { qos: 1 }) > 0)
      desk.connect()
      assert.deepEqual(
        desk.sent().map((packet) => packet.topic),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => 't/' + n),
      )
    })

    it('no more than inFlightLimit messages wait for their answer', () => {
      const desk = new Desk({ protocol, inFlightLimit: 3 })
      desk.connect()
      for (let n = 0; n < 10; n++) desk.client.publish('t', 'x', { qos: 1 })
      const ids: number[] = []
      for (let n = 0; n < 10; n++) {
        ids.push(...desk.sent().map((packet) => packet.messageId!))
        assert.ok(ids.length - n <= 3)
        desk.reply({ cmd: 'puback', messageId: ids[n]! })
      }
      assert.equal(ids.length, 10)
      assert.equal(desk.client.stats.queued, 0)
    })

    it('a PUBACK for an unknown packet identifier changes nothing', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.client.publish('a', 'x', { qos: 1 })
      desk.sent()
      desk.reply({ cmd: 'puback', messageId: 4711 })
      assert.equal(desk.client.stats.inFlight, 1)
      assert.ok(desk.client.isConnected)
    })

    it('a PUBACK that answers QoS 2 ends the connection', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.client.publish('a', 'x', { qos: 2 })
      const messageId = desk.sentOne().messageId
      desk.reply({ cmd: 'puback', messageId })
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.client.stats.queued, 1)
    })

    it('a payload written through a small send window arrives whole', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.transport.room = 0
      const payload = 'p'.repeat(700)
      for (let n = 0; n < 4; n++) desk.client.publish('t', payload, { qos: 1 })
      desk.poll()
      for (let n = 0; n < 500; n++) {
        desk.transport.giveRoom(7)
        desk.poll()
      }
      desk.transport.room = Infinity
      const packets = desk.sent()
      assert.equal(packets.length, 4)
      for (const packet of packets) assert.equal(String(packet.payload), payload)
    })

    it('a prepared publisher sends the range of bytes it is given', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      const publisher = desk.client.publisher('s/1', { qos: 1 })
      assert.ok(publisher.publish(Uint8Array.from([1, 2, 3, 4]), 1, 2) > 0)
      assert.deepEqual([...(desk.sentOne().payload as Buffer)], [2, 3])
      assert.equal(publisher.publish(new Uint8Array(4), 2, 3), ERR_ARGUMENT)
    })

    it('refuses bad topics, bad options and payloads above the limit, by number', () => {
      const desk = new Desk({ protocol })
      assert.equal(desk.client.publish('a/+', 'x', { qos: 1 }), ERR_TOPIC)
      assert.equal(desk.client.publish('a/#', 'x', { qos: 1 }), ERR_TOPIC)
      assert.equal(desk.client.publish('', 'x', { qos: 1 }), ERR_TOPIC)
      assert.equal(desk.client.publish('a\u0000b', 'x', { qos: 1 }), ERR_TOPIC)
      assert.equal(desk.client.publish('a\ud800', 'x', { qos: 1 }), ERR_TOPIC)
      assert.equal(desk.client.publish('a', 'x', { qos: 3 }), ERR_ARGUMENT)
      assert.equal(desk.client.publish('a', 'x'.repeat(5000), { qos: 1 }), ERR_TOO_LARGE)
      assert.equal(desk.client.stats.queued, 0)
    })

    it('a full queue refuses, keeps what it has, and takes more when it has room', () => {
      const desk = new Desk({ protocol, queueSize: 1024 })
      let count = 0
      while (desk.client.publish('t', 'x'.repeat(50), { qos: 1 }) > 0) count++
      assert.ok(count > 5)
      assert.equal(desk.client.publish('t', 'x'.repeat(50), { qos: 1 }), ERR_FULL)
      desk.connect()
      const packets = desk.sent()
      desk.reply({ cmd: 'puback', messageId: packets[0]!.messageId! })
      assert.ok(desk.client.publish('t', 'x'.repeat(50), { qos: 1 }) > 0)
    })

    it('drop-oldest gives up the oldest, says which, and counts', () => {
      const desk = new Desk({ protocol, queueSize: 1024, overflow: 'drop-oldest' })
      const tickets: number[] = []
      for (let n = 0; n < 50; n++) {
        const ticket = desk.client.publish('t', String(n).padEnd(50), { qos: 1 })
        assert.ok(ticket > 0)
        tickets.push(ticket)
      }
      const dropped = desk.of('message.dropped').map((event) => event.ticket)
      assert.ok(dropped.length > 20)
      assert.deepEqual(dropped, tickets.slice(0, dropped.length))
      assert.equal(desk.client.stats.dropped.full, dropped.length)
      desk.connect()
      assert.equal(String(desk.sent()[0]!.payload).trim(), String(dropped.length))
    })
  })
}

it('stats tell the buffers that the options size, and the heap where the system can', () => {
  const desk = new Desk({ sendBufferSize: 500, receiveBufferSize: 300 })
  assert.equal(desk.client.stats.bufferBytes, 500 + 300 + 500)
  assert.equal(desk.client.stats.heapBytes, -1)
  const system = Object.assign(new ManualSystem(1), { heapBytes: () => 4711 })
  assert.equal(new Desk({}, system).client.stats.heapBytes, 4711)
})

describe('limits of an MQTT 5 broker', () => {
  it('Receive Maximum of the CONNACK holds back PUBLISH and nothing else', () => {
    const desk = new Desk()
    desk.connect({ properties: { receiveMaximum: 2 } })
    for (let n = 0; n < 4; n++) desk.client.publish('t', 'x', { qos: 2 })
    const first = desk.sent()
    assert.equal(first.length, 2)
    desk.client.subscribe('cmd')
    assert.deepEqual(
      desk.sent().map((packet) => packet.cmd),
      ['subscribe'],
    )
    desk.reply({ cmd: 'pubrec', messageId: first[0]!.messageId! })
    assert.deepEqual(words(desk.sent()), [`pubrel ${first[0]!.messageId}`])
    desk.reply({ cmd: 'pubcomp', messageId: first[0]!.messageId! })
    assert.equal(desk.sent().length, 1)
  })

  it('a PUBREC with an error ends the exchange and returns its place', () => {
    const desk = new Desk()
    desk.connect({ properties: { receiveMaximum: 1 } })
    const ticket = desk.client.publish('t', '1', { qos: 2 })
    desk.client.publish('t', '2', { qos: 2 })
    const first = desk.sentOne()
    desk.reply({ cmd: 'pubrec', messageId: first.messageId, reasonCode: 0x97 })
    const dropped = desk.of('message.dropped')
    assert.deepEqual(
      dropped.map((event) => [event.ticket, event.status, event.reasonCode]),
      [[ticket, ERR_REFUSED, 0x97]],
    )
    assert.equal(String(desk.sentOne().payload), '2')
  })

  it('what this broker can never take leaves the queue, and the next message follows', () => {
    const desk = new Desk()
    const large = desk.client.publish('t', 'x'.repeat(200), { qos: 1 })
    const second = desk.client.publish('t', 'x', { qos: 2 })
    const third = desk.client.publish('t', 'x', { qos: 1, retain: true })
    desk.client.publish('t', 'fits', { qos: 1 })
    desk.connect({ properties: { maximumPacketSize: 100, maximumQoS: 1, retainAvailable: false } })
    assert.equal(String(desk.sentOne().payload), 'fits')
    assert.deepEqual(
      desk.of('message.dropped').map((event) => [event.ticket, event.status]),
      [large, second, third].map((ticket) => [ticket, ERR_NOT_AVAILABLE]),
    )
    assert.equal(desk.client.stats.dropped.refused, 3)
  })

  it('Server Keep Alive replaces ours', () => {
    const desk = new Desk({ keepAliveMs: 600000 })
    desk.connect({ properties: { serverKeepAlive: 10 } })
    desk.sent()
    desk.after(7600)
    assert.deepEqual(words(desk.sent()), ['pingreq'])
  })

  it('the Message Expiry Interval is reduced by the time waited, and can run out', () => {
    const desk = new Desk()
    desk.system.wall = 1790000000
    const properties = { messageExpiryInterval: 60 }
    desk.client.publish('t', 'stays', { qos: 1, properties })
    const short = desk.client.publish('t', 'goes', {
      qos: 1,
      properties: { messageExpiryInterval: 5 },
    })
    desk.system.advance(20000)
    desk.connect()
    const publish = desk.sentOne()
    assert.equal(publish.properties!.messageExpiryInterval, 40)
    assert.deepEqual(
      desk.of('message.dropped').map((event) => [event.ticket, event.status]),
      [[short, ERR_EXPIRED]],
    )
  })

  it('properties of a message travel with it', () => {
    const desk = new Desk()
    desk.connect()
    const properties = {
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Uint8Array.from([1, 2]),
      userProperties: [['unit', 'C']],
    }
    desk.client.publish('t', 'x', { qos: 1, properties })
    const sent = desk.sentOne().properties!
    assert.equal(sent.contentType, 'text/plain')
    assert.equal(sent.responseTopic, 'answers')
    assert.deepEqual({ ...sent.userProperties }, { unit: 'C' })
  })
})
