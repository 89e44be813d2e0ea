/** The System of Node and the one for tests: moves, checks, chance and clocks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as zlib from 'node:zlib'
import { Crc32, ManualSystem } from '../../hal/memory/index.js'
import { NodeSystem } from '../../hal/node/index.js'
import type { System } from '../../hal/system.js'
import { randomBytes, seededTest } from './seed.js'

const FILE = 'system.test.js'
const systems: ReadonlyArray<[string, () => System]> = [
  ['ManualSystem', () => new ManualSystem(1)],
  ['NodeSystem', () => new NodeSystem()],
]

/** CRC-32 a bit at a time, for a Node whose zlib has none. */
function slowCrc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
const oracle = zlib.crc32 ?? slowCrc32

for (const [name, make] of systems) {
  test(name + ': CRC-32 of "123456789" is the published check value', () => {
    const bytes = Buffer.from('xx123456789yy')
    assert.equal(make().crc32(bytes, 2, 9), 0xcbf43926)
    assert.equal(make().crc32(bytes, 5, 0), 0)
  })

  seededTest(name + ': CRC-32 agrees with zlib on random ranges', FILE, (chance) => {
    const system = make()
    const bytes = randomBytes(chance, 5000)
    for (let n = 0; n < 200; n += 1) {
      const at = chance.below(5000)
      const length = chance.below(5001 - at)
      assert.equal(system.crc32(bytes, at, length), oracle(bytes.subarray(at, at + length)))
    }
  })

  seededTest(name + ': copies agree with a plain array, overlapping ones too', FILE, (chance) => {
    const system = make()
    for (let n = 0; n < 300; n += 1) {
      const source = randomBytes(chance, 200)
      // The same array, another view of the same memory, or other memory.
      const kind = chance.below(3)
      const target =
        kind === 0 ? source : kind === 1 ? new Uint8Array(source.buffer) : randomBytes(chance, 200)
      const length = chance.below(201)
      const sourceAt = chance.below(201 - length)
      const targetAt = chance.below(201 - length)
      const expected = [...target]
      expected.splice(targetAt, length, ...source.subarray(sourceAt, sourceAt + length))
      system.copy(target, targetAt, source, sourceAt, length)
      assert.deepEqual([...target], expected)
    }
  })

  test(name + ': random numbers are unsigned 32-bit and spread over the range', () => {
    const system = make()
    const drawn = Array.from({ length: 2000 }, () => system.random())
    assert.ok(drawn.every((value) => value >= 0 && value <= 0xffffffff && value % 1 === 0))
    assert.ok(new Set(drawn).size > 1990)
    for (let bit = 0; bit < 32; bit += 1) {
      const ones = drawn.filter((value) => ((value >>> bit) & 1) === 1).length
      assert.ok(Math.abs(ones - 1000) < 150, `bit ${bit}: ${ones}`)
    }
  })
}

seededTest('Crc32 agrees with zlib', FILE, (chance) => {
  const crc = new Crc32()
  const bytes = randomBytes(chance, 1000)
  assert.equal(crc.of(bytes, 0, 1000), oracle(bytes))
})

test('the manual clocks move only when they are moved', () => {
  const system = new ManualSystem(1)
  assert.equal(system.now(), 0)
  system.advance(2500)
  assert.equal(system.now(), 2500)
  assert.equal(system.wallSeconds(), 0, 'an unknown wall clock stays unknown')
  system.wall = 1_000_000
  system.advance(600)
  system.advance(600)
  assert.equal(system.wallSeconds(), 1_000_001)
  system.advance(700)
  assert.equal(system.wallSeconds(), 1_000_001)
  system.advance(100)
  assert.equal(system.wallSeconds(), 1_000_002)
})

test('the same seed gives the same chance', () => {
  const [first, second, other] = [new ManualSystem(5), new ManualSystem(5), new ManualSystem(6)]
  const draws = (system: ManualSystem) => Array.from({ length: 5 }, () => system.random())
  const drawn = draws(first)
  assert.deepEqual(draws(second), drawn)
  assert.notDeepEqual(draws(other), drawn)
})

test("Node's clocks go on and agree with the process", async () => {
  const system = new NodeSystem()
  const before = system.now()
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(system.now() > before)
  assert.ok(Math.abs(system.wallSeconds() - Date.now() / 1000) <= 1)
})
