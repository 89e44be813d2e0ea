/**
 * StreamWriter: writes a message whose payload comes in parts. Its record goes first, so that it
 * has its place in the lane and its sectors stay; the fragments follow. One at a time in a lane.
 */
import { writeUint32 } from '../codec/bytes.js'
import { ERR_BUSY, ERR_DROPPED, ERR_TOO_LARGE, OK, type Status } from '../status.js'
import type { System } from '../../hal/system.js'
import { isBefore } from '../store/exchange-window.js'
import { FRAGMENT_HEAD } from '../store/flash-record.js'
import { MESSAGE_FRAGMENTS, type MessageSource } from '../store/message-record.js'
import { placeMessage } from '../store/place-message.js'
import type { Held } from './held.js'
import type { FullQueue, Overflow } from './overflow.js'
import type { QueueClock } from './queue-clock.js'

export class StreamWriter {
  /** Number of the message whose payload is being written; 0: none. The session waits before it. */
  number: number
  /** A message with a time was begun. */
  hasTimes: boolean
  private readonly queue: FullQueue
  private readonly overflow: Overflow
  private readonly held: Held | null
  private readonly clock: QueueClock
  private readonly system: System

  constructor(
    queue: FullQueue,
    overflow: Overflow,
    held: Held | null,
    clock: QueueClock,
    system: System,
  ) {
    this.number = 0
    this.hasTimes = false
    this.queue = queue
    this.overflow = overflow
    this.held = held
    this.clock = clock
    this.system = system
  }

  /** Bytes that a fragment takes at the most; 0 where the log takes none. */
  get capacity(): number {
    const fragments = this.queue.log.fragments
    return fragments === null ? 0 : fragments.capacity
  }

  /**
   * Begins a message with `payloadLength` bytes of payload: OK, or as a publish; ERR_BUSY while
   * another one is under way, ERR_TOO_LARGE beyond half of the log or where it takes no fragments.
   */
  begin(message: MessageSource, isTimed: boolean, payloadLength: number): Status {
    const log = this.queue.log
    const fragments = log.fragments
    if (fragments === null) return ERR_TOO_LARGE
    if (this.number !== 0) return ERR_BUSY
    const cost = fragments.cost(payloadLength)
    if (cost * 2 > log.capacity) return ERR_TOO_LARGE
    if (this.held !== null) this.held.keepNext()
    const status = this.overflow.makeSpace(cost)
    if (status !== OK) return status
    message.flags |= MESSAGE_FRAGMENTS
    message.payloadLength = 4
    const seconds = isTimed || this.queue.lane.ttlSeconds > 0 ? this.clock.seconds : -1
    const at = placeMessage(log, this.overflow, message, seconds, this.system)
    if (at < 0) return at
    writeUint32(log.buffer, at, payloadLength)
    const number = log.append(at + 4 - log.bodyAt)
    if (number < 0) return number
    if (this.held !== null) this.held.appended(number)
    if (seconds >= 0) this.hasTimes = true
    this.number = number
    return OK
  }

  /** Appends a part of the payload: the number with the last one, 0 before, or why it failed. */
  add(source: Uint8Array, at: number, length: number, isLast: boolean): number {
    const number = this.number
    const fragments = this.queue.log.fragments!
    if (this.held !== null) this.held.keepNext()
    let status = OK
    for (let left = length; left > 0 && status === OK;) {
      const count = fragments.fit(left)
      const isEnd = isLast && count === left
      status = this.overflow.makeRoom(FRAGMENT_HEAD + count)
      // The room may have been made by giving up this very message.
      if (isBefore(number, this.queue.window.base)) status = ERR_DROPPED
      if (status === OK) status = fragments.append(number, source, at, count, isEnd)
      at += count
      left -= count
    }
    if (status !== OK || isLast) this.number = 0
    return status === OK && isLast ? number : status
  }

  /** What was begun is given up: the session passes over it. */
  end(): void {
    this.number = 0
  }
}
