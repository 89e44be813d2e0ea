import { ERR_FULL, ERR_HOOK, ERR_STORAGE, ERR_TOO_LARGE, OK, type Status } from '../status.js'
import { ExchangeWindow, WINDOW_BYTES, isBefore, numberAfter } from './exchange-window.js'
import {
  CONTEXT,
  FRAGMENT,
  MARK,
  MAX_STORED,
  MESSAGE,
  RECORD_HEADER,
  TOPIC,
} from './flash-record.js'
import { BlankCheck, type FlashRegion } from './flash-region.js'
import type { FlashRing } from './flash-ring.js'
import type { MessageSource } from './message-record.js'
import { MARK_FOLLOWS } from './flash-sector.js'
import { encodeContext } from './record-context.js'
import { TOPIC_LIMIT, TopicTable } from './topic-table.js'

/**
 * FlashWriter: the end of the flash log, where records are appended, sectors are begun and erased
 * ahead. It does not read messages, and which sectors are needed is the business of `FlashRing`.
 */

/** Sectors that only a MARK may begin, so that a full log can still note what is complete. */
export const MARK_SECTORS = 2
/** Erases tried on a sector that does not come out blank. It is then passed over. */
export const ERASE_TRIES = 3
const LAST_DELTA = 0xffff

export class FlashWriter {
  readonly region: FlashRegion
  protected readonly ring: FlashRing
  /** Takes bodies; all other records are built in `scratch`. */
  readonly buffer: Uint8Array
  private readonly scratch: Uint8Array
  protected readonly bufferCheck: BlankCheck
  private readonly scratchCheck: BlankCheck
  /** Topics of the sector being written. */
  readonly topics: TopicTable
  /** The largest body that `append` takes. */
  readonly maxBody: number
  /** The window whose base and marks a new sector takes along. */
  window: ExchangeWindow
  /** The offset in the write sector at which the next record begins. */
  writeOffset: number
  /** Number of the next message. */
  nextNumber: number
  /** Sectors behind the write sector that were erased and found blank since the last boot. */
  erasedAhead: number
  /** Sectors begun since the last boot. */
  sectorsBegun: number
  /** Erases inside append, reserve or writeMark since the last boot. */
  hotErases: number
  private stuckTries: number
  /** Time base in force in the write sector, seconds; 0: none. */
  timeBase: number
  private newestSeconds: number
  /** The base that flash knows, of the newest MARK or CONTEXT. */
  markedBase: number
  /** This boot's salt stands in the write sector. Only of use with hooks. */
  private isSalted: boolean
  private reservedSize: number

  constructor(
    region: FlashRegion,
    ring: FlashRing,
    buffer: Uint8Array,
    scratch: Uint8Array,
    maxTopic: number,
  ) {
    this.region = region
    this.ring = ring
    this.buffer = buffer
    this.scratch = scratch
    this.bufferCheck = new BlankCheck(region, buffer)
    this.scratchCheck = new BlankCheck(region, scratch)
    this.topics = new TopicTable(region, scratch, maxTopic)
    this.maxBody = this.largestBody()
    this.window = new ExchangeWindow()
    this.writeOffset = 0
    this.nextNumber = 1
    this.erasedAhead = 0
    this.sectorsBegun = 0
    this.hotErases = 0
    this.stuckTries = 0
    this.timeBase = 0
    this.newestSeconds = 0
    this.markedBase = 1
    this.isSalted = false
    this.reservedSize = 0
  }

  /** Starts at the ring's write sector, at `offset`; at its end, the next append begins one. */
  start(window: ExchangeWindow, nextNumber: number, offset: number, timeBase: number): void {
    this.window = window
    this.nextNumber = nextNumber
    this.writeOffset = offset
    this.timeBase = timeBase
    this.newestSeconds = timeBase
    this.markedBase = window.base
    // What was erased before this boot may read blank and not hold: it is erased again.
    this.erasedAhead = 0
    this.sectorsBegun = 0
    this.stuckTries = 0
    this.isSalted = false
    this.reservedSize = 0
  }

  /** A number that was in use before a boot is not used again: the next sector starts with it. */
  skipTo(number: number): void {
    this.nextNumber = number
    this.close()
  }

  /**
   * Every record so far is complete, and so are the numbers before `number`, which never came here:
   * a CONTEXT with the number says so, or where it has no room the header of the next sector.
   */
  jumpTo(number: number): Status {
    if (this.writeOffset + this.region.contextSize > this.region.sectorSize) {
      this.skipTo(number)
      return OK
    }
    return this.putContext(this.timeBase, number)
  }

  /** Nothing more is written to this sector. */
  private close(): void {
    this.writeOffset = this.region.sectorSize
  }

