/**
 * A full partition of 64 KB and one inverted bit: the store opens, nothing false comes out of the
 * queue, nothing hangs, at most one sector's messages are lost, and each loss is reported and
 * counted, once.
 */
import assert from 'node:assert/strict'
import { ManualSystem, NorFlash, type NorSnapshot } from '../../hal/memory/index.js'
import { ERR_FULL, ERR_STORAGE, OK, statusText } from '../../src/status.js'
import { onlyLane, OVERFLOW_REJECT } from '../../src/queue/lane.js'
import { OutgoingQueue } from '../../src/queue/outgoing-queue.js'
import { FlashStore } from '../../src/storage.js'
import { MESSAGE_QOS, MessageSource } from '../../src/store/message-record.js'
import { DROPPED_DAMAGED } from '../../src/store/session-state.js'
import { payloadByte } from '../store/log-rig.js'
import { XorHooks } from '../store/xor-hooks.js'
import type { FlipCase } from './cases.js'
import type { Outcome } from './totals.js'

const CAPACITY = 65536
export const IMAGE_BITS = CAPACITY * 8
const CLIENT = 'flip'
const BROKER = 'mqtt://broker.local'
const WALL = 1_800_000_000
/** Messages that are complete before the partition is filled: the ring is some way round. */
const OLD = 200
const TOPICS = ['flip/a', 'flip/b', 'flip/a/longer/topic'].map((text) => Buffer.from(text))

interface Sent {
  readonly topic: number
  readonly size: number
  readonly qos: number
  /** When it was queued; 0: without a time. */
  readonly seconds: number
}

/** A mounted store, its queue, and what the queue reported. */
class Device {
  readonly store: FlashStore
  readonly queue: OutgoingQueue
  readonly system = new ManualSystem(7)
  readonly reported = new Set<number>()

  constructor(flash: NorFlash, isHooked: boolean) {
    const { system, reported } = this
    system.wall = WALL
    this.store = new FlashStore(flash, system, isHooked ? { hooks: new XorHooks() } : {})
    const status = this.store.mount(CLIENT, BROKER)
    assert.equal(status, OK, `mount: ${statusText(status)}`)
    const { log, window, state } = this.store
    const lane = onlyLane(OVERFLOW_REJECT)
    this.queue = new OutgoingQueue(log, window, state, system, lane, null, 16, 1000, false)
    this.queue.listen({
      onDropping: () => {},
      mayBeHeld: () => false,
      placesLeft: 64,
      onDropped: (number) => {
        assert.ok(!reported.has(number), `${number} is reported twice`)
        reported.add(number)
      },
      onStorageFailed: (failure) => assert.fail(`storage: ${statusText(failure)}`),
      mayBeKnown: () => false,
      onPersisted: () => {},
    })
  }

  publish(number: number, sent: Sent): number {
    const { queue, store } = this
    const message = new MessageSource(TOPICS[sent.topic], new Uint8Array(0))
    message.flags = sent.qos & MESSAGE_QOS
    message.payloadLength = sent.size
    const at = queue.begin(message, sent.seconds > 0)
    if (at < 0) return at
    for (let i = 0; i < sent.size; i++) store.log.buffer[at + i] = payloadByte(number, i)
    const ticket = queue.commit()
    assert.equal(ticket, number)
    return ticket
  }
}

/** One image for many flips. */
export class FlipImage {
  private readonly flash: NorFlash
  private readonly isHooked: boolean
  private readonly snapshot: NorSnapshot
  /** Every message there ever was, and those that are not complete. */
  private readonly sent = new Map<number, Sent>()
  private readonly open = new Set<number>()
  private readonly most: number
  private readonly droppedBefore: number

  constructor(writeSize: number, isHooked: boolean) {
    this.isHooked = isHooked
    this.flash = new NorFlash({ capacity: CAPACITY, writeSize })
    const device = new Device(this.flash, isHooked)
    this.most = this.fill(device)
    this.droppedBefore = device.queue.dropped[DROPPED_DAMAGED]
    this.snapshot = this.flash.snapshot()
    assert.ok(this.open.size > 5 * this.most, 'the image spans sectors')
    assert.equal(this.readAll(new Device(this.flash, isHooked)), this.open.size)
  }

