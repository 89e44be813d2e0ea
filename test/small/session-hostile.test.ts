/** What a broken or hostile broker may do, and what the small client does about it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_CLOSED, ERR_FULL, ERR_TOO_LARGE } from '../../src/small/index.js'
import { bytesOf, connackPacket } from '../session/desk.js'
import { board, boot, hex, kept, message, SmallDesk, textsOf, words } from './small-desk.js'

/** Bytes, and the Reason Code that the event names. */
const FORBIDDEN: [name: string, bytes: string, reason: number][] = [
  ['packet type 0', '00 00', 0x81],
  ['packet type 15', 'f0 00', 0x81],
  ['CONNECT', '10 0c 00 04 4d 51 54 54 04 02 00 00 00 00', 0x81],
  ['SUBSCRIBE', '82 06 00 01 00 01 61 00', 0x81],
  ['UNSUBSCRIBE', 'a2 05 00 01 00 01 61', 0x81],
  ['PINGREQ', 'c0 00', 0x81],
  ['DISCONNECT', 'e0 00', 0x81],
  ['QoS 3', '36 06 00 01 61 00 01 00', 0x81],
  ['DUP with QoS 0', '38 05 00 01 61 00 00', 0x81],
  ['a PUBLISH with identifier 0', '32 05 00 01 61 00 00', 0x81],
  ['a PUBLISH without topic', '30 02 00 00', 0x81],
  ['a PUBLISH without all of its topic', '30 04 00 09 61 62', 0x81],
  ['a PUBLISH without all of its identifier', '32 04 00 01 61 00', 0x81],
  ['an empty PUBLISH', '30 00', 0x81],
  ['PUBACK with identifier 0', '40 02 00 00', 0x81],
  ['PUBREC with identifier 0', '50 02 00 00', 0x81],
  ['PUBREL with identifier 0', '62 02 00 00', 0x81],
  ['PUBCOMP with identifier 0', '70 02 00 00', 0x81],
  ['PUBACK with wrong flags', '41 02 00 01', 0x81],
  ['PUBREL without its flags', '60 02 00 01', 0x81],
  ['SUBACK with wrong flags', '91 03 80 01 00', 0x81],
  ['PINGRESP with wrong flags', 'd1 00', 0x81],
  ['PUBACK with a byte more', '40 03 00 01 00', 0x81],
  ['PUBACK with a byte less', '40 01 00', 0x81],
  ['PINGRESP with a byte', 'd0 01 00', 0x81],
  ['a length of five bytes', 'd0 80 80 80 80 01', 0x81],
  ['a topic with a wildcard', '30 05 00 01 2b 00 00', 0x81],
  ['a topic that is no UTF-8', '30 05 00 01 ff 00 00', 0x81],
  ['a topic with U+0000', '30 05 00 01 00 00 00', 0x81],
  ['SUBACK nobody waits for', '90 03 80 01 00', 0x82],
  ['UNSUBACK nobody waits for', 'b0 02 80 01', 0x82],
  ['CONNACK again', '20 02 00 00', 0x82],
]

/** CONNACKs that are none. */
const BAD_CONNACKS: [name: string, bytes: string][] = [
  ['reserved flags', '20 02 02 00'],
  ['wrong header flags', '21 02 00 00'],
  ['a byte more', '20 03 00 00 00'],
  ['a byte less', '20 01 00'],
]

