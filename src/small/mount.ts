/**
 * Mount: finds on the flash what a FlashOutbox left there, docs/FLASH-FORMAT.md, section 6. Writes
 * nothing. Used for one mount, then dropped.
 */
import { readUint32 } from '../codec/bytes.js'
import { OK } from '../status.js'
import { isBefore, numberAfter, QUEUED, WINDOW_SPAN } from '../store/exchange-window.js'
import { MARK, MESSAGE, RECORD_HEADER, STATE } from '../store/flash-record.js'
import { FORGOTTEN, MARK_FOLLOWS } from '../store/flash-sector.js'
import type { FlashFace } from './flash-face.js'
import { Sector } from './sectors.js'
import { bytesAt, MARK_PLACE, readSession, writePrefix } from './session-record.js'

export class Mount {
  private readonly box: FlashFace
  /** A session state was read, and it is of this client. */
  private isRead: boolean
  private isOurs: boolean
  /** What the state begins with if it is, and bytes of it. */
  private readonly prefix: Uint8Array
  private readonly prefixSize: number
  /** Of the newest state: place (8) and mark. */
  private mark: Uint8Array
  /** Place of the newest mark that was read from the log; offset 0: none. */
  private markSequence: number
  private markOffset: number

  constructor(box: FlashFace) {
    this.box = box
    this.isRead = false
    this.isOurs = false
    this.prefix = new Uint8Array(box.sectors.buffer.length)
    this.prefixSize = writePrefix(this.prefix, 0, box)
    this.mark = this.prefix
    this.markSequence = 0
    this.markOffset = 0
  }

  /** A header that cannot be read is not one that is not there. */
  private open(sector: Sector): boolean {
    const isOpen = this.box.sectors.open(sector)
    if (this.box.sectors.status !== OK) refuse('failed')
    return isOpen
  }

  /** Opens the session store: false where the flash is blank. Throws where it is not ours. */
  openState(): boolean {
    const box = this.box
    const sectors = box.sectors
    const size = sectors.sectorSize
    const first = new Sector(0)
    const second = new Sector(0)
    second.address = size
    const isFirst = this.open(first)
    const isSecond = this.open(second)
    const isSwapped = !isFirst || (isSecond && isBefore(first.sequence, second.sequence))
    const newer = isSwapped ? second : first
    if (isFirst || isSecond) this.readState(newer)
    if (!this.isRead && isFirst && isSecond) {
      // The power was cut before the newer sector got its state.
      this.readState(isSwapped ? first : second)
      box.state.end = size
    }
    if (!this.isRead) {
      const at = isFirst || isSecond ? 2 * size : size
      if (sectors.isBlank(at, sectors.ringEnd - at)) return false
      refuse('is no Holdfast store')
    }
    if (!this.isOurs) refuse('is of another client or broker, or of the full client')
    return true
  }

  private readState(sector: Sector): void {
    const sectors = this.box.sectors
    const state = this.box.state
    state.address = sector.address
    this.open(state)
    sectors.storeId = sectors.header.storeId
    if ((sectors.header.flags & FORGOTTEN) !== 0) refuse('was given up')
    this.scan(state, 0)
  }

  private takeState(length: number): void {
    const buffer = this.box.sectors.buffer
    this.isRead = true
    this.isOurs = true
    for (let index = 0; index < this.prefixSize; index++) {
      if (buffer[RECORD_HEADER + index] !== this.prefix[index]) this.isOurs = false
    }
    if (!this.isOurs) return
    const at = bytesAt(buffer, readSession(buffer, RECORD_HEADER + this.prefixSize, this.box))
    this.mark = new Uint8Array(buffer.subarray(at, RECORD_HEADER + length))
  }

  /** Finds where the log goes on, how far the exchanges have come, and the oldest message. */
  openLog(): void {
    const box = this.box
    const sectors = box.sectors
    const log = box.log
    const probe = new Sector(1)
    let isBegun = false
    for (let at = sectors.ringStart; at < sectors.ringEnd; at += sectors.sectorSize) {
      probe.address = at
      if (!this.open(probe) || (isBegun && isBefore(probe.sequence, log.sequence))) continue
      log.copy(probe)
      isBegun = true
    }
    if (!isBegun) return
    this.open(log)
    const base = sectors.header.base
    box.nextNumber = this.readMarks(log)
    this.takeMark(base)
    this.findOldest(probe)
  }

