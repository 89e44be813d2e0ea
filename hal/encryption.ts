/**
 * Storage hooks that encrypt and authenticate every record body with XChaCha20-Poly1305: the cipher
 * of RFC 8439 with the 24-byte nonce of draft-irtf-cfrg-xchacha. Knows nothing of records beyond
 * their position, and nothing of where the keys come from.
 *
 *   nonce, 24 bytes:            `writeNonce`
 *   associated data, 2 bytes:   type (1) | key identifier (1)
 *   stored body:                ciphertext, as long as the body | tag (16)
 *
 * What is protected, and what cannot be: docs/FLASH-FORMAT.md, section 8.
 *
 * The first 16 bytes of the nonce are the same for all records of a sector and a boot. HChaCha20
 * makes a key of them once; each record then costs no more than with a nonce of 12 bytes.
 *
 * ChaCha20 and Poly1305 are noble's; they are put together here [RFC 8439, section 2.8] and not by
 * noble, in place and with few calls inside each other: noble's own way takes 50 slots more of the
 * stack, of which an ESP32 has 512, copies twice and needs BigInt.
 */
import { poly1305 } from '@noble/ciphers/_poly1305.js'
import { chacha20, hchacha } from '@noble/ciphers/chacha.js'
import { ERR_HOOK } from '../src/status.js'
import { sealed } from '../src/store/seal.js'
import type { SealedHooks } from '../src/store/sealing.js'
import { KeyRing, NONCE_SIZE, SECTOR_PART, writeNonce, type Keys } from './key-ring.js'
import type { RecordPosition, StorageHooks } from './storage.js'

export type { Keys } from './key-ring.js'

const KEY_SIZE = 32
const TAG_SIZE = 16

/** The key of the sector it was asked for last, and the nonce of the record. */
class SectorKey {
  private readonly ring: KeyRing
  private readonly sigma: Uint32Array
  readonly subkey: Uint8Array
  /** The whole nonce, and what RFC 8439 takes of it: four zero bytes and the last eight. */
  private readonly longNonce: Uint8Array
  readonly nonce: Uint8Array
  /** What `subkey` was made of: the key's number, 0 for none, and the first part of the nonce. */
  private keyId: number
  private readonly madeOf: Uint8Array

  constructor(ring: KeyRing) {
    this.ring = ring
    const sigma = new Uint8Array(16)
    const text = 'expand 32-byte k'
    for (let index = 0; index < 16; index++) sigma[index] = text.charCodeAt(index)
    this.sigma = new Uint32Array(sigma.buffer)
    this.subkey = new Uint8Array(KEY_SIZE)
    this.longNonce = new Uint8Array(NONCE_SIZE)
    this.nonce = new Uint8Array(12)
    this.keyId = 0
    this.madeOf = new Uint8Array(SECTOR_PART)
  }

  /** False where there is no such key, or where the position does not fit the nonce. */
  prepare(position: RecordPosition): boolean {
    const nonce = this.longNonce
    const madeOf = this.madeOf
    const keyId = position.keyId
    if (!writeNonce(nonce, position)) return false
    let isSame = keyId === this.keyId
    for (let index = 0; index < SECTOR_PART && isSame; index++) {
      isSame = madeOf[index] === nonce[index]
    }
    if (!isSame) {
      const key = this.ring.get(keyId)
      this.keyId = 0
      if (key === null) return false
      for (let index = 0; index < SECTOR_PART; index++) madeOf[index] = nonce[index]!
      const prefix = new Uint32Array(madeOf.buffer)
      const made = new Uint32Array(this.subkey.buffer)
      hchacha(this.sigma, new Uint32Array(key.buffer), prefix, made)
      this.keyId = keyId
    }
    for (let index = 4; index < 12; index++) this.nonce[index] = nonce[index + 12]!
    return true
  }
}

