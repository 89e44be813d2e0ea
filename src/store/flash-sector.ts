import type { System } from '../../hal/system.js'
import { readUint32, writeUint32 } from '../codec/bytes.js'
import { NO_SINGLE_BIT, flippedBit } from './flipped-bit.js'

/**
 * The header of a sector: docs/FLASH-FORMAT.md, section 2. Integers are big endian.
 *
 *   0       2         3        4          8           12             16         20       24
 *   +-------+---------+--------+----------+-----------+--------------+----------+--------+- - -+
 *   | magic | format  | flags  | store id | sequence  | first number |   base   | check  | 0xFF|
 *   +-------+---------+--------+----------+-----------+--------------+----------+--------+- - -+
 *                                                                        padding to writeSize
 *
 * Flags: bits 0 to 3 region, bit 4: a MARK follows, bit 5: forgotten. Nothing is known here of the
 * records behind.
 */

/** Bytes in a header without its padding. */
export const SECTOR_HEADER = 24
/** The format number this program reads and writes. */
export const FORMAT = 1
/** Flag: the window had marks when the sector was begun; a MARK follows as soon as possible. */
export const MARK_FOLLOWS = 0x10
/** Flag of a session sector: the store was given up; mounting erases what is left of it. */
export const FORGOTTEN = 0x20
const REGION_MASK = 0x0f
const MAGIC_0 = 0x48
const MAGIC_1 = 0x46

/** What a header place holds. */
export const HEADER_BLANK = 0
export const HEADER_VALID = 1
/** Neither blank nor a header: torn, flipped, or never ours. */
export const HEADER_DAMAGED = 2
/** A whole header of another format number. */
export const HEADER_FORMAT = 3

/** One header, encoded and decoded in place. Its bytes also serve for peeks at a record. */
export class SectorHeader {
  /** 32 bytes: a header with the largest padding. */
  readonly bytes: Uint8Array
  region: number
  flags: number
  storeId: number
  sequence: number
  firstNumber: number
  base: number

  constructor() {
    this.bytes = new Uint8Array(32)
    this.region = 0
    this.flags = 0
    this.storeId = 0
    this.sequence = 0
    this.firstNumber = 0
    this.base = 0
  }

  /** Writes the fields into `bytes`. */
  encode(system: System): void {
    const bytes = this.bytes
    bytes.fill(0xff)
    bytes[0] = MAGIC_0
    bytes[1] = MAGIC_1
    bytes[2] = FORMAT
    bytes[3] = this.region | this.flags
    writeUint32(bytes, 4, this.storeId)
    writeUint32(bytes, 8, this.sequence)
    writeUint32(bytes, 12, this.firstNumber)
    writeUint32(bytes, 16, this.base)
    writeUint32(bytes, 20, system.crc32(bytes, 0, 20))
  }

  /** Reads the fields from `bytes` and says what is there. */
  decode(system: System): number {
    const bytes = this.bytes
    let blank = 0xff
    for (let at = 0; at < SECTOR_HEADER; at++) blank &= bytes[at]!
    if (blank === 0xff) return HEADER_BLANK
    const difference = (readUint32(bytes, 20) ^ system.crc32(bytes, 0, 20)) | 0
    if (difference !== 0) {
      // A header holds a whole sector. One flipped bit is put right: 20 bytes have 160 of them, so
      // what is no header passes for one with a chance of 4e-8, before its magic is compared.
      const bit = flippedBit(difference, 20)
      if (bit === NO_SINGLE_BIT) return HEADER_DAMAGED
      if (bit < 160) bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7))
    }
    if (bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) return HEADER_DAMAGED
    if (bytes[2] !== FORMAT) return HEADER_FORMAT
    this.region = bytes[3]! & REGION_MASK
    this.flags = bytes[3]! & ~REGION_MASK
    this.storeId = readUint32(bytes, 4)
    this.sequence = readUint32(bytes, 8)
    this.firstNumber = readUint32(bytes, 12)
    this.base = readUint32(bytes, 16)
    return HEADER_VALID
  }
}
