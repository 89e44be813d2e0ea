/** StoragePart: the storage contract, and stores beside each other on one chip. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualSystem, NorFlash, PowerCut } from '../../hal/memory/index.js'
import { StoragePart } from '../../hal/storage-part.js'
import { FlashStore } from '../../src/storage.js'
import { OK } from '../../src/status.js'
import { Persistence } from '../../src/store/persistence.js'
import { steadyRows } from '../bench/steady-rows.js'
import { Desk } from '../session/desk.js'
import { type Geometry, storageContract } from './storage-contract.js'

const SECTOR = 4096
const BLOCK = 65536

for (const writeSize of [1, 4, 16, 32]) {
  const make = (geometry: Geometry): StoragePart => {
    const { capacity, eraseSize } = geometry
    // In the middle of a flash that is twice as large.
    const flash = new NorFlash({ ...geometry, capacity: 2 * capacity })
    flash.bytes.fill(0, 0, eraseSize)
    flash.bytes.fill(0, eraseSize + capacity)
    return new StoragePart(flash, eraseSize, capacity)
  }
  storageContract('StoragePart', 'storage-part.test.js', writeSize, make, 512)
}

test('a part that is no whole sectors of the flash is refused, and named', () => {
  const flash = new NorFlash({ capacity: 4 * BLOCK, eraseSize: SECTOR, writeSize: 4 })
  const wrong: [number, number, RegExp][] = [
    [100, SECTOR, /start is 100, it must be whole sectors of 4096 bytes/],
    [-SECTOR, SECTOR, /start is -4096/],
    [NaN, SECTOR, /start is NaN/],
    ['0' as unknown as number, SECTOR, /start is 0/],
    [0, SECTOR + 1, /size is 4097/],
    [0, 0, /size is 0/],
    [undefined as unknown as number, SECTOR, /start is undefined/],
    [0, undefined as unknown as number, /size is undefined/],
    [SECTOR, 4 * BLOCK, /it ends at 266240, the flash at 262144/],
  ]
  for (const [start, size, words] of wrong) {
    assert.throws(() => new StoragePart(flash, start, size), words)
  }
})

test('its largest erase is one that is aligned on the chip too', () => {
  const flash = new NorFlash({
    capacity: 4 * BLOCK,
    eraseSize: SECTOR,
    writeSize: 4,
    eraseBlockSize: BLOCK,
  })
  for (const [start, block] of [
    [0, BLOCK],
    [BLOCK, BLOCK],
    [BLOCK / 2, BLOCK / 2],
    [3 * SECTOR, SECTOR],
    [6 * SECTOR, 2 * SECTOR],
  ] as const) {
    assert.equal(new StoragePart(flash, start, BLOCK).eraseBlockSize, block)
  }
})

test('messages of two clients and values share a chip through power cuts', () => {
  let cuts = 0
  for (let operation = 1; operation < 60; operation++) {
    const flash = new NorFlash({ capacity: 32 * SECTOR, eraseSize: SECTOR, writeSize: 4 })
    const system = new ManualSystem(operation)
    const client = (place: number, clientId: string): Desk => {
      const storage = new FlashStore(new StoragePart(flash, place * SECTOR, 12 * SECTOR), system)
      return new Desk({ storage, clientId }, system)
    }
    const values = (): Persistence => {
      const store = new Persistence(new StoragePart(flash, 24 * SECTOR, 8 * SECTOR), system)
      assert.equal(store.open('values', 'mqtt://broker'), OK)
      return store
    }
    const accepted: string[][] = [[], []]
    let kept = -1
    const act = (): void => {
      const desks = [client(0, 'first'), client(12, 'second')]
      const store = values()
      for (let n = 0; n < 12; n++) {
        for (const [at, desk] of desks.entries()) {
          if (desk.client.publish('t', `${at}.${n}`, { qos: 1 }) > 0)
            accepted[at]!.push(`${at}.${n}`)
        }
        if (store.put('n', Uint8Array.of(n), 0, 1) === OK) kept = n
      }
    }
    flash.cutAt(operation, 'random', operation)
    try {
      act()
    } catch (error) {
      assert.ok(error instanceof PowerCut)
      cuts++
    }
    flash.powerOn()
    for (const [at, clientId] of ['first', 'second'].entries()) {
      const desk = client(at * 12, clientId)
      desk.connect()
      const sent = desk.sent().map(({ payload }) => String(payload))
      // What was interrupted happened or did not.
      assert.deepEqual(sent.slice(0, accepted[at]!.length), accepted[at])
      assert.ok(sent.length <= accepted[at]!.length + 1)
    }
    const store = values()
    const length = store.get('n')
    const found = length < 0 ? -1 : store.buffer[store.valueAt]!
    assert.ok(found === kept || found === kept + 1, `${found} after ${kept}`)
  }
  assert.ok(cuts > 40, `${cuts} cuts`)
})

const rows = steadyRows(
  "export { StoragePart } from './hal/storage-part.js'",
  '../hal/storage-part-firmware',
)

test('on XS no call of a part allocates anything', async (context) => {
  const all = await rows(context)
  if (!all) return
  assert.deepEqual(
    all.map(({ name, operations, slots, chunks, bytes }) => [
      name,
      operations,
      slots,
      chunks,
      bytes,
    ]),
    [
      ['erase', 100, 0, 0, 0],
      ['write', 100, 0, 0, 0],
      ['read', 100, 0, 0, 0],
    ],
  )
})

test('a call adds its address and nothing else: no view, no copy', () => {
  const calls: unknown[][] = []
  const note =
    (name: string) =>
    (...values: unknown[]): number => {
      calls.push([name, ...values])
      return -7
    }
  const geometry = { capacity: 8192, eraseSize: 512, writeSize: 4, eraseBlockSize: 4096 }
  const flash = { ...geometry, read: note('read'), write: note('write'), erase: note('erase') }
  const part = new StoragePart(flash, 1024, 2048)
  const bytes = new Uint8Array(16)
  assert.equal(part.read(5, bytes, 3, 7), -7)
  assert.equal(part.write(8, bytes, 4, 8), -7)
  assert.equal(part.erase(512, 1024), -7)
  assert.deepEqual(calls, [
    ['read', 1029, bytes, 3, 7],
    ['write', 1032, bytes, 4, 8],
    ['erase', 1536, 1024],
  ])
  assert.equal(calls[0]![2], bytes)
})
