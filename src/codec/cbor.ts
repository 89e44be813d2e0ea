/**
 * CBOR (RFC 8949), the part a small map of numbers and byte strings needs: heads are written in
 * the shortest form (deterministic encoding, section 4.2.1), values are limited to 32 bits.
 * Nothing is copied or allocated, and nothing is known of what the items mean.
 *
 *   0               1                    1 + 0, 1, 2 or 4
 *   +---------------+- - - - - - - - - - -+- - - - - - - -+
 *   | major << 5 |  | value, when it does | bytes of a    |
 *   | value or size | not fit in 5 bits   | string        |
 *   +---------------+- - - - - - - - - - -+- - - - - - - -+
 */

export const CBOR_UNSIGNED = 0
export const CBOR_BYTES = 2
export const CBOR_TEXT = 3
export const CBOR_ARRAY = 4
export const CBOR_MAP = 5

/** Bytes the head of a value takes: 1, 2, 3 or 5. */
export function cborHeadSize(value: number): number {
  if (value < 24) return 1
  if (value < 0x100) return 2
  return value < 0x10000 ? 3 : 5
}

/** Writes a head in its shortest form and returns the offset after it. */
export function writeCborHead(
  target: Uint8Array,
  targetAt: number,
  major: number,
  value: number,
): number {
  const size = cborHeadSize(value)
  const first = major << 5
  target[targetAt] = first | (size === 1 ? value : size === 5 ? 26 : 22 + size)
  let at = targetAt + size
  let rest = value
  while (--at > targetAt) {
    target[at] = rest & 0xff
    rest >>>= 8
  }
  return targetAt + size
}

/** Reads items one after the other. The fields are valid until the next call. */
export class CborCursor {
  private source: Uint8Array
  private end: number
  /** Offset of the next item, or, behind the head of a string, of its bytes. */
  at: number
  /** Major type of the head just read: 0 to 7. */
  major: number
  /** Its value: the number, the bytes of a string, the items of an array, the pairs of a map. */
  value: number

  constructor(source: Uint8Array) {
    this.source = source
    this.end = 0
    this.at = 0
    this.major = 0
    this.value = 0
  }

  /** Starts over at `sourceAt`; no item reaches beyond `length` bytes. */
  start(source: Uint8Array, sourceAt: number, length: number): void {
    this.source = source
    this.at = sourceAt
    this.end = sourceAt + length
  }

  /**
   * Reads a head and leaves `at` behind it. False at the end, for a head that is cut off, for
   * values beyond 32 bits, and for a string that reaches beyond the end.
   */
  next(): boolean {
    if (this.at >= this.end) return false
    const first = this.source[this.at]!
    const info = first & 31
    // 27 is a 64-bit value, 28 to 30 are unassigned, 31 is of indefinite length.
    if (info > 26) return false
    const size = info < 24 ? 0 : 1 << (info - 24)
    if (this.at + 1 + size > this.end) return false
    let value = size === 0 ? info : 0
    for (let index = 1; index <= size; index++) {
      value = value * 256 + this.source[this.at + index]!
    }
    this.at += 1 + size
    this.major = first >> 5
    this.value = value
    const isString = this.major === CBOR_BYTES || this.major === CBOR_TEXT
    return !isString || this.at + value <= this.end
  }

  /** Moves behind a whole item, with all it contains. False when it is not well formed. */
  skip(): boolean {
    let left = 1
    while (left > 0) {
      if (!this.next()) return false
      left--
      if (this.major === CBOR_BYTES || this.major === CBOR_TEXT) this.at += this.value
      else if (this.major === CBOR_ARRAY) left += this.value
      else if (this.major === CBOR_MAP) left += this.value * 2
      else if (this.major === 6) left++
    }
    return true
  }
}
