import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import type { Status } from '../status.js'
import { ExchangeWindow, WINDOW_BYTES } from './exchange-window.js'
import { FlashFragments } from './flash-fragments.js'
import { FlashReader } from './flash-reader.js'
import { RECORD_HEADER } from './flash-record.js'
import { FlashRecovery } from './flash-recovery.js'
import { FlashRegion } from './flash-region.js'
import { FlashRing } from './flash-ring.js'
import { FlashWriter } from './flash-writer.js'
import type { OutgoingLog } from './outgoing-log.js'
import type { SealedHooks } from './sealing.js'
import { SectorScan } from './sector-scan.js'

/**
 * FlashLog: the OutgoingLog on flash: a writer, the reader behind it and the recovery, over one
 * region and their two buffers. docs/FLASH-FORMAT.md has the bytes.
 *
 * It is its own writer, because that is what `publish` goes through: a call less on a small stack.
 *
 * The caller's buffer takes bodies; a small scratch buffer takes all other records, so that a body
 * being built survives `reserve`, `topicNumber`, `timeDelta` and `writeMark`.
 */

/** The longest topic that is stored once a sector, unless the caller says otherwise. */
export const DEFAULT_MAX_TOPIC = 128

export class FlashLog extends FlashWriter implements OutgoingLog {
  readonly bodyAt: number
  readonly holdsNext: boolean
  readonly topicBuffer: Uint8Array
  readonly topicAt: number
  readonly loadedAt: number
  /** Number of the first message and of the first sector of a log that has none yet. */
  firstNumber: number
  firstSequence: number
  readonly scan: SectorScan
  readonly fragments: FlashFragments
  private readonly reader: FlashReader
  /** What `mount` found; see `FlashStore`. */
  readonly recovery: FlashRecovery

  constructor(
    storage: ReadWriteStorage,
    firstSector: number,
    sectorCount: number,
    number: number,
    system: System,
    buffer: Uint8Array,
    hooks: SealedHooks | null,
    maxTopic: number,
  ) {
    const region = new FlashRegion(storage, system, hooks, number, firstSector, sectorCount)
    const longest = maxTopic + 1 > WINDOW_BYTES ? maxTopic + 1 : WINDOW_BYTES
    const size = region.recordSize(longest + region.growth)
    // A CONTEXT with hooks is longer than a MARK.
    const scratch = new Uint8Array(size > region.contextSize ? size : region.contextSize)
    const ring = new FlashRing(region)
    super(region, ring, buffer, scratch, maxTopic)
    const scan = new SectorScan(region, buffer, this.bufferCheck)
    const reader = new FlashReader(region, ring, this, scan, scratch, maxTopic)
    this.bodyAt = RECORD_HEADER
    this.holdsNext = false
    this.topicBuffer = scratch
    this.topicAt = reader.topics.topicAt
    this.loadedAt = RECORD_HEADER
    this.firstNumber = 1
    this.firstSequence = 1
    this.scan = scan
    this.reader = reader
    this.recovery = new FlashRecovery(region, ring, scan, this, reader, scratch)
    this.fragments = new FlashFragments(region, ring, this, reader, scan, buffer)
  }

  /** Recovers the log of the store `storeId` and fills the window, to which the log keeps. */
  mount(storeId: number, bootSalt: number, window: ExchangeWindow): Status {
    this.region.begin(storeId, bootSalt)
    return this.recovery.recover(window, this.firstNumber, this.firstSequence)
  }

  get storedEnd(): number {
    return this.nextNumber
  }

  get writeSector(): number {
    return this.ring.sequence
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

  release(base: number): void {
    this.ring.release(base)
  }

  oldestAfterDrop(): number {
    return this.ring.oldestAfterDrop()
  }

  get skippedCount(): number {
    return this.reader.skippedCount
  }

  get capacity(): number {
    return this.region.sectorCount * this.region.sectorSize
  }

  get wear(): number {
    return this.ring.sequence / this.region.sectorCount
  }
}
