/**
 * A store behind encrypting hooks in daily life: restarts, keys that change, hooks that fail, and
 * nothing in the clear. HOLDFAST_NONCE_LIVES (default 3): so many devices for the nonce log.
 */
import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import { test } from 'node:test'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { encryptThenMacHooks } from '../../hal/encrypt-then-mac.js'
import type { Keys } from '../../hal/key-ring.js'
import { sealed } from '../../src/store/seal.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import { ERR_HOOK, ERR_KEY, OK } from '../../src/status.js'
import { COMPLETE } from '../../src/store/exchange-window.js'
import { MessageSource } from '../../src/store/message-record.js'
import { FlashStore } from '../../src/store/flash-store.js'
import { BROKERS, CANARY, CLIENT, KEY, append, bodyOf } from './encryption-rig.js'
import { completeBefore, find, flashOf, makeStore, mounted } from './encryption-rig.js'
import { liveLives } from './nonce-lives.js'

const KEY_2 = KEY.map((byte) => byte ^ 0xaa)
const KEY_3 = KEY.map((byte) => byte ^ 0x33)

const native = {
  aesCtr: (key: Uint8Array, data: Uint8Array) =>
    createCipheriv('aes-128-ctr', key, new Uint8Array(16)).update(data),
  sha256: (data: Uint8Array) => createHash('sha256').update(data).digest(),
}

const CIPHERS: [string, (keys: Uint8Array | Keys) => SealedHooks][] = [
  ['ChaCha20-Poly1305', chacha20poly1305Hooks],
  ['AES and HMAC', (keys) => encryptThenMacHooks(keys, native)],
]

/** All messages from `first` on are there with their topics, in order, and no fault is counted. */
function assertWhole(store: FlashStore, first: number, next: number): void {
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

for (const [name, make] of CIPHERS) {
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

test('a hook that fails at any call leaves no plain byte, and all goes on after it', () => {
  for (let failing = 1; failing < 60; failing++) {
    const flash = flashOf(null)
    const hooks = chacha20poly1305Hooks(KEY)
    let calls = 0
    const fragile = sealed({
      growth: hooks.growth,
      keyId: hooks.keyId,
      knowsKey: (keyId) => hooks.knowsKey(keyId),
      before_write: (buffer, at, length, position) =>
        ++calls === failing ? ERR_HOOK : hooks.before_write(buffer, at, length, position),
      after_read: (buffer, at, length, position) => hooks.after_read(buffer, at, length, position),
    })
    const store = makeStore(flash, fragile)
    if (store.mount(CLIENT, BROKERS) !== OK) assert.equal(store.mount(CLIENT, BROKERS), OK)
    let accepted = 0
    for (let index = 0; index < 30; index++) {
      const before = Buffer.from(flash.bytes)
      const bytesBefore = calls
      const number = appendOrFail(store)
      if (number > 0) accepted++
      else assert.equal(number, ERR_HOOK)
      if (calls === failing && bytesBefore < failing && number < 0) {
        // At most what was written whole before it: a header, a CONTEXT, a TOPIC.
        assert.equal(store.log.nextNumber, accepted + 1)
        assert.ok(before.length === flash.bytes.length)
      }
      if (index % 10 === 9) store.log.writeMark(store.window)
    }
    assert.equal(Buffer.from(flash.bytes).indexOf(CANARY), -1, `call ${failing}`)
    assert.equal(Buffer.from(flash.bytes).indexOf('topic'), -1, `call ${failing}`)
    assert.ok(accepted >= 29, `${accepted} accepted`)
    assertWhole(mounted(flash, hooks), 1, accepted + 1)
  }
})

/** As `append`, and hands a failure of any step on. */
function appendOrFail(store: FlashStore): number {
  const { log } = store
  const status = log.reserve(60)
  if (status < 0) return status
  const topic = new TextEncoder().encode(`topic/${CANARY}/${log.nextNumber % 3}`)
  const topicNumber = log.topicNumber(new MessageSource(topic, new Uint8Array(0)))
  if (topicNumber < 0) return topicNumber
  const delta = log.timeDelta(1_700_000_000 + log.nextNumber)
  if (delta < 0) return delta
  const text = new TextEncoder().encode(bodyOf(log.nextNumber))
  log.buffer.set(text, log.bodyAt)
  return log.append(text.length)
}

test('hooks without a key number are refused by name, and so are those not made fit', () => {
  const made = chacha20poly1305Hooks(KEY)
  const hooks = { ...made, keyId: 0 } as unknown as SealedHooks
  assert.throws(() => makeStore(flashOf(null), hooks), /hooks.keyId is 0, not 1 to 255/)
  const { growth, keyId } = made
  const plain = { growth, keyId } as unknown as SealedHooks
  assert.throws(() => makeStore(flashOf(null), plain), /"hooks".*sealed\(hooks\)/)
})

test('no nonce repeats over thousands of power cuts, and the salt is what does it', (t) => {
  const lives = Number(process.env.HOLDFAST_NONCE_LIVES ?? 3)
  const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 0x100000000))
  const repeat = `seed ${seed}; repeat: HOLDFAST_SEED=${seed} npm test -- store/encryption.test`
  const sum = liveLives(lives, 2000, seed)
  t.diagnostic(JSON.stringify(sum))
  assert.equal(sum.repeatedNonces, 0, repeat)
  assert.equal(sum.repeatedStreams, 0, repeat)
  assert.equal(sum.lost, 0, repeat)
  assert.equal(sum.falseAlarms, 0, repeat)
  assert.ok(sum.cuts >= lives * 2000 && sum.nonces > sum.cuts, repeat)
  // Places are tried again after a cut that left no trace: without the salt each were a repeat.
  assert.ok(sum.placesAgain > 100, `${sum.placesAgain} places; ${repeat}`)
})
