/**
 * DuplicateKey: the user property by which a consumer knows a message again that was sent to two
 * brokers. The same message has the same key on every connection and after every reboot:
 *
 *   client identifier - store, 8 hex digits - lane, 1 digit, and number, 8 hex digits
 */
import { writeUint16 } from '../codec/bytes.js'
import { PROPERTY_USER_PROPERTY } from '../codec/protocol.js'
import { utf8Size, writeUtf8 } from '../codec/utf8.js'
import type { Settings } from '../options.js'

const DIGITS = '0123456789abcdef'
/** Lane and number. */
const COUNTED = 9

export class DuplicateKey {
  /** The property, its last COUNTED bytes to be filled in. */
  private readonly bytes: Uint8Array
  private readonly digits: Uint8Array

  /** `storeId` tells one life of the numbers from another: 32 bits. */
  constructor(name: string, clientId: string, storeId: number) {
    let prefix = clientId + '-'
    for (let shift = 28; shift >= 0; shift -= 4) prefix += DIGITS.charAt((storeId >>> shift) & 15)
    prefix += '-'
    const nameSize = utf8Size(name)
    const valueSize = utf8Size(prefix) + COUNTED
    const bytes = new Uint8Array(5 + nameSize + valueSize)
    bytes[0] = PROPERTY_USER_PROPERTY
    writeUint16(bytes, 1, nameSize)
    writeUtf8(bytes, 3, name)
    writeUint16(bytes, 3 + nameSize, valueSize)
    writeUtf8(bytes, 5 + nameSize, prefix)
    this.bytes = bytes
    this.digits = new Uint8Array(16)
    writeUtf8(this.digits, 0, DIGITS)
  }

  /** Bytes of the property. */
  get size(): number {
    return this.bytes.length
  }

  /** Writes the property of the record `number` of a lane and returns the offset after it. */
  write(target: Uint8Array, at: number, lane: number, number: number): number {
    const bytes = this.bytes
    const digits = this.digits
    const end = bytes.length
    bytes[end - COUNTED] = digits[lane]!
    for (let index = 0; index < 8; index++) {
      bytes[end - 1 - index] = digits[(number >>> (4 * index)) & 15]!
    }
    target.set(bytes, at)
    return at + end
  }
}

/** The key that the options ask for; null: none. */
export function duplicateKeyFor(settings: Settings): DuplicateKey | null {
  const name = settings.duplicateKey
  if (name === '') return null
  const storage = settings.storage
  const storeId = storage === null ? settings.system.random() : storage.storeId
  return new DuplicateKey(name, settings.clientId, storeId)
}
