/**
 * FlashOutbox: the Outbox that survives a power loss, in the format of docs/FLASH-FORMAT.md: one
 * lane, topics inline, no times, no hooks. The full client goes on with what it wrote, and the
 * inspector reads it.
 *
 *   sector   0         1         2
 *          +---------+---------+---------+---------+- - - -
 *          |  session state    | messages and marks, a ring
 *          +---------+---------+---------+---------+- - - -
 *
 * Each sector is erased just before it is begun, so nothing that reads blank has to be trusted.
 */
import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import { utf8Size } from '../codec/utf8.js'
import { ERR_FULL, ERR_STORAGE, ERR_TOO_LARGE, OK, type Status } from '../status.js'
import {
  COMPLETE,
  countBetween,
  ExchangeWindow,
  isBefore,
  numberAfter,
  WINDOW_SPAN,
} from '../store/exchange-window.js'
import { MARK, MESSAGE, RECORD_HEADER, STATE } from '../store/flash-record.js'
import { MARK_FOLLOWS } from '../store/flash-sector.js'
import type { FlashFace } from './flash-face.js'
import { Mount, refuse } from './mount.js'
import { writeBody } from './outbox.js'
import { Sector, Sectors } from './sectors.js'
import { SESSION_SIZE, writeSession } from './session-record.js'

/** Sectors that only marks may use: a full queue must be able to note what is complete. */
const MARK_SECTORS = 2
/** In `places`: the message is not there. */
const NOWHERE = 0xffffffff
/** Bytes of clientId and broker that a session state has room for. */
const LONGEST_NAMES = 255
/** The largest MARK: docs/FLASH-FORMAT.md, section 4.2. */
const LARGEST_MARK = 20

export interface FlashOutboxOptions {
  /** Bytes of the largest message with its topic. Default 1,024. */
  readonly bufferSize?: number
}

export class FlashOutbox implements FlashFace {
  readonly isDurable: boolean
  readonly window: ExchangeWindow
  readonly inbound: number[]
  nextNumber: number
  sessionMayExist: boolean
  isDirty: boolean
  readonly sectors: Sectors
  readonly state: Sector
  readonly log: Sector
  readonly walk: Sector
  walkNumber: number
  clientId: string
  broker: string
  private readonly system: System
  private resumeEnd: number
  /** Addresses of the messages before `walkNumber`, by the lowest bits of their numbers. */
  private readonly places: Uint32Array
  private readonly place: Sector
  /** The sector of the oldest message by what is durable. */
  private tail: number

  /** Throws for a flash that cannot hold a log. */
  constructor(flash: ReadWriteStorage, system: System, options?: FlashOutboxOptions) {
    this.isDurable = true
    this.window = new ExchangeWindow()
    this.inbound = []
    this.nextNumber = 1
    this.sessionMayExist = false
    this.isDirty = false
    this.system = system
    const bufferSize = (options && options.bufferSize) ?? 1024
    this.sectors = new Sectors(flash, system, bufferSize)
    if (!(this.sectors.ringCount > 5)) refuse('has fewer than 8 sectors')
    this.state = new Sector(0)
    this.log = new Sector(1)
    this.walk = new Sector(1)
    this.walkNumber = 1
    this.clientId = ''
    this.broker = ''
    this.resumeEnd = 1
    this.places = new Uint32Array(WINDOW_SPAN)
    this.place = new Sector(1)
    this.tail = 0
  }

  get count(): number {
    return countBetween(this.window.base, this.nextNumber)
  }

  get sentEnd(): number {
    return this.resumeEnd
  }

  mount(clientId: string, broker: string): void {
    const sectors = this.sectors
    const names = utf8Size(clientId) + utf8Size(broker)
    if (names > LONGEST_NAMES || names + SESSION_SIZE > sectors.largestBody) {
      throw new Error('option "clientId" is too long, or "bufferSize" too small')
    }
    this.clientId = clientId
    this.broker = broker
    this.log.address = sectors.ringEnd - sectors.sectorSize
    this.log.end = sectors.sectorSize
    const mount = new Mount(this)
    if (!mount.openState()) {
      sectors.storeId = this.system.random()
      let status = sectors.begin(this.state, 0, 0, 0, 0)
      // Twice: a flipped bit in one of them must not cost the messages behind.
      if (status === OK) status = this.save() || this.save()
      if (status !== OK) refuse('failed')
      return
    }
    mount.openLog()
    this.tail = this.walk.address
    // What a window may have sent, whose base was so many acknowledgements further on.
    const end = (this.window.base + 2 * WINDOW_SPAN) >>> 0
    this.resumeEnd = !this.sessionMayExist
      ? this.window.base
      : isBefore(end, this.nextNumber)
        ? end
        : this.nextNumber
  }

  /** Erases all: what was kept is given up. Then any client can mount the outbox. */
  format(): Status {
    return this.sectors.flash.erase(0, this.sectors.ringEnd)
  }

  add(flags: number, topic: string, payload: string | Uint8Array, size: number): number {
    const sectors = this.sectors
    const recordSize = sectors.sizeOf(size)
    if (size > sectors.largestBody || recordSize > this.largestRecord) return ERR_TOO_LARGE
    let status = this.makeRoom(recordSize, MARK_SECTORS)
    if (status !== OK) return status
    writeBody(sectors.buffer, RECORD_HEADER, flags, topic, payload)
    if (this.count === 0) {
      this.walk.copy(this.log)
      this.walkNumber = this.nextNumber
    }
    status = sectors.write(this.log, MESSAGE, size, this.nextNumber)
    const number = this.nextNumber
    this.nextNumber = numberAfter(number)
    if (status === OK) return number
    // It may stand there all the same: its number is used up.
    if (this.window.spans(number)) this.settle(number, COMPLETE)
    return status
  }

