import type { RecordPosition } from '../../hal/storage.js'
import { ERR_HOOK } from '../../src/status.js'
import { sealed } from '../../src/store/seal.js'
import type { SealedHooks } from '../../src/store/sealing.js'

/** Hooks fast enough for many cuts: a key stream by position, and a four-byte sum behind it. */
export class XorHooks implements SealedHooks {
  readonly growth = 4
  readonly keyId = 1
  /** Every position `before_write` has seen: none may come twice. */
  readonly seen = new Set<string>()
  repeated = 0
  fails = false
  makeSeal!: SealedHooks['makeSeal']

  constructor() {
    sealed(this)
  }

  knowsKey(keyId: number): boolean {
    return keyId === 1
  }

  before_write(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    if (this.fails) return ERR_HOOK
    const { saltHigh, saltLow, region, sectorSequence, offset } = position
    const name = `${saltHigh}.${saltLow}.${region}.${sectorSequence}.${offset}`
    if (this.seen.has(name)) this.repeated++
    this.seen.add(name)
    let sum = this.mix(position)
    for (let i = 0; i < length; i++) sum = (Math.imul(sum, 31) + buffer[at + i]) | 0
    new DataView(buffer.buffer, buffer.byteOffset).setInt32(at + length, sum)
    this.stream(buffer, at, length + 4, position)
    return length + 4
  }

  after_read(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    if (length < 4) return ERR_HOOK
    this.stream(buffer, at, length, position)
    let sum = this.mix(position)
    for (let i = 0; i < length - 4; i++) sum = (Math.imul(sum, 31) + buffer[at + i]) | 0
    const found = new DataView(buffer.buffer, buffer.byteOffset).getInt32(at + length - 4)
    return found === sum ? length - 4 : ERR_HOOK
  }

  private mix(position: RecordPosition): number {
    const { storeId, saltHigh, saltLow, region, sectorSequence, offset } = position
    const { type, number, keyId } = position
    let mixed = keyId
    const parts = [storeId, saltHigh, saltLow, region, sectorSequence, offset, type, number]
    for (const part of parts) {
      mixed = Math.imul(mixed ^ part, 0x01000193)
    }
    return mixed
  }

  private stream(buffer: Uint8Array, at: number, length: number, position: RecordPosition): void {
    let state = this.mix(position) | 1
    for (let i = 0; i < length; i++) {
      state = Math.imul(state, 1664525) + 1013904223
      buffer[at + i] ^= state >>> 24
    }
  }
}
