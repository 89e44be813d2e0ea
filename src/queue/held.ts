/**
 * Held: when the records that a group holds in RAM only are written, and who is told of it. How
 * they are written is the business of the log and of `Overflow`.
 */
import type { System } from '../../hal/system.js'
import { OK, type Status } from '../status.js'
import { COMPLETE, type ExchangeWindow, isBefore, numberAfter } from '../store/exchange-window.js'
import type { GroupControl, OutgoingLog } from '../store/outgoing-log.js'
import type { Lane } from './lane.js'
import type { Overflow } from './overflow.js'
import type { QueueListener } from './queue-listener.js'

export class Held {
  /** Set by the session, through the queue. */
  listener: QueueListener | null
  private readonly group: GroupControl
  private readonly log: OutgoingLog
  private readonly window: ExchangeWindow
  private readonly lane: Lane
  private readonly overflow: Overflow
  private readonly system: System
  /** message.persisted was sent for every record before this number. */
  private reportedTo: number
  /** When the present period of holding began, or -1; records before that number are older. */
  private heldAt: number
  private heldBefore: number

  constructor(
    group: GroupControl,
    log: OutgoingLog,
    window: ExchangeWindow,
    lane: Lane,
    overflow: Overflow,
    system: System,
  ) {
    this.listener = null
    this.group = group
    this.log = log
    this.window = window
    this.lane = lane
    this.overflow = overflow
    this.system = system
    this.reportedTo = log.storedEnd
    this.heldAt = -1
    this.heldBefore = 0
  }

  /** The next record goes to flash at once, and with it all that is held. */
  keepNext(): void {
    this.group.mustKeep = true
  }

  /** A record was appended; its publisher tells of it. */
  appended(number: number): void {
    // The first record that is in RAM only begins a period; see `tend`.
    if (this.heldAt < 0 && !isBefore(number, this.log.storedEnd)) {
      this.heldAt = this.system.now()
      this.heldBefore = number
    }
    this.report(number)
  }

  /** Without a connection, what is held is written. */
  setOnline(isOnline: boolean): void {
    this.group.isOnline = isOnline
    if (!isOnline) this.keep()
  }

  /** Writes what is in RAM only, and reports each message that is kept from now on. */
  keep(): Status {
    const status = this.group.heldCount === 0 ? OK : this.overflow.keep(this.group)
    if (status === OK) this.heldAt = -1
    this.report(0)
    return status
  }

  /**
   * Writes what is due; returns milliseconds until something will be, or Infinity. Time is counted
   * in periods of half of `groupMs`: what was held before the period began and is not complete at
   * its end is written, so no record waits longer than `groupMs`.
   */
  tend(now: number): number {
    const lane = this.lane
    this.report(0) // a publish that failed may have written what was held
    if (this.group.heldCount === 0) this.heldAt = -1
    if (this.heldAt < 0 || lane.isForOffline) return Infinity
    const periodMs = lane.groupMs / 2
    const heldMs = now - this.heldAt
    if (heldMs < periodMs) return periodMs - heldMs
    if (heldMs >= lane.groupMs || isBefore(this.window.base, this.heldBefore)) this.keep()
    this.heldAt = now
    this.heldBefore = this.log.nextNumber
    return periodMs
  }

  /** Reports records that are kept since the last call, but for `number`: its publisher does. */
  private report(number: number): void {
    const end = this.log.storedEnd
    let kept = this.reportedTo
    if (isBefore(kept, this.window.base)) kept = this.window.base
    for (; isBefore(kept, end); kept = numberAfter(kept)) {
      const isSettled = this.window.state(kept) === COMPLETE
      if (kept !== number && !isSettled) this.listener!.onPersisted(kept)
    }
    this.reportedTo = end
  }
}
