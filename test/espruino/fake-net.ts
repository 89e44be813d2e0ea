/**
 * The module `net` of Espruino over sockets of Node, with its habits: strings on the wire, up to
 * 536 bytes a time; a queue without a limit and `drain` when it is empty; no way to hold a peer
 * back; a socket that is closed throws. `isLinux`: what refuses throws from `connect`, as in the
 * build for Linux; else it says so by an event, as on an ESP32. Knows nothing of Holdfast.
 */
import * as net from 'node:net'
import type { EspruinoSocket, NetModule } from '../../hal/espruino/espruino-transport.js'

const CHUNK = 536

class FakeSocket implements EspruinoSocket {
  dSnd = ''
  private readonly socket: net.Socket
  private readonly handlers: Record<string, ((value: unknown) => void)[]> = {}
  private isOpen = true
  private isEnding = false
  private isSending = false

  constructor(socket: net.Socket, connected: () => void) {
    this.socket = socket
    socket.on('connect', () => {
      connected()
      this.emit('drain', this)
      this.pump()
    })
    socket.on('data', (data) => {
      for (let at = 0; at < data.length; at += CHUNK) {
        this.emit('data', data.toString('latin1', at, Math.min(at + CHUNK, data.length)))
      }
    })
    socket.on('error', (error) => {
      if (!this.isOpen) return
      this.emit('error', { code: -9, message: error.message })
    })
    socket.on('end', () => this.ended())
    socket.on('close', () => this.ended())
  }

  on(event: string, handler: (value: any) => void): void {
    ;(this.handlers[event] ??= []).push(handler)
  }

  write(data: string): boolean {
    if (typeof data !== 'string') throw new Error('an array would be written as decimal numbers')
    if (!this.isOpen) throw new Error('This socket is closed')
    this.dSnd += data
    setImmediate(() => this.pump())
    return false
  }

  end(): void {
    this.isEnding = true
    if (this.dSnd === '') this.finish()
  }

  private emit(event: string, value: unknown): void {
    for (const handler of this.handlers[event] ?? []) handler(value)
  }

  /** One chunk at a time leaves; the next when the socket took it. */
  private pump(): void {
    if (this.isSending || this.dSnd === '' || this.socket.connecting || !this.isOpen) return
    this.isSending = true
    const chunk = this.dSnd.slice(0, CHUNK)
    this.socket.write(chunk, 'latin1', () => {
      this.isSending = false
      this.dSnd = this.dSnd.slice(chunk.length)
      if (this.dSnd !== '') return this.pump()
      if (this.isEnding) return this.finish()
      this.emit('drain', this)
    })
  }

  private finish(): void {
    if (this.socket.connecting) this.socket.destroy()
    else this.socket.end()
    this.ended()
    this.socket.resume()
  }

  private ended(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.socket.end()
    // Events come when the code that caused them has returned.
    setImmediate(() => {
      this.emit('end', undefined)
      this.emit('close', false)
    })
  }
}

export function fakeNet(isLinux = false): NetModule {
  return {
    connect(options: object, connected: () => void): EspruinoSocket {
      const { host, port } = options as { host: string; port: number }
      if (isLinux && port === 1) throw new Error('Unable to create socket')
      return new FakeSocket(net.connect({ host, port, noDelay: true }), connected)
    },
  }
}
