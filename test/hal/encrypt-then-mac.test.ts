/** AES and HMAC of a runtime as storage hooks: published vectors, round trips and refusals. */
import assert from 'node:assert/strict'
import { createCipheriv, createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { encryptThenMacHooks, hmacSha256, type NativeCipher } from '../../hal/encrypt-then-mac.js'
import { ERR_HOOK } from '../../src/status.js'
import { NONCE, POSITION, refusalTests } from './hook-refusals.js'

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i * 5 + 1)
const ZEROS = new Uint8Array(16)

function aesCtr(key: Uint8Array, data: Uint8Array, counter = ZEROS): Uint8Array {
  return createCipheriv('aes-128-ctr', key, counter).update(data)
}

/** As Espruino has it: results are ArrayBuffers. */
function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer
}

function sha256(data: Uint8Array): ArrayBuffer {
  return arrayBuffer(createHash('sha256').update(data).digest())
}

const native: NativeCipher = { aesCtr: (key, data) => arrayBuffer(aesCtr(key, data)), sha256 }

refusalTests('AES and HMAC', 'encrypt-then-mac.test.js', KEY, (keys) =>
  encryptThenMacHooks(keys, native),
)

function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

test('the counter mode the tests use is that of NIST SP 800-38A, F.5.1', () => {
  const text =
    '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51' +
    '30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710'
  const key = hex('2b7e151628aed2a6abf7158809cf4f3c')
  const stored = aesCtr(key, hex(text), hex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'))
  assert.equal(
    Buffer.from(stored).toString('hex'),
    '874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff' +
      '5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee',
  )
  // FIPS 197 by another way: the first block of the stream from 0 is AES of a zero block
  // (NIST AESAVS, appendix B.1 has the key of one bit).
  const block = aesCtr(hex('80000000000000000000000000000000'), ZEROS)
  assert.equal(Buffer.from(block).toString('hex'), '0edd33d3c621e546455bd8ba1418bec8')
})

test('HMAC-SHA-256 has the results of RFC 4231, section 4', () => {
  const text = (line: string): string => Buffer.from(line).toString('hex')
  const cases: [string, string, string][] = [
    [
      '0b'.repeat(20),
      text('Hi There'),
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    ],
    [
      text('Jefe'),
      text('what do ya want for nothing?'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    [
      'aa'.repeat(20),
      'dd'.repeat(50),
      '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
    ],
    [
      '0102030405060708090a0b0c0d0e0f10111213141516171819',
      'cd'.repeat(50),
      '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
    ],
    [
      'aa'.repeat(131),
      text('Test Using Larger Than Block-Size Key - Hash Key First'),
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
    [
      'aa'.repeat(131),
      text(
        'This is a test using a larger than block-size key and a larger than block-size data. ' +
          'The key needs to be hashed before being used by the HMAC algorithm.',
      ),
      '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
    ],
  ]
  for (const [key, data, expected] of cases) {
    const bytes = hex('ff' + data + 'ff')
    const found = hmacSha256(sha256, hex(key), bytes, 1, bytes.length - 2)
    assert.equal(Buffer.from(found).toString('hex'), expected)
  }
})

test('a record is what the file says, made anew with node:crypto', () => {
  const body = Buffer.from('a body of more than one block of sixteen')
  const buffer = new Uint8Array(body.length + 16)
  buffer.set(body)
  encryptThenMacHooks(KEY, native).before_write(buffer, 0, body.length, POSITION)
  const hmac = (key: Uint8Array, data: Uint8Array): Buffer =>
    createHmac('sha256', key).update(data).digest()
  const keys = hmac(KEY, Buffer.from([...NONCE, 9, 1]))
  const text = aesCtr(keys.subarray(0, 16), body)
  const tag = hmac(keys.subarray(16), text).subarray(0, 16)
  assert.equal(Buffer.from(buffer).toString('hex'), Buffer.concat([text, tag]).toString('hex'))
})

test('a runtime that fails or answers with a wrong size is a refusal', () => {
  const broken: Partial<NativeCipher>[] = [
    {
      aesCtr: () => {
        throw new Error('no AES in this build')
      },
    },
    { aesCtr: () => new ArrayBuffer(0) },
    { aesCtr: () => undefined as unknown as ArrayBuffer },
    { aesCtr: (_, data) => new Uint8Array(data.length + 1) },
    {
      sha256: () => {
        throw new Error('no SHA-256')
      },
    },
    { sha256: () => undefined as unknown as ArrayBuffer },
    { sha256: (data) => createHash('sha1').update(data).digest() },
  ]
  for (const part of broken) {
    const buffer = new Uint8Array(40).fill(7)
    const hooks = encryptThenMacHooks(KEY, { ...native, ...part })
    assert.equal(hooks.before_write(buffer, 0, 24, POSITION), ERR_HOOK)
    assert.equal(hooks.after_read(buffer, 0, 40, POSITION), ERR_HOOK)
  }
})

test('keys of a wrong size are refused by name', () => {
  assert.throws(
    () => encryptThenMacHooks(new Uint8Array(8), native),
    /encryptThenMacHooks: key 1 has 8 bytes, it needs 16 to 64/,
  )
})
