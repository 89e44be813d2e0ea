/**
 * The model of the chip: that it takes what a W25Q takes, and that a driver with a mistake in it is
 * found out. The mistakes are planted here, into commands by hand and into the bus of the driver.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import type { SpiNorChip } from '../../hal/memory/index.js'
import { SpiNor } from '../../hal/spi-nor/index.js'
import type { SpiBus } from '../../hal/spi-nor/index.js'
import { ERR_STORAGE, OK } from '../../src/status.js'
import { openMegabyte, setUp, smallDriver, type Setup, w25q128 } from './spi-nor-rig.js'

/** One transaction: bytes out, then so many in. */
function transact(chip: SpiNorChip, out: number[], inCount = 0): number[] {
  const answer = new Uint8Array(inCount)
  chip.send(Uint8Array.from(out), 0, out.length)
  if (inCount > 0) chip.receive(answer, 0, inCount)
  chip.end()
  return [...answer]
}

function status(chip: SpiNorChip): number {
  return transact(chip, [0x05], 1)[0]
}

function small(): Setup {
  return setUp({ capacity: 65536, enforceWriteOnce: false })
}

test('the model tells its id, its status and what is stored', () => {
  const { chip, flash } = small()
  flash.bytes.set([1, 2, 3], 0x1234)
  assert.deepEqual(transact(chip, [0x9f], 3), [0xef, 0x40, 0x18])
  assert.deepEqual(transact(chip, [0x03, 0x00, 0x12, 0x34], 4), [1, 2, 3, 0xff])
  assert.deepEqual(transact(chip, [0x0b, 0x00, 0x12, 0x34, 0], 3), [1, 2, 3])
  assert.equal(status(chip), 0)
  transact(chip, [0x06])
  assert.equal(status(chip), 2)
  transact(chip, [0x04])
  assert.equal(status(chip), 0)
  assert.deepEqual(chip.violations, [])
})

test('a program clears bits, is busy for its time, and ends the write enable', () => {
  const { chip, flash, system } = small()
  transact(chip, [0x06])
  transact(chip, [0x02, 0, 0, 16, 0xf0, 0x0f])
  assert.equal(status(chip), 3)
  system.advance(1)
  assert.equal(status(chip), 0)
  assert.deepEqual([...flash.bytes.subarray(16, 19)], [0xf0, 0x0f, 0xff])
  assert.deepEqual(chip.violations, [])
})

test('without write enable nothing is programmed or erased, and it is noted', () => {
  const { chip, flash } = small()
  transact(chip, [0x02, 0, 0, 0, 0])
  flash.bytes[0] = 0
  transact(chip, [0x20, 0, 0, 0])
  assert.equal(flash.bytes[0], 0)
  assert.equal(flash.counters.writes + flash.counters.erases, 0)
  assert.deepEqual(chip.violations, [
    'a program without write enable (command 0x2)',
    'an erase without write enable (command 0x20)',
  ])
})

test('a program over the end of a page goes on at its beginning, and it is noted', () => {
  const { chip, flash } = small()
  transact(chip, [0x06])
  transact(chip, [0x02, 0, 1, 254, 1, 2, 3, 4])
  assert.deepEqual([...flash.bytes.subarray(510, 514)], [1, 2, 0xff, 0xff])
  assert.deepEqual([...flash.bytes.subarray(256, 259)], [3, 4, 0xff])
  assert.deepEqual(chip.violations, ['a program crosses the end of its page (command 0x2)'])
})

test('of more than a page the last 256 bytes count', () => {
  const { chip, flash } = small()
  transact(chip, [0x06])
  transact(chip, [0x02, 0, 0, 0, ...Array.from({ length: 258 }, (_, i) => i & 0xff)])
  assert.deepEqual([...flash.bytes.subarray(0, 4)], [0, 1, 2, 3])
  assert.equal(flash.bytes[255], 255)
  assert.equal(flash.bytes[256], 255)
  assert.equal(chip.violations.length, 1)
})

test('while it is busy it ignores all but its status, and it is noted', () => {
  const { chip, flash } = small()
  transact(chip, [0x06])
  transact(chip, [0x20, 0, 0, 0])
  assert.deepEqual(transact(chip, [0x9f], 3), [0xff, 0xff, 0xff])
  transact(chip, [0x06])
  transact(chip, [0x02, 0, 0, 0, 0])
  assert.equal(flash.bytes[0], 0xff)
  assert.equal(status(chip) & 1, 1)
  assert.equal(chip.violations.length, 3)
  assert.ok(chip.violations.every((words) => words.startsWith('busy')))
})

