/**
 * System on Moddable: its ticks, its clock, and the C functions beside this file. The runtime is
 * given to it. Knows nothing of the client.
 */
import type { System } from '../system.js'

/** What `time`, `Date` and native.ts offer. */
export interface SystemParts {
  /** Milliseconds as 32 bits that wrap, with or without a sign. */
  ticks(): number
  /** Milliseconds since 1970; counts from 0, or from a build date, until someone sets the clock. */
  date(): number
  random(): number
  readonly copy: System['copy']
  readonly crc32: System['crc32']
}

/** The first of January 2024: a clock before it was never set. */
const EARLIEST_SECONDS = 1704067200

export class ModdableSystem implements System {
  /** The C functions themselves: a method around each would cost a frame. */
  readonly copy: System['copy']
  readonly crc32: System['crc32']
  private readonly parts: SystemParts
  private lastTicks: number
  private elapsed: number

  constructor(parts: SystemParts) {
    this.copy = parts.copy
    this.crc32 = parts.crc32
    this.parts = parts
    this.lastTicks = parts.ticks()
    this.elapsed = 0
  }

  /** Has to be called once in 49 days to see each wrap; the loop calls it every hour. */
  now(): number {
    const ticks = this.parts.ticks()
    this.elapsed += (ticks - this.lastTicks) >>> 0
    this.lastTicks = ticks
    return this.elapsed
  }

  wallSeconds(): number {
    const seconds = Math.floor(this.parts.date() / 1000)
    return seconds >= EARLIEST_SECONDS ? seconds : 0
  }

  random(): number {
    return this.parts.random()
  }
}
