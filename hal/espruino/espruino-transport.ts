/**
 * Transport over Espruino's modules `net` and `tls`: bytes are strings on the wire. Knows bytes,
 * nothing of MQTT.
 *
 * What is written waits in Espruino, which sets no limit; here the event `drain` does. What arrives
 * comes without being asked for, so a limit ends the connection of a broker that sends faster than
 * the client reads.
 */
import { ERR_CLOSED, ERR_CONNECT, OK, type Status } from '../../src/status.js'
import { TRANSPORT_CLOSED, TRANSPORT_CONNECTING, TRANSPORT_OPEN } from '../transport.js'
import type { BrokerAddress, Transport } from '../transport.js'

/** What is used of a socket. */
export interface EspruinoSocket {
  on(event: string, handler: (value: any) => void): void
  write(data: string): void
  end(): void
  /** What waits to be sent. Espruino keeps it under this name and documents it nowhere. */
  dSnd?: string
}

/** What is used of `require('net')` and of `require('tls')`. */
export interface NetModule {
  connect(options: object, connected: () => void): EspruinoSocket
}

export interface EspruinoTransportOptions {
  /** `require('tls')`, where the board has it and the broker's address begins with `mqtts`. */
  readonly tls?: NetModule
  /**
   * Must be false for TLS: Espruino's TLS encrypts, but checks no certificate, whatever `ca` says.
   * Whoever stands between board and broker can read and change everything.
   */
  readonly rejectUnauthorized?: boolean
  /** The client's certificate and key, as `tls.connect` of Espruino takes them. */
  readonly cert?: string
  readonly key?: string
  /** Bytes that may wait to be sent. Default 2,048. */
  readonly unsentLimit?: number
  /** Bytes that may wait to be read. Default 16,384. */
  readonly unreadLimit?: number
}

export class EspruinoTransport implements Transport {
  state: number
  reason: string
  onReady: () => void
  private readonly net: NetModule
  private readonly options: EspruinoTransportOptions
  private readonly unsentLimit: number
  private readonly unreadLimit: number
  private socket: EspruinoSocket | null
  /** The socket that `close` ended and that may still send. */
  private leaving: EspruinoSocket | null
  /** Strings that arrived, oldest first; `chunkAt` is the read offset in the first. */
  private chunks: string[]
  private chunkAt: number
  private unreadSize: number
  /** Bytes written since the last `drain`. */
  private unsentSize: number
  /** `write` took less than it was given: `onReady` must follow. */
  private isRefused: boolean

  constructor(net: NetModule, options?: EspruinoTransportOptions) {
    this.net = net
    this.options = options ?? {}
    this.unsentLimit = this.options.unsentLimit ?? 2048
    this.unreadLimit = this.options.unreadLimit ?? 16384
    this.state = TRANSPORT_CLOSED
    this.reason = ''
    this.onReady = nothing
    this.socket = null
    this.leaving = null
    this.chunks = []
    this.chunkAt = 0
    this.unreadSize = 0
    this.unsentSize = 0
    this.isRefused = false
  }

  open(broker: BrokerAddress): Status {
    const options = this.options
    if (this.socket) discard(this.socket)
    if (this.leaving) discard(this.leaving)
    this.socket = null
    this.leaving = null
    this.chunks = []
    this.chunkAt = 0
    this.unreadSize = 0
    this.unsentSize = 0
    this.isRefused = false
    this.state = TRANSPORT_CLOSED
    this.reason = ''
    let net = this.net
    if (broker.secure) {
      if (!options.tls) return this.refuse('mqtts: give tls: require("tls")')
      if (options.rejectUnauthorized !== false) {
        return this.refuse('mqtts: Espruino checks no certificate; rejectUnauthorized: false')
      }
      net = options.tls
    }
    const address: { [name: string]: unknown } = {}
    address['host'] = broker.host // as the module names them, whatever a build makes of our names
    address['port'] = broker.port
    if (options.cert !== undefined) address['cert'] = options.cert
    if (options.key !== undefined) address['key'] = options.key
    let socket: EspruinoSocket | null = null
    try {
      socket = net.connect(address, () => {
        if (this.socket !== socket || this.state !== TRANSPORT_CONNECTING) return
        this.state = TRANSPORT_OPEN
        this.onReady()
      })
    } catch (error) {
      // Where the network is not there, or refuses at once: nothing more is heard of it.
      return this.refuse(wordsOf(error))
    }
    this.socket = socket
    this.state = TRANSPORT_CONNECTING
    this.listen(socket)
    return OK
  }