  /** The largest body that fits a sector behind everything that may stand before it. */
  private largestBody(): number {
    const region = this.region
    const mark = region.seal === null ? region.recordSize(WINDOW_BYTES) : 0
    const before = region.headerSize + 2 * region.contextSize + mark
    const unit = region.storage.writeSize
    let room = region.sectorSize - before
    if (this.buffer.length < room) room = this.buffer.length
    const stored = room - (room % unit) - RECORD_HEADER
    return (stored < MAX_STORED ? stored : MAX_STORED) - region.growth
  }

  /** Makes sure that a body of `length` bytes has room in the write sector. */
  reserve(length: number): Status {
    if (length > this.maxBody) return ERR_TOO_LARGE
    const size = this.region.recordSize(length + this.region.growth)
    const status = this.makeRoom(size)
    this.reservedSize = status === OK ? size : 0
    return status
  }

  /** Appends the body of `length` bytes that stands in the buffer behind RECORD_HEADER bytes. */
  append(length: number): number {
    const status = this.reserve(length)
    if (status < 0) return status
    const written = this.put(this.buffer, MESSAGE, length)
    this.reservedSize = 0
    if (written < 0) return written
    const number = this.nextNumber
    this.nextNumber = numberAfter(number)
    return number
  }

  /** Appends a FRAGMENT whose body stands in the buffer as for `append`. It takes no number. */
  appendFragment(length: number): Status {
    const written = this.put(this.buffer, FRAGMENT, length)
    this.reservedSize = 0
    return written < 0 ? written : OK
  }

  /** The longest body that the write sector takes now. */
  get room(): number {
    const region = this.region
    const left = region.sectorSize - this.writeOffset - this.saltSize()
    return left - (left % region.storage.writeSize) - RECORD_HEADER - region.growth
  }

  /** See `OutgoingLog`. */
  topicNumber(message: MessageSource): number {
    const hint = message.topicHint
    if (hint > 0 && message.hintSector === this.ring.sequence) return hint
    const region = this.region
    const length = message.topicLength
    const topics = this.topics
    if (length > topics.maxTopic) return 0
    const hash = region.system.crc32(message.topic, message.topicAt, length)
    const known = topics.find(message, hash, region.address(this.ring.sector), this.ring.sequence)
    if (known > 0) return known
    if (topics.count >= TOPIC_LIMIT) return 0
    const size = region.recordSize(1 + length + region.growth)
    if (this.writeOffset + size + this.reservedSize > region.sectorSize) return 0
    this.scratch[RECORD_HEADER] = topics.count + 1
    region.system.copy(this.scratch, RECORD_HEADER + 1, message.topic, message.topicAt, length)
    const offset = this.writeOffset
    const written = this.put(this.scratch, TOPIC, 1 + length)
    return written < 0 ? written : topics.add(offset, hash, region.salt)
  }

  /** Seconds since the time base in force; stores a new one where there is none to count from. */
  timeDelta(seconds: number): number {
    const now = seconds > 0 ? seconds : 1
    if (isBefore(this.newestSeconds, now)) this.newestSeconds = now
    let delta = now - this.timeBase
    if (this.timeBase !== 0 && delta >= 0 && delta <= LAST_DELTA) return delta
    let status = OK
    if (this.writeOffset + this.region.contextSize + this.reservedSize > this.region.sectorSize) {
      // The caller sees that the write sector has changed, and asks for the topic again.
      status = this.begin(false)
      delta = now - this.timeBase
      if (status < 0 || (this.timeBase !== 0 && delta >= 0 && delta <= LAST_DELTA)) {
        return status < 0 ? status : delta
      }
    }
    status = this.writeContext(now)
    return status < 0 ? status : 0
  }

  /** Makes the marks of the window durable. */
  writeMark(window: ExchangeWindow): Status {
    this.window = window
    const size = this.region.recordSize(
      window.encode(this.scratch, RECORD_HEADER, this.nextNumber) + this.region.growth,
    )
    this.region.forgetTopic()
    if (this.writeOffset + this.saltSize() + size <= this.region.sectorSize) return this.storeMark()
    // The header of a new sector carries the base, and a MARK follows it where one is needed.
    const status = this.begin(true)
    return status < 0 ? status : this.salt()
  }

  /** Erases ahead; true when something was done. */
  maintain(): boolean {
    const region = this.region
    if (this.erasedAhead > 0 || this.writeOffset * 2 <= region.sectorSize) return false
    if (this.stuckTries >= ERASE_TRIES) return false
    const free = this.ring.freeSectors
    if (free < 1) return false
    const next = this.ring.next
    // A whole block where there is one: a part of it would cost as much as its sectors one by one.
    const block = region.storage.eraseBlockSize / region.sectorSize
    const isBlock = (region.firstSector + next) % block === 0
    const hasBlock = isBlock && block <= free && block <= region.sectorCount - next
    const run = hasBlock && this.sectorsBegun >= 2 ? block : 1
    region.erase(next, run)
    while (this.erasedAhead < run && this.isBlank(next + this.erasedAhead, this.bufferCheck)) {
      this.erasedAhead++
    }
    this.stuckTries = this.erasedAhead > 0 ? 0 : this.stuckTries + 1
    return true
  }

