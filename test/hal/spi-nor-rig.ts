/**
 * A chip model and the driver over it, for the tests of hal/spi-nor, and SFDP as it was read from
 * real chips. Knows nothing of what the tests are about.
 */
import assert from 'node:assert/strict'
import { ManualSystem, NorFlash, SpiNorChip } from '../../hal/memory/index.js'
import type { NorOptions, SpiNorChipOptions } from '../../hal/memory/index.js'
import { SpiNor } from '../../hal/spi-nor/index.js'
import type { SpiBus, SpiNorOptions } from '../../hal/spi-nor/index.js'

/** Small sectors make short tests: what is W25Q about this chip is all but its sizes. */
export const SMALL_ID = 0x123456

function littleEndian(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24]
}

/**
 * SFDP of a chip that nobody makes: JESD216B, one table, times of the W25Q. `erases` are sizes and
 * commands.
 */
export function madeSfdp(capacity: number, erases: readonly (readonly [number, number])[]) {
  const types = [0, 1, 2, 3].flatMap((i) => {
    const [size, command] = erases[i] ?? [1, 0]
    return [Math.log2(size), command]
  })
  // Longest 10 x typical; typical 48, 128, 160, 160 ms: counts 3, 8, 10, 10 of 16 ms.
  const times = 4 | (0x22 << 4) | (0x27 << 11) | (0x29 << 18) | (0x29 << 25)
  // Longest 6 x 704 us, pages of 256 bytes.
  const program = 2 | (8 << 4) | (0x2a << 8)
  return Uint8Array.from([
    ...[0x53, 0x46, 0x44, 0x50, 6, 1, 0, 0xff],
    ...[0x00, 6, 1, 16, 16, 0, 0, 0xff],
    ...[0xe5, 0x20, 0xf1, 0xff, ...littleEndian(capacity * 8 - 1)],
    ...new Array<number>(20).fill(0xff),
    ...types,
    ...[...littleEndian(times >>> 0), ...littleEndian(program)],
    ...new Array<number>(20).fill(0),
  ])
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'))
}

export interface Setup {
  readonly system: ManualSystem
  readonly flash: NorFlash
  readonly chip: SpiNorChip
}

export function setUp(nor: NorOptions, chip: Partial<SpiNorChipOptions> = {}): Setup {
  const system = new ManualSystem(1)
  const flash = new NorFlash(nor)
  return { system, flash, chip: new SpiNorChip({ flash, system, ...chip }) }
}

/** A W25Q128 of which 1 MB is there, from `start` on. */
export function w25q128(start = 0, nor: Partial<NorOptions> = {}): Setup {
  const chip = { capacity: 0x1000000, flashAt: start }
  return setUp({ capacity: 0x100000, ...nor }, chip)
}

/** The driver, with a pause that moves the clock: a wait for an erase is then 45 polls. */
export function open(setup: Setup, options: SpiNorOptions = {}, bus: SpiBus = setup.chip): SpiNor {
  const pause = (milliseconds: number) => setup.system.advance(milliseconds)
  return new SpiNor(bus, setup.system, { pause, ...options })
}

/** The partition of `w25q128`. */
export function openMegabyte(setup: Setup, start = 0, bus: SpiBus = setup.chip): SpiNor {
  return open(setup, { start, size: 0x100000 }, bus)
}

/** Over any NorFlash with sectors of 512 bytes: the chip has erases of 512 and 2,048 bytes. */
export function smallDriver(
  flash: NorFlash,
  system: ManualSystem,
  chips: SpiNorChip[],
  wrap: (bus: SpiBus) => SpiBus = (bus) => bus,
): SpiNor {
  const flashAt = 4096
  const capacity = 65536
  const sfdp = madeSfdp(capacity, [
    [512, 0x20],
    [2048, 0xd8],
  ])
  const eraseSizes = [512, 0, 2048]
  const chip = new SpiNorChip({ flash, system, capacity, flashAt, id: SMALL_ID, sfdp, eraseSizes })
  chips.push(chip)
  const options = {
    start: flashAt,
    size: flash.capacity,
    writeSize: flash.writeSize,
    pause: (milliseconds: number) => system.advance(milliseconds),
  }
  return new SpiNor(wrap(chip), system, options)
}

export function requireNoViolation(...chips: SpiNorChip[]): void {
  for (const chip of chips) assert.deepEqual(chip.violations, [])
}
