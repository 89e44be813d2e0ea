/**
 * StreamTransport: what the transports over Node's streams have in common. What it holds is bounded
 * both ways: the stream makes the broker wait, and `write` makes the client wait. Knows bytes and
 * streams, nothing of MQTT, nor of how a connection comes about.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { inspect } from 'node:util'
import { ERR_CLOSED, ERR_CONNECT, OK } from '../../src/status.js'
import type { Status } from '../../src/status.js'
import { TRANSPORT_CLOSED, TRANSPORT_CONNECTING, TRANSPORT_OPEN } from '../transport.js'
import type { BrokerAddress, Transport } from '../transport.js'

/** A connection on its way: the bytes, and the socket they pass, which may be the stream itself. */
export interface Link {
  readonly stream: Duplex
  readonly socket: Socket
  /** What else to say where an open connection ends before the broker's first byte; may be ''. */
  readonly hint: string
}

/** Bytes unread above which the socket pauses, and bytes unsent above which `write` takes none. */
const WINDOW_SIZE = 65536
/** Chunks unread above which the socket pauses: a peer that sends single bytes is bounded too. */
const WINDOW_CHUNKS = 1024
/** How long a closed connection may be silent before its last bytes are handed over. */
const LINGER_MS = 5000

/** The words of a connection error, in one line. */
export function reasonOf(error: unknown): string {
  // One that tried several addresses has its words in its parts.
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ')
  }
  if (!(error instanceof Error)) return String(error)
  // The message of OpenSSL is a dump with a line of its source code; its reason is for people.
  const { library, reason } = error as { library?: unknown; reason?: unknown }
  if (typeof library === 'string' && typeof reason === 'string') return reason
  return error.message === '' ? error.name : error.message
}

export abstract class StreamTransport implements Transport {
  state = TRANSPORT_CLOSED
  reason = ''
  onReady: () => void = () => {}
  private link: Link | null = null
  /** Bytes that arrived, oldest first; `chunkAt` is the read offset in the first chunk. */
  private chunks: Buffer[] = []
  private chunkAt = 0
  private unreadSize = 0
  /** A byte came on this connection. */
  private isAnswered = false
  /** Bytes taken by `write` in this turn of the event loop, which leave together at its end. */
  private readonly pending = Buffer.allocUnsafeSlow(WINDOW_SIZE)
  private pendingSize = 0
  private isFlushDue = false
  /** `write` took less than it was given: `onReady` must follow. */
  private isRefused = false
  private readonly flushLater: () => void

  constructor() {
    this.flushLater = (): void => {
      this.isFlushDue = false
      this.flush()
    }
  }

  /** Printed in full, a connection shows its HTTP request, and with that a token. */
  [inspect.custom](): string {
    return `${this.constructor.name} { state: ${this.state}, reason: ${inspect(this.reason)} }`
  }

  open(broker: BrokerAddress): Status {
    this.abandon()
    this.chunks = []
    this.chunkAt = 0
    this.unreadSize = 0
    this.pendingSize = 0
    this.isRefused = false
    this.isAnswered = false
    this.reason = ''
    try {
      // A port out of range throws here instead of failing later.
      const link = this.connect(broker, () => {
        if (this.link !== link) return
        this.state = TRANSPORT_OPEN
        this.onReady()
      })
      this.link = link
    } catch (error) {
      this.reason = reasonOf(error)
      this.state = TRANSPORT_CLOSED
      return ERR_CONNECT
    }
    this.state = TRANSPORT_CONNECTING
    this.listen(this.link)
    return OK
  }

  /**
   * Begins a connection and calls `onOpen`, later, when bytes can pass. Throws where it is known to
   * fail. The stream tells of all further trouble.
   */
  protected abstract connect(broker: BrokerAddress, onOpen: () => void): Link

