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
  /** A message was dropped; its counter and its mark are not durable yet. */
  private isDropUnsaved: boolean

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
    this.isDropUnsaved = false
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
    this.isDropUnsaved = true
  }

  makeSendsDurable(): Status {
    return this.isSendUnmarked ? this.write() : OK
  }

  makeReleasesDurable(): Status {
    return this.isReleaseUnmarked ? this.write() : OK
  }

  /** Makes counters durable: a new sector, which takes the marks along, must not come first. */
  saveDrops(): Status {
    return this.isDropUnsaved ? this.write() : OK
  }

  /** Makes marks durable that may free sectors: true when there were any and it went well. */
  freeByMark(): boolean {
    return this.unmarkedCount > 0 && this.write() === OK
  }

  /** Writes the mark that is due; returns milliseconds until one will be, or Infinity. */
  tend(now: number): number {
    this.saveDrops()
    if (this.unmarkedCount === 0) return Infinity
    if (this.dueAt < 0) this.dueAt = now + this.ackDelayMs
    if (this.unmarkedCount < this.ackBatch && now < this.dueAt) return this.dueAt - now
    this.write()
    return Infinity
  }

  flush(): Status {
    return this.unmarkedCount > 0 || this.isReleaseUnmarked ? this.write() : OK
  }

  private write(): Status {
    const log = this.log
    // A counter and the mark that the message is gone become durable together, in the session
    // store: so no power loss makes it count twice, or not at all.
    let status = this.isDropUnsaved ? ERR_FULL : log.writeMark(this.window)
    if (status === ERR_FULL) {
      this.laneState.takeMark(this.window, log)
      status = this.state.save()
    }
    this.isDropUnsaved = false
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
