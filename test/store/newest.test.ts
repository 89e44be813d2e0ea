/** The newest message is taken from the buffer it was built in, while it stands there whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { OK } from '../../src/status.js'
import { FlashStore } from '../../src/store/flash-store.js'
import type { OutgoingLog } from '../../src/store/outgoing-log.js'
import { XorHooks } from './xor-hooks.js'

const BODY = 100

function makeStore(hasHooks: boolean, names: string[]): { flash: NorFlash; store: FlashStore } {
  const flash = new NorFlash({ capacity: 65536, writeSize: 4 })
  const options = hasHooks ? { hooks: new XorHooks() } : {}
  const store = new FlashStore(flash, new ManualSystem(3), options)
  const lanes = names.map((name) => ({ name, bytes: 0, groupBytes: 0, isForOffline: false }))
  assert.equal(store.mount('c', 'mqtt://b', lanes), OK)
  return { flash, store }
}

function append(log: OutgoingLog, byte: number): void {
  assert.equal(log.reserve(BODY), OK)
  log.buffer.fill(byte, log.bodyAt, log.bodyAt + BODY)
  assert.ok(log.append(BODY) > 0)
}

function load(log: OutgoingLog): number {
  assert.equal(log.load(), OK)
  assert.equal(log.loadedLength, BODY)
  const body = log.buffer.subarray(log.loadedAt, log.loadedAt + BODY)
  assert.ok(body.every((byte) => byte === body[0]))
  return body[0]
}

for (const hasHooks of [false, true]) {
  const behind = hasHooks ? ', behind hooks too' : ''
  test(`the newest message is loaded without a read${behind}`, () => {
    const { flash, store } = makeStore(hasHooks, [''])
    const { log } = store
    const bytesRead = (): number => {
      const before = flash.counters.readBytes
      assert.ok(log.advance() > 0)
      const moved = flash.counters.readBytes
      assert.ok(moved - before < BODY, 'moving reads a header only')
      assert.ok(load(log) > 0)
      return flash.counters.readBytes - moved
    }
    append(log, 1)
    assert.equal(bytesRead(), 0)
    append(log, 2)
    append(log, 3)
    assert.ok(bytesRead() > BODY, 'the second is not the newest')
    assert.ok(bytesRead() > BODY, 'the buffer holds the second now')
  })
}

test('what was begun and not written is not taken for the newest message', () => {
  const { log } = makeStore(false, ['']).store
  append(log, 1)
  assert.equal(log.reserve(BODY), OK)
  log.buffer.fill(9, log.bodyAt, log.bodyAt + BODY)
  assert.ok(log.advance() > 0)
  assert.equal(load(log), 1)
})

test('a message of another lane at the same place is not taken for ours', () => {
  const { store } = makeStore(false, ['first', 'second'])
  const [first, second] = store.lanes.map(({ log }) => log)
  assert.equal(first.buffer, second.buffer)
  append(first, 1)
  append(second, 2)
  assert.equal(first.advance(), second.advance(), 'they have the same number')
  assert.equal(load(first), 1)
  assert.equal(load(second), 2)
})
