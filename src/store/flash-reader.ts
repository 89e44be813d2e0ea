import { ERR_CORRUPT, ERR_HOOK, ERR_STORAGE, OK, type Status } from '../status.js'
import { COMPLETE, isBefore, numberAfter } from './exchange-window.js'
import {
  CONTEXT,
  FRAGMENT,
  MESSAGE,
  RECORD_HEADER,
  TOPIC,
  recordLength,
  recordType,
} from './flash-record.js'
import { READ_TRIES, type FlashRegion } from './flash-region.js'
import type { FlashRing } from './flash-ring.js'
import type { FlashWriter } from './flash-writer.js'
import { RecordContext } from './record-context.js'
import type { SectorScan } from './sector-scan.js'
import { TopicTable } from './topic-table.js'

/**
 * FlashReader: moves over the messages of the flash log in order and loads their bodies. It reads
 * headers only until a body is wanted. When something does not carry its check, it scans the sector
 * anew from its start, where every record is checked: the scan tells what is left and what is lost.
 * It knows nothing of what is complete.
 */

/** Bytes read of a record to see what it is: without hooks a whole CONTEXT, and a MARK of 16. */
const PEEK = RECORD_HEADER + 8

export class FlashReader {
  private readonly region: FlashRegion
  private readonly ring: FlashRing
  private readonly writer: FlashWriter
  private readonly scan: SectorScan
  private readonly buffer: Uint8Array
  private readonly scratch: Uint8Array
  /** Topics of the sector the reader is in, as far as it has come. */
  readonly topics: TopicTable
  /** The sector the reader is in, its first number, and the first number of the next sector. */
  sequence: number
  private firstNumber: number
  private limit: number
  private limitSequence: number
  /** A number to go to before anything else; 0: none. */
  private wanted: number
  /** Offset of the next record to look at, and the number the next message will have. */
  private nextAt: number
  private nextNumber: number
  /** The message that `advance` returned last. */
  private recordAt: number
  private recordStored: number
  recordNumber: number
  /** In force at `nextAt`. Before anything is read, the recovery uses it. */
  readonly context: RecordContext
  loadedLength: number
  /** Damaged messages passed over, and the number before which all are counted. */
  skippedCount: number
  countedTo: number

  constructor(
    region: FlashRegion,
    ring: FlashRing,
    writer: FlashWriter,
    scan: SectorScan,
    scratch: Uint8Array,
    maxTopic: number,
  ) {
    this.region = region
    this.ring = ring
    this.writer = writer
    this.scan = scan
    this.buffer = scan.buffer
    this.scratch = scratch
    this.topics = new TopicTable(region, scratch, maxTopic)
    this.sequence = 0
    this.firstNumber = 1
    this.limit = 0
    this.limitSequence = 0
    this.wanted = 0
    this.nextAt = 0
    this.nextNumber = 1
    this.recordAt = 0
    this.recordStored = 0
    this.recordNumber = 0
    this.context = new RecordContext(region)
    this.loadedLength = 0
    this.skippedCount = 0
    this.countedTo = 1
  }

  /** Time base in force, in seconds; 0: none. */
  get timeBase(): number {
    return this.context.timeBase
  }

  /** Puts the reader before `number`, or before the oldest message left, once it is asked for. */
  rewind(number: number): void {
    this.wanted = number
  }

  /** Moves to the next message: its number, 0 at the end, or ERR_STORAGE: try again. */
  advance(): number {
    const wanted = this.wanted
    if (wanted !== 0 && !this.seek(wanted)) return ERR_STORAGE
    for (;;) {
      const found = this.move()
      if (found < 0) return found
      if (found > 0 && wanted !== 0 && isBefore(found, wanted)) continue
      this.wanted = 0
      return found
    }
  }

  /** Enters the sector of a number. False when the storage could not be read. */
  private seek(number: number): boolean {
    const failedReads = this.region.failedReads
    const sequence = this.ring.findSector(number, this.ring.baseSequence)
    if (this.region.failedReads !== failedReads) return false
    this.enter(sequence, this.ring.foundFirst)
    return true
  }

