/**
 * A flash log, a flash that can lose its power, and a model of what must be in the log. A rig
 * survives power cuts: `boot` makes all objects of the log anew, as a device would.
 */
import assert from 'node:assert/strict'
import type { ReadWriteStorage } from '../../hal/storage.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import { ManualSystem, NorFlash, PowerCut } from '../../hal/memory/index.js'
import {
  COMPLETE,
  ExchangeWindow,
  QUEUED,
  RELEASED,
  WINDOW_SPAN,
  isBefore,
  numberAfter,
} from '../../src/store/exchange-window.js'
import { MessageSource } from '../../src/store/message-record.js'
import { FlashLog } from '../../src/store/flash-log.js'
import { ERR_FULL, OK, statusText } from '../../src/status.js'

export const STORE_ID = 0x1234abcd

export interface RigOptions {
  readonly eraseSize?: number
  readonly writeSize?: number
  readonly sectors?: number
  readonly hooks?: SealedHooks | null
  readonly firstNumber?: number
  readonly firstSequence?: number
  readonly bufferSize?: number
  readonly maxTopic?: number
  /** What the log sees of the flash, made anew at each boot; the flash itself unless given. */
  readonly attach?: (flash: NorFlash, system: ManualSystem) => ReadWriteStorage
}

/** One accepted message, enough to know its body again. */
export interface Kept {
  readonly serial: number
  readonly topic: string
  readonly seconds: number
  readonly size: number
}

