/**
 * Overflow: makes room in a lane for a message, and decides what gives way when there is none.
 *
 * What it gives up it counts and reports through the queue. It knows nothing of packets.
 */
import { ERR_DROPPED, ERR_FULL, OK, type Status } from '../status.js'
import { COMPLETE, type ExchangeWindow, isBefore, numberAfter } from '../store/exchange-window.js'
import { DROPPED_FULL } from '../store/session-state.js'
import type { OutgoingLog } from '../store/outgoing-log.js'
import { type Lane, OVERFLOW_DROP_OLDEST } from './lane.js'
import type { QueueListener } from './queue-listener.js'

/** What must be known of a queue, and done to it, to make room in it. */
export interface FullQueue {
  readonly log: OutgoingLog
  readonly window: ExchangeWindow
  readonly lane: Lane
  readonly listener: QueueListener | null
  /** Counts a message that is dropped; durable with the next mark. */
  count(reason: number): void
  /** Makes the counters durable. */
  saveDrops(): Status
  /** Makes marks durable that may free sectors: true when there were any and it went well. */
  freeByMark(): boolean
}

export class Overflow {
  private readonly queue: FullQueue

  constructor(queue: FullQueue) {
    this.queue = queue
  }

  /** Makes sure that the log takes a body of `length` bytes: OK, or why it does not. */
  makeRoom(length: number): Status {
    const queue = this.queue
    const log = queue.log
    queue.saveDrops()
    let status = log.reserve(length)
    if (status === ERR_FULL && queue.freeByMark()) status = log.reserve(length)
    if (queue.lane.overflow !== OVERFLOW_DROP_OLDEST) return status
    while (status === ERR_FULL && this.dropOldest()) status = log.reserve(length)
    return status
  }

  /**
   * Gives up the oldest sector's messages. An exchange of QoS 2 that has begun is owed its end:
   * its Packet Identifier stays blocked until PUBCOMP, or the broker would take a later message
   * with the same identifier for a repeat [MQTT-4.3.3-2].
   */
  private dropOldest(): boolean {
    const queue = this.queue
    const window = queue.window
    const listener = queue.listener!
    const stays = queue.log.oldestAfterDrop()
    if (stays === 0 || !isBefore(window.base, stays)) return false
    if (!listener.mayDropBefore(stays)) return false
    let number = window.base
    for (; number !== stays; number = numberAfter(number)) {
      const state = window.state(number)
      if (state === COMPLETE) continue
      queue.count(DROPPED_FULL)
      listener.onDropping(number, state, ERR_DROPPED)
      listener.onDropped(number, ERR_DROPPED, 0)
    }
    window.moveBase(stays)
    window.slide(queue.log.nextNumber)
    // One record holds counters and base, so a power loss counts each message once.
    return queue.saveDrops() === OK
  }
}
