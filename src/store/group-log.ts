/**
 * GroupLog: an OutgoingLog that holds records in RAM and writes them to flash in groups.
 *
 * The oldest records are on flash, the newest in RAM, and one order of numbers runs through both. A
 * record that is complete before its group is written never touches flash: then the log on flash
 * goes on at a later number. It does not decide when a group is written.
 */
import type { System } from '../../hal/system.js'
import { ERR_CORRUPT, OK, type Status } from '../status.js'
import { COMPLETE, countBetween, type ExchangeWindow, isBefore, QUEUED } from './exchange-window.js'
import type { FlashLog } from './flash-log.js'
import {
  MESSAGE_QOS,
  MESSAGE_RETAIN,
  MESSAGE_SENT,
  MessageRecord,
  MessageSource,
} from './message-record.js'
import type { Fragments, GroupControl, OutgoingLog } from './outgoing-log.js'
import { placeMessage, type RoomMaker } from './place-message.js'
import { RamLog } from './ram-log.js'

const NOTHING = 0

export class GroupLog implements OutgoingLog, GroupControl, RoomMaker {
  readonly buffer: Uint8Array
  readonly bodyAt: number
  readonly maxBody: number
  readonly topicBuffer: Uint8Array
  readonly topicAt: number
  readonly loadedAt: number
  mustKeep: boolean
  isOnline: boolean
  savedCount: number
  private readonly flash: FlashLog
  private readonly window: ExchangeWindow
  private readonly ram: RamLog
  private readonly system: System
  /** Records are held in RAM only while there is a connection. */
  private readonly isForOffline: boolean
  /** The next record goes to flash at once. */
  private isDirect: boolean
  /** The reader is past what is on flash, and the record it is at is in RAM. */
  private isReadingRam: boolean
  private isRamCurrent: boolean
  /** Every record on flash before this number is complete, and flash says so. */
  private markedTo: number
  /** For a record on its way from RAM to flash. */
  private readonly moved: MessageSource
  private readonly record: MessageRecord

  constructor(
    flash: FlashLog,
    window: ExchangeWindow,
    bytes: number,
    isForOffline: boolean,
    system: System,
  ) {
    this.buffer = flash.buffer
    this.bodyAt = flash.bodyAt
    this.maxBody = flash.maxBody
    this.topicBuffer = flash.topicBuffer
    this.topicAt = flash.topicAt
    this.loadedAt = flash.loadedAt
    this.mustKeep = false
    this.isOnline = false
    this.savedCount = 0
    this.flash = flash
    this.window = window
    this.ram = new RamLog(bytes, flash.buffer, flash.bodyAt, system)
    this.ram.startAt(flash.nextNumber)
    this.system = system
    this.isForOffline = isForOffline
    this.isDirect = false
    this.isReadingRam = false
    this.isRamCurrent = false
    this.markedTo = window.base
    this.moved = new MessageSource(this.ram.ring, this.ram.ring)
    this.record = new MessageRecord()
  }

  get nextNumber(): number {
    return this.ram.nextNumber
  }

  get storedEnd(): number {
    return this.flash.nextNumber
  }

  get writeSector(): number {
    return this.flash.writeSector
  }

  get writeOffset(): number {
    return this.flash.writeOffset
  }

  get holdsNext(): boolean {
    return !this.isDirect
  }

  get heldCount(): number {
    return countBetween(this.ram.oldestNumber, this.ram.nextNumber)
  }

  // Appending

  reserve(length: number): Status {
    const isHeld = this.isOnline || !this.isForOffline
    // Too large for RAM, perhaps with its topic only: then it is for flash from here on.
    if (length > this.ram.maxBody) this.mustKeep = true
    this.isDirect = this.mustKeep || !isHeld
    if (!this.isDirect && this.ram.reserve(length) === OK) return OK
    this.freeRam()
    if (!this.isDirect && this.ram.reserve(length) === OK) return OK
    const status = this.keep()
    if (status !== OK) return status
    if (!this.isDirect) return this.ram.reserve(length)
    return this.flash.reserve(length)
  }

  topicNumber(message: MessageSource): number {
    return this.isDirect ? this.flash.topicNumber(message) : 0
  }

  timeDelta(seconds: number): number {
    return this.isDirect ? this.flash.timeDelta(seconds) : this.ram.timeDelta(seconds)
  }

  append(length: number): number {
    if (!this.isDirect) return this.ram.append(length)
    const readNumber = this.ram.readingNumber
    const number = this.flash.append(length)
    if (number < 0) return number
    this.ram.startAt(this.flash.nextNumber)
    // The reader was past what was on flash; this record is behind it.
    if (this.isReadingRam) this.rewind(readNumber)
    return number
  }

