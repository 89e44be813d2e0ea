/** Espruino's `SPI` and `Pin` over the model of a flash chip, and its module `crypto`. */
import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import type { SpiNorChip } from '../../hal/memory/index.js'

/** `SPI` and `Pin` of Espruino over the model of a chip. */
export function spiOf(bus: SpiNorChip): { spi: object; pin: object } {
  let isBegun = false
  const spi = {
    write(data: Uint8Array): void {
      isBegun = true
      bus.send(data, 0, data.length)
    },
    send(data: Uint8Array): Uint8Array {
      const received = new Uint8Array(data.length)
      bus.receive(received, 0, data.length)
      return received
    },
  }
  const pin = {
    set(): void {
      if (isBegun) bus.end()
      isBegun = false
    },
    reset(): void {},
  }
  return { spi, pin }
}

/** Espruino's module `crypto`: results are ArrayBuffers, and the initial counter is ignored. */
export const CRYPTO = {
  AES: {
    encrypt(data: Uint8Array, key: Uint8Array, { mode }: { mode: string }): ArrayBuffer {
      assert.equal(mode, 'CTR')
      const cipher = createCipheriv('aes-128-ctr', key, new Uint8Array(16))
      return Uint8Array.from(cipher.update(data)).buffer
    },
  },
  SHA256: (data: Uint8Array) => Uint8Array.from(createHash('sha256').update(data).digest()).buffer,
}
