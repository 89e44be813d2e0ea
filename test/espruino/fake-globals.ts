/**
 * Espruino's globals on Node, as far as Holdfast uses them and with the habits that differ from
 * Node's. Knows nothing of Holdfast. Import it before what uses them.
 */
import * as zlib from 'node:zlib'
import { Crc32 } from '../../hal/memory/crc32.js'

/** Seconds added to the clock: `setTime` moves `getTime`. */
export const clock = { offset: 0 }

/** Handlers of `E.on('kill')`. */
export const killHandlers: (() => void)[] = []

/** Numbers `E.hwRand` gives; the same after each boot, as on an ESP32. */
let drawn = 1

export function rebootRandom(): void {
  drawn = 1
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : data
}

const crc = new Crc32()

Object.assign(globalThis, {
  getTime: () => Date.now() / 1000 + clock.offset,
  getSerial: () => '00000000-deadbeef',
  E: {
    toString(...parts: (string | Uint8Array)[]): string {
      return parts.map((part) => Buffer.from(bytesOf(part)).toString('latin1')).join('')
    },
    toArrayBuffer(text: string): ArrayBuffer {
      const bytes = new Uint8Array(text.length)
      for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index)
      return bytes.buffer
    },
    CRC32: (data: Uint8Array | string) => {
      const bytes = bytesOf(data)
      return zlib.crc32 ? zlib.crc32(bytes) : crc.of(bytes, 0, bytes.length)
    },
    hwRand(): number {
      drawn = (Math.floor(drawn * 16807) % 2147483647) | 0
      return drawn * 2
    },
    on(event: string, handler: () => void): void {
      if (event === 'kill') killHandlers.push(handler)
    },
  },
})
