/**
 * What the storage hooks for encryption share: a ring of keys by number, and the 24 bytes that make
 * each record's nonce. Knows nothing of ciphers, and nothing of where keys come from.
 *
 *   0          4        12                 16       17       20         24
 *   +----------+--------+------------------+--------+--------+----------+
 *   | store id |  salt  | sector sequence  | region | offset |  number  |
 *   +----------+--------+------------------+--------+--------+----------+
 *
 * No two records have the same 24 bytes: docs/FLASH-FORMAT.md, section 8.
 */
import type { RecordPosition } from './storage.js'

/** Bytes of a nonce, and of its part that is the same for all records of a sector and a boot. */
export const NONCE_SIZE = 24
export const SECTOR_PART = 16

/** Keys by key identifier, 1 to 255, and the one that new sectors are written with. */
export interface Keys {
  readonly keys: { readonly [keyId: number]: Uint8Array }
  readonly current: number
}

export class KeyRing {
  readonly current: number
  private readonly keys: Uint8Array[]
  private readonly keyIds: number[]

  /** Copies the keys; one alone is key 1. Throws an Error that names what is wrong with them. */
  constructor(name: string, given: Uint8Array | Keys, least: number, most: number) {
    const isAlone = (given as Uint8Array).length !== undefined
    const keys = isAlone ? { 1: given as Uint8Array } : (given as Keys).keys
    this.current = isAlone ? 1 : (given as Keys).current
    this.keys = []
    this.keyIds = []
    const names = Object.keys(keys)
    for (let index = 0; index < names.length; index++) {
      const keyId = +names[index]!
      const key = keys[keyId]
      if (!(keyId >= 1 && keyId <= 255) || Math.floor(keyId) !== keyId) {
        throw new Error(name + ': key identifier "' + names[index] + '" is not 1 to 255')
      }
      if (!key || !(key.length >= least && key.length <= most)) {
        const size = least === most ? '' + least : least + ' to ' + most
        const length = key ? key.length : 0
        throw new Error(name + ': key ' + keyId + ' has ' + length + ' bytes, it needs ' + size)
      }
      const copy = new Uint8Array(key.length)
      copy.set(key)
      this.keys.push(copy)
      this.keyIds.push(keyId)
    }
    if (!this.has(this.current)) {
      throw new Error(name + ': current is ' + this.current + ', and keys has no such key')
    }
  }

  has(keyId: number): boolean {
    return this.keyIds.indexOf(keyId) >= 0
  }

  get(keyId: number): Uint8Array | null {
    return this.keys[this.keyIds.indexOf(keyId)] ?? null
  }
}

function putUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

/** Writes the nonce; false where a field does not fit its bytes, as nonces would repeat then. */
export function writeNonce(target: Uint8Array, position: RecordPosition): boolean {
  const region = position.region
  const offset = position.offset
  if (!(region >= 0 && region <= 0xff && offset >= 0 && offset <= 0xffffff)) return false
  putUint32(target, 0, position.storeId)
  putUint32(target, 4, position.saltHigh)
  putUint32(target, 8, position.saltLow)
  putUint32(target, 12, position.sectorSequence)
  // The offset leaves the highest of its four bytes free for the region.
  putUint32(target, 16, offset)
  target[16] = region
  putUint32(target, 20, position.number)
  return true
}
