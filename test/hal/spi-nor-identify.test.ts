/**
 * Which chip is there: the table, SFDP as read from real chips, wires that are not connected,
 * blocks that are protected, and options that do not fit the chip.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualSystem, NorFlash, SpiNorChip } from '../../hal/memory/index.js'
import type { SpiNorChipOptions } from '../../hal/memory/index.js'
import type { ChipParameters } from '../../hal/spi-nor/chip-parameters.js'
import {
  FOUR_BYTE_COMMANDS,
  FOUR_BYTE_MODE,
  FOUR_BYTE_NONE,
} from '../../hal/spi-nor/chip-parameters.js'
import { identify, openId } from '../../hal/spi-nor/open-chip.js'
import type { SpiNorOptions } from '../../hal/spi-nor/index.js'
import { SpiNorPort } from '../../hal/spi-nor/spi-nor-port.js'
import { OK } from '../../src/status.js'
import { bytesOf, madeSfdp, open, requireNoViolation, setUp, SMALL_ID } from './spi-nor-rig.js'

// What Linux printed of real chips (spi-nor/sfdp below /sys/bus/spi/devices), on its mailing lists.
const ONES = 'ff'.repeat(96)
/** W25Q01NW, 0xEF8021: JESD216B with a table of commands for 4 bytes. */
const W25Q01 = bytesOf(
  `53464450060101ff00060110800000ff84000102d00000ff ${ONES} ffffffffffffffff
   e520fbffffffff3f44eb086b083b42bbfeffffffffff0000ffff40eb0c200f5210d800003652b50082ea14e2
   e96376337a757a75f7bdd55c19f75dffe970f9a5ffffffffffffffffffffffffffffffffff0af0ff21ffdcff`,
)
/** W25Q64JW-M, 0xEF8017. */
const W25Q64 = bytesOf(
  `53464450060101ff00060110800000ff84000102d00000ff ${ONES} ffffffffffffffff
   e520f9ffffffff0344eb086b083b42bbfeffffffffff0000ffff40eb0c200f5210d800003602a60082ea14c4
   e96376337a757a75f7bdd55c19f75dffe930f880ffffffffffffffffffffffffffffffff0000f0ffffffffff`,
)
/** Micron MT25QU256A, 0x20BB19: its second erase is the large one. */
const MT25Q256 = bytesOf(
  `53464450060101ff00060110300000ff84000102800000ffffffffffffffffffffffffffffffffffffffffffffffffff
   e520fbffffffff0f29eb276b273b27bbffffffffffff27bbffff29eb0c2010d80f520000244a99008b8e
   03d4ac0127387a757a75fbbdd55c4a0f82ff81bd3d36ffffffffffffffffffffffffffffffffffe7ffff21dcffff`,
)
/** Macronix MX25L3233F, 0xC22016: the first JESD216, without times. */
const MX25L32 = bytesOf(
  `53464450000101ff00000109300000ffc2000104600000ffffffffffffffffffffffffffffffffffffffffffffffffff
   e520f1ffffffff0144eb086b083b04bbeeffffffffff00ffffff00ff0c200f5210d800ffffffffffffff
   ffffffffffff003650269ef97764fecfffffffffffff`,
)
/** Zetta ZD25Q128C, which calls itself 0xEF4018 and tells of 2 MB. */
const ZD25Q128 = bytesOf(
  `53464450000101ff00000109300000ffb3000103600000ffffffffffffffffffffffffffffffffffffffffffffffffff
   e520f9ffffffff0044eb086b083b80bbeeffffffffff00ffffff00ff0c200f5210d80881ffffffffffff
   ffffffffffff003600279ff97764fccbffff`,
)

function identified(chipOptions: Partial<SpiNorChipOptions>): ChipParameters {
  const { chip, system } = setUp({ capacity: 65536 }, chipOptions)
  const port = new SpiNorPort(chip, system, null)
  const found = identify(port, openId(port))
  requireNoViolation(chip)
  return found
}

function erasesOf(chip: ChipParameters): number[][] {
  return [0, 1, 2, 3]
    .map((i) => [chip.eraseSizes[i], chip.eraseCommands[i], chip.eraseMs[i]])
    .filter(([size]) => size > 0)
}

