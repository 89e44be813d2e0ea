/**
 * Transport over the socket classes of ECMA-419, TCP and TLS. What it holds is bounded: one buffer
 * each way, and behind them the windows of the runtime. Knows bytes, nothing of MQTT; the runtime
 * is given to it.
 */
import { ERR_CLOSED, ERR_CONNECT, OK } from '../../src/status.js'
import type { Status } from '../../src/status.js'
import { TRANSPORT_CLOSED, TRANSPORT_CONNECTING, TRANSPORT_OPEN } from '../transport.js'
import type { BrokerAddress, Transport } from '../transport.js'
import type { System } from '../system.js'
import { Connection } from './connection.js'
import type { ConnectionOwner } from './connection.js'
import { guardedSocketClass } from './guarded-socket.js'
import { Scratch } from './scratch.js'
import type { Socket, SocketClass, TlsSocketClass } from './socket.js'

export interface TlsParts {
  readonly Socket: TlsSocketClass
  /**
   * What TLSSocket takes as `secure`, e.g. `{ certificate }` with the DER of the authority's
   * certificate. It checks dates: the clock has to be set.
   */
  readonly secure: object
}

export interface TransportParts {
  readonly TCP: SocketClass
  /** Looks a name up and calls back, later, with an address or without. */
  resolve(host: string, callback: (host: string, address?: string) => void): void
  readonly system: System
}

export interface TransportOptions {
  /** Left out where TLS is not in the firmware: it takes 150 KB of it. */
  readonly tls?: TlsParts
  /** Bytes of each of the two buffers: 1,024 unless given. */
  readonly bufferSize?: number
}

const BUFFER_SIZE = 1024

function isAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
}

function nothing(): void {}

export class SocketTransport implements Transport, ConnectionOwner {
  state: number
  reason: string
  onReady: () => void
  private readonly parts: TransportParts
  private readonly tls: TlsParts | undefined
  private connection: Connection | null
  /** What goes out passes through this one within a call of `write`. */
  private readonly outgoing: Scratch
  /** What has come in and was not read yet, from `incomingAt` to `incomingEnd`. */
  private readonly incoming: Scratch
  private incomingAt: number
  private incomingEnd: number
  /** The connection before, while it hands over its last bytes. */
  private finishing: Connection | null
  /** `write` took less than it was given: `onReady` has to follow. */
  private wantsRoom: boolean
  /** A call of the client is on its way: no `onReady`. */
  private isInside: boolean

  constructor(parts: TransportParts, options: TransportOptions) {
    this.state = TRANSPORT_CLOSED
    this.reason = ''
    this.onReady = nothing
    this.parts = parts
    this.tls = options.tls
    const size = options.bufferSize ?? BUFFER_SIZE
    if (!(size >= 64)) {
      throw new Error('SocketTransport: bufferSize ' + size + ', it must be 64 or more')
    }
    this.connection = null
    this.outgoing = new Scratch(size)
    this.incoming = new Scratch(size)
    this.incomingAt = 0
    this.incomingEnd = 0
    this.finishing = null
    this.wantsRoom = false
    this.isInside = false
  }

  /** True while a closed connection still hands over its last bytes: before a deep sleep, wait. */
  get isFinishing(): boolean {
    return this.finishing !== null && this.finishing.isAlive
  }

  open(broker: BrokerAddress): Status {
    if (this.connection !== null) this.connection.drop()
    this.connection = null
    this.wantsRoom = false
    this.incomingAt = 0
    this.incomingEnd = 0
    this.reason = ''
    this.state = TRANSPORT_CLOSED
    if (broker.secure && this.tls === undefined) {
      this.reason = 'mqtts:// needs TLS: give the transport `tls` (docs/BOARDS.md)'
      return ERR_CONNECT
    }
    const connection = new Connection(this, broker.secure)
    this.connection = connection
    this.state = TRANSPORT_CONNECTING
    this.isInside = true
    this.find(connection, broker)
    this.isInside = false
    return this.connection === connection ? OK : ERR_CONNECT
  }

  write(source: Uint8Array, sourceAt: number, length: number): number {
    const connection = this.connection
    if (this.state === TRANSPORT_CLOSED || connection === null) return ERR_CLOSED
    if (this.state === TRANSPORT_CONNECTING) return 0
    let taken = 0
    this.isInside = true
    while (taken < length && connection.room > 0) {
      let part = length - taken
      if (part > connection.room) part = connection.room
      if (part > this.outgoing.size) part = this.outgoing.size
      this.parts.system.copy(this.outgoing.bytes, 0, source, sourceAt + taken, part)
      this.outgoing.narrow(part)
      this.writePart(connection)
      this.outgoing.widen()
      taken += part
    }
    this.isInside = false
    if (taken < length) this.wantsRoom = true
    // A write that failed took the connection with it.
    return this.connection === connection ? taken : ERR_CLOSED
  }

