/**
 * Storage hooks that encrypt and authenticate every record body with ChaCha20-Poly1305 (RFC 8439).
 * Knows nothing of records beyond their position, and nothing of where the key comes from.
 *
 *   nonce, 12 bytes:            bootSalt (4) | sectorSequence (4) | region (1) | offset (3)
 *   associated data, 5 bytes:   storeId (4) | type (1)
 *   stored body:                ciphertext, as long as the body | tag (16)
 *
 * Protected: the body cannot be read, changed, moved to another place, sector, region, store or
 * boot, or passed off as another type of record; each of these makes `after_read` refuse.
 *
 * Not protected: the record's own header (its type, length and place), hence how many records there
 * are, how long, and when they were written. A sector that is erased by others is lost, not forged.
 * A chip put back whole to an earlier image is accepted: noticing that needs a counter outside the
 * chip. The key is as safe as the place the application keeps it in.
 *
 * A nonce must never repeat under one key. Within a boot it cannot: the store never writes the
 * same sector sequence number and offset twice. Between boots only a place is tried again whose
 * write was cut off without a trace, and there the boot salt, 32 random bits, has to be the same as
 * well. After a format the sequence numbers start over, and the salt alone keeps nonces apart: take
 * a new key then.
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ERR_HOOK } from '../src/status.js'
import type { RecordPosition, StorageHooks } from './storage.js'

const KEY_SIZE = 32
const TAG_SIZE = 16

function putUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

class ChaChaHooks implements StorageHooks {
  readonly growth: number
  private readonly key: Uint8Array
  private readonly nonce: Uint8Array
  private readonly associated: Uint8Array

  constructor(key: Uint8Array) {
    if (key.length !== KEY_SIZE) {
      throw new Error('chacha20poly1305Hooks: key has ' + key.length + ' bytes, it needs 32')
    }
    this.growth = TAG_SIZE
    this.key = new Uint8Array(KEY_SIZE)
    this.key.set(key)
    this.nonce = new Uint8Array(12)
    this.associated = new Uint8Array(5)
  }

  before_write(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    if (at + length + TAG_SIZE > buffer.length || !this.place(position)) return ERR_HOOK
    // noble's `output` argument would save the copy, but noble finds out whether a cipher takes one
    // by the function's `length`, which functions on a device do not have.
    const cipher = chacha20poly1305(this.key, this.nonce, this.associated)
    const stored = cipher.encrypt(buffer.subarray(at, at + length))
    buffer.set(stored, at)
    return stored.length
  }

  after_read(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    if (length < TAG_SIZE || at + length > buffer.length || !this.place(position)) return ERR_HOOK
    try {
      const cipher = chacha20poly1305(this.key, this.nonce, this.associated)
      const body = cipher.decrypt(buffer.subarray(at, at + length))
      buffer.set(body, at)
      return body.length
    } catch (error) {
      // noble throws where the tag does not match. Whatever it throws, the body is not trusted.
      return ERR_HOOK
    }
  }

  /** Fills nonce and associated data; false where a field does not fit, as nonces would repeat. */
  private place(position: RecordPosition): boolean {
    const region = position.region
    const offset = position.offset
    if (!(region >= 0 && region <= 0xff && offset >= 0 && offset <= 0xffffff)) return false
    if (!(position.type >= 0 && position.type <= 0xff)) return false
    putUint32(this.nonce, 0, position.bootSalt)
    putUint32(this.nonce, 4, position.sectorSequence)
    // The offset leaves the highest of its four bytes free for the region.
    putUint32(this.nonce, 8, offset)
    this.nonce[8] = region
    putUint32(this.associated, 0, position.storeId)
    this.associated[4] = position.type
    return true
  }
}

/**
 * Hooks for the store's constructor. `key` is 32 bytes and is copied; use it for this alone.
 * The cipher allocates: with it a publish is not free of garbage.
 */
export function chacha20poly1305Hooks(key: Uint8Array): StorageHooks {
  return new ChaChaHooks(key)
}
