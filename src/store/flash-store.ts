import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import {
  ERR_BUSY,
  ERR_FOREIGN,
  ERR_FORMAT,
  ERR_HOOK,
  ERR_IDENTITY,
  ERR_KEY,
  ERR_LANES,
  ERR_STORAGE,
  OK,
  type Status,
} from '../status.js'
import type { ExchangeWindow } from './exchange-window.js'
import { FlashLane, applyMark } from './flash-lane.js'
import { DEFAULT_MAX_TOPIC, FlashLog } from './flash-log.js'
import { BlankCheck, FlashRegion } from './flash-region.js'
import { HEADER_FORMAT, HEADER_VALID } from './flash-sector.js'
import { SESSION_SECTORS, checkGeometry, checkLane, checkRange } from './geometry.js'
import type { SealedHooks } from './sealing.js'
import { SessionStore } from './session-store.js'
import type { LaneSpace, Storage } from './storage-face.js'

/**
 * FlashStore: what an application makes of a flash partition and gives to the client as `storage`.
 * It lays out the partition (docs/FLASH-FORMAT.md, section 1), decides at `mount` whether what is
 * there is this client's store, and formats only a partition that is blank.
 */

const LEAST_BUFFER = 512
const DEFAULT_BUFFER = 1024

export interface FlashStoreOptions {
  /**
   * Transform what is stored, for encryption: those of holdfast/encryption or encrypt-then-mac, or
   * `sealed(hooks)` of holdfast/hooks. They must be the same at every boot.
   */
  readonly hooks?: SealedHooks
  /** Bytes of the buffer one record is built in; bounds the message size. Must not shrink later. */
  readonly bufferSize?: number
  /** The longest topic, in bytes, that is stored once a sector instead of in each message. */
  readonly maxTopic?: number
}

export class FlashStore implements Storage {
  lanes: FlashLane[]
  readonly state: SessionStore
  /** Sectors behind the session store, whatever lane they belong to. */
  private readonly sectorCount: number
  private readonly flash: ReadWriteStorage
  private readonly system: System
  private readonly hooks: SealedHooks | null
  private readonly maxTopic: number
  private readonly buffer: Uint8Array
  private isMounted: boolean
  private mountedAt: number

  /** Throws an Error that names the culprit when the geometry or an option cannot work. */
  constructor(flash: ReadWriteStorage, system: System, options?: FlashStoreOptions) {
    const chosen = options ?? {}
    const hooks = chosen.hooks ?? null
    const bufferSize = chosen.bufferSize ?? DEFAULT_BUFFER
    const maxTopic = chosen.maxTopic ?? DEFAULT_MAX_TOPIC
    checkGeometry(flash)
    checkRange('bufferSize', bufferSize, LEAST_BUFFER, 65536)
    checkRange('maxTopic', maxTopic, 0, 255)
    this.flash = flash
    this.system = system
    this.hooks = hooks
    this.maxTopic = maxTopic
    this.buffer = new Uint8Array(bufferSize)
    this.sectorCount = flash.capacity / flash.eraseSize - SESSION_SECTORS
    this.lanes = []
    this.state = new SessionStore(flash, system, hooks, this.buffer)
    this.isMounted = false
    this.mountedAt = 0
    this.layOut(oneLane())
  }

  /** Log and window of the first lane. */
  get log(): FlashLog {
    return this.lanes[0]!.flash
  }

  get window(): ExchangeWindow {
    return this.lanes[0]!.window
  }

  /** See `Storage`. */
  get storeId(): number {
    return this.state.sectors.region.storeId
  }

  /** Whom the store belongs to, in words, also after `mount` refused with ERR_IDENTITY. */
  get identity(): string {
    return '"' + this.state.clientId + '" at ' + this.state.brokers
  }

  /** See `Storage`: the names of the lanes with their sectors. */
  get layout(): string {
    return this.state.layout
  }

