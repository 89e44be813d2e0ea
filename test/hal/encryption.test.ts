/** The storage hooks: noble against the RFCs, our round trip, and all that must be refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chacha20poly1305, hchacha, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { ERR_HOOK } from '../../src/status.js'
import { NONCE, POSITION, refusalTests } from './hook-refusals.js'

const KEY = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i)
/** Of RFC 8439, section 2.8.2, and of draft-irtf-cfrg-xchacha, appendix A.3.1. */
const TEXT =
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future," +
  ' sunscreen would be it.'
const ASSOCIATED = Buffer.from('50515253c0c1c2c3c4c5c6c7', 'hex')

refusalTests('ChaCha20-Poly1305', 'encryption.test.js', KEY, chacha20poly1305Hooks)

test('noble gives the ciphertext and tag of RFC 8439, section 2.8.2', () => {
  const nonce = Buffer.from('070000004041424344454647', 'hex')
  const stored = chacha20poly1305(KEY, nonce, ASSOCIATED).encrypt(Buffer.from(TEXT))
  assert.equal(
    Buffer.from(stored).toString('hex'),
    'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6' +
      '3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36' +
      '92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
      '3ff4def08e4b7a9de576d26586cec64b6116' +
      '1ae10b594f09e26a7e902ecbd0600691',
  )
})

test('noble gives the subkey and the ciphertext of draft-irtf-cfrg-xchacha', () => {
  // Section 2.2.1.
  const words = (hex: string): Uint32Array =>
    new Uint32Array(Uint8Array.from(Buffer.from(hex, 'hex')).buffer)
  const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('hex')
  const sigma = words(Buffer.from('expand 32-byte k').toString('hex'))
  const subkey = new Uint32Array(8)
  hchacha(sigma, words(key), words('000000090000004a0000000031415927'), subkey)
  assert.equal(
    Buffer.from(subkey.buffer).toString('hex'),
    '82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc',
  )
  // Appendix A.3.1.
  const nonce = Buffer.from(Array.from({ length: 24 }, (_, i) => 0x40 + i))
  const stored = xchacha20poly1305(KEY, nonce, ASSOCIATED).encrypt(Buffer.from(TEXT))
  const hex = Buffer.from(stored).toString('hex')
  assert.equal(hex.slice(0, 32), 'bd6d179d3e83d43b9576579493c0e939')
  assert.equal(hex.slice(-32), 'c0875924c1c7987947deafd8780acf49')
})

test('a record is XChaCha20-Poly1305 of the nonce and associated data as the file says', () => {
  const body = Uint8Array.from([1, 2, 3, 4, 5])
  const hooks = chacha20poly1305Hooks({
    keys: { 1: KEY.map((byte) => byte ^ 1), 7: KEY },
    current: 7,
  })
  const expected = (type: number): Uint8Array =>
    xchacha20poly1305(KEY, NONCE, Uint8Array.of(type, 7)).encrypt(body)
  // Twice: the second record of a sector uses the subkey of the first.
  for (const type of [9, 1, 9]) {
    const buffer = new Uint8Array(21)
    buffer.set(body)
    assert.equal(hooks.before_write(buffer, 0, 5, { ...POSITION, type, keyId: 7 }), 21)
    assert.deepEqual(buffer, expected(type))
  }
  // Another key under the same position is not taken for the one used last.
  const other = new Uint8Array(21)
  hooks.before_write(other, 0, 5, { ...POSITION, keyId: 1 })
  assert.notDeepEqual(other.subarray(0, 5), expected(9).subarray(0, 5))
})

test('keys of a wrong size or number are refused by name', () => {
  const make = (keys: unknown) => () => chacha20poly1305Hooks(keys as Uint8Array)
  assert.throws(make(new Uint8Array(16)), /chacha20poly1305Hooks: key 1 has 16 bytes, it needs 32/)
  assert.throws(make({ keys: { 3: KEY.subarray(1) }, current: 3 }), /key 3 has 31 bytes/)
  assert.throws(make({ keys: { 3: undefined }, current: 3 }), /key 3 has 0 bytes/)
  assert.throws(make({ keys: { 0: KEY }, current: 0 }), /key identifier "0" is not 1 to 255/)
  assert.throws(make({ keys: { 256: KEY }, current: 256 }), /"256" is not 1 to 255/)
  assert.throws(make({ keys: { 1: KEY }, current: 2 }), /current is 2, and keys has no such key/)
  assert.throws(make({ keys: {}, current: 1 }), /current is 1, and keys/)
  assert.equal(chacha20poly1305Hooks(KEY).after_read(new Uint8Array(16), 0, 15, POSITION), ERR_HOOK)
})
