/**
 * A buffer of which the platform takes exactly as much as is meant. Moddable's `read` and `write`
 * take whole buffers; a view for each length would be garbage (112 bytes of slots and a chunk), so
 * one resizable buffer changes its length instead. Knows nothing of flash or sockets.
 */

interface Resizable extends ArrayBuffer {
  resize(length: number): void
}
interface ResizableConstructor {
  new (length: number, options: { maxByteLength: number }): Resizable
}

/** Two of the largest write units. */
const LEAST_SIZE = 64

export class Scratch {
  readonly size: number
  /** Follows the length of the buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>
  private readonly buffer: Resizable

  constructor(size: number) {
    if (!(size >= LEAST_SIZE)) throw new Error('Scratch: size ' + size + ', it must be 64 or more')
    this.size = size
    const Buffer = ArrayBuffer as unknown as ResizableConstructor
    this.buffer = new Buffer(size, { maxByteLength: size })
    this.bytes = new Uint8Array(this.buffer)
  }

  /** `bytes` has `length` bytes now: call it right before the platform's `read` or `write`. */
  narrow(length: number): void {
    if (length !== this.size) this.buffer.resize(length)
  }

  /**
   * `bytes` has its whole size again; what it held in front is still there. Right after the
   * platform's call: a garbage collection meanwhile would take the room behind away for good.
   */
  widen(): void {
    if (this.bytes.length !== this.size) this.buffer.resize(this.size)
  }
}
