/**
 * The exchanges of the small client: what is known to have failed elsewhere (F…), and what MQTT
 * 3.1.1 asks of a client, with and without a reboot in between.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem } from '../../hal/memory/index.js'
import { ERR_CORRUPT, ERR_FULL, ERR_TOO_LARGE, ERR_TOPIC } from '../../src/small/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { RETURNS, textsOf, words } from './small-desk.js'
import { board, boot, comeBack, kept, message, SmallDesk } from './small-desk.js'

const puback = (messageId: number | undefined) => ({ cmd: 'puback', messageId })
const pubrec = (messageId: number | undefined) => ({ cmd: 'pubrec', messageId })
const pubcomp = (messageId: number | undefined) => ({ cmd: 'pubcomp', messageId })
const present = (sessionPresent: boolean) => ({ sessionPresent })

describe('PUBLISH of the small client', () => {
  it('is what mqtt-packet reads: topic, payload, QoS, retain, and no DUP', () => {
    const desk = new SmallDesk({ sendBufferSize: 4096, ...inFlash() })
    desk.connect()
    for (const qos of [0, 1, 2]) {
      for (const retain of [false, true]) {
        for (const size of [0, 1, 100, 113, 114, 115, 116, 117, 118, 119, 120, 127, 128, 900]) {
          const payload = new Uint8Array(size).fill(qos + 65)
          const ticket = desk.client.publish('tö/pic', payload, { qos, retain })
          const packet = desk.sentOne()
          assert.deepEqual(
            [packet.topic, packet.qos, packet.retain, packet.dup, packet.messageId],
            ['tö/pic', qos, retain, false, qos > 0 ? 1 + ticket : undefined],
          )
          assert.deepEqual([...packet.payload], [...payload])
          if (qos === 1) desk.reply(puback(packet.messageId))
          if (qos < 2) continue
          desk.reply(pubrec(packet.messageId))
          desk.reply(pubcomp(desk.sentOne().messageId))
        }
      }
    }
    assert.equal(desk.client.stats.queued, 0)
  })

  it('refuses what can never be sent, and keeps nothing of it', () => {
    for (const desk of [new SmallDesk(kept), boot(board())]) {
      for (const topic of ['', 'a/#', '+', 'a\0', '\ud800', 'x'.repeat(65536)]) {
        assert.equal(desk.client.publish(topic, 'x', { qos: 1 }), ERR_TOPIC, topic.slice(0, 5))
      }
      assert.ok(desk.client.publish('t', '\ud800', { qos: 1 }) < 0)
      assert.equal(desk.publish(1, 'x'.repeat(2000)), ERR_TOO_LARGE)
      for (const qos of [3, -1, 0.5, '1' as any]) assert.ok(desk.publish(qos) < 0, String(qos))
      assert.equal(desk.client.stats.queued, 0)
      desk.connect()
      for (const topic of ['', 'a/#', 'a\0'])
        assert.equal(desk.client.publish(topic, ''), ERR_TOPIC)
      assert.deepEqual(desk.sent(), [])
    }
  })

  it('a zero width no-break space at the start of a topic is kept', () => {
    const desk = new SmallDesk(kept)
    desk.connect()
    desk.client.publish('\ufeffout', 'x')
    assert.equal(desk.sentOne().topic, '\ufeffout')
    desk.reply({ ...message(0, 0, 'x'), topic: '\ufeffin' })
    assert.equal(desk.received[0]!.topic, '\ufeffin')
  })

  it('no more than inFlightLimit leave, in order, and each answer lets one leave (F12)', () => {
    const desk = new SmallDesk({ ...kept, inFlightLimit: 2 })
    for (const text of ['a', 'b', 'c', 'd']) desk.publish(1, text)
    desk.connect()
    const [a, b] = desk.sent()
    assert.deepEqual(words([a!, b!]), ['publish 2', 'publish 3'])
    desk.reply(puback(b!.messageId))
    assert.deepEqual(textsOf(desk.sent()), ['c'])
    assert.deepEqual(textsOf((comeBack(desk), desk.sent())), ['a', 'c'])
    desk.reply(puback(a!.messageId))
    assert.deepEqual(textsOf(desk.sent()), ['d'])
  })

  it('PINGREQ, SUBSCRIBE and answers do not wait for a full window', () => {
    const desk = new SmallDesk({ ...kept, inFlightLimit: 1, keepAliveMs: 10000 })
    desk.connect()
    desk.publish(2)
    desk.publish(2)
    desk.sent()
    desk.client.subscribe('x')
    desk.after(7500)
    desk.reply(message(1, 9, 'in'))
    assert.deepEqual(words(desk.sent()), ['subscribe 32769', 'pingreq', 'puback 9'])
  })

  it('a window that one message holds up is passed over, and ends after 64 numbers', () => {
    const desk = new SmallDesk({ ...kept, ackTimeoutMs: 0, keepAliveMs: 0 })
    desk.connect()
    desk.publish(1, 'first')
    desk.sent()
    for (let n = 0; n < 63; n++) {
      assert.ok(desk.publish(1, `${n}`) > 0)
      desk.reply(puback(desk.sentOne().messageId))
    }
    assert.ok(desk.publish(1, 'beyond') > 0)
    assert.deepEqual(desk.sent(), [])
    desk.reply(puback(2))
    assert.deepEqual(textsOf(desk.sent()), ['beyond'])
  })
})

/** Storage for a test that publishes much. */
function inFlash() {
  const system = new ManualSystem(1)
  return { storage: new FlashOutbox(board(64 * 1024), system) }
}

