/**
 * One connection of a SocketTransport: the socket, from the name look-up to its end. It turns the
 * callbacks of the runtime into calls of its owner, and drops those that come too late. Knows
 * windows and counts, no buffers, and nothing of MQTT.
 */
import type { GuardListener, Socket, SocketHandlers } from './socket.js'

export interface ConnectionOwner {
  opened(): void
  roomCame(): void
  bytesCame(): void
  ended(reason: string): void
}

/** TLS adds at most 85 bytes to what it encrypts; its own estimate of the room takes off less. */
const TLS_OVERHEAD = 96

export class Connection implements SocketHandlers, GuardListener {
  socket: Socket | null
  /** Bytes that can be written now. */
  room: number
  /** Bytes that can be read now. */
  readable: number
  isReading: boolean
  pump: (() => void) | null
  private owner: ConnectionOwner | null
  /** The most room there ever was: that much again means that the peer has all we wrote. */
  private wholeRoom: number
  private isOpen: boolean
  private hasEnded: boolean
  private readonly overhead: number

  constructor(owner: ConnectionOwner, isSecure: boolean) {
    this.socket = null
    this.room = 0
    this.readable = 0
    this.isReading = false
    this.pump = null
    this.owner = owner
    this.wholeRoom = 0
    this.isOpen = false
    this.hasEnded = false
    this.overhead = isSecure ? TLS_OVERHEAD : 0
  }

  /** True until the socket is closed: while it opens, is open, or hands over its last bytes. */
  get isAlive(): boolean {
    return this.owner !== null || this.socket !== null
  }

  onReadable(count: number): void {
    this.readable = count
    if (this.owner !== null) this.owner.bytesCame()
    else this.discard()
  }

  onWritable(count: number): void {
    this.noteRoom(count)
    if (this.room > this.wholeRoom) this.wholeRoom = this.room
    const owner = this.owner
    if (owner === null) return this.closeIfDone()
    if (this.isOpen) return owner.roomCame()
    this.isOpen = true
    owner.opened()
  }

  /** TLS may hold a last record then: the socket stays open until that was read. */
  onError(): void {
    const owner = this.owner
    this.hasEnded = true
    const reason = this.isOpen
      ? 'closed by the broker, reset or lost; the platform does not say which'
      : 'no connection: refused (ECONNREFUSED), unreachable or timed out; the platform does not ' +
        'say which'
    if (owner !== null && this.readable > 0) owner.ended(reason)
    else this.fail(reason)
  }

  /** TLS threw: a certificate, a name, a date, a record. */
  onFailure(error: unknown): void {
    const words = String(error)
    // Its own errors say so, those of the engine do not.
    this.fail(words.indexOf('TLS') === 0 ? words : 'TLS: ' + words)
  }

  /** The end, not by our doing. */
  fail(reason: string): void {
    const owner = this.owner
    this.drop()
    if (owner !== null) owner.ended(reason)
  }

  noteRoom(count: number): void {
    this.room = count > this.overhead ? count - this.overhead : 0
  }

  /** Closes at once, whatever waits. */
  drop(): void {
    const socket = this.socket
    this.owner = null
    this.socket = null
    this.room = 0
    this.readable = 0
    if (socket !== null) socket.close()
  }

  /**
   * Closes when the peer has what was written. Closing earlier, with bytes unread, makes TCP reset
   * the connection, and a reset overtakes the last packet. Ends by the peer's doing at the latest,
   * by TCP's own limit, or by `drop`.
   */
  finish(): void {
    this.owner = null
    if (!this.isOpen || this.hasEnded) this.drop()
    else this.closeIfDone()
  }

  private closeIfDone(): void {
    this.discard()
    if (this.room >= this.wholeRoom) this.drop()
  }

  /** Reads into nothing. */
  private discard(): void {
    const socket = this.socket
    while (socket !== null && this.readable > 0 && this.socket === socket) {
      const part = new Uint8Array(this.readable < 512 ? this.readable : 512)
      this.readable -= part.length
      try {
        this.isReading = true
        socket.read(part)
        this.isReading = false
        if (this.readable === 0 && this.pump !== null) this.pump()
      } catch (error) {
        this.drop()
      }
    }
  }
}
