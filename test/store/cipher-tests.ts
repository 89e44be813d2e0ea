/**
 * The tests that every cipher has to pass: restarts, keys that change and keys that are lost. Knows
 * no cipher.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Keys } from '../../hal/key-ring.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import { ERR_KEY, OK } from '../../src/status.js'
import { COMPLETE } from '../../src/store/exchange-window.js'
import type { FlashStore } from '../../src/store/flash-store.js'
import { BROKERS, CANARY, CLIENT, KEY, append, bodyOf } from './encryption-rig.js'
import { completeBefore, find, flashOf, makeStore, mounted } from './encryption-rig.js'

const KEY_2 = KEY.map((byte) => byte ^ 0xaa)
const KEY_3 = KEY.map((byte) => byte ^ 0x33)

/** All messages from `first` on are there with their topics, in order, and no fault is counted. */
export function assertWhole(store: FlashStore, first: number, next: number): void {
  const { log, window } = store
  assert.equal(store.faults, 0)
  assert.equal(log.nextNumber, next)
  assert.equal(window.base, first)
  log.rewind(first)
  for (let number = first; number < next; number++) {
    assert.equal(log.advance(), number)
    if (window.state(number) === COMPLETE) continue
    assert.equal(log.load(), OK)
    const { loadedAt, loadedLength } = log
    const body = log.buffer.subarray(loadedAt, loadedAt + loadedLength)
    assert.equal(new TextDecoder().decode(body), bodyOf(number))
  }
  assert.equal(log.advance(), 0)
  assert.equal(store.faults, 0)
}

/** A store in daily life under one cipher; `make` makes its hooks. */
export function testCipher(name: string, make: (keys: Uint8Array | Keys) => SealedHooks): void {
  test(`${name}: every restart finds everything, and nothing stands in the clear`, () => {
    const flash = flashOf(null)
    let store = mounted(flash, make(KEY))
    let first = 1
    for (let index = 1; index <= 300; index++) {
      assert.equal(append(store), index)
      if (index % 50 === 49) {
        first = index - 20
        completeBefore(store, first)
      }
      store.log.maintain()
      if (index % 7 === 6) {
        store = mounted(flash, make(KEY))
        assertWhole(store, first, index + 1)
      }
    }
    const image = Buffer.from(flash.bytes)
    assert.equal(image.indexOf(CANARY), -1)
    assert.equal(image.indexOf(CLIENT), -1)
    assert.equal(image.indexOf('broker.example'), -1)
  })

  test(`${name}: the key changes, old sectors stay readable, new ones have the new key`, () => {
    const flash = flashOf(null)
    let store = mounted(flash, make({ keys: { 1: KEY }, current: 1 }))
    for (let index = 0; index < 25; index++) append(store)
    const both = { keys: { 1: KEY, 2: KEY_2 }, current: 2 }
    store = mounted(flash, make(both))
    assertWhole(store, 1, 26)
    const sector = store.log.writeSector
    for (let index = 0; index < 25; index++) append(store)
    assert.ok(store.log.writeSector > sector, 'a sector has one key')
    store = mounted(flash, make(both))
    assertWhole(store, 1, 51)
    // The old key is still needed: without it the store is refused and left as it is.
    const image = Buffer.from(flash.bytes)
    const onlyNew = { keys: { 2: KEY_2 }, current: 2 }
    assert.equal(makeStore(flash, make(onlyNew)).mount(CLIENT, BROKERS), ERR_KEY)
    assert.deepEqual(Buffer.from(flash.bytes), image)
    // A third one, with the backlog over three keys.
    const three = { keys: { 1: KEY, 2: KEY_2, 3: KEY_3 }, current: 3 }
    store = mounted(flash, make(three))
    for (let index = 0; index < 10; index++) append(store)
    assertWhole(mounted(flash, make(three)), 1, 61)
    const gap = { keys: { 1: KEY, 3: KEY_3 }, current: 3 }
    assert.equal(makeStore(flash, make(gap)).mount(CLIENT, BROKERS), ERR_KEY)
    // Once what it wrote is complete, a key may go.
    store = mounted(flash, make(three))
    completeBefore(store, 52)
    assertWhole(mounted(flash, make({ keys: { 3: KEY_3 }, current: 3 })), 52, 61)
  })

  test(`${name}: who gives a lost key up loses its messages, counted, and no others`, () => {
    const flash = flashOf(null)
    let store = mounted(flash, make(KEY))
    for (let index = 0; index < 25; index++) append(store)
    store = mounted(flash, make({ keys: { 1: KEY, 2: KEY_2 }, current: 2 }))
    for (let index = 0; index < 25; index++) append(store)
    // Any bytes in the place of the lost key.
    const found = find(flash.bytes, make({ keys: { 1: KEY_3, 2: KEY_2 }, current: 2 }))
    assert.equal(found.status, OK)
    assert.deepEqual(
      found.lost,
      Array.from({ length: 25 }, (_, index) => index + 1),
    )
    assert.equal(found.delivered.size, 25)
    assert.ok(found.faults > 0)
  })
}
