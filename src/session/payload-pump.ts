/**
 * PayloadPump: streams the payload of one PUBLISH from its fragments into the send buffer, as room
 * comes. While it runs the buffer is locked for all other packets: they would end up inside it.
 */
import { ERR_STORAGE } from '../status.js'
import type { Connection } from './connection.js'
import type { InFlight } from './in-flight.js'

export class PayloadPump {
  private readonly connection: Connection
  private lane: InFlight | null
  private number: number
  /** Bytes of payload that have not reached the buffer. */
  private left: number
  /** Bytes of the fragment at hand, and how many of them have reached the buffer. */
  private size: number
  private taken: number
  private completesAtEnd: boolean

  constructor(connection: Connection) {
    this.connection = connection
    this.lane = null
    this.number = 0
    this.left = 0
    this.size = 0
    this.taken = 0
    this.completesAtEnd = false
  }

  get isActive(): boolean {
    return this.lane !== null
  }

  /** Begins with the payload of the message the queue has loaded; its header is in the buffer. */
  start(lane: InFlight, number: number, length: number, completesAtEnd: boolean): void {
    this.lane = lane
    this.number = number
    this.left = length
    this.size = 0
    this.taken = 0
    this.completesAtEnd = completesAtEnd
    lane.queue.log.fragments!.rewind()
    this.connection.sendBuffer.isLocked = true
  }

  /** The connection is gone: the message is sent from its start on the next. */
  stop(): void {
    this.lane = null
  }

  /** Fills the buffer. What cannot be read ends the connection: the packet cannot be completed. */
  pump(): void {
    const connection = this.connection
    const buffer = connection.sendBuffer
    const log = this.lane!.queue.log
    const fragments = log.fragments!
    while (this.left > 0) {
      const room = buffer.space()
      if (room === 0) return
      const isNext = this.taken === this.size
      const size = isNext ? fragments.next() : fragments.again()
      if (isNext) {
        this.size = size
        this.taken = 0
      }
      if (size <= 0 || size !== this.size || size > this.left + this.taken) {
        connection.fail(ERR_STORAGE)
        return
      }
      const count = Math.min(room, size - this.taken)
      const sourceAt = fragments.loadedAt + this.taken
      connection.settings.system.copy(buffer.bytes, buffer.end, log.buffer, sourceAt, count)
      buffer.added(buffer.end + count)
      this.taken += count
      this.left -= count
      connection.progressAt = connection.now
    }
    buffer.isLocked = false
    if (this.completesAtEnd) this.lane!.queue.complete(this.number)
    this.lane = null
  }
}