  /** See `Storage`. ERR_TOO_LARGE: the identity does not fit a sector or the buffer. */
  mount(clientId: string, brokers: string, lanes?: LaneSpace[]): Status {
    if (this.isMounted) return ERR_BUSY
    const state = this.state
    const sectors = state.sectors
    const salt = this.system.random()
    const spaces = lanes ?? oneLane()
    const layout = this.layOut(spaces)
    const failedReads = this.failedReads
    let kind = sectors.inspect()
    if (kind === HEADER_FORMAT) return ERR_FORMAT
    if (sectors.isForgotten) {
      if (this.wipe() < 0) return ERR_STORAGE
      kind = sectors.inspect()
    }
    let status = kind === HEADER_VALID ? state.load() : ERR_FOREIGN
    if (this.failedReads !== failedReads) return ERR_STORAGE
    if (status === ERR_HOOK || status === ERR_KEY) return status
    const isFound = status === OK
    state.recovered = false
    if (!isFound) {
      status = this.adopt()
      if (this.failedReads !== failedReads) return ERR_STORAGE
      if (status < 0) return status
    } else if (state.clientId !== clientId || state.brokers !== brokers) {
      return ERR_IDENTITY
    } else if (state.layout !== layout) {
      return ERR_LANES
    }
    state.setCounts(this.lanes.length, brokers.split(' ').length)
    status = state.take(clientId, brokers, layout, this.system.random())
    if (status < 0) return status
    const storeId = sectors.region.storeId
    sectors.region.begin(storeId, salt)
    state.logs = []
    for (let index = 0; index < this.lanes.length; index++) {
      const lane = this.lanes[index]!
      status = lane.flash.mount(storeId, salt, lane.window)
      if (status < 0) return status
      applyMark(lane, state.lanes[index]!)
      const region = lane.flash.region
      if (region.seal !== null) {
        state.logs.push(lane.flash)
        const isSealed = lane.flash.recovery.isSealed
        region.seal.join(lane.flash, state.lanes[index]!, sectors, isSealed)
        // Neither the state nor the log is authentic: it is the key that is wrong.
        if (!isSealed && !isFound && region.refused > 0) return ERR_HOOK
      }
      lane.setGroup(spaces[index]!, this.system)
    }
    // The new owner: whoever opened the store before us finds it out at its next save.
    status = state.save()
    this.isMounted = status === OK
    this.mountedAt = this.system.now()
    sectors.region.erases = 0 // what mounting erased is no measure of what follows
    return status
  }

  /**
   * Divides the sectors among the lanes and returns the division as text. Throws an Error that
   * names the lane when one does not fit.
   */
  private layOut(spaces: LaneSpace[]): string {
    const sectorSize = this.flash.eraseSize
    const total = this.sectorCount
    let asked = 0
    let shareCount = 0
    for (let index = 0; index < spaces.length; index++) {
      const bytes = spaces[index]!.bytes
      if (bytes === 0) shareCount++
      asked += Math.ceil(bytes / sectorSize)
    }
    const share = shareCount === 0 ? 0 : Math.floor((total - asked) / shareCount)
    let layout = ''
    let first = SESSION_SECTORS
    const lanes: FlashLane[] = []
    for (let index = 0; index < spaces.length; index++) {
      const space = spaces[index]!
      const count = space.bytes === 0 ? share : Math.ceil(space.bytes / sectorSize)
      checkLane(space, index, count, sectorSize, first - SESSION_SECTORS + count - total)
      const present = this.lanes[index]
      const isKept =
        present !== undefined &&
        present.flash.region.firstSector === first &&
        present.flash.region.sectorCount === count
      lanes.push(isKept ? present : new FlashLane(this.makeLog(index + 1, first, count)))
      if (space.name !== '') layout += (index > 0 ? ' ' : '') + space.name + ':' + count
      first += count
    }
    this.lanes = lanes
    return layout
  }

  private makeLog(region: number, firstSector: number, sectorCount: number): FlashLog {
    return new FlashLog(
      this.flash,
      firstSector,
      sectorCount,
      region,
      this.system,
      this.buffer,
      this.hooks,
      this.maxTopic,
    )
  }

  /** See `Storage`. Sectors of a lane take turns, so each has its share of the lane's erases. */
  estimateLifetime(eraseCycles: number): number {
    const state = this.state.sectors
    const seconds = (this.system.now() - this.mountedAt) / 1000
    let least = secondsLeft(state.region, state.sequence, eraseCycles, seconds)
    for (let index = 0; index < this.lanes.length; index++) {
      const flash = this.lanes[index]!.flash
      const left = secondsLeft(flash.region, flash.writeSector, eraseCycles, seconds)
      if (left < least) least = left
    }
    return least
  }

