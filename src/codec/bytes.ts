/**
 * Integers in bytes: big endian (section 1.5.2), and the Variable Byte Integer of section 1.5.5.
 *
 * The writers do not ask whether there is room: a caller compares sizes first, once. They know
 * nothing of fields or packets.
 */
import { ERR_SPACE, REASON_MALFORMED_PACKET } from './protocol.js'

export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

export function readUint32(bytes: Uint8Array, at: number): number {
  const high = (bytes[at]! << 24) | (bytes[at + 1]! << 16)
  return (high | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** Returns the offset after it. */
export function writeUint16(target: Uint8Array, at: number, value: number): number {
  target[at] = value >> 8
  target[at + 1] = value
  return at + 2
}

/** Returns the offset after it. */
export function writeUint32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
  return at + 4
}

/** Bytes that a value takes as a Variable Byte Integer: 1 to 4. */
export function varintSize(value: number): number {
  return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4
}

/** Returns the offset after it. `value` is at most MAX_REMAINING_LENGTH. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  while (value > 127) {
    target[at++] = (value & 127) | 128
    value >>= 7
  }
  target[at++] = value
  return at
}

/**
 * Reads a Variable Byte Integer that may end at `end` at the latest. Returns its value, ERR_SPACE
 * when more bytes are needed to tell it, or Malformed Packet as soon as that is certain.
 *
 * MQTT 5 demands the shortest encoding [MQTT-1.5.5-1]; 3.1.1 does not, so `isShortest` is false
 * for a Remaining Length of 3.1.1.
 */
export function readVarint(
  bytes: Uint8Array,
  at: number,
  end: number,
  isShortest: boolean,
): number {
  let value = 0
  let shift = 0
  while (at < end) {
    const byte = bytes[at++]!
    value |= (byte & 127) << shift
    if (byte < 128) return isShortest && byte === 0 && shift > 0 ? -REASON_MALFORMED_PACKET : value
    shift += 7
    if (shift > 21) return -REASON_MALFORMED_PACKET // a fifth byte would follow
  }
  return ERR_SPACE
}

/** The offset after the Variable Byte Integer at `at`, which `readVarint` has accepted. */
export function varintEnd(bytes: Uint8Array, at: number): number {
  while (bytes[at]! > 127) at++
  return at + 1
}
