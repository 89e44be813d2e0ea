/**
 * TLSSocket as Moddable 8.2 has it, with a toy instead of cryptography: a hello each way, then
 * records of 3 bytes header, body and 26 bytes trailer of which the last is a checksum. What
 * matters is kept: it throws from the callbacks of its TCP socket, decrypts the next record from a
 * timer when it believes there is more, holds one record and leaves the rest in TCP, reads into
 * views only, and estimates the room. `TlsEnd` is the other side.
 */
import type { Socket, TlsSocketOptions } from '../../hal/moddable/socket.js'
import { Pile } from './fake-network.js'
import type { FakeEnd } from './fake-network.js'

const HELLO_SIZE = 20
const HEADER_SIZE = 3
const TRAILER_SIZE = 26

function seal(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(HEADER_SIZE + body.length + TRAILER_SIZE)
  record.set([0x17, body.length >> 8, body.length & 0xff])
  for (let i = 0; i < body.length; i++) record[HEADER_SIZE + i] = body[i]! ^ 0x5a
  record[record.length - 1] = body.reduce((sum, byte) => sum ^ byte, 0x33)
  return record
}

function unseal(record: Uint8Array): Uint8Array {
  const body = record.subarray(HEADER_SIZE, record.length - TRAILER_SIZE).map((b) => b ^ 0x5a)
  const sum = body.reduce((so, byte) => so ^ byte, 0x33)
  if (record[0] !== 0x17 || record[record.length - 1] !== sum) throw new Error('bad record')
  return body
}

/** Bytes of the record at the front of `held`, or 0 while its header is not whole. */
function recordSize(held: Pile): number {
  if (held.length < HEADER_SIZE) return 0
  return HEADER_SIZE + (held.bytes[1]! << 8) + held.bytes[2]! + TRAILER_SIZE
}

/** What TLSSocket uses of the class it is given as TCP. */
interface Below extends Socket {
  readable: number
  writable: number
}

export class FakeTlsSocket implements Socket {
  private readonly options: TlsSocketOptions
  private readonly socket: Below
  private ready = false
  private isHelloSent = false
  private readonly record = new Pile()
  private data: Uint8Array | null = null

  constructor(options: TlsSocketOptions) {
    this.options = options
    const TCP = options.TCP.io as new (options: unknown) => Below
    this.socket = new TCP({
      ...options,
      onReadable: (count: number) => this.tcpReadable(count),
      onWritable: (count: number) => this.tcpWritable(count),
      onError: () => this.options.onError(),
    })
    this.socket.readable = this.socket.writable = 0
  }

  close(): void {
    this.socket.close()
  }

  read(target: Uint8Array): number | undefined {
    if (!ArrayBuffer.isView(target)) throw new RangeError('TLSSocket reads into views only')
    if (this.data === null) return undefined
    const taken = this.data.subarray(0, target.byteLength)
    target.set(taken)
    this.data = taken.length < this.data.length ? this.data.subarray(taken.length) : null
    if (this.data === null && this.socket.readable) {
      setImmediate(() => {
        if (this.socket.readable) this.tcpReadable(this.socket.readable)
      })
    }
    return taken.length
  }

  write(source: Uint8Array<ArrayBuffer>): number {
    const left = this.socket.write(seal(source)) as number
    this.socket.writable = left
    return Math.max(0, left - 32)
  }

  private tcpWritable(count: number): void {
    this.socket.writable = count
    if (!this.ready) this.hello()
    else if (count > 96) this.options.onWritable(count - 96)
  }

  private tcpReadable(count: number): void {
    this.socket.readable = count
    if (this.data !== null) return
    if (!this.ready) this.hello()
    else this.next()
  }

  private hello(): void {
    if (!this.isHelloSent) {
      this.isHelloSent = true
      this.socket.write(new Uint8Array(HELLO_SIZE))
      this.socket.writable -= HELLO_SIZE
      return
    }
    if (this.socket.readable < HELLO_SIZE) return
    const hello = new Uint8Array(HELLO_SIZE)
    this.socket.read(hello)
    this.socket.readable -= HELLO_SIZE
    const { trusts } = this.options.secure as { trusts: string }
    if (trusts !== this.options.host) throw new Error('certificate is for another name')
    this.ready = true
    this.tcpWritable(this.socket.writable)
    if (this.socket.readable) this.next()
  }

  /** Reads one record, as far as it is there. */
  private next(): void {
    if (this.record.length < HEADER_SIZE) this.fill(HEADER_SIZE)
    if (this.record.length < HEADER_SIZE) return
    const size = recordSize(this.record)
    this.fill(size)
    if (this.record.length < size) return
    this.data = unseal(this.record.take(size))
    this.options.onReadable(this.data.length)
  }

  private fill(size: number): void {
    const count = Math.min(size - this.record.length, this.socket.readable)
    if (count === 0) return
    const part = new Uint8Array(count)
    this.socket.read(part)
    this.socket.readable -= count
    this.record.add(part)
  }
}

/** The server's side of the toy, over one end of the network. */
export class TlsEnd {
  readonly inner: FakeEnd
  private hasHello = false
  private readonly pile = new Pile()
  private readonly held = new Pile()
  private waiting: Uint8Array[] = []

  constructor(inner: FakeEnd) {
    this.inner = inner
    inner.onData = (bytes) => this.take(bytes)
    if (inner.received.length > 0) this.take(inner.received)
  }

  get received(): Uint8Array {
    return this.pile.bytes
  }

  send(bytes: Uint8Array): void {
    // Records of many sizes, some larger than the reader's buffer.
    for (let at = 0, size = 16; at < bytes.length; at += size, size = (size * 7 + 13) % 4000) {
      this.sendRecord(this.record(bytes.subarray(at, at + size)))
    }
  }

  record(body: Uint8Array): Uint8Array {
    return seal(body)
  }

  private sendRecord(record: Uint8Array): void {
    if (this.hasHello) this.inner.send(record)
    else this.waiting.push(record)
  }

  private take(bytes: Uint8Array): void {
    this.held.add(bytes)
    if (!this.hasHello) {
      if (this.held.length < HELLO_SIZE) return
      this.hasHello = true
      this.held.take(HELLO_SIZE)
      this.inner.send(new Uint8Array(HELLO_SIZE))
      for (const record of this.waiting) this.inner.send(record)
    }
    for (;;) {
      const size = recordSize(this.held)
      if (size === 0 || this.held.length < size) return
      this.pile.add(unseal(this.held.take(size)))
    }
  }
}
