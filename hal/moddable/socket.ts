/**
 * What is used of the socket classes of ECMA-419: `embedded:io/socket/tcp`, and TLSSocket, which
 * wraps one. Types only. The facts, from the sources of Moddable 8.2:
 *
 *   - Callbacks come from the event loop, never from inside a call; TLSSocket's come from inside
 *     those of its TCP socket.
 *   - `onReadable(count)` tells all that can be read now, not what is new.
 *   - `read(buffer)` fills the buffer whole; it throws where that much is not there. TLSSocket
 *     fills what it can and returns how much, and takes views only.
 *   - `onWritable(count)` comes once connected, and after each acknowledgement of the peer, with
 *     the room there is: 5,744 to 8,192 bytes on ESP32, 1,536 on the simulators.
 *   - `write(buffer)` takes all or throws; it returns the room left, or nothing when the connection
 *     is over.
 *   - `onError()` comes without a reason, for refusal, reset and the peer's end alike, after the
 *     last byte was read.
 *   - A throw from a callback ends the program: the device restarts.
 */
export interface Socket {
  read(buffer: Uint8Array<ArrayBuffer>): number | undefined | void
  write(buffer: Uint8Array<ArrayBuffer>): number | undefined | void
  close(): void
}

export interface SocketHandlers {
  onReadable(count: number): void
  onWritable(count: number): void
  onError(): void
}

export interface SocketOptions extends SocketHandlers {
  readonly address: string
  readonly port: number
  readonly nodelay: boolean
  /** The name a certificate has to carry, for TLS. */
  readonly host: string
}

export interface SocketClass {
  new (options: SocketOptions): Socket
}

/** The options of TLSSocket: those of TCP, and what TLS adds. */
export interface TlsSocketOptions extends SocketOptions {
  readonly TCP: { readonly io: unknown }
  readonly secure: object
  readonly guard: GuardListener
}

export interface TlsSocketClass {
  new (options: TlsSocketOptions): Socket
}

/** The connection above a guarded socket (guarded-socket.ts): it is told when TLS throws. */
export interface GuardListener {
  /** True while the connection reads from TLSSocket. */
  readonly isReading: boolean
  /** Set by the guarded socket: lets TLS decrypt the next record that has arrived. */
  pump: (() => void) | null
  onFailure(error: unknown): void
}