test('the table knows the W25Q and W25X chips by their ids', () => {
  const sizes: [number, number][] = [
    [0xef3013, 512 << 10], // W25X40
    [0xef4014, 1 << 20], // W25Q80
    [0xef4017, 8 << 20], // W25Q64
    [0xef4018, 16 << 20], // W25Q128
    [0xef4019, 32 << 20], // W25Q256
    [0xef4020, 64 << 20], // W25Q512
    [0xef5014, 1 << 20], // W25Q80BW
    [0xef6016, 4 << 20], // W25Q32FW
    [0xef7018, 16 << 20], // W25Q128JV-M
    [0xef8017, 8 << 20], // W25Q64JW-M
  ]
  for (const [id, capacity] of sizes) {
    const found = identified({ id })
    assert.equal(found.capacity, capacity, id.toString(16))
    assert.equal(found.programMs, 3)
    assert.equal(found.fourByte, capacity > 1 << 24 ? FOUR_BYTE_MODE : FOUR_BYTE_NONE)
  }
  assert.deepEqual(erasesOf(identified({ id: 0xef4018 })), [
    [4096, 0x20, 400],
    [32768, 0x52, 1600],
    [65536, 0xd8, 2000],
  ])
  assert.deepEqual(
    erasesOf(identified({ id: 0xef3013 })).map(([size]) => size),
    [4096, 65536],
    'a W25X40 does not erase 32 KB',
  )
})

test('SFDP of real chips gives their sizes, commands and longest times', () => {
  const large = identified({ id: 0xef8021, sfdp: W25Q01 })
  assert.equal(large.capacity, 128 << 20)
  assert.equal(large.pageSize, 256)
  // 11 units of 64 us typical, times 2 x 3.
  assert.equal(large.programMs, 5)
  assert.deepEqual(erasesOf(large), [
    [4096, 0x20, 14 * 4 * 16],
    [32768, 0x52, 14 * 11 * 16],
    [65536, 0xd8, 14 * 14 * 16],
  ])
  assert.equal(large.fourByte, FOUR_BYTE_COMMANDS)
  assert.deepEqual([...large.eraseCommands4], [0x21, 0, 0xdc, 0])

  const micron = identified({ id: 0x20bb19, sfdp: MT25Q256 })
  assert.equal(micron.capacity, 32 << 20)
  assert.equal(micron.fourByte, FOUR_BYTE_COMMANDS)
  assert.deepEqual([...micron.eraseCommands4], [0x21, 0xdc, 0, 0])
  assert.equal(micron.smallestErase(), 4096)

  const old = identified({ id: 0xc22016, sfdp: MX25L32 })
  assert.equal(old.capacity, 4 << 20)
  assert.deepEqual(
    erasesOf(old).map(([size, command]) => [size, command]),
    [
      [4096, 0x20],
      [32768, 0x52],
      [65536, 0xd8],
    ],
  )
  assert.ok(old.programMs >= 3 && old.eraseMs[0] >= 400, 'without times the limits are generous')
})

test('the table and SFDP agree on a chip that both know', () => {
  const known = identified({ id: 0xef8017 })
  const sfdp = identified({ id: 0x99_80_17, sfdp: W25Q64 })
  assert.equal(sfdp.capacity, known.capacity)
  assert.equal(sfdp.pageSize, known.pageSize)
  assert.deepEqual(
    erasesOf(sfdp).map(([size, command]) => [size, command]),
    erasesOf(known).map(([size, command]) => [size, command]),
  )
})

test('a known id is believed before an SFDP that has the size wrong', () => {
  assert.equal(identified({ id: 0xef4018, sfdp: ZD25Q128 }).capacity, 16 << 20)
  assert.equal(identified({ id: 0xba6018, sfdp: ZD25Q128 }).capacity, 2 << 20)
})

test('above 16 MB a chip with commands for 4 bytes is driven by these alone', () => {
  const flashAt = 0x1000000
  const chipOptions = { id: 0xef8021, sfdp: W25Q01, capacity: 128 << 20, flashAt }
  const setup = setUp({ capacity: 0x20000 }, chipOptions)
  const flash = open(setup, { start: flashAt, size: 0x20000 })
  const bytes = Uint8Array.from({ length: 700 }, (_, i) => i)
  assert.equal(flash.write(100, bytes, 0, 700), OK)
  const back = new Uint8Array(700)
  assert.equal(flash.read(100, back, 0, 700), OK)
  assert.deepEqual(back, bytes)
  assert.equal(flash.erase(0, 0x1f000), OK)
  const used = [0x0c, 0x12, 0x21, 0xdc, 0x0b, 0x02, 0x20, 0x52, 0xd8, 0xb7]
  assert.deepEqual(
    used.map((command) => setup.chip.counts[command]),
    // The table has no command of 32 KB with 4 bytes, so what is left are sectors.
    [1, 4, 15, 1, 0, 0, 0, 0, 0, 0],
  )
  requireNoViolation(setup.chip)
})

