import { ERR_STORAGE, OK, type Status } from '../status.js'
import { type ExchangeWindow, isBefore } from './exchange-window.js'
import { readUint32 } from '../codec/bytes.js'
import {
  CONTEXT,
  CONTEXT_BYTES,
  MARK,
  RECORD_HEADER,
  TOPIC,
  recordKey,
  recordLength,
  recordType,
} from './flash-record.js'
import type { FlashReader } from './flash-reader.js'
import type { FlashRegion } from './flash-region.js'
import { type FlashRing, SEARCH_TRIES } from './flash-ring.js'
import { HEADER_VALID, MARK_FOLLOWS } from './flash-sector.js'
import type { FlashWriter } from './flash-writer.js'
import type { SectorScan } from './sector-scan.js'
import { TOPIC_LIMIT } from './topic-table.js'

/**
 * FlashRecovery: finds out after a boot where the flash log ends, which marks are in force and
 * where reading begins: docs/FLASH-FORMAT.md, section 6. It writes nothing, so a power loss during
 * recovery changes nothing.
 */

export class FlashRecovery {
  private readonly region: FlashRegion
  private readonly ring: FlashRing
  private readonly scan: SectorScan
  private readonly writer: FlashWriter
  private readonly reader: FlashReader
  private readonly scratch: Uint8Array
  // The newest sector and what its header says.
  private sector: number
  private sequence: number
  private firstNumber: number
  private base: number
  private flags: number
  // The newest MARK met by `scanSector`, and the time base in force at the end.
  private markAt: number
  private markSalt: number
  private timeBase: number
  /** Records before this number are complete because a CONTEXT says so; 0: none does. */
  private jumpedTo: number

  /** Sequence number of the sector whose MARK, or header where it needs none, was in force. */
  markSector: number
  /** Where in the sector that MARK stands; 0: the header. */
  markOffset: number

  constructor(
    region: FlashRegion,
    ring: FlashRing,
    scan: SectorScan,
    writer: FlashWriter,
    reader: FlashReader,
    scratch: Uint8Array,
  ) {
    this.region = region
    this.ring = ring
    this.scan = scan
    this.writer = writer
    this.reader = reader
    this.scratch = scratch
    this.sector = 0
    this.sequence = 0
    this.firstNumber = 0
    this.base = 0
    this.flags = 0
    this.markSector = 0
    this.markOffset = 0
    this.markAt = 0
    this.markSalt = 0
    this.timeBase = 0
    this.jumpedTo = 0
  }

  /** Fills the window and sets writer and reader. `first...` count for a log without a sector. */
  recover(window: ExchangeWindow, firstNumber: number, firstSequence: number): Status {
    const writer = this.writer
    const reader = this.reader
    const failedReads = this.region.failedReads
    writer.topics.reset()
    this.jumpedTo = 0
    if (!this.findNewest()) {
      window.reset(firstNumber)
      this.ring.startEmpty(firstSequence, firstNumber)
      writer.start(window, firstNumber, this.region.sectorSize, 0)
    } else {
      this.startWriter(window)
      this.restoreMarks(window)
      this.releaseOlder(window)
    }
    reader.skippedCount = 0
    reader.countedTo = window.base
    reader.rewind(window.base)
    // What cannot be read now must not pass for lost.
    return this.region.failedReads === failedReads ? OK : ERR_STORAGE
  }

  /** Scans the newest sector and sets the writer behind its last record. */
  private startWriter(window: ExchangeWindow): void {
    const writer = this.writer
    this.scanSector(this.sector, this.sequence, this.firstNumber, true)
    const scan = this.scan
    const offset = scan.isOpen ? scan.offset : this.region.sectorSize
    this.ring.start(this.sector, this.sequence, this.firstNumber)
    writer.start(window, scan.lastNumber, offset, this.timeBase)
    // A topic's number is never given twice in a sector. Where one may have been lost, or cannot
    // be read because of hooks, the sector takes no further topics.
    if (scan.hasDamage || this.region.hooks !== null) writer.topics.set(TOPIC_LIMIT, 0, 0, 0)
  }

  /** Puts the newest MARK in force into the window. */
  private restoreMarks(window: ExchangeWindow): void {
    const writer = this.writer
    window.reset(this.base)
    let sector = this.sector
    let sequence = this.sequence
    let isFlagged = (this.flags & MARK_FOLLOWS) !== 0
    for (let round = 0; round < this.region.sectorCount; round++) {
      this.markOffset = this.markAt
      if (this.markAt > 0 && this.loadMark(window, sector, sequence)) break
      this.markOffset = 0
      if (!isFlagged) break
      // The power was cut between the header and its MARK: the sector before has the newest one.
      sequence = (sequence - 1) >>> 0
      sector = this.ring.placeOf(sequence)
      this.markAt = 0
      if (!this.readSector(sector, sequence)) continue
      isFlagged = (this.region.header.flags & MARK_FOLLOWS) !== 0
      this.scanSector(sector, sequence, this.region.header.firstNumber, false)
    }
    this.markSector = sequence
    if (isBefore(window.base, this.base)) window.moveBase(this.base)
    if (this.jumpedTo !== 0 && isBefore(window.base, this.jumpedTo)) window.moveBase(this.jumpedTo)
    if (isBefore(writer.nextNumber, window.base)) writer.skipTo(window.base)
  }

