/** The whole store: identity, owner, foreign partitions, and cuts during format and save. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Decoder } from 'cbor-x'
import { ManualSystem, NorFlash, PowerCut, type Tear } from '../../hal/memory/index.js'
import { sealed } from '../../src/store/seal.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import {
  ERR_BUSY,
  ERR_FOREIGN,
  ERR_FORMAT,
  ERR_HOOK,
  ERR_IDENTITY,
  ERR_STORAGE,
  ERR_TOO_LARGE,
  OK,
} from '../../src/status.js'
import { FlashStore } from '../../src/store/flash-store.js'
import { crc32 } from './crc32-oracle.js'
import { XorHooks } from './xor-hooks.js'

const CLIENT = 'sensor-17'
const BROKERS = 'mqtt://a.example,mqtt://b.example'
const TEARS: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']

function makeFlash(writeSize = 4, eraseSize = 1024): NorFlash {
  return new NorFlash({ capacity: eraseSize * 10, eraseSize, writeSize })
}

let bootCount = 0
function makeStore(flash: NorFlash, hooks?: SealedHooks): FlashStore {
  const options = hooks ? { hooks } : {}
  return new FlashStore(flash, new ManualSystem(++bootCount), options)
}

function mounted(flash: NorFlash, hooks?: SealedHooks): FlashStore {
  const store = makeStore(flash, hooks)
  assert.equal(store.mount(CLIENT, BROKERS), OK)
  return store
}

function append(store: FlashStore, byte: number): void {
  store.log.buffer.fill(byte, store.log.bodyAt, store.log.bodyAt + 30)
  assert.ok(store.log.append(30) > 0)
}

function cuts(work: () => void): boolean {
  try {
    work()
    return false
  } catch (error) {
    if (error instanceof PowerCut) return true
    throw error
  }
}

test('all fields of the session state survive a boot', () => {
  for (const hooks of [undefined, new XorHooks()]) {
    const flash = makeFlash()
    const store = mounted(flash, hooks)
    assert.ok(store.identity.includes(CLIENT))
    assert.equal(store.state.recovered, false)
    for (const id of [1, 500, 65535]) store.state.inbound.add(id)
    store.state.owed.add(4660)
    store.state.lanes[0]!.dropped.set([1, 2, 0xffffffff, 70000, 5, 6])
    store.state.sessionMayExist = true
    assert.equal(store.state.save(), OK)
    const { state } = mounted(flash, hooks)
    assert.deepEqual([...state.inbound.packetIds.subarray(0, state.inbound.count)], [1, 500, 65535])
    assert.deepEqual([...state.owed.packetIds.subarray(0, state.owed.count)], [4660])
    assert.deepEqual([...state.lanes[0]!.dropped], [1, 2, 0xffffffff, 70000, 5, 6])
    assert.equal(state.sessionMayExist, true)
    assert.equal(state.recovered, false)
  }
})

test('the state is one CBOR map that cbor-x reads', () => {
  const flash = makeFlash()
  const store = mounted(flash)
  store.state.inbound.add(258)
  store.state.save()
  // Behind the header stand the state of the mount and the one saved.
  const length = (at: number): number => ((flash.bytes[at + 4] & 31) << 8) | flash.bytes[at + 5]
  const second = 24 + ((6 + length(24) + 3) & ~3)
  const body = flash.bytes.subarray(second + 6, second + 6 + length(second))
  const map = new Decoder({ mapsAsObjects: false }).decode(body) as Map<number, unknown>
  assert.deepEqual([...map.keys()], [1, 2, 3, 5, 4, 7, 6, 8])
  assert.equal(map.get(1), CLIENT)
  assert.equal(map.get(2), BROKERS)
  assert.deepEqual([...(map.get(4) as Uint8Array[])[1]], [1, 2])
  assert.deepEqual(map.get(6), [0, 0, 0, 0, 0, 0])
  assert.equal(map.get(7), '')
  assert.deepEqual(
    (map.get(8) as Uint8Array[]).map((mark) => mark.length),
    [0],
  )
})

test('another client identifier or broker set is refused, named, and writes nothing', () => {
  const flash = makeFlash()
  append(mounted(flash), 1)
  const image = Buffer.from(flash.bytes)
  for (const [client, brokers] of [
    ['sensor-18', BROKERS],
    [CLIENT, 'mqtt://a.example'],
  ]) {
    const store = makeStore(flash)
    assert.equal(store.mount(client, brokers), ERR_IDENTITY)
    assert.ok(store.identity.includes(CLIENT))
  }
  assert.deepEqual(Buffer.from(flash.bytes), image)
  assert.equal(mounted(flash).log.nextNumber, 2)
})

test('a partition with anything foreign in it is refused and left as it is', () => {
  for (const at of [1024, 5000, 10239]) {
    const flash = makeFlash(1)
    flash.write(at, Uint8Array.from([0x42]), 0, 1)
    const image = Buffer.from(flash.bytes)
    assert.equal(makeStore(flash).mount(CLIENT, BROKERS), ERR_FOREIGN, `at ${at}`)
    assert.deepEqual(Buffer.from(flash.bytes), image)
    assert.equal(makeStore(flash).format(), OK)
    mounted(flash)
  }
})

test('a store of a newer format is refused by that name', () => {
  for (const sector of [0, 4]) {
    const flash = makeFlash(1)
    const header = Buffer.from('48460201' + '00000001'.repeat(4) + '00000000', 'hex')
    header.writeUInt32BE(crc32(header.subarray(0, 20)), 20)
    flash.write(sector * 1024, header, 0, 24)
    assert.equal(makeStore(flash).mount(CLIENT, BROKERS), ERR_FORMAT)
  }
})

test('a second opener takes the store over, and the first finds out at its next save', () => {
  for (const fill of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
    const flash = makeFlash(4, 512)
    const first = mounted(flash)
    for (let i = 0; i < fill; i++) assert.equal(first.state.save(), OK)
    assert.equal(first.mount(CLIENT, BROKERS), ERR_BUSY)
    assert.equal(first.format(), ERR_BUSY)
    const second = mounted(flash)
    const image = Buffer.from(flash.bytes)
    assert.equal(first.state.save(), ERR_BUSY, `after ${fill} saves`)
    assert.deepEqual(Buffer.from(flash.bytes), image)
    for (let i = 0; i < 20; i++) {
      assert.equal(second.state.save(), OK)
      assert.equal(first.state.save(), ERR_BUSY)
    }
  }
})

test('a store can be given back and mounted again', () => {
  const flash = makeFlash()
  const store = mounted(flash)
  append(store, 3)
  store.unmount()
  assert.equal(store.mount(CLIENT, BROKERS), OK)
  assert.equal(store.log.nextNumber, 2)
})

test('no cut during format and the first mount makes a partition unusable', () => {
  for (const hooks of [undefined, new XorHooks()]) {
    for (let operation = 1; ; operation++) {
      let isCut = false
      for (const tear of TEARS) {
        for (let seed = 1; seed <= 5; seed++) {
          const flash = makeFlash(4)
          flash.cutAt(operation, tear, seed)
          if (!cuts(() => makeStore(flash, hooks).mount(CLIENT, BROKERS))) continue
          isCut = true
          flash.powerOn()
          append(mounted(flash, hooks), 1)
          assert.equal(mounted(flash, hooks).log.nextNumber, 2)
        }
      }
      if (!isCut) break
    }
  }
})

test('a cut during save leaves the old state or the new one, at every write size', () => {
  for (const writeSize of [1, 4, 16, 32]) {
    for (const hooks of [undefined, new XorHooks()]) {
      for (let operation = 1; operation < 40; operation++) {
        for (const tear of TEARS) {
          const flash = makeFlash(writeSize, 512)
          const store = mounted(flash, hooks)
          let saved = 0
          flash.cutAt(operation, tear, operation)
          assert.ok(
            cuts(() => {
              for (let value = 1; value < 100; value++) {
                store.state.lanes[0]!.dropped[0] = value
                assert.equal(store.state.save(), OK)
                saved = value
              }
            }),
          )
          flash.powerOn()
          // A second cut, while the new owner is written.
          flash.cutAt(1 + (operation % 3), tear, operation + 1)
          cuts(() => makeStore(flash, hooks).mount(CLIENT, BROKERS))
          flash.powerOn()
          const again = mounted(flash, hooks)
          const found = again.state.lanes[0]!.dropped[0]
          assert.ok(found === saved || found === saved + 1, `${found} after ${saved}`)
          assert.equal(again.state.recovered, false)
          assert.equal(again.state.save(), OK)
        }
      }
    }
  }
})

test('messages outlive a session state that cannot be read', () => {
  const flash = makeFlash(1)
  const store = mounted(flash)
  for (let i = 0; i < 50; i++) append(store, i)
  for (let at = 0; at < 2048; at += 97) flash.bytes[at] ^= 0x55
  flash.bytes.fill(0, 0, 24)
  flash.bytes.fill(0, 1024, 1048)
  const again = mounted(flash)
  assert.equal(again.state.recovered, true)
  for (let number = 1; number <= 50; number++) {
    assert.equal(again.log.advance(), number)
    assert.equal(again.log.load(), OK)
    assert.equal(again.log.buffer[again.log.loadedAt], number - 1)
  }
  assert.equal(mounted(flash).state.recovered, false)
})

/** The mark of a queue that has dropped all before `base`. */
function saveBase(store: FlashStore, base: number): void {
  store.window.moveBase(base)
  store.log.skipTo(base)
  store.state.lanes[0]!.attach(store.window, store.log)
  store.state.lanes[0]!.takeMark()
  assert.equal(store.state.save(), OK)
}

