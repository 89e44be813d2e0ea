import type { System } from '../../hal/system.js'
import { readUint32 } from '../codec/bytes.js'

/**
 * One record of the flash: docs/FLASH-FORMAT.md, section 3. Integers are big endian.
 *
 *   0         4                6                 6+length
 *   +---------+----------------+- - - - - - - - - -+- - - -+
 *   |  check  | type, length   |  stored body      |  0xFF |
 *   +---------+----------------+- - - - - - - - - -+- - - -+
 *     CRC-32    3 bits, 13 bits                     padding to writeSize
 *
 * The check covers everything from `type` to the end of the stored body, exclusive-or a key of the
 * place. Written by one call of `write`, never touched again until the sector is erased. This file
 * knows the bytes of a record, and nothing of sectors or of what a body means.
 */

/** Bytes in front of the stored body. */
export const RECORD_HEADER = 6
/** The largest stored body: 13 bits. */
export const MAX_STORED = 8191

/** An Application Message. The only type that takes a number. */
export const MESSAGE = 1
/** The state of the exchange window. */
export const MARK = 2
/** A topic that later messages of the sector name by a number. */
export const TOPIC = 3
/** What the records behind it have in common: `RecordContext`. */
export const CONTEXT = 4
/** The state of the session store. */
export const STATE = 5
/** A part of a payload: 4 bytes message number, 1 byte FRAGMENT_ flags, then the bytes. */
export const FRAGMENT = 6
/** The last type that is in use; 7 is blank. */
export const LAST_TYPE = 6
/** Bytes in front of a fragment's part of the payload. */
export const FRAGMENT_HEAD = 5
/** Flag of the last fragment of a message: with it the message is whole. */
export const FRAGMENT_LAST = 1

/**
 * The key of a message's number: a record never passes for its neighbour. The factor is odd, so
 * no two numbers share a key, and small, so that the product is exact.
 */
export function numberKey(number: number): number {
  return (number * 1540483) | 0
}

/** Type of the record whose header is at `at`, 0 to 7; 7 is blank. */
export function recordType(buffer: Uint8Array, at: number): number {
  return buffer[at + 4]! >> 5
}

/** Bytes in the stored body of the record whose header is at `at`. */
export function recordLength(buffer: Uint8Array, at: number): number {
  return ((buffer[at + 4]! & 31) << 8) | buffer[at + 5]!
}

/** The key under which the record at `at` was sealed. It is the right one or the record is not. */
export function recordKey(system: System, buffer: Uint8Array, at: number, length: number): number {
  return (readUint32(buffer, at) ^ system.crc32(buffer, at + 4, length + 2)) | 0
}
