/**
 * OutgoingQueue: the messages that were accepted and are not complete, in order.
 *
 * It joins three things: a log that holds the records (in RAM or on flash), the window that says
 * how far the oldest of them have come, and the session state that counts what was dropped. It
 * decides what happens when the log is full and when marks become durable. It knows nothing of
 * packets and connections: the session tells it what became of a message.
 */
import { ERR_CORRUPT, ERR_NOT_READY, ERR_STORAGE, OK, type Status } from '../status.js'
import type { System } from '../../hal/system.js'
import {
  COMPLETE,
  countBetween,
  type ExchangeWindow,
  isBefore,
  numberAfter,
  QUEUED,
  RELEASED,
  SENT,
  WINDOW_SPAN,
} from '../store/exchange-window.js'
import { MESSAGE_QOS, type MessageSource } from '../store/message-record.js'
import type { GroupControl, OutgoingLog } from '../store/outgoing-log.js'
import { placeMessage } from '../store/place-message.js'
import { type Lane, OVERFLOW_REPLACE } from './lane.js'
import { LatestTopics } from './latest-topics.js'
import { type FullQueue, Overflow } from './overflow.js'
import { LoadedMessage } from './loaded-message.js'
import { Marks } from './marks.js'
import { Held } from './held.js'
import { QueueClock } from './queue-clock.js'
import { StreamWriter } from './stream-writer.js'
import type { QueueListener } from './queue-listener.js'
import { DROPPED_DAMAGED, DROPPED_FULL, type SessionState } from '../store/session-state.js'

export class OutgoingQueue implements FullQueue {
  readonly log: OutgoingLog
  readonly window: ExchangeWindow
  readonly state: SessionState
  readonly lane: Lane
  readonly marks: Marks
  /** Writes payloads that come in parts; null where the log takes none. */
  readonly stream: StreamWriter | null
  /** Messages dropped, by DROPPED_ reason. */
  readonly dropped: Uint32Array
  /** The message `load` found, taken apart. */
  readonly loaded: LoadedMessage
  /** Set by the session in its constructor. */
  listener: QueueListener | null

  /**
   * Marks tell which messages were sent. Only for the policy `discard`: it drops what was in flight
   * when the session is lost, and nothing else, also after a reboot. It costs a mark each time
   * something is sent.
   */
  readonly keepsSent: boolean

  private readonly system: System
  private readonly clock: QueueClock
  private readonly group: GroupControl | null
  /** The newest message of each topic, where a newer one replaces the older. */
  readonly latest: LatestTopics | null
  /** A message with a time was queued. */
  private hasTimes: boolean
  /** The message between `begin` and `commit`. */
  private pending: MessageSource | null
  private resumeAt: number
  /** For a lane that holds records in RAM for a while. */
  private readonly held: Held | null
  private readonly overflow: Overflow
  /** The record `next` returned last, and the number the log should come to next. */
  private current: number
  private expected: number
  /** The body being built: its length, and the record's topic number for the publisher's hint. */
  private bodyLength: number

  constructor(
    log: OutgoingLog,
    window: ExchangeWindow,
    state: SessionState,
    system: System,
    lane: Lane,
    group: GroupControl | null,
    ackBatch: number,
    ackDelayMs: number,
    keepsSent: boolean,
  ) {
    this.log = log
    this.window = window
    this.state = state
    this.lane = lane
    const laneState = state.lanes[lane.index]!
    this.dropped = laneState.dropped
    this.marks = new Marks(log, window, state, laneState, ackBatch, ackDelayMs)
    this.group = group
    this.latest = lane.overflow === OVERFLOW_REPLACE ? new LatestTopics(system) : null
    this.hasTimes = log.timeBase !== 0
    this.pending = null
    this.resumeAt = 0
    this.clock = new QueueClock(system, log.timeBase)
    this.loaded = new LoadedMessage(log, this.clock, lane.ttlSeconds)
    this.overflow = new Overflow(this)
    this.held = group ? new Held(group, log, window, lane, this.overflow, system) : null
    this.stream =
      log.fragments === null
        ? null
        : new StreamWriter(this, this.overflow, this.held, this.clock, system)
    this.listener = null
    this.keepsSent = keepsSent
    window.keepsSent = keepsSent
    this.system = system
    this.current = 0
    this.expected = window.base
    this.bodyLength = 0
    log.release(window.base)
    this.rewind()
    if (keepsSent && group !== null) this.findSent()
  }

  /** Records that were sent before they were on flash say so themselves. */
  private findSent(): void {
    const window = this.window
    for (;;) {
      const number = this.log.advance()
      if (number <= 0 || !window.spans(number)) break
      if (window.state(number) !== QUEUED || this.loaded.load() !== OK) continue
      if (this.loaded.record.wasSent) window.setState(number, SENT)
    }
    this.rewind()
  }

  /** Tells `listener` what becomes of messages; called once, by the session. */
  listen(listener: QueueListener): void {
    this.listener = listener
    this.marks.listener = listener
    if (this.held !== null) this.held.listener = listener
  }

  /** Messages accepted and not complete, counting damaged ones not yet met. */
  get depth(): number {
    const window = this.window
    let count = countBetween(window.base, this.log.nextNumber)
    for (let index = 0; index < WINDOW_SPAN; index++) {
      if (window.state((window.base + index) >>> 0) === COMPLETE) count--
    }
    return count
  }

  // For `Overflow`

  /** Starts reading at the oldest message; `resume` goes back to where the session reads. */
  startSweep(): void {
    this.resumeAt = this.expected
    this.rewind()
  }

