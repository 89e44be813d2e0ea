/**
 * The module that encrypts what is stored, with the AES and SHA-256 of Espruino's own `crypto`,
 * beside `holdfast`:
 *
 *   hooks = require('holdfast-encrypt').hooks(key)
 *   client = require('holdfast').create({ hooks: hooks, areas: …, … })
 */
import { encryptThenMac } from '../../../hal/encrypt-then-mac.js'
import type { Keys } from '../../../hal/key-ring.js'
import type { StorageHooks } from '../../../hal/storage.js'

/** Without names in the exports they would be short ones, which the other module does not know. */
export type { RecordPosition, StorageHooks } from '../../../hal/storage.js'
export type { NativeCipher } from '../../../hal/encrypt-then-mac.js'
export type { Keys } from '../../../hal/key-ring.js'

/** Hooks for a key of 32 bytes, or for several as in `holdfast/encrypt-then-mac`. */
export function hooks(key: Uint8Array | Keys): StorageHooks {
  const crypto = require('crypto')
  return encryptThenMac(key, {
    aesCtr: (recordKey, data) => crypto.AES.encrypt(data, recordKey, { mode: 'CTR' }),
    sha256: (data) => crypto.SHA256(data),
  })
}
