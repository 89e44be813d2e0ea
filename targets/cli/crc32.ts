/**
 * CRC-32 as in zip and Ethernet, and the single bit flip that explains a wrong one. Written for the
 * inspector alone: it must not lean on the code whose images it checks.
 */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** True when a copy of `bytes` with one bit flipped, or one bit of the check, makes them agree. */
export function isOneBitOff(bytes: Uint8Array, check: number): boolean {
  return correctedBit(bytes, check) !== null
}

/** The bit (byte * 8 + bit) to flip; -1: the check itself is one bit off; null: no one bit is. */
export function correctedBit(bytes: Uint8Array, check: number): number | null {
  const difference = (crc32(bytes) ^ check) >>> 0
  if ((difference & (difference - 1)) === 0) return -1
  // A flip in front of n bits changes the CRC as one in the last byte does, moved on n bytes.
  const changes = Array.from({ length: 8 }, (_, bit) => table[1 << bit]!)
  for (let byte = bytes.length - 1; byte >= 0; byte--) {
    const bit = changes.indexOf(difference)
    if (bit >= 0) return byte * 8 + bit
    for (let i = 0; i < 8; i++) changes[i] = (changes[i]! >>> 8) ^ table[changes[i]! & 0xff]!
    for (let i = 0; i < 8; i++) changes[i] = changes[i]! >>> 0
  }
  return null
}
