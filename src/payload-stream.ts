/**
 * PayloadStream: a message whose payload is handed over in parts, because it is larger than the
 * buffers. It is kept, and may be sent, once the last byte is on flash; what is given up before, or
 * cut short by a power loss, was never there. Made by `client.stream`.
 */
import type { StreamWriter } from './queue/stream-writer.js'
import { ERR_ARGUMENT, ERR_NOT_READY, OK, type Status } from './status.js'
import type { System } from '../hal/system.js'

/** Told when the message is whole; makes the ticket out of its number. */
export type StreamedHandler = (number: number) => number

export class PayloadStream {
  /** OK while parts are taken; then why not: ERR_NOT_READY behind the end, or what failed. */
  status: Status
  private readonly writer: StreamWriter | null
  private readonly system: System
  private readonly done: StreamedHandler
  /** Parts smaller than a fragment are collected here. */
  private readonly chunk: Uint8Array
  private chunkLength: number
  private left: number

  /** `status` is what the beginning returned. */
  constructor(
    writer: StreamWriter | null,
    system: System,
    length: number,
    status: Status,
    done: StreamedHandler,
  ) {
    this.status = status
    this.writer = writer
    this.system = system
    this.done = done
    this.chunk = new Uint8Array(status === OK ? Math.min(length, writer!.capacity) : 0)
    this.chunkLength = 0
    this.left = length
  }

  /**
   * Takes `length` bytes from `at` on. Returns the ticket with the last byte, 0 before; a negative
   * status ends the stream and nothing of the message is kept. ERR_ARGUMENT: more bytes than were
   * announced; nothing was taken and the stream goes on.
   */
  write(bytes: Uint8Array, at: number, length: number): number {
    if (this.status !== OK) return this.status
    if (at < 0 || length < 0 || at + length > bytes.length || length > this.left)
      return ERR_ARGUMENT
    const chunk = this.chunk
    for (let taken = 0; taken < length;) {
      const count = Math.min(chunk.length - this.chunkLength, length - taken)
      this.system.copy(chunk, this.chunkLength, bytes, at + taken, count)
      this.chunkLength += count
      this.left -= count
      taken += count
      if (this.chunkLength < chunk.length && this.left > 0) continue
      const number = this.writer!.add(chunk, 0, this.chunkLength, this.left === 0)
      this.chunkLength = 0
      if (number < 0) this.status = number
      if (number < 0) return number
      if (number === 0) continue
      this.status = ERR_NOT_READY
      return this.done(number)
    }
    return 0
  }

  /** Gives the message up. */
  abort(): void {
    if (this.status === OK) this.writer!.end()
    this.status = ERR_NOT_READY
  }
}
