import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import { readUint32, writeUint32 } from '../codec/bytes.js'
import { ERR_HOOK, type Status } from '../status.js'
import { PLAIN_BYTES, SALT_WORDS } from './context-layout.js'
import { MESSAGE, RECORD_HEADER, numberKey, recordLength, recordType } from './flash-record.js'
import {
  HEADER_BLANK,
  HEADER_DAMAGED,
  HEADER_VALID,
  SECTOR_HEADER,
  SectorHeader,
} from './flash-sector.js'
import type { SealedHooks, Sealing } from './sealing.js'

/**
 * FlashRegion: a run of sectors of the partition, and how a record gets there and back: hooks,
 * check, padding, address. It knows nothing of the order of sectors or of what a record means.
 */

/** A read that does not carry its check is repeated: bits may flip on the way. */
export const READ_TRIES = 3

export class FlashRegion {
  readonly storage: ReadWriteStorage
  readonly system: System
  /** null without hooks. */
  readonly seal: Sealing | null
  /** Number of the region, 0 to 15; it stands in the sector headers. */
  readonly region: number
  readonly firstSector: number
  readonly sectorCount: number
  readonly sectorSize: number
  /** Bytes a sector header takes, with its padding. */
  readonly headerSize: number
  /** The most bytes the hooks add to a body. */
  readonly growth: number
  /** The most bytes a CONTEXT record takes. */
  readonly contextSize: number
  /** The header read or written last; its bytes are also used for peeks. */
  readonly header: SectorHeader
  storeId: number
  /** With hooks: the salt records are written with, and the key; else no words. */
  readonly salt: Uint32Array
  /** Records that the hooks refused, or that stand where none can be, since the last mount. */
  refused: number
  /** Sectors erased since the last boot. */
  erases: number
  /** Reads that the storage refused. Who concludes from reading compares before and after. */
  failedReads: number
  // The topic that stands in the scratch buffer which writer and reader share: its record's place.
  private heldSequence: number
  private heldOffset: number
  /** Bytes of that topic. */
  heldLength: number

  constructor(
    storage: ReadWriteStorage,
    system: System,
    hooks: SealedHooks | null,
    region: number,
    firstSector: number,
    sectorCount: number,
  ) {
    this.storage = storage
    this.system = system
    this.region = region
    this.firstSector = firstSector
    this.sectorCount = sectorCount
    this.sectorSize = storage.eraseSize
    this.headerSize = this.padded(SECTOR_HEADER)
    if (hooks !== null && typeof hooks.makeSeal !== 'function') {
      throw new Error('option "hooks" must be sealed(hooks) of holdfast/hooks')
    }
    const seal = hooks === null ? null : hooks.makeSeal(this)
    const contextBytes = seal === null ? PLAIN_BYTES + 4 : seal.contextBytes
    this.seal = seal
    this.growth = seal === null ? 0 : seal.growth
    this.contextSize = this.recordSize(contextBytes + this.growth)
    this.header = new SectorHeader()
    this.storeId = 0
    this.salt = seal === null ? new Uint32Array(0) : seal.salt
    this.refused = 0
    this.erases = 0
    this.failedReads = 0
    this.heldSequence = 0
    this.heldOffset = 0
    this.heldLength = 0
  }

  /** Takes the identity of this boot. */
  begin(storeId: number, bootSalt: number): void {
    this.storeId = storeId
    this.refused = 0
    if (this.seal !== null) this.seal.begin(bootSalt)
  }

  /** Room for salts read from flash, if there are hooks; without, all share an empty array. */
  makeSalts(count: number): Uint32Array {
    return this.seal === null ? this.salt : new Uint32Array(count * SALT_WORDS)
  }

  /** True when the scratch buffer still holds the topic of this place. */
  isTopicHeld(sequence: number, offset: number): boolean {
    return this.heldOffset === offset && this.heldSequence === sequence
  }

  holdTopic(sequence: number, offset: number, length: number): void {
    this.heldSequence = sequence
    this.heldOffset = offset
    this.heldLength = length
  }

  /** The scratch buffer is about to hold something else. */
  forgetTopic(): void {
    this.heldOffset = 0
  }

  /** `length` rounded up to the unit of writing. */
  padded(length: number): number {
    const unit = this.storage.writeSize - 1
    return (length + unit) & ~unit
  }

  /** Bytes a record takes whose stored body has `length` bytes. */
  recordSize(length: number): number {
    return this.padded(RECORD_HEADER + length)
  }

  /** Where a sector of this region begins in the partition. */
  address(sector: number): number {
    return (this.firstSector + sector) * this.sectorSize
  }

