/**
 * Globals of Node that the suites use, for XS, which lacks them: Buffer (the npm package), text
 * encoders, the environment, `console.error` among the results. Knows nothing of the tests.
 */
import { Buffer as NpmBuffer } from 'buffer/'

declare const device: { config: string; print(line: string): void }

class Encoder {
  encode(text: string): Uint8Array {
    return new Uint8Array(NpmBuffer.from(text))
  }
}

class Decoder {
  decode(bytes: Uint8Array): string {
    return NpmBuffer.from(bytes).toString()
  }
}

// Node's takes any bytes, the package's only its own.
const equals = NpmBuffer.prototype.equals
NpmBuffer.prototype.equals = function (this: NpmBuffer, other: Uint8Array): boolean {
  return equals.call(this, NpmBuffer.from(other))
}

// cbor-x, an oracle, asks them for their names when it loads; functions of a device have none.
const typedArrays = {
  ...{ Uint8Array, Uint8ClampedArray, Uint16Array, Uint32Array, BigUint64Array },
  ...{ Int8Array, Int16Array, Int32Array, BigInt64Array, Float32Array, Float64Array },
}
for (const [name, value] of Object.entries(typedArrays)) {
  Object.defineProperty(value, 'name', { value: name })
}

const { env } = JSON.parse(device.config) as { env: unknown }
const print = (...parts: unknown[]): void => device.print('# ' + parts.join(' '))

Object.assign(globalThis, {
  Buffer: NpmBuffer,
  TextEncoder: Encoder,
  TextDecoder: Decoder,
  process: { env, nextTick: () => {}, version: 'v20.0.0' },
  console: { log: print, info: print, warn: print, error: print },
})
