import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import { readUtf8, utf8Size, writeUtf8 } from '../codec/utf8.js'
import {
  ERR_ARGUMENT,
  ERR_CORRUPT,
  ERR_FOREIGN,
  ERR_FORMAT,
  ERR_FULL,
  ERR_IDENTITY,
  ERR_NOT_READY,
  ERR_STORAGE,
  ERR_TOO_LARGE,
  OK,
  type Status,
} from '../status.js'
import { ExchangeWindow, isBefore } from './exchange-window.js'
import { FlashLog } from './flash-log.js'
import { BlankCheck } from './flash-region.js'
import { HEADER_FORMAT, HEADER_VALID } from './flash-sector.js'
import { checkGeometry, checkRange } from './geometry.js'
import type { SealedHooks } from './sealing.js'

/**
 * Persistence: a key-value store on a flash partition of its own, with the calls of Paho's client
 * persistence. It is a view of the flash log: the newest record of a key is its value. Every call
 * happened or did not, wherever the power goes. It knows nothing of MQTT.
 *
 * A record is a MESSAGE (docs/FLASH-FORMAT.md, section 10) with this body:
 *
 *   0       1            2       2+k
 *   +-------+------------+-------+- - - - -+
 *   | flags | key length |  key  |  value  |    flags: 0 a value, 1 the key was removed
 *   +-------+------------+-------+- - - - -+
 *
 * Before a sector is freed, the records in it that are still the newest of their key are written
 * again at the end. A removal need not be: what it removed stood before it and is gone with it.
 */

/** The region of its sectors: a store of messages uses 0 to 8, so neither opens the other. */
const REGION = 9
const HEAD = 2
const REMOVED = 1

export interface PersistenceOptions {
  /** Transform what is stored, for encryption. They must be the same at every boot. */
  readonly hooks?: SealedHooks
  /** Keys it holds at the most, 1 to 4,096. Default 64. */
  readonly keyLimit?: number
  /** Bytes of the longest key, 1 to 255. Default 16. `keyLimit` times this is kept in RAM. */
  readonly keySize?: number
}

export class Persistence {
  /** Records that were damaged: an older value of their keys may have come back, or none. */
  damagedCount: number
  /** Where `get` leaves the value, until the next call. */
  readonly buffer: Uint8Array
  valueAt: number
  /** Bytes that a key and its value may have together. */
  readonly maxRecord: number
  private readonly flash: ReadWriteStorage
  private readonly system: System
  private readonly log: FlashLog
  private readonly window: ExchangeWindow
  private readonly keyLimit: number
  private readonly keySize: number
  /** Free bytes below which sectors are freed, and live bytes above which nothing is taken. */
  private readonly reserve: number
  private readonly liveLimit: number
  private liveBytes: number
  private isOpen: boolean
  // One row for each key: its bytes, and number and size of its newest record.
  private count: number
  private readonly keyBytes: Uint8Array
  private readonly keyLengths: Uint8Array
  private readonly numbers: Uint32Array
  private readonly sizes: Uint16Array
  private readonly wanted: Uint8Array

  /** Throws an Error that names the culprit when the geometry or an option cannot work. */
  constructor(flash: ReadWriteStorage, system: System, options?: PersistenceOptions) {
    const chosen = options ?? {}
    const hooks = chosen.hooks ?? null
    const keyLimit = chosen.keyLimit ?? 64
    const keySize = chosen.keySize ?? 16
    checkGeometry(flash)
    checkRange('keyLimit', keyLimit, 1, 4096)
    checkRange('keySize', keySize, 1, 255)
    const size = flash.eraseSize
    const sectors = flash.capacity / size
    // Records of an eighth of a sector waste less than that at its end when they are moved. So the
    // reserve takes all that moving can waste while half of the rest is live.
    const spare = 5 + (sectors >> 3)
    this.flash = flash
    this.system = system
    this.buffer = new Uint8Array(size >> 1 < 512 ? 512 : size >> 1)
    this.log = new FlashLog(flash, 0, sectors, REGION, system, this.buffer, hooks, 0)
    this.window = new ExchangeWindow()
    this.maxRecord = (size >> 3) - HEAD
    this.keyLimit = keyLimit
    this.keySize = keySize
    this.reserve = (spare - 2) * size
    this.liveLimit = (sectors - spare) * (size >> 1)
    this.liveBytes = 0
    this.damagedCount = 0
    this.valueAt = 0
    this.isOpen = false
    this.count = 0
    this.keyBytes = new Uint8Array(keyLimit * keySize)
    this.keyLengths = new Uint8Array(keyLimit)
    this.numbers = new Uint32Array(keyLimit)
    this.sizes = new Uint16Array(keyLimit)
    this.wanted = new Uint8Array(keySize)
  }

