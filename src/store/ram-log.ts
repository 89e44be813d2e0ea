/**
 * RamLog: an OutgoingLog in a ring of RAM, for a client without storage.
 *
 * A record is contiguous: where one does not fit before the end of the ring, the ring goes on at
 * its start and a length of SKIP says so. Topics are always inline, marks are not needed.
 *
 *   0        2         6               6+length
 *   +--------+---------+- - - - - - - - -+
 *   | length | seconds |  body           |
 *   +--------+---------+- - - - - - - - -+
 */
import { readUint16, readUint32, writeUint16, writeUint32 } from '../codec/bytes.js'
import { ERR_FULL, ERR_TOO_LARGE, OK, type Status } from '../status.js'
import type { System } from '../../hal/system.js'
import { isBefore, numberAfter, type ExchangeWindow } from './exchange-window.js'
import type { OutgoingLog } from './outgoing-log.js'

const HEADER_SIZE = 6
/** A length that no body has: the rest of the ring is unused. */
const SKIP = 0xffff

export class RamLog implements OutgoingLog {
  readonly buffer: Uint8Array
  readonly bodyAt: number
  readonly maxBody: number
  nextNumber: number
  readonly writeSector: number
  readonly writeOffset: number
  readonly holdsNext: boolean
  readonly loadedAt: number
  loadedLength: number
  loadedTimeBase: number
  readonly timeBase: number
  readonly topicBuffer: Uint8Array
  readonly topicAt: number
  readonly topicLength: number
  readonly skippedCount: number
  readonly wear: number
  readonly fragments: null

  private readonly system: System
  /** Also for `GroupLog`: records are contiguous in it. */
  readonly ring: Uint8Array
  /** Number and place of the oldest record kept. */
  private oldest: number
  private oldestAt: number
  private writeAt: number
  private usedBytes: number
  private appendSeconds: number
  /** Number and place of the record `advance` will return next, and of the one before it. */
  private readNumber: number
  private readAt: number
  private currentNumber: number
  private currentAt: number

  /** `ringSize` bytes of RAM hold the queue; a body is built in `buffer` from `bodyAt` on. */
  constructor(ringSize: number, buffer: Uint8Array, bodyAt: number, system: System) {
    this.system = system
    this.ring = new Uint8Array(ringSize)
    this.buffer = buffer
    this.bodyAt = bodyAt
    this.maxBody = Math.min(buffer.length - bodyAt, (ringSize >> 1) - HEADER_SIZE, SKIP - 1)
    this.nextNumber = 1
    this.writeSector = 0
    this.writeOffset = 0
    this.holdsNext = false
    this.loadedAt = bodyAt
    this.loadedLength = 0
    this.loadedTimeBase = 0
    this.timeBase = 0
    this.topicBuffer = this.buffer
    this.topicAt = 0
    this.topicLength = 0
    this.skippedCount = 0
    this.wear = 0
    this.fragments = null
    this.oldest = 1
    this.oldestAt = 0
    this.writeAt = 0
    this.usedBytes = 0
    this.appendSeconds = 0
    this.readNumber = 1
    this.readAt = 0
    this.currentNumber = 1
    this.currentAt = 0
  }

  get storedEnd(): number {
    return this.nextNumber
  }

  /** Where in `ring` the body of the record stands that `advance` returned last, and its time. */
  get currentBodyAt(): number {
    return this.currentAt + HEADER_SIZE
  }

  get currentSeconds(): number {
    return readUint32(this.ring, this.currentAt + 2)
  }

  /** An empty log goes on at `number`. */
  startAt(number: number): void {
    this.nextNumber = number
    this.oldest = number
    this.readNumber = number
    this.readAt = this.writeAt
    this.oldestAt = this.writeAt
    this.usedBytes = 0
  }

  /** Number of the oldest record; `nextNumber` when there is none. */
  get oldestNumber(): number {
    return this.oldest
  }

