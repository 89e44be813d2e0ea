/**
 * Transport over TCP, and over TLS where the broker's address says `secure`. What it holds is
 * bounded both ways: TCP itself makes the broker wait, and `write` makes the client wait. Knows
 * bytes, nothing of MQTT.
 */
import * as net from 'node:net'
import * as tls from 'node:tls'
import { ERR_CLOSED, ERR_CONNECT, OK } from '../../src/status.js'
import type { Status } from '../../src/status.js'
import { TRANSPORT_CLOSED, TRANSPORT_CONNECTING, TRANSPORT_OPEN } from '../transport.js'
import type { BrokerAddress, Transport } from '../transport.js'

/** How to prove and check identity over TLS; the fields are those of `tls.connect`. */
export interface TlsOptions {
  readonly ca?: string | Buffer | Array<string | Buffer>
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  /** The name to ask for and to check, where it is not the host. */
  readonly servername?: string
  /** False accepts any certificate: for tests only. */
  readonly rejectUnauthorized?: boolean
  /** Application protocols to offer, e.g. `['x-amzn-mqtt-ca']`. */
  readonly alpn?: string[]
}

/** Bytes unread above which the socket pauses, and bytes unsent above which `write` takes none. */
const WINDOW_SIZE = 65536
/** Chunks unread above which the socket pauses: a peer that sends single bytes is bounded too. */
const WINDOW_CHUNKS = 1024
/** How long a closed connection may take to hand over its last bytes. */
const LINGER_MS = 5000

