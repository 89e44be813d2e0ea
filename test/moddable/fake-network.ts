/**
 * The socket class `embedded:io/socket/tcp` as the sources of Moddable 8.2 have it for lwIP, and
 * the network behind it. Callbacks are posted, never made from inside a call; several notes become
 * one delivery; the error comes after the last byte; closing with unread bytes resets. Knows
 * nothing of the class under test.
 */
import type { Socket, SocketOptions } from '../../hal/moddable/socket.js'

/** Bytes that pile up in parts: a megabyte a byte at a time would take seconds. */
export class Pile {
  length = 0
  private parts: Uint8Array[] = []

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.parts.push(Uint8Array.from(bytes))
    this.length += bytes.length
  }

  /** All of them, in one piece from now on. */
  get bytes(): Uint8Array {
    if (this.parts.length !== 1) this.parts = [Buffer.concat(this.parts)]
    return this.parts[0]!
  }

  /** Removes `count` bytes from the front and returns them. */
  take(count: number): Uint8Array {
    const all = this.bytes
    this.parts = [all.subarray(count)]
    this.length = all.length - count
    return all.subarray(0, count)
  }
}

/** What a listener at the other end holds of one connection. */
export class FakeEnd {
  /** Bytes from the client that were taken. */
  private readonly pile = new Pile()
  isStalled = false
  /** The client ended in order (FIN), or broke the connection off (RST). */
  sawFin = false
  sawReset = false
  socket: FakeSocket | null = null
  onData: ((bytes: Uint8Array) => void) | null = null
  private readonly toSend = new Pile()
  private isEnding = false

  get received(): Uint8Array {
    return this.pile.bytes
  }

  send(bytes: Uint8Array): void {
    this.toSend.add(bytes)
    this.push()
  }

  /** Ends after what was sent. */
  end(): void {
    this.isEnding = true
    this.push()
  }

  stall(): void {
    this.isStalled = true
  }

  unstall(): void {
    this.isStalled = false
    this.take()
  }

  /** Takes what the client's window holds; the client is told that there is room. */
  take(): void {
    const socket = this.socket
    if (socket === null || this.isStalled) return
    const bytes = socket.takeUnsent()
    this.pile.add(bytes)
    if (bytes.length > 0) this.onData?.(bytes)
  }

  /** Fills the client's receive window. */
  push(): void {
    const socket = this.socket
    const count = Math.min(this.toSend.length, socket?.receiveRoom ?? 0)
    if (count > 0) socket!.arrive(this.toSend.take(count))
    if (this.isEnding && this.toSend.length === 0 && socket !== null) socket.peerEnded()
  }
}

export class FakeNetwork {
  readonly window: number
  /** Ports that accept. */
  readonly ports = new Set<number>()
  readonly ends: FakeEnd[] = []
  readonly names = new Map<string, string>()
  /** Calls of `new TCP`. */
  opened = 0
  /** Words with which `new TCP` throws, e.g. 'no network'. */
  refusal = ''

  constructor(window: number) {
    this.window = window
  }

  /** The class to give to a transport. */
  get TCP(): new (options: SocketOptions) => FakeSocket {
    const network = this
    return class extends FakeSocket {
      constructor(options: SocketOptions) {
        super(network, options)
      }
    }
  }

  readonly resolve = (host: string, callback: (host: string, address?: string) => void): void => {
    setImmediate(() => callback(host, this.names.get(host)))
  }
}

const CONNECTING = 0
const READY = 1
const OVER = 2

export class FakeSocket implements Socket {
  /** TLSSocket keeps counts here. */
  [key: string]: unknown
  private readonly options: SocketOptions
  private readonly network: FakeNetwork
  private readonly end = new FakeEnd()
  private phase = CONNECTING
  private isClosed = false
  private hasEnded = false
  private readonly unread = new Pile()
  private readonly unsent = new Pile()
  private notes = new Set<'writable' | 'readable' | 'error'>()
  private isPosted = false

  constructor(network: FakeNetwork, options: SocketOptions) {
    if (network.refusal !== '') throw new Error(network.refusal)
    if (!/^\d+(\.\d+){3}$/.test(options.address)) throw new Error('invalid address')
    if (!(options.port >= 0 && options.port <= 65535)) throw new RangeError('invalid port')
    network.opened += 1
    this.network = network
    this.options = options
    setImmediate(() => this.answer())
  }

  private answer(): void {
    if (this.isClosed) return
    if (!this.network.ports.has(this.options.port)) {
      this.phase = OVER
      return this.note('error')
    }
    this.phase = READY
    this.end.socket = this
    this.network.ends.push(this.end)
    this.note('writable')
  }

  get receiveRoom(): number {
    return this.isClosed || this.phase !== READY ? 0 : this.network.window - this.unread.length
  }

  read(buffer: Uint8Array): number | undefined {
    this.requireAlive()
    if (this.unread.length === 0) return undefined
    const wanted = buffer.byteLength
    if (wanted <= 0 || wanted > this.unread.length) throw new Error('invalid')
    buffer.set(this.unread.take(wanted))
    if (this.unread.length === 0 && this.hasEnded) this.note('error')
    else setImmediate(() => this.end.push())
    return wanted
  }

  write(buffer: Uint8Array): number | undefined {
    this.requireAlive()
    if (this.phase === CONNECTING) throw new Error('not ready')
    if (this.phase === OVER) return undefined
    if (buffer.byteLength > this.writeRoom) throw new Error('would block')
    this.unsent.add(buffer)
    setImmediate(() => this.end.take())
    return this.writeRoom
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    if (this.phase === CONNECTING || !this.end.socket) return
    if (this.unread.length > 0) {
      this.unsent.take(this.unsent.length)
      this.end.sawReset = true
      this.end.socket = null
    } else if (this.unsent.length === 0) this.finished()
  }

  /** For the end: all that waits; at most a window. */
  takeUnsent(): Uint8Array {
    const bytes = this.unsent.take(this.unsent.length)
    if (this.isClosed) this.finished()
    else if (bytes.length > 0) this.note('writable')
    return bytes
  }

  arrive(bytes: Uint8Array): void {
    this.unread.add(bytes)
    this.note('readable')
  }

  peerEnded(): void {
    if (this.hasEnded || this.isClosed) return
    this.hasEnded = true
    this.phase = OVER
    this.note('error')
  }

  private get writeRoom(): number {
    return this.network.window - this.unsent.length
  }

  private finished(): void {
    this.end.sawFin = true
    this.end.socket = null
  }

  /** The host object is gone after close: any call throws. */
  private requireAlive(): void {
    if (this.isClosed) throw new SyntaxError('not instance of class')
  }

  private note(what: 'writable' | 'readable' | 'error'): void {
    this.notes.add(what)
    if (this.isPosted) return
    this.isPosted = true
    setImmediate(() => this.deliver())
  }

  private deliver(): void {
    const notes = this.notes
    this.notes = new Set()
    this.isPosted = false
    if (notes.has('readable') && this.unread.length > 0 && !this.isClosed) {
      this.options.onReadable(this.unread.length)
    }
    if (this.isClosed) return
    if (notes.has('error')) {
      if (this.unread.length === 0) this.options.onError()
    } else if (notes.has('writable')) this.options.onWritable(this.writeRoom)
  }
}