  write(source: Uint8Array, sourceAt: number, length: number): number {
    const socket = this.socket
    if (socket === null) return ERR_CLOSED
    if (this.state === TRANSPORT_CONNECTING) return 0
    const room = this.unsentLimit - this.unsentSize
    if (room < length) this.isRefused = true
    const taken = room < length ? room : length
    if (taken <= 0) return 0
    try {
      // A single array could become the string without a copy; two arguments are always copied.
      socket.write(
        E.toString('', new Uint8Array(source.buffer, source.byteOffset + sourceAt, taken)),
      )
    } catch (error) {
      this.end(wordsOf(error))
      return ERR_CLOSED
    }
    this.unsentSize += taken
    return taken
  }

  read(target: Uint8Array, targetAt: number, length: number): number {
    let taken = 0
    while (taken < length && this.chunks.length > 0) {
      const chunk = this.chunks[0]!
      const rest = chunk.length - this.chunkAt
      const part = rest < length - taken ? rest : length - taken
      target.set(new Uint8Array(E.toArrayBuffer(chunk), this.chunkAt, part), targetAt + taken)
      taken += part
      this.chunkAt += part
      if (part === rest) {
        this.chunks.shift()
        this.chunkAt = 0
      }
    }
    this.unreadSize -= taken
    if (taken === 0 && this.unreadSize === 0 && this.state === TRANSPORT_CLOSED) return ERR_CLOSED
    return taken
  }

  /** What arrived before stays readable until the next `open`. */
  close(): void {
    const socket = this.socket
    this.socket = null
    this.state = TRANSPORT_CLOSED
    this.reason = ''
    this.isRefused = false
    if (socket === null) return
    this.leaving = socket
    try {
      socket.end()
    } catch (error) {
      // It is closed already.
    }
  }

  /** The handlers stay on the socket for good; those of a socket given up do nothing. */
  private listen(socket: EspruinoSocket): void {
    socket.on('data', (chunk: string) => {
      if (this.socket !== socket) return
      this.chunks.push(chunk)
      this.unreadSize += chunk.length
      if (this.unreadSize > this.unreadLimit) {
        discard(socket)
        this.end('more than unreadLimit bytes are unread')
      }
      this.onReady()
    })
    socket.on('drain', () => {
      if (this.socket !== socket) return
      this.unsentSize = 0
      if (!this.isRefused) return
      this.isRefused = false
      this.onReady()
    })
    socket.on('error', (error: unknown) => {
      if (this.socket === socket) this.reason = wordsOf(error)
    })
    const ended = (): void => {
      if (this.socket !== socket) return
      this.end(this.reason === '' ? 'closed by the broker' : this.reason)
      this.onReady()
    }
    // `end` comes after the last data. A connection that failed has `close` only.
    socket.on('end', ended)
    socket.on('close', ended)
  }

  private end(reason: string): void {
    this.reason = reason
    this.state = TRANSPORT_CLOSED
    this.socket = null
  }

  private refuse(reason: string): Status {
    this.reason = reason
    return ERR_CONNECT
  }
}

/** Ends a socket without sending what waits: a peer that takes nothing would keep it for ever. */
function discard(socket: EspruinoSocket): void {
  try {
    socket.dSnd = ''
    socket.end()
  } catch (error) {
    // It is closed already.
  }
}

/** The words of what was thrown, or of the object that the event `error` brings. */
function wordsOf(error: any): string {
  return String((error && error.message) || error)
}

function nothing(): void {}
