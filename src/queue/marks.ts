/**
 * Marks: when it becomes durable what the window and the drop counters of a lane say.
 *
 * Acknowledgements wait for each other, as a MARK costs a write. What must not be forgotten is
 * written at once when it is asked for. It knows nothing of messages.
 */
import { ERR_FULL, OK, type Status } from '../status.js'
import type { ExchangeWindow } from '../store/exchange-window.js'
import type { OutgoingLog } from '../store/outgoing-log.js'
import type { LaneState, SessionState } from '../store/session-state.js'
import type { QueueListener } from './queue-listener.js'

/** The longest that the count of refused messages is in RAM only. */
const COUNT_DELAY_MS = 60000

export class Marks {
  /** Set by the session, through the queue. */
  listener: QueueListener | null
  private readonly log: OutgoingLog
  private readonly window: ExchangeWindow
  private readonly state: SessionState
  private readonly laneState: LaneState
  private readonly ackBatch: number
  private readonly ackDelayMs: number
  /** Records completed since the last durable mark, and when it is due; -1: not begun. */
  private unmarkedCount: number
  private dueAt: number
  /** PUBREC came: a mark must be durable before PUBREL leaves. */
  private isReleaseUnmarked: boolean
  private isSendUnmarked: boolean
  /** When the count of new messages that were given up is made durable; -1: it is. */
  private countDueAt: number

  constructor(
    log: OutgoingLog,
    window: ExchangeWindow,
    state: SessionState,
    laneState: LaneState,
    ackBatch: number,
    ackDelayMs: number,
  ) {
    this.listener = null
    this.log = log
    this.window = window
    this.state = state
    this.laneState = laneState
    this.ackBatch = ackBatch
    this.ackDelayMs = ackDelayMs
    this.unmarkedCount = 0
    this.dueAt = -1
    this.isReleaseUnmarked = false
    this.isSendUnmarked = false
    this.countDueAt = -1
    laneState.attach(window, log)
  }

  /** A record is complete, or an exchange began anew: the next mark says so. */
  completed(): void {
    this.unmarkedCount++
  }

  released(): void {
    this.isReleaseUnmarked = true
  }

  sent(): void {
    this.isSendUnmarked = true
  }

  /** Counts a message that is dropped; durable with the next mark. */
  count(reason: number): void {
    const dropped = this.laneState.dropped
    dropped[reason] = dropped[reason]! + 1
    this.laneState.isUnsaved = true
  }

  /**
   * Counts a new message that was not taken. Nothing but the counter changes, and a full lane may
   * refuse for days: it is durable with the next state, or after a while.
   */
  countNewest(reason: number, now: number): void {
    const dropped = this.laneState.dropped
    dropped[reason] = dropped[reason]! + 1
    if (this.countDueAt < 0) this.countDueAt = now + COUNT_DELAY_MS
  }

  makeSendsDurable(): Status {
    return this.isSendUnmarked ? this.write() : OK
  }

  makeReleasesDurable(): Status {
    return this.isReleaseUnmarked ? this.write() : OK
  }

  /** Makes counters durable: a new sector, which takes the marks along, must not come first. */
  saveDrops(): Status {
    return this.laneState.isUnsaved ? this.write() : OK
  }

  /** Makes marks durable that may free sectors: true when there were any and it went well. */
  freeByMark(): boolean {
    return this.unmarkedCount > 0 && this.write() === OK
  }

  /** Writes the mark that is due; returns milliseconds until one will be, or Infinity. */
  tend(now: number): number {
    const countDueAt = this.countDueAt
    if (countDueAt >= 0 && now >= countDueAt) this.laneState.isUnsaved = true
    this.saveDrops()
    const countMs = this.countDueAt < 0 ? Infinity : this.countDueAt - now
    if (this.unmarkedCount === 0) return countMs
    if (this.dueAt < 0) this.dueAt = now + this.ackDelayMs
    if (this.unmarkedCount < this.ackBatch && now < this.dueAt) {
      return Math.min(countMs, this.dueAt - now)
    }
    this.write()
    return countMs
  }

  flush(): Status {
    if (this.countDueAt >= 0) this.laneState.isUnsaved = true
    return this.laneState.isUnsaved || this.unmarkedCount > 0 || this.isReleaseUnmarked
      ? this.write()
      : OK
  }

  private write(): Status {
    const log = this.log
    // A counter and the mark that the message is gone become durable together, in the session
    // store: so no power loss makes it count twice, or not at all.
    const laneState = this.laneState
    let status = laneState.isUnsaved ? ERR_FULL : log.writeMark(this.window)
    if (status === ERR_FULL) {
      laneState.isUnsaved = true
      status = this.state.save()
      laneState.isUnsaved = false // also after a failure: the next drop tries again
      this.countDueAt = -1
    }
    this.unmarkedCount = 0 // also after a failure: the next acknowledgement tries again
    this.dueAt = -1
    if (status !== OK) {
      this.listener!.onStorageFailed(status)
      return status
    }
    this.isReleaseUnmarked = false
    this.isSendUnmarked = false
    // Not before: a sector is erased only when flash says that nothing in it is needed, or a power
    // loss in the erase would show messages as damaged that are complete.
    log.release(this.window.base)
    return OK
  }
}
