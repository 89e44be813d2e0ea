/**
 * OutgoingQueue: the messages that were accepted and are not complete, in order.
 *
 * It joins three things: a log that holds the records (in RAM or on flash), the window that says
 * how far the oldest of them have come, and the session state that counts what was dropped. It
 * decides what happens when the log is full and when marks become durable. It knows nothing of
 * packets and connections: the session tells it what became of a message.
 */
import { ERR_CORRUPT, ERR_FULL, ERR_STORAGE, OK, type Status } from '../status.js'
import type { System } from '../../hal/system.js'
import {
  COMPLETE,
  type ExchangeWindow,
  isBefore,
  numberAfter,
  QUEUED,
  RELEASED,
  SENT,
  WINDOW_SPAN,
} from '../store/exchange-window.js'
import {
  MessageRecord,
  type MessageSource,
  messageSize,
  writeMessageHead,
} from '../store/message-record.js'
import type { OutgoingLog } from '../store/outgoing-log.js'
import type { Lane } from './lane.js'
import { type FullQueue, Overflow } from './overflow.js'
import type { QueueListener } from './queue-listener.js'
import { DROPPED_DAMAGED, type LaneState, type SessionState } from '../store/session-state.js'

/** Times below this were taken without a wall clock (docs/FLASH-FORMAT.md, section 4.1). */
const FIRST_WALL_SECONDS = 1000000000

export class OutgoingQueue implements FullQueue {
  readonly log: OutgoingLog
  readonly window: ExchangeWindow
  readonly state: SessionState
  readonly lane: Lane
  /** The record `peek` found, taken apart; valid until the next call of the queue. */
  readonly record: MessageRecord
  /** Set by the session in its constructor. */
  listener: QueueListener | null

  /**
   * Marks tell which messages were sent. Only for the policy `discard`: it drops what was in flight
   * when the session is lost, and nothing else, also after a reboot. It costs a mark each time
   * something is sent.
   */
  readonly keepsSent: boolean

  private readonly system: System
  /** Makes the clock of `system.now` go on from the newest time the log knows. */
  private readonly clockOffset: number
  private readonly laneState: LaneState
  private readonly overflow: Overflow
  private readonly ackBatch: number
  private readonly ackDelayMs: number
  /** The record `next` returned last, and the number the log should come to next. */
  private current: number
  private expected: number
  /** Records completed since the last durable mark. */
  private unmarkedCount: number
  private markDueAt: number
  /** A release mark that must be durable before PUBREL leaves. */
  private isReleaseUnmarked: boolean
  private isSendUnmarked: boolean
  /** A message was dropped; its counter and its mark are not durable yet. */
  private isDropUnsaved: boolean
  /** The body being built: its length, and the record's topic number for the publisher's hint. */
  private bodyLength: number

  constructor(
    log: OutgoingLog,
    window: ExchangeWindow,
    state: SessionState,
    system: System,
    lane: Lane,
    ackBatch: number,
    ackDelayMs: number,
    keepsSent: boolean,
  ) {
    this.log = log
    this.window = window
    this.state = state
    this.lane = lane
    this.laneState = state.lanes[lane.index]!
    this.overflow = new Overflow(this)
    this.record = new MessageRecord()
    this.listener = null
    this.keepsSent = keepsSent
    window.keepsSent = keepsSent
    this.system = system
    // After a time with a wall clock a new count begins: it must not be taken for the wall clock.
    const newest = log.timeBase < FIRST_WALL_SECONDS ? log.timeBase : 0
    this.clockOffset = newest + 1 - Math.floor(system.now() / 1000)
    this.ackBatch = ackBatch
    this.ackDelayMs = ackDelayMs
    this.current = 0
    this.expected = window.base
    this.unmarkedCount = 0
    this.markDueAt = -1
    this.isReleaseUnmarked = false
    this.isSendUnmarked = false
    this.isDropUnsaved = false
    this.bodyLength = 0
    log.release(window.base)
    this.rewind()
  }

  /** Messages accepted and not complete, counting damaged ones not yet met. */
  get depth(): number {
    const window = this.window
    let count = (this.log.nextNumber - window.base) >>> 0
    for (let index = 0; index < WINDOW_SPAN; index++) {
      if (window.state((window.base + index) >>> 0) === COMPLETE) count--
    }
    return count
  }

  /** Messages dropped, by DROPPED_ reason. */
  get dropped(): Uint32Array {
    return this.laneState.dropped
  }

