/** Persistence: a key-value view of the flash log, against a Map, with power cuts. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash, PowerCut, type Random } from '../../hal/memory/index.js'
import {
  ERR_ARGUMENT,
  ERR_FOREIGN,
  ERR_FULL,
  ERR_HOOK,
  ERR_IDENTITY,
  ERR_NOT_READY,
  ERR_TOO_LARGE,
  OK,
} from '../../src/status.js'
import { FlashStore } from '../../src/storage.js'
import { Persistence, type PersistenceOptions } from '../../src/store/persistence.js'
import { sealed } from '../../src/store/seal.js'
import { seededTest } from './seed.js'
import { XorHooks } from './xor-hooks.js'

const URL = 'mqtt://broker.test:1883'
let boots = 0

function makeFlash(sectors = 12, eraseSize = 1024, writeSize = 4): NorFlash {
  return new NorFlash({ capacity: sectors * eraseSize, eraseSize, writeSize })
}

function open(flash: NorFlash, options?: PersistenceOptions): Persistence {
  const store = new Persistence(flash, new ManualSystem(++boots), options)
  assert.equal(store.open('dev', URL), OK)
  return store
}

const put = (store: Persistence, key: string, text: string) =>
  store.put(key, Buffer.from(text), 0, Buffer.byteLength(text))

function get(store: Persistence, key: string): string | number {
  const length = store.get(key)
  if (length < 0) return length
  return Buffer.from(store.buffer.slice(store.valueAt, store.valueAt + length)).toString()
}

function contents(store: Persistence): Map<string, string | number> {
  return new Map(
    store
      .keys()
      .sort()
      .map((key) => [key, get(store, key)]),
  )
}

const sorted = (map: Map<string, string>) => new Map([...map].sort())

/** One random call, on the store and, if it succeeds, on the model. */
function act(store: Persistence, model: Map<string, string>, chance: Random): () => void {
  const key = 'k' + chance.below(12)
  const dice = chance.below(100)
  let after = () => {}
  if (dice < 70) {
    const text = String(chance.below(1e9)).repeat(chance.below(10))
    after = () => void model.set(key, text)
    pending = after
    assert.equal(put(store, key, text), OK)
  } else if (dice < 92) {
    after = () => void model.delete(key)
    pending = after
    assert.equal(store.remove(key), OK)
  } else if (dice < 93) {
    after = () => model.clear()
    pending = after
    assert.equal(store.clear(), OK)
  } else {
    store.maintain()
  }
  return after
}
let pending = () => {}

