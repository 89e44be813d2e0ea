/** EspruinoSystem and its loop, over Espruino's globals on Node. */
import { clock, rebootRandom } from './fake-globals.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as zlib from 'node:zlib'
import { EspruinoSystem, Loop } from '../../hal/espruino/index.js'
import { Crc32 } from '../../hal/memory/index.js'
import { randomBytes, seededTest } from '../hal/seed.js'

const FILE = '../espruino/espruino-system.test.js'

test('CRC-32 of "123456789" is the published check value, of nothing it is 0', () => {
  const system = new EspruinoSystem()
  const bytes = Buffer.from('xx123456789yy')
  assert.equal(system.crc32(bytes, 2, 9), 0xcbf43926)
  assert.equal(system.crc32(bytes, 5, 0), 0)
})

seededTest('CRC-32 agrees with zlib on random ranges', FILE, (chance) => {
  const system = new EspruinoSystem()
  const bytes = randomBytes(chance, 2000)
  const crc = new Crc32()
  for (let n = 0; n < 100; n += 1) {
    const at = chance.below(2000)
    const length = chance.below(2001 - at)
    const expected = zlib.crc32
      ? zlib.crc32(bytes.subarray(at, at + length))
      : crc.of(bytes, at, length)
    assert.equal(system.crc32(bytes, at, length), expected)
  }
})

/** Espruino's `set` goes from the front, one element after the other. */
function espruinoSet(this: Uint8Array, source: ArrayLike<number>, at = 0): void {
  for (let index = 0; index < source.length; index++) this[at + index] = source[index]
}

seededTest('copies agree with a plain array, overlapping ones too', FILE, (chance) => {
  const system = new EspruinoSystem()
  for (let n = 0; n < 300; n += 1) {
    const source = randomBytes(chance, 200)
    const kind = chance.below(3)
    const target =
      kind === 0 ? source : kind === 1 ? new Uint8Array(source.buffer) : randomBytes(chance, 200)
    target.set = espruinoSet
    const length = chance.below(201)
    const sourceAt = chance.below(201 - length)
    const targetAt = chance.below(201 - length)
    const expected = [...target]
    expected.splice(targetAt, length, ...source.subarray(sourceAt, sourceAt + length))
    system.copy(target, targetAt, source, sourceAt, length)
    assert.deepEqual([...target], expected)
  }
})

test('the clock of now() goes on when setTime moves getTime, and never back', () => {
  const system = new EspruinoSystem()
  const before = system.now()
  clock.offset = -3600
  const back = system.now()
  assert.ok(back >= before && back < before + 1000)
  clock.offset = 86400 * 365 * 30
  const set = system.now()
  assert.ok(set >= back && set < back + 1000, 'the clock was set, no time passed')
  clock.offset += 86400
  assert.ok(system.now() >= set + 86_400_000, 'a day of sleep is time that passed')
  clock.offset = 0
})

test('the wall clock is unknown until it is set', () => {
  const system = new EspruinoSystem()
  assert.ok(Math.abs(system.wallSeconds() - Date.now() / 1000) <= 1)
  clock.offset = -Date.now() / 1000 + 946684805
  assert.equal(system.wallSeconds(), 0)
  clock.offset = 0
})

test('random numbers are unsigned 32-bit, and two boots at two times draw different ones', () => {
  const draw = (system: EspruinoSystem) => Array.from({ length: 1000 }, () => system.random())
  rebootRandom()
  const first = draw(new EspruinoSystem())
  rebootRandom()
  clock.offset = 0.0001
  const second = draw(new EspruinoSystem())
  rebootRandom()
  clock.offset = 0
  const seeded = draw(new EspruinoSystem('a secret of this board'))
  for (const drawn of [first, second, seeded]) {
    assert.ok(drawn.every((value) => value >= 0 && value <= 0xffffffff && value % 1 === 0))
    assert.ok(new Set(drawn).size > 990)
  }
  assert.notEqual(first[0], second[0])
  assert.notEqual(first[0], seeded[0])
})

/** Timers that run when they are told to; Espruino throws for one that is not there. */
class Timers {
  readonly waiting = new Map<number, { callback: () => void; ms: number }>()
  private count = 0
  private readonly before = { setTimeout, clearTimeout }

  constructor() {
    Object.assign(globalThis, {
      setTimeout: (callback: () => void, ms: number) => {
        this.waiting.set(++this.count, { callback, ms })
        return this.count
      },
      clearTimeout: (timer: number) => {
        if (!this.waiting.delete(timer)) throw new Error('Unknown Timeout')
      },
    })
  }

  /** Runs the only timer there is, and tells how long it would have waited. */
  run(): number {
    assert.equal(this.waiting.size, 1)
    const [[timer, { callback, ms }]] = this.waiting
    this.waiting.delete(timer)
    callback()
    return ms
  }

  restore(): void {
    Object.assign(globalThis, this.before)
  }
}

test('the loop polls at once, on work, when the time is over, and never after stop', () => {
  const timers = new Timers()
  try {
    const waits = [5.2, Infinity, 0, 1000]
    let polls = 0
    const client = {
      onWork: () => {},
      poll(): number {
        polls += 1
        // Work that comes up inside of poll is due at once.
        if (polls === 2) client.onWork()
        return waits[polls - 1]
      },
    }
    const loop = new Loop(client, new EspruinoSystem())
    assert.equal(timers.run(), 0, 'at once')
    assert.equal(timers.run(), 6, 'when the time is over that it asked for')
    assert.equal(timers.run(), 0, 'for the work that poll itself made')
    assert.equal(timers.run(), 0, 'for the 0 it returned')
    client.onWork()
    client.onWork()
    assert.equal(timers.waiting.size, 1, 'two wakes are one poll, in place of the later one')
    assert.equal(timers.run(), 0)
    assert.equal(polls, 5)
    assert.equal(timers.waiting.size, 1)
    loop.stop()
    loop.stop()
    client.onWork()
    assert.equal(timers.waiting.size, 0)
  } finally {
    timers.restore()
  }
})