for (const [how, back] of RETURNS) {
  describe(`a session that is resumed ${how}`, () => {
    it('PUBLISH comes again with DUP under its identifier, in order, before anything new', () => {
      const flash = board()
      const first = boot(flash)
      first.connect()
      for (const [qos, text] of [
        [1, 'a'],
        [2, 'b'],
        [1, 'c'],
      ] as const) {
        first.publish(qos, text)
      }
      const before = first.sent()
      const desk = back(first, flash)
      desk.publish(1, 'new')
      comeBack(desk, present(true))
      const after = desk.sent()
      assert.deepEqual(textsOf(after), ['a', 'b', 'c', 'new'])
      assert.deepEqual(
        after.slice(0, 3).map(({ messageId }) => messageId),
        before.map(({ messageId }) => messageId),
      )
      assert.deepEqual(
        after.slice(0, 3).map(({ dup }) => dup),
        [true, true, true],
      )
      if (desk === first) assert.equal(after[3]!.dup, false)
    })

    it('after PUBREC only PUBREL comes, never PUBLISH (F1), also behind open ones', () => {
      const flash = board()
      const first = boot(flash)
      first.connect()
      for (const text of ['a', 'b', 'c', 'd']) first.publish(2, text)
      const ids = first.sent().map(({ messageId }) => messageId)
      first.reply(pubrec(ids[0]), pubrec(ids[2]))
      assert.deepEqual(words(first.sent()), [`pubrel ${ids[0]}`, `pubrel ${ids[2]}`])
      const desk = back(first, flash)
      comeBack(desk, present(true))
      assert.deepEqual(words(desk.sent()), [
        `pubrel ${ids[0]}`,
        `publish ${ids[1]} dup`,
        `pubrel ${ids[2]}`,
        `publish ${ids[3]} dup`,
      ])
      desk.reply(pubcomp(ids[0]), pubcomp(ids[2]), pubrec(ids[1]), pubrec(ids[3]))
      desk.reply(pubcomp(ids[1]), pubcomp(ids[3]))
      assert.equal(desk.client.stats.queued, 0)
      assert.equal(desk.of('message.acked').length, 4)
      assert.equal(desk.of('message.dropped').length, 0)
    })

    it('what was never sent has no DUP, and none is lost (F7, F16, F21)', () => {
      const flash = board()
      const first = boot(flash, { inFlightLimit: 1 })
      first.connect()
      for (let n = 0; n < 5; n++) first.publish(1, `${n}`)
      assert.deepEqual(textsOf(first.sent()), ['0'])
      const desk = back(first, flash)
      for (let n = 5; n < 10; n++) assert.ok(desk.publish(1, `${n}`) > 0)
      comeBack(desk, present(true))
      const seen: string[] = []
      for (let sent = desk.sent(); sent.length > 0; sent = desk.sent()) {
        for (const { payload, messageId, dup } of sent) {
          const text = String(payload)
          if (text === '0') assert.equal(dup, true)
          if (desk === first && text !== '0') assert.equal(dup, false)
          seen.push(text)
          desk.reply(puback(messageId))
        }
      }
      assert.deepEqual(seen.join(''), '0123456789')
    })

    it('a lost session makes all new: no DUP, no PUBREL, one event that counts (F13–F15)', () => {
      const flash = board()
      const first = boot(flash)
      first.connect()
      for (const text of ['a', 'b', 'c']) first.publish(2, text)
      const ids = first.sent().map(({ messageId }) => messageId)
      first.reply(pubrec(ids[0]), pubrec(ids[1]))
      first.reply(pubcomp(ids[0]))
      const desk = back(first, flash)
      desk.publish(1, 'd')
      comeBack(desk, present(false))
      const again = desk.sent()
      assert.deepEqual(textsOf(again).slice(-3), ['b', 'c', 'd'])
      assert.ok(again.every(({ dup }) => !dup))
      assert.equal(desk.of('session.lost').length, 1)
      assert.ok(desk.of('session.lost')[0]!.count >= 2)
      const last = back(desk, flash)
      comeBack(last, present(true))
      assert.ok(last.sent().every(({ cmd, dup }) => cmd === 'publish' && dup))
      assert.equal(last.of('session.lost').length, last === desk ? 1 : 0)
    })

    it('an inbound QoS 2 message is handed over once, however often it comes (F2–F4)', () => {
      const flash = board()
      const first = boot(flash)
      first.connect()
      first.reply(message(2, 9, 'once'))
      assert.deepEqual(words(first.sent()), ['pubrec 9'])
      let desk = back(first, flash)
      const received = first.received.length
      comeBack(desk, present(true))
      desk.reply(message(2, 9, 'once', true), message(2, 9, 'once', true))
      assert.deepEqual(words(desk.sent()), ['pubrec 9', 'pubrec 9'])
      assert.equal(desk.received.length, desk === first ? received : 0)
      desk.reply({ cmd: 'pubrel', messageId: 9 })
      desk = back(desk, flash)
      comeBack(desk, present(true))
      desk.reply({ cmd: 'pubrel', messageId: 9 })
      assert.ok(words(desk.sent()).includes('pubcomp 9'), 'for an identifier that is none, too')
      desk.received.length = 0
      desk.reply(message(2, 9, 'new'))
      assert.deepEqual(
        desk.received.map(({ text }) => text),
        ['new'],
      )
    })

    it('a lost session forgets inbound identifiers: the next message with one is new', () => {
      const flash = board()
      const first = boot(flash)
      first.connect()
      first.reply(message(2, 9, 'old'))
      const desk = back(first, flash)
      comeBack(desk, present(false))
      desk.received.length = 0
      desk.reply(message(2, 9, 'other'))
      assert.equal(desk.received.length, 1)
    })
  })
}