  read(target: Uint8Array, targetAt: number, length: number): number {
    let taken = 0
    this.isInside = true
    do {
      let part = this.incomingEnd - this.incomingAt
      if (part > length - taken) part = length - taken
      const from = this.incoming.bytes
      if (part > 0) {
        this.parts.system.copy(target, targetAt + taken, from, this.incomingAt, part)
      }
      this.incomingAt += part
      taken += part
    } while (taken < length && this.pull())
    this.isInside = false
    const isEmpty = this.incomingAt === this.incomingEnd
    if (taken === 0 && isEmpty && this.state === TRANSPORT_CLOSED) return ERR_CLOSED
    return taken
  }

  close(): void {
    const connection = this.connection
    // A last look: what is not in our buffer by now goes with the socket.
    this.pull()
    this.connection = null
    this.state = TRANSPORT_CLOSED
    this.reason = ''
    if (connection === null) return
    this.isInside = true
    connection.finish()
    this.isInside = false
    // One at a time: sockets are few, four on an ESP32.
    if (this.finishing !== null) this.finishing.drop()
    this.finishing = connection
  }

  /** For the connection. */
  opened(): void {
    this.state = TRANSPORT_OPEN
    this.ready()
  }

  /** For the connection. */
  roomCame(): void {
    // Room comes back with each acknowledgement of TCP: mostly nobody waits for it.
    if (!this.wantsRoom) return
    this.wantsRoom = false
    this.ready()
  }

  /** For the connection. It is read at once: an end is told only when all before it was read. */
  bytesCame(): void {
    if (this.isInside) return
    this.pull()
    this.ready()
  }

  /** For the connection. Its socket is gone, or has a last record to read. */
  ended(reason: string): void {
    if (this.connection !== null && this.connection.socket === null) this.connection = null
    this.state = TRANSPORT_CLOSED
    this.reason = reason
    this.ready()
  }

  private ready(): void {
    if (!this.isInside) this.onReady()
  }

  private find(connection: Connection, broker: BrokerAddress): void {
    if (isAddress(broker.host)) return this.connect(connection, broker, broker.host)
    try {
      this.parts.resolve(broker.host, (_host, address) => {
        if (this.connection !== connection) return
        if (address !== undefined) this.connect(connection, broker, address)
        else connection.fail('the name ' + broker.host + ' was not found: no DNS, or no such host')
      })
    } catch (error) {
      connection.fail(String(error))
    }
  }

  private connect(connection: Connection, broker: BrokerAddress, address: string): void {
    try {
      connection.socket = broker.secure
        ? this.secureSocket(connection, broker, address)
        : new this.parts.TCP({
            address,
            port: broker.port,
            host: broker.host,
            nodelay: true,
            onReadable: (count) => connection.onReadable(count),
            onWritable: (count) => connection.onWritable(count),
            onError: () => connection.onError(),
          })
    } catch (error) {
      connection.fail(String(error))
    }
  }

  private secureSocket(connection: Connection, broker: BrokerAddress, address: string): Socket {
    const tls = this.tls!
    return new tls.Socket({
      address,
      port: broker.port,
      host: broker.host,
      nodelay: true,
      secure: tls.secure,
      TCP: { io: guardedSocketClass(this.parts.TCP) },
      guard: connection,
      onReadable: (count) => connection.onReadable(count),
      onWritable: (count) => connection.onWritable(count),
      onError: () => connection.onError(),
    })
  }

  /** Writes what `outgoing` holds. */
  private writePart(connection: Connection): void {
    try {
      const left = connection.socket!.write(this.outgoing.bytes)
      if (typeof left === 'number') connection.noteRoom(left)
      // Nothing comes back from a socket that has failed; onError follows.
      else connection.room = 0
    } catch (error) {
      connection.fail(String(error))
    }
  }

  /** Fills `incoming` where it is empty. False: nothing is there. */
  private pull(): boolean {
    const connection = this.connection
    if (this.incomingAt !== this.incomingEnd) return false
    if (connection === null || connection.socket === null) return false
    const wasInside = this.isInside
    this.isInside = true
    if (connection.readable === 0 && connection.pump !== null) connection.pump()
    const size = connection.readable < this.incoming.size ? connection.readable : this.incoming.size
    const hasMore = size > 0 && this.pullPart(connection, size)
    if (size === 0 && this.state === TRANSPORT_CLOSED) {
      this.connection = null
      connection.drop()
    }
    this.isInside = wasInside
    return hasMore
  }

  private pullPart(connection: Connection, size: number): boolean {
    this.incoming.narrow(size)
    connection.readable -= size
    connection.isReading = true
    this.incomingAt = 0
    this.incomingEnd = 0
    try {
      connection.socket!.read(this.incoming.bytes)
      this.incomingEnd = size
    } catch (error) {
      connection.fail(String(error))
    }
    connection.isReading = false
    this.incoming.widen()
    return this.incomingEnd > 0
  }
}
