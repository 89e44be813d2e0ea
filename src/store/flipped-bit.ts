/**
 * Finds the one bit by which checked bytes differ from what was written. It knows CRC-32 and
 * nothing of what the bytes mean.
 *
 * CRC-32 is linear: a flipped bit changes it by a value that depends only on how many bits follow.
 * For the last bit that is the polynomial, and for each bit before it one more step of division. So
 * a pass of shifts over the bits finds it, without a second look at the bytes.
 */

/** No single bit explains the difference. */
export const NO_SINGLE_BIT = -1
const POLYNOMIAL = -306674912 // 0xedb88320, signed

/**
 * The bit (byte * 8 + bit, the lowest bit first) of `length` bytes that changes their CRC-32 by
 * `difference`, which is not 0. `length * 8`: the flipped bit is one of the check itself.
 */
export function flippedBit(difference: number, length: number): number {
  if ((difference & (difference - 1)) === 0) return length * 8
  let change = POLYNOMIAL
  for (let bit = length * 8 - 1; bit >= 0; bit--) {
    if (change === difference) return bit
    change = (change & 1) === 0 ? change >>> 1 : (change >>> 1) ^ POLYNOMIAL
  }
  return NO_SINGLE_BIT
}
