/**
 * System on Espruino: `getTime`, its random numbers, bulk moves of typed arrays, `E.CRC32`. Knows
 * nothing of the client.
 */
import type { System } from '../system.js'

/** Before this (September 2020) the wall clock was not set: a board starts in 1970 or 2000. */
const CLOCK_SET_SECONDS = 1600000000
/** `setTime` moves `getTime`: no step forward that large (115 days) is time that passed. */
const LARGEST_STEP_MS = 10000000000

export class EspruinoSystem implements System {
  private readonly seed: string
  private drawCount: number
  private readMs: number
  private passedMs: number

  /**
   * `seed` is what the board knows and nobody else: `E.hwRand` of an ESP32 gives the same numbers
   * after each boot, so there the only other chance is the time of the call.
   */
  constructor(seed?: string) {
    this.seed = (seed ?? '') + getSerial()
    this.drawCount = 0
    this.readMs = getTime() * 1000
    this.passedMs = 0
  }

  now(): number {
    const readMs = getTime() * 1000
    const step = readMs - this.readMs
    this.readMs = readMs
    if (step > 0 && step < LARGEST_STEP_MS) this.passedMs += step
    return this.passedMs
  }

  wallSeconds(): number {
    const seconds = Math.floor(getTime())
    return seconds > CLOCK_SET_SECONDS ? seconds : 0
  }

  random(): number {
    this.drawCount++
    const mixed = E.CRC32(this.seed + this.drawCount + ' ' + getTime())
    return (mixed ^ E.hwRand()) >>> 0
  }

  copy(
    target: Uint8Array,
    targetAt: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
  ): void {
    if (length <= 0) return
    let part = new Uint8Array(source.buffer, source.byteOffset + sourceAt, length)
    // `set` goes from the front: a range that overlaps what is behind it needs a copy in between.
    if (target.buffer === source.buffer && target.byteOffset + targetAt > part.byteOffset) {
      part = new Uint8Array(part)
    }
    target.set(part, targetAt)
  }

  crc32(source: Uint8Array, sourceAt: number, length: number): number {
    if (length <= 0) return 0
    return E.CRC32(new Uint8Array(source.buffer, source.byteOffset + sourceAt, length))
  }
}