class ChaChaHooks implements StorageHooks {
  readonly growth: number
  readonly keyId: number
  private readonly ring: KeyRing
  /** Two: what is read is seldom in the sector that is written. */
  private readonly writing: SectorKey
  private readonly reading: SectorKey
  /** The associated data and the lengths, each a block of Poly1305; zeros for the rest of one. */
  private readonly associated: Uint8Array
  private readonly lengths: Uint8Array
  private readonly zeros: Uint8Array
  /** Key of the tag, and the tag. */
  private readonly tagKey: Uint8Array
  private readonly tag: Uint8Array

  constructor(keys: Uint8Array | Keys) {
    this.growth = TAG_SIZE
    this.ring = new KeyRing('chacha20poly1305Hooks', keys, KEY_SIZE, KEY_SIZE)
    this.keyId = this.ring.current
    this.writing = new SectorKey(this.ring)
    this.reading = new SectorKey(this.ring)
    this.associated = new Uint8Array(16)
    this.lengths = new Uint8Array(16)
    this.zeros = new Uint8Array(KEY_SIZE)
    this.tagKey = new Uint8Array(KEY_SIZE)
    this.tag = new Uint8Array(TAG_SIZE)
  }

  knowsKey(keyId: number): boolean {
    return this.ring.has(keyId)
  }

  before_write(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    const key = this.writing
    const end = at + length
    if (end + TAG_SIZE > buffer.length || !this.begin(key, position, length)) return ERR_HOOK
    const body = buffer.subarray(at, end)
    // Block 0 of the key stream is the key of the tag, what follows is for the body.
    chacha20(key.subkey, key.nonce, this.zeros, this.tagKey, 0)
    chacha20(key.subkey, key.nonce, body, body, 1)
    this.makeTag(body)
    for (let index = 0; index < TAG_SIZE; index++) buffer[end + index] = this.tag[index]!
    return length + TAG_SIZE
  }

  /** Decrypts in place; changes nothing where the tag does not match. */
  after_read(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    const key = this.reading
    const size = length - TAG_SIZE
    const end = at + size
    if (size < 0 || at + length > buffer.length) return ERR_HOOK
    if (!this.begin(key, position, size)) return ERR_HOOK
    const body = buffer.subarray(at, end)
    chacha20(key.subkey, key.nonce, this.zeros, this.tagKey, 0)
    this.makeTag(body)
    // All bytes are compared, however early they differ: the time tells nothing.
    let difference = 0
    for (let index = 0; index < TAG_SIZE; index++) {
      difference |= this.tag[index]! ^ buffer[end + index]!
    }
    if (difference !== 0) return ERR_HOOK
    chacha20(key.subkey, key.nonce, body, body, 1)
    return size
  }

  private begin(key: SectorKey, position: RecordPosition, size: number): boolean {
    if (!(position.type >= 0 && position.type <= 0xff) || !key.prepare(position)) return false
    this.associated[0] = position.type
    this.associated[1] = position.keyId
    // Little endian, 64 bits each: two bytes of associated data, and the body.
    const lengths = this.lengths
    lengths[0] = 2
    lengths[8] = size
    lengths[9] = size >> 8
    lengths[10] = size >> 16
    return true
  }

  private makeTag(body: Uint8Array): void {
    const mac = poly1305.create(this.tagKey)
    const rest = body.length & 15
    mac.update(this.associated)
    mac.update(body)
    if (rest > 0) mac.update(this.zeros.subarray(rest, 16))
    mac.update(this.lengths)
    mac.digestInto(this.tag)
  }
}

/**
 * Hooks for the store's constructor, with keys of 32 bytes: one, or several with numbers, of which
 * `current` is written and all are read. Keys are copied; use them for this alone. To change the
 * key, add one and make it current; take the old one away when nothing is left that it wrote.
 * The cipher allocates: with it a publish is not free of garbage.
 */
export function chacha20poly1305Hooks(keys: Uint8Array | Keys): SealedHooks {
  return sealed(new ChaChaHooks(keys))
}