  /** As the storage's `read`, and counts failures: what could not be read must not look lost. */
  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    const status = this.storage.read(address, target, targetAt, length)
    if (status < 0) this.failedReads++
    return status
  }

  /** Erases `count` sectors from `sector` on. */
  erase(sector: number, count: number): Status {
    this.erases += count
    return this.storage.erase(this.address(sector), count * this.sectorSize)
  }

  /** Reads a header into `header` and says what is there. A failed read counts as damage. */
  readHeader(sector: number): number {
    let kind = HEADER_DAMAGED
    for (let tries = 0; tries < READ_TRIES && kind === HEADER_DAMAGED; tries++) {
      const status = this.read(this.address(sector), this.header.bytes, 0, SECTOR_HEADER)
      if (status >= 0) kind = this.header.decode(this.system)
    }
    return kind
  }

  /** As `readHeader`, and a header of another store or region counts as blank. */
  readOwnHeader(sector: number): number {
    const kind = this.readHeader(sector)
    if (kind !== HEADER_VALID) return kind
    const isOwn = this.header.storeId === this.storeId && this.header.region === this.region
    return isOwn ? HEADER_VALID : HEADER_BLANK
  }

  writeHeader(
    sector: number,
    sequence: number,
    firstNumber: number,
    base: number,
    flags: number,
  ): Status {
    const header = this.header
    header.region = this.region
    header.flags = flags
    header.storeId = this.storeId
    header.sequence = sequence
    header.firstNumber = firstNumber
    header.base = base
    header.encode(this.system)
    return this.storage.write(this.address(sector), header.bytes, 0, this.headerSize)
  }

  /**
   * The key under which a record of this place is sealed: one that was valid in an earlier life of
   * the sector never passes, nor one of another lane. `number` counts for messages only.
   */
  keyOf(sequence: number, offset: number, type: number, number: number): number {
    const key = this.storeId ^ (this.region << 28) ^ (sequence << 12) ^ offset
    return type === MESSAGE ? key ^ numberKey(number) : key
  }

  /** True when `buffer` begins with the record of this type and place: it carries its check. */
  isRecord(
    buffer: Uint8Array,
    type: number,
    sequence: number,
    offset: number,
    number: number,
  ): boolean {
    if (recordType(buffer, 0) !== type) return false
    let key = this.keyOf(sequence, offset, type, number) ^ readUint32(buffer, 0)
    const stored = recordLength(buffer, 0)
    key ^= this.system.crc32(buffer, 4, stored + 2)
    return key === 0
  }

  /**
   * Writes the record whose body of `length` bytes stands in `buffer` behind RECORD_HEADER bytes,
   * with one call of `write`. The buffer has room for the growth and the padding.
   * Returns the bytes it takes on flash; ERR_HOOK (nothing was written) or what `write` returned.
   */
  writeRecord(
    sector: number,
    sequence: number,
    offset: number,
    buffer: Uint8Array,
    type: number,
    length: number,
    number: number,
  ): number {
    let stored = length
    if (this.seal !== null) {
      const clear = this.seal.prepare(type, sequence, offset, number)
      stored = clear + this.seal.close(buffer, RECORD_HEADER + clear, length - clear)
      if (!(stored >= clear && stored <= length + this.growth)) return ERR_HOOK
    }
    const size = this.recordSize(stored)
    buffer[4] = (type << 5) | (stored >> 8)
    buffer[5] = stored
    const check = this.system.crc32(buffer, 4, stored + 2)
    writeUint32(buffer, 0, check ^ this.keyOf(sequence, offset, type, number))
    buffer.fill(0xff, RECORD_HEADER + stored, size)
    const status = this.storage.write(this.address(sector) + offset, buffer, 0, size)
    return status < 0 ? status : size
  }
}

/**
 * Says whether a range of flash reads blank, without a loop over its bytes: the CRC-32 of a chunk
 * is compared with that of a blank one. A loop over 4096 bytes takes Espruino a fifth of a second.
 */
export class BlankCheck {
  private readonly region: FlashRegion
  private readonly buffer: Uint8Array
  private readonly blank: number

  constructor(region: FlashRegion, buffer: Uint8Array) {
    this.region = region
    this.buffer = buffer
    this.buffer.fill(0xff)
    this.blank = region.system.crc32(buffer, 0, buffer.length)
  }

  /** Overwrites the buffer. False also when the storage cannot be read. */
  isBlank(address: number, length: number): boolean {
    const buffer = this.buffer
    let at = address
    let left = length
    while (left > 0) {
      const chunk = left < buffer.length ? left : buffer.length
      // A shorter chunk stands at the end of the buffer, behind bytes that are known to be blank.
      if (chunk < buffer.length) buffer.fill(0xff, 0, buffer.length - chunk)
      if (this.region.read(at, buffer, buffer.length - chunk, chunk) < 0) return false
      if (this.region.system.crc32(buffer, 0, buffer.length) !== this.blank) return false
      at += chunk
      left -= chunk
    }
    return true
  }
}
