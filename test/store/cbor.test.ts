/** The CBOR writer and cursor against RFC 8949, appendix A, and against cbor-x. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Encoder } from 'cbor-x'
import {
  CBOR_ARRAY,
  CBOR_BYTES,
  CBOR_MAP,
  CBOR_TEXT,
  CBOR_UNSIGNED,
  CborCursor,
  cborHeadSize,
  writeCborHead,
} from '../../src/codec/cbor.js'
import { seededTest } from './seed.js'

const FILE = 'cbor.test.js'
const codec = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false })

/** Major type, value, and the bytes of the head: from RFC 8949, appendix A. */
const heads: [number, number, string][] = [
  [CBOR_UNSIGNED, 0, '00'],
  [CBOR_UNSIGNED, 1, '01'],
  [CBOR_UNSIGNED, 10, '0a'],
  [CBOR_UNSIGNED, 23, '17'],
  [CBOR_UNSIGNED, 24, '1818'],
  [CBOR_UNSIGNED, 25, '1819'],
  [CBOR_UNSIGNED, 100, '1864'],
  [CBOR_UNSIGNED, 255, '18ff'],
  [CBOR_UNSIGNED, 256, '190100'],
  [CBOR_UNSIGNED, 1000, '1903e8'],
  [CBOR_UNSIGNED, 65535, '19ffff'],
  [CBOR_UNSIGNED, 65536, '1a00010000'],
  [CBOR_UNSIGNED, 1000000, '1a000f4240'],
  [CBOR_UNSIGNED, 0xffffffff, '1affffffff'],
  [CBOR_BYTES, 0, '40'],
  [CBOR_BYTES, 4, '44'],
  [CBOR_TEXT, 0, '60'],
  [CBOR_TEXT, 1, '61'],
  [CBOR_ARRAY, 0, '80'],
  [CBOR_ARRAY, 3, '83'],
  [CBOR_ARRAY, 25, '9819'],
  [CBOR_MAP, 0, 'a0'],
  [CBOR_MAP, 2, 'a2'],
]

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

test('heads are written and read as RFC 8949, appendix A, has them', () => {
  for (const [major, value, hex] of heads) {
    const target = new Uint8Array(8).fill(0xee)
    const end = writeCborHead(target, 1, major, value)
    assert.equal(Buffer.from(target.subarray(1, end)).toString('hex'), hex)
    assert.equal(end, 1 + cborHeadSize(value))
    assert.equal(target[end], 0xee, 'nothing behind it changes')
    // The strings of the cursor must be there in full.
    const source = new Uint8Array(64)
    source.set(bytesOf(hex))
    const cursor = new CborCursor(source)
    cursor.start(source, 0, 64)
    assert.equal(cursor.next(), true)
    assert.deepEqual([cursor.major, cursor.value, cursor.at], [major, value, hex.length / 2])
  }
})

test('a whole item of any kind can be skipped', () => {
  const items = [
    ...['00', '20', '3863', '3903e7', 'f4', 'f6', 'f816', 'f90000', 'fa47c35000', '4401020304'],
    ...['6449455446', '83010203', '8301820203820405', 'a201020304', 'a26161016162820203'],
    ...['c11a514b67b0', 'd74401020304', '80', 'a0', '60'],
  ]
  for (const hex of items) {
    const source = bytesOf(hex + '07')
    const cursor = new CborCursor(source)
    cursor.start(source, 0, source.length)
    assert.equal(cursor.skip(), true, hex)
    assert.equal(cursor.next(), true)
    assert.equal(cursor.value, 7, hex)
  }
})

test('what is cut off, too long or of indefinite length is refused', () => {
  for (const hex of [
    '',
    '18',
    '19ff',
    '1a000000',
    '1b0000000100000000',
    '1f',
    '5f4101ff',
    '42ff',
  ]) {
    const source = bytesOf(hex)
    const cursor = new CborCursor(source)
    cursor.start(source, 0, source.length)
    assert.equal(cursor.skip(), false, hex)
  }
  const source = bytesOf('9affffffff00')
  const cursor = new CborCursor(source)
  cursor.start(source, 0, source.length)
  assert.equal(cursor.skip(), false, 'an array larger than the bytes')
})

seededTest('cbor-x reads what is written, and writes what is read', FILE, (chance) => {
  for (let round = 0; round < 500; round++) {
    const numbers = Array.from(
      { length: chance.below(30) },
      () => chance.next() >>> chance.below(32),
    )
    const bytes = Uint8Array.from({ length: chance.below(300) }, () => chance.below(256))
    const target = new Uint8Array(1024)
    let at = writeCborHead(target, 0, CBOR_MAP, 2)
    at = writeCborHead(target, at, CBOR_UNSIGNED, 1)
    at = writeCborHead(target, at, CBOR_ARRAY, numbers.length)
    for (const number of numbers) at = writeCborHead(target, at, CBOR_UNSIGNED, number)
    at = writeCborHead(target, at, CBOR_UNSIGNED, 2)
    at = writeCborHead(target, at, CBOR_BYTES, bytes.length)
    target.set(bytes, at)
    at += bytes.length
    const decoded = codec.decode(target.subarray(0, at)) as Map<number, unknown>
    assert.deepEqual(decoded.get(1), numbers)
    assert.deepEqual(Uint8Array.from(decoded.get(2) as Uint8Array), bytes)

    const encoded = codec.encode(numbers)
    const cursor = new CborCursor(encoded)
    cursor.start(encoded, 0, encoded.length)
    assert.equal(cursor.next() && cursor.major === CBOR_ARRAY && cursor.value, numbers.length)
    for (const number of numbers) assert.equal(cursor.next() && cursor.value, number)
    assert.equal(cursor.at, encoded.length)
  }
})
