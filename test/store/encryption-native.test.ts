/** A store behind hooks that encrypt and authenticate with the runtime's ciphers, here Node's. */
import { createCipheriv, createHash } from 'node:crypto'
import { encryptThenMacHooks } from '../../hal/encrypt-then-mac.js'
import { testCipher } from './cipher-tests.js'

const native = {
  aesCtr: (key: Uint8Array, data: Uint8Array) =>
    createCipheriv('aes-128-ctr', key, new Uint8Array(16)).update(data),
  sha256: (data: Uint8Array) => createHash('sha256').update(data).digest(),
}

testCipher('AES and HMAC', (keys) => encryptThenMacHooks(keys, native))