  /**
   * Opens the store of this client at this broker, or makes it on a blank partition. Open already:
   * nothing happens. ERR_IDENTITY, ERR_FOREIGN, ERR_FORMAT: the partition holds something else;
   * ERR_FULL: more keys than `keyLimit`; ERR_HOOK, ERR_STORAGE. Nothing is written then.
   */
  open(clientId: string, broker: string): Status {
    if (this.isOpen) return OK
    const log = this.log
    const name = clientId + '\n' + broker
    const bytes = new Uint8Array(utf8Size(name) < 0 ? 0 : utf8Size(name))
    if (bytes.length === 0) return ERR_ARGUMENT
    writeUtf8(bytes, 0, name)
    const storeId = this.system.crc32(bytes, 0, bytes.length) >>> 0
    let status = this.inspect(storeId)
    if (status !== OK) return status
    status = log.mount(storeId, this.system.random(), this.window)
    if (status !== OK) return status
    this.forgetKeys()
    this.damagedCount = 0
    for (let number = log.advance(); number !== 0; number = log.advance()) {
      if (number < 0) return number
      status = log.load()
      if (status === OK) status = this.note(number, log.loadedLength)
      else if (status === ERR_CORRUPT) status = OK
      if (status !== OK) return status
    }
    this.damagedCount += log.skippedCount
    this.isOpen = true
    return OK
  }

  close(): void {
    this.isOpen = false
  }

  /** Keeps `length` bytes of `value` from `at` on under `key`. On an error all is as before. */
  put(key: string, value: Uint8Array, at: number, length: number): Status {
    const keyLength = this.take(key)
    if (keyLength < 0) return keyLength
    const size = HEAD + keyLength + length
    if (size > this.maxRecord + HEAD) return ERR_TOO_LARGE
    const row = this.find(keyLength)
    const before = row < 0 ? 0 : this.sizes[row]!
    if (row < 0 && this.count === this.keyLimit) return ERR_FULL
    if (this.liveBytes - before + this.cost(size) > this.liveLimit) return ERR_FULL
    const status = this.makeRoom(size)
    if (status !== OK) return status
    const bodyAt = this.writeHead(0, keyLength)
    this.system.copy(this.buffer, bodyAt, value, at, length)
    const number = this.log.append(size)
    return number < 0 ? number : this.set(row, keyLength, number, size)
  }

  /** Bytes of the value, which is then in `buffer` at `valueAt`; negative: ERR_ARGUMENT, none. */
  get(key: string): number {
    const keyLength = this.take(key)
    if (keyLength < 0) return keyLength
    const row = this.find(keyLength)
    if (row < 0) return ERR_ARGUMENT
    const status = this.load(this.numbers[row]!)
    if (status !== OK) return status
    this.valueAt = this.log.loadedAt + HEAD + keyLength
    return this.log.loadedLength - HEAD - keyLength
  }

  /** Removes a key; one that is not there is no error. */
  remove(key: string): Status {
    const keyLength = this.take(key)
    if (keyLength < 0) return keyLength
    const row = this.find(keyLength)
    if (row < 0) return OK
    const status = this.makeRoom(HEAD + keyLength)
    if (status !== OK) return status
    this.writeHead(REMOVED, keyLength)
    const number = this.log.append(HEAD + keyLength)
    if (number < 0) return number
    this.drop(row)
    return OK
  }

  contains(key: string): boolean {
    const keyLength = this.take(key)
    return keyLength >= 0 && this.find(keyLength) >= 0
  }

  /** How many keys there are, and each by its place, in any order; a change gives new places. */
  get keyCount(): number {
    return this.count
  }

  keyAt(place: number): string {
    return readUtf8(this.keyBytes, place * this.keySize, this.keyLengths[place]!)
  }

  /** All keys, in any order. */
  keys(): string[] {
    const keys: string[] = []
    for (let place = 0; place < this.count; place++) keys.push(this.keyAt(place))
    return keys
  }

  /** Removes all keys at once: one record says so. */
  clear(): Status {
    if (!this.isOpen) return ERR_NOT_READY
    const status = this.moveBase(this.log.nextNumber)
    if (status === OK) this.forgetKeys()
    return status
  }

  /** Erases ahead, so that `put` need not; true when something was done. For idle times. */
  maintain(): boolean {
    return this.isOpen && this.log.maintain()
  }

  /** Whose partition it is. */
  private inspect(storeId: number): Status {
    const region = this.log.region
    const failedReads = region.failedReads
    let isOurs = false
    for (let sector = 0; sector < region.sectorCount; sector++) {
      const kind = region.readHeader(sector)
      if (kind === HEADER_FORMAT) return ERR_FORMAT
      if (kind !== HEADER_VALID) continue
      if (region.header.region !== REGION) return ERR_FOREIGN
      if (region.header.storeId !== storeId) return ERR_IDENTITY
      isOurs = true
    }
    if (region.failedReads !== failedReads) return ERR_STORAGE
    // But for the first sector, whose first header may have been cut.
    const from = this.flash.eraseSize
    const check = new BlankCheck(region, this.buffer)
    return isOurs || check.isBlank(from, this.flash.capacity - from) ? OK : ERR_FOREIGN
  }

