/**
 * The cases of a power run: plain data, so that each can be printed and run again alone. What they
 * do is in log-cuts.ts, bit-cuts.ts, flips.ts and exchange-cuts.ts.
 */
import type { Tear } from '../../hal/memory/index.js'

/** A cut: the write or erase counted from the last boot, how it tears, the seed of the tear. */
export type Cut = [operation: number, tear: Tear, seed: number]

export const TEARS: readonly Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']
export const WRITE_SIZES: readonly number[] = [1, 4, 16, 32]

/** A scenario of the log, cut once or more; each further cut comes in the recovery. */
export interface LogCase {
  readonly kind: 'log'
  readonly scenario: number
  readonly writeSize: number
  readonly isHooked: boolean
  readonly cuts: Cut[]
}

/** One append, cut after exactly `bit` bits, or torn at random where `seed` is given. */
export interface BitCase {
  readonly kind: 'bit'
  readonly writeSize: number
  /** The append begins a sector: header, MARK, record. */
  readonly isFull: boolean
  readonly operation: number
  readonly bit: number
  readonly seed?: number
  readonly cuts?: undefined
}

/** One bit of a full image inverted. */
export interface FlipCase {
  readonly kind: 'flip'
  readonly writeSize: number
  readonly isHooked: boolean
  readonly bit: number
  readonly cuts?: undefined
}

/** A client and a broker; the network breaks after a packet, the power goes later. */
export interface ExchangeCase {
  readonly kind: 'exchange'
  readonly protocol: number
  readonly writeSize: number
  readonly load: 'mixed' | 'qos1'
  /** Lanes of the queue, each with a topic of its own: 1 or 2. */
  readonly lanes: number
  /** Packets that get through before the network breaks; 0: it does not. */
  readonly breakAfter: number
  /** The connection ends, or packets vanish until the client or the power ends it. */
  readonly how: 'reset' | 'silent'
  readonly cuts: Cut[]
}

export type PowerCase = LogCase | BitCase | FlipCase | ExchangeCase
