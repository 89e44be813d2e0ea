/**
 * A NOR flash partition in a file: the store of a gateway, and the simulated chip of a firmware
 * that is started again and again. Keeps two side files, `.units` (which write units are written,
 * while the contract is enforced) and `.stats`. Knows nothing of records or of power cuts.
 */
import * as fs from 'node:fs'
import { ERR_STORAGE, OK } from '../../src/status.js'
import type { Status } from '../../src/status.js'
import {
  breach,
  checkErase,
  checkGeometry,
  checkRead,
  checkWrite,
} from '../memory/storage-checks.js'
import type { ReadWriteStorage } from '../storage.js'

export interface FileFlashOptions {
  readonly capacity: number
  /** 4,096 unless given. */
  readonly eraseSize?: number
  /** 1 unless given. */
  readonly writeSize?: number
  /** `eraseSize` unless given: a file gains nothing by larger erases. */
  readonly eraseBlockSize?: number
  /** Throws when a unit is written twice, and keeps `.units` for that; true unless given. */
  readonly enforce?: boolean
  /** Waits for the disk after every operation: what a gateway needs. False unless given. */
  readonly sync?: boolean
}

/** What the image has been through, over all runs; the contents of `<image>.stats`. */
export interface FlashStatistics {
  programmedBytes: number
  /** Sectors erased. */
  erases: number
  /** Counted only while the contract is enforced. */
  doubleProgrammedBytes: number
}

/** Operations between two writings of the statistics. */
const OPERATIONS_PER_SAVE = 100