  /**
   * With hooks: signs of damage, or of a change that is not ours, since the last mount: records the
   * hooks refused, damage between records, a log or a session state older than the other one says.
   * None of it is used. Messages are counted and reported one by one besides.
   */
  get faults(): number {
    let count = this.state.sectors.region.refused
    for (let index = 0; index < this.lanes.length; index++) {
      count += this.lanes[index]!.flash.region.refused
    }
    return count
  }

  private get failedReads(): number {
    let count = this.state.sectors.region.failedReads
    for (let index = 0; index < this.lanes.length; index++) {
      count += this.lanes[index]!.flash.region.failedReads
    }
    return count
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
   * Gives up identity, session and messages for good, as before a device changes hands: nothing of
   * them is left on the flash. A power loss leaves the store as it was or given up: then the next
   * `mount` or `forget` goes on. What is no store of this format is refused and left alone.
   * ERR_STORAGE: not all could be erased; it is given up all the same.
   */
  forget(): Status {
    if (this.isMounted) return ERR_BUSY
    const state = this.state
    const sectors = state.sectors
    const failedReads = this.failedReads
    const kind = sectors.inspect()
    if (kind === HEADER_FORMAT) return ERR_FORMAT
    if (kind === HEADER_VALID) {
      // Where the state stands; whether it can be read does not matter.
      if (!sectors.isForgotten) sectors.findState()
    } else {
      const status = this.adopt()
      if (status < 0) return status
    }
    return this.failedReads === failedReads ? this.wipe() : ERR_STORAGE
  }

  /** Erases everything, at last the header that says that the store is given up. */
  private wipe(): Status {
    const flash = this.flash
    const size = flash.eraseSize
    const step = flash.eraseBlockSize
    const status = this.state.sectors.forget()
    if (status < 0) return status
    for (let end = flash.capacity; end > 0;) {
      let start = end % step === 0 ? end - step : end - (end % step)
      if (start < size && end > size) start = size
      if (flash.erase(start, end - start) < 0) return ERR_STORAGE
      end = start
    }
    return OK
  }

  /**
   * The session state cannot be read. If there are messages, they stay and get a new state around
   * them. If all is blank, but for what a power loss left of a first format, a new store begins.
   */
  private adopt(): Status {
    const state = this.state
    state.clear()
    // The store id may change: no state may stand behind a header that has another one.
    state.sectors.close()
    // Another kind of store, with nothing behind its first sector yet.
    const own = state.sectors.region
    const header = own.header
    if (own.readHeader(0) === HEADER_VALID && header.region !== 0) return ERR_FOREIGN
    // The session store begins where the partition does, so its sectors are counted from there.
    const end = SESSION_SECTORS + this.sectorCount
    for (let sector = SESSION_SECTORS; sector < end; sector++) {
      const kind = own.readHeader(sector)
      if (kind === HEADER_FORMAT) return ERR_FORMAT
      if (kind !== HEADER_VALID || header.region === 0) continue
      if (header.region !== this.regionAt(sector)) return ERR_LANES
      if (!state.recovered) own.storeId = header.storeId
      state.recovered = true
    }
    if (state.recovered) return OK
    const check = new BlankCheck(own, this.buffer)
    const size = this.flash.eraseSize
    if (!check.isBlank(size, this.flash.capacity - size)) return ERR_FOREIGN
    own.storeId = this.system.random()
    return OK
  }

  /** The region that a sector of the partition belongs to; 0: none. */
  private regionAt(sector: number): number {
    for (let index = 0; index < this.lanes.length; index++) {
      const region = this.lanes[index]!.flash.region
      if (sector - region.firstSector < region.sectorCount) return region.region
    }
    return 0
  }
}

/** `begun`: sectors of the region that were begun since it was formatted. */
function secondsLeft(
  region: FlashRegion,
  begun: number,
  eraseCycles: number,
  seconds: number,
): number {
  if (region.erases === 0) return Infinity
  const left = eraseCycles * region.sectorCount - begun
  return left > 0 ? (left * seconds) / region.erases : 0
}

/** A store without lanes: one log in the whole partition. */
function oneLane(): LaneSpace[] {
  return [{ name: '', bytes: 0, groupBytes: 0, isForOffline: false }]
}
