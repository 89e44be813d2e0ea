/**
 * SpiBus over an SPI object of Espruino and the pin that selects the chip. Knows the bus, nothing
 * of the chip behind it.
 *
 *   SPI1.setup({ sck: B3, miso: B4, mosi: B5, baud: 8000000 })
 *   const flash = new SpiNor(new EspruinoSpiBus(SPI1, B6), system, { size: 1048576 })
 *
 * `SPI.send` always returns a new array, which is freed as soon as it is copied: Espruino counts
 * references, and nothing waits for a collection. Pieces of 256 bytes bound what that takes.
 */
import type { SpiBus } from '../spi-nor/spi-bus.js'

/** What is used of Espruino's class `SPI`. */
export interface EspruinoSpi {
  write(data: Uint8Array): void
  send(data: Uint8Array): Uint8Array
}

/** What is used of Espruino's class `Pin`. */
export interface EspruinoPin {
  set(): void
  reset(): void
}

const LARGEST = 256

export class EspruinoSpiBus implements SpiBus {
  private readonly spi: EspruinoSpi
  private readonly select: EspruinoPin
  /** Sent to receive. An array, not `{ data, count }`: that is one transfer a byte on an ESP32. */
  private readonly nothing: Uint8Array

  constructor(spi: EspruinoSpi, select: EspruinoPin) {
    this.spi = spi
    this.select = select
    this.nothing = new Uint8Array(LARGEST)
    this.select.set()
  }

  send(source: Uint8Array, at: number, length: number): void {
    this.select.reset()
    if (length === 0) return
    const isWhole = at === 0 && length === source.length
    this.spi.write(isWhole ? source : new Uint8Array(source.buffer, source.byteOffset + at, length))
  }

  receive(target: Uint8Array, at: number, length: number): void {
    for (let done = 0; done < length;) {
      const part = length - done < LARGEST ? length - done : LARGEST
      const nothing = this.nothing
      const dummy = part === LARGEST ? nothing : new Uint8Array(nothing.buffer, 0, part)
      target.set(this.spi.send(dummy), at + done)
      done += part
    }
  }

  end(): void {
    this.select.set()
  }
}
