/**
 * The contract of ReadWriteStorage as tests, for every implementation that enforces it. Knows
 * nothing of how a flash is made: the caller brings a factory.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReadWriteStorage } from '../../hal/storage.js'
import { OK } from '../../src/status.js'
import { randomBytes, seededTest } from './seed.js'

export interface Geometry {
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
}

const CAPACITY = 8 * 512
const SECTOR = 512

function contentsOf(flash: ReadWriteStorage): Uint8Array {
  const bytes = new Uint8Array(flash.capacity)
  assert.equal(flash.read(0, bytes, 0, flash.capacity), OK)
  return bytes
}

/** What the tests below share: the implementation, and the words to name it by. */
interface Subject {
  readonly title: string
  readonly file: string
  readonly writeSize: number
  readonly fresh: () => ReadWriteStorage
  /** What the words of a refusal add to an address: a part of a chip names the chip's. */
  readonly start: number
}

/** `make` returns a blank flash; whatever it leaves behind is its own to clear away. */
export function storageContract(
  name: string,
  file: string,
  writeSize: number,
  make: (geometry: Geometry) => ReadWriteStorage,
  start = 0,
): void {
  const title = `${name}, writeSize ${writeSize}: `
  const fresh = () => make({ capacity: CAPACITY, eraseSize: SECTOR, writeSize })
  const subject = { title, file, writeSize, fresh, start }
  effectTests(subject)
  breachTests(subject)
  modelTest(subject)
}

function effectTests({ title, writeSize, fresh }: Subject): void {
  test(title + 'a new flash has the geometry asked for and reads 0xFF', () => {
    const flash = fresh()
    assert.equal(flash.capacity, CAPACITY)
    assert.equal(flash.eraseSize, SECTOR)
    assert.equal(flash.writeSize, writeSize)
    assert.ok(flash.eraseBlockSize >= SECTOR)
    assert.ok(contentsOf(flash).every((byte) => byte === 0xff))
  })

  test(title + 'a write changes its own range and no other byte', () => {
    const flash = fresh()
    const source = new Uint8Array(100).fill(0x5a)
    assert.equal(flash.write(SECTOR, source, 3, 64), OK)
    const expected = new Uint8Array(CAPACITY).fill(0xff)
    expected.fill(0x5a, SECTOR, SECTOR + 64)
    assert.deepEqual(contentsOf(flash), expected)
  })

  test(title + 'a read takes any alignment and touches only its part of the target', () => {
    const flash = fresh()
    flash.write(
      0,
      Uint8Array.from({ length: 64 }, (_, i) => i),
      0,
      64,
    )
    const target = new Uint8Array(10).fill(0xee)
    assert.equal(flash.read(7, target, 2, 5), OK)
    assert.deepEqual([...target], [0xee, 0xee, 7, 8, 9, 10, 11, 0xee, 0xee, 0xee])
  })

  test(title + 'an erase blanks its sectors, leaves the others, and lets them be written', () => {
    const flash = fresh()
    const source = new Uint8Array(CAPACITY)
    flash.write(0, source, 0, CAPACITY)
    assert.equal(flash.erase(SECTOR, 2 * SECTOR), OK)
    const expected = new Uint8Array(CAPACITY)
    expected.fill(0xff, SECTOR, 3 * SECTOR)
    assert.deepEqual(contentsOf(flash), expected)
    assert.equal(flash.write(2 * SECTOR, source, 0, SECTOR), OK)
  })
}

function breachTests({ title, writeSize, fresh, start }: Subject): void {
  const buffer = new Uint8Array(CAPACITY + 64)

  test(title + 'writing a unit twice throws, also when the first write was all 0xFF', () => {
    const flash = fresh()
    const blank = new Uint8Array(64).fill(0xff)
    flash.write(64, blank, 0, 64)
    const words = (unit: number, at: number): RegExp =>
      new RegExp(`unit at ${start + unit} is written already.*at ${start + at}`)
    assert.throws(() => flash.write(96, blank, 0, 32), words(96, 96))
    assert.throws(() => flash.write(32, blank, 0, 64), words(64, 32))
    assert.equal(flash.write(128, blank, 0, 32), OK)
  })

  test(title + 'a write or an erase off its alignment throws', () => {
    const flash = fresh()
    if (writeSize > 1) {
      assert.throws(() => flash.write(writeSize / 2, buffer, 0, writeSize), /not aligned/)
      assert.throws(() => flash.write(0, buffer, 0, writeSize / 2), /not aligned/)
    }
    assert.throws(() => flash.erase(SECTOR / 2, SECTOR), /not aligned/)
    assert.throws(() => flash.erase(0, SECTOR / 2), /not aligned/)
    assert.ok(contentsOf(flash).every((byte) => byte === 0xff))
  })

  test(title + 'a range outside the flash or the buffer throws', () => {
    const flash = fresh()
    const small = new Uint8Array(32)
    for (const address of [-64, CAPACITY, CAPACITY + 64, NaN]) {
      assert.throws(() => flash.read(address, buffer, 0, 64), /range outside/, `read ${address}`)
      assert.throws(() => flash.write(address, buffer, 0, 64), /range outside/, `write ${address}`)
      assert.throws(() => flash.erase(address, SECTOR), /range outside/, `erase ${address}`)
    }
    assert.throws(() => flash.read(0, buffer, 0, CAPACITY + 1), /range outside/)
    assert.throws(() => flash.erase(CAPACITY - SECTOR, 2 * SECTOR), /range outside/)
    assert.throws(() => flash.read(0, small, 0, 64), /outside a buffer of 32/)
    assert.throws(() => flash.write(0, small, 1, 32), /outside a buffer of 32/)
    assert.throws(() => flash.read(0.5, buffer, 0, 1), /whole numbers/)
  })

  test(title + 'operations of no length do nothing', () => {
    const flash = fresh()
    assert.equal(flash.write(CAPACITY, buffer, 0, 0), OK)
    assert.equal(flash.read(CAPACITY, buffer, 0, 0), OK)
    assert.equal(flash.erase(0, 0), OK)
    assert.ok(contentsOf(flash).every((byte) => byte === 0xff))
  })
}

function modelTest({ title, file, writeSize, fresh }: Subject): void {
  seededTest(title + 'random operations agree with a plain array', file, (chance) => {
    const flash = fresh()
    const model = new Uint8Array(CAPACITY).fill(0xff)
    const unitsPerSector = SECTOR / writeSize
    const nextUnit = new Uint16Array(CAPACITY / SECTOR)
    for (let step = 0; step < 400; step += 1) {
      const sector = chance.below(nextUnit.length)
      const room = unitsPerSector - nextUnit[sector]
      if (room === 0 || chance.below(20) === 0) {
        flash.erase(sector * SECTOR, SECTOR)
        model.fill(0xff, sector * SECTOR, (sector + 1) * SECTOR)
        nextUnit[sector] = 0
        continue
      }
      const length = (1 + chance.below(Math.min(room, 64))) * writeSize
      const address = sector * SECTOR + nextUnit[sector] * writeSize
      const source = randomBytes(chance, length + 5)
      assert.equal(flash.write(address, source, 5, length), OK)
      model.set(source.subarray(5), address)
      nextUnit[sector] += length / writeSize
    }
    assert.deepEqual(contentsOf(flash), model)
  })
}
