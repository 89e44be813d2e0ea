import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import { ERR_CORRUPT, ERR_HOOK, ERR_KEY, ERR_STORAGE, OK, type Status } from '../status.js'
import { isBefore } from './exchange-window.js'
import { readUint32 } from '../codec/bytes.js'
import { CONTEXT, RECORD_HEADER, STATE } from './flash-record.js'
import { BlankCheck, FlashRegion } from './flash-region.js'
import {
  FORGOTTEN,
  HEADER_BLANK,
  HEADER_DAMAGED,
  HEADER_FORMAT,
  HEADER_VALID,
} from './flash-sector.js'
import { ERASE_TRIES } from './flash-writer.js'
import type { SealedHooks, StatesFace } from './sealing.js'
import { SectorScan } from './sector-scan.js'

/**
 * StateSectors: the two sectors of the session store. Each record of type STATE is a whole state;
 * the newest valid one wins. When a sector is full the other one is erased and gets the next state,
 * so there is a valid one at every moment. What a state means is not known here.
 */

const SECTORS = 2

export class StateSectors implements StatesFace {
  readonly region: FlashRegion
  /** The salt in force where the newest state stands. */
  private readonly salt: Uint32Array
  readonly scan: SectorScan
  /** The buffer a record is built in, its body behind RECORD_HEADER bytes. Made by `holdsState`. */
  record: Uint8Array
  private blankCheck: BlankCheck
  /** The sector being written, its sequence number, and the free offset. */
  private sector: number
  sequence: number
  private offset: number
  /** The newest header says that the store was given up. Set by `inspect`. */
  isForgotten: boolean
  private isSalted: boolean
  /** Where the newest state stands, and its check; sector -1: there is none. */
  private stateSector: number
  stateSequence: number
  stateAt: number
  private stateCheck: number
  /** True while nothing but blank flash is expected at `offset`. */
  private isOpen: boolean

  constructor(
    storage: ReadWriteStorage,
    system: System,
    hooks: SealedHooks | null,
    buffer: Uint8Array,
  ) {
    this.region = new FlashRegion(storage, system, hooks, 0, 0, SECTORS)
    this.salt = this.region.makeSalts(1)
    this.blankCheck = new BlankCheck(this.region, buffer)
    this.scan = new SectorScan(this.region, buffer, this.blankCheck)
    this.record = new Uint8Array(0)
    this.isForgotten = false
    this.sector = 0
    this.sequence = 0
    this.offset = 0
    this.isSalted = false
    this.stateSector = -1
    this.stateSequence = 0
    this.stateAt = 0
    this.stateCheck = 0
    this.isOpen = false
  }

  /** Makes room for states of up to `length` bytes. False when a sector or the scan cannot. */
  holdsState(length: number): boolean {
    const region = this.region
    const size = region.recordSize(length + region.growth)
    const room = region.sectorSize - region.headerSize - region.contextSize
    if (size > room || size > this.scan.buffer.length) return false
    this.record = new Uint8Array(size)
    this.blankCheck = new BlankCheck(region, this.record)
    return true
  }

  /**
   * Looks at the two headers and takes the store id of the newer one: HEADER_VALID when one is
   * whole, HEADER_FORMAT, HEADER_BLANK when both places are blank, HEADER_DAMAGED otherwise.
   */
  inspect(): number {
    const region = this.region
    const header = region.header
    let result = HEADER_BLANK
    this.sector = 1
    this.sequence = 0
    this.offset = region.sectorSize
    this.isOpen = false
    this.isSalted = false
    this.stateSector = -1
    this.stateSequence = 0
    this.stateAt = 0
    this.isForgotten = false
    for (let sector = 0; sector < SECTORS; sector++) {
      const kind = region.readHeader(sector)
      if (kind === HEADER_VALID && header.region === region.region) {
        if (result !== HEADER_VALID || isBefore(this.sequence, header.sequence)) {
          this.sector = sector
          this.sequence = header.sequence
          region.storeId = header.storeId
          this.isForgotten = (header.flags & FORGOTTEN) !== 0
        }
        result = HEADER_VALID
      } else if (kind === HEADER_FORMAT && result !== HEADER_VALID) {
        result = HEADER_FORMAT
      } else if (kind !== HEADER_BLANK && result === HEADER_BLANK) {
        result = HEADER_DAMAGED
      }
    }
    return result
  }

  /**
   * Finds the newest state and leaves its body open in the scan. Returns its bytes, ERR_CORRUPT
   * when there is none, ERR_HOOK when `after_read` refuses the newest one, or when there are no
   * hooks and it needs some, ERR_KEY when they do not know its key.
   */
  findState(): number {
    const region = this.region
    const newest = this.sector
    for (let round = 0; round < SECTORS; round++) {
      const sector = round === 0 ? newest : 1 - newest
      if (region.readOwnHeader(sector) !== HEADER_VALID) continue
      const length = this.scanSector(sector, region.header.sequence, round === 0)
      if (length !== ERR_CORRUPT) return length
    }
    return ERR_CORRUPT
  }

  /** Nothing more is written to the present sector: the next state begins one. */
  close(): void {
    this.offset = this.region.sectorSize
    this.isOpen = false
  }

