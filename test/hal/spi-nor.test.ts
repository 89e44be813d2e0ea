/** SpiNor over a model of its chip: the storage contract, then what a datasheet asks. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ManualSystem, NorFlash, PowerCut } from '../../hal/memory/index.js'
import type { SpiNorChip } from '../../hal/memory/index.js'
import type { SpiBus } from '../../hal/spi-nor/index.js'
import { ERR_STORAGE, OK } from '../../src/status.js'
import { randomBytes, seededTest } from './seed.js'
import {
  open,
  openMegabyte,
  requireNoViolation,
  setUp,
  smallDriver,
  w25q128,
} from './spi-nor-rig.js'
import { storageContract } from './storage-contract.js'

const FILE = 'spi-nor.test.js'
const contractChips: SpiNorChip[] = []

for (const writeSize of [1, 4, 16, 32]) {
  storageContract('SpiNor', FILE, writeSize, (geometry) =>
    smallDriver(new NorFlash(geometry), new ManualSystem(1), contractChips),
  )
}

after(() => requireNoViolation(...contractChips))

seededTest('a write over pages arrives whole, whatever it begins and ends with', FILE, (chance) => {
  const setup = w25q128()
  const flash = openMegabyte(setup)
  const expected = new Uint8Array(8 * 4096).fill(0xff)
  let at = 0
  while (at < expected.length) {
    const length = Math.min(1 + chance.below(900), expected.length - at)
    const bytes = randomBytes(chance, length + 3)
    assert.equal(flash.write(at, bytes, 3, length), OK)
    expected.set(bytes.subarray(3), at)
    at += length + chance.below(40)
  }
  const actual = new Uint8Array(expected.length)
  assert.equal(flash.read(0, actual, 0, actual.length), OK)
  assert.deepEqual(actual, expected)
  requireNoViolation(setup.chip)
})

test('a page program is used once for each page that a write touches', () => {
  const setup = w25q128()
  const flash = openMegabyte(setup)
  flash.write(250, new Uint8Array(600), 0, 600)
  // 6 bytes, 256, 256, and 82.
  assert.equal(setup.chip.counts[0x02], 4)
  assert.equal(setup.chip.counts[0x06], 4)
  requireNoViolation(setup.chip)
})

test('an erase takes the largest command at each place, aligned on the chip', () => {
  const start = 0x108000
  const setup = w25q128(start)
  const flash = openMegabyte(setup, start)
  assert.equal(flash.eraseBlockSize, 32768, '64 KB do not align with where the partition begins')
  flash.write(0, new Uint8Array(0x30000), 0, 0x30000)
  assert.equal(flash.erase(4096, 0x21000), OK)
  // 7 sectors up to 0x110000, 64 KB, 32 KB, and 2 sectors.
  assert.deepEqual(
    [0x20, 0x52, 0xd8].map((command) => setup.chip.counts[command]),
    [9, 1, 1],
  )
  const blank = setup.flash.bytes.map((byte) => (byte === 0xff ? 1 : 0))
  assert.equal(blank.indexOf(1), 4096)
  assert.equal(blank.indexOf(0, 4096), 4096 + 0x21000)
  requireNoViolation(setup.chip)
})

test('one call erases 64 KB by one command where the partition is aligned to it', () => {
  const setup = w25q128(0x10000)
  const flash = openMegabyte(setup, 0x10000)
  assert.equal(flash.eraseBlockSize, 65536)
  assert.equal(flash.erase(0, 0x100000), OK)
  assert.deepEqual(
    [0x20, 0x52, 0xd8].map((command) => setup.chip.counts[command]),
    [0, 0, 16],
  )
  requireNoViolation(setup.chip)
})

test('nothing of the chip outside of start and size is read, written or erased', () => {
  const setup = w25q128(0x200000)
  const flash = openMegabyte(setup, 0x200000)
  assert.equal(flash.capacity, 0x100000)
  assert.equal(flash.chipCapacity, 0x1000000)
  const bytes = new Uint8Array(4096)
  assert.equal(flash.write(0, bytes, 0, 300), OK)
  assert.equal(flash.write(0xffe00, bytes, 0, 512), OK)
  assert.equal(flash.erase(0, 0x100000), OK)
  assert.equal(flash.read(0xff000, bytes, 0, 4096), OK)
  assert.throws(() => flash.write(0xfff00, bytes, 0, 257), /range outside the capacity of 1048576/)
  assert.throws(() => flash.read(-1, bytes, 0, 1), /range outside/)
  assert.throws(() => flash.erase(0x100000, 4096), /range outside/)
  requireNoViolation(setup.chip)
})

test('a chip that is busy beyond its longest time is an error, and works again when done', () => {
  const setup = w25q128()
  const flash = openMegabyte(setup)
  const bytes = new Uint8Array(256)
  // 668 us as they should be; 3 ms are the longest the datasheet allows.
  setup.chip.slowness = 4
  assert.equal(flash.write(0, bytes, 0, 256), OK)
  setup.chip.slowness = 6
  const before = setup.system.now()
  assert.equal(flash.write(256, bytes, 0, 256), ERR_STORAGE)
  assert.ok(setup.system.now() - before < 3.2, 'waits as long as the datasheet says, not longer')
  const late = setup.system.now()
  assert.equal(flash.read(0, bytes, 0, 256), ERR_STORAGE)
  assert.equal(flash.erase(4096, 4096), ERR_STORAGE)
  assert.ok(setup.system.now() - late < 0.1, 'does not wait again')
  setup.system.advance(10)
  setup.chip.slowness = 1
  assert.equal(flash.read(0, bytes, 0, 256), OK)
  setup.chip.slowness = 8
  assert.equal(flash.erase(4096, 4096), OK)
  setup.chip.slowness = 9
  assert.equal(flash.erase(4096, 4096), ERR_STORAGE)
  requireNoViolation(setup.chip)
})

test('with a clock that stands still the wait still ends', () => {
  const setup = w25q128()
  const still = new ManualSystem(2)
  const flash = open({ ...setup, system: still }, { size: 0x100000, pause: () => {} })
  setup.chip.slowness = Infinity
  assert.equal(flash.write(0, new Uint8Array(1), 0, 1), ERR_STORAGE)
  assert.equal(flash.erase(0, 4096), ERR_STORAGE)
  assert.equal(still.now(), 0)
})

for (const floating of [0x00, 0xff]) {
  test(`a chip that vanishes, its line at ${floating}, fails what changes it`, () => {
    const setup = w25q128()
    const flash = openMegabyte(setup)
    const bytes = new Uint8Array(16)
    assert.equal(flash.write(0, bytes, 0, 16), OK)
    setup.chip.floating = floating
    setup.chip.isAbsent = true
    assert.equal(flash.write(16, bytes, 0, 16), ERR_STORAGE)
    assert.equal(flash.erase(0, 4096), ERR_STORAGE)
    assert.equal(flash.sleep(), OK)
    assert.equal(flash.wake(), ERR_STORAGE)
    setup.chip.isAbsent = false
    assert.equal(flash.write(16, bytes, 0, 16), OK)
    requireNoViolation(setup.chip)
  })
}

test('a write that the chip takes and does not carry out is an error', () => {
  const setup = w25q128()
  const flash = openMegabyte(setup)
  // Somebody else protects the chip behind the driver's back.
  setup.chip.registers[0] = 0x04
  assert.equal(flash.write(0, new Uint8Array(16), 0, 16), ERR_STORAGE)
  assert.equal(flash.erase(0, 4096), ERR_STORAGE)
  setup.chip.registers[0] = 0
  assert.equal(flash.write(0, new Uint8Array(16), 0, 16), OK)
})

test('deep power-down ends by itself at the next operation, and by wake', () => {
  const setup = w25q128()
  const flash = openMegabyte(setup)
  const bytes = new Uint8Array(4)
  assert.equal(flash.sleep(), OK)
  assert.equal(flash.sleep(), OK)
  assert.ok(setup.chip.isAsleep)
  assert.equal(flash.write(0, bytes, 0, 4), OK)
  assert.ok(!setup.chip.isAsleep)
  for (const operation of [
    () => flash.read(0, bytes, 0, 4),
    () => flash.erase(0, 4096),
    () => flash.wake(),
  ]) {
    flash.sleep()
    assert.equal(operation(), OK)
    assert.ok(!setup.chip.isAsleep)
  }
  assert.equal(setup.chip.counts[0xb9], 4)
  requireNoViolation(setup.chip)
})

test('after a reset of the processor alone the driver wakes the chip, or waits for it', () => {
  const setup = w25q128()
  const first = openMegabyte(setup)
  first.sleep()
  openMegabyte(setup)
  assert.ok(!setup.chip.isAsleep)
  // An erase of 64 KB, and the processor is gone before it ends.
  setup.chip.slowness = 10
  const dying: SpiBus = {
    send: (source, at, length) => setup.chip.send(source, at, length),
    receive: (target, at, length) => setup.chip.receive(target, at, length),
    end: () => {
      setup.chip.end()
      if (setup.chip.isBusy) throw new Error('reset')
    },
  }
  assert.throws(() => openMegabyte(setup, 0, dying).erase(0, 65536), /reset/)
  assert.ok(setup.chip.isBusy)
  const flash = openMegabyte(setup)
  assert.equal(flash.write(0, new Uint8Array(4), 0, 4), OK)
  requireNoViolation(setup.chip)
})

test('a power cut in the second page of a write leaves the first whole and the third blank', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const setup = w25q128()
    const flash = openMegabyte(setup)
    setup.flash.cutAt(2, 'random', seed)
    assert.throws(() => flash.write(128, new Uint8Array(600), 0, 600), PowerCut)
    setup.flash.powerOn()
    setup.chip.resetPower()
    const bytes = setup.flash.bytes
    assert.ok(bytes.subarray(128, 256).every((byte) => byte === 0))
    assert.ok(bytes.subarray(256, 512).some((byte) => byte !== 0))
    assert.ok(bytes.subarray(512, 728).every((byte) => byte === 0xff))
    const again = openMegabyte(setup)
    assert.equal(again.erase(0, 4096), OK)
    assert.equal(again.write(128, new Uint8Array(600), 0, 600), OK)
    requireNoViolation(setup.chip)
  }
})

test('a large chip is reached above 16 MB in its mode for 4 bytes, which a chip reset ends', () => {
  for (const hasFourByteCommands of [false, true]) {
    const flashAt = 0x1000000 - 8192
    const chipOptions = { id: 0xef4019, capacity: 0x2000000, flashAt, hasFourByteCommands }
    const setup = setUp({ capacity: 16384 }, chipOptions)
    const flash = open(setup, { start: flashAt, size: 16384 })
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i)
    assert.equal(flash.write(8192 - 500, bytes, 0, 1000), OK)
    setup.chip.resetPower()
    assert.equal(flash.write(8192 + 600, bytes, 0, 10), OK)
    const back = new Uint8Array(1000)
    setup.chip.resetPower()
    assert.equal(flash.read(8192 - 500, back, 0, 1000), OK)
    assert.deepEqual(back, bytes)
    setup.chip.resetPower()
    assert.equal(flash.erase(4096, 8192), OK)
    assert.ok(setup.flash.bytes.every((byte) => byte === 0xff))
    requireNoViolation(setup.chip)
  }
})

test('a large chip is used with 3 bytes below 16 MB, also when it was left with 4', () => {
  const setup = setUp({ capacity: 8192 }, { id: 0xef4019, capacity: 0x2000000, flashAt: 0x800000 })
  setup.chip.isFourByte = true
  const flash = open(setup, { start: 0x800000, size: 8192 })
  assert.ok(!setup.chip.isFourByte)
  assert.equal(flash.write(0, new Uint8Array(300), 0, 300), OK)
  assert.ok(setup.flash.bytes.subarray(0, 300).every((byte) => byte === 0))
  assert.equal(setup.chip.counts[0xb7], 0)
  requireNoViolation(setup.chip)
})