test('a mode for 4 bytes that wants write enable, and one that never ends, are reached', () => {
  const capacity = 0x2000000
  const flashAt = 0x1800000
  const guarded = madeSfdp(capacity, [[4096, 0x20]])
  guarded[79] = 0x02
  const always = madeSfdp(capacity, [[4096, 0x20]])
  always[18] = 0xf5
  for (const sfdp of [guarded, always]) {
    const guardsFourByte = sfdp === guarded
    const chipOptions = { id: SMALL_ID, capacity, flashAt, sfdp, guardsFourByte }
    const setup = setUp({ capacity: 8192 }, chipOptions)
    setup.chip.isFourByte = !guardsFourByte
    const flash = open(setup, { start: flashAt, size: 8192 })
    assert.equal(flash.write(4000, new Uint8Array(300), 0, 300), OK)
    assert.equal(flash.erase(4096, 4096), OK)
    assert.equal(setup.flash.bytes[4095], 0)
    assert.equal(setup.flash.bytes[4096], 0xff)
    assert.equal(setup.chip.counts[0xb7] > 0, guardsFourByte)
    requireNoViolation(setup.chip)
  }
})

test('no chip is told by what an open line reads', () => {
  for (const floating of [0, 0xff]) {
    const setup = setUp({ capacity: 65536 })
    setup.chip.isAbsent = true
    setup.chip.floating = floating
    const id = floating === 0 ? '0x000000' : '0xffffff'
    assert.throws(() => open(setup), {
      message: `SpiNor: no chip answers (JEDEC id ${id}): check wiring, power and select pin`,
    })
    assert.ok(setup.system.now() < 20, 'within milliseconds')
  }
})

test('an id that reads differently each time names the wiring', () => {
  const setup = setUp({ capacity: 65536 })
  let reads = 0
  const shaky = {
    send: (source: Uint8Array, at: number, length: number) => setup.chip.send(source, at, length),
    receive: (target: Uint8Array, at: number, length: number) => {
      setup.chip.receive(target, at, length)
      if (length === 3) target[at + 2] ^= reads++ & 1
    },
    end: () => setup.chip.end(),
  }
  const words = /JEDEC id reads 0xef4018, then 0xef4019: check wiring/
  assert.throws(() => open(setup, {}, shaky), words)
})

test('a chip that is never ready is an error after its longest erase, not an endless wait', () => {
  const setup = setUp({ capacity: 65536 })
  const flash = open(setup, { size: 65536 })
  setup.chip.slowness = Infinity
  flash.erase(0, 4096)
  const before = setup.system.now()
  assert.throws(() => open(setup), /the chip stays busy \(status register 1 is 0x03\)/)
  assert.ok(setup.system.now() - before < 5000)
})

test('an unknown id without SFDP, or with nonsense in it, is named', () => {
  const cut = madeSfdp(65536, [[4096, 0x20]])
  const noBasic = cut.slice()
  noBasic[8] = 0x84
  const noErase = madeSfdp(65536, [])
  const tooLarge = cut.slice()
  tooLarge.set([0x80, 0, 0, 0x80], 20)
  // A second table between the headers and the first one, which moves on by 8 bytes.
  const map = [0x81, 6, 1, 2, 0, 0, 0, 0xff]
  const mixed = Uint8Array.from([...cut.subarray(0, 16), ...map, ...cut.subarray(16)])
  mixed[6] = 1
  mixed[12] = 24
  const cases: [Uint8Array | undefined, RegExp][] = [
    [undefined, /does not describe itself \(no SFDP\)/],
    [noBasic, /makes no sense/],
    [noErase, /makes no sense/],
    [tooLarge, /makes no sense/],
    [mixed, /sectors of several sizes/],
  ]
  for (const [sfdp, words] of cases) {
    const setup = setUp({ capacity: 65536 }, { id: 0x1f8501, ...(sfdp && { sfdp }) })
    assert.throws(
      () => open(setup),
      (error: Error) => {
        assert.match(error.message, /^SpiNor: the chip with JEDEC id 0x1f8501 is not known and /)
        assert.match(error.message, words)
        return true
      },
    )
  }
})

