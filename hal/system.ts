/**
 * System: time, chance and bulk moves. No call allocates, none fails.
 */
export interface System {
  /** Milliseconds of a clock that never goes back; its zero is anywhere. Fractions are allowed. */
  now(): number
  /** Whole seconds since 1970, or 0 while the wall clock is not known. */
  wallSeconds(): number
  /** An unsigned 32-bit number nobody can guess: store ids, boot salts, back-off jitter. */
  random(): number
  /** Copies `length` bytes. The ranges may overlap when `target` and `source` are the same. */
  copy(
    target: Uint8Array,
    targetAt: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
  ): void
  /**
   * Bytes of the script's heap in use: on XS slots and chunks. Left out where the runtime cannot
   * tell without making garbage. For `stats` only.
   */
  heapBytes?(): number
  /** CRC-32 (IEEE 802.3, as in zlib) of `length` bytes, unsigned. */
  crc32(source: Uint8Array, sourceAt: number, length: number): number
}
