/** A client on flash and what it knows after its power went: one test for each thing. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash, PowerCut } from '../../hal/memory/index.js'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { ERR_HOOK, type ClientOptions } from '../../src/index.js'
import { sealed } from '../../src/store/seal.js'
import { FlashStore, type FlashStoreOptions } from '../../src/storage.js'
import { Desk, words } from './desk.js'

let boots = 0

function board(capacity = 16 * 1024): NorFlash {
  return new NorFlash({ capacity, eraseSize: 1024, writeSize: 4 })
}

/** A boot of the device with this flash. */
function boot(
  flash: NorFlash,
  options: Partial<ClientOptions> = {},
  store: FlashStoreOptions = {},
): Desk {
  const system = new ManualSystem(++boots)
  return new Desk({ storage: new FlashStore(flash, system, store), ...options }, system)
}

const message = (messageId: number, text: string, dup: boolean) => ({
  cmd: 'publish',
  topic: 'in',
  payload: text,
  qos: 2,
  messageId,
  dup,
  retain: false,
})

for (const protocol of [4, 5]) {
  describe(`after a reboot, protocol ${protocol}`, () => {
    it('what was accepted before the first connection is sent', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      for (let n = 0; n < 30; n++) assert.ok(first.client.publish('t', `${n}`, { qos: 1 }) > 0)
      const desk = boot(flash, { protocol, inFlightLimit: 64 })
      desk.connect()
      const texts = desk.sent().map((packet) => String(packet.payload))
      assert.deepEqual(
        texts,
        Array.from({ length: 30 }, (_, n) => `${n}`),
      )
    })

    it('numbers go on where they were: nothing stored is overwritten', () => {
      const flash = board()
      const tickets = new Set<number>()
      for (let round = 0; round < 5; round++) {
        const desk = boot(flash, { protocol })
        for (let n = 0; n < 5; n++) tickets.add(desk.client.publish('t', 'x', { qos: 1 }))
      }
      assert.equal(tickets.size, 25)
      assert.equal(boot(flash, { protocol }).client.stats.queued, 25)
    })

    it('a resumed session repeats what may have been in flight: DUP, same identifiers', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      first.connect()
      first.client.publish('t', 'a', { qos: 1 })
      first.client.publish('t', 'b', { qos: 2 })
      const sent = words(first.sent())
      const desk = boot(flash, { protocol })
      assert.equal(desk.connect({ sessionPresent: true }).clean, false)
      desk.client.publish('t', 'c', { qos: 1 })
      assert.deepEqual(words(desk.sent()), [...sent.map((word) => word + ' dup'), 'publish 4'])
    })

    it('a lost session sends them as new', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      first.connect()
      first.client.publish('t', 'a', { qos: 1 })
      first.sent()
      const desk = boot(flash, { protocol })
      desk.connect({ sessionPresent: false })
      assert.equal(desk.sentOne().dup, false)
      assert.equal(desk.of('session.lost').length, 1)
    })

    it('after PUBREC only PUBREL is sent', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      first.connect()
      first.client.publish('t', 'x', { qos: 2 })
      const messageId = first.sentOne().messageId
      first.transport.room = 0 // PUBREL does not even leave
      first.reply({ cmd: 'pubrec', messageId })
      const desk = boot(flash, { protocol })
      desk.connect({ sessionPresent: true })
      assert.deepEqual(words(desk.sent()), [`pubrel ${messageId}`])
      desk.reply({ cmd: 'pubcomp', messageId })
      assert.equal(desk.client.stats.queued, 0)
    })

    it('an inbound QoS 2 message whose PUBREC never left is not handed over again', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      first.connect()
      first.transport.room = 0
      first.reply(message(9, 'once', false))
      assert.equal(first.received.length, 1)
      const desk = boot(flash, { protocol })
      desk.connect({ sessionPresent: true })
      desk.reply(message(9, 'once', true))
      assert.deepEqual(words(desk.sent()), ['pubrec 9'])
      assert.equal(desk.received.length, 0)
    })

    it('an inbound identifier is free again once PUBCOMP left, also after a reboot', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      first.connect()
      first.reply(message(9, 'one', false), { cmd: 'pubrel', messageId: 9 })
      assert.deepEqual(words(first.sent()), ['pubrec 9', 'pubcomp 9'])
      const desk = boot(flash, { protocol })
      desk.connect({ sessionPresent: true })
      desk.reply(message(9, 'two', true))
      assert.equal(desk.received[0]!.text, 'two')
    })

    it('acknowledged messages do not come again once their mark is written', () => {
      const flash = board()
      const first = boot(flash, { protocol, ackBatch: 4 })
      first.connect()
      for (let n = 0; n < 10; n++) first.client.publish('t', `${n}`, { qos: 1 })
      for (const { messageId } of first.sent()) first.reply({ cmd: 'puback', messageId })
      assert.equal(boot(flash, { protocol }).client.stats.queued, 2, 'eight are marked')
      first.after(1000)
      assert.equal(boot(flash, { protocol }).client.stats.queued, 0, 'all are, after ackDelayMs')
    })

    it('a full queue still takes acknowledgements, and then messages', () => {
      const flash = board()
      const desk = boot(flash, { protocol, inFlightLimit: 64 })
      let count = 0
      while (desk.client.publish('t', 'x'.repeat(100), { qos: 2 }) > 0) count++
      assert.ok(count > 60, `only ${count} messages in ${flash.capacity} bytes`)
      desk.connect()
      for (let done = 0; done < count;) {
        const packets = desk.sent()
        assert.ok(packets.length > 0)
        for (const { cmd, messageId } of packets) {
          if (cmd === 'publish') desk.reply({ cmd: 'pubrec', messageId })
          if (cmd === 'pubrel') desk.reply({ cmd: 'pubcomp', messageId })
          if (cmd === 'pubrel') done++
        }
      }
      assert.equal(desk.client.stats.queued, 0)
      assert.deepEqual(desk.of('storage.failed'), [])
      for (let n = 0; n < count; n++) assert.ok(desk.client.publish('t', 'x', { qos: 1 }) > 0)
    })

    it('drop-oldest counts on flash, and a QoS 2 exchange that had begun is ended', () => {
      const flash = board()
      const options = { protocol, overflow: 'drop-oldest' as const }
      const first = boot(flash, options)
      first.connect()
      first.client.publish('t', 'begun', { qos: 2 })
      const messageId = first.sentOne().messageId!
      first.transport.drop('cut')
      for (let n = 0; n < 300; n++) {
        assert.ok(first.client.publish('t', 'x'.repeat(100), { qos: 1 }) > 0)
      }
      const { full } = first.client.stats.dropped
      assert.ok(full > 100)
      assert.equal(first.of('message.dropped').length, full)
      const desk = boot(flash, options)
      assert.equal(desk.client.stats.dropped.full, full)
      desk.connect({ sessionPresent: true })
      const packets = desk.sent()
      assert.deepEqual(words(packets)[0], `pubrel ${messageId}`)
      desk.reply({ cmd: 'pubcomp', messageId })
      assert.equal(desk.client.stats.queued, 301 - full)
    })

    it('drop-oldest gives up no more exchanges of QoS 2 than it can remember to end', () => {
      for (const qos of [1, 2]) {
        const flash = new NorFlash({ capacity: 32 * 1024, eraseSize: 4096, writeSize: 1 })
        const options = { protocol, overflow: 'drop-oldest' as const, inFlightLimit: 64 }
        const first = boot(flash, options)
        first.connect()
        for (let n = 0; n < 150; n++) first.client.publish('t', `${n}`, { qos: qos as 1 | 2 })
        assert.equal(first.sent().length, 64)
        // From here on each of the oldest sector's messages may have been sent, for all flash says.
        const desk = boot(flash, options)
        let isFull = false
        while (!isFull && desk.client.stats.dropped.full === 0) {
          isFull = desk.client.publish('t', 'x'.repeat(100), { qos: 1 }) < 0
        }
        assert.equal(isFull, qos === 2)
        desk.connect({ sessionPresent: true })
        const kinds = new Set(desk.sent().map(({ cmd, dup }) => `${cmd} ${dup}`))
        assert.deepEqual([...kinds], [`publish ${qos === 2}`])
      }
    })

    it('a power cut while the oldest are dropped loses and counts each message once', () => {
      const options = { protocol, overflow: 'drop-oldest' as const }
      const taken = board(8 * 1024).snapshot()
      for (let cut = 1; ; cut++) {
        const flash = board(8 * 1024)
        flash.restore(taken)
        let accepted = 0
        let wasCut = false
        flash.cutAt(cut, 'random', cut)
        try {
          const desk = boot(flash, options)
          for (; accepted < 150; accepted++) {
            assert.ok(desk.client.publish('t', 'x'.repeat(60), { qos: 1 }) > 0)
          }
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error
          wasCut = true
        }
        flash.powerOn()
        const { queued, dropped } = boot(flash, options).client.stats
        const known = queued + dropped.full
        assert.ok(known === accepted || (wasCut && known === accepted + 1), `cut at ${cut}`)
        if (!wasCut) break
      }
    })

    it('released messages count against Receive Maximum from the start', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      first.connect()
      for (let n = 0; n < 3; n++) first.client.publish('t', `${n}`, { qos: 2 })
      for (const { messageId } of first.sent()) first.reply({ cmd: 'pubrec', messageId })
      const desk = boot(flash, { protocol, inFlightLimit: 4 })
      for (let n = 3; n < 6; n++) desk.client.publish('t', `${n}`, { qos: 1 })
      desk.connect({ sessionPresent: true })
      const packets = desk.sent()
      assert.equal(packets.filter(({ cmd }) => cmd === 'pubrel').length, 3)
      assert.equal(packets.filter(({ cmd }) => cmd === 'publish').length, 1)
      assert.equal(desk.client.stats.inFlight, 4)
    })

    it('with encryption the image shows no plaintext, and all is restored', () => {
      const flash = board()
      const store = { hooks: chacha20poly1305Hooks(new Uint8Array(32).fill(7)) }
      const first = boot(flash, { protocol }, store)
      for (let n = 0; n < 20; n++) {
        first.client.publish('secret/topic', `secret payload ${n}`, { qos: 1 })
      }
      const image = Buffer.alloc(flash.capacity)
      flash.read(0, image, 0, flash.capacity)
      assert.equal(image.includes('secret'), false)
      const desk = boot(flash, { protocol, inFlightLimit: 64 }, store)
      desk.connect()
      const packets = desk.sent()
      assert.equal(packets.length, 20)
      packets.forEach((packet, n) => {
        assert.equal(packet.topic, 'secret/topic')
        assert.equal(String(packet.payload), `secret payload ${n}`)
      })
    })

    it('a hook that fails leaves no byte written, and publish failed', () => {
      const flash = board()
      const hooks = sealed({
        growth: 0,
        keyId: 1,
        knowsKey: () => true,
        fails: false,
      } as any) as any
      hooks.before_write = (_: Uint8Array, __: number, length: number) =>
        hooks.fails ? -1 : length
      hooks.after_read = (_: Uint8Array, __: number, length: number) => length
      const desk = boot(flash, { protocol }, { hooks })
      const kept = desk.client.publish('t', 'kept', { qos: 1 })
      assert.ok(kept > 0)
      hooks.fails = true
      const before = flash.counters.programmedBytes
      assert.equal(desk.client.publish('t', 'plaintext', { qos: 1 }), ERR_HOOK)
      assert.equal(flash.counters.programmedBytes, before)
      hooks.fails = false
      assert.ok(desk.client.publish('t', 'kept too', { qos: 1 }) > 0)
      assert.equal(boot(flash, { protocol }, { hooks }).client.stats.queued, 2)
    })
  })
}

