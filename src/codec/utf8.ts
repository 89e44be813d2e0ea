/**
 * UTF-8 Encoded Strings of MQTT, section 1.5.4: sizes, writing, checking, reading.
 *
 * `charCodeAt` gives UTF-16 units on Node and may give whole code points on XS, whose strings are
 * UTF-8 inside; both are handled. The two-byte length in front of a string is the caller's.
 */
import { REASON_MALFORMED_PACKET } from './protocol.js'

/** Units gathered for one call of `fromCharCode`, which then makes one string of them. */
const UNITS_AT_ONCE = 32

/** Writes `text`, or only measures it when there is no target. */
function walk(target: Uint8Array | null, at: number, text: string): number {
  const length = text.length
  for (let index = 0; index < length; index++) {
    let code = text.charCodeAt(index)
    if (code >= 0xd800 && code < 0xdc00 && index + 1 < length) {
      const low = text.charCodeAt(index + 1)
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff)
        index++
      }
    }
    // U+0000 [MQTT-1.5.4-2] and half a surrogate pair [MQTT-1.5.4-1] have no encoding.
    if (code === 0 || (code >= 0xd800 && code < 0xe000)) return -REASON_MALFORMED_PACKET
    const more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3
    if (target) {
      // The first byte begins with one more 1 bit than bytes follow: 110, 1110 or 11110. The
      // array cuts off what is above them.
      target[at] = more > 0 ? (0xf80 >> more) | (code >> (6 * more)) : code
      for (let part = 1; part <= more; part++) {
        target[at + part] = 0x80 | ((code >> (6 * (more - part))) & 0x3f)
      }
    }
    at += more + 1
  }
  return at
}

/** Bytes that `text` takes, or Malformed Packet when it cannot be sent. */
export function utf8Size(text: string): number {
  return walk(null, 0, text)
}

/**
 * Writes the bytes of `text`, no length before them. Returns the offset after them. The caller has
 * asked `utf8Size` first: what `utf8Size` accepts and has room for, this writes.
 */
export function writeUtf8(target: Uint8Array, at: number, text: string): number {
  return walk(target, at, text)
}

/** How many continuation bytes follow `first`, which is 0xC0 or more. */
function continuationCount(first: number): number {
  return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
}

/**
 * 0 when the bytes are well-formed UTF-8 with no surrogates and no over-long forms
 * [MQTT-1.5.4-1] and no U+0000 [MQTT-1.5.4-2], else Malformed Packet. With `isTopicName`, also
 * the wildcards `#` and `+` are refused [MQTT-3.3.2-2].
 */
export function checkUtf8(
  bytes: Uint8Array,
  at: number,
  length: number,
  isTopicName?: boolean,
): number {
  const end = at + length
  while (at < end) {
    const first = bytes[at++]!
    if (first < 0x80) {
      if (first === 0 || (isTopicName && (first === 0x23 || first === 0x2b))) {
        return -REASON_MALFORMED_PACKET
      }
      continue
    }
    const more = continuationCount(first)
    // 0x80 to 0xC1 cannot begin a character, nor can 0xF5 to 0xFF.
    if (first < 0xc2 || first > 0xf4 || at + more > end) return -REASON_MALFORMED_PACKET
    let code = first & (0x3f >> more)
    for (let part = 0; part < more; part++) {
      const byte = bytes[at++]!
      if ((byte & 0xc0) !== 0x80) return -REASON_MALFORMED_PACKET
      code = (code << 6) | (byte & 0x3f)
    }
    if (
      code < (more === 1 ? 0x80 : more === 2 ? 0x800 : 0x10000) ||
      code > 0x10ffff ||
      (code >= 0xd800 && code < 0xe000)
    ) {
      return -REASON_MALFORMED_PACKET
    }
  }
  return 0
}

/** Makes a string of bytes that `checkUtf8` has accepted. Allocates: for the application. */
export function readUtf8(bytes: Uint8Array, at: number, length: number): string {
  const end = at + length
  let units: number[] = []
  let text = ''
  while (at < end) {
    let code = bytes[at++]!
    if (code >= 0xc0) {
      let more = continuationCount(code)
      code &= 0x3f >> more
      for (; more > 0 && at < end; more--) code = (code << 6) | (bytes[at++]! & 0x3f)
    }
    if (code < 0x10000) units.push(code)
    else units.push(0xd7c0 + (code >> 10), 0xdc00 | (code & 0x3ff))
    if (units.length >= UNITS_AT_ONCE || at >= end) {
      text += String.fromCharCode.apply(null, units)
      units = [] // Espruino cannot assign `length`
    }
  }
  return text
}
