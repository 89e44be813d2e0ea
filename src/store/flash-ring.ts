import { isBefore } from './exchange-window.js'
import type { FlashRegion } from './flash-region.js'
import { HEADER_VALID } from './flash-sector.js'

/**
 * FlashRing: the order of the sectors of the flash log: which one is being written, which are still
 * needed, and where a number is to be found. Its state is a few numbers, however large the region
 * is; the rest stands in the sector headers. It knows nothing of records.
 *
 *   needed                     written   erased ahead
 *   +-------+-------+- - - - -+-------+-------+- - - - - - - -+
 *   | base  |       |         | ###   | blank |  free         |   sequence rises to the right
 *   +-------+-------+- - - - -+-------+-------+- - - - - - - -+
 */

/**
 * Headers looked at from a place on before the place is taken for one without a header. One less
 * is the number of damaged headers in a row that do not mislead a search.
 */
export const SEARCH_TRIES = 3

export class FlashRing {
  private readonly region: FlashRegion
  /** The sector being written: its place in the ring, its sequence number, its first number. */
  sector: number
  sequence: number
  firstNumber: number
  /** The sector that holds the window's base; older ones hold complete records only. */
  baseSequence: number
  /** First number of that sector. */
  baseFirst: number
  /** First number of the sector that `following` or `findSector` returned. */
  foundFirst: number
  // The sector after that of the base, and its first number; 0: not known.
  private afterBaseSequence: number
  private afterBase: number

  constructor(region: FlashRegion) {
    this.region = region
    this.sector = 0
    this.sequence = 0
    this.firstNumber = 1
    this.baseSequence = 0
    this.baseFirst = 1
    this.foundFirst = 0
    this.afterBaseSequence = 0
    this.afterBase = 0
  }

  /** Sets the sector being written. All that is older is free until `baseSequence` is set. */
  start(sector: number, sequence: number, firstNumber: number): void {
    this.sector = sector
    this.sequence = sequence
    this.firstNumber = firstNumber
    this.baseSequence = sequence
    this.baseFirst = firstNumber
    this.afterBase = 0
  }

  /** A ring without a sector: the first one will be at its start and have `sequence`. */
  startEmpty(sequence: number, firstNumber: number): void {
    this.start(this.region.sectorCount - 1, (sequence - 1) >>> 0, firstNumber)
    this.baseSequence = sequence
  }

  /** The place of the sector after the one being written. */
  get next(): number {
    return (this.sector + 1) % this.region.sectorCount
  }

  /** Moves on to the next sector, whose first message will be `firstNumber`. */
  step(firstNumber: number): void {
    this.sector = this.next
    this.sequence = (this.sequence + 1) >>> 0
    this.firstNumber = firstNumber
  }

  /** The place of a sector that is at most a round older than the write sector. */
  placeOf(sequence: number): number {
    const count = this.region.sectorCount
    return (this.sector + count - (((this.sequence - sequence) >>> 0) % count)) % count
  }

  /**
   * Reads the header of a sector: true when it is whole, has this sequence number, and begins with
   * no number that is still to come: who counts up to one would count for hours.
   */
  readHeader(sequence: number): boolean {
    if (this.region.readOwnHeader(this.placeOf(sequence)) !== HEADER_VALID) return false
    const header = this.region.header
    return header.sequence === sequence && !isBefore(this.firstNumber, header.firstNumber)
  }

  /**
   * The sequence number of the next sector after `sequence` whose header is whole, at the latest
   * the write sector; its first number is then in `foundFirst`. Where a header could not be read,
   * `region.failedReads` has grown and the result is worth nothing.
   */
  following(sequence: number): number {
    let next = (sequence + 1) >>> 0
    for (; isBefore(next, this.sequence); next = (next + 1) >>> 0) {
      if (!this.readHeader(next)) continue
      this.foundFirst = this.region.header.firstNumber
      return next
    }
    this.foundFirst = this.firstNumber
    return this.sequence
  }

  /**
   * The newest sector, from `oldest` on, whose first number is not newer than `number`, or else the
   * oldest one there is; its first number is then in `foundFirst`.
   */
  findSector(number: number, oldest: number): number {
    if (isBefore(this.sequence, oldest)) return this.following(this.sequence)
    let low = 0
    let high = (this.sequence - oldest) >>> 0
    while (low < high) {
      const middle = low + ((high - low + 1) >>> 1)
      const found = this.firstFrom(oldest, middle, high)
      if (found >= 0 && !isBefore(number, this.foundFirst)) low = found
      // Several without a header are erased ahead, so older than all that is left. Fewer, right
      // before a sector that is too new, are damaged: what is wanted may be before them.
      else if (found < 0 && middle + SEARCH_TRIES - 1 <= high) low = middle + SEARCH_TRIES - 1
      else high = middle - 1
    }
    return this.following(oldest + low - 1)
  }

  /** The first of a few sectors from `oldest + distance` on that has a header, or -1. */
  private firstFrom(oldest: number, distance: number, last: number): number {
    for (let at = distance; at <= last && at < distance + SEARCH_TRIES; at++) {
      const sequence = (oldest + at) >>> 0
      if (sequence === this.sequence) {
        this.foundFirst = this.firstNumber
        return at
      }
      if (!this.readHeader(sequence)) continue
      this.foundFirst = this.region.header.firstNumber
      return at
    }
    return -1
  }

  /**
   * Sectors that hold nothing that is needed. The newest MARK needs no thought: it speaks of
   * records from the base on, and those were written before it, in its sector or an older one.
   */
  get freeSectors(): number {
    return this.region.sectorCount - ((this.sequence - this.baseSequence + 1) | 0)
  }

  /** Every record before `base` is complete: sectors before the one that holds it are free. */
  release(base: number): void {
    while (isBefore(this.baseSequence, this.sequence)) {
      const first = this.firstAfterBase()
      if (first === 0 || isBefore(base, first)) return
      this.baseSequence = this.afterBaseSequence
      this.baseFirst = first
      this.afterBase = 0
    }
  }

  /** First number after the base's sector, or 0 when that is the sector being written. */
  oldestAfterDrop(): number {
    return isBefore(this.baseSequence, this.sequence) ? this.firstAfterBase() : 0
  }

  /** 0: it could not be read. */
  private firstAfterBase(): number {
    if (this.afterBase === 0) {
      const failedReads = this.region.failedReads
      this.afterBaseSequence = this.following(this.baseSequence)
      if (this.region.failedReads === failedReads) this.afterBase = this.foundFirst
    }
    return this.afterBase
  }
}