describe('persistence', () => {
  it('keeps values over reboots; the calls are those of Paho', () => {
    const flash = makeFlash()
    let store = open(flash)
    assert.equal(put(store, 's-1', 'first'), OK)
    assert.equal(put(store, 's-2', 'second'), OK)
    assert.equal(put(store, 's-1', 'newer'), OK)
    assert.equal(put(store, 'empty', ''), OK)
    assert.equal(store.remove('s-2'), OK)
    assert.equal(store.remove('never'), OK)
    assert.equal(store.open('dev', URL), OK, 'open already')
    for (let boot = 0; boot < 2; boot++) {
      assert.equal(get(store, 's-1'), 'newer')
      assert.equal(get(store, 's-2'), ERR_ARGUMENT)
      assert.equal(get(store, 'empty'), '')
      assert.ok(store.contains('s-1') && !store.contains('s-2'))
      assert.deepEqual(store.keys().sort(), ['empty', 's-1'])
      store = open(flash)
    }
    assert.equal(store.clear(), OK)
    assert.deepEqual(store.keys(), [])
    assert.deepEqual(open(flash).keys(), [])
    store.close()
    assert.equal(put(store, 'x', 'y'), ERR_NOT_READY)
  })

  it('belongs to one client and broker, and is no store of messages', () => {
    const flash = makeFlash()
    put(open(flash), 'a', 'b')
    const other = new Persistence(flash, new ManualSystem(1))
    assert.equal(other.open('other', URL), ERR_IDENTITY)
    assert.equal(other.open('dev', URL + '1'), ERR_IDENTITY)
    const lanes = [{ name: '', bytes: 0, groupBytes: 0, isForOffline: false }]
    assert.equal(new FlashStore(flash, new ManualSystem(1)).mount('dev', URL, lanes), ERR_FOREIGN)
    const messages = makeFlash()
    assert.equal(new FlashStore(messages, new ManualSystem(1)).mount('dev', URL, lanes), OK)
    assert.equal(new Persistence(messages, new ManualSystem(1)).open('dev', URL), ERR_FOREIGN)
    const foreign = makeFlash()
    foreign.write(5000, new Uint8Array(8), 0, 8)
    assert.equal(new Persistence(foreign, new ManualSystem(1)).open('dev', URL), ERR_FOREIGN)
  })

  it('has limits, and a refused call changes nothing', () => {
    const flash = makeFlash()
    const store = open(flash, { keyLimit: 3, keySize: 4 })
    assert.equal(put(store, 'long-key', 'x'), ERR_ARGUMENT)
    assert.equal(put(store, '', 'x'), ERR_ARGUMENT)
    assert.equal(put(store, 'a', 'x'.repeat(store.maxRecord)), ERR_TOO_LARGE)
    for (const key of ['a', 'b', 'c']) assert.equal(put(store, key, key), OK)
    assert.equal(put(store, 'd', 'd'), ERR_FULL)
    assert.deepEqual([...contents(store)].flat().join(''), 'aabbcc')
    assert.equal(
      new Persistence(flash, new ManualSystem(1), { keyLimit: 2 }).open('dev', URL),
      ERR_FULL,
    )
    assert.throws(() => new Persistence(flash, new ManualSystem(1), { keyLimit: 0 }), /keyLimit/)
  })

  it('goes on for ever when full of live values, and refuses what does not fit', () => {
    for (const sectors of [8, 12, 64]) {
      const store = open(makeFlash(sectors), { keyLimit: 4096 })
      const value = 'v'.repeat(store.maxRecord - 8)
      let count = 0
      while (put(store, 'key' + count, value) === OK) count++
      assert.ok(count > 3 * (sectors - 8) + 3, `${count}`)
      for (let round = 0; round < count * 10; round++) {
        assert.equal(put(store, 'key' + ((round * 7) % count), value), OK)
      }
      assert.equal(put(store, 'one-more', value), ERR_FULL)
      assert.equal(store.remove('key0'), OK)
      assert.equal(put(store, 'one-more', value), OK)
    }
  })

  it('with hooks no key and no value is on flash, and a wrong key opens nothing', () => {
    const flash = makeFlash()
    const hooks = new XorHooks()
    put(open(flash, { hooks }), 'hidden-key', 'hidden-value')
    assert.equal(get(open(flash, { hooks }), 'hidden-key'), 'hidden-value')
    const bytes = new Uint8Array(flash.capacity)
    flash.read(0, bytes, 0, bytes.length)
    assert.ok(!Buffer.from(bytes).includes('hidden'))
    const wrong = sealed({
      growth: 4,
      keyId: 1,
      knowsKey: () => true,
      before_write: () => -1,
      after_read: () => -1,
    })
    const store = new Persistence(flash, new ManualSystem(1), { hooks: wrong })
    assert.equal(store.open('dev', URL), ERR_HOOK)
  })

  seededTest(
    'is as a Map, over many rounds of the ring and reboots',
    'persistence.test.js',
    (chance) => {
      for (const hooks of [undefined, new XorHooks()]) {
        const flash = makeFlash(10, 1024, [1, 4, 32][chance.below(3)])
        const options = hooks ? { hooks } : {}
        let store = open(flash, options)
        const model = new Map<string, string>()
        for (let step = 0; step < 4000; step++) {
          act(store, model, chance)()
          if (chance.below(300) === 0) store = open(flash, options)
          if (step % 50 === 0) assert.deepEqual(contents(store), sorted(model))
        }
      }
    },
  )

  seededTest('after a power cut a call happened or did not', 'persistence.test.js', (chance) => {
    const tears = ['noop', 'prefix', 'random', 'progressive', 'weak'] as const
    for (let round = 0; round < 6; round++) {
      const flash = makeFlash(10 + chance.below(4), 1024, [1, 4, 16][chance.below(3)])
      let store: Persistence | null = null
      let model = new Map<string, string>()
      for (let boot = 0; boot < 120; boot++) {
        flash.cutAt(1 + chance.below(120), tears[chance.below(5)], chance.below(1e9))
        pending = () => {}
        try {
          store = open(flash)
          for (let step = 0; step < 400; step++) {
            act(store, model, chance)()
            pending = () => {}
          }
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error
        }
        flash.powerOn()
        store = open(flash)
        const found = contents(store)
        const before = new Map(model)
        pending()
        const isDone = JSON.stringify([...found]) === JSON.stringify([...sorted(model)])
        if (!isDone) {
          assert.deepEqual(found, sorted(before))
          model = before
        }
      }
    }
  })
})
