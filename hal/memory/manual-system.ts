/**
 * A System whose clocks stand still until a test moves them and whose chance comes from a seed, so
 * that a run is a function of its inputs. Knows nothing of the machine it runs on.
 */
import type { System } from '../system.js'
import { Crc32 } from './crc32.js'
import { Random } from './random.js'

export class ManualSystem implements System {
  /** What `now` returns, in milliseconds. */
  time: number
  /** What `wallSeconds` returns; 0 while unknown. `advance` does not move it while it is 0. */
  wall: number
  /** Where `random` draws from; reseed it to stand for another boot. */
  readonly chance: Random
  private readonly crc: Crc32
  /** Milliseconds that `advance` has not yet turned into whole seconds of `wall`. */
  private wallRestMs: number

  constructor(seed: number) {
    this.time = 0
    this.wall = 0
    this.chance = new Random(seed)
    this.crc = new Crc32()
    this.wallRestMs = 0
  }

  /** Moves both clocks on. */
  advance(milliseconds: number): void {
    this.time += milliseconds
    if (this.wall === 0) return
    this.wallRestMs += milliseconds
    const seconds = Math.floor(this.wallRestMs / 1000)
    this.wall += seconds
    this.wallRestMs -= seconds * 1000
  }

  now(): number {
    return this.time
  }

  wallSeconds(): number {
    return this.wall
  }

  random(): number {
    return this.chance.next()
  }

  copy(
    target: Uint8Array,
    targetAt: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
  ): void {
    target.set(source.subarray(sourceAt, sourceAt + length), targetAt)
  }

  crc32(source: Uint8Array, sourceAt: number, length: number): number {
    return this.crc.of(source, sourceAt, length)
  }
}