  /**
   * Bytes that further messages may take before ERR_FULL, at least: sectors that acknowledgements
   * freed count from the next MARK on, because until then a power loss brings their messages back.
   */
  get freeBytes(): number {
    const region = this.region
    const sectors = this.ring.freeSectors - MARK_SECTORS
    const here = region.sectorSize - this.writeOffset
    return here + (sectors > 0 ? sectors * (region.sectorSize - region.headerSize) : 0)
  }

  private isBlank(sector: number, check: BlankCheck): boolean {
    this.region.forgetTopic()
    return check.isBlank(this.region.address(sector), this.region.sectorSize)
  }

  private saltSize(): number {
    return this.region.seal !== null && !this.isSalted ? this.region.contextSize : 0
  }

  private makeRoom(size: number): Status {
    if (this.writeOffset + this.saltSize() + size > this.region.sectorSize) {
      const status = this.begin(false)
      if (status < 0) return status
    }
    return this.salt()
  }

  /** With hooks, a CONTEXT with this boot's salt stands before the first other record. */
  private salt(): Status {
    return this.saltSize() > 0 ? this.writeContext(this.newestSeconds) : OK
  }

  /** Begins the next sector; its header takes the window's base, and a MARK its marks. */
  private begin(isForMark: boolean): Status {
    const region = this.region
    // Each round leaves one sector behind, so it ends.
    for (let round = 0; round < region.sectorCount; round++) {
      if (this.ring.freeSectors <= (isForMark ? 0 : MARK_SECTORS)) return ERR_FULL
      const next = this.ring.next
      let isErased = this.erasedAhead > 0
      if (isErased) this.erasedAhead--
      else isErased = this.eraseNow(next)
      this.ring.step(this.nextNumber)
      this.close()
      this.topics.reset()
      this.timeBase = 0
      this.isSalted = false
      this.stuckTries = 0
      this.reservedSize = 0
      if (isErased) return this.open()
      // The sector is stuck. Its sequence number is used up, so place and number stay in step.
    }
    return ERR_STORAGE
  }

  private open(): Status {
    const region = this.region
    // With hooks the CONTEXT that the caller puts in front of all other records has the marks.
    const hasMarks = region.seal === null && this.window.hasMarks()
    const flags = hasMarks ? MARK_FOLLOWS : 0
    const base = this.window.storedBase(this.nextNumber)
    const ring = this.ring
    if (region.writeHeader(ring.sector, ring.sequence, this.nextNumber, base, flags) < 0) {
      return ERR_STORAGE
    }
    this.writeOffset = region.headerSize
    this.sectorsBegun++
    return hasMarks ? this.storeMark() : OK
  }

  private eraseNow(sector: number): boolean {
    const region = this.region
    for (let tries = 0; tries < ERASE_TRIES; tries++) {
      this.hotErases++
      const status = region.erase(sector, 1)
      if (status >= 0 && this.isBlank(sector, this.scratchCheck)) return true
    }
    return false
  }

  private storeMark(): Status {
    if (this.saltSize() > 0) return this.salt()
    this.region.forgetTopic()
    const length = this.window.encode(this.scratch, RECORD_HEADER, this.nextNumber)
    const written = this.put(this.scratch, MARK, length)
    if (written < 0) return written
    this.markedBase = this.window.storedBase(this.nextNumber)
    return OK
  }

  private writeContext(seconds: number): Status {
    return this.putContext(seconds, this.nextNumber)
  }

  /** A CONTEXT; `next` is the number of the message behind it. */
  private putContext(seconds: number, next: number): Status {
    const region = this.region
    const scratch = this.scratch
    const window = this.window
    const before = this.nextNumber
    const isJump = next !== before
    region.forgetTopic()
    // Should it fail, nothing may be written with its salt.
    this.isSalted = false
    this.nextNumber = next
    const length = encodeContext(region, scratch, RECORD_HEADER, seconds, next, isJump, window)
    const written = this.put(scratch, CONTEXT, length)
    if (written < 0) {
      this.nextNumber = before
      return written
    }
    this.timeBase = seconds
    this.isSalted = true
    this.markedBase = window.storedBase(next)
    return OK
  }

  /** Writes a record at the free offset. A write that fails may leave bits: the sector closes. */
  private put(buffer: Uint8Array, type: number, length: number): number {
    if (buffer === this.scratch) this.region.forgetTopic()
    const size = this.region.writeRecord(
      this.ring.sector,
      this.ring.sequence,
      this.writeOffset,
      buffer,
      type,
      length,
      this.nextNumber,
    )
    if (size === ERR_HOOK) return ERR_HOOK
    if (size < 0) {
      this.close()
      return ERR_STORAGE
    }
    this.writeOffset += size
    return size
  }
}
