import { isBefore, numberAfter } from './exchange-window.js'
import { readUint32, writeUint32 } from '../codec/bytes.js'
import { PLAIN_BYTES } from './context-layout.js'
import {
  CONTEXT,
  MESSAGE,
  RECORD_HEADER,
  LAST_TYPE,
  numberKey,
  recordKey,
  recordLength,
  recordType,
} from './flash-record.js'
import { BlankCheck, READ_TRIES, type FlashRegion } from './flash-region.js'
import { NO_SINGLE_BIT, flippedBit } from './flipped-bit.js'

/**
 * SectorScan: reads a sector from its first record on, checks every record, and tells where the
 * log ends in it. Used after a boot, and when a reader has met damage. It reads as much as its
 * buffer takes at a time, so that a sector costs few reads. It does not know what a body means.
 *
 * A record whose check fails is passed over if one flipped bit explains it, or if an intact record
 * follows, at the place its length names or at the next place where there is one. If not, the scan
 * ends there: the record is torn. A record with a flipped bit is not put right: one torn
 * record in four million would pass for one that was never written.
 */
export class SectorScan {
  private readonly region: FlashRegion
  /** Where the records are found: the header of the present one is at `at`. */
  readonly buffer: Uint8Array
  private readonly blankCheck: BlankCheck
  private address: number
  private sequence: number
  private end: number
  private nextAt: number
  // What the buffer holds: bytes `heldFrom` to `heldTo` of the sector.
  private heldFrom: number
  private heldTo: number
  /** Offset of the present record in the sector. */
  offset: number
  /** Where it is in `buffer`. */
  at: number
  /** Bytes of its stored body. */
  stored: number
  /** Number of the present record if it is a message. */
  number: number
  /**
   * The number the next message will have. Damaged records may have been messages or not: then
   * the numbers from `nextNumber` to `lastNumber` are possible, and the next message tells.
   */
  private nextNumber: number
  /** As above; at the end of the scan it is the number that no message of the sector had. */
  lastNumber: number
  /** After the scan: the end was reached and everything behind it is blank. */
  isOpen: boolean
  /** A damaged record was passed over, or the scan ended at one. */
  hasDamage: boolean
  /** A damaged record stands right before the present one. */
  isAfterDamage: boolean

  constructor(region: FlashRegion, buffer: Uint8Array, blankCheck: BlankCheck) {
    this.region = region
    this.buffer = buffer
    this.blankCheck = blankCheck
    this.address = 0
    this.sequence = 0
    this.end = 0
    this.nextAt = 0
    this.heldFrom = 0
    this.heldTo = 0
    this.offset = 0
    this.at = 0
    this.stored = 0
    this.number = 0
    this.nextNumber = 0
    this.lastNumber = 0
    this.isOpen = false
    this.hasDamage = false
    this.isAfterDamage = false
  }

  /** Starts before the first record of a sector; records end at `end` at the latest. */
  start(sector: number, sequence: number, firstNumber: number, end: number): void {
    this.address = this.region.address(sector)
    this.sequence = sequence
    this.end = end
    this.nextAt = this.region.headerSize
    this.heldFrom = 0
    this.heldTo = 0
    this.offset = 0
    this.nextNumber = firstNumber
    this.lastNumber = firstNumber
    this.isOpen = false
    this.hasDamage = false
  }

  /** Moves to the next intact record and returns its type; 0 at the end. */
  next(): number {
    this.isAfterDamage = false
    // Every round moves on by a record at least, so the scan ends.
    for (;;) {
      const offset = this.nextAt
      if (offset + RECORD_HEADER > this.end) return this.finish(offset, false)
      const type = this.examine(offset)
      if (type > 0) return this.accept(offset, type)
      // What is blank behind a damaged record stays so: the record may be a torn one.
      if (type < 0) return this.finish(offset, !this.isAfterDamage && this.blankFrom(offset))
      // Damaged. One flipped bit tells what it was. Otherwise it may have been a message, and the
      // length it names is only worth something if an intact record is there.
      this.hasDamage = true
      this.isAfterDamage = true
      const last = this.lastNumber
      const named = offset + this.region.recordSize(this.stored)
      let next = this.behindFlipped(offset)
      if (next === 0) {
        this.lastNumber = numberAfter(last)
        const isNamed = named + RECORD_HEADER <= this.end && this.examine(named) > 0
        next = isNamed ? named : this.intactBehind(offset)
      }
      if (next === 0) {
        this.lastNumber = last
        return this.finish(offset, false)
      }
      this.nextAt = next
    }
  }

  /**
   * Where the next intact record stands when the damaged one at `offset` names a wrong length; 0:
   * nowhere. Behind a torn record there is none: nothing was written there.
   */
  private intactBehind(offset: number): number {
    const region = this.region
    const unit = region.storage.writeSize
    for (let at = offset + region.recordSize(0); at + RECORD_HEADER <= this.end; at += unit) {
      if (!this.hold(at, RECORD_HEADER)) return 0
      const type = recordType(this.buffer, this.at)
      if (type < MESSAGE || type > LAST_TYPE) continue
      this.stored = recordLength(this.buffer, this.at)
      if (this.hold(at, RECORD_HEADER + this.stored) && this.isIntact(at, type, false)) return at
    }
    return 0
  }