  /** Fills the queue until it refuses; returns the most messages a sector holds. */
  private fill(device: Device): number {
    const { queue, store } = device
    const perSector = new Map<number, number>()
    for (let number = 1; ; number++) {
      const sent = {
        topic: number % 3,
        size: 60 + ((number * 13) % 70),
        qos: 1 + (number % 2),
        seconds: number % 4 === 0 ? device.system.wall : 0,
      }
      const ticket = device.publish(number, sent)
      if (ticket === ERR_FULL) break
      assert.ok(ticket > 0, statusText(ticket))
      const sector = store.log.writeSector
      perSector.set(sector, (perSector.get(sector) ?? 0) + 1)
      this.sent.set(number, sent)
      this.open.add(number)
      if (number <= OLD) this.complete(queue, number)
      else if (number === OLD + 30) this.markAmongOpen(device)
      if (number % 50 === 0) {
        store.state.inbound.add(number)
        assert.equal(store.state.save(), OK)
      }
      queue.tend(device.system.now())
      while (store.log.maintain()) continue
      // Now and then further than a message's two bytes reach: a new time base.
      device.system.advance(number % 16 === 0 ? 70_000_000 : 500)
    }
    return Math.max(...perSector.values())
  }

  private complete(queue: OutgoingQueue, number: number): void {
    queue.complete(number)
    this.open.delete(number)
  }

  /** A MARK with a base and states beyond it. */
  private markAmongOpen({ queue }: Device): void {
    this.complete(queue, OLD + 1)
    this.complete(queue, OLD + 3)
    this.complete(queue, OLD + 6)
    queue.markReleased(OLD + 4)
    assert.equal(queue.marks.makeReleasesDurable(), OK)
  }

  run(flipCase: FlipCase, outcome: Outcome): void {
    const { flash } = this
    flash.restore(this.snapshot)
    flash.flipBit(flipCase.bit >> 3, flipCase.bit & 7)
    const device = new Device(flash, this.isHooked)
    const lost = this.open.size - this.readAll(device)
    assert.ok(lost <= this.most, `${lost} messages are lost`)
    const { reported, queue } = device
    const counted = queue.dropped[DROPPED_DAMAGED] - this.droppedBefore
    // Exactly: a loss too many is a false report.
    if (lost !== reported.size || lost !== counted) outcome.unreportedLosses++
    if (lost > 0) outcome.harmfulFlips++
    outcome.mostLost = Math.max(outcome.mostLost, lost)
    outcome.flips++
  }

  /** Reads all there is and returns how many of the open messages came; each must be right. */
  private readAll({ queue, reported }: Device): number {
    let found = 0
    let steps = 0
    let last = 0
    for (let number = queue.next(); number !== 0; number = queue.next()) {
      assert.ok(++steps <= this.sent.size + 10, 'reading comes to an end')
      assert.ok(number > last, 'messages come in order')
      last = number
      const sent = this.sent.get(number)
      assert.ok(sent, `message ${number} was never accepted`)
      const status = queue.load(number)
      assert.notEqual(status, ERR_STORAGE)
      if (status !== OK) continue
      this.compare(queue, number, sent)
      // A MARK that is lost lets a complete message come again.
      if (this.open.has(number)) found++
      queue.complete(number)
    }
    for (const number of reported) assert.ok(this.sent.has(number), `${number} was never accepted`)
    return found
  }

  private compare(queue: OutgoingQueue, number: number, sent: Sent): void {
    const { loaded, log } = queue
    const { record } = loaded
    assert.equal(record.qos, sent.qos, `QoS of ${number}`)
    assert.equal(record.payloadLength, sent.size, `size of ${number}`)
    // A damaged time base is none: the message then has no age.
    if (record.timeDelta >= 0 && log.loadedTimeBase !== 0) {
      assert.equal(log.loadedTimeBase + record.timeDelta, sent.seconds, `time of ${number}`)
    }
    for (let i = 0; i < sent.size; i++) {
      if (log.buffer[record.payloadAt + i] !== payloadByte(number, i)) {
        assert.fail(`payload of ${number}`)
      }
    }
    const topic = TOPICS[sent.topic]
    const end = loaded.topicAt + loaded.topicLength
    if (topic.compare(loaded.topic, loaded.topicAt, end) !== 0) assert.fail(`topic of ${number}`)
  }
}