describe('a hostile broker and the small client', () => {
  for (const [name, bytes, reason] of FORBIDDEN) {
    it(`${name} ends the connection at once, with the reason, and loses nothing`, () => {
      for (const when of ['connected', 'in flight', 'one at a time', 'leaving']) {
        const desk = new SmallDesk(kept)
        desk.connect()
        desk.publish(1)
        if (when === 'in flight') {
          desk.publish(2)
          desk.reply({ cmd: 'pubrec', messageId: desk.sent()[1]!.messageId })
          desk.sent()
        }
        const { queued } = desk.client.stats
        if (when === 'one at a time') desk.transport.readLimit = 1
        if (when === 'leaving') {
          desk.transport.room = 0
          desk.client.stop()
        }
        desk.replyBytes(hex(bytes))
        desk.transport.giveRoom(Infinity)
        desk.poll()
        assert.equal(desk.transport.state, 0, when)
        assert.equal(desk.client.stats.queued, queued, when)
        assert.equal(desk.of('message.dropped').length, 0)
        assert.equal(desk.received.length, 0)
        if (when === 'leaving') continue
        const { status, reasonCode } = desk.of('client.disconnected')[0]!
        assert.deepEqual([status, reasonCode], [-reason, reason], when)
      }
    })
  }

  for (const [name, bytes] of BAD_CONNACKS) {
    it(`CONNACK with ${name} is not taken`, () => {
      const desk = new SmallDesk(kept)
      desk.greet()
      desk.replyBytes(hex(bytes))
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.of('client.disconnected')[0]!.status, -0x81)
      assert.equal(desk.of('session.lost').length, 0)
    })
  }

  it('a packet cut off anywhere waits for its rest, and harms nobody when it does not come', () => {
    const packets = [
      connackPacket(4, { sessionPresent: false }),
      ...[0, 1, 2].map((qos) => message(qos, 5, 'text')),
      ...['puback', 'pubrec', 'pubrel', 'pubcomp', 'unsuback'].map((cmd) => ({
        cmd,
        messageId: 5,
      })),
      { cmd: 'suback', messageId: 5, granted: [0] },
      { cmd: 'pingresp' },
    ]
    for (const packet of packets) {
      const bytes = bytesOf(packet, 4)
      for (let size = 1; size < bytes.length; size++) {
        const desk = new SmallDesk(kept)
        if (packet.cmd === 'connack') desk.greet()
        else desk.connect()
        desk.publish(1)
        desk.replyBytes(bytes.subarray(0, size))
        assert.equal(desk.transport.state, 2, packet.cmd)
        assert.equal(desk.received.length, 0)
        desk.reconnect({ sessionPresent: packet.cmd !== 'connack' })
        assert.ok(desk.client.isConnected)
        assert.deepEqual(textsOf(desk.sent()), ['x'])
      }
    }
  })

  it('anything but CONNACK first is a protocol error', () => {
    for (const packet of [
      message(1, 1, 'x'),
      { cmd: 'pubrel', messageId: 1 },
      { cmd: 'pingresp' },
    ]) {
      const desk = new SmallDesk(kept)
      desk.greet()
      desk.reply(packet)
      assert.equal(desk.transport.state, 0)
      assert.equal(desk.received.length, 0)
    }
  })

  it('an answer of the wrong kind is a protocol error, one to nothing changes nothing', () => {
    for (const [qos, cmd] of [
      [1, 'pubrec'],
      [1, 'pubcomp'],
      [2, 'puback'],
      [2, 'pubcomp'],
    ] as const) {
      const desk = new SmallDesk(kept)
      desk.connect()
      desk.publish(qos)
      desk.reply({ cmd, messageId: desk.sentOne().messageId })
      assert.equal(desk.transport.state, 0, `${cmd} to QoS ${qos}`)
      assert.equal(desk.client.stats.queued, 1)
    }
    const desk = new SmallDesk(kept)
    desk.connect()
    desk.publish(1)
    const { messageId } = desk.sentOne()
    for (const stray of [messageId! + 1, messageId! + 64, 4096, 4097, 0x7fff, 0x8000, 0xffff]) {
      desk.reply({ cmd: 'puback', messageId: stray }, { cmd: 'pubcomp', messageId: stray })
    }
    assert.ok(desk.client.isConnected)
    assert.equal(desk.client.stats.inFlight, 1)
    assert.equal(desk.of('message.acked').length, 0)
  })

  it('a message larger than the receive buffer is told and acknowledged, the next is whole', () => {
    for (const qos of [0, 1, 2]) {
      for (const readLimit of [1, 37, Infinity]) {
        const desk = boot(board(), { receiveBufferSize: 64 })
        desk.connect()
        desk.transport.readLimit = readLimit
        desk.reply(message(qos, 5, 'L'.repeat(3000)), message(1, 6, 'small'))
        const dropped = desk.of('message.dropped')
        assert.deepEqual(
          dropped.map(({ ticket, status, text }) => [ticket, status, text]),
          [[0, ERR_TOO_LARGE, 'in/1']],
        )
        const answer = [[], ['puback 5'], ['pubrec 5']][qos]!
        assert.deepEqual(words(desk.sent()), [...answer, 'puback 6'])
        assert.deepEqual(
          desk.received.map(({ text }) => text),
          ['small'],
        )
        if (qos < 2) continue
        desk.reply(message(2, 5, 'L'.repeat(3000), true), { cmd: 'pubrel', messageId: 5 })
        assert.deepEqual(words(desk.sent()), ['pubrec 5', 'pubcomp 5'])
        assert.equal(desk.of('message.dropped').length, 1, 'a repeat is told once')
      }
    }
  })

  it('a message that exactly fits the receive buffer is whole, one byte more is not', () => {
    const fits = 64 - 2 - 2 - 'in/1'.length - 2
    const desk = new SmallDesk({ receiveBufferSize: 64 })
    desk.connect()
    desk.reply(message(1, 5, 'f'.repeat(fits)), message(1, 6, 'f'.repeat(fits + 1)))
    assert.deepEqual(
      desk.received.map(({ text }) => text.length),
      [fits],
    )
    assert.equal(desk.of('message.dropped').length, 1)
    assert.deepEqual(words(desk.sent()), ['puback 5', 'puback 6'])
  })

  it('a topic larger than the receive buffer ends the connection', () => {
    const desk = new SmallDesk({ ...kept, receiveBufferSize: 64 })
    desk.connect()
    desk.reply({ ...message(1, 5, 'x'), topic: 't'.repeat(70) })
    assert.equal(desk.of('client.disconnected')[0]!.status, ERR_TOO_LARGE)
  })

  it('the largest Remaining Length is passed over, and nothing grows', () => {
    const desk = new SmallDesk({ receiveBufferSize: 64 })
    desk.connect()
    desk.transport.deliver(hex('30 ff ff ff 7f 00 01 61'))
    const rubbish = new Uint8Array(4096)
    for (let n = 0; n < 50; n++) desk.replyBytes(rubbish)
    assert.ok(desk.client.isConnected)
    assert.equal(desk.client['session'].wire.rx.length, 64)
    assert.equal(desk.of('message.dropped').length, 1)
    assert.equal(desk.received.length, 0)
  })

  it('more than 64 messages of QoS 2 at once: the rest has no answer until it comes again', () => {
    const desk = boot(board(), { receiveBufferSize: 64 })
    desk.connect()
    for (let id = 1; id <= 70; id++) desk.reply(message(2, id, `${id}`))
    assert.equal(desk.received.length, 64)
    assert.equal(desk.sent().length, 64)
    assert.ok(desk.client.isConnected)
    for (let id = 1; id <= 64; id++) desk.reply({ cmd: 'pubrel', messageId: id })
    desk.sent()
    desk.reconnect()
    for (let id = 65; id <= 70; id++) desk.reply(message(2, id, `${id}`, true))
    assert.equal(desk.received.length, 70)
    assert.equal(desk.sent().length, 6)
  })

  it('a large message that finds no room for its identifier has no answer of another', () => {
    const desk = new SmallDesk({ ...kept, receiveBufferSize: 64 })
    desk.connect()
    desk.reply(message(1, 100, 'L'.repeat(500)))
    for (let id = 1; id <= 64; id++) desk.reply(message(2, id, `${id}`))
    desk.sent()
    desk.reply(message(2, 65, 'L'.repeat(500)))
    assert.deepEqual(words(desk.sent()), [])
    assert.equal(desk.of('message.dropped').length, 1)
  })

  it('a PUBACK larger than the receive buffer ends the connection', () => {
    const desk = new SmallDesk({ ...kept, receiveBufferSize: 64 })
    desk.connect()
    desk.replyBytes(hex('40 ff ff ff 7f'))
    desk.replyBytes(new Uint8Array(64))
    assert.equal(desk.of('client.disconnected')[0]!.status, -0x81)
  })

  it('a flood is read in bounded steps', () => {
    const desk = new SmallDesk()
    desk.connect()
    for (let n = 0; n < 5000; n++) desk.transport.deliver(hex('d0 00'))
    let polls = 0
    while (desk.client.poll(desk.system.now()) === 0) polls++
    assert.ok(polls > 30 && polls < 500, `${polls} polls`)
  })

  it('a broker that repeats PUBREC for ever writes no flash', () => {
    const flash = board()
    const desk = boot(flash)
    desk.connect()
    desk.publish(2)
    const { messageId } = desk.sentOne()
    desk.reply({ cmd: 'pubrec', messageId })
    const { writes } = flash.counters
    for (let n = 0; n < 100; n++) desk.reply({ cmd: 'pubrec', messageId })
    assert.equal(flash.counters.writes, writes)
    assert.deepEqual(words(desk.sent()), Array(101).fill(`pubrel ${messageId}`))
  })

  it('a broker that stops reading is noticed, with QoS 0 alone too', () => {
    const desk = new SmallDesk({ keepAliveMs: 20000, pingTimeoutMs: 3000 })
    desk.connect()
    desk.transport.room = 0
    while (desk.client.publish('t', 'x'.repeat(50)) === 0);
    while (desk.client.publish('t', '') === 0);
    for (let n = 0; n < 60; n++) desk.after(1000)
    assert.equal(desk.client.isConnected, false)
  })

  it('a full send buffer still has room for each answer, and for DISCONNECT behind it', () => {
    for (let more = 0; more < 12; more++) {
      const desk = new SmallDesk({ ...kept, sendBufferSize: 128 + more })
      desk.connect()
      desk.transport.room = 0
      while (desk.client.publish('t', 'x'.repeat(20)) === 0);
      for (let id = 1; id < 9; id++) desk.reply(message(1, id, 'm'))
      desk.client.stop()
      desk.poll()
      desk.transport.giveRoom(Infinity)
      const packets = words(desk.sent())
      const answered = packets.filter((word) => word.startsWith('puback')).length
      assert.equal(packets.at(-1), 'disconnect', `${more} bytes more`)
      assert.equal(answered, desk.received.length, 'what was handed over has its answer')
      assert.ok(answered > 0)
      assert.ok(desk.client.isStopped)
    }
  })

  it('bytes of a packet half sent are never followed by those of another', () => {
    for (const end of ['stop', 'protocol error']) {
      for (let left = 0; left < 8; left++) {
        const desk = new SmallDesk({ ...kept, sendBufferSize: 200 })
        desk.connect()
        desk.transport.takeSent()
        const payload = 'p'.repeat(60)
        desk.publish(1, payload)
        desk.transport.room = 7 + payload.length - left
        desk.poll()
        for (let n = 100; n >= 0; n--) while (desk.client.publish('t', 'q'.repeat(n)) === 0);
        assert.equal(desk.client.publish('t', ''), ERR_FULL)
        if (end === 'stop') desk.client.stop()
        else desk.transport.deliver(hex('00 00'))
        desk.transport.giveRoom(Infinity)
        desk.poll()
        const sent = [...desk.transport.takeSent()]
        const [first] = sent.splice(0, 7)
        assert.equal(first, 0x32)
        const arrived = sent.slice(0, payload.length)
        if (arrived.length < payload.length) continue // cut off: the broker drops it
        assert.ok(
          arrived.every((byte) => byte === 0x70),
          `${end}, ${left} left`,
        )
      }
    }
  })

  it('a broker that accepts and closes for ever is not asked in a spin', () => {
    const desk = new SmallDesk()
    let attempts = 0
    for (; desk.system.now() < 600000; attempts++) {
      desk.greet()
      desk.transport.drop('no')
      desk.poll()
    }
    assert.ok(attempts < 60, `${attempts} attempts in ten minutes`)
    assert.equal(desk.of('client.disconnected').at(-1)!.status, ERR_CLOSED)
  })
})
