/**
 * A Transport whose peer is the test: the test accepts or refuses the connection, delivers bytes,
 * limits what writes and reads take, and looks at what was sent. No sockets, no timers; it knows
 * nothing of MQTT. `onReady` runs inside the test's calls, never inside the client's.
 */
import { ERR_CLOSED, ERR_CONNECT, OK } from '../../src/status.js'
import type { Status } from '../../src/status.js'
import { TRANSPORT_CLOSED, TRANSPORT_CONNECTING, TRANSPORT_OPEN } from '../transport.js'
import type { BrokerAddress, Transport } from '../transport.js'

function noteNothing(): void {}

/** `bytes` with room for at least `capacity`, its first `used` bytes kept. */
function grown(bytes: Uint8Array, used: number, capacity: number): Uint8Array {
  if (capacity <= bytes.length) return bytes
  const larger = new Uint8Array(capacity > bytes.length * 2 ? capacity : bytes.length * 2)
  larger.set(bytes.subarray(0, used))
  return larger
}

export class ScriptedTransport implements Transport {
  state: number
  reason: string
  onReady: () => void
  /** Every broker that `open` was called with, in order. */
  readonly opened: BrokerAddress[]
  /** Bytes the next writes may still take; Infinity unless the test limits it. Counts down. */
  room: number
  /** The most bytes one read returns; Infinity unless the test limits it. */
  readLimit: number
  /** Words with which the next calls of `open` refuse at once; '' lets them connect. */
  openRefusal: string
  /** Calls of `close`, for tests of who ended a connection. */
  closeCount: number
  private sentBytes: Uint8Array
  private sentSize: number
  private takenSize: number
  private arrived: Uint8Array
  private arrivedSize: number
  private readSize: number

  constructor() {
    this.state = TRANSPORT_CLOSED
    this.reason = ''
    this.onReady = noteNothing
    this.opened = []
    this.room = Infinity
    this.readLimit = Infinity
    this.openRefusal = ''
    this.closeCount = 0
    this.sentBytes = new Uint8Array(1024)
    this.sentSize = 0
    this.takenSize = 0
    this.arrived = new Uint8Array(1024)
    this.arrivedSize = 0
    this.readSize = 0
  }

  open(broker: BrokerAddress): Status {
    this.opened.push(broker)
    this.sentSize = 0
    this.takenSize = 0
    this.arrivedSize = 0
    this.readSize = 0
    this.reason = this.openRefusal
    this.state = this.openRefusal === '' ? TRANSPORT_CONNECTING : TRANSPORT_CLOSED
    return this.openRefusal === '' ? OK : ERR_CONNECT
  }

  write(source: Uint8Array, sourceAt: number, length: number): number {
    if (this.state === TRANSPORT_CLOSED) return ERR_CLOSED
    if (this.state !== TRANSPORT_OPEN) return 0
    const taken = length < this.room ? length : this.room
    this.room -= taken
    this.sentBytes = grown(this.sentBytes, this.sentSize, this.sentSize + taken)
    this.sentBytes.set(source.subarray(sourceAt, sourceAt + taken), this.sentSize)
    this.sentSize += taken
    return taken
  }

  read(target: Uint8Array, targetAt: number, length: number): number {
    const waiting = this.arrivedSize - this.readSize
    if (waiting === 0) return this.state === TRANSPORT_CLOSED ? ERR_CLOSED : 0
    let taken = length < waiting ? length : waiting
    if (taken > this.readLimit) taken = this.readLimit
    target.set(this.arrived.subarray(this.readSize, this.readSize + taken), targetAt)
    this.readSize += taken
    return taken
  }

  close(): void {
    this.closeCount += 1
    this.state = TRANSPORT_CLOSED
    this.reason = ''
  }

  /** A copy of all bytes the client wrote on this connection. It outlives `close`. */
  get sent(): Uint8Array {
    const copy = new Uint8Array(this.sentSize)
    copy.set(this.sentBytes.subarray(0, this.sentSize))
    return copy
  }

  /** A copy of the bytes written since the last call, or since `open`. */
  takeSent(): Uint8Array {
    const copy = new Uint8Array(this.sentSize - this.takenSize)
    copy.set(this.sentBytes.subarray(this.takenSize, this.sentSize))
    this.takenSize = this.sentSize
    return copy
  }

  /** The connection stands: CONNECTING becomes OPEN. */
  accept(): void {
    this.requireState(TRANSPORT_CONNECTING, 'accept')
    this.state = TRANSPORT_OPEN
    this.onReady()
  }

  /** The connection does not come about. */
  fail(reason: string): void {
    this.requireState(TRANSPORT_CONNECTING, 'fail')
    this.end(reason)
  }

  /** The connection ends; what was delivered before can still be read. */
  drop(reason: string): void {
    this.requireState(TRANSPORT_OPEN, 'drop')
    this.end(reason)
  }

  /** Bytes arrive from the peer. */
  deliver(bytes: Uint8Array): void {
    this.requireState(TRANSPORT_OPEN, 'deliver')
    // All was read: begin at the front again, so that a long run needs no more memory.
    if (this.readSize === this.arrivedSize) {
      this.readSize = 0
      this.arrivedSize = 0
    }
    this.arrived = grown(this.arrived, this.arrivedSize, this.arrivedSize + bytes.length)
    this.arrived.set(bytes, this.arrivedSize)
    this.arrivedSize += bytes.length
    this.onReady()
  }

  /** Lets the next writes take `byteCount` bytes more. */
  giveRoom(byteCount: number): void {
    this.room += byteCount
    this.onReady()
  }

  private end(reason: string): void {
    this.state = TRANSPORT_CLOSED
    this.reason = reason
    this.onReady()
  }

  /** A script that acts on a connection that is not there is wrong: say so at the wrong line. */
  private requireState(state: number, call: string): void {
    if (this.state !== state) {
      throw new Error(call + '() in transport state ' + this.state + ', it needs ' + state)
    }
  }
}