  /** Fills the window from the newest marks on flash; gives the number behind the log's last. */
  private readMarks(log: Sector): number {
    const sectors = this.box.sectors
    const sector = new Sector(1)
    let next = 0
    for (sector.copy(log); ; sector.address = sectors.before(sector.address)) {
      const sequence = sector.sequence
      // Behind the first: the power was cut between a header and the mark that was to follow.
      if (!this.open(sector) || sector.sequence !== sequence) return next
      const flags = sectors.header.flags
      this.markSequence = sequence
      this.box.window.reset(sectors.header.base)
      const number = this.scan(sector, sectors.header.firstNumber)
      if (next === 0) {
        next = number
        log.end = sector.end
      }
      if (this.markOffset > 0 || (flags & MARK_FOLLOWS) === 0) return next
      sector.sequence = (sequence - 1) >>> 0
    }
  }

  /** The session store's mark, where it is newer; and no mark is older than the header's base. */
  private takeMark(base: number): void {
    const box = this.box
    const window = box.window
    const mark = this.mark
    const sequence = readUint32(mark, 0)
    const isSame = sequence === this.markSequence && readUint32(mark, 4) > this.markOffset
    if (isBefore(this.markSequence, sequence) || isSame) {
      window.decode(mark, MARK_PLACE, mark.length - MARK_PLACE)
    }
    if (isBefore(window.base, base)) window.moveBase(base)
    // If the log has lost its end: no number that a mark speaks of is given again.
    let next = box.nextNumber
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const number = (window.base + index) >>> 0
      if (window.state(number) !== QUEUED && !isBefore(number, next)) next = numberAfter(number)
    }
    box.nextNumber = isBefore(next, window.base) ? window.base : next
  }

  /** Moves the walk to the oldest message that is not complete. */
  private findOldest(probe: Sector): void {
    const box = this.box
    const sectors = box.sectors
    const walk = box.walk
    const base = box.window.base
    let number = base
    probe.copy(box.log)
    for (let back = 0; back < sectors.ringCount; back++) {
      const sequence = (box.log.sequence - back) >>> 0
      if (this.open(probe) && probe.sequence === sequence) {
        walk.copy(probe)
        number = sectors.header.firstNumber
        if (!isBefore(base, number)) break
      }
      probe.address = sectors.before(probe.address)
    }
    box.walkNumber = base
    while (isBefore(number, base)) {
      const found = box.find(number)
      if (sectors.status !== OK) refuse('failed')
      if (found === 0 || !isBefore(found, base)) return
      walk.end += sectors.sizeOf(sectors.bodyLength)
      number = numberAfter(found)
    }
  }

  /**
   * Reads a sector whose header was read, and sets its end. `number` is that of its first message;
   * the number behind the last is returned.
   */
  private scan(sector: Sector, number: number): number {
    const sectors = this.box.sectors
    const size = sectors.sectorSize
    let offset = sector.end
    let isFlipped = false
    while (offset < size) {
      const type = sectors.read(sector, offset, number)
      if (sectors.status !== OK) refuse('failed')
      if (type === 0) {
        if (offset === sector.end) isFlipped = sectors.isFlipped(sector, offset, number)
        if (sectors.isBlank(sector.address + offset, size - offset)) break
        offset += sectors.writeSize
        continue
      }
      if (type === MESSAGE) number = numberAfter(sectors.number)
      if (type === STATE) this.takeState(sectors.bodyLength)
      if (
        type === MARK &&
        this.box.window.decode(sectors.buffer, RECORD_HEADER, sectors.bodyLength)
      ) {
        this.markSequence = sector.sequence
        this.markOffset = offset
      }
      offset += sectors.sizeOf(sectors.bodyLength)
      sector.end = offset
    }
    if (offset === sector.end) return number
    // Torn: nothing is written behind it. One bit off, it may be a message that was accepted.
    sector.end = size
    return isFlipped ? numberAfter(number) : number
  }
}

/** Throws the error of a storage that cannot be used. */
export function refuse(what: string): never {
  throw new Error('option "storage" ' + what + '; use another, or erase it')
}