  private move(): number {
    const writer = this.writer
    const ring = this.ring
    const failedReads = this.region.failedReads
    // Each round moves on by a record or a sector, so this ends.
    for (;;) {
      if (isBefore(this.sequence, ring.baseSequence)) this.enter(ring.baseSequence, ring.baseFirst)
      let end = this.region.sectorSize
      if (!isBefore(this.sequence, ring.sequence)) {
        if (this.nextNumber === writer.nextNumber) return 0
        end = writer.writeOffset
      } else {
        const isAtLimit = this.isAtLimit()
        if (this.region.failedReads !== failedReads) return ERR_STORAGE
        if (isAtLimit) {
          this.enter(this.limitSequence, this.limit)
          continue
        }
      }
      const found = this.step(end)
      if (found !== 0) return found
    }
  }

  /** Where the record behind the message of the last `advance` stands. */
  get recordEnd(): number {
    return this.recordAt + this.region.recordSize(this.recordStored)
  }

  /** The next `advance` returns the same message again. */
  stepBack(): void {
    this.nextAt = this.recordAt
    this.nextNumber = this.recordNumber
  }

  /** Loads the body of the message `advance` returned last. */
  load(): Status {
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const status = this.readBody()
      if (status !== ERR_CORRUPT) return status
    }
    // The scan checks every record of the sector and puts the reader before the next good one.
    const number = this.recordNumber
    const status = this.resync(number)
    if (status < 0) return status
    if (this.nextNumber !== number) return ERR_CORRUPT
    // It was the header that misled the reader, and the message is intact elsewhere.
    if (this.advance() === number && this.readBody() === OK) return OK
    this.countLost(number, numberAfter(number))
    return ERR_CORRUPT
  }

  private readBody(): Status {
    const region = this.region
    const buffer = this.buffer
    const size = RECORD_HEADER + this.recordStored
    if (size > buffer.length) return ERR_CORRUPT
    // The newest message may still stand in the buffer as it was written: then it is not read.
    if (this.nextNumber !== this.writer.nextNumber || !this.isInBuffer()) {
      const address = region.address(this.ring.placeOf(this.sequence)) + this.recordAt
      if (region.read(address, buffer, 0, size) < 0) return ERR_STORAGE
      if (!this.isInBuffer()) return ERR_CORRUPT
    }
    this.loadedLength = this.recordStored
    if (region.seal === null) return OK
    this.loadedLength = region.seal.open(
      buffer,
      0,
      MESSAGE,
      this.recordStored,
      this.sequence,
      this.recordAt,
      this.recordNumber,
      this.context.salt,
      0,
    )
    if (this.loadedLength >= 0) return OK
    this.countLost(this.recordNumber, this.nextNumber)
    return ERR_HOOK
  }

  /** True when the buffer holds the record of the present message, and it carries its check. */
  private isInBuffer(): boolean {
    const buffer = this.buffer
    const number = this.recordNumber
    if (recordLength(buffer, 0) !== this.recordStored) return false
    return this.region.isRecord(buffer, MESSAGE, this.sequence, this.recordAt, number)
  }

  loadTopic(number: number): Status {
    const address = this.region.address(this.ring.placeOf(this.sequence))
    let status = ERR_CORRUPT
    for (let tries = 0; tries < READ_TRIES && status === ERR_CORRUPT; tries++) {
      status = this.topics.load(number, address, this.sequence)
    }
    return status
  }

  private enter(sequence: number, firstNumber: number): void {
    this.sequence = sequence
    this.firstNumber = firstNumber
    this.nextNumber = firstNumber
    this.limit = 0
    this.nextAt = this.region.headerSize
    this.context.reset()
    this.topics.reset()
  }

  /** True when all messages of this sector have been passed. It is not the one being written. */
  private isAtLimit(): boolean {
    if (this.limit === 0) {
      const failedReads = this.region.failedReads
      this.limitSequence = this.ring.following(this.sequence)
      if (this.region.failedReads !== failedReads) return false
      this.limit = this.ring.foundFirst
    }
    return !isBefore(this.nextNumber, this.limit)
  }

  /** Looks at one record: the number of a message, 0 for anything else, or a storage status. */
  private step(end: number): number {
    const region = this.region
    const at = this.nextAt
    const peek = region.header.bytes
    if (at + RECORD_HEADER > end) return this.resync(this.nextNumber)
    const count = end - at < PEEK ? end - at : PEEK
    const address = region.address(this.ring.placeOf(this.sequence)) + at
    if (region.read(address, peek, 0, count) < 0) return ERR_STORAGE
    const type = recordType(peek, 0)
    const stored = recordLength(peek, 0)
    const size = region.recordSize(stored)
    if (type < MESSAGE || (type > CONTEXT && type !== FRAGMENT) || at + size > end)
      return this.resync(this.nextNumber)
    this.nextAt = at + size
    if (type === MESSAGE) {
      this.recordAt = at
      this.recordStored = stored
      this.recordNumber = this.nextNumber
      this.nextNumber = numberAfter(this.nextNumber)
      return this.recordNumber
    }
    // Its check is looked at when its message is read. What is short may be a CONTEXT with a
    // flipped bit, and what stands behind that one has another time.
    if (type === FRAGMENT && RECORD_HEADER + stored > count) return 0
    const source = this.readRecord(type, at, stored, address, count)
    if (source === null) return this.resync(this.nextNumber)
    this.apply(type, at, source, 0, stored)
    return 0
  }

  /** The bytes of a record that is no message. null when it does not carry its check. */
  private readRecord(
    type: number,
    at: number,
    stored: number,
    address: number,
    count: number,
  ): Uint8Array | null {
    const region = this.region
    let source = region.header.bytes
    const size = RECORD_HEADER + stored
    if (size > count) {
      if (size > this.scratch.length) return null
      source = this.scratch
      region.forgetTopic()
      if (region.read(address, source, 0, size) < 0) return null
    }
    return region.isRecord(source, type, this.sequence, at, 0) ? source : null
  }

  /** Puts a checked record that is no message into force. */
  private apply(
    type: number,
    at: number,
    source: Uint8Array,
    sourceAt: number,
    stored: number,
  ): void {
    if (type === CONTEXT) {
      const context = this.context
      const status = context.take(source, sourceAt, this.sequence, at, stored)
      // Numbers never go back, or reading would not end: then those before it were wrong.
      if (status === OK && context.next !== 0 && isBefore(this.nextNumber, context.next)) {
        this.nextNumber = context.next
      }
    } else if (type === TOPIC && stored > 0) {
      // Behind hooks the number cannot be read here. Topics are numbered in their order, and the
      // number in the record is compared when the topic is loaded.
      const isPlain = this.region.seal === null
      const number = isPlain ? source[sourceAt + RECORD_HEADER]! : this.topics.count + 1
      this.topics.set(number, at, 0, this.context.salt)
    }
  }

  /**
   * Scans the sector anew and puts the reader before the first intact message from `wanted` on: OK,
   * or ERR_STORAGE, then it is tried again from the start of the sector.
   */
  private resync(wanted: number): number {
    const writer = this.writer
    const scan = this.scan
    const failedReads = this.region.failedReads
    const isWritten = !isBefore(this.sequence, this.ring.sequence)
    if (!isWritten) this.isAtLimit()
    const limit = isWritten ? writer.nextNumber : this.limit
    const end = isWritten ? writer.writeOffset : this.region.sectorSize
    this.context.reset()
    this.topics.reset()
    scan.start(this.ring.placeOf(this.sequence), this.sequence, this.firstNumber, end)
    for (let type = scan.next(); type > 0; type = scan.next()) {
      // What was damaged may have been a time base: better none than an old one.
      if (scan.isAfterDamage) this.context.timeBase = 0
      if (type !== MESSAGE) {
        this.context.next = 0
        this.apply(type, scan.offset, scan.buffer, scan.at, scan.stored)
        if (this.context.next !== 0) scan.jumpTo(this.context.next)
      } else if (!isBefore(scan.number, limit)) {
        break
      } else if (!isBefore(scan.number, wanted)) {
        if (this.region.failedReads !== failedReads) break
        this.countLost(wanted, scan.number)
        this.nextAt = scan.offset
        this.nextNumber = scan.number
        return OK
      }
    }
    if (this.region.failedReads !== failedReads) {
      this.wanted = wanted
      return ERR_STORAGE
    }
    this.countLost(wanted, limit)
    this.nextAt = end
    this.nextNumber = limit
    return OK
  }

  /** Counts the messages from `from` to before `to` that are not complete, each once. */
  countLost(from: number, to: number): void {
    const window = this.writer.window
    let number = isBefore(from, this.countedTo) ? this.countedTo : from
    if (isBefore(number, window.base)) number = window.base
    for (; isBefore(number, to); number = numberAfter(number)) {
      if (window.state(number) !== COMPLETE) this.skippedCount++
      this.countedTo = numberAfter(number)
    }
  }
}