test('SFDP cut off or damaged at any byte gives a chip or an error, and ends', () => {
  for (const whole of [W25Q01, MT25Q256, MX25L32]) {
    for (let at = 0; at < whole.length; at += 1) {
      for (const damage of [0x00, 0xff, whole[at] ^ 0x55]) {
        const sfdp = whole.slice()
        sfdp[at] = damage
        try {
          const found = identified({ id: SMALL_ID, sfdp })
          assert.ok(found.capacity > 0 && found.smallestErase() >= 512)
        } catch (error) {
          assert.match(String(error), /SpiNor: the chip with JEDEC id 0x123456 is not known/)
        }
      }
    }
  }
})

test('protected blocks are an error that names the register', () => {
  const cases: [number, number, RegExp][] = [
    [0, 0x1c, /block protect bits \(BP\) are set: status register 1 is 0x1c; clear them, or give/],
    [0, 0x04, /status register 1 is 0x04/],
    [1, 0x40, /complement protect bit \(CMP\) is set: status register 2 is 0x40/],
    [2, 0x04, /each block is locked \(WPS\) at power-up: status register 3 is 0x04/],
  ]
  for (const [register, bits, words] of cases) {
    const setup = setUp({ capacity: 65536 })
    setup.chip.registers[register] = bits
    assert.throws(() => open(setup, { size: 65536 }), words)
  }
  // What makes a chip quick or keeps its pins says nothing of protection.
  const setup = setUp({ capacity: 65536 })
  setup.chip.registers.set([0x60, 0x02, 0x60])
  open(setup, { size: 65536 })
  requireNoViolation(setup.chip)
})

test('a chip without the registers of Winbond is not asked for them: 35 is another command', () => {
  const sfdp = madeSfdp(65536, [[4096, 0x20]])
  const setup = setUp({ capacity: 65536 }, { id: 0xc22010, sfdp })
  setup.chip.registers.set([0, 0xff, 0xff])
  open(setup)
  assert.equal(setup.chip.counts[0x35], 0)
})

test('unprotect clears the block protect bits, and says so when it could not', () => {
  const setup = setUp({ capacity: 65536 })
  setup.chip.registers[0] = 0x1c
  setup.chip.registers[1] = 0x02
  const flash = open(setup, { size: 65536, unprotect: true })
  assert.equal(setup.chip.registers[0], 0)
  assert.equal(setup.chip.registers[1], 0x02)
  assert.equal(flash.write(0, new Uint8Array(4), 0, 4), OK)
  requireNoViolation(setup.chip)
  setup.chip.registers[2] = 0x04
  const words = /WPS.*; free its \/WP pin, clear them/
  assert.throws(() => open(setup, { size: 65536, unprotect: true }), words)
})

test('options that do not fit the chip are named with what would', () => {
  const capacity = 0x1000000
  const cases: [SpiNorOptions, RegExp][] = [
    [{ start: -4096 }, /start is -4096, it must be a number from 0/],
    [{ start: 0.5 }, /start is 0.5/],
    [{ start: NaN }, /start is NaN/],
    [{ start: '4096' as unknown as number }, /start is 4096, it must be a number/],
    [{ start: 2048 }, /start is 2048, which lies within a sector.*a multiple of 4096/],
    [{ size: 0 }, /size is 0, it must be a number from 1/],
    [{ size: 5000 }, /size is 5000, which ends within a sector.*a multiple of 4096/],
    [{ start: capacity }, /size is 0/],
    [{ start: 4096, size: capacity }, /size is 16777216, which goes beyond.*at most 16773120/],
    [{ writeSize: 3 }, /writeSize 3 is not a power of two/],
  ]
  for (const [options, words] of cases) {
    const setup = setUp({ capacity: 65536 }, { capacity })
    assert.throws(() => open(setup, options), words)
  }
  const whole = open(setUp({ capacity: 65536 }, { capacity }))
  assert.equal(whole.capacity, capacity)
})

test('a range above 16 MB is refused where the chip does not say how to get there', () => {
  const sfdp = madeSfdp(0x2000000, [[4096, 0x20]])
  const make = (size: number) => {
    const system = new ManualSystem(1)
    const flash = new NorFlash({ capacity: 4096 })
    const chip = new SpiNorChip({ flash, system, capacity: 0x2000000, id: SMALL_ID, sfdp })
    return open({ flash, system, chip }, { start: 0xfff000, size })
  }
  assert.throws(() => make(8192), /size is 8192, which ends above 16 MB; make it below that/)
  assert.equal(make(4096).capacity, 4096)
})
