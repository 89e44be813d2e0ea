/** EspruinoFlash: the storage contract over a model of `Flash`, and what only Espruino can do. */
import './fake-globals.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EspruinoFlash } from '../../hal/espruino/index.js'
import { NorFlash } from '../../hal/memory/index.js'
import { ERR_STORAGE, OK } from '../../src/status.js'
import { storageContract } from '../hal/storage-contract.js'
import { FakeFlash } from './fake-flash.js'

const BASE = 0x310000

for (const writeSize of [4, 8]) {
  storageContract('EspruinoFlash', 'espruino-flash.test.js', writeSize, (geometry) => {
    const flash = new FakeFlash(new NorFlash(geometry), BASE)
    return new EspruinoFlash(flash, [{ addr: BASE, length: geometry.capacity }], { writeSize })
  })
}

/** Eight pages of 1,024 bytes. */
function chip(): FakeFlash {
  return new FakeFlash(new NorFlash({ capacity: 8192, eraseSize: 1024, writeSize: 4 }), BASE)
}

test('two areas are one storage, and a write across their seam reaches both', () => {
  const flash = chip()
  const storage = new EspruinoFlash(flash, [
    { addr: BASE + 4096, length: 1024 },
    { addr: BASE + 1024, length: 2048 },
  ])
  assert.equal(storage.capacity, 3072)
  const bytes = Uint8Array.from({ length: 600 }, (_, index) => index)
  assert.equal(storage.write(800, bytes, 0, 600), OK)
  const back = new Uint8Array(600)
  assert.equal(storage.read(800, back, 0, 600), OK)
  assert.deepEqual(back, bytes)
  assert.deepEqual(flash.read(224, BASE + 4096 + 800), bytes.subarray(0, 224))
  assert.deepEqual(flash.read(376, BASE + 1024), bytes.subarray(224))
})

test('nothing outside the areas is written or erased', () => {
  const flash = chip()
  const outside = new Uint8Array(1024).fill(0x11)
  flash.write(outside, BASE)
  flash.write(outside, BASE + 3072)
  const storage = new EspruinoFlash(flash, [{ addr: BASE + 1024, length: 2048 }])
  assert.equal(storage.erase(0, 2048), OK)
  assert.equal(storage.write(0, new Uint8Array(2048), 0, 2048), OK)
  assert.equal(storage.erase(0, 2048), OK)
  assert.throws(() => storage.erase(2048, 1024), /range outside/)
  assert.deepEqual(flash.read(1024, BASE), outside)
  assert.deepEqual(flash.read(1024, BASE + 3072), outside)
})

test('areas that cannot be used are refused by number, with the reason', () => {
  const flash = chip()
  const make = (...areas: { addr: number; length: number }[]) => new EspruinoFlash(flash, areas)
  assert.throws(() => make(), /areas is empty/)
  assert.throws(() => make({ addr: BASE + 512, length: 1024 }), /areas\[0\].*whole pages of 1024/)
  assert.throws(() => make({ addr: BASE, length: 1000 }), /areas\[0\].*whole pages/)
  assert.throws(() => make({ addr: 0, length: 1024 }), /areas\[0\].*not in flash/)
  assert.throws(() => make({ addr: BASE, length: 9216 }), /areas\[0\].*not in flash/)
  const first = { addr: BASE, length: 2048 }
  assert.throws(() => make(first, { addr: BASE + 1024, length: 1024 }), /areas\[1\].*areas\[0\]/)
  const odd = { writeSize: 3 }
  assert.throws(() => new EspruinoFlash(flash, [first], odd), /writeSize is 3/)
})

test('a chip that did not take a write or an erase is storage trouble', () => {
  const flash = chip()
  const storage = new EspruinoFlash(flash, [{ addr: BASE, length: 8192 }])
  assert.equal(storage.write(0, new Uint8Array(8), 0, 8), OK)
  flash.isDeaf = true
  assert.equal(storage.write(8, new Uint8Array(8), 0, 8), ERR_STORAGE)
  assert.equal(storage.erase(0, 1024), ERR_STORAGE)
  assert.equal(storage.erase(1024, 1024), OK, 'it reads blank')
})
