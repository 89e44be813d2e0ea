/**
 * Sectors: headers and records on a flash, read, checked and written: docs/FLASH-FORMAT.md,
 * sections 2 and 3. Knows nothing of what a body means.
 */
import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import { readUint16, writeUint16, writeUint32 } from '../codec/bytes.js'
import { OK, type Status } from '../status.js'
import { numberAfter, WINDOW_SPAN } from '../store/exchange-window.js'
import {
  LAST_TYPE,
  MAX_STORED,
  MESSAGE,
  numberKey,
  RECORD_HEADER,
  recordKey,
  recordLength,
  recordType,
} from '../store/flash-record.js'
import { SESSION_SECTORS } from '../store/geometry.js'
import { HEADER_VALID, SECTOR_HEADER, SectorHeader } from '../store/flash-sector.js'
import { flippedBit, NO_SINGLE_BIT } from '../store/flipped-bit.js'

/** A sector of a region, and where its next record goes. */
export class Sector {
  readonly region: number
  address: number
  sequence: number
  /** Offset behind the last record; the size of a sector: it takes no more. */
  end: number

  constructor(region: number) {
    this.region = region
    this.address = 0
    this.sequence = 0
    this.end = 0
  }

  copy(other: Sector): void {
    this.address = other.address
    this.sequence = other.sequence
    this.end = other.end
  }
}

/** The most that padding to a write unit adds. */
const PADDING = 32

export class Sectors {
  readonly flash: ReadWriteStorage
  readonly sectorSize: number
  readonly writeSize: number
  /** The record that was read, or the one to write: its body from RECORD_HEADER on. */
  readonly buffer: Uint8Array
  /** The header that was read last. */
  readonly header: SectorHeader
  readonly headerSize: number
  storeId: number
  /** Bytes in the body of the record that was read last. */
  bodyLength: number
  /** Its number, if it is a message. */
  number: number
  /** Of the reading that was last. */
  status: Status
  /** The ring of messages: where it begins and ends, and its sectors. */
  readonly ringStart: number
  readonly ringEnd: number
  readonly ringCount: number
  private readonly system: System

  /** `bodySize`: bytes of the largest body. */
  constructor(flash: ReadWriteStorage, system: System, bodySize: number) {
    this.flash = flash
    this.sectorSize = flash.eraseSize
    this.writeSize = flash.writeSize
    this.system = system
    this.buffer = new Uint8Array(RECORD_HEADER + bodySize + PADDING)
    this.header = new SectorHeader()
    this.headerSize = this.aligned(SECTOR_HEADER)
    this.storeId = 0
    this.bodyLength = 0
    this.number = 0
    this.status = OK
    this.ringStart = SESSION_SECTORS * this.sectorSize
    this.ringCount = Math.floor(flash.capacity / this.sectorSize) - SESSION_SECTORS
    this.ringEnd = this.ringStart + this.ringCount * this.sectorSize
  }

  /** The sector behind one of the ring. */
  after(address: number): number {
    const next = address + this.sectorSize
    return next < this.ringEnd ? next : this.ringStart
  }

  /** The sector in front of one of the ring. */
  before(address: number): number {
    return (address > this.ringStart ? address : this.ringEnd) - this.sectorSize
  }

  /** Sectors from the one around `address` to the one at `last`, in the order of the ring. */
  between(address: number, last: number): number {
    const size = this.sectorSize
    const count = Math.floor(last / size) - Math.floor(address / size)
    return count < 0 ? count + this.ringCount : count
  }

  /** Bytes that a record with such a body takes. */
  sizeOf(length: number): number {
    return this.aligned(RECORD_HEADER + length)
  }

  /** The largest body there can be. */
  get largestBody(): number {
    return Math.min(this.buffer.length - RECORD_HEADER - PADDING, MAX_STORED)
  }

  private aligned(size: number): number {
    return (size + this.writeSize - 1) & -this.writeSize
  }

  /** Reads the header at `sector.address`: true for a sector of this store and region. */
  open(sector: Sector): boolean {
    const header = this.header
    sector.end = this.headerSize
    this.status = this.flash.read(sector.address, header.bytes, 0, SECTOR_HEADER)
    if (this.status !== OK) return false
    if (header.decode(this.system) !== HEADER_VALID || header.region !== sector.region) return false
    sector.sequence = header.sequence
    return sector.region === 0 || header.storeId === this.storeId
  }