  load(number: number, target: Uint8Array, at: number, end: number): number {
    const sectors = this.sectors
    if (isBefore(number, this.walkNumber)) this.readAgain(number)
    // Those in front of it may be complete: they are passed.
    while (!isBefore(number, this.walkNumber)) {
      const wanted = this.walkNumber
      const found = this.find(wanted)
      if (sectors.status !== OK) return ERR_STORAGE
      const isFound = found === wanted
      const walk = this.walk
      this.places[wanted & (WINDOW_SPAN - 1)] = isFound ? walk.address + walk.end : NOWHERE
      if (isFound) walk.end += sectors.sizeOf(sectors.bodyLength)
      else sectors.bodyLength = -1
      this.walkNumber = numberAfter(wanted)
    }
    if (sectors.status !== OK) return ERR_STORAGE
    const length = sectors.bodyLength
    if (length <= 0) return 0
    if (at + length > end) return ERR_TOO_LARGE
    this.system.copy(target, at, sectors.buffer, RECORD_HEADER, length)
    return length
  }

  settle(number: number, state: number): void {
    this.window.setState(number, state)
    this.isDirty = true
    if (state === COMPLETE) this.window.slide(this.nextNumber)
  }

  /** Reads a message that the walk has passed. */
  private readAgain(number: number): void {
    const sectors = this.sectors
    const size = sectors.sectorSize
    const address = this.places[number & (WINDOW_SPAN - 1)]!
    const place = this.place
    sectors.bodyLength = -1
    sectors.status = OK
    if (address === NOWHERE) return
    const offset = address % size
    place.address = address - offset
    place.sequence = this.log.sequence - sectors.between(place.address, this.log.address)
    if (sectors.read(place, offset, number) !== MESSAGE || sectors.number !== number) {
      sectors.bodyLength = -1
    }
  }

  find(number: number): number {
    const sectors = this.sectors
    const walk = this.walk
    const size = sectors.sectorSize
    for (;;) {
      const isLast = walk.address === this.log.address
      const left = (isLast ? this.log.end : size) - walk.end
      const type = left > 0 ? sectors.read(walk, walk.end, number) : 0
      if (type === MESSAGE) return sectors.number
      if (sectors.status !== OK) return 0
      if (type !== 0) walk.end += sectors.sizeOf(sectors.bodyLength)
      else if (left > 0 && !sectors.isBlank(walk.address + walk.end, left)) {
        walk.end += sectors.writeSize // damaged: what is behind it is looked for
      } else if (isLast) return 0
      else {
        const sequence = (walk.sequence + 1) >>> 0
        walk.address = sectors.after(walk.address)
        if (sectors.open(walk)) {
          if (isBefore(number, sectors.header.firstNumber)) number = sectors.header.firstNumber
        } else walk.sequence = sequence
      }
    }
  }

  save(): Status {
    const sectors = this.sectors
    const state = this.state
    const address = state.address
    const length = writeSession(sectors.buffer, RECORD_HEADER, this)
    let status = OK
    if (state.end + sectors.sizeOf(length) > sectors.sectorSize) {
      status = sectors.begin(state, state.address > 0 ? 0 : sectors.sectorSize, 0, 0, 0)
    }
    if (status === OK) status = sectors.write(state, STATE, length, 0)
    if (status === OK) return this.marked() // it has a mark in it
    state.address = address // the newest state is there: the other sector is begun again
    return status
  }

  flush(): Status {
    if (!this.isDirty) return OK
    const status = this.makeRoom(this.sectors.sizeOf(LARGEST_MARK), 0)
    if (status === ERR_FULL) return this.save()
    return status === OK && this.isDirty ? this.writeMark() : status
  }

  private get largestRecord(): number {
    const sectors = this.sectors
    return sectors.sectorSize - sectors.headerSize - sectors.sizeOf(LARGEST_MARK)
  }

  /** Makes sure that `size` bytes can be written, and leaves `reserve` sectors free. */
  private makeRoom(size: number, reserve: number): Status {
    const sectors = this.sectors
    const log = this.log
    if (log.end + size <= sectors.sectorSize) return OK
    const used = sectors.between(this.oldestAddress(), log.address)
    if (sectors.ringCount - 1 - used <= reserve) return ERR_FULL
    const hasMarks = this.window.hasMarks()
    const flags = hasMarks ? MARK_FOLLOWS : 0
    const next = sectors.after(log.address)
    // What is erased must be complete after a power loss, too.
    let status = this.isDirty && next === this.tail ? this.save() : OK
    if (status === OK) status = sectors.begin(log, next, flags, this.nextNumber, this.window.base)
    if (status !== OK) return status
    return hasMarks ? this.writeMark() : this.marked()
  }

  private writeMark(): Status {
    const sectors = this.sectors
    const length = this.window.encode(sectors.buffer, RECORD_HEADER, this.nextNumber)
    const status = sectors.write(this.log, MARK, length, 0)
    return status === OK ? this.marked() : status
  }

  private marked(): Status {
    const address = this.oldestAddress()
    this.tail = address - (address % this.sectors.sectorSize)
    this.isDirty = false
    return OK
  }

  /** Where the oldest message stands that is not complete, or an address in front of it. */
  private oldestAddress(): number {
    let number = this.window.base
    if (this.count === 0) return this.log.address
    for (; isBefore(number, this.walkNumber); number = numberAfter(number)) {
      const address = this.places[number & (WINDOW_SPAN - 1)]!
      if (address !== NOWHERE) return address
    }
    return this.walk.address
  }
}
