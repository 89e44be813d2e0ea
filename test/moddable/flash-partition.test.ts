/** FlashPartition over a fake of the platform's flash: the contract, and what is Moddable's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { ManualSystem } from '../../hal/memory/index.js'
import { FlashPartition } from '../../hal/moddable/flash-partition.js'
import type { PartitionOptions } from '../../hal/moddable/flash-partition.js'
import { Scratch } from '../../hal/moddable/scratch.js'
import type { ReadWriteStorage } from '../../hal/storage.js'
import { ERR_STORAGE, OK } from '../../src/status.js'
import { MqttClient } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { ScriptedTransport } from '../../hal/memory/index.js'
import { storageContract } from '../hal/storage-contract.js'
import { FakeFlash } from './fake-flash.js'
import type { FakeFlashOptions } from './fake-flash.js'

const GEOMETRY = { capacity: 32 * 4096, eraseSize: 4096, writeSize: 1 }
const system = new ManualSystem(1)

function partition(flash: FakeFlash, options?: PartitionOptions, size = 512): FlashPartition {
  return new FlashPartition(flash, system, new Scratch(size), options)
}

/** The chip's refusals come back as a status: the contract's tests want them thrown. */
class Strict implements ReadWriteStorage {
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  private readonly inner: FlashPartition

  constructor(inner: FlashPartition) {
    this.inner = inner
    this.capacity = inner.capacity
    this.eraseSize = inner.eraseSize
    this.writeSize = inner.writeSize
    this.eraseBlockSize = inner.eraseBlockSize
  }
  read(address: number, target: Uint8Array, at: number, length: number): number {
    return this.strict(this.inner.read(address, target, at, length))
  }
  write(address: number, source: Uint8Array, at: number, length: number): number {
    return this.strict(this.inner.write(address, source, at, length))
  }
  erase(address: number, length: number): number {
    return this.strict(this.inner.erase(address, length))
  }
  private strict(status: number): number {
    if (status === ERR_STORAGE) throw new Error(this.inner.trouble)
    return status
  }
}

for (const writeSize of [1, 4, 16, 32]) {
  // A scratch of odd size: parts have to end at write units all the same.
  storageContract('FlashPartition', 'flash-partition.test.js', writeSize, (geometry) => {
    const flash = new FakeFlash(geometry)
    return new Strict(partition(flash, { writeSize }, 331))
  })
}

test('64 KB are erased by one call of the platform', () => {
  const flash = new FakeFlash(GEOMETRY)
  const storage = partition(flash)
  assert.equal(storage.eraseBlockSize, 65536)
  assert.equal(storage.erase(65536, 65536), OK)
  assert.deepEqual(
    flash.calls.filter((call) => call.startsWith('erase')),
    ['erase 16-32'],
  )
})

test('the platform is given whole buffers of the length that is meant, never more', () => {
  const flash = new FakeFlash(GEOMETRY)
  const storage = partition(flash)
  storage.write(100, new Uint8Array(1300), 7, 1200)
  storage.read(90, new Uint8Array(1300), 7, 1200)
  assert.deepEqual(flash.calls, [
    'write 100+512',
    'write 612+512',
    'write 1124+176',
    'read 90+512',
    'read 602+512',
    'read 1114+176',
  ])
})

test('what the platform tells is used, and what it does not tell has a default', () => {
  const telling = new FakeFlash({ ...GEOMETRY, writeSize: 16, tells: true })
  assert.equal(partition(telling).writeSize, 16)
  assert.equal(partition(telling, { writeSize: 32 }).writeSize, 32)
  assert.throws(() => partition(telling, { writeSize: 4 }), /writeSize 4, but the flash wants 16/)
  assert.equal(partition(new FakeFlash(GEOMETRY)).writeSize, 1)
  assert.throws(() => partition(new FakeFlash(GEOMETRY), { writeSize: 12 }), /writeSize 12/)
  const zeros = new FakeFlash({ ...GEOMETRY, tells: true, eraseValue: 0 })
  assert.throws(() => partition(zeros), /erased flash reads 0, it must be 255/)
})

test('a throw of the platform is ERR_STORAGE, and its words are kept', () => {
  const flash = new FakeFlash(GEOMETRY)
  const storage = partition(flash)
  flash.failure = 'erase failed'
  assert.equal(storage.erase(0, 4096), ERR_STORAGE)
  assert.equal(storage.trouble, 'Error: erase failed')
  flash.failure = 'write failed'
  assert.equal(storage.write(0, new Uint8Array(8), 0, 8), ERR_STORAGE)
  flash.failure = 'read failed'
  assert.equal(storage.read(0, new Uint8Array(8), 0, 8), ERR_STORAGE)
  flash.failure = ''
  assert.equal(storage.write(0, new Uint8Array(8), 0, 8), OK, 'the scratch is whole again')
})

test('a partition flagged "encrypted" is refused at its first erase, with the remedy', () => {
  const flash = new FakeFlash({ ...GEOMETRY, writeSize: 16, isEncrypted: true })
  const storage = partition(flash, { writeSize: 16 })
  assert.equal(storage.write(0, new Uint8Array(32), 0, 32), OK)
  assert.equal(storage.erase(0, 4096), ERR_STORAGE)
  assert.match(storage.trouble, /take the flag "encrypted" from the partition table/)
})

/** A client on the flash given, whose messages wait for a broker. */
function client(options: FakeFlashOptions, flash: FakeFlash): MqttClient {
  const storage = partition(flash, { writeSize: options.writeSize })
  return new MqttClient({
    system,
    transport: new ScriptedTransport(),
    storage: new FlashStore(storage, system, { hooks: chacha20poly1305Hooks(new Uint8Array(32)) }),
    broker: 'mqtt://broker.example',
    clientId: 'board',
  })
}

for (const writeSize of [1, 16]) {
  test(`messages survive a reboot, encrypted by the hooks, writeSize ${writeSize}`, () => {
    const options = { ...GEOMETRY, writeSize }
    const flash = new FakeFlash(options)
    const first = client(options, flash)
    for (let n = 0; n < 300; n++) assert.ok(first.publish('a/b', 'reading ' + n, { qos: 1 }) > 0)
    assert.equal(client(options, flash).stats.queued, 300)
    assert.ok(!Buffer.from(flash.chip.bytes).includes('reading'))
  })
}