test('what was dropped stays dropped, and its numbers are not used again', () => {
  const flash = makeFlash()
  const store = mounted(flash)
  for (let i = 0; i < 10; i++) append(store, i)
  saveBase(store, 7)
  const again = mounted(flash)
  assert.equal(again.window.base, 7)
  assert.equal(again.log.advance(), 7)
  saveBase(again, 40)
  const third = mounted(flash)
  assert.equal(third.log.nextNumber, 40)
  append(third, 1)
  const fourth = mounted(flash)
  assert.equal(fourth.log.advance(), 40)
  assert.equal(fourth.log.skippedCount, 0)
})

test('another key is refused as such, and a failing hook writes nothing', () => {
  const flash = makeFlash()
  const hooks = new XorHooks()
  const store = mounted(flash, hooks)
  append(store, 9)
  const image = Buffer.from(flash.bytes)
  const refusing = sealed({
    growth: 4,
    keyId: 1,
    knowsKey: () => true,
    before_write: () => ERR_HOOK,
    after_read: () => ERR_HOOK,
  })
  assert.equal(makeStore(flash, refusing).mount(CLIENT, BROKERS), ERR_HOOK)
  hooks.fails = true
  assert.equal(store.state.save(), ERR_HOOK)
  assert.deepEqual(Buffer.from(flash.bytes), image)
})

