/**
 * SessionRecord: the body of a STATE record, one CBOR map: docs/FLASH-FORMAT.md, section 5. Knows
 * no sectors.
 *
 * The small client writes its map always in one form, and reads no other: what stands in front of
 * the first value that changes is compared, and what is behind it is where the form has it.
 *
 *   client, broker, owner 0, home 0 | session | inbound (2 + ids) | … | mark (2 + 8 + mark)
 */
import { readUint16, writeUint16, writeUint32 } from '../codec/bytes.js'
import { CBOR_ARRAY, CBOR_BYTES, CBOR_MAP, CBOR_TEXT } from '../codec/cbor.js'
import { utf8Size, writeUtf8 } from '../codec/utf8.js'
import { DROPPED_REASONS } from '../store/session-state.js'
import type { FlashFace } from './flash-face.js'
import { INBOUND_LIMIT } from './outbox.js'

/** Bytes of the map between the inbound identifiers and the mark: keys 7, 6 and the head of 8. */
const MIDDLE_SIZE = 13
/** Bytes in front of a mark: sequence number and offset of the log's end. */
export const MARK_PLACE = 8
/** A byte string of 24 to 255 bytes. */
const LONG_BYTES = 0x58
/** The most a record takes beside the two names. */
export const SESSION_SIZE = 208

/** Writes what is the same in all records of a client, and returns the offset behind it. */
export function writePrefix(target: Uint8Array, at: number, box: FlashFace): number {
  target[at] = (CBOR_MAP << 5) | 8
  at = writeName(target, at + 1, 1, box.clientId)
  at = writeName(target, at, 2, box.broker)
  target[at] = 3
  target[at + 1] = 0 // the full client draws another owner
  target[at + 2] = 5
  target[at + 3] = 0
  target[at + 4] = 4
  target[at + 5] = (CBOR_ARRAY << 5) | 3
  return at + 6
}

function writeName(target: Uint8Array, at: number, key: number, text: string): number {
  target[at] = key
  return writeUtf8(target, writeHead(target, at + 1, CBOR_TEXT, utf8Size(text)), text)
}

/** The head of a string of up to 255 bytes. */
function writeHead(target: Uint8Array, at: number, major: number, size: number): number {
  target[at] = (major << 5) | (size < 24 ? size : 24)
  if (size > 23) target[++at] = size
  return at + 1
}

/** Writes the map and returns its bytes. */
export function writeSession(target: Uint8Array, targetAt: number, box: FlashFace): number {
  const inbound = box.inbound
  let at = writePrefix(target, targetAt, box)
  target[at] = box.sessionMayExist ? 1 : 0
  at = writeHead(target, at + 1, CBOR_BYTES, 2 * inbound.length)
  for (let index = 0; index < inbound.length; index++) {
    at = writeUint16(target, at, inbound[index]!)
  }
  for (let index = 0; index < MIDDLE_SIZE; index++) target[at + index] = 0
  target[at] = CBOR_BYTES << 5
  target[at + 1] = 7
  target[at + 2] = CBOR_TEXT << 5
  target[at + 3] = 6
  target[at + 4] = (CBOR_ARRAY << 5) | DROPPED_REASONS
  at += MIDDLE_SIZE
  target[at - 2] = 8
  target[at - 1] = (CBOR_ARRAY << 5) | 1
  // Its bytes are known when it is written; they do not reach beyond what is written again.
  const size = MARK_PLACE + box.window.encode(target, at, box.nextNumber)
  at = writeHead(target, at, CBOR_BYTES, size)
  writeUint32(target, at, box.log.sequence)
  writeUint32(target, at + 4, box.log.end)
  box.window.encode(target, at + MARK_PLACE, box.nextNumber)
  return at + size - targetAt
}

/** Where the bytes begin of the string at `at`. */
export function bytesAt(source: Uint8Array, at: number): number {
  return source[at] === LONG_BYTES ? at + 2 : at + 1
}

/** Reads what is behind the prefix into the outbox. Returns where the string of the mark is. */
export function readSession(source: Uint8Array, prefixEnd: number, box: FlashFace): number {
  let at = bytesAt(source, prefixEnd + 1)
  const isLong = source[prefixEnd + 1] === LONG_BYTES
  const end = at + (isLong ? source[at - 1]! : source[at - 1]! & 31)
  box.sessionMayExist = source[prefixEnd] === 1
  box.inbound.splice(0, INBOUND_LIMIT)
  for (; at < end; at += 2) box.inbound.push(readUint16(source, at))
  return end + MIDDLE_SIZE
}
