/**
 * The TCP socket under a TLSSocket, made safe. TLS on Moddable is written in JavaScript and throws
 * from the callbacks of its TCP socket: for a certificate it does not trust, a name that differs, a
 * record that was tampered with. Nobody catches that, and an ESP32 restarts. This class stands
 * between the two and catches. Knows nothing of TLS records, nor of MQTT.
 */
import type { GuardListener, Socket, SocketClass, SocketOptions } from './socket.js'

/** What TLSSocket passes to the class it was given: its own handlers, all else from us. */
interface GuardedOptions extends SocketOptions {
  readonly guard: GuardListener
}

export interface GuardedSocketClass {
  new (options: GuardedOptions): Socket
}

class GuardedSocket implements Socket {
  /** Kept here by TLSSocket. */
  writable: number
  private readonly socket: Socket
  private readonly options: GuardedOptions
  private readableCount: number
  private isClosed: boolean

  constructor(TCP: SocketClass, options: GuardedOptions) {
    this.writable = 0
    this.readableCount = 0
    this.isClosed = false
    this.options = options
    options.guard.pump = (): void => {
      if (this.readableCount > 0) this.arrived(this.readableCount)
    }
    this.socket = new TCP({
      address: options.address,
      port: options.port,
      host: options.host,
      nodelay: options.nodelay,
      onReadable: (count) => this.arrived(count),
      onWritable: (count) => this.roomCame(count),
      onError: () => this.ended(),
    })
  }

  /**
   * TLSSocket keeps here how much can be read. Having handed out a record it looks here, to decrypt
   * the next one from a timer, where nobody catches: it finds 0 then, and the transport pumps.
   */
  get readable(): number {
    return this.options.guard.isReading ? 0 : this.readableCount
  }
  set readable(count: number) {
    this.readableCount = count
  }

  read(buffer: Uint8Array<ArrayBuffer>): number | undefined | void {
    return this.socket.read(buffer)
  }

  write(buffer: Uint8Array<ArrayBuffer>): number | undefined | void {
    return this.socket.write(buffer)
  }

  close(): void {
    this.isClosed = true
    this.socket.close()
  }

  private arrived(count: number): void {
    if (this.isClosed) return
    try {
      this.options.onReadable(count)
    } catch (error) {
      this.options.guard.onFailure(error)
    }
  }

  private roomCame(count: number): void {
    if (this.isClosed) return
    try {
      this.options.onWritable(count)
    } catch (error) {
      this.options.guard.onFailure(error)
    }
  }

  private ended(): void {
    if (!this.isClosed) this.options.onError()
  }
}

/** A class that TLSSocket can be given instead of `TCP`. */
export function guardedSocketClass(TCP: SocketClass): GuardedSocketClass {
  return class extends GuardedSocket {
    constructor(options: GuardedOptions) {
      super(TCP, options)
    }
  }
}