test('storage that cannot be read is not taken for blank or foreign', () => {
  const flash = makeFlash()
  append(mounted(flash), 1)
  const image = Buffer.from(flash.bytes)
  const read = flash.read.bind(flash)
  for (let good = 0; good < 12; good++) {
    let left = good
    flash.read = (address, target, targetAt, length) =>
      left-- > 0 ? read(address, target, targetAt, length) : ERR_STORAGE
    const status = makeStore(flash).mount(CLIENT, BROKERS)
    if (status === OK) break
    assert.equal(status, good < 12 ? status : OK)
    assert.ok(status === ERR_STORAGE || status === ERR_BUSY, `${status} after ${good} reads`)
    assert.deepEqual(Buffer.from(flash.bytes), image)
  }
  flash.read = read
  assert.equal(mounted(flash).log.nextNumber, 2)
})

test('impossible geometry, options and identities are named', () => {
  const system = new ManualSystem(1)
  const small = new NorFlash({ capacity: 7 * 512, eraseSize: 512 })
  assert.throws(() => new FlashStore(small, system), /capacity \/ eraseSize is 7, not 8 to/)
  const flash = makeFlash()
  assert.throws(() => new FlashStore(flash, system, { bufferSize: 100 }), /bufferSize is 100/)
  assert.throws(() => new FlashStore(flash, system, { maxTopic: 1.5 }), /maxTopic is 1.5/)
  const odd = { ...flash, eraseSize: 768, capacity: 7680 } as NorFlash
  assert.throws(() => new FlashStore(odd, system), /eraseSize 768 is not a power of two/)
  assert.equal(new FlashStore(flash, system).mount('x'.repeat(900), ''), ERR_TOO_LARGE)
  assert.equal(flash.counters.writes + flash.counters.erases, 0)
})
