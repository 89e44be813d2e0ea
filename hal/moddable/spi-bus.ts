/**
 * SpiBus over `embedded:io/spi` of ECMA-419. Knows the bus, nothing of the chip behind it.
 *
 *   import SPI from 'embedded:io/spi'
 *   const spi = new SPI({ ...device.SPI.default, select: 5, active: 0, hz: 20_000_000 })
 *   const flash = new SpiNor(new ModdableSpiBus(spi, system), system, { size: 1048576 })
 *
 * The class selects the chip with the first byte and keeps it selected until `flush(true)`. It
 * writes and reads whole buffers only, so a view for every length would be garbage at each call.
 * Here the views are made once, of 1 to 8 bytes and of powers of two, all at the beginning of one
 * buffer: a transfer is a few of them, the longest first. This also keeps what the ESP32 wants:
 * buffers at multiples of 4 bytes, room to round a read up to 4, and less than the 1,024 bytes
 * beyond which its driver drops a read without a word.
 */
import type { SpiBus } from '../spi-nor/spi-bus.js'

/** What is used of the class `SPI`: ECMA-419, chapter 9, SPI. */
export interface EcmaSpi {
  write(buffer: Uint8Array): void
  read(buffer: Uint8Array): unknown
  flush(deselect: boolean): void
}

/** What is used of System. */
export interface SpiBusCopier {
  copy(
    target: Uint8Array,
    targetAt: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
  ): void
}

/** A program page: nothing longer is sent. Reads of more are several pieces. */
const LARGEST = 256
/** Up to here there is a view for each length: commands have 1 to 6 bytes. */
const EACH = 8

export class ModdableSpiBus implements SpiBus {
  private readonly spi: EcmaSpi
  private readonly system: SpiBusCopier
  private readonly scratch: Uint8Array
  private readonly pieces: Uint8Array[]

  constructor(spi: EcmaSpi, system: SpiBusCopier) {
    this.spi = spi
    this.system = system
    const scratch = new Uint8Array(LARGEST)
    this.scratch = scratch
    this.pieces = []
    for (let length = 1; length <= EACH; length += 1) {
      this.pieces.push(new Uint8Array(scratch.buffer, 0, length))
    }
    for (let length = 2 * EACH; length <= LARGEST; length *= 2) {
      this.pieces.push(new Uint8Array(scratch.buffer, 0, length))
    }
  }

  send(source: Uint8Array, at: number, length: number): void {
    for (let done = 0; done < length;) {
      const piece = this.piece(length - done)
      this.system.copy(this.scratch, 0, source, at + done, piece.length)
      this.spi.write(piece)
      done += piece.length
    }
  }

  receive(target: Uint8Array, at: number, length: number): void {
    for (let done = 0; done < length;) {
      const piece = this.piece(length - done)
      this.spi.read(piece)
      target.set(piece, at + done)
      done += piece.length
    }
  }

  end(): void {
    this.spi.flush(true)
  }

  /** The longest view of at most `length` bytes. */
  private piece(length: number): Uint8Array {
    if (length <= EACH) return this.pieces[length - 1]!
    let index = EACH - 1
    for (let size = 2 * EACH; size <= length && size <= LARGEST; size *= 2) index += 1
    return this.pieces[index]!
  }
}
