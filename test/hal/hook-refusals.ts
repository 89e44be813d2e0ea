/** What any pair of encrypting hooks must do: round trips, and refusals of all that was changed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Keys } from '../../hal/key-ring.js'
import type { RecordPosition, StorageHooks } from '../../hal/storage.js'
import { ERR_HOOK } from '../../src/status.js'
import { randomBytes, seededTest } from './seed.js'

export const POSITION: RecordPosition = {
  storeId: 0xdeadbeef,
  saltHigh: 0x07000000,
  saltLow: 0x10203040,
  region: 3,
  sectorSequence: 0x40414243,
  offset: 0x45464,
  type: 9,
  number: 0x01020304,
  keyId: 1,
}
/** The nonce of POSITION, written down by hand. */
export const NONCE = Uint8Array.from(
  Buffer.from(
    'deadbeef' + '07000000' + '10203040' + '40414243' + '03' + '045464' + '01020304',
    'hex',
  ),
)

export function refusalTests(
  name: string,
  file: string,
  key: Uint8Array,
  makeHooks: (keys: Uint8Array | Keys) => StorageHooks,
): void {
  /** The body as it is stored, alone in an array. */
  const sealed = (body: Uint8Array, position = POSITION): Uint8Array => {
    const buffer = new Uint8Array(body.length + 16)
    buffer.set(body)
    assert.equal(makeHooks(key).before_write(buffer, 0, body.length, position), body.length + 16)
    return buffer
  }
  const opens = (stored: Uint8Array, position = POSITION): number =>
    makeHooks(key).after_read(stored.slice(), 0, stored.length, position)

  seededTest(`${name}: a body of any length comes back, nothing else changes`, file, (chance) => {
    const hooks = makeHooks(key)
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

  test(`${name}: a change of any stored byte is refused and changes nothing`, () => {
    const stored = sealed(new Uint8Array(40).fill(7))
    assert.equal(opens(stored), 40)
    const hooks = makeHooks(key)
    for (let at = 0; at < stored.length; at += 1) {
      const changed = stored.slice()
      changed[at] ^= 1 << (at & 7)
      const before = changed.slice()
      assert.equal(hooks.after_read(changed, 0, changed.length, POSITION), ERR_HOOK, `byte ${at}`)
      assert.deepEqual(changed, before)
    }
  })

  test(`${name}: a body cut short or made longer is refused`, () => {
    const stored = sealed(new Uint8Array(40))
    for (let length = 0; length < stored.length; length += 1) {
      assert.equal(opens(stored.subarray(0, length)), ERR_HOOK, `${length} bytes`)
    }
    assert.equal(opens(new Uint8Array([...stored, 0])), ERR_HOOK)
  })

  test(`${name}: a change of any field of the position is refused`, () => {
    const stored = sealed(new Uint8Array(40))
    for (const field of Object.keys(POSITION) as (keyof RecordPosition)[]) {
      assert.equal(opens(stored, { ...POSITION, [field]: POSITION[field] + 1 }), ERR_HOOK, field)
      assert.equal(opens(stored, { ...POSITION, [field]: POSITION[field] ^ 0x10 }), ERR_HOOK, field)
    }
    assert.equal(opens(stored), 40)
  })

  test(`${name}: any two positions have two key streams`, () => {
    const streams = new Set<string>()
    const hooks = makeHooks(key)
    let count = 0
    const add = (position: RecordPosition): void => {
      const buffer = new Uint8Array(32)
      assert.equal(hooks.before_write(buffer, 0, 16, position), 32)
      streams.add(Buffer.from(buffer.subarray(0, 16)).toString('hex'))
      count++
    }
    // The type is not in a nonce of its own: no two records differ by it alone.
    const fields = Object.keys(POSITION).filter((field) => field !== 'type' && field !== 'keyId')
    add(POSITION)
    for (const field of fields as (keyof RecordPosition)[]) {
      for (const bit of [1, 2, 0x80, 0x100, 0x800000, 0x40000000]) {
        if (field === 'region' && bit > 0xff) continue
        if (field === 'offset' && bit > 0xffffff) continue
        add({ ...POSITION, [field]: (POSITION[field] ^ bit) >>> 0 })
      }
    }
    assert.equal(streams.size, count)
  })

  test(`${name}: a position that does not fit is refused before anything is encrypted`, () => {
    const hooks = makeHooks(key)
    const buffer = new Uint8Array(32)
    const wrong = [{ region: 256 }, { region: -1 }, { offset: 0x1000000 }, { offset: -1 }]
    for (const change of [...wrong, { type: 256 }, { type: -1 }, { keyId: 0 }, { keyId: 2 }]) {
      const position = { ...POSITION, ...change }
      assert.equal(hooks.before_write(buffer, 0, 16, position), ERR_HOOK, JSON.stringify(change))
    }
    assert.ok(buffer.every((byte) => byte === 0))
  })

  test(`${name}: a buffer without room for the tag is refused and left as it is`, () => {
    const buffer = new Uint8Array(31).fill(7)
    assert.equal(makeHooks(key).before_write(buffer, 0, 16, POSITION), ERR_HOOK)
    assert.ok(buffer.every((byte) => byte === 7))
  })

  test(`${name}: another key opens nothing, and wiping the given key does no harm`, () => {
    const given = key.slice()
    const hooks = makeHooks(given)
    given.fill(0)
    const stored = sealed(new Uint8Array(8))
    assert.equal(hooks.after_read(stored.slice(), 0, stored.length, POSITION), 8)
    assert.equal(makeHooks(given).after_read(stored, 0, stored.length, POSITION), ERR_HOOK)
  })

  test(`${name}: what an old key wrote is read while the ring has it`, () => {
    const next = key.map((byte) => byte ^ 0x55)
    const old = sealed(new Uint8Array(20))
    const both = makeHooks({ keys: { 1: key, 2: next }, current: 2 })
    assert.equal(both.keyId, 2)
    assert.deepEqual(
      [0, 1, 2, 3].map((id) => both.knowsKey(id)),
      [false, true, true, false],
    )
    assert.equal(both.after_read(old.slice(), 0, old.length, POSITION), 20)
    const buffer = new Uint8Array(36)
    assert.equal(both.before_write(buffer, 0, 20, { ...POSITION, keyId: 2 }), 36)
    assert.equal(opens(buffer), ERR_HOOK)
    const later = makeHooks({ keys: { 2: next }, current: 2 })
    assert.equal(later.after_read(buffer.slice(), 0, 36, { ...POSITION, keyId: 2 }), 20)
    assert.equal(later.after_read(old, 0, old.length, POSITION), ERR_HOOK)
  })
}