  /** True when nothing waits and nothing is in flight. */
  get isEmpty(): boolean {
    return this.window.base === this.log.nextNumber
  }

  /** Seconds on the clock that record times are on; see `loadedAge`. */
  get seconds(): number {
    const wall = this.system.wallSeconds()
    return wall > 0 ? wall : Math.floor(this.system.now() / 1000) + this.clockOffset
  }

  // Enqueue: begin, fill in the payload, commit.

  /**
   * Makes room and writes all of the record but the payload. Returns where in `log.buffer` the
   * payload of `message.payloadLength` bytes goes, or ERR_TOO_LARGE, ERR_FULL, ERR_STORAGE,
   * ERR_HOOK. `isTimed` keeps the time of queueing, for messages that expire.
   */
  begin(message: MessageSource, isTimed: boolean): number {
    const log = this.log
    // Topic number and time belong to a sector. Storing either can fill it, and then the next one
    // needs both again: the second round starts in an empty sector and always fits.
    for (let round = 0; round < 3; round++) {
      const status = this.overflow.makeRoom(messageSize(message, 1, isTimed ? 0 : -1))
      if (status !== OK) return status
      const sector = log.writeSector
      const topicNumber = log.topicNumber(
        message.topic,
        0,
        message.topicLength,
        message.topicHint,
        message.hintSector,
      )
      if (topicNumber < 0) return topicNumber
      let timeDelta = -1
      if (isTimed) {
        timeDelta = log.timeDelta(this.seconds)
        if (timeDelta < 0) return timeDelta
      }
      this.bodyLength = messageSize(message, topicNumber, timeDelta)
      const fit = this.overflow.makeRoom(this.bodyLength)
      if (fit !== OK) return fit
      if (log.writeSector !== sector) continue
      message.topicHint = topicNumber
      message.hintSector = sector
      return writeMessageHead(log.buffer, log.bodyAt, message, topicNumber, timeDelta, this.system)
    }
    return ERR_FULL
  }

  /** Appends what `begin` started, its payload filled in: the ticket, or a negative status. */
  commit(): number {
    return this.log.append(this.bodyLength)
  }

  // Reading, for the session's outgoing side.

  /** Starts again at the oldest message that is not complete. */
  rewind(): void {
    this.log.rewind(this.window.base)
    this.expected = this.window.base
  }

  /**
   * The number of the next message that is not complete; 0 when there is none, or it lies beyond
   * the window and must wait for the oldest to complete.
   */
  next(): number {
    for (;;) {
      const number = this.log.advance()
      if (number < 0) {
        this.listener!.onStorageFailed(number)
        return 0
      }
      if (!this.passGap(number === 0 ? this.log.nextNumber : number)) {
        if (number !== 0) this.log.stepBack()
        return 0
      }
      if (number === 0) return 0
      if (isBefore(number, this.window.base)) continue
      if (!this.window.spans(number)) {
        this.log.stepBack()
        return 0
      }
      this.current = number
      this.expected = numberAfter(number)
      if (this.window.state(number) !== COMPLETE) return number
    }
  }

  /** The message `next` returned comes again at the next call. */
  leave(): void {
    this.log.stepBack()
    this.expected = this.current
  }

  /**
   * Loads the message `next` returned into `record`: OK; ERR_CORRUPT or ERR_HOOK, then it was
   * damaged and is dropped; ERR_STORAGE, then it may be readable later and comes again.
   */
  load(number: number): Status {
    const log = this.log
    let status = log.load()
    if (status === OK) {
      status = this.record.parse(log.buffer, log.loadedAt, log.loadedLength)
      if (status === OK && this.record.topicNumber > 0) {
        status = log.loadTopic(this.record.topicNumber)
      }
    }
    if (status === ERR_STORAGE) {
      this.leave()
      this.listener!.onStorageFailed(status)
    } else if (status !== OK) {
      this.drop(number, status, DROPPED_DAMAGED, 0)
    }
    return status
  }

  /** Seconds the loaded message has waited as far as is known; 0 when it has no time. */
  get loadedAge(): number {
    if (this.record.timeDelta < 0) return 0
    const queuedAt = this.log.loadedTimeBase + this.record.timeDelta
    const seconds = this.seconds
    // A time with the wall clock and one without it have nothing in common.
    if (queuedAt < FIRST_WALL_SECONDS !== seconds < FIRST_WALL_SECONDS) return 0
    return seconds > queuedAt ? seconds - queuedAt : 0
  }

