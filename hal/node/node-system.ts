/**
 * System on Node: its monotonic clock, its wall clock, its generator of random numbers, its bulk
 * moves. Knows nothing of the client.
 */
import { randomFillSync } from 'node:crypto'
import * as zlib from 'node:zlib'
import { Crc32 } from '../memory/crc32.js'
import type { System } from '../system.js'

const POOL_SIZE = 256
/** Bytes up to which a loop copies faster than a call. */
const SHORT_SIZE = 16

export class NodeSystem implements System {
  /** Random numbers drawn in advance: one system call serves 256. */
  private readonly pool = new Uint32Array(POOL_SIZE)
  private poolAt = POOL_SIZE
  private readonly crc: Crc32 | null

  constructor() {
    // zlib.crc32 came with Node 20.15 and 22.2.
    this.crc = typeof zlib.crc32 === 'function' ? null : new Crc32()
  }

  now(): number {
    return performance.now()
  }

  wallSeconds(): number {
    return Math.floor(Date.now() / 1000)
  }

  random(): number {
    if (this.poolAt === POOL_SIZE) {
      randomFillSync(this.pool)
      this.poolAt = 0
    }
    const drawn = this.pool[this.poolAt]!
    // A number given away does not stay in memory: it may be a salt.
    this.pool[this.poolAt] = 0
    this.poolAt += 1
    return drawn
  }

  copy(
    target: Uint8Array,
    targetAt: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
  ): void {
    // A view costs 50 ns, as much as a loop over 25 bytes; topics and headers are often shorter.
    // Only between separate memories: a loop from the front spoils ranges that overlap.
    if (length <= SHORT_SIZE && target.buffer !== source.buffer) {
      for (let index = 0; index < length; index++)
        target[targetAt + index] = source[sourceAt + index]!
      return
    }
    // The two calls differ in that copyWithin needs no view. Both take overlapping ranges.
    if (target === source) target.copyWithin(targetAt, sourceAt, sourceAt + length)
    else target.set(source.subarray(sourceAt, sourceAt + length), targetAt)
  }

  heapBytes(): number {
    return process.memoryUsage().heapUsed
  }

  crc32(source: Uint8Array, sourceAt: number, length: number): number {
    if (this.crc !== null) return this.crc.of(source, sourceAt, length)
    return zlib.crc32(source.subarray(sourceAt, sourceAt + length))
  }
}