  /**
   * The end of the record at `offset` if one flipped bit is all that is wrong with it, or 0;
   * `offset` itself if it is right now.
   */
  private behindFlipped(offset: number): number {
    if (!this.hold(offset, RECORD_HEADER)) return 0
    const buffer = this.buffer
    const named = recordLength(buffer, this.at)
    // Bits 0 to 15 are those of type and length, so each gives another length or another check.
    for (let bit = 0; bit <= 16; bit++) {
      this.stored = bit < 13 ? named ^ (1 << bit) : named
      if (!this.hold(offset, RECORD_HEADER + this.stored)) continue
      const at = this.at + 5 - ((bit & 15) >> 3)
      const flip = bit < 16 ? 1 << (bit & 7) : 0
      buffer[at] = buffer[at]! ^ flip
      const type = recordType(buffer, this.at)
      const isFound =
        type >= MESSAGE && type <= LAST_TYPE && this.isIntact(offset, type, bit === 16)
      buffer[at] = buffer[at]! ^ flip
      if (!isFound) continue
      // With hooks a record is what its tag says, and damage is told.
      if (type === CONTEXT && this.stored > PLAIN_BYTES && this.region.seal === null) {
        // It has the number of all behind it: it is put right in the buffer and looked at again.
        if (bit < 16) buffer[at] = buffer[at]! ^ flip
        else this.putRight(this.differenceAt(offset))
        return offset
      }
      if (type === MESSAGE) this.passNumber()
      return offset + this.region.recordSize(this.stored)
    }
    return 0
  }

  private putRight(difference: number): void {
    const buffer = this.buffer
    const bit = flippedBit(difference, this.stored + 2)
    const at = this.at + 4 + (bit >> 3)
    if (bit < (this.stored + 2) * 8) buffer[at] = buffer[at]! ^ (1 << (bit & 7))
    else writeUint32(buffer, this.at, readUint32(buffer, this.at) ^ difference)
  }

  /** How the check of the record at `offset` differs from that of no message. */
  private differenceAt(offset: number): number {
    const region = this.region
    const check = recordKey(region.system, this.buffer, this.at, this.stored)
    return check ^ region.keyOf(this.sequence, offset, 0, 0)
  }

  /**
   * Looks at the record at `offset`: its type if it is intact, 0 if not, -1 if its header reads
   * blank. Sets `at` and `length`, and `number` if it is an intact message.
   */
  private examine(offset: number): number {
    for (let tries = 0; tries < READ_TRIES; tries++) {
      // The first look uses what is in the buffer, a further one reads again.
      if (tries > 0) this.heldTo = 0
      if (!this.hold(offset, RECORD_HEADER)) continue
      const type = recordType(this.buffer, this.at)
      this.stored = recordLength(this.buffer, this.at)
      if (type === 7 && this.isBlankHeader()) return -1
      if (type < MESSAGE || type > LAST_TYPE || !this.hold(offset, RECORD_HEADER + this.stored))
        continue
      if (this.isIntact(offset, type, false)) return type
    }
    return 0
  }

  /** With `isFlipped` also when one flipped bit of body or check explains the difference. */
  private isIntact(offset: number, type: number, isFlipped: boolean): boolean {
    const sealed = this.differenceAt(offset)
    if (type !== MESSAGE) return this.explains(sealed, isFlipped)
    let number = this.nextNumber
    for (;;) {
      if (this.explains(sealed ^ numberKey(number), isFlipped)) {
        this.number = number
        return true
      }
      if (number === this.lastNumber) return false
      number = numberAfter(number)
    }
  }

  private explains(difference: number, isFlipped: boolean): boolean {
    if (difference === 0) return true
    return isFlipped && flippedBit(difference, this.stored + 2) !== NO_SINGLE_BIT
  }

  private isBlankHeader(): boolean {
    let blank = 0xff
    for (let at = this.at; at < this.at + RECORD_HEADER; at++) blank &= this.buffer[at]!
    return blank === 0xff
  }

  private accept(offset: number, type: number): number {
    this.offset = offset
    this.nextAt = offset + this.region.recordSize(this.stored)
    if (type === MESSAGE) this.passNumber()
    return type
  }

  /**
   * The present record, a CONTEXT, says that the next message has this number. False: it cannot be,
   * the numbers before it are wrong. In front of all others it knows better than the header.
   */
  jumpTo(number: number): boolean {
    const isFirst = this.offset === this.region.headerSize
    if (!isFirst && isBefore(number, this.nextNumber)) return false
    this.nextNumber = number
    this.lastNumber = number
    return true
  }

  /** The present record is message `number`: the next one has the number after it. */
  private passNumber(): void {
    this.nextNumber = numberAfter(this.number)
    this.lastNumber = this.nextNumber
  }

  private finish(offset: number, isOpen: boolean): number {
    this.offset = offset
    this.isOpen = isOpen
    return 0
  }

  private blankFrom(offset: number): boolean {
    this.heldTo = 0
    return this.blankCheck.isBlank(this.address + offset, this.region.sectorSize - offset)
  }

  /** Makes sure that the buffer holds `length` bytes from `offset` on, and sets `at`. */
  private hold(offset: number, length: number): boolean {
    if (offset < this.heldFrom || offset + length > this.heldTo) {
      const capacity = this.buffer.length
      if (length > capacity || offset + length > this.end) return false
      const rest = this.end - offset
      const count = rest < capacity ? rest : capacity
      this.heldTo = 0
      if (this.region.read(this.address + offset, this.buffer, 0, count) < 0) return false
      this.heldFrom = offset
      this.heldTo = offset + count
    }
    this.at = offset - this.heldFrom
    return true
  }
}