describe('a store belongs to one client', () => {
  const failing = (flash: NorFlash, options: Partial<ClientOptions>) =>
    assert.throws(
      () => boot(flash, options),
      (error: Error) => {
        assert.match(error.message, /"storage"/)
        return true
      },
    )

  it('another client identifier is refused by name, and nothing is written', () => {
    const flash = board()
    boot(flash, { clientId: 'kitchen' }).client.publish('t', 'x', { qos: 1 })
    const before = flash.counters.programmedBytes
    assert.throws(() => boot(flash, { clientId: 'cellar' }), /"kitchen"[^]*"cellar"/)
    assert.equal(flash.counters.programmedBytes, before)
    assert.equal(boot(flash, { clientId: 'kitchen' }).client.stats.queued, 1)
  })

  it('another broker is refused by name', () => {
    const flash = board()
    boot(flash, { broker: 'mqtt://one' })
    assert.throws(() => boot(flash, { broker: 'mqtt://two' }), /mqtt:\/\/one[^]*mqtt:\/\/two/)
  })

  it('data that is not ours is refused and kept', () => {
    const flash = board()
    flash.write(3000, Uint8Array.from([1, 2, 3, 4]), 0, 4)
    failing(flash, {})
    const bytes = new Uint8Array(4)
    flash.read(3000, bytes, 0, 4)
    assert.deepEqual([...bytes], [1, 2, 3, 4])
  })

  it('an empty client identifier and a storage of the wrong geometry are refused', () => {
    assert.throws(() => boot(board(), { clientId: '' }), /"clientId"/)
    const small = new NorFlash({ capacity: 4096, eraseSize: 1024, writeSize: 1 })
    assert.throws(() => new FlashStore(small, new ManualSystem(1), {}), /capacity/)
  })
})