/** Creates the file with 0xFF in every byte, whole or not at all. */
function createImage(path: string, capacity: number, eraseSize: number): void {
  const part = path + '.new'
  const fd = fs.openSync(part, 'w')
  try {
    const blank = new Uint8Array(eraseSize).fill(0xff)
    for (let at = 0; at < capacity; at += eraseSize) fs.writeSync(fd, blank, 0, eraseSize, at)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(part, path)
}

/** The statistics of earlier runs, or zeros: a damaged count never keeps a store from opening. */
function loadStatistics(path: string): FlashStatistics {
  let found: Partial<FlashStatistics> = {}
  try {
    found = (JSON.parse(fs.readFileSync(path, 'utf8')) ?? {}) as Partial<FlashStatistics>
  } catch (error) {
    if (!(error instanceof SyntaxError) && !isAbsent(error)) throw error
  }
  return {
    programmedBytes: Number(found.programmedBytes) || 0,
    erases: Number(found.erases) || 0,
    doubleProgrammedBytes: Number(found.doubleProgrammedBytes) || 0,
  }
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

export class FileFlash implements ReadWriteStorage {
  readonly path: string
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  readonly statistics: FlashStatistics
  private readonly sync: boolean
  private readonly fd: number
  /** One bit for each write unit, as in the side file; null while nothing is enforced. */
  private readonly units: Uint8Array | null
  private readonly unitsFd: number
  private readonly scratch: Uint8Array
  /**
   * The sector written last, as it is in the file. A log appends to one sector and mostly sends a
   * message soon after it was written: neither then reads the file. 10 against 16 us a message.
   */
  private readonly cache: Uint8Array
  /** Its address; -1 for none. */
  private cachedAt = -1
  private unsavedOperations = 0
  private isClosed = false

  constructor(path: string, options: FileFlashOptions) {
    this.path = path
    this.capacity = options.capacity
    this.eraseSize = options.eraseSize ?? 4096
    this.writeSize = options.writeSize ?? 1
    this.eraseBlockSize = options.eraseBlockSize ?? this.eraseSize
    checkGeometry(this)
    this.sync = options.sync ?? false
    this.scratch = new Uint8Array(this.eraseSize)
    this.cache = new Uint8Array(this.eraseSize)
    if (!fs.existsSync(path)) {
      // What lies beside an image that is gone belongs to that one.
      fs.rmSync(path + '.units', { force: true })
      fs.rmSync(path + '.stats', { force: true })
      createImage(path, this.capacity, this.eraseSize)
    }
    const size = fs.statSync(path).size
    if (size !== this.capacity) {
      throw new Error(`flash image ${path} has ${size} bytes, ${this.capacity} are wanted`)
    }
    this.statistics = loadStatistics(path + '.stats')
    this.fd = fs.openSync(path, 'r+')
    if (options.enforce ?? true) {
      this.units = this.loadUnits()
      this.unitsFd = fs.openSync(path + '.units', 'r+')
    } else {
      // Without enforcement the side file would go stale and later refuse what is right.
      fs.rmSync(path + '.units', { force: true })
      this.units = null
      this.unitsFd = -1
    }
  }

  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    checkRead(this, address, target, targetAt, length)
    const cachedOffset = address - this.cachedAt
    const isCached = this.cachedAt >= 0 && cachedOffset >= 0 && !this.isClosed
    if (isCached && cachedOffset + length <= this.eraseSize) {
      target.set(this.cache.subarray(cachedOffset, cachedOffset + length), targetAt)
      return OK
    }
    return this.attempt(() => this.readWhole(address, target, targetAt, length))
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status {
    checkWrite(this, address, source, sourceAt, length)
    this.checkUnwritten(address, length)
    const status = this.attempt(() => {
      for (let done = 0; done < length;) {
        const offset = (address + done) % this.eraseSize
        const part = Math.min(this.eraseSize - offset, length - done)
        this.writePart(address + done - offset, offset, source, sourceAt + done, part)
        done += part
      }
      // After the image: a run that ends between the two leaves units that are written and not
      // marked, and those show at the next start, where what is not blank counts as written.
      this.markUnits(address, length, true)
      if (this.sync) fs.fdatasyncSync(this.fd)
    })
    this.statistics.programmedBytes += length
    this.countOperation()
    return status
  }

  erase(address: number, length: number): Status {
    checkErase(this, address, length)
    const status = this.attempt(() => {
      // Before the image, for the same reason as in `write`.
      this.markUnits(address, length, false)
      if (this.cachedAt >= address && this.cachedAt < address + length) this.cachedAt = -1
      this.scratch.fill(0xff)
      for (let done = 0; done < length; done += this.eraseSize) {
        this.writeWhole(this.fd, this.scratch, 0, this.eraseSize, address + done)
      }
      if (this.sync) fs.fdatasyncSync(this.fd)
    })
    this.statistics.erases += length / this.eraseSize
    this.countOperation()
    return status
  }

  /** Waits until everything, the statistics too, is on the disk. */
  flush(): void {
    this.saveStatistics()
    fs.fsyncSync(this.fd)
    if (this.unitsFd >= 0) fs.fsyncSync(this.unitsFd)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.saveStatistics()
    if (this.sync) fs.fsyncSync(this.fd)
    fs.closeSync(this.fd)
    if (this.unitsFd >= 0) fs.closeSync(this.unitsFd)
  }

  /** Trouble of the disk becomes a status, as the contract wants it. */
  private attempt(operation: () => void): Status {
    if (this.isClosed) throw new Error('flash image ' + this.path + ' is closed')
    try {
      operation()
      return OK
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
      return ERR_STORAGE
    }
  }

  private readWhole(address: number, target: Uint8Array, targetAt: number, length: number): void {
    for (let done = 0; done < length;) {
      const got = fs.readSync(this.fd, target, targetAt + done, length - done, address + done)
      // Somebody cut the file short under us: trouble of the storage, not of the caller.
      if (got === 0) throw Object.assign(new Error('end of image'), { syscall: 'read' })
      done += got
    }
  }

  private writeWhole(fd: number, source: Uint8Array, at: number, length: number, to: number): void {
    for (let done = 0; done < length;) {
      done += fs.writeSync(fd, source, at + done, length - done, to + done)
    }
  }

  /** Clears bits within one sector, which is in the cache after that. */
  private writePart(
    sectorAt: number,
    offset: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
  ): void {
    const cache = this.cache
    const isCached = this.cachedAt === sectorAt
    // While this fails half-way nobody knows what the file holds.
    this.cachedAt = -1
    if (!isCached) this.readWhole(sectorAt, cache, 0, this.eraseSize)
    for (let index = 0; index < length; index += 1)
      cache[offset + index]! &= source[sourceAt + index]!
    this.writeWhole(this.fd, cache, offset, length, sectorAt + offset)
    this.cachedAt = sectorAt
  }

  private countOperation(): void {
    this.unsavedOperations += 1
    if (this.unsavedOperations >= OPERATIONS_PER_SAVE) this.saveStatistics()
  }

  private saveStatistics(): void {
    this.unsavedOperations = 0
    // Renamed into place: a run that is killed here leaves the old statistics or the new.
    const path = this.path + '.stats'
    try {
      fs.writeFileSync(path + '.new', JSON.stringify(this.statistics))
      fs.renameSync(path + '.new', path)
    } catch (error) {
      // A full disk must not stop the store for the sake of a count; the next save tries again.
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    }
  }

  /** The side file, completed by what the image shows: a unit that is not blank is written. */
  private loadUnits(): Uint8Array {
    const path = this.path + '.units'
    const units = new Uint8Array(Math.ceil(this.capacity / this.writeSize / 8))
    if (fs.existsSync(path)) {
      const kept = fs.readFileSync(path)
      if (kept.length !== units.length) {
        const what = `${path} has ${kept.length} bytes, ${units.length} are wanted`
        throw new Error(what + ': it was kept for another writeSize')
      }
      units.set(kept)
    }
    const unitsPerSector = this.eraseSize / this.writeSize
    for (let address = 0; address < this.capacity; address += this.eraseSize) {
      this.readWhole(address, this.scratch, 0, this.eraseSize)
      for (let i = 0; i < this.eraseSize; i += 1) {
        if (this.scratch[i] === 0xff) continue
        const unit = (address / this.eraseSize) * unitsPerSector + Math.floor(i / this.writeSize)
        units[unit >>> 3]! |= 1 << (unit & 7)
      }
    }
    fs.writeFileSync(path, units)
    return units
  }

  private checkUnwritten(address: number, length: number): void {
    const units = this.units
    if (units === null) return
    const end = (address + length) / this.writeSize
    for (let unit = address / this.writeSize; unit < end; unit += 1) {
      if ((units[unit >>> 3]! & (1 << (unit & 7))) === 0) continue
      this.statistics.doubleProgrammedBytes += this.writeSize
      // The run will end by this, so the count goes out first.
      this.saveStatistics()
      breach('the unit at ' + unit * this.writeSize + ' is written already', address, length)
    }
  }

  private markUnits(address: number, length: number, isWritten: boolean): void {
    const units = this.units
    if (units === null || length === 0) return
    const first = address / this.writeSize
    const end = (address + length) / this.writeSize
    for (let unit = first; unit < end; unit += 1) {
      if (isWritten) units[unit >>> 3]! |= 1 << (unit & 7)
      else units[unit >>> 3]! &= ~(1 << (unit & 7))
    }
    const from = first >>> 3
    this.writeWhole(this.unitsFd, units, from, ((end - 1) >>> 3) + 1 - from, from)
  }
}
