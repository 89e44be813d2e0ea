/**
 * WsTransport: MQTT over WebSocket (`ws://`, `wss://`), where a network lets nothing but the web
 * pass. It is `holdfast/node-ws`, apart from `holdfast/node`, since it needs the package `ws`.
 * Knows frames, nothing of packets.
 */
import * as net from 'node:net'
import { createWebSocketStream, WebSocket } from 'ws'
import type { BrokerAddress } from '../transport.js'
import { StreamTransport, type Link } from './stream-transport.js'
import { TLS_HINT, TlsIdentity, type TlsOptions } from './tls-identity.js'

export interface WsOptions {
  /** As for TcpTransport, for `wss://`: docs/TLS.md. */
  readonly tls?: TlsOptions
  /** For the HTTP request, e.g. an `Authorization`. Called at each connection: a token may end. */
  readonly headers?: () => Record<string, string>
  /** What stands behind the `?` of the URL, e.g. a signature. Called at each connection. */
  readonly query?: () => string
  /** The most bytes that a frame may hold; one with more ends the connection. Default 1,048,576. */
  readonly maxFrameSize?: number
}

const NAMES = ['tls', 'headers', 'query', 'maxFrameSize']
const DEFAULT_FRAME_SIZE = 1 << 20
/** Close codes of RFC 6455, section 7.4.1. */
const CODE_NORMAL = 1000
const CODE_UNSUPPORTED_DATA = 1003
/** These two never travel: no code was given, and no Close frame came. */
const CODE_ABSENT = 1005
const CODE_ABNORMAL = 1006

export class WsTransport extends StreamTransport {
  readonly schemes = ' ws wss '
  private readonly identity: TlsIdentity
  // What they give may be secret: a transport that is printed shows functions.
  private readonly headers: () => Record<string, string>
  private readonly query: () => string
  private readonly maxFrameSize: number

  constructor(options: WsOptions = {}) {
    super()
    for (const name of Object.keys(options)) {
      if (!NAMES.includes(name)) {
        throw new Error(`WsTransport: option "${name}" is not known; they are: ${NAMES.join(' ')}`)
      }
    }
    this.identity = new TlsIdentity(options.tls ?? {})
    this.headers = givenFunction('headers', options.headers, () => ({}))
    this.query = givenFunction('query', options.query, () => '')
    this.maxFrameSize = options.maxFrameSize ?? DEFAULT_FRAME_SIZE
    if (!Number.isInteger(this.maxFrameSize) || this.maxFrameSize < 1) {
      throw new Error(`WsTransport: maxFrameSize is ${this.maxFrameSize}; it must be 1 or more`)
    }
  }

  protected connect(broker: BrokerAddress, onOpen: () => void): Link {
    if (!broker.path) throw new Error('WsTransport opens ws:// and wss:// only')
    let socket: net.Socket | undefined
    const webSocket = new WebSocket(this.urlOf(broker), 'mqtt', {
      // The socket is ours, so that a certificate is shown and checked as without WebSocket. Called
      // before the constructor returns, unless that throws.
      createConnection: () => (socket = this.socketTo(broker)),
      headers: this.headers(),
      // Compression would buffer, and cost more memory than MQTT packets save.
      perMessageDeflate: false,
      maxPayload: this.maxFrameSize,
    })
    webSocket.once('open', onOpen)
    return this.linkOf(webSocket, socket!, broker.secure)
  }

  private socketTo(broker: BrokerAddress): net.Socket {
    if (broker.secure) return this.identity.connect(broker)
    return net.connect({ host: broker.host, port: broker.port, noDelay: true })
  }

  /** Not by way of a string: `ws` would repeat one that it cannot read, query and all. */
  private urlOf(broker: BrokerAddress): URL {
    const host = net.isIPv6(broker.host) ? `[${broker.host}]` : broker.host
    const url = new URL(`${broker.secure ? 'wss' : 'ws'}://${host}:${broker.port}${broker.path}`)
    url.search = this.query()
    return url
  }

  /** The handlers come before those of the stream, which would pass on text as bytes. */
  private linkOf(webSocket: WebSocket, socket: net.Socket, isSecure: boolean): Link {
    webSocket.on('message', (_, isBinary) => {
      if (isBinary) return
      webSocket.close(CODE_UNSUPPORTED_DATA) // [MQTT-6.0.0-1]
      this.ended(stream, 'the broker sent a frame of text')
    })
    webSocket.on('error', (error) => this.failed(stream, error))
    webSocket.on('close', (code, reason) => this.ended(stream, endOf(code, String(reason))))
    const stream = createWebSocketStream(webSocket)
    return { stream, socket, hint: isSecure ? TLS_HINT : '' }
  }
}

function givenFunction<T>(name: string, given: T | undefined, absent: T): T {
  if (given === undefined) return absent
  if (typeof given === 'function') return given
  throw new Error(`WsTransport: ${name} is ${typeof given}; it must be a function that returns it`)
}

/** Words for a connection that the broker ended. */
function endOf(code: number, reason: string): string {
  if (code === CODE_ABNORMAL) return 'connection closed'
  if (code === CODE_NORMAL || code === CODE_ABSENT) return 'closed by the broker'
  return `closed by the broker with code ${code}` + (reason === '' ? '' : `: ${reason}`)
}
