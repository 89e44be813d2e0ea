import { ERR_HOOK, ERR_KEY, ERR_STORAGE, OK, type Status } from '../status.js'
import { type ExchangeWindow, isBefore } from './exchange-window.js'
import { CONTEXT, MARK, MESSAGE, RECORD_HEADER, TOPIC } from './flash-record.js'
import type { FlashReader } from './flash-reader.js'
import type { FlashRegion } from './flash-region.js'
import { type FlashRing, SEARCH_TRIES } from './flash-ring.js'
import { HEADER_VALID, MARK_FOLLOWS } from './flash-sector.js'
import type { FlashWriter } from './flash-writer.js'
import type { RecordContext } from './record-context.js'
import type { SectorScan } from './sector-scan.js'
import { TOPIC_LIMIT } from './topic-table.js'

/**
 * FlashRecovery: finds out after a boot where the flash log ends, which marks are in force and
 * where reading begins: docs/FLASH-FORMAT.md, section 6. It writes nothing, so a power loss during
 * recovery changes nothing.
 *
 * With hooks no header is believed. The newest sector is the newest one with a CONTEXT that the
 * hooks accept, and all its records but messages are opened here; messages are when they are read.
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
  // What `scanSector` met: a MARK that came into the window, any record at all, one that hides what
  // it is; and the time base in force at the end.
  private isMarked: boolean
  private hasRecords: boolean
  private refusesTopics: boolean
  private timeBase: number
  /** Records before this number are complete because a CONTEXT says so; 0: none does. */
  private jumpedTo: number
  private readonly context: RecordContext
  /** With hooks: there is a CONTEXT that they accept. */
  isSealed: boolean

  /** Sequence number of the sector whose MARK, or header where it needs none, was in force. */
  markSector: number
  /** Where in the sector that MARK, or the CONTEXT with its marks, stands; 0: the header. */
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
    this.isMarked = false
    this.hasRecords = false
    this.refusesTopics = false
    this.timeBase = 0
    this.jumpedTo = 0
    this.context = reader.context
    this.isSealed = false
  }

  /** Fills the window and sets writer and reader. `first...` count for a log without a sector. */
  recover(window: ExchangeWindow, firstNumber: number, firstSequence: number): Status {
    const writer = this.writer
    const reader = this.reader
    const region = this.region
    const failedReads = region.failedReads
    writer.topics.reset()
    this.jumpedTo = 0
    this.isSealed = false
    if (!this.findNewest() || !this.scanNewest(window)) {
      window.reset(firstNumber)
      this.ring.startEmpty(firstSequence, firstNumber)
      writer.start(window, firstNumber, region.sectorSize, 0)
    } else {
      this.startWriter(window)
      this.restoreMarks(window)
      this.releaseOlder(window)
      // Bodies that were hooked are no messages without the hooks.
      const seal = region.seal
      if (seal === null && region.refused > 0) return ERR_HOOK
      if (seal !== null && !seal.knowsKeys(this.ring, this.scratch)) return ERR_KEY
    }
    writer.markedBase = window.base
    reader.skippedCount = 0
    reader.countedTo = window.base
    reader.rewind(window.base)
    // What cannot be read now must not pass for lost.
    return region.failedReads === failedReads ? OK : ERR_STORAGE
  }

  /**
   * Scans the newest sector. With hooks, one without a seal and without records was never begun:
   * then the one before it is the newest. False: there is none.
   */
  private scanNewest(window: ExchangeWindow): boolean {
    const count = this.region.sectorCount
    const header = this.region.header
    for (let round = 0; round < count; round++) {
      if (round === 0 || this.readSector(this.sector, this.sequence)) {
        this.firstNumber = header.firstNumber
        this.base = header.base
        this.flags = header.flags
        window.reset(this.base)
        this.scanSector(this.sector, this.sequence, this.firstNumber, window, true)
        if (this.region.seal === null || this.isMarked || this.hasRecords) return true
      }
      this.sector = (this.sector + count - 1) % count
      this.sequence = (this.sequence - 1) >>> 0
    }
    return false
  }

  /** Sets the writer behind the last record of the newest sector, which was scanned. */
  private startWriter(window: ExchangeWindow): void {
    const writer = this.writer
    const scan = this.scan
    const seal = this.region.seal
    // A sector has one key. Behind a record that hides what it is, nothing is written.
    const isOpen =
      scan.isOpen && (seal === null || (this.isMarked && this.context.salt[2] === seal.salt[2]))
    const offset = isOpen ? scan.offset : this.region.sectorSize
    this.ring.start(this.sector, this.sequence, this.firstNumber)
    writer.start(window, scan.lastNumber, offset, this.timeBase)
    // A topic's number is never given twice in a sector. Where one may have been lost, the sector
    // takes no further topics.
    if (scan.hasDamage || this.refusesTopics) {
      writer.topics.set(TOPIC_LIMIT, 0, 0, this.context.salt)
    }
  }

  /** Looks for the MARK in force in older sectors, where the newest one lacks it. */
  private restoreMarks(window: ExchangeWindow): void {
    const writer = this.writer
    const isHooked = this.region.seal !== null
    let sector = this.sector
    let sequence = this.sequence
    let isFlagged = isHooked || (this.flags & MARK_FOLLOWS) !== 0
    for (let round = 1; round < this.region.sectorCount; round++) {
      if (this.isMarked || !isFlagged) break
      // The power was cut between the header and its MARK: the sector before has the newest one.
      // With hooks the seal is damaged: what its sector says of numbers must follow from that one.
      sequence = (sequence - 1) >>> 0
      sector = this.ring.placeOf(sequence)
      if (!this.readSector(sector, sequence)) continue
      isFlagged = isHooked || (this.region.header.flags & MARK_FOLLOWS) !== 0
      if (isHooked) window.reset(this.region.header.firstNumber)
      this.scanSector(sector, sequence, this.region.header.firstNumber, window, false)
      const jump = (this.firstNumber - this.scan.lastNumber) | 0
      if (isHooked && (jump < 0 || jump > this.region.sectorSize)) {
        this.ring.firstNumber = this.scan.lastNumber
        writer.skipTo(this.scan.lastNumber)
      }
    }
    this.markSector = sequence
    if (!isHooked && isBefore(window.base, this.base)) window.moveBase(this.base)
    if (this.jumpedTo !== 0 && isBefore(window.base, this.jumpedTo)) window.moveBase(this.jumpedTo)
    if (isBefore(writer.nextNumber, window.base)) writer.skipTo(window.base)
  }

  /**
   * Finds the sector that holds the base. If it is gone, the oldest one left takes its place, and
   * the numbers between are damaged messages.
   */
  private releaseOlder(window: ExchangeWindow): void {
    const ring = this.ring
    const oldest = (ring.sequence - this.region.sectorCount + 1) >>> 0
    ring.baseSequence = ring.findSector(window.base, oldest)
    ring.baseFirst = ring.foundFirst
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
    return this.readSector(low, this.sequence)
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

  /** Takes the marks and the time base of a sector; with `isNewest` also its topics. */
  private scanSector(
    sector: number,
    sequence: number,
    firstNumber: number,
    window: ExchangeWindow,
    isNewest: boolean,
  ): void {
    const region = this.region
    const scan = this.scan
    const context = this.context
    const isHooked = region.seal !== null
    context.reset()
    this.isMarked = false
    this.markOffset = 0
    this.hasRecords = false
    this.refusesTopics = false
    scan.start(sector, sequence, firstNumber, region.sectorSize)
    for (let type = scan.next(); type > 0; type = scan.next()) {
      // What was damaged may have been a time base: better none than an old one.
      if (scan.isAfterDamage) context.timeBase = 0
      if (isHooked && scan.isAfterDamage) region.refused++
      this.hasRecords = true
      if (type === CONTEXT) this.takeContext(sequence, firstNumber, window, isNewest)
      else if (type !== MESSAGE) this.takeRecord(type, sequence, window, isNewest)
    }
    this.timeBase = context.timeBase
  }

  private takeContext(
    sequence: number,
    firstNumber: number,
    window: ExchangeWindow,
    isNewest: boolean,
  ): void {
    const scan = this.scan
    const context = this.context
    const region = this.region
    const status = context.take(scan.buffer, scan.at, sequence, scan.offset, scan.stored)
    if (region.seal === null) {
      if (status < 0) region.refused++
      // All that stood before it was complete: as good as a MARK.
      else if (isNewest && context.next !== 0) this.jumpedTo = context.next
    } else if (status === OK) {
      if (scan.offset === region.headerSize && context.next !== firstNumber) {
        // It is the header that was altered: it would shift the numbers of the messages.
        region.refused++
        if (isNewest) this.firstNumber = context.next
      }
      if (region.seal.decodeMarks(window, scan.buffer)) {
        this.noteMark()
        this.isSealed = true
      }
    }
    if (status === OK && context.next !== 0 && !scan.jumpTo(context.next)) region.refused++
  }

  private noteMark(): void {
    this.isMarked = true
    this.markOffset = this.scan.offset
  }

  /** A record that is neither a CONTEXT nor a MESSAGE. */
  private takeRecord(
    type: number,
    sequence: number,
    window: ExchangeWindow,
    isNewest: boolean,
  ): void {
    const region = this.region
    const scan = this.scan
    const buffer = scan.buffer
    const bodyAt = scan.at + RECORD_HEADER
    const salt = this.context.salt
    const offset = scan.offset
    let length = scan.stored
    if (region.seal !== null) {
      length = region.seal.open(buffer, scan.at, type, length, sequence, offset, 0, salt, 0)
    }
    if (length < 0) {
      this.refusesTopics = true
    } else if (type === MARK) {
      if (window.decode(buffer, bodyAt, length)) this.noteMark()
    } else if (type === TOPIC && isNewest && length > 0) {
      const hash = region.system.crc32(buffer, bodyAt + 1, length - 1)
      this.writer.topics.set(buffer[bodyAt]!, offset, hash, salt)
    }
  }
}