  resume(): void {
    if (isBefore(this.resumeAt, this.window.base)) this.resumeAt = this.window.base
    this.log.rewind(this.resumeAt)
    this.expected = this.resumeAt
  }

  /** True when the oldest messages may have expired. */
  get hasExpiry(): boolean {
    return this.hasTimes || (this.stream !== null && this.stream.hasTimes)
  }

  /** The next message that was never sent, loaded; 0: none, or one that must stay. */
  nextUnsent(): number {
    const number = this.next()
    if (number === 0 || this.window.state(number) !== QUEUED) return 0
    if (this.listener!.mayBeKnown(number)) return 0
    return this.load(number) === OK ? number : 0
  }

  qosOf(number: number): number {
    const log = this.log
    let found = log.advance()
    while (found > 0 && isBefore(found, number)) found = log.advance()
    if (found === number) {
      const status = this.loaded.load()
      if (status === ERR_NOT_READY) return -1
      return status === OK ? this.loaded.record.qos : 2
    }
    if (found > 0) log.stepBack()
    return 2
  }

  /** True when a newer message of the loaded one's topic is in the lane. */
  isReplaced(number: number): boolean {
    const latest = this.latest
    const loaded = this.loaded
    return (
      latest !== null && latest.hasNewer(number, loaded.topic, loaded.topicAt, loaded.topicLength)
    )
  }

  /** Messages that were acknowledged before they touched flash, since start. */
  get savedCount(): number {
    return this.group === null ? 0 : this.group.savedCount
  }

  /** True when nothing waits and nothing is in flight. */
  get isEmpty(): boolean {
    return this.window.base === this.log.nextNumber
  }

  // Enqueue: begin, fill in the payload, commit.

  /**
   * Makes room and writes all of the record but the payload. Returns where in `log.buffer` the
   * payload of `message.payloadLength` bytes goes, or ERR_FULL, ERR_DROPPED,
   * ERR_STORAGE, ERR_HOOK. `isTimed` keeps the time of queueing, for messages that expire.
   */
  begin(message: MessageSource, isTimed: boolean): number {
    // Exactly once needs the message on flash before its PUBLISH leaves.
    if (this.group !== null) this.group.mustKeep = (message.flags & MESSAGE_QOS) === 2
    const seconds = isTimed || this.lane.ttlSeconds > 0 ? this.clock.seconds : -1
    if (seconds >= 0) this.hasTimes = true
    this.pending = message
    const at = placeMessage(this.log, this.overflow, message, seconds, this.system)
    this.bodyLength = at - this.log.bodyAt + message.payloadLength
    return at
  }

  /** Appends what `begin` started, its payload filled in: the ticket, or a negative status. */
  commit(): number {
    const number = this.log.append(this.bodyLength)
    if (number < 0) return number
    if (this.held !== null) this.held.appended(number)
    const message = this.pending!
    if (this.latest) {
      this.latest.note(number, message.topic, message.topicAt, message.topicLength)
    }
    return number
  }

  /** True when the record is where it survives a power loss. */
  isKept(number: number): boolean {
    return isBefore(number, this.log.storedEnd)
  }

  /** Tells a group whether there is a connection; without one, what is held is written. */
  setOnline(isOnline: boolean): void {
    if (this.held !== null) this.held.setOnline(isOnline)
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
      if (this.stream !== null && number === this.stream.number) {
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
   * Loads the message `next` returned into `loaded`: OK; ERR_CORRUPT or ERR_HOOK, then it was
   * damaged and is dropped; ERR_STORAGE, then it may be readable later and comes again.
   */
  load(number: number): Status {
    const status = this.loaded.load()
    if (status === ERR_NOT_READY) {
      // Given up while it was written, nobody was told that it is kept; or complete before that.
      this.complete(number)
      return status
    }
    if (status === ERR_STORAGE) {
      this.leave()
      this.listener!.onStorageFailed(status)
    } else if (status !== OK) {
      this.drop(number, status, DROPPED_DAMAGED, 0)
    }
    return status
  }

  // What became of a message.

  markSent(number: number): void {
    this.window.setState(number, SENT)
    if (this.keepsSent) this.marks.sent()
  }

  /** QoS 2: PUBREC came. PUBREL may leave only after `marks.makeReleasesDurable` returned OK. */
  markReleased(number: number): void {
    this.window.setState(number, RELEASED)
    this.marks.released()
  }

  /** The exchange has ended: the message never comes back. */
  complete(number: number): void {
    this.window.setState(number, COMPLETE)
    this.marks.completed()
    this.window.slide(this.log.nextNumber)
  }

  countNewest(): void {
    this.marks.countNewest(DROPPED_FULL, this.system.now())
  }

  /** Ends the exchange without the broker, counts it and reports it. */
  drop(number: number, status: Status, reason: number, reasonCode: number): void {
    this.marks.count(reason)
    this.listener!.onDropping(number, this.window.state(number), status, 2)
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
    this.marks.completed() // RELEASED may stand on flash
  }

  // Durability, and work in the background.

  /** Writes what is due; returns milliseconds until something will be, or Infinity. */
  tend(now: number): number {
    const markMs = this.marks.tend(now)
    return this.held === null ? markMs : Math.min(markMs, this.held.tend(now))
  }

  /** Makes everything durable that is not: OK or the reason why not. */
  flush(): Status {
    const status = this.held === null ? OK : this.held.keep()
    const marked = this.marks.flush()
    return status === OK ? marked : status
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