  /** Finds the sector that holds the base. If it is gone, the oldest one left takes its place. */
  private releaseOlder(window: ExchangeWindow): void {
    const ring = this.ring
    const oldest = (ring.sequence - this.region.sectorCount + 1) >>> 0
    ring.baseSequence = ring.findSector(window.base, oldest)
    ring.baseFirst = ring.foundFirst
    if (isBefore(window.base, ring.baseFirst)) window.moveBase(ring.baseFirst)
  }

  /** Finds the newest sector by its header. False when no sector has one. */
  private findNewest(): boolean {
    const count = this.region.sectorCount
    const header = this.region.header
    let low = 0
    while (low < count && this.region.readOwnHeader(low) !== HEADER_VALID) low++
    if (low === count) return false
    // In ring order the sequence numbers rise by one from sector to sector up to the newest one.
    const origin = (header.sequence - low) >>> 0
    let high = count - 1
    while (low < high) {
      const middle = low + ((high - low + 1) >>> 1)
      const found = this.newerFrom(origin, middle, high)
      if (found < 0) high = middle - 1
      else low = found
    }
    this.sector = low
    this.sequence = (origin + low) >>> 0
    if (!this.readSector(low, this.sequence)) return false
    this.firstNumber = header.firstNumber
    this.base = header.base
    this.flags = header.flags
    return true
  }

  /** The first of a few sectors from `place` on that is of the present round, or -1. */
  private newerFrom(origin: number, place: number, last: number): number {
    for (let at = place; at <= last && at < place + SEARCH_TRIES; at++) {
      if (this.readSector(at, (origin + at) >>> 0)) return at
    }
    return -1
  }

  /** Reads a header: true when it is whole and has this sequence number. */
  private readSector(sector: number, sequence: number): boolean {
    if (this.region.readOwnHeader(sector) !== HEADER_VALID) return false
    return this.region.header.sequence === sequence
  }

  /** Notes the newest MARK and the time base of a sector; with `isNewest` also its topics. */
  private scanSector(
    sector: number,
    sequence: number,
    firstNumber: number,
    isNewest: boolean,
  ): void {
    const region = this.region
    const scan = this.scan
    const topics = this.writer.topics
    let salt = 0
    this.markAt = 0
    this.timeBase = 0
    scan.start(sector, sequence, firstNumber, region.sectorSize)
    for (let type = scan.next(); type > 0; type = scan.next()) {
      const bodyAt = scan.at + RECORD_HEADER
      // What was damaged may have been a time base: better none than an old one.
      if (scan.isAfterDamage) this.timeBase = 0
      if (type === MARK) {
        this.markAt = scan.offset
        this.markSalt = salt
      } else if (type === CONTEXT && scan.stored >= CONTEXT_BYTES) {
        salt = readUint32(scan.buffer, bodyAt)
        this.timeBase = readUint32(scan.buffer, bodyAt + 4)
        // All that stood before it was complete: as good as a MARK.
        if (isNewest && scan.stored > CONTEXT_BYTES) {
          this.jumpedTo = readUint32(scan.buffer, bodyAt + 8)
        }
      } else if (type === TOPIC && isNewest && scan.stored > 0) {
        const hash = region.system.crc32(scan.buffer, bodyAt + 1, scan.stored - 1)
        topics.set(scan.buffer[bodyAt]!, scan.offset, hash, salt)
      }
    }
  }

  /** Reads the MARK that `scanSector` found into the window. */
  private loadMark(window: ExchangeWindow, sector: number, sequence: number): boolean {
    const region = this.region
    const scratch = this.scratch
    const rest = region.sectorSize - this.markAt
    const count = rest < scratch.length ? rest : scratch.length
    region.forgetTopic()
    if (region.read(region.address(sector) + this.markAt, scratch, 0, count) < 0) {
      return false
    }
    const stored = recordLength(scratch, 0)
    if (recordType(scratch, 0) !== MARK || RECORD_HEADER + stored > count) return false
    const key = region.keyOf(sequence, this.markAt, MARK, 0)
    if (recordKey(region.system, scratch, 0, stored) !== key) return false
    const length = region.openRecord(scratch, 0, sequence, this.markAt, MARK, stored, this.markSalt)
    return length >= 0 && window.decode(scratch, RECORD_HEADER, length)
  }
}