  /** See `GroupControl`. What was written stays written, also when a later record is refused. */
  keep(): Status {
    const flash = this.flash
    const ram = this.ram
    this.freeRam()
    if (this.heldCount === 0 && !this.isDirect) return OK
    const base = this.window.base
    const readNumber = ram.readingNumber
    let status = OK
    // Everything before the base is complete. What is complete behind it leaves an empty record.
    if (isBefore(flash.nextNumber, base)) status = flash.jumpTo(base)
    ram.rewind(flash.nextNumber)
    for (let number = 0; status === OK && (number = ram.advance()) !== NOTHING;) {
      const state = this.window.state(number)
      status = state === COMPLETE ? this.pass() : this.move(state)
    }
    ram.release(flash.nextNumber)
    if (ram.oldestNumber === ram.nextNumber) ram.startAt(flash.nextNumber)
    if (this.isReadingRam) this.rewind(readNumber)
    return status
  }

  /**
   * Writes an empty record for a message that is complete: no mark tells of it until it is on
   * flash, and a power loss in between would bring it back.
   */
  private pass(): Status {
    const status = this.flash.reserve(0)
    if (status !== OK) return status
    const number = this.flash.append(0)
    if (number > 0) this.savedCount++
    return number < 0 ? number : OK
  }

  /** Writes the record that RAM is at, and that has come so far, to flash, its topic by number. */
  private move(state: number): Status {
    const ram = this.ram
    const flash = this.flash
    const ring = ram.ring
    const record = this.record
    const message = this.moved
    if (record.parse(ring, ram.currentBodyAt, ram.loadedLength) !== OK) return ERR_CORRUPT
    message.flags = ring[ram.currentBodyAt]! & (MESSAGE_QOS | MESSAGE_RETAIN)
    // No mark tells of it until it is on flash.
    if (state !== QUEUED && this.window.keepsSent) message.flags |= MESSAGE_SENT
    message.topicAt = record.topicAt
    message.topicLength = record.topicLength
    message.propertiesAt = record.propertiesAt
    message.propertiesLength = record.propertiesLength
    message.payloadLength = record.payloadLength
    message.topicHint = 0
    const seconds = record.timeDelta < 0 ? -1 : ram.currentSeconds
    const at = placeMessage(flash, this, message, seconds, this.system)
    if (at < 0) return at
    this.system.copy(flash.buffer, at, ring, record.payloadAt, record.payloadLength)
    const number = flash.append(at + record.payloadLength - flash.bodyAt)
    return number < 0 ? number : OK
  }

  makeRoom(length: number): Status {
    return this.flash.reserve(length)
  }

  // Reading

  rewind(number: number): void {
    this.isReadingRam = !isBefore(number, this.flash.nextNumber)
    if (this.isReadingRam) this.ram.rewind(number)
    else this.flash.rewind(number)
  }

  advance(): number {
    this.isRamCurrent = this.isReadingRam
    if (!this.isReadingRam) {
      const number = this.flash.advance()
      if (number !== NOTHING) return number
      this.isReadingRam = true
      this.isRamCurrent = true
      this.ram.rewind(this.flash.nextNumber)
    }
    return this.ram.advance()
  }

  stepBack(): void {
    this.isReadingRam = this.isRamCurrent
    if (this.isRamCurrent) this.ram.stepBack()
    else this.flash.stepBack()
  }

  load(): Status {
    return this.isRamCurrent ? this.ram.load() : this.flash.load()
  }

  get loadedLength(): number {
    return this.isRamCurrent ? this.ram.loadedLength : this.flash.loadedLength
  }

  get loadedTimeBase(): number {
    return this.isRamCurrent ? this.ram.loadedTimeBase : this.flash.loadedTimeBase
  }

  loadTopic(number: number): Status {
    return this.flash.loadTopic(number)
  }

  get topicLength(): number {
    return this.flash.topicLength
  }

  // Marks and space

  /** A mark that says nothing of a record on flash is not written. */
  writeMark(window: ExchangeWindow): Status {
    const end = this.flash.nextNumber
    if (!isBefore(this.markedTo, end)) return OK
    const status = this.flash.writeMark(window)
    if (status === OK) this.markedTo = window.storedBase(end)
    return status
  }

  release(base: number): void {
    this.freeRam()
    this.flash.release(base)
  }

  /** What is complete in RAM needs no mark to go: flash knows nothing of it. */
  private freeRam(): void {
    const oldest = this.ram.oldestNumber
    this.ram.release(this.window.base)
    this.savedCount += countBetween(oldest, this.ram.oldestNumber)
  }

  oldestAfterDrop(): number {
    return this.flash.oldestAfterDrop()
  }

  get timeBase(): number {
    return this.flash.timeBase
  }

  maintain(): boolean {
    return this.flash.maintain()
  }

  get skippedCount(): number {
    return this.flash.skippedCount
  }

  get fragments(): Fragments {
    return this.flash.fragments
  }

  get capacity(): number {
    return this.flash.capacity
  }

  get wear(): number {
    return this.flash.wear
  }

  get freeBytes(): number {
    return this.flash.freeBytes
  }
}