  private scanSector(sector: number, sequence: number, isNewest: boolean): number {
    const scan = this.scan
    const region = this.region
    const salt = this.salt
    const seal = region.seal
    let stateAt = 0
    let stateCount = 0
    scan.start(sector, sequence, 1, region.sectorSize)
    for (let type = scan.next(); type > 0; type = scan.next()) {
      if (type === STATE) {
        stateAt = scan.offset
        stateCount++
      }
    }
    if (isNewest && scan.isOpen) {
      this.offset = scan.offset
      this.isOpen = true
    }
    if (stateCount === 0) return ERR_CORRUPT
    // The scan has gone past it: go there once more, so that it stands in the buffer.
    scan.start(sector, sequence, 1, region.sectorSize)
    salt.fill(0)
    for (let type = scan.next(); type > 0 && scan.offset !== stateAt; type = scan.next()) {
      if (type !== CONTEXT) continue
      if (seal === null) return ERR_HOOK
      // Authentic or not: the state is, under the right one alone.
      seal.readSalt(salt, scan.buffer, scan.at, scan.stored)
    }
    if (scan.offset !== stateAt) return ERR_CORRUPT
    if (seal !== null && seal.lacksKey(salt[2]!)) return ERR_KEY
    this.stateSector = sector
    this.stateSequence = sequence
    this.stateAt = stateAt
    this.stateCheck = readUint32(scan.buffer, scan.at)
    const stored = scan.stored
    if (seal === null) return stored
    return seal.open(scan.buffer, scan.at, STATE, stored, sequence, stateAt, 0, salt, 0)
  }

  /**
   * False when another opener has written since: our newest state is gone, there is something
   * behind it, or the other sector was begun after ours.
   */
  isNewestOurs(): boolean {
    if (this.stateSector < 0) return true
    const region = this.region
    const peek = region.header.bytes
    const kind = region.readOwnHeader(1 - this.sector)
    if (kind === HEADER_VALID && isBefore(this.sequence, region.header.sequence)) return false
    const stateAddress = region.address(this.stateSector) + this.stateAt
    if (region.read(stateAddress, peek, 0, 4) < 0) return false
    if (readUint32(peek, 0) !== this.stateCheck) return false
    if (!this.isOpen || this.offset + RECORD_HEADER > region.sectorSize) return true
    if (region.read(region.address(this.sector) + this.offset, peek, 0, RECORD_HEADER) < 0) {
      return false
    }
    let blank = 0xff
    for (let at = 0; at < RECORD_HEADER; at++) blank &= peek[at]!
    return blank === 0xff
  }

  /** Makes room for a state of `length` bytes; may use the buffer. */
  makeRoom(length: number): Status {
    const region = this.region
    const saltSize = region.seal !== null && !this.isSalted ? region.contextSize : 0
    const size = region.recordSize(length + region.growth) + saltSize
    const status = this.offset + size > region.sectorSize ? this.begin(0) : OK
    if (status < 0 || region.seal === null || this.isSalted) return status
    const body = region.seal.encodeContext(this.record, RECORD_HEADER, 0, 0, null)
    const written = this.put(CONTEXT, body)
    this.isSalted = written > 0
    return written < 0 ? written : OK
  }

  /** Writes the state of `length` bytes that stands in `record`. */
  writeState(type: number, length: number): Status {
    const at = this.offset
    const written = this.put(type, length)
    if (written < 0) return written
    this.stateSector = this.sector
    this.stateSequence = this.sequence
    this.stateAt = at
    this.stateCheck = readUint32(this.record, 0)
    return OK
  }

  /**
   * Gives the store up: from the moment the header of a new sector is whole, mounting takes the
   * rest for nothing. At the end sector 0 has that header: it is the one that is erased last.
   */
  forget(): Status {
    let status = OK
    if (!this.isForgotten) status = this.begin(FORGOTTEN)
    if (status < 0 || this.sector === 0) return status
    this.stateSector = 1
    return this.begin(FORGOTTEN)
  }

  /** Erases the sector that does not hold the newest state, and begins it. */
  private begin(flags: number): Status {
    const region = this.region
    // Without a state it is sector 0, again and again: whatever else a cut left there, the second
    // sector of a partition that was never used is blank, and so it is not taken for foreign.
    const next = this.stateSector >= 0 ? 1 - this.stateSector : 0
    this.isOpen = false
    this.offset = region.sectorSize
    let isBlank = false
    for (let tries = 0; tries < ERASE_TRIES && !isBlank; tries++) {
      if (region.erase(next, 1) < 0) continue
      isBlank = this.blankCheck.isBlank(region.address(next), region.sectorSize)
    }
    if (!isBlank) return ERR_STORAGE
    this.sector = next
    this.sequence = (this.sequence + 1) >>> 0
    this.isSalted = false
    if (region.writeHeader(next, this.sequence, 0, 0, flags) < 0) return ERR_STORAGE
    this.offset = region.headerSize
    this.isOpen = true
    return OK
  }

  private put(type: number, length: number): number {
    const size = this.region.writeRecord(
      this.sector,
      this.sequence,
      this.offset,
      this.record,
      type,
      length,
      0,
    )
    if (size === ERR_HOOK) return ERR_HOOK
    if (size < 0) {
      // The write may have left bits: nothing goes behind it.
      this.close()
      return ERR_STORAGE
    }
    this.offset += size
    return size
  }
}
