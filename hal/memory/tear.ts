/**
 * What a power cut leaves of a flash operation. A write wants to clear bits and an erase wants to
 * set them; the bits that still have to change are pending, and each tear model says which of them
 * did change. Knows bytes and bits, nothing of sectors, of write units or of who throws.
 */
import type { Random } from './random.js'

/**
 * noop: nothing happened. prefix: the first k bytes happened, k random from 0 to all of them.
 * random: each pending bit changed with probability a half. progressive: a random share of the
 * pending bits changed, for an erase biased to late phases. bits: exactly the first k pending bits
 * changed, in ascending order of address and then from bit 0 up. weak, of an erase: all reads 0xFF,
 * but what is written there may not hold; of a write it is the same as random.
 */
export type Tear = 'noop' | 'prefix' | 'random' | 'progressive' | 'weak' | 'bits'

/** Adds neighbouring bits, then pairs, then nibbles: it runs for every byte of a torn sector. */
function countBits(byte: number): number {
  const pairs = byte - ((byte >>> 1) & 0x55)
  const nibbles = (pairs & 0x33) + ((pairs >>> 2) & 0x33)
  return (nibbles + (nibbles >>> 4)) & 0x0f
}

/** The lowest `count` set bits of `byte`. */
function lowestBits(byte: number, count: number): number {
  let rest = byte
  for (let taken = 0; taken < count && rest !== 0; taken += 1) rest &= rest - 1
  return byte ^ rest
}

/** Carries out torn operations on a byte array; the two counts tell of the last one. */
export class Tearing {
  /** Bits that the whole operation would have changed: `bits` from here on is the whole. */
  pendingBits: number
  /** Bits that did change. */
  flippedBits: number

  constructor() {
    this.pendingBits = 0
    this.flippedBits = 0
  }

  /** Tears a write of `source`, or an erase where `source` is null, within `bytes`. */
  apply(
    bytes: Uint8Array,
    address: number,
    source: Uint8Array | null,
    sourceAt: number,
    length: number,
    tear: Tear,
    bitCount: number,
    chance: Random,
  ): void {
    // Of the dials below each model uses one: bytes taken, share of bits in 1/256, bits taken.
    let wholeBytes = length
    let share = 256
    let bitsLeft = -1
    if (tear === 'noop') wholeBytes = 0
    else if (tear === 'prefix') wholeBytes = chance.below(length + 1)
    else if (tear === 'bits') bitsLeft = bitCount
    else if (tear === 'progressive') {
      const phase = chance.fraction()
      // An erase takes long and most of its bits turn early, so a cut tends to find it late.
      const done = source === null ? 1 - (1 - phase) * (1 - phase) : phase
      share = Math.floor(done * 257)
    } else if (tear === 'random' || source !== null) share = 128

    this.pendingBits = 0
    this.flippedBits = 0
    let masks = 0
    for (let i = 0; i < length; i += 1) {
      const stored = bytes[address + i]!
      const pending = source === null ? ~stored & 0xff : stored & ~source[sourceAt + i]!
      // One draw serves four bytes.
      if ((i & 3) === 0) masks = chance.bits(share)
      let flips = i < wholeBytes ? pending & (masks >>> ((i & 3) * 8)) : 0
      if (bitsLeft >= 0) {
        flips = lowestBits(pending, bitsLeft)
        bitsLeft -= countBits(flips)
      }
      this.pendingBits += countBits(pending)
      if (flips !== 0) {
        this.flippedBits += countBits(flips)
        bytes[address + i] = stored ^ flips
      }
    }
  }
}
