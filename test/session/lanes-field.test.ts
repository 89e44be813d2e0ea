/** Lanes in the field: what was found by the simulated world, and what a device meets in years. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash, PowerCut } from '../../hal/memory/index.js'
import { type ClientOptions, type LaneOptions } from '../../src/index.js'
import { ERR_DROPPED, ERR_EXPIRED, ERR_FULL, OK } from '../../src/status.js'
import { FlashStore } from '../../src/storage.js'
import { Desk, type Packet } from './desk.js'

interface Geometry {
  sectors?: number
  eraseSize?: number
  writeSize?: number
}

function flashOf({ sectors = 32, eraseSize = 1024, writeSize = 4 }: Geometry = {}): NorFlash {
  return new NorFlash({ capacity: sectors * eraseSize, eraseSize, writeSize })
}

let boots = 0
function boot(flash: NorFlash, lanes: LaneOptions[], options: Partial<ClientOptions> = {}): Desk {
  const system = new ManualSystem(++boots)
  return new Desk({ storage: new FlashStore(flash, system), lanes, ...options }, system)
}

const texts = (packets: Packet[]) =>
  packets.filter(({ cmd }) => cmd === 'publish').map(({ payload }) => String(payload))

/** Answers everything that leaves until nothing does; returns the payloads in order. */
function drain(desk: Desk): string[] {
  const all: string[] = []
  for (let round = 0; round < 2000; round++) {
    const packets = desk.sent()
    if (packets.length === 0) return all
    all.push(...texts(packets))
    for (const { cmd, qos, messageId } of packets) {
      if (cmd === 'pubrel') desk.reply({ cmd: 'pubcomp', messageId })
      else if (qos === 1) desk.reply({ cmd: 'puback', messageId })
      else if (qos === 2) desk.reply({ cmd: 'pubrec', messageId })
    }
  }
  throw new Error('it never comes to rest')
}

function fill(desk: Desk, topic: string, size = 40): string[] {
  const accepted: string[] = []
  for (let n = 0; n < 5000; n++) {
    const text = `${topic} ${n} ` + 'x'.repeat(size)
    const ticket = desk.client.publish(topic, text, { qos: 1 })
    if (ticket === ERR_FULL) return accepted
    assert.ok(ticket > 0)
    accepted.push(text)
  }
  throw new Error('it is never full')
}

const alarm: LaneOptions = { name: 'alarm', filters: ['alarm'], priority: 1 }
const held: LaneOptions = { name: 'held', durability: 'group', groupBytes: 1024 }

describe('messages in RAM', () => {
  it('acknowledged in RAM, then written behind one that is not: it does not come back', () => {
    const flash = flashOf()
    const desk = boot(flash, [held])
    desk.connect()
    for (const text of ['a', 'b', 'c']) desk.client.publish('t', text, { qos: 1 })
    const [, b] = desk.sent()
    desk.reply({ cmd: 'puback', messageId: b!.messageId })
    desk.after(20000) // the mark of b came when nothing of it was on flash
    assert.equal(desk.client.flush(), OK)
    const again = boot(flash, [held])
    again.connect({ sessionPresent: true })
    assert.deepEqual(texts(again.sent()), ['a', 'c'])
  })

  it('sent in RAM, then written, policy discard: after a reboot it was sent before', () => {
    for (const sessionPresent of [true, false]) {
      const flash = flashOf()
      const options: Partial<ClientOptions> = { sessionLost: 'discard', inFlightLimit: 1 }
      const desk = boot(flash, [held], options)
      desk.connect()
      for (const text of ['sent', 'not sent']) desk.client.publish('t', text, { qos: 1 })
      assert.deepEqual(texts(desk.sent()), ['sent'])
      desk.transport.drop('cut')
      desk.poll()
      const again = boot(flash, [held], options)
      again.connect({ sessionPresent })
      const [first] = again.sent()
      assert.deepEqual(
        [String(first!.payload), first!.dup],
        sessionPresent ? ['sent', true] : ['not sent', false],
      )
      assert.equal(again.client.stats.dropped.sessionLost, sessionPresent ? 0 : 1)
    }
  })

  it('too large for RAM with its topic only: it keeps its time', () => {
    const lanes: LaneOptions[] = [{ ...held, groupBytes: 256, ttlMs: 60000 }]
    const desk = boot(flashOf(), lanes)
    desk.client.publish('early', 'x'.repeat(150), { qos: 1 })
    desk.system.advance(100000)
    // The body has room in RAM, but not together with the topic.
    const topic = 'topic/' + 'long/'.repeat(8)
    assert.ok(desk.client.publish(topic, 'y'.repeat(100), { qos: 1 }) > 0)
    desk.connect()
    assert.deepEqual(texts(desk.sent()), ['y'.repeat(100)])
    assert.deepEqual(
      desk.of('message.dropped').map(({ ticket, status }) => [ticket, status]),
      [[1, ERR_EXPIRED]],
    )
  })

  it('a publish that fails and writes others says so at the next poll', () => {
    const desk = boot(flashOf({ sectors: 8 }), [held])
    const accepted = fill(desk, 't')
    desk.poll()
    const kept = accepted.length - desk.client['queues'][0]!['held']!['group'].heldCount
    assert.equal(desk.of('message.persisted').length, kept)
  })

  it('flash full, policy reject: what is in RAM stays there, is sent, and nothing is lost', () => {
    const flash = flashOf({ sectors: 8 })
    const desk = boot(flash, [held])
    const accepted = fill(desk, 't')
    desk.after(60000)
    assert.equal(desk.client.flush(), ERR_FULL)
    accepted.push(...fill(desk, 't')) // some of it found a last place on flash
    assert.equal(desk.client.flush(), ERR_FULL)
    const kept = desk.of('message.persisted').length
    assert.ok(kept < accepted.length)
    assert.equal(desk.client.stats.queued, accepted.length)
    // A reboot now loses what was never reported as kept, and nothing else.
    const copy = flashOf({ sectors: 8 })
    copy.restore(flash.snapshot())
    assert.equal(boot(copy, [held]).client.stats.queued, kept)
    desk.connect()
    assert.deepEqual(drain(desk), accepted)
    assert.ok(desk.client.publish('t', 'room again', { qos: 1 }) > 0)
    assert.equal(desk.client.stats.dropped.full, 0)
  })
})

