/**
 * Wire: the bytes to and from the transport, in two buffers, and where packets begin and end in
 * them. Knows the fixed header and nothing of what is behind it.
 *
 * `out` has room for one acknowledgement and DISCONNECT more than `room` tells: a packet that
 * arrives can always be answered, and one is handled only when there is that room.
 */
import type { System } from '../../hal/system.js'
import type { Transport } from '../../hal/transport.js'
import { readVarint, varintEnd, writeUint16 } from '../codec/bytes.js'
import { ERR_SPACE } from '../codec/protocol.js'
import { ERR_CLOSED, OK, type Status } from '../status.js'
import type { SmallSettings } from './small-options.js'

/** Bytes of PUBACK, PUBREC, PUBREL and PUBCOMP. */
export const ACK_SIZE = 4
/** An answer, and DISCONNECT. */
const RESERVE = ACK_SIZE + 2

/** What `next` found. */
export const NONE = 0
export const FOUND = 1
export const SKIPPED = 2

export class Wire {
  readonly out: Uint8Array
  readonly rx: Uint8Array
  /** Where the next packet to send goes. */
  outEnd: number
  /** The packet that `next` found: its first byte, and where the rest begins and ends. */
  first: number
  bodyAt: number
  bodyEnd: number
  /** It is larger than the buffer, which has its beginning; the rest is passed over. */
  isCut: boolean
  /** Bytes of a packet that are still to be passed over. */
  skipSize: number
  /** Bytes have arrived since this was set to false. */
  hasRead: boolean
  private rxAt: number
  private rxEnd: number
  private readonly transport: Transport
  private readonly system: System

  constructor(settings: SmallSettings) {
    this.out = new Uint8Array(settings.sendBufferSize + RESERVE)
    this.rx = new Uint8Array(settings.receiveBufferSize)
    this.transport = settings.transport
    this.system = settings.system
    this.outEnd = 0
    this.hasRead = false
    this.rxAt = 0
    this.rxEnd = 0
    this.skipSize = 0
    this.first = 0
    this.bodyAt = 0
    this.bodyEnd = 0
    this.isCut = false
  }

  /** Forgets all bytes: for a new connection. */
  reset(): void {
    this.outEnd = 0
    this.rxAt = 0
    this.rxEnd = 0
    this.skipSize = 0
  }

  /** No packet but an answer and DISCONNECT reaches beyond this offset in `out`. */
  get limit(): number {
    return this.out.length - RESERVE
  }

  /** Bytes that may be put at `outEnd`. */
  get room(): number {
    return this.limit - this.outEnd
  }

  /** Closes the gap in front of a packet that was made at `at` and ends at `end`. */
  close(at: number, end: number): void {
    this.system.copy(this.out, this.outEnd, this.out, at, end - at)
    this.outEnd += end - at
  }

  /** Puts a packet of an identifier, or of nothing where `packetId` is 0. */
  put(first: number, packetId: number): void {
    const at = this.outEnd
    this.out[at] = first
    this.out[at + 1] = packetId > 0 ? 2 : 0
    if (packetId > 0) writeUint16(this.out, at + 2, packetId)
    this.outEnd = at + (packetId > 0 ? ACK_SIZE : 2)
  }

  /** Hands bytes to the transport: OK, or ERR_CLOSED. What it does not take stays. */
  drain(): Status {
    if (this.outEnd === 0) return OK
    const taken = this.transport.write(this.out, 0, this.outEnd)
    if (taken < 0) return ERR_CLOSED
    this.outEnd -= taken
    if (taken > 0) this.system.copy(this.out, 0, this.out, taken, this.outEnd)
    return OK
  }

  /**
   * Finds the next packet, whose bytes stay until the next call: FOUND, NONE yet, or SKIPPED: the
   * rest of one that was cut has been passed over. Negative: the connection is to be closed, as
   * ERR_CLOSED or a Reason Code with a minus sign.
   */
  next(): number {
    const rx = this.rx
    for (;;) {
      const found = this.skipSize > 0 ? NONE : this.parse()
      if (found !== NONE) return found
      const isSkipping = this.skipSize > 0
      if (isSkipping) this.rxEnd = 0
      else if (this.rxAt > 0) {
        this.rxEnd -= this.rxAt
        this.system.copy(rx, 0, rx, this.rxAt, this.rxEnd)
      }
      this.rxAt = 0
      const room = rx.length - this.rxEnd
      const most = isSkipping && this.skipSize < room ? this.skipSize : room
      const taken = this.transport.read(rx, this.rxEnd, most)
      if (taken <= 0) return taken
      this.hasRead = true
      if (!isSkipping) this.rxEnd += taken
      else if ((this.skipSize -= taken) === 0) return SKIPPED
    }
  }

  private parse(): number {
    const at = this.rxAt
    if (at === this.rxEnd) return NONE
    const length = readVarint(this.rx, at + 1, this.rxEnd, false)
    if (length < 0) return length === ERR_SPACE ? NONE : length
    this.first = this.rx[at]!
    this.bodyAt = varintEnd(this.rx, at + 1)
    let end = this.bodyAt + length
    this.isCut = end - at > this.rx.length
    if (this.isCut) {
      // All there is room for is wanted, so that the topic is whole.
      if (at > 0 || this.rxEnd < this.rx.length) return NONE
      this.skipSize = end - this.rxEnd
      end = this.rxEnd
    } else if (end > this.rxEnd) return NONE
    this.bodyEnd = end
    this.rxAt = end
    return FOUND
  }
}
