/**
 * CRC-32 as in IEEE 802.3 and zlib, by a table, for runtimes without a native one. The table stands
 * in the instance because module bodies are preloaded into ROM and hold only numbers.
 */
export class Crc32 {
  private readonly table: Uint32Array

  constructor() {
    this.table = new Uint32Array(256)
    for (let byte = 0; byte < 256; byte += 1) {
      let remainder = byte
      for (let bit = 0; bit < 8; bit += 1) {
        // 0xedb88320 is the polynomial 0x04c11db7 with its bits reversed: low bits come first.
        remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ 0xedb88320
      }
      this.table[byte] = remainder
    }
  }

  /** Of `length` bytes from `at` on, unsigned. The caller checks the range. */
  of(source: Uint8Array, at: number, length: number): number {
    const table = this.table
    const end = at + length
    let crc = -1
    for (let i = at; i < end; i += 1) crc = (crc >>> 8) ^ table[(crc ^ source[i]!) & 0xff]!
    return ~crc >>> 0
  }
}
