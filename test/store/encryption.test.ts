/**
 * A store behind ChaCha20-Poly1305 in daily life: restarts, keys that change, hooks that fail, and
 * nothing in the clear. HOLDFAST_NONCE_LIVES (default 3): so many devices for the nonce log.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { MessageSource } from '../../src/store/message-record.js'
import { sealed } from '../../src/store/seal.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import { ERR_HOOK, OK } from '../../src/status.js'
import type { FlashStore } from '../../src/store/flash-store.js'
import { assertWhole, testCipher } from './cipher-tests.js'
import { BROKERS, CANARY, CLIENT, KEY, bodyOf } from './encryption-rig.js'
import { flashOf, makeStore, mounted } from './encryption-rig.js'
import { liveLives } from './nonce-lives.js'

testCipher('ChaCha20-Poly1305', chacha20poly1305Hooks)

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
