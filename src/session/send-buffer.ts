/**
 * SendBuffer: encoded packets on their way to the transport.
 *
 * Packets are encoded straight into `bytes` at `end`, if `room` says there is space for the whole
 * packet, and leave from `start` as the transport takes them. Knows nothing of packets.
 *
 *   0        start            end              bytes.length
 *   +--------+----------------+----------------+
 *   | sent   |  to be sent    |  room          |
 *   +--------+----------------+----------------+
 */
import { OK, type Status } from '../status.js'
import type { System } from '../../hal/system.js'
import type { Transport } from '../../hal/transport.js'

export class SendBuffer {
  readonly bytes: Uint8Array
  /** Where the next packet is encoded. Whoever encodes one calls `added`. */
  end: number
  /** A payload is being streamed: no packet may begin before its end. */
  isLocked: boolean
  private readonly system: System
  private start: number

  constructor(size: number, system: System) {
    this.bytes = new Uint8Array(size)
    this.system = system
    this.start = 0
    this.end = 0
    this.isLocked = false
  }

  get isEmpty(): boolean {
    return this.start === this.end
  }

  /** Forgets what was not sent: the connection it was for is gone. */
  clear(): void {
    this.start = 0
    this.end = 0
    this.isLocked = false
  }

  /** Bytes that fit at `end` now, for a payload that is streamed. */
  space(): number {
    if (this.start > 0) this.moveToStart()
    return this.bytes.length - this.end
  }

  /** True when a packet of `size` bytes can be encoded at `end` now. */
  hasRoom(size: number): boolean {
    if (this.isLocked) return false
    if (this.end + size <= this.bytes.length) return true
    if (this.end - this.start + size > this.bytes.length) return false
    this.moveToStart()
    return true
  }

  private moveToStart(): void {
    this.system.copy(this.bytes, 0, this.bytes, this.start, this.end - this.start)
    this.end -= this.start
    this.start = 0
  }

  /** A packet was encoded at `end`; `end` is now the offset after it. */
  added(end: number): void {
    this.end = end
  }

  /** Hands over what the transport takes: OK, or a negative status when the connection is gone. */
  flush(transport: Transport): Status {
    while (this.start < this.end) {
      const taken = transport.write(this.bytes, this.start, this.end - this.start)
      if (taken < 0) return taken
      if (taken === 0) return OK
      this.start += taken
    }
    this.start = 0
    this.end = 0
    return OK
  }
}
