import type { ReadWriteStorage, StorageHooks } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import type { Status } from '../status.js'
import { ExchangeWindow, WINDOW_BYTES } from './exchange-window.js'
import { FlashFragments } from './flash-fragments.js'
import { FlashReader } from './flash-reader.js'
import { RECORD_HEADER } from './flash-record.js'
import { FlashRecovery } from './flash-recovery.js'
import { BlankCheck, FlashRegion } from './flash-region.js'
import { FlashRing } from './flash-ring.js'
import { FlashWriter } from './flash-writer.js'
import type { OutgoingLog } from './outgoing-log.js'
import { SectorScan } from './sector-scan.js'

/**
 * FlashLog: the OutgoingLog on flash. It joins the writer, the reader and the recovery over one
 * region and their two buffers, and does nothing itself. docs/FLASH-FORMAT.md has the bytes.
 *
 * The caller's buffer takes bodies; a small scratch buffer takes all other records, so that a body
 * being built survives `reserve`, `topicNumber`, `timeDelta` and `writeMark`.
 */

/** The longest topic that is stored once a sector, unless the caller says otherwise. */
export const DEFAULT_MAX_TOPIC = 128

export class FlashLog implements OutgoingLog {
  readonly region: FlashRegion
  readonly buffer: Uint8Array
  readonly bodyAt: number
  readonly holdsNext: boolean
  readonly maxBody: number
  readonly topicBuffer: Uint8Array
  readonly topicAt: number
  readonly loadedAt: number
  /** Number of the first message and of the first sector of a log that has none yet. */
  firstNumber: number
  firstSequence: number
  readonly scan: SectorScan
  readonly fragments: FlashFragments
  private readonly ring: FlashRing
  private readonly writer: FlashWriter
  private readonly reader: FlashReader
  private readonly recovery: FlashRecovery

  constructor(
    storage: ReadWriteStorage,
    firstSector: number,
    sectorCount: number,
    region: number,
    system: System,
    buffer: Uint8Array,
    hooks: StorageHooks | null,
    maxTopic: number,
  ) {
    this.region = new FlashRegion(storage, system, hooks, region, firstSector, sectorCount)
    const longest = maxTopic + 1 > WINDOW_BYTES ? maxTopic + 1 : WINDOW_BYTES
    const scratch = new Uint8Array(this.region.recordSize(longest + this.region.growth))
    this.buffer = buffer
    this.bodyAt = RECORD_HEADER
    this.holdsNext = false
    this.topicBuffer = scratch
    this.loadedAt = RECORD_HEADER
    this.firstNumber = 1
    this.firstSequence = 1
    this.scan = new SectorScan(this.region, buffer, new BlankCheck(this.region, buffer))
    this.ring = new FlashRing(this.region)
    this.writer = new FlashWriter(this.region, this.ring, buffer, scratch, maxTopic)
    this.reader = new FlashReader(this.region, this.ring, this.writer, this.scan, scratch, maxTopic)
    this.recovery = new FlashRecovery(
      this.region,
      this.ring,
      this.scan,
      this.writer,
      this.reader,
      scratch,
    )
    this.maxBody = this.writer.maxBody
    this.fragments = new FlashFragments(
      this.region,
      this.ring,
      this.writer,
      this.reader,
      this.scan,
      buffer,
    )
    this.topicAt = this.reader.topics.topicAt
  }

  /** Recovers the log of the store `storeId` and fills the window, to which the log keeps. */
  mount(storeId: number, bootSalt: number, window: ExchangeWindow): Status {
    this.region.storeId = storeId
    this.region.bootSalt = bootSalt
    return this.recovery.recover(window, this.firstNumber, this.firstSequence)
  }

  get nextNumber(): number {
    return this.writer.nextNumber
  }

  get storedEnd(): number {
    return this.writer.nextNumber
  }

  get writeSector(): number {
    return this.ring.sequence
  }

  get writeOffset(): number {
    return this.writer.offset
  }

  reserve(length: number): Status {
    return this.writer.reserve(length)
  }

  topicNumber(
    source: Uint8Array,
    sourceAt: number,
    length: number,
    hint: number,
    hintSector: number,
  ): number {
    if (hint > 0 && hintSector === this.ring.sequence) return hint
    return this.writer.topicNumber(source, sourceAt, length)
  }

  timeDelta(seconds: number): number {
    return this.writer.timeDelta(seconds)
  }

  append(length: number): number {
    return this.writer.append(length)
  }

  rewind(number: number): void {
    this.reader.rewind(number)
  }

  advance(): number {
    return this.reader.advance()
  }

  stepBack(): void {
    this.reader.stepBack()
  }

  load(): Status {
    return this.reader.load()
  }

  get loadedLength(): number {
    return this.reader.loadedLength
  }

  get loadedTimeBase(): number {
    return this.reader.timeBase
  }

  loadTopic(number: number): Status {
    return this.reader.loadTopic(number)
  }

  get topicLength(): number {
    return this.reader.topics.topicLength
  }

  writeMark(window: ExchangeWindow): Status {
    return this.writer.writeMark(window)
  }

  release(base: number): void {
    this.ring.release(base)
  }

  oldestAfterDrop(): number {
    return this.ring.oldestAfterDrop()
  }

  maintain(): boolean {
    return this.writer.maintain()
  }

  /** Every record is complete, and so are those before `number` that are not in the log. */
  jumpTo(number: number): Status {
    return this.writer.jumpTo(number)
  }

  /** Numbers before `number` are not used again: what they stood for may be known to a broker. */
  skipTo(number: number): void {
    this.writer.skipTo(number)
  }

  get skippedCount(): number {
    return this.reader.skippedCount
  }

  get freeBytes(): number {
    return this.writer.freeBytes()
  }

  get capacity(): number {
    return this.region.sectorCount * this.region.sectorSize
  }

  get wear(): number {
    return this.ring.sequence / this.region.sectorCount
  }

  /** Newest time base of the sector being written, in seconds; 0: none. */
  get timeBase(): number {
    return this.writer.timeBase
  }

  /** Records written since the log was made, and their bytes with headers and padding. */
  get recordsWritten(): number {
    return this.region.recordsWritten
  }

  get bytesWritten(): number {
    return this.region.bytesWritten
  }

  /** The sector whose marks `mount` found in force: see `FlashStore`. */
  get markSector(): number {
    return this.recovery.markSector
  }

  /** Where in that sector the MARK stands; 0: in the header. */
  get markOffset(): number {
    return this.recovery.markOffset
  }

  /** Erases that delayed an append, a reservation or a mark since the last mount. */
  get hotErases(): number {
    return this.writer.hotErases
  }
}