describe('lanes beside each other', () => {
  it('a full lane refuses, the others go on, also after a reboot', () => {
    const flash = flashOf({ sectors: 20 })
    const lanes = [alarm, { name: 'bulk' }]
    const desk = boot(flash, lanes)
    const bulk = fill(desk, 'bulk')
    for (let n = 0; n < 20; n++) assert.ok(desk.client.publish('alarm', 'a' + n, { qos: 2 }) > 0)
    const again = boot(flash, lanes)
    assert.equal(again.client.publish('bulk', 'x'.repeat(60), { qos: 1 }), ERR_FULL)
    assert.ok(again.client.publish('alarm', 'a20', { qos: 2 }) > 0)
    again.connect()
    const sent = drain(again)
    assert.deepEqual(
      sent.filter((text) => text.startsWith('a')),
      Array.from({ length: 21 }, (_, n) => 'a' + n),
    )
    assert.deepEqual(
      sent.filter((text) => text.startsWith('b')),
      bulk,
    )
    assert.ok(sent.indexOf('a20') < sent.indexOf(bulk[0]!))
  })

  it('a message that waits for room is not overtaken by small ones of lower priority', () => {
    const desk = new Desk({ lanes: [alarm, { name: 'bulk' }], sendBufferSize: 512 })
    desk.connect()
    desk.client.publish('alarm', 'first ' + 'x'.repeat(200), { qos: 1 })
    desk.client.publish('alarm', 'large ' + 'x'.repeat(300), { qos: 1 })
    desk.client.publish('bulk', 'small', { qos: 1 })
    assert.deepEqual(
      texts(desk.sent()).map((text) => text.slice(0, 5)),
      ['first', 'large', 'small'],
    )
  })

  it('the count of queued messages is right where the numbers wrap around', () => {
    const system = new ManualSystem(++boots)
    const store = new FlashStore(flashOf(), system)
    store.log.firstNumber = 0xfffffffe
    const desk = new Desk({ storage: store }, system)
    for (let n = 0; n < 5; n++) desk.client.publish('t', String(n), { qos: 1 })
    assert.equal(desk.client.stats.queued, 5)
  })

  it('eight lanes: the largest state fits a buffer of 1,024 bytes, and comes back', () => {
    const lanes: LaneOptions[] = []
    for (let n = 0; n < 8; n++) lanes.push({ name: 'lane' + n, filters: [n + '/#'] })
    const flash = flashOf({ sectors: 50 })
    const desk = boot(flash, lanes)
    const { state } = desk.client['session'].connection
    for (let n = 1; n <= 64; n++) {
      state.inbound.add(n)
      state.owed.add(1000 + n)
    }
    for (const lane of state.lanes) {
      lane.dropped.fill(0xffffffff)
      lane.markLength = lane.markBytes().length
    }
    assert.equal(state.save(), OK)
    const again = boot(flash, lanes).client['session'].connection.state
    assert.deepEqual([again.inbound.count, again.owed.count], [64, 64])
    for (const { dropped } of again.lanes) assert.deepEqual([...new Set(dropped)], [0xffffffff])
  })

  it('a state that does not fit the buffer is refused in words, and nothing is written', () => {
    const lanes: LaneOptions[] = []
    for (let n = 0; n < 8; n++) lanes.push({ name: 'lane' + n })
    const flash = flashOf({ sectors: 50 })
    const system = new ManualSystem(++boots)
    const storage = new FlashStore(flash, system, { bufferSize: 512 })
    assert.throws(() => new Desk({ storage, lanes }, system), /"storage".*bufferSize/)
    assert.ok(flash.bytes.every((byte) => byte === 0xff))
  })
})