describe('exchanges of the small client', () => {
  it('PUBRELs leave in the order of their PUBRECs, also through a full send buffer', () => {
    for (const isFull of [false, true]) {
      const desk = new SmallDesk({ ...kept, sendBufferSize: 64 })
      desk.connect()
      for (let n = 0; n < 5; n++) desk.publish(2)
      const ids = desk.sent().map(({ messageId }) => messageId!)
      if (isFull) {
        desk.transport.room = 0
        while (desk.publish(0, 'f') === 0);
      }
      const order = [3, 0, 4, 1, 2].map((index) => ids[index]!)
      desk.reply(...order.map(pubrec))
      desk.transport.giveRoom(Infinity)
      const pubrels = words(desk.sent()).filter((word) => word.startsWith('pubrel'))
      assert.deepEqual(
        pubrels,
        order.map((messageId) => `pubrel ${messageId}`),
      )
    }
  })

  it('PUBREL leaves only when its mark is durable', () => {
    const system = new ManualSystem(1)
    const storage = new FlashOutbox(board(), system)
    const desk = new SmallDesk({ storage }, system)
    desk.connect()
    desk.publish(2)
    const { messageId } = desk.sentOne()
    const { flush } = storage
    storage.flush = () => ERR_CORRUPT
    desk.reply(pubrec(messageId))
    assert.equal(desk.client.isConnected, false)
    desk.connect(present(true))
    assert.deepEqual(desk.sent(), [])
    storage.flush = flush
    desk.connect(present(true))
    assert.deepEqual(words(desk.sent()), [`pubrel ${messageId}`])
  })

  it('nothing is sent again on one connection, however long it takes [MQTT-4.4.0-1]', () => {
    const desk = new SmallDesk({ ...kept, ackTimeoutMs: 0, keepAliveMs: 0 })
    desk.connect()
    desk.publish(1)
    desk.publish(2)
    assert.equal(desk.sent().length, 2)
    for (let n = 0; n < 100; n++) desk.after(60000)
    assert.deepEqual(desk.sent(), [])
  })

  it('each ticket settles once, with its answer and not before (F22)', () => {
    const desk = new SmallDesk(kept)
    desk.connect()
    const tickets = [desk.publish(1), desk.publish(2)]
    const ids = desk.sent().map(({ messageId }) => messageId)
    desk.reply(pubrec(ids[1]))
    assert.deepEqual(desk.of('message.acked'), [])
    desk.reply(puback(ids[0]), puback(ids[0]), pubcomp(ids[1]), pubcomp(ids[1]))
    assert.deepEqual(
      desk.of('message.acked').map(({ ticket }) => ticket),
      tickets,
    )
    assert.ok(desk.client.isConnected)
  })

  it('PUBREC for nothing in flight has its PUBREL: the broker is rid of it (F3)', () => {
    const desk = new SmallDesk(kept)
    desk.connect()
    desk.reply(pubrec(77), pubcomp(77), pubrec(40000))
    assert.deepEqual(words(desk.sent()), ['pubrel 77', 'pubrel 40000'])
    assert.ok(desk.client.isConnected)
  })

  it('after PUBACK the same identifier is a new message, whatever DUP says', () => {
    const desk = new SmallDesk()
    desk.connect()
    desk.reply(message(1, 5, 'one'), message(1, 5, 'two', true))
    assert.deepEqual(
      desk.received.map(({ text, dup }) => [text, dup]),
      [
        ['one', false],
        ['two', true],
      ],
    )
    assert.deepEqual(words(desk.sent()), ['puback 5', 'puback 5'])
  })

  it('answers have the order of what they answer [MQTT-4.6.0-2] [MQTT-4.6.0-3]', () => {
    const desk = new SmallDesk()
    desk.connect()
    const ids = [9, 3, 7, 1, 12]
    desk.reply(...ids.flatMap((id) => [message(1, id, 'x'), message(2, id + 100, 'y')]))
    assert.deepEqual(
      words(desk.sent()),
      ids.flatMap((id) => [`puback ${id}`, `pubrec ${id + 100}`]),
    )
  })

  it('identifiers wrap around without naming two messages at a time (F6)', () => {
    const desk = new SmallDesk({ ...kept, ackTimeoutMs: 0, keepAliveMs: 0 })
    desk.connect()
    for (let n = 0; n < 4200; n++) {
      const ticket = desk.publish(1)
      const { messageId } = desk.sentOne()
      assert.equal(messageId, 1 + (ticket % 4096))
      desk.reply(puback(messageId))
    }
    assert.equal(desk.client.stats.queued, 0)
  })

  it('a message that flash no longer has whole is skipped and told, the next is sent (F23)', () => {
    const flash = board()
    boot(flash).publish(1, 'aaaa')
    boot(flash).publish(1, 'bbbb')
    const bytes = flash.bytes
    const at = Buffer.from(bytes).indexOf('aaaa')
    assert.ok(at > 0)
    flash.flipBit(at, 0)
    const desk = boot(flash)
    desk.connect()
    assert.deepEqual(textsOf(desk.sent()), ['bbbb'])
    assert.deepEqual(
      desk.of('message.dropped').map(({ ticket, status }) => [ticket, status]),
      [[1, ERR_CORRUPT]],
    )
  })

  it('a full flash refuses, and takes again what an answer made room for', () => {
    const desk = boot(board(8 * 1024))
    let count = 0
    while (desk.publish(1, 'x'.repeat(200)) > 0) count++
    assert.equal(desk.publish(1, 'x'.repeat(200)), ERR_FULL)
    desk.connect()
    const ids = new Set<number>()
    for (let sent = desk.sent(); sent.length > 0; sent = desk.sent()) {
      for (const { messageId } of sent) ids.add(messageId!)
      desk.reply(...sent.map(({ messageId }) => puback(messageId)))
    }
    assert.equal(ids.size, count)
    assert.ok(desk.publish(1, 'x'.repeat(200)) > 0)
  })
})
