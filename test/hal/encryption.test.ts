/** The storage hooks: noble against the RFC, our round trip, and all that must be refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import type { RecordPosition } from '../../hal/storage.js'
import { ERR_HOOK } from '../../src/status.js'
import { randomBytes, seededTest } from './seed.js'

const FILE = 'encryption.test.js'
const KEY = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i)
const POSITION: RecordPosition = {
  storeId: 0xdeadbeef,
  bootSalt: 0x07000000,
  region: 3,
  sectorSequence: 0x40414243,
  offset: 0x45464,
  type: 9,
}

/** The body as it is stored, alone in an array. */
function sealed(body: Uint8Array, position = POSITION): Uint8Array {
  const buffer = new Uint8Array(body.length + 16)
  buffer.set(body)
  const hooks = chacha20poly1305Hooks(KEY)
  assert.equal(hooks.before_write(buffer, 0, body.length, position), body.length + 16)
  return buffer
}

function opens(stored: Uint8Array, position = POSITION): number {
  return chacha20poly1305Hooks(KEY).after_read(stored.slice(), 0, stored.length, position)
}

test('noble gives the ciphertext and tag of RFC 8439, section 2.8.2', () => {
  const nonce = Buffer.from('070000004041424344454647', 'hex')
  const associated = Buffer.from('50515253c0c1c2c3c4c5c6c7', 'hex')
  const text =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future," +
    ' sunscreen would be it.'
  const stored = chacha20poly1305(KEY, nonce, associated).encrypt(Buffer.from(text))
  assert.equal(
    Buffer.from(stored).toString('hex'),
    'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6' +
      '3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36' +
      '92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
      '3ff4def08e4b7a9de576d26586cec64b6116' +
      '1ae10b594f09e26a7e902ecbd0600691',
  )
})

test('nonce and associated data are laid out as the file says', () => {
  const body = Uint8Array.from([1, 2, 3, 4, 5])
  const nonce = Buffer.from('07000000' + '40414243' + '03' + '045464', 'hex')
  const associated = Buffer.from('deadbeef' + '09', 'hex')
  assert.deepEqual(sealed(body), chacha20poly1305(KEY, nonce, associated).encrypt(body))
})

seededTest('a body of any length comes back, and nothing around it changes', FILE, (chance) => {
  const hooks = chacha20poly1305Hooks(KEY)
  assert.equal(hooks.growth, 16)
  for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 500]) {
    const buffer = randomBytes(chance, length + 16 + 20)
    const before = buffer.slice()
    const stored = hooks.before_write(buffer, 7, length, POSITION)
    assert.equal(stored, length + 16)
    if (length > 8) assert.notDeepEqual(buffer.slice(7, 7 + length), before.slice(7, 7 + length))
    assert.equal(hooks.after_read(buffer, 7, stored, POSITION), length)
    assert.deepEqual(buffer.slice(0, 7 + length), before.slice(0, 7 + length))
    assert.deepEqual(buffer.slice(7 + length + 16), before.slice(7 + length + 16))
  }
})

test('a change of any stored byte is refused', () => {
  const stored = sealed(new Uint8Array(40).fill(7))
  assert.equal(opens(stored), 40)
  for (let at = 0; at < stored.length; at += 1) {
    stored[at] ^= 1 << (at & 7)
    assert.equal(opens(stored), ERR_HOOK, `byte ${at}`)
    stored[at] ^= 1 << (at & 7)
  }
})

test('a body cut short or made longer is refused', () => {
  const stored = sealed(new Uint8Array(40))
  for (let length = 0; length < stored.length; length += 1) {
    assert.equal(opens(stored.subarray(0, length)), ERR_HOOK, `${length} bytes`)
  }
  assert.equal(opens(new Uint8Array([...stored, 0])), ERR_HOOK)
})

test('a change of any field of the position is refused', () => {
  const stored = sealed(new Uint8Array(40))
  for (const field of Object.keys(POSITION) as Array<keyof RecordPosition>) {
    assert.equal(opens(stored, { ...POSITION, [field]: POSITION[field] + 1 }), ERR_HOOK, field)
    assert.equal(opens(stored, { ...POSITION, [field]: POSITION[field] ^ 0x10 }), ERR_HOOK, field)
  }
  assert.equal(opens(stored), 40)
})

test('a position that does not fit the nonce is refused before anything is encrypted', () => {
  const hooks = chacha20poly1305Hooks(KEY)
  const buffer = new Uint8Array(32)
  const wrong = [{ region: 256 }, { region: -1 }, { offset: 0x1000000 }, { offset: -1 }]
  for (const change of [...wrong, { type: 256 }, { type: -1 }]) {
    const position = { ...POSITION, ...change }
    assert.equal(hooks.before_write(buffer, 0, 16, position), ERR_HOOK, JSON.stringify(change))
  }
  assert.ok(buffer.every((byte) => byte === 0))
})

test('a buffer without room for the tag is refused and left as it is', () => {
  const buffer = new Uint8Array(31).fill(7)
  assert.equal(chacha20poly1305Hooks(KEY).before_write(buffer, 0, 16, POSITION), ERR_HOOK)
  assert.ok(buffer.every((byte) => byte === 7))
})

test('another key opens nothing, and wiping the given key does no harm', () => {
  const key = KEY.slice()
  const hooks = chacha20poly1305Hooks(key)
  key.fill(0)
  const stored = sealed(new Uint8Array(8))
  assert.equal(hooks.after_read(stored.slice(), 0, stored.length, POSITION), 8)
  const others = chacha20poly1305Hooks(key)
  assert.equal(others.after_read(stored, 0, stored.length, POSITION), ERR_HOOK)
})

test('a key that is not 32 bytes is refused by name', () => {
  assert.throws(() => chacha20poly1305Hooks(new Uint8Array(16)), /key has 16 bytes, it needs 32/)
})