describe('what gives way', () => {
  it('drop-newest is what it returns, also where only the time has no room', () => {
    for (let size = 1; size < 70; size++) {
      const lanes: LaneOptions[] = [{ name: 'only', overflow: 'drop-newest' }]
      const desk = boot(flashOf({ sectors: 8, eraseSize: 512 }), lanes)
      let ticket = 1
      for (let n = 0; ticket > 0; n++) {
        const properties = { messageExpiryInterval: 0xffffffff }
        ticket = desk.client.publish('t', 'x'.repeat(size), { qos: 1, properties })
        desk.system.advance(70000000) // each needs a new time base
        assert.ok(n < 5000)
      }
      assert.equal(ticket, ERR_DROPPED, `payload of ${size} bytes`)
    }
  })

  it('a counter and the mark of what it counts become durable together', () => {
    // The session is lost, what was in flight is dropped, and the power goes at each operation.
    for (let operation = 1; ; operation++) {
      const flash = flashOf()
      const options: Partial<ClientOptions> = { sessionLost: 'discard', inFlightLimit: 4 }
      const desk = boot(flash, [{ name: 'only' }], options)
      desk.connect()
      for (let n = 0; n < 6; n++) desk.client.publish('t', String(n), { qos: 2 })
      desk.poll()
      // The state changes for another reason too: an inbound exchange is forgotten.
      desk.reply({ cmd: 'publish', topic: 'in', payload: 'x', qos: 2, messageId: 9, dup: false })
      flash.cutAt(operation, 'noop', 1)
      let wasCut = false
      try {
        desk.reconnect({ sessionPresent: false })
      } catch (error) {
        assert.ok(error instanceof PowerCut)
        wasCut = true
      }
      flash.powerOn()
      const { dropped, queued } = boot(flash, [{ name: 'only' }], options).client.stats
      assert.equal(dropped.sessionLost + queued, 6, `cut at ${operation}`)
      if (!wasCut) break
    }
  })

  it('dropped in RAM and counted, then passed over on flash: no power loss brings it back', () => {
    const lanes: LaneOptions[] = [{ ...held, groupMs: 600000 }]
    for (let operation = 1; ; operation++) {
      const flash = flashOf()
      const desk = boot(flash, lanes, { inFlightLimit: 2 })
      desk.connect()
      for (const text of ['a', 'b']) desk.client.publish('t', text, { qos: 1 })
      const [, b] = desk.sent()
      const properties = { messageExpiryInterval: 1 }
      desk.client.publish('t', 'short', { qos: 1, properties })
      desk.client.publish('t', 'c', { qos: 1 })
      desk.after(3000)
      desk.reply({ cmd: 'puback', messageId: b!.messageId }) // c leaves, what is between is too old
      assert.equal(desk.client.stats.dropped.expired, 1)
      flash.cutAt(operation, 'noop', 1)
      let wasCut = false
      try {
        desk.transport.drop('cut')
        desk.poll()
      } catch (error) {
        assert.ok(error instanceof PowerCut)
        wasCut = true
      }
      flash.powerOn()
      const again = boot(flash, lanes)
      assert.equal(again.client.stats.dropped.expired, 1)
      again.connect({ sessionPresent: true })
      assert.ok(!drain(again).includes('short'), `cut at ${operation}`)
      assert.ok(operation < 50)
      if (!wasCut) break
    }
  })

  it('a reboot adds no second to the age of a message', () => {
    const flash = flashOf()
    const lanes: LaneOptions[] = [{ name: 'only', ttlMs: 1000 }]
    boot(flash, lanes).client.publish('t', 'young', { qos: 1 })
    const desk = boot(flash, lanes)
    desk.connect()
    assert.deepEqual(drain(desk), ['young'])
  })

  it('a lane that is full for a month wears nothing out by counting', () => {
    const flash = flashOf({ sectors: 10, eraseSize: 4096 })
    const desk = boot(flash, [{ name: 'only', overflow: 'drop-newest' }])
    const publish = () => desk.client.publish('t', 'x'.repeat(100), { qos: 1 })
    while (publish() > 0);
    desk.poll()
    const before = flash.wear.reduce((sum, count) => sum + count, 0)
    const minutes = 30 * 24 * 60
    for (let n = 0; n < minutes * 6; n++) {
      assert.equal(publish(), ERR_DROPPED) // every ten seconds
      desk.system.advance(10000)
      if (n % 6 === 0) desk.poll()
      desk.events.length = 0
    }
    const erases = flash.wear.reduce((sum, count) => sum + count, 0) - before
    // One state a minute, some thirty in a sector, two sectors.
    assert.ok(erases < minutes / 20, `${erases} erases in a month`)
    assert.equal(desk.client.stats.dropped.full, minutes * 6 + 1)
  })
})