  /** The number `advance` will return next, if there is one. */
  get readingNumber(): number {
    return this.readNumber
  }

  get capacity(): number {
    return this.ring.length
  }

  get freeBytes(): number {
    return this.ring.length - this.usedBytes
  }

  reserve(length: number): Status {
    if (length > this.maxBody) return ERR_TOO_LARGE
    return this.room(length + HEADER_SIZE) ? OK : ERR_FULL
  }

  topicNumber(): number {
    return 0
  }

  /** Each record has its own time base here, so the difference is always 0. */
  timeDelta(seconds: number): number {
    this.appendSeconds = seconds
    return 0
  }

  append(length: number): number {
    const status = this.reserve(length)
    if (status !== OK) return status
    const size = length + HEADER_SIZE
    if (this.writeAt + size > this.ring.length) {
      if (this.writeAt + 2 <= this.ring.length) {
        writeUint16(this.ring, this.writeAt, SKIP)
      }
      this.usedBytes += this.ring.length - this.writeAt
      this.writeAt = 0
    }
    writeUint16(this.ring, this.writeAt, length)
    writeUint32(this.ring, this.writeAt + 2, this.appendSeconds)
    this.system.copy(this.ring, this.writeAt + HEADER_SIZE, this.buffer, this.bodyAt, length)
    this.writeAt += size
    this.usedBytes += size
    const number = this.nextNumber
    this.nextNumber = numberAfter(number)
    return number
  }

  rewind(number: number): void {
    this.readNumber = this.oldest
    this.readAt = this.oldestAt
    while (this.readNumber !== this.nextNumber && isBefore(this.readNumber, number)) this.advance()
  }

  advance(): number {
    if (isBefore(this.readNumber, this.oldest)) this.rewind(this.oldest)
    if (this.readNumber === this.nextNumber) return 0
    this.readAt = this.unwrapped(this.readAt)
    this.currentAt = this.readAt
    this.loadedLength = readUint16(this.ring, this.currentAt)
    this.readAt += HEADER_SIZE + this.loadedLength
    this.currentNumber = this.readNumber
    this.readNumber = numberAfter(this.readNumber)
    return this.currentNumber
  }

  stepBack(): void {
    this.readNumber = this.currentNumber
    this.readAt = this.currentAt
  }

  load(): Status {
    this.loadedTimeBase = readUint32(this.ring, this.currentAt + 2)
    const bodyAt = this.currentBodyAt
    this.system.copy(this.buffer, this.loadedAt, this.ring, bodyAt, this.loadedLength)
    return OK
  }

  loadTopic(): Status {
    return OK
  }

  writeMark(_window: ExchangeWindow): Status {
    return OK
  }

  release(base: number): void {
    while (this.oldest !== this.nextNumber && isBefore(this.oldest, base)) {
      const at = this.unwrapped(this.oldestAt)
      if (at !== this.oldestAt) this.usedBytes -= this.ring.length - this.oldestAt
      const size = HEADER_SIZE + readUint16(this.ring, at)
      this.usedBytes -= size
      this.oldestAt = at + size
      this.oldest = numberAfter(this.oldest)
    }
    if (this.oldest === this.nextNumber) {
      this.oldestAt = this.writeAt
      this.usedBytes = 0
    }
  }

  oldestAfterDrop(): number {
    return this.oldest === this.nextNumber ? 0 : numberAfter(this.oldest)
  }

  maintain(): boolean {
    return false
  }

  /** True when `size` bytes fit behind the newest record or, wrapped, before the oldest. */
  private room(size: number): boolean {
    const toEnd = this.ring.length - this.writeAt
    const taken = size <= toEnd ? size : toEnd + size
    return this.usedBytes + taken <= this.ring.length
  }

  /** The place of the record at `at`: the start of the ring where the ring was wrapped. */
  private unwrapped(at: number): number {
    if (at + 2 > this.ring.length || readUint16(this.ring, at) === SKIP) return 0
    return at
  }
}
