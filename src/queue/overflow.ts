/**
 * Overflow: makes room in a lane for a message, and decides what gives way when there is none.
 *
 * What it gives up it counts and reports through the queue. It knows nothing of packets.
 */
import { ERR_DROPPED, ERR_EXPIRED, ERR_FULL, ERR_REPLACED, OK, type Status } from '../status.js'
import { COMPLETE, type ExchangeWindow, isBefore, numberAfter } from '../store/exchange-window.js'
import type { GroupControl, OutgoingLog } from '../store/outgoing-log.js'
import type { RoomMaker } from '../store/place-message.js'
import { DROPPED_EXPIRED, DROPPED_FULL, DROPPED_REPLACED } from '../store/session-state.js'
import { type Lane, OVERFLOW_DROP_NEWEST, OVERFLOW_REJECT, OVERFLOW_REPLACE } from './lane.js'
import type { LatestTopics } from './latest-topics.js'
import type { LoadedMessage } from './loaded-message.js'
import type { Marks } from './marks.js'
import type { QueueListener } from './queue-listener.js'

/** Messages looked at to make room for one, so that a publish is bounded. */
const SWEEP_LIMIT = 256

/** What must be known of a queue, and done to it, to make room in it. */
export interface FullQueue {
  readonly log: OutgoingLog
  readonly window: ExchangeWindow
  readonly lane: Lane
  readonly listener: QueueListener | null
  readonly latest: LatestTopics | null
  /** True when the oldest messages may have expired. */
  readonly hasExpiry: boolean
  readonly marks: Marks
  /** Starts reading at the oldest message; `resume` goes back to where the session reads. */
  startSweep(): void
  resume(): void
  rewind(): void
  /**
   * The QoS of a message further on than the last one asked for; 2 where it cannot be read; -1
   * where it never became whole, or was settled before: nobody is told of it then.
   */
  qosOf(number: number): number
  /** The next message that was never sent, loaded; 0: none, or one that must stay. */
  nextUnsent(): number
  readonly loaded: LoadedMessage
  /** True when a newer message of the loaded one's topic is in the lane. */
  isReplaced(number: number): boolean
  /** Counts a new message that is given up because the lane is full. */
  countNewest(): void
  drop(number: number, status: Status, reason: number, reasonCode: number): void
}

export class Overflow implements RoomMaker {
  private readonly queue: FullQueue

  constructor(queue: FullQueue) {
    this.queue = queue
  }

  /** Makes sure that the log takes a body of `length` bytes: OK, or why it does not. */
  makeRoom(length: number): Status {
    const queue = this.queue
    const log = queue.log
    queue.marks.saveDrops()
    let status = log.reserve(length)
    if (status !== ERR_FULL) return status
    if (queue.marks.freeByMark()) status = log.reserve(length)
    while (status === ERR_FULL && this.giveUp()) status = log.reserve(length)
    if (status !== ERR_FULL || queue.lane.overflow !== OVERFLOW_DROP_NEWEST) return status
    queue.countNewest()
    queue.listener!.onDropped(0, ERR_DROPPED, 0)
    return ERR_DROPPED
  }

  /** Makes `bytes` of the log free, for a message that takes many records. */
  makeSpace(bytes: number): Status {
    const queue = this.queue
    queue.marks.saveDrops()
    if (queue.log.freeBytes < bytes) queue.marks.freeByMark()
    while (queue.log.freeBytes < bytes) {
      if (!this.giveUp()) return ERR_FULL
    }
    return OK
  }

  /** Writes what a group holds in RAM, with room made as for a new message. */
  keep(group: GroupControl): Status {
    const queue = this.queue
    queue.marks.saveDrops()
    let status = group.keep()
    if (status === ERR_FULL && queue.marks.freeByMark()) status = group.keep()
    while (status === ERR_FULL && this.giveUp()) status = group.keep()
    return status
  }

  /** Gives something up as the lane's policy says: false when nothing may be, or can. */
  private giveUp(): boolean {
    const queue = this.queue
    const overflow = queue.lane.overflow
    if ((queue.hasExpiry || overflow === OVERFLOW_REPLACE) && this.sweep()) return true
    const keepsOldest = overflow === OVERFLOW_REJECT || overflow === OVERFLOW_DROP_NEWEST
    return !keepsOldest && this.dropOldest()
  }

  /**
   * Gives up the oldest messages, one after the other, as long as they have expired or were
   * replaced: what lies behind one that is wanted frees no room. True when some room became free.
   */
  private sweep(): boolean {
    const queue = this.queue
    const replaces = queue.lane.overflow === OVERFLOW_REPLACE
    const free = queue.log.freeBytes
    queue.startSweep()
    for (let count = 0; count < SWEEP_LIMIT; count++) {
      const number = queue.nextUnsent()
      if (number === 0) break
      if (queue.loaded.isExpired) queue.drop(number, ERR_EXPIRED, DROPPED_EXPIRED, 0)
      else if (replaces && queue.isReplaced(number)) {
        queue.drop(number, ERR_REPLACED, DROPPED_REPLACED, 0)
      } else break
    }
    queue.resume()
    return queue.marks.saveDrops() === OK && queue.log.freeBytes > free
  }

  /**
   * Gives up the oldest sector's messages. An exchange of QoS 2 that has begun is owed its end:
   * its Packet Identifier stays blocked until PUBCOMP, or the broker would take a later message
   * with the same identifier for a repeat [MQTT-4.3.3-10].
   */
  private dropOldest(): boolean {
    const queue = this.queue
    const window = queue.window
    const listener = queue.listener!
    const stays = queue.log.oldestAfterDrop()
    if (stays === 0 || !isBefore(window.base, stays)) return false
    // After a reboot they may be more than the window spans: flash does not say what was sent.
    let debts = 0
    let number = window.base
    queue.startSweep()
    for (; number !== stays; number = numberAfter(number)) if (this.isDebt(number)) debts++
    const hasPlaces = debts <= listener.placesLeft
    queue.rewind()
    number = window.base
    for (; hasPlaces && number !== stays; number = numberAfter(number)) {
      const state = window.state(number)
      if (state === COMPLETE) continue
      const qos = queue.qosOf(number)
      if (qos < 0) continue
      queue.marks.count(DROPPED_FULL)
      listener.onDropping(number, state, ERR_DROPPED, qos)
      listener.onDropped(number, ERR_DROPPED, 0)
    }
    if (hasPlaces) window.moveBase(stays)
    queue.resume()
    if (!hasPlaces) return false
    window.slide(queue.log.nextNumber)
    // One record holds counters and base, so a power loss counts each message once. The base has
    // to be durable also where nothing was counted.
    queue.marks.completed()
    return queue.marks.flush() === OK
  }

  /** True when the broker may hold the message's identifier. */
  private isDebt(number: number): boolean {
    return this.queue.listener!.mayBeHeld(number) && this.queue.qosOf(number) === 2
  }
}