it('a full log of small QoS 2 messages drains one by one, however many marks that takes', () => {
  const flash = new NorFlash({ capacity: 16 * 512, eraseSize: 512, writeSize: 1 })
  const first = boot(flash, { inFlightLimit: 1, ackBatch: 1 })
  let count = 0
  while (first.client.publish('t', '', { qos: 2 }) > 0) count++
  assert.ok(count > 300, `${count} messages`)
  let desk = first
  let sessionPresent = false
  for (let done = 0; done < count;) {
    desk.connect({ sessionPresent })
    sessionPresent = true
    // Some messages a boot, so that marks of the log and of the session store take turns.
    for (let n = 0; n < 7 && done < count; n++, done++) {
      const publish = desk.sentOne()
      assert.equal(publish.cmd, 'publish')
      const { messageId } = publish
      desk.reply({ cmd: 'pubrec', messageId })
      assert.deepEqual(words(desk.sent()), [`pubrel ${messageId}`])
      if (n === 3) {
        desk = boot(flash, { inFlightLimit: 1, ackBatch: 1 })
        desk.connect({ sessionPresent })
        assert.deepEqual(words(desk.sent()), [`pubrel ${messageId}`])
      }
      desk.reply({ cmd: 'pubcomp', messageId })
    }
    assert.deepEqual(desk.of('storage.failed'), [])
    desk = boot(flash, { inFlightLimit: 1, ackBatch: 1 })
    assert.equal(desk.client.stats.queued, count - done)
  }
})