  write(source: Uint8Array, sourceAt: number, length: number): number {
    const link = this.link
    if (link === null || this.state === TRANSPORT_CLOSED) return ERR_CLOSED
    if (this.state === TRANSPORT_CONNECTING) return 0
    const taken = Math.min(length, WINDOW_SIZE - link.stream.writableLength - this.pendingSize)
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
    const link = this.link
    if (link !== null && link.stream.isPaused() && !this.isFull()) link.stream.resume()
    if (this.unreadSize === 0 && taken === 0 && this.state === TRANSPORT_CLOSED) return ERR_CLOSED
    return taken
  }

  /** What arrived before stays readable until the next `open`. */
  close(): void {
    const link = this.link
    const wasOpen = this.state === TRANSPORT_OPEN
    this.isRefused = false
    if (wasOpen) this.flush()
    this.reason = ''
    this.state = TRANSPORT_CLOSED
    if (link === null) return
    if (wasOpen) this.finish(link)
    else this.abandon()
  }

  /** Hands what was written to the stream. */
  private flush(): void {
    const stream = this.link?.stream
    const size = this.pendingSize
    this.pendingSize = 0
    if (stream === undefined || this.state !== TRANSPORT_OPEN) return
    // The stream keeps what it is given until it is sent, so it is given a copy.
    if (size > 0) stream.write(Buffer.from(this.pending.subarray(0, size)))
    // Where the stream kept something, 'drain' says when there is room.
    if (!this.isRefused || stream.writableLength > 0) return
    this.isRefused = false
    this.onReady()
  }

  /** The handlers stay on the stream for good; those of a stream given up do nothing. */
  private listen(link: Link): void {
    const stream = link.stream
    stream.on('data', (chunk: Buffer) => {
      if (this.link === link) this.take(stream, chunk)
    })
    stream.on('drain', () => {
      if (this.link !== link) return
      this.isRefused = false
      this.onReady()
    })
    stream.on('error', (error) => this.failed(stream, error))
    // 'end' comes after the last 'data'. The broker is done: nothing we would write is read.
    stream.on('end', () => this.ended(stream, 'closed by the broker'))
    stream.on('close', () => this.ended(stream, 'connection closed'))
  }

  /** Notes why the connection is about to end; the first reason stays. */
  protected failed(stream: Duplex, error: unknown): void {
    if (this.link?.stream === stream && this.reason === '') this.reason = reasonOf(error)
  }

  private isFull(): boolean {
    return this.unreadSize > WINDOW_SIZE || this.chunks.length > WINDOW_CHUNKS
  }

  private take(stream: Duplex, chunk: Buffer): void {
    this.isAnswered = true
    this.chunks.push(chunk)
    this.unreadSize += chunk.length
    if (this.isFull()) stream.pause()
    this.onReady()
  }

  /** The connection ended without our doing. */
  protected ended(stream: Duplex, reason: string): void {
    const link = this.link
    if (link === null || link.stream !== stream) return
    if (this.reason === '') this.reason = reason
    if (this.state === TRANSPORT_OPEN && !this.isAnswered) this.reason += link.hint
    this.state = TRANSPORT_CLOSED
    // What the stream holds behind a pause arrived before the end, and belongs to the reader. It is
    // no longer our stream then: read() hands the bytes to the 'data' handler too.
    this.link = null
    const rest: Buffer | null = stream.read()
    if (rest !== null) {
      this.chunks.push(rest)
      this.unreadSize += rest.length
    }
    this.finish(link)
    this.onReady()
  }

  /** Sends what was written, then FIN, and waits a limited time for the peer's. */
  private finish(link: Link): void {
    this.link = null
    link.socket.setTimeout(LINGER_MS, () => link.socket.destroy())
    // Reading on, into nothing: a socket destroyed with unread bytes resets the connection, and a
    // reset can overtake the last packet we sent.
    link.stream.resume()
    link.stream.end()
  }

  /** Drops the connection at once, whatever its state. */
  private abandon(): void {
    const link = this.link
    this.link = null
    if (link !== null) link.stream.destroy()
  }
}