test('in deep power-down it takes the release alone', () => {
  const { chip, system } = small()
  transact(chip, [0xb9])
  transact(chip, [0x06])
  assert.deepEqual(transact(chip, [0x9f], 3), [0xff, 0xff, 0xff])
  transact(chip, [0xab])
  assert.deepEqual(transact(chip, [0x9f], 3), [0xff, 0xff, 0xff], 'it takes a moment')
  system.advance(0.1)
  assert.deepEqual(transact(chip, [0x9f], 3), [0xef, 0x40, 0x18])
  assert.equal(status(chip), 0, 'the write enable in between was not heard')
  assert.deepEqual(chip.violations, ['asleep (command 0x6)'])
})

test('commands it does not have, halves of commands and wrong places are noted', () => {
  const cases: [number[], RegExp][] = [
    [[0x99], /a command the chip does not have/],
    [[0x02, 0, 0, 0], /a program of nothing/],
    [[0x20, 0, 0], /an erase of odd length/],
    [[0x20, 0, 0, 1], /an erase off its alignment/],
    [[0x02, 2, 0, 0, 0], /a program outside of the partition/],
    [[0xd8, 2, 0, 0], /an erase outside of the partition/],
  ]
  for (const [bytes, words] of cases) {
    const { chip } = setUp({ capacity: 65536 }, { capacity: 0x100000 * 4 })
    transact(chip, [0x06])
    transact(chip, bytes)
    assert.equal(chip.violations.length, 1)
    assert.match(chip.violations[0], words)
  }
  const { chip } = small()
  chip.receive(new Uint8Array(1), 0, 1)
  chip.end()
  assert.equal(chip.violations.length, 2)
})

/** The bus of a driver with a mistake: `change` sees each thing sent and says what goes out. */
function mistaken(bus: SpiBus, change: (bytes: Uint8Array) => Uint8Array | null): SpiBus {
  let isSkipped = false
  return {
    send(source, at, length) {
      const out = change(source.slice(at, at + length))
      if (out === null) isSkipped = true
      else bus.send(out, 0, out.length)
    },
    receive: (target, at, length) => bus.receive(target, at, length),
    end() {
      if (!isSkipped) bus.end()
      isSkipped = false
    },
  }
}

test('a driver that forgets write enable loses nothing unseen', () => {
  const setup = w25q128()
  const forgetful = mistaken(setup.chip, (bytes) => (bytes[0] === 0x06 ? null : bytes))
  const flash = openMegabyte(setup, 0, forgetful)
  assert.equal(flash.write(0, new Uint8Array(10), 0, 10), ERR_STORAGE)
  assert.equal(flash.erase(0, 4096), ERR_STORAGE)
  assert.equal(setup.flash.counters.writes + setup.flash.counters.erases, 0)
})

test('a driver that also trusts that it worked is noted', () => {
  const setup = w25q128()
  const bus = mistaken(setup.chip, (bytes) => (bytes[0] === 0x06 ? null : bytes))
  const trusting: SpiBus = {
    ...bus,
    // It reads the status it expects: enabled before, done after.
    receive(target, at, length) {
      setup.chip.receive(target, at, length)
      if (length === 1) target[at] = setup.chip.counts[0x02] === 0 ? 2 : 0
    },
  }
  const open = () => openMegabyte(setup, 0, trusting)
  assert.equal(open().write(0, new Uint8Array(10), 0, 10), OK)
  assert.deepEqual(setup.chip.violations, ['a program without write enable (command 0x2)'])
})

test('a driver that believes in pages of 512 bytes is noted, and reads back other bytes', () => {
  const setup = w25q128()
  const flash = openMegabyte(setup)
  const inside = flash as unknown as { chip: { pageSize: number } }
  inside.chip.pageSize = 512
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => i)
  flash.write(0, bytes, 0, 300)
  assert.match(setup.chip.violations[0], /crosses the end of its page/)
  const back = new Uint8Array(300)
  flash.read(0, back, 0, 300)
  assert.notDeepEqual(back, bytes)
})

test('a driver that does not wait is noted', () => {
  const setup = w25q128()
  const hasty = openMegabyte(setup)
  const inside = hasty as unknown as { port: { waitReady: () => number } }
  inside.port.waitReady = () => 0
  hasty.write(0, new Uint8Array(600), 0, 600)
  assert.ok(setup.chip.violations.some((words) => words.startsWith('busy')))
})

test('a driver that begins elsewhere is noted', () => {
  const flash = new NorFlash({ capacity: 4096, eraseSize: 512 })
  const chips: SpiNorChip[] = []
  const driver = smallDriver(flash, new ManualSystem(1), chips)
  assert.ok(driver instanceof SpiNor)
  const inside = driver as unknown as { start: number }
  inside.start -= 512
  driver.write(0, new Uint8Array(4), 0, 4)
  driver.erase(0, 512)
  driver.read(0, new Uint8Array(4), 0, 4)
  assert.equal(chips[0].violations.length, 3)
  assert.ok(chips[0].violations.every((words) => words.includes('outside of the partition')))
})
