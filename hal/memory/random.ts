/**
 * A small seeded generator (xorshift, 32 bits) for tests and simulated faults: the same seed gives
 * the same faults on every engine. It knows nothing of secrecy: never draw a key or a salt from it.
 */
export class Random {
  /** The whole state: save and assign it to repeat a sequence from the middle. Never 0. */
  state: number

  constructor(seed: number) {
    this.state = 1
    this.reseed(seed)
  }

  /** Starts over. Neighbouring seeds give unrelated sequences. */
  reseed(seed: number): void {
    // Multiplication by an odd constant mod 2^32, in halves: a product of doubles loses low bits.
    let mixed = (seed ^ 0x5bd1e995) | 0
    mixed = ((mixed & 0xffff) * 0x9e3b + ((((mixed >>> 16) * 0x9e3b) & 0xffff) << 16)) | 0
    this.state = mixed === 0 ? 1 : mixed
    // Xorshift needs some rounds until a seed with few set bits has spread over the word.
    for (let round = 0; round < 8; round += 1) this.next()
  }

  /** An unsigned 32-bit number, never 0. */
  next(): number {
    let x = this.state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x
    return x >>> 0
  }

  /** A whole number from 0 up to, not including, `limit` (at most 2^32). */
  below(limit: number): number {
    return Math.floor((this.next() / 0x100000000) * limit)
  }

  /** A number from 0 up to, not including, 1. */
  fraction(): number {
    return this.next() / 0x100000000
  }

  /** 32 bits, each 1 with probability `parts` / 256. */
  bits(parts: number): number {
    if (parts <= 0) return 0
    if (parts >= 256) return -1
    // Each round halves the probability so far and adds a half where the bit of `parts` is 1.
    let mask = 0
    for (let bit = 1; bit < 256; bit <<= 1) {
      if ((parts & bit) !== 0) mask |= this.next()
      // Before the first bit of `parts` there is nothing to halve, and no draw to spend.
      else if (mask !== 0) mask &= this.next()
    }
    return mask
  }
}
