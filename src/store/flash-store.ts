import type { ReadWriteStorage, StorageHooks } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import {
  ERR_BUSY,
  ERR_FOREIGN,
  ERR_FORMAT,
  ERR_HOOK,
  ERR_IDENTITY,
  ERR_STORAGE,
  OK,
  type Status,
} from '../status.js'
import { ExchangeWindow, isBefore } from './exchange-window.js'
import { DEFAULT_MAX_TOPIC, FlashLog } from './flash-log.js'
import { BlankCheck } from './flash-region.js'
import { HEADER_FORMAT, HEADER_VALID } from './flash-sector.js'
import { SessionStore } from './session-store.js'
import type { Storage } from './storage-face.js'

/**
 * FlashStore: what an application makes of a flash partition and gives to the client as `storage`.
 * It lays out the partition (docs/FLASH-FORMAT.md, section 1), decides at `mount` whether what is
 * there is this client's store, and formats only a partition that is blank.
 */

const SESSION_SECTORS = 2
/** Fewer leave no room for messages beside the reserve for marks and the sector being erased. */
const LEAST_SECTORS = 8
const LEAST_BUFFER = 512
const DEFAULT_BUFFER = 1024

export interface FlashStoreOptions {
  /** Transform what is stored, for encryption. They must be the same at every boot. */
  readonly hooks?: StorageHooks
  /** Bytes of the buffer one record is built in; bounds the message size. Must not shrink later. */
  readonly bufferSize?: number
  /** The longest topic, in bytes, that is stored once a sector instead of in each message. */
  readonly maxTopic?: number
}

export class FlashStore implements Storage {
  readonly log: FlashLog
  readonly state: SessionStore
  readonly window: ExchangeWindow
  private readonly flash: ReadWriteStorage
  private readonly system: System
  private readonly buffer: Uint8Array
  private isMounted: boolean

  /** Throws an Error that names the culprit when the geometry or an option cannot work. */
  constructor(flash: ReadWriteStorage, system: System, options?: FlashStoreOptions) {
    const chosen = options ?? {}
    const hooks = chosen.hooks ?? null
    const bufferSize = chosen.bufferSize ?? DEFAULT_BUFFER
    const maxTopic = chosen.maxTopic ?? DEFAULT_MAX_TOPIC
    checkGeometry(flash)
    checkRange('bufferSize', bufferSize, LEAST_BUFFER, 65536)
    checkRange('maxTopic', maxTopic, 0, 255)
    if (hooks !== null) checkRange('hooks.growth', hooks.growth, 0, 64)
    this.flash = flash
    this.system = system
    this.buffer = new Uint8Array(bufferSize)
    this.window = new ExchangeWindow()
    this.log = new FlashLog(
      flash,
      SESSION_SECTORS,
      flash.capacity / flash.eraseSize - SESSION_SECTORS,
      1,
      system,
      this.buffer,
      hooks,
      maxTopic,
    )
    this.state = new SessionStore(flash, system, hooks, this.buffer)
    this.isMounted = false
  }

  /** Whom the store belongs to, in words, also after `mount` refused with ERR_IDENTITY. */
  get identity(): string {
    return '"' + this.state.clientId + '" at ' + this.state.brokers
  }

  /** See `Storage`. ERR_TOO_LARGE: the identity does not fit a sector or the buffer. */
  mount(clientId: string, brokers: string): Status {
    if (this.isMounted) return ERR_BUSY
    const state = this.state
    const sectors = state.sectors
    const salt = this.system.random()
    const failedReads = this.failedReads
    const kind = sectors.inspect()
    if (kind === HEADER_FORMAT) return ERR_FORMAT
    let status = kind === HEADER_VALID ? state.load() : ERR_FOREIGN
    if (this.failedReads !== failedReads) return ERR_STORAGE
    if (status === ERR_HOOK) return ERR_HOOK
    const isFound = status === OK
    state.recovered = false
    if (!isFound) {
      status = this.adopt()
      if (this.failedReads !== failedReads) return ERR_STORAGE
      if (status < 0) return status
    } else if (state.clientId !== clientId || state.brokers !== brokers) {
      return ERR_IDENTITY
    }
    status = state.take(clientId, brokers, this.system.random())
    if (status < 0) return status
    const storeId = sectors.region.storeId
    sectors.region.bootSalt = salt
    status = this.log.mount(storeId, salt, this.window)
    if (status < 0) return status
    this.applyMark()
    this.applyDropped()
    // The new owner: whoever opened the store before us finds it out at its next save.
    status = state.save()
    this.isMounted = status === OK
    return status
  }