export function payloadByte(serial: number, index: number): number {
  return (serial * 31 + index * 7 + (serial >>> 8)) & 0xff
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class Rig {
  readonly flash: NorFlash
  readonly system: ManualSystem
  readonly options: RigOptions
  log!: FlashLog
  window!: ExchangeWindow
  /** Accepted and not complete, oldest first, by number. */
  readonly kept = new Map<number, Kept>()
  /** What the window said when a MARK was last stored. */
  private durableComplete = new Set<number>()
  private durableReleased = new Set<number>()
  /** Interrupted appends that count as damaged messages. */
  private phantoms = 0
  /** What the window says, by number, for records that the model still has. */
  readonly completed = new Set<number>()
  readonly released = new Set<number>()
  /** Stands for the session store: survives every cut. */
  droppedThrough = 0
  attempt: Kept | null = null
  serial = 0
  seconds = 1_700_000_000
  boots = 0
  accepted = 0
  /** A damaged record may have held a time base: a message then has none. */
  mayLoseTime = false
  /** Messages accepted, by the sequence number of their sector. */
  readonly perSector = new Map<number, number>()
  /** As bytes: encoding them anew took a twelfth of a power run. */
  private readonly topics = new Map<string, Uint8Array>()

  constructor(options: RigOptions) {
    this.options = options
    const eraseSize = options.eraseSize ?? 512
    this.flash = new NorFlash({
      capacity: eraseSize * (options.sectors ?? 8),
      eraseSize,
      writeSize: options.writeSize ?? 4,
      eraseBlockSize: eraseSize * 4,
    })
    this.system = new ManualSystem(7)
    this.boot()
  }

  /** Makes the log anew and recovers it. */
  boot(): void {
    this.flash.powerOn()
    this.boots++
    const { flash, system, options } = this
    const sectors = flash.capacity / flash.eraseSize
    this.log = new FlashLog(
      options.attach ? options.attach(flash, system) : flash,
      0,
      sectors,
      1,
      system,
      new Uint8Array(options.bufferSize ?? 256),
      options.hooks ?? null,
      options.maxTopic ?? 32,
    )
    this.log.firstNumber = options.firstNumber ?? 1
    this.log.firstSequence = options.firstSequence ?? 1
    this.window = new ExchangeWindow()
    assert.equal(this.log.mount(STORE_ID, system.random(), this.window), OK)
    if (this.droppedThrough !== 0 && isBefore(this.window.base, this.droppedThrough)) {
      this.window.moveBase(this.droppedThrough)
      this.log.release(this.window.base)
    }
    this.log.rewind(this.window.base)
  }

  /** Runs `work`; true when the power went. */
  loses(work: () => void): boolean {
    try {
      work()
      return false
    } catch (error) {
      if (error instanceof PowerCut) return true
      throw error
    }
  }

  // What a queue does.

  publish(topic: string, size: number, isTimed = false): number {
    const { log } = this
    const topicBytes = this.topics.get(topic) ?? encoder.encode(topic)
    this.topics.set(topic, topicBytes)
    const kept = { serial: ++this.serial, topic, seconds: isTimed ? this.seconds : 0, size }
    for (let round = 0; round < 4; round++) {
      const most = 1 + 1 + topicBytes.length + 2 + size
      const status = log.reserve(most)
      if (status < 0) return status
      const sector = log.writeSector
      const number =
        topic === '' ? 0 : log.topicNumber(new MessageSource(topicBytes, new Uint8Array(0)))
      if (number < 0) return number
      let delta = 0
      if (isTimed) {
        delta = log.timeDelta(this.seconds)
        if (delta < 0) return delta
      }
      if (log.writeSector !== sector) continue
      let at = log.bodyAt
      log.buffer[at++] = number | (isTimed ? 0x80 : 0)
      if (number === 0) {
        log.buffer[at++] = topicBytes.length
        log.buffer.set(topicBytes, at)
        at += topicBytes.length
      }
      if (isTimed) {
        log.buffer[at++] = delta >> 8
        log.buffer[at++] = delta & 0xff
      }
      for (let i = 0; i < size; i++) log.buffer[at++] = payloadByte(kept.serial, i)
      this.attempt = kept
      const result = log.append(at - log.bodyAt)
      this.attempt = null
      if (result > 0) {
        this.kept.set(result, kept)
        this.accepted++
        this.perSector.set(sector, (this.perSector.get(sector) ?? 0) + 1)
      }
      return result
    }
    throw new Error('no round of publish fitted')
  }

  /** Publishes, and when the log is full completes the oldest quarter first. */
  publishOn(topic: string, size: number, isTimed = false): number {
    for (let round = 0; ; round++) {
      const result = this.publish(topic, size, isTimed)
      if (result !== ERR_FULL || round > 200) return result
      this.complete(Math.max(1, this.kept.size >> 2))
      this.mark()
    }
  }

  /** Completes the `count` oldest messages. */
  complete(count: number): void {
    for (let i = 0; i < count && this.kept.size > 0; i++) this.completeNumber(this.window.base)
  }

  /** Completes the message `distance` behind the oldest one. */
  completeAt(distance: number): void {
    if (distance >= WINDOW_SPAN) return
    const number = [...this.kept.keys()][distance]
    if (number !== undefined && this.window.spans(number)) this.completeNumber(number)
  }

  private completeNumber(number: number): void {
    this.window.setState(number, COMPLETE)
    this.completed.add(number)
    this.released.delete(number)
    this.kept.delete(number)
    if (this.window.slide(this.log.nextNumber)) this.log.release(this.window.base)
  }

  /** QoS 2: notes that PUBREC came for the message `distance` behind the oldest, durably. */
  release(distance: number): number {
    const number = [...this.kept.keys()][distance]
    if (number === undefined || !this.window.spans(number)) return OK
    this.window.setState(number, RELEASED)
    this.released.add(number)
    return this.mark()
  }

  mark(): number {
    const complete = new Set(this.completed)
    const released = new Set(this.released)
    const status = this.log.writeMark(this.window)
    if (status === OK) {
      this.durableComplete = complete
      this.durableReleased = released
    }
    return status
  }

  /** Drops the oldest sector's messages. */
  drop(): boolean {
    const stays = this.log.oldestAfterDrop()
    if (stays === 0 || !isBefore(this.window.base, stays)) return false
    for (const number of [...this.kept.keys()]) {
      if (!isBefore(number, stays)) break
      this.kept.delete(number)
      this.completed.add(number)
      this.released.delete(number)
    }
    this.droppedThrough = stays
    this.window.moveBase(stays)
    this.window.slide(this.log.nextNumber)
    this.log.release(this.window.base)
    return true
  }

  // What must hold.

  /** Reads on from where the reader is and compares up to `count` messages. */
  read(count: number): void {
    for (let i = 0; i < count; i++) {
      const number = this.log.advance()
      if (number === 0) return
      assert.ok(number > 0, `advance: ${statusText(number)}`)
      if (isBefore(number, this.window.base) || this.window.state(number) === COMPLETE) continue
      const kept = this.kept.get(number)
      assert.ok(kept, `message ${number} was never accepted`)
      this.compare(number, kept)
    }
  }

  /** Loads the present message and compares it. */
  compare(number: number, kept: Kept): void {
    const status = this.log.load()
    assert.equal(status, OK, `load ${number}: ${statusText(status)}`)
    this.compareLoaded(number, kept)
  }

  /** Compares the message that is loaded already. */
  compareLoaded(number: number, kept: Kept): void {
    const { log } = this
    const { buffer } = log
    let at = log.loadedAt
    const first = buffer[at++]
    let topic: string
    if ((first & 0x7f) === 0) {
      topic = decoder.decode(buffer.subarray(at + 1, at + 1 + buffer[at]))
      at += 1 + buffer[at]
    } else {
      assert.equal(log.loadTopic(first & 0x7f), OK, `topic of ${number}`)
      topic = decoder.decode(log.topicBuffer.subarray(log.topicAt, log.topicAt + log.topicLength))
    }
    assert.equal(topic, kept.topic, `topic of ${number}`)
    if ((first & 0x80) !== 0) {
      const delta = (buffer[at] << 8) | buffer[at + 1]
      at += 2
      if (log.loadedTimeBase !== 0 || !this.mayLoseTime) {
        assert.equal(log.loadedTimeBase + delta, kept.seconds, `time of ${number}`)
      }
    }
    assert.equal(log.loadedAt + log.loadedLength - at, kept.size, `size of ${number}`)
    for (let i = 0; i < kept.size; i++) {
      if (buffer[at + i] !== payloadByte(kept.serial, i)) assert.fail(`payload of ${number}`)
    }
  }

  /** After a boot: every accepted message is there, in order, and nothing else is. */
  settle(): void {
    const { window, log } = this
    this.settleWindow()
    const open = [...this.kept.keys()]
    log.rewind(window.base)
    let position = 0
    for (;;) {
      const number = log.advance()
      assert.ok(number >= 0, `advance: ${statusText(number)}`)
      if (number === 0) break
      if (isBefore(number, window.base) || window.state(number) === COMPLETE) continue
      const kept = this.kept.get(number)
      if (kept) {
        assert.equal(number, open[position++], 'messages come in order')
        this.compare(number, kept)
      } else {
        // Only the append that was interrupted may have happened.
        assert.ok(this.attempt, `message ${number} was never accepted`)
        assert.equal(number, this.nextExpected(), 'the interrupted message is the last one')
        if (log.load() !== OK) continue
        this.compareLoaded(number, this.attempt)
        this.kept.set(number, this.attempt)
        this.attempt = null
      }
    }
    assert.equal(position >= open.length, true, `lost ${open.slice(position).join()}`)
    this.passPhantom()
    this.attempt = null
    log.rewind(window.base)
  }

  /**
   * An append that was cut one bit before its end cannot be told from a message with a flipped bit:
   * it takes a number and counts as damaged, as long as no MARK says that it is complete.
   */
  private passPhantom(): void {
    const { log, window, flash } = this
    if (this.attempt && log.skippedCount > this.phantoms) {
      assert.equal(flash.torn.pendingBits - flash.torn.flippedBits, 1, 'only the last bit is open')
      const number = this.nextExpected()
      this.phantoms++
      this.completed.add(number)
      if (window.spans(number)) window.setState(number, COMPLETE)
      if (window.slide(log.nextNumber)) log.release(window.base)
    }
    assert.ok(log.skippedCount <= this.phantoms, 'nothing counts as damaged')
  }

  private nextExpected(): number {
    const numbers = [...this.kept.keys(), ...this.completed]
    let newest = (this.options.firstNumber ?? 1) - 1
    for (const number of numbers) if (isBefore(newest, number)) newest = number
    return newest === 0 ? 1 : numberAfter(newest)
  }

  /** Without a boot: what is kept is there, in order. */
  settleRunning(): void {
    const open = [...this.kept.keys()]
    this.log.rewind(this.window.base)
    let position = 0
    for (let number = this.log.advance(); number !== 0; number = this.log.advance()) {
      assert.ok(number > 0, `advance: ${statusText(number)}`)
      if (isBefore(number, this.window.base) || this.window.state(number) === COMPLETE) continue
      assert.equal(number, open[position++], 'messages come in order')
      this.compare(number, this.kept.get(number)!)
    }
    assert.equal(position, open.length, 'every message is there')
  }

  /** The recovered window knows at least what was stored and at most what happened. */
  private settleWindow(): void {
    const { window } = this
    for (const number of [...this.completed]) {
      if (window.state(number) === COMPLETE && isBefore(number, this.log.nextNumber)) continue
      if (isBefore(number, window.base)) continue
      assert.ok(!this.durableComplete.has(number), `${number} was stored as complete`)
      // Its MARK was not stored: it comes again, and this model completes it again.
      assert.ok(window.spans(number), `${number} is beyond the window`)
      window.setState(number, COMPLETE)
    }
    for (const number of this.durableReleased) {
      if (this.completed.has(number)) continue
      assert.equal(window.state(number), RELEASED, `${number} was stored as released`)
    }
    for (const number of this.kept.keys()) {
      const state = window.state(number)
      if (state === RELEASED) assert.ok(this.released.has(number), `${number} is not released`)
      else assert.equal(state, QUEUED, `${number} is not complete`)
      if (state === QUEUED) this.released.delete(number)
    }
    window.slide(this.log.nextNumber)
    this.log.release(window.base)
  }

  /** The log still works: so many more messages go in, come out and are completed. */
  goOn(count: number): void {
    for (let i = 0; i < count; i++) {
      const result = this.publishOn(i % 3 === 0 ? 'on/and/on' : '', 10 + (i % 5) * 9)
      assert.ok(result > 0, `append after recovery: ${statusText(result)}`)
      if (i % 4 === 3) {
        this.complete(3)
        this.mark()
      }
      if (i % 9 === 8) this.log.maintain()
    }
  }
}
