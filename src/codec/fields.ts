/**
 * One field of a packet: the data types of MQTT 5, section 1.5. Headers and properties are made of
 * these.
 *
 * Knows nothing of packets or of what a field means.
 */
import { readUint16, readVarint, varintEnd, varintSize } from './bytes.js'
import { writeUint16, writeVarint } from './bytes.js'
import { ERR_SPACE, MAX_REMAINING_LENGTH, REASON_MALFORMED_PACKET } from './protocol.js'
import { utf8Size, writeUtf8 } from './utf8.js'

/** The kinds of three integers are their sizes in bytes. */
export const KIND_BYTE = 1
export const KIND_UINT16 = 2
export const KIND_UINT32 = 4
export const KIND_VARINT = 3
export const KIND_STRING = 5
export const KIND_BINARY = 6
/** Two strings, name and value. */
export const KIND_PAIR = 7

export type FieldValue = number | string | Uint8Array | readonly string[]

/** Bytes of a value with its length prefix, or Malformed Packet when the kind cannot hold it. */
function fieldSize(kind: number, value: FieldValue): number {
  if (kind >= KIND_STRING) {
    let size = -1
    if (kind === KIND_BINARY) size = (value as Uint8Array).length
    else if (typeof value === 'string') size = utf8Size(value)
    return size >= 0 && size <= 0xffff ? size + 2 : -REASON_MALFORMED_PACKET
  }
  const number = value as number
  const largest = kind === KIND_VARINT ? MAX_REMAINING_LENGTH : 0xffffffff >>> (32 - 8 * kind)
  // Also refuses NaN, fractions and what is no number: a cut-off value would be a wrong one.
  if (!(number >= 0 && number <= largest && number % 1 === 0)) return -REASON_MALFORMED_PACKET
  return kind === KIND_VARINT ? varintSize(number) : kind
}

/**
 * Writes one field before `limit` and returns the offset after it, ERR_SPACE, or Malformed Packet
 * for a value the kind cannot hold. Nothing is written at `limit` or behind it. A negative `at` is
 * returned as it is, so that a row of fields needs one look at the end.
 */
export function writeField(
  target: Uint8Array,
  at: number,
  limit: number,
  kind: number,
  value: FieldValue,
): number {
  if (at < 0) return at
  if (kind === KIND_PAIR) {
    const pair = value as readonly string[]
    at = writeField(target, at, limit, KIND_STRING, pair[0]!)
    return writeField(target, at, limit, KIND_STRING, pair[1]!)
  }
  const size = fieldSize(kind, value)
  if (size < 0) return size
  if (at + size > limit) return ERR_SPACE
  if (kind === KIND_VARINT) return writeVarint(target, at, value as number)
  if (kind < KIND_STRING) {
    for (let shift = 8 * kind; shift > 0;) {
      shift -= 8
      target[at++] = (value as number) >>> shift
    }
    return at
  }
  const bodyAt = writeUint16(target, at, size - 2)
  if (kind === KIND_BINARY) target.set(value as Uint8Array, bodyAt)
  else writeUtf8(target, bodyAt, value as string)
  return at + size
}

/** The offset after the field at `at`, or Malformed Packet when it does not end before `end`. */
export function fieldEnd(bytes: Uint8Array, at: number, end: number, kind: number): number {
  if (kind === KIND_PAIR) {
    at = fieldEnd(bytes, at, end, KIND_STRING)
    return at < 0 ? at : fieldEnd(bytes, at, end, KIND_STRING)
  }
  if (kind === KIND_VARINT) {
    return readVarint(bytes, at, end, true) < 0 ? -REASON_MALFORMED_PACKET : varintEnd(bytes, at)
  }
  if (kind < KIND_STRING) at += kind
  else at += at + 2 > end ? 2 : readUint16(bytes, at) + 2
  return at > end ? -REASON_MALFORMED_PACKET : at
}

/** The number in a field that `fieldEnd` has accepted. Not for strings and binary data. */
export function readNumber(bytes: Uint8Array, at: number, kind: number): number {
  if (kind === KIND_VARINT) return readVarint(bytes, at, at + 4, true)
  let value = 0
  for (; kind > 0; kind--) value = value * 256 + bytes[at++]!
  return value
}

/**
 * Writes the length of what was written from `lengthAt + 1` on up to `end`, as a Variable Byte
 * Integer at `lengthAt`. Moves the body when the length takes more than the one byte left for it,
 * so that a packet can be written before its size is known. Returns the offset after the body.
 */
export function closeLength(
  target: Uint8Array,
  lengthAt: number,
  end: number,
  limit: number,
): number {
  if (end < 0) return end
  const length = end - lengthAt - 1
  const shift = varintSize(length) - 1
  if (end + shift > limit) return ERR_SPACE
  // Rare (SUBSCRIBE and CONNECT above 127 bytes), therefore a plain loop.
  if (shift > 0) for (let at = end - 1; at > lengthAt; at--) target[at + shift] = target[at]!
  writeVarint(target, lengthAt, length)
  return end + shift
}