  private get failedReads(): number {
    return this.state.sectors.region.failedReads + this.log.region.failedReads
  }

  /** Gives the store back; it can be mounted again. Nothing needs to be written. */
  unmount(): void {
    this.isMounted = false
  }

  /** Erases the whole partition, whatever is in it. The next `mount` makes a new store. */
  format(): Status {
    if (this.isMounted) return ERR_BUSY
    const flash = this.flash
    const step = flash.eraseBlockSize
    // From the end, so that the session store is there until all messages are gone.
    for (let end = flash.capacity; end > 0;) {
      const start = end % step === 0 ? end - step : end - (end % step)
      const status = flash.erase(start, end - start)
      if (status < 0) return status
      end = start
    }
    return OK
  }

  /**
   * The session state cannot be read. If there are messages, they stay and get a new state around
   * them. If all is blank, but for what a power loss left of a first format, a new store begins.
   */
  private adopt(): Status {
    const log = this.log.region
    const state = this.state
    state.clear()
    // The store id may change: no state may stand behind a header that has another one.
    state.sectors.close()
    for (let sector = 0; sector < log.sectorCount; sector++) {
      const kind = log.readHeader(sector)
      if (kind === HEADER_FORMAT) return ERR_FORMAT
      if (kind !== HEADER_VALID || log.header.region !== log.region) continue
      state.sectors.region.storeId = log.header.storeId
      state.recovered = true
      return OK
    }
    const check = new BlankCheck(log, this.buffer)
    const size = this.flash.eraseSize
    if (!check.isBlank(size, this.flash.capacity - size)) return ERR_FOREIGN
    state.sectors.region.storeId = this.system.random()
    return OK
  }

  /** A mark that found no room in the log counts until a later sector of the log has one. */
  private applyMark(): void {
    const state = this.state
    if (state.markLength === 0) return
    const base = this.window.base
    const isNewest = !isBefore(state.markSector, this.log.markSector)
    if (isNewest && this.window.decode(state.mark, 0, state.markLength)) {
      if (isBefore(this.window.base, base)) this.window.moveBase(base)
      // No later mark may stand in that sector, or it would count for less than this one.
      this.log.skipTo(this.log.nextNumber)
      this.log.release(this.window.base)
      this.log.rewind(this.window.base)
    } else {
      state.markLength = 0
    }
  }

  /** What was dropped stays dropped, though the power went before a MARK said so. */
  private applyDropped(): void {
    const through = this.state.droppedThrough
    if (through === 0) return
    if (isBefore(this.log.nextNumber, through)) this.log.skipTo(through)
    if (!isBefore(this.window.base, through)) return
    this.window.moveBase(through)
    this.log.release(through)
    this.log.rewind(through)
  }
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most && Math.floor(value) === value) return
  throw new Error('FlashStore: ' + name + ' is ' + value + ', not ' + least + ' to ' + most)
}

function checkPowerOfTwo(name: string, value: number, least: number, most: number): void {
  checkRange(name, value, least, most)
  if ((value & (value - 1)) !== 0) {
    throw new Error('FlashStore: ' + name + ' ' + value + ' is not a power of two')
  }
}

function checkGeometry(flash: ReadWriteStorage): void {
  checkPowerOfTwo('eraseSize', flash.eraseSize, 512, 65536)
  checkPowerOfTwo('writeSize', flash.writeSize, 1, 32)
  const sectorCount = flash.capacity / flash.eraseSize
  checkRange('capacity / eraseSize', sectorCount, LEAST_SECTORS, 1048576)
  const blockSectors = flash.eraseBlockSize / flash.eraseSize
  checkRange('eraseBlockSize / eraseSize', blockSectors, 1, 65536)
}
