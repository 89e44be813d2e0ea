/**
 * Storage hooks that encrypt with AES and authenticate with HMAC-SHA-256, for runtimes that have
 * both built in and no room for another cipher (Espruino: `crypto.AES`, `crypto.SHA256`). First
 * encrypted, then authenticated. Knows nothing of records beyond their position.
 *
 *   record keys, 2 * 16 bytes:   HMAC(key, nonce (24) | type (1) | key identifier (1))
 *   ciphertext:                  AES-128 in counter mode from block 0, with the first record key
 *   tag, 16 bytes:               the first half of HMAC(second record key, ciphertext)
 *
 * Each record has keys of its own, so the counter may begin at 0 each time. It has to: the counter
 * mode of Espruino ignores the initial counter block it is given, and with one key for all records
 * they would share a key stream.
 *
 * HMAC is RFC 2104, the truncated tag its section 5. The nonce is `writeNonce`.
 */
import { ERR_HOOK } from '../src/status.js'
import { sealed } from '../src/store/seal.js'
import type { SealedHooks } from '../src/store/sealing.js'
import { KeyRing, NONCE_SIZE, writeNonce, type Keys } from './key-ring.js'
import type { RecordPosition, StorageHooks } from './storage.js'

const TAG_SIZE = 16
const RECORD_KEY = 16
/** Bytes in a block of SHA-256, and in its result. */
const BLOCK_SIZE = 64
const HASH_SIZE = 32

/** What the runtime brings along. Results may be any array of bytes, an ArrayBuffer too. */
export interface NativeCipher {
  /** AES in counter mode, the counter beginning with 16 zero bytes; `key` has 16 bytes. */
  aesCtr(key: Uint8Array, data: Uint8Array): ArrayLike<number> | ArrayBuffer
  sha256(data: Uint8Array): ArrayLike<number> | ArrayBuffer
}

function bytesOf(result: ArrayLike<number> | ArrayBuffer): Uint8Array {
  return new Uint8Array(result as ArrayBuffer)
}

/** An array of its own: not every runtime's cipher takes a part of one. */
function copyOf(bytes: Uint8Array, at: number, length: number): Uint8Array {
  const copy = new Uint8Array(length)
  copy.set(bytes.subarray(at, at + length))
  return copy
}

/** HMAC-SHA-256 [RFC 2104] of `length` bytes of `data` from `at` on, with a key of any size. */
export function hmacSha256(
  sha256: (data: Uint8Array) => ArrayLike<number> | ArrayBuffer,
  key: Uint8Array,
  data: Uint8Array,
  at: number,
  length: number,
): Uint8Array {
  const short = key.length > BLOCK_SIZE ? bytesOf(sha256(key)) : key
  const inner = new Uint8Array(BLOCK_SIZE + length)
  const outer = new Uint8Array(BLOCK_SIZE + HASH_SIZE)
  for (let index = 0; index < BLOCK_SIZE; index++) {
    const byte = index < short.length ? short[index]! : 0
    inner[index] = byte ^ 0x36
    outer[index] = byte ^ 0x5c
  }
  inner.set(data.subarray(at, at + length), BLOCK_SIZE)
  outer.set(bytesOf(sha256(inner)), BLOCK_SIZE)
  return bytesOf(sha256(outer))
}

class EncryptThenMacHooks implements StorageHooks {
  readonly growth: number
  readonly keyId: number
  private readonly ring: KeyRing
  private readonly native: NativeCipher
  private readonly place: Uint8Array

  constructor(keys: Uint8Array | Keys, native: NativeCipher) {
    this.growth = TAG_SIZE
    this.ring = new KeyRing('encryptThenMacHooks', keys, 16, 64)
    this.keyId = this.ring.current
    this.native = native
    this.place = new Uint8Array(NONCE_SIZE + 2)
  }

  knowsKey(keyId: number): boolean {
    return this.ring.has(keyId)
  }

  before_write(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    if (at + length + TAG_SIZE > buffer.length) return ERR_HOOK
    const keys = this.recordKeys(position)
    if (keys === null || !this.crypt(keys, buffer, at, length)) return ERR_HOOK
    const tag = this.tag(keys, buffer, at, length)
    if (tag === null) return ERR_HOOK
    for (let index = 0; index < TAG_SIZE; index++) buffer[at + length + index] = tag[index]!
    return length + TAG_SIZE
  }

  after_read(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    const size = length - TAG_SIZE
    if (size < 0 || at + length > buffer.length) return ERR_HOOK
    const keys = this.recordKeys(position)
    if (keys === null) return ERR_HOOK
    const tag = this.tag(keys, buffer, at, size)
    if (tag === null) return ERR_HOOK
    let difference = 0
    for (let index = 0; index < TAG_SIZE; index++) {
      difference |= tag[index]! ^ buffer[at + size + index]!
    }
    return difference === 0 && this.crypt(keys, buffer, at, size) ? size : ERR_HOOK
  }

  /** null: no such key, or a position that does not fit. */
  private recordKeys(position: RecordPosition): Uint8Array | null {
    const key = this.ring.get(position.keyId)
    const place = this.place
    if (key === null || !(position.type >= 0 && position.type <= 0xff)) return null
    if (!writeNonce(place, position)) return null
    place[NONCE_SIZE] = position.type
    place[NONCE_SIZE + 1] = position.keyId
    return this.hmac(key, place, 0, place.length)
  }

  private tag(keys: Uint8Array, buffer: Uint8Array, at: number, size: number): Uint8Array | null {
    return this.hmac(keys.subarray(RECORD_KEY), buffer, at, size)
  }

  /** null: the runtime's hash failed, or is another one. */
  private hmac(key: Uint8Array, data: Uint8Array, at: number, size: number): Uint8Array | null {
    try {
      const hash = hmacSha256(this.native.sha256, key, data, at, size)
      return hash.length === HASH_SIZE ? hash : null
    } catch (error) {
      return null
    }
  }

  /** False when the runtime's cipher fails: the buffer is then as it was. */
  private crypt(keys: Uint8Array, buffer: Uint8Array, at: number, size: number): boolean {
    if (size === 0) return true
    try {
      const data = copyOf(buffer, at, size)
      const result = bytesOf(this.native.aesCtr(copyOf(keys, 0, RECORD_KEY), data))
      if (result.length !== size) return false
      buffer.set(result, at)
      return true
    } catch (error) {
      return false
    }
  }
}

/**
 * Hooks for the store's constructor, with keys of 16 to 64 bytes: one, or several with numbers, of
 * which `current` is written and all are read. On Espruino:
 *
 *   const crypto = require('crypto')
 *   encryptThenMacHooks(key, {
 *     aesCtr: (key, data) => crypto.AES.encrypt(data, key, { mode: 'CTR' }),
 *     sha256: (data) => crypto.SHA256(data),
 *   })
 */
export function encryptThenMacHooks(keys: Uint8Array | Keys, native: NativeCipher): SealedHooks {
  return sealed(encryptThenMac(keys, native))
}

/** The same without what the store needs for them, for a bundle that seals them itself. */
export function encryptThenMac(keys: Uint8Array | Keys, native: NativeCipher): StorageHooks {
  return new EncryptThenMacHooks(keys, native)
}