/** The words of a connection error; one that tried several addresses has them in its parts. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ')
  }
  if (error instanceof Error) return error.message === '' ? error.name : error.message
  return String(error)
}

export class TcpTransport implements Transport {
  state = TRANSPORT_CLOSED
  reason = ''
  onReady: () => void = () => {}
  private readonly tlsOptions: TlsOptions
  private socket: net.Socket | null = null
  /** Bytes that arrived, oldest first; `chunkAt` is the read offset in the first chunk. */
  private chunks: Buffer[] = []
  private chunkAt = 0
  private unreadSize = 0
  /** Bytes taken by `write` in this turn of the event loop, which leave together at its end. */
  private readonly pending = Buffer.allocUnsafeSlow(WINDOW_SIZE)
  private pendingSize = 0
  private isFlushDue = false
  /** `write` took less than it was given: `onReady` must follow. */
  private isRefused = false
  private readonly flushLater: () => void

  constructor(tlsOptions: TlsOptions = {}) {
    this.tlsOptions = tlsOptions
    this.flushLater = (): void => {
      this.isFlushDue = false
      this.flush()
    }
  }

  open(broker: BrokerAddress): Status {
    this.abandon()
    this.chunks = []
    this.chunkAt = 0
    this.unreadSize = 0
    this.pendingSize = 0
    this.isRefused = false
    this.reason = ''
    try {
      // A port out of range or an unreadable certificate throws here instead of failing later.
      this.socket = broker.secure ? this.connectTls(broker) : this.connectTcp(broker)
    } catch (error) {
      this.reason = reasonOf(error)
      this.state = TRANSPORT_CLOSED
      return ERR_CONNECT
    }
    this.state = TRANSPORT_CONNECTING
    this.listen(this.socket, broker.secure ? 'secureConnect' : 'connect')
    return OK
  }

  write(source: Uint8Array, sourceAt: number, length: number): number {
    const socket = this.socket
    if (socket === null || this.state === TRANSPORT_CLOSED) return ERR_CLOSED
    if (this.state === TRANSPORT_CONNECTING) return 0
    const taken = Math.min(length, WINDOW_SIZE - socket.writableLength - this.pendingSize)
    if (taken < length) this.isRefused = true
    if (taken <= 0) return 0
    this.pending.set(source.subarray(sourceAt, sourceAt + taken), this.pendingSize)
    this.pendingSize += taken
    // One system call for all that a turn writes: it costs more than encoding 10 packets.
    if (!this.isFlushDue) {
      this.isFlushDue = true
      process.nextTick(this.flushLater)
    }
    return taken
  }

  read(target: Uint8Array, targetAt: number, length: number): number {
    let taken = 0
    while (taken < length && this.chunks.length > 0) {
      const chunk = this.chunks[0]!
      const end = Math.min(this.chunkAt + length - taken, chunk.length)
      taken += chunk.copy(target, targetAt + taken, this.chunkAt, end)
      this.chunkAt = end
      if (end === chunk.length) {
        this.chunks.shift()
        this.chunkAt = 0
      }
    }
    this.unreadSize -= taken
    const socket = this.socket
    if (socket !== null && socket.isPaused() && !this.isFull()) socket.resume()
    if (this.unreadSize === 0 && taken === 0 && this.state === TRANSPORT_CLOSED) return ERR_CLOSED
    return taken
  }

  /** What arrived before stays readable until the next `open`. */
  close(): void {
    const socket = this.socket
    const wasOpen = this.state === TRANSPORT_OPEN
    this.isRefused = false
    if (wasOpen) this.flush()
    this.reason = ''
    this.state = TRANSPORT_CLOSED
    if (socket === null) return
    if (!wasOpen) {
      this.abandon()
      return
    }
    this.finish(socket)
  }

  /** Hands what was written to the socket. */
  private flush(): void {
    const socket = this.socket
    const size = this.pendingSize
    this.pendingSize = 0
    if (socket === null || this.state !== TRANSPORT_OPEN) return
    // The socket keeps what it is given until it is sent, so it is given a copy.
    if (size > 0) socket.write(Buffer.from(this.pending.subarray(0, size)))
    // Where the socket kept something, 'drain' says when there is room.
    if (!this.isRefused || socket.writableLength > 0) return
    this.isRefused = false
    this.onReady()
  }

  private connectTcp(broker: BrokerAddress): net.Socket {
    return net.connect({ host: broker.host, port: broker.port, noDelay: true })
  }

  private connectTls(broker: BrokerAddress): tls.TLSSocket {
    const { alpn, ...options } = this.tlsOptions
    const connection: tls.ConnectionOptions = { ...options, host: broker.host, port: broker.port }
    if (alpn !== undefined) connection.ALPNProtocols = alpn
    // A certificate names hosts; Node refuses to send an address as a server name.
    if (options.servername === undefined && net.isIP(broker.host) === 0) {
      connection.servername = broker.host
    }
    const socket = tls.connect(connection)
    socket.setNoDelay(true)
    return socket
  }

  /** The handlers stay on the socket for good; those of a socket given up do nothing. */
  private listen(socket: net.Socket, connected: 'connect' | 'secureConnect'): void {
    socket.on(connected, () => {
      if (this.socket !== socket) return
      this.state = TRANSPORT_OPEN
      this.onReady()
    })
    socket.on('data', (chunk: Buffer) => {
      if (this.socket === socket) this.take(socket, chunk)
    })
    socket.on('drain', () => {
      if (this.socket !== socket) return
      this.isRefused = false
      this.onReady()
    })
    socket.on('error', (error) => {
      if (this.socket === socket && this.reason === '') this.reason = reasonOf(error)
    })
    // 'end' comes after the last 'data'. The broker is done: nothing we would write is read.
    socket.on('end', () => {
      if (this.socket === socket) this.ended(socket, 'closed by the broker')
    })
    socket.on('close', () => {
      if (this.socket === socket) this.ended(socket, 'connection closed')
    })
  }

  private isFull(): boolean {
    return this.unreadSize > WINDOW_SIZE || this.chunks.length > WINDOW_CHUNKS
  }

  private take(socket: net.Socket, chunk: Buffer): void {
    this.chunks.push(chunk)
    this.unreadSize += chunk.length
    if (this.isFull()) socket.pause()
    this.onReady()
  }

  /** The connection ended without our doing. */
  private ended(socket: net.Socket, reason: string): void {
    if (this.reason === '') this.reason = reason
    this.state = TRANSPORT_CLOSED
    // What the socket holds behind a pause arrived before the end, and belongs to the reader. It is
    // no longer our socket then: read() hands the bytes to the 'data' handler too.
    this.socket = null
    const rest: Buffer | null = socket.read()
    if (rest !== null) {
      this.chunks.push(rest)
      this.unreadSize += rest.length
    }
    this.finish(socket)
    this.onReady()
  }

  /** Sends what was written, then FIN, and waits a limited time for the peer's. */
  private finish(socket: net.Socket): void {
    this.socket = null
    socket.setTimeout(LINGER_MS, () => socket.destroy())
    // Reading on, into nothing: a socket destroyed with unread bytes resets the connection, and a
    // reset can overtake the last packet we sent.
    socket.resume()
    socket.end()
  }

  /** Drops the connection at once, whatever its state. */
  private abandon(): void {
    const socket = this.socket
    this.socket = null
    if (socket !== null) socket.destroy()
  }
}