  /** Erases the sector at `address` and begins it: `sector` is that one then. */
  begin(sector: Sector, address: number, flags: number, firstNumber: number, base: number): Status {
    const header = this.header
    // Whatever comes of it: behind a header that may stand there the old sector takes no more.
    sector.end = this.sectorSize
    let status = this.flash.erase(address, this.sectorSize)
    if (status !== OK) return status
    header.region = sector.region
    header.flags = flags
    header.storeId = this.storeId
    header.sequence = (sector.sequence + 1) >>> 0
    header.firstNumber = firstNumber
    header.base = base
    header.encode(this.system)
    status = this.flash.write(address, header.bytes, 0, this.headerSize)
    if (status !== OK) return status
    sector.address = address
    sector.sequence = header.sequence
    sector.end = this.headerSize
    return OK
  }

  /** Writes the body in the buffer as a record behind the last. A failure closes the sector. */
  write(sector: Sector, type: number, length: number, number: number): Status {
    const buffer = this.buffer
    writeUint16(buffer, 4, (type << 13) | length)
    const key = this.keyAt(sector, sector.end) ^ numberKey(number)
    writeUint32(buffer, 0, this.system.crc32(buffer, 4, length + 2) ^ key)
    const size = this.sizeOf(length)
    for (let at = RECORD_HEADER + length; at < size; at++) buffer[at] = 0xff
    const status = this.flash.write(sector.address + sector.end, buffer, 0, size)
    sector.end = status === OK ? sector.end + size : this.sectorSize
    return status
  }

  /**
   * Reads the record at `offset` into the buffer: its type, or 0 where there is no whole one. Of a
   * message the number is found out, from `number` on as far as the window spans.
   */
  read(sector: Sector, offset: number, number: number): number {
    const buffer = this.buffer
    const address = sector.address + offset
    const room = this.sectorSize - offset - RECORD_HEADER
    this.status = OK
    this.bodyLength = -1
    if (room < 0 || !this.fill(address, 0, RECORD_HEADER)) return 0
    const type = recordType(buffer, 0)
    const length = recordLength(buffer, 0)
    if (type === 0 || type > LAST_TYPE || length > Math.min(room, this.largestBody)) return 0
    if (!this.fill(address + RECORD_HEADER, RECORD_HEADER, length)) return 0
    this.bodyLength = length
    const key = recordKey(this.system, buffer, 0, length) ^ this.keyAt(sector, offset)
    if (type !== MESSAGE) return key === 0 ? type : 0
    this.number = number
    for (let ahead = 0; ahead < WINDOW_SPAN; ahead++) {
      if (numberKey(this.number) === key) return type
      this.number = numberAfter(this.number)
    }
    return 0
  }

  /**
   * True when one flipped bit explains that the record at `offset`, which `read` refused, does not
   * carry the check of message `number`. One of type or length gives another length to check.
   */
  isFlipped(sector: Sector, offset: number, number: number): boolean {
    const buffer = this.buffer
    const key = this.keyAt(sector, offset) ^ numberKey(number)
    const isRoom = offset + RECORD_HEADER <= this.sectorSize
    for (let bit = 0; isRoom && bit < 17; bit++) {
      if (!this.fill(sector.address + offset, 0, RECORD_HEADER)) return false
      writeUint16(buffer, 4, readUint16(buffer, 4) ^ ((1 << bit) >> 1))
      const length = recordLength(buffer, 0)
      const end = offset + RECORD_HEADER + length
      if (end > this.sectorSize || length > this.largestBody) continue
      if (!this.fill(sector.address + offset + RECORD_HEADER, RECORD_HEADER, length)) return false
      const difference = recordKey(this.system, buffer, 0, length) ^ key
      if (flippedBit(difference, bit > 0 ? 0 : length + 2) !== NO_SINGLE_BIT) return true
    }
    return false
  }

  /** True when a range reads blank. Uses the buffer. */
  isBlank(address: number, length: number): boolean {
    const buffer = this.buffer
    const piece = buffer.length
    buffer.fill(0xff)
    const blankCrc = this.system.crc32(buffer, 0, piece)
    for (let at = 0; at < length; at += piece) {
      if (!this.fill(address + at, 0, Math.min(piece, length - at))) return false
      if (this.system.crc32(buffer, 0, piece) !== blankCrc) return false
    }
    return true
  }

  /** Reads into the buffer. */
  private fill(address: number, at: number, length: number): boolean {
    this.status = this.flash.read(address, this.buffer, at, length)
    return this.status === OK
  }

  private keyAt(sector: Sector, offset: number): number {
    return this.storeId ^ (sector.region << 28) ^ (sector.sequence << 12) ^ offset
  }
}