  /** Puts the key where `find` looks: its bytes, ERR_NOT_READY or ERR_ARGUMENT. */
  private take(key: string): number {
    if (!this.isOpen) return ERR_NOT_READY
    const length = utf8Size(key)
    if (length < 1 || length > this.keySize) return ERR_ARGUMENT
    writeUtf8(this.wanted, 0, key)
    return length
  }

  /** The row of the key in `wanted`, or -1. */
  private find(length: number): number {
    for (let row = 0; row < this.count; row++) {
      if (this.keyLengths[row] !== length) continue
      const at = row * this.keySize
      let index = 0
      while (index < length && this.keyBytes[at + index] === this.wanted[index]) index++
      if (index === length) return row
    }
    return -1
  }

  private writeHead(flags: number, keyLength: number): number {
    const at = this.log.bodyAt
    this.buffer[at] = flags
    this.buffer[at + 1] = keyLength
    this.system.copy(this.buffer, at + HEAD, this.wanted, 0, keyLength)
    return at + HEAD + keyLength
  }

  /** Bytes of flash that a body takes. */
  private cost(size: number): number {
    return this.log.region.recordSize(size + this.log.region.growth)
  }

  /** The record `number` is now the newest of the key in `wanted`; `row` -1: it is new. */
  private set(row: number, keyLength: number, number: number, size: number): Status {
    let at = row
    if (at < 0) {
      if (this.count === this.keyLimit) return ERR_FULL
      at = this.count++
      this.sizes[at] = 0
      this.keyLengths[at] = keyLength
      this.system.copy(this.keyBytes, at * this.keySize, this.wanted, 0, keyLength)
    }
    this.liveBytes += this.cost(size) - this.sizes[at]!
    this.sizes[at] = this.cost(size)
    this.numbers[at] = number
    return OK
  }

  private drop(row: number): void {
    this.liveBytes -= this.sizes[row]!
    const last = --this.count
    if (row === last) return
    const length = this.keyLengths[last]!
    this.system.copy(this.keyBytes, row * this.keySize, this.keyBytes, last * this.keySize, length)
    this.keyLengths[row] = length
    this.numbers[row] = this.numbers[last]!
    this.sizes[row] = this.sizes[last]!
  }

  private forgetKeys(): void {
    this.count = 0
    this.liveBytes = 0
  }

  /** Takes in a record that was found when opening. */
  private note(number: number, length: number): Status {
    const at = this.log.loadedAt
    const keyLength = this.buffer[at + 1]!
    if (length < HEAD + keyLength || keyLength < 1) {
      this.damagedCount++
      return OK
    }
    if (keyLength > this.keySize) return ERR_FULL
    this.system.copy(this.wanted, 0, this.buffer, at + HEAD, keyLength)
    const row = this.find(keyLength)
    if (this.buffer[at] !== REMOVED) return this.set(row, keyLength, number, length)
    if (row >= 0) this.drop(row)
    return OK
  }

  private load(number: number): Status {
    const log = this.log
    log.rewind(number)
    const found = log.advance()
    if (found < 0) return ERR_STORAGE
    return found === number ? log.load() : ERR_CORRUPT
  }

  /** Frees sectors until a body of `size` bytes and the reserve have room. */
  private makeRoom(size: number): Status {
    const log = this.log
    for (let round = 0; round < log.region.sectorCount; round++) {
      if (log.freeBytes >= this.reserve + this.cost(size)) break
      const status = this.freeOldest()
      if (status !== OK) return status
    }
    return log.reserve(size)
  }

  /** Writes again what is needed of the oldest sector, and frees it. */
  private freeOldest(): Status {
    const log = this.log
    const limit = log.oldestAfterDrop()
    if (limit === 0) return ERR_FULL
    for (let row = this.count - 1; row >= 0; row--) {
      if (!isBefore(this.numbers[row]!, limit)) continue
      const status = this.load(this.numbers[row]!)
      if (status === ERR_CORRUPT) {
        this.damagedCount++
        this.drop(row)
      } else if (status !== OK) {
        return status
      } else {
        // The body stands where one to be appended is built.
        const number = log.append(log.loadedLength)
        if (number < 0) return number
        this.numbers[row] = number
      }
    }
    return this.moveBase(limit)
  }

  /**
   * Nothing before `number` counts any more. That is on flash before a sector is erased: of one
   * that is half erased, a removed value could be left without its removal.
   */
  private moveBase(number: number): Status {
    this.window.moveBase(number)
    const status = this.log.writeMark(this.window)
    if (status === OK) this.log.release(number)
    return status
  }
}