  // What became of a message.

  markSent(number: number): void {
    this.window.setState(number, SENT)
    if (this.keepsSent) this.isSendUnmarked = true
  }

  /** With `keepsSent`: call it before bytes of what was marked as sent leave. */
  makeSendsDurable(): Status {
    return this.isSendUnmarked ? this.writeMark() : OK
  }

  /** QoS 2: PUBREC came. PUBREL may leave only after `makeReleasesDurable` returned OK. */
  markReleased(number: number): void {
    this.window.setState(number, RELEASED)
    this.isReleaseUnmarked = true
  }

  makeReleasesDurable(): Status {
    return this.isReleaseUnmarked ? this.writeMark() : OK
  }

  /** The exchange has ended: the message never comes back. */
  complete(number: number): void {
    this.window.setState(number, COMPLETE)
    this.unmarkedCount++
    this.window.slide(this.log.nextNumber)
  }

  /** Ends the exchange without the broker, counts it and reports it. */
  drop(number: number, status: Status, reason: number, reasonCode: number): void {
    this.count(reason)
    this.listener!.onDropping(number, this.window.state(number), status)
    this.complete(number)
    this.listener!.onDropped(number, status, reasonCode)
  }

  /** Turns what was in flight into new messages: the broker knows nothing of them any more. */
  requeue(): void {
    const window = this.window
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const number = (window.base + index) >>> 0
      const state = window.state(number)
      if (state === SENT || state === RELEASED) window.setState(number, QUEUED)
    }
    this.unmarkedCount++ // RELEASED may stand on flash
  }

  // Durability of marks, and work in the background.

  /** Writes the mark that is due; returns milliseconds until one will be, or Infinity. */
  tend(now: number): number {
    this.saveDrops()
    if (this.unmarkedCount === 0) return Infinity
    if (this.markDueAt < 0) this.markDueAt = now + this.ackDelayMs
    if (this.unmarkedCount < this.ackBatch && now < this.markDueAt) return this.markDueAt - now
    this.writeMark()
    return Infinity
  }

  /** Makes everything durable that is not: OK or the reason why not. */
  flush(): Status {
    return this.unmarkedCount > 0 || this.isReleaseUnmarked ? this.writeMark() : OK
  }

  /** Counts a message that is dropped; durable with the next mark. */
  count(reason: number): void {
    const dropped = this.laneState.dropped
    dropped[reason] = dropped[reason]! + 1
    this.isDropUnsaved = true
  }

  /** Makes counters durable: a new sector, which takes the marks along, must not come first. */
  saveDrops(): Status {
    return this.isDropUnsaved ? this.writeMark() : OK
  }

  /** Makes marks durable that may free sectors: true when there were any and it went well. */
  freeByMark(): boolean {
    return this.unmarkedCount > 0 && this.writeMark() === OK
  }

  private writeMark(): Status {
    const log = this.log
    // A counter and the mark that the message is gone become durable together, in the session
    // store: so no power loss makes it count twice, or not at all.
    let status = this.isDropUnsaved ? ERR_FULL : log.writeMark(this.window)
    if (status === ERR_FULL) {
      this.laneState.takeMark(this.window, log.writeSector, log.writeOffset)
      status = this.state.save()
    }
    this.isDropUnsaved = false
    this.unmarkedCount = 0 // also after a failure: the next acknowledgement tries again
    this.markDueAt = -1
    if (status !== OK) {
      this.listener!.onStorageFailed(status)
      return status
    }
    this.isReleaseUnmarked = false
    this.isSendUnmarked = false
    // Not before: a sector is erased only when flash says that nothing in it is needed, or a power
    // loss in the erase would show messages as damaged that are complete.
    this.log.release(this.window.base)
    return status
  }

  /**
   * Numbers the log passed over on the way to `end` are damaged records: each is dropped. False
   * when the window does not reach that far yet.
   */
  private passGap(end: number): boolean {
    const window = this.window
    if (isBefore(this.expected, window.base)) this.expected = window.base
    while (isBefore(this.expected, end)) {
      if (!window.spans(this.expected)) return false
      const number = this.expected
      this.expected = numberAfter(number)
      if (window.state(number) !== COMPLETE) this.drop(number, ERR_CORRUPT, DROPPED_DAMAGED, 0)
    }
    return true
  }
}
