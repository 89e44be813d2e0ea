/**
 * Cuts the stream of arriving bytes into packets, in one buffer that the caller owns.
 *
 *   0         packetAt                 readAt           bytes.length
 *   +---------+------------------------+----------------+
 *   | handled | a packet, or its start |      room      |
 *   +---------+------------------------+----------------+
 *
 * Knows the fixed header and nothing of what is behind it. No packet is copied out; `consume`
 * frees its place.
 */
import { readVarint, varintEnd } from './bytes.js'
import type { Copier } from './encode-publish.js'
import { AUTH, ERR_SPACE, REASON_MALFORMED_PACKET, REASON_PACKET_TOO_LARGE } from './protocol.js'
import { V5 } from './protocol.js'

export class PacketReader {
  readonly bytes: Uint8Array
  /** V311 or V5. Set it between connections only. */
  version: number
  /** Where the oldest packet not consumed begins. */
  packetAt: number
  /** Where the next arriving byte goes. */
  readAt: number
  /** Size of the packet that `next` gave and `consume` has not taken back, or 0. */
  private packetSize: number
  private readonly system: Copier

  /** A packet larger than `bytes` is refused: its length is the Maximum Packet Size to ask for. */
  constructor(bytes: Uint8Array, version: number, system: Copier) {
    this.bytes = bytes
    this.version = version
    this.packetAt = 0
    this.readAt = 0
    this.packetSize = 0
    this.system = system
  }

  /** Forgets all bytes: for a new connection. */
  reset(): void {
    this.packetAt = 0
    this.readAt = 0
    this.packetSize = 0
  }

  /**
   * How many bytes can be put at `readAt`. May move bytes and so change `packetAt` and `readAt`,
   * but never while a packet is held: between `next` and `consume` offsets stay valid.
   */
  room(): number {
    const behind = this.bytes.length - this.readAt
    // Moving only when there is more to win in front than is free behind keeps moves rare and
    // still makes room for every packet that fits at all.
    if (this.packetSize === 0 && behind < this.packetAt) {
      const held = this.readAt - this.packetAt
      this.system.copy(this.bytes, 0, this.bytes, this.packetAt, held)
      this.packetAt = 0
      this.readAt = held
      return this.bytes.length - held
    }
    return behind
  }

  /** `count` bytes have been put at `readAt`, no more than `room` said. */
  received(count: number): void {
    this.readAt += count
  }

  /**
   * The size of the complete packet at `packetAt`, fixed header included; 0 when it is not
   * complete; Malformed Packet or Packet too large, as soon as the header shows it. After a
   * negative result the connection is to be closed: where the next packet begins is unknown.
   */
  next(): number {
    if (this.packetSize > 0) return this.packetSize
    const at = this.packetAt
    const end = this.readAt
    if (at === end) return 0
    const isV5 = this.version === V5
    const type = this.bytes[at]! >> 4
    if (type === 0 || (type === AUTH && !isV5)) return -REASON_MALFORMED_PACKET // section 2.1.2
    const remaining = readVarint(this.bytes, at + 1, end, isV5)
    if (remaining < 0) return remaining === ERR_SPACE ? 0 : remaining
    const size = varintEnd(this.bytes, at + 1) - at + remaining
    if (size > this.bytes.length) return -REASON_PACKET_TOO_LARGE
    if (size > end - at) return 0
    this.packetSize = size
    return size
  }

  /** The packet that `next` gave has been handled; its bytes may be overwritten. */
  consume(): void {
    this.packetAt += this.packetSize
    this.packetSize = 0
    if (this.packetAt === this.readAt) {
      this.packetAt = 0
      this.readAt = 0
    }
  }
}
