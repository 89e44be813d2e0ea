/**
 * Finds out which chip is on the bus and whether it can be written; throws, with words for the
 * person who wired it, when not. Runs once, in the driver's constructor. Knows nothing of ranges.
 */
import {
  BLOCK_PROTECT,
  BUSY,
  COMPLEMENT_PROTECT,
  READ_STATUS_1,
  READ_STATUS_2,
  READ_STATUS_3,
  WRITE_ENABLE,
  WRITE_PROTECT_SELECTION,
  WRITE_STATUS_1,
} from './commands.js'
import { ChipParameters, knownChip } from './chip-parameters.js'
import { readSfdp, SFDP_BAD, SFDP_MIXED_SECTORS, SFDP_OK } from './sfdp.js'
import { NO_ID_HIGH, NO_ID_LOW, type SpiNorPort } from './spi-nor-port.js'

/** From deep power-down, the slowest datasheet says 100 us; a clock in milliseconds sees 2. */
export const WAKE_MS = 5
/** A reset of the processor leaves an erase of the chip running: 64 KB at most, if it was ours. */
const FOREIGN_ERASE_MS = 4000
/** Winbond: tW is 15 ms at most. Macronix: 40. */
const WRITE_STATUS_MS = 50

function fail(what: string): never {
  throw new Error('SpiNor: ' + what)
}

function hex(value: number, digits: number): string {
  let text = value.toString(16)
  while (text.length < digits) text = '0' + text
  return '0x' + text
}

/** The JEDEC id of the chip, awake and ready. */
export function openId(port: SpiNorPort): number {
  const status = port.register(READ_STATUS_1)
  // 0xFF is a line nobody drives: a chip in deep power-down, or none.
  if (status !== 0xff && (status & BUSY) !== 0) {
    if (port.waitReady(FOREIGN_ERASE_MS, true) < 0) {
      fail('the chip stays busy (status register 1 is ' + hex(status, 2) + '): take its power away')
    }
  }
  const id = port.wake(0, WAKE_MS)
  if (id === NO_ID_LOW || id === NO_ID_HIGH) {
    fail('no chip answers (JEDEC id ' + hex(id, 6) + '): check wiring, power and select pin')
  }
  const again = port.readId()
  if (again !== id) {
    const ids = hex(id, 6) + ', then ' + hex(again, 6)
    fail('the JEDEC id reads ' + ids + ': check wiring, or lower the clock of the bus')
  }
  return id
}

export function identify(port: SpiNorPort, id: number): ChipParameters {
  const chip = new ChipParameters()
  if (knownChip(id, chip)) return chip
  const result = readSfdp(port, chip)
  if (result === SFDP_OK) return chip
  let why = 'does not describe itself (no SFDP)'
  if (result === SFDP_BAD) why = 'describes itself in a way that makes no sense (SFDP)'
  if (result === SFDP_MIXED_SECTORS) why = 'has sectors of several sizes (SFDP)'
  fail('the chip with JEDEC id ' + hex(id, 6) + ' is not known and ' + why + ': take another chip')
}

/** What keeps the chip from being written, in words; '' for nothing. */
function protection(port: SpiNorPort, chip: ChipParameters): string {
  const first = port.register(READ_STATUS_1)
  if ((first & BLOCK_PROTECT) !== 0) {
    return 'block protect bits (BP) are set: status register 1 is ' + hex(first, 2)
  }
  if (!chip.hasWinbondRegisters) return ''
  const second = port.register(READ_STATUS_2)
  // A chip without the register does not drive the line.
  if (second !== 0xff && (second & COMPLEMENT_PROTECT) !== 0) {
    return 'the complement protect bit (CMP) is set: status register 2 is ' + hex(second, 2)
  }
  const third = port.register(READ_STATUS_3)
  if (third !== 0xff && (third & WRITE_PROTECT_SELECTION) !== 0) {
    return 'each block is locked (WPS) at power-up: status register 3 is ' + hex(third, 2)
  }
  return ''
}

/**
 * Throws when blocks are protected. With `unprotect` it first clears status register 1, for good;
 * CMP and WPS it leaves to a person, as clearing them means to write what else stands there.
 */
export function requireWritable(port: SpiNorPort, chip: ChipParameters, unprotect: boolean): void {
  let what = protection(port, chip)
  if (unprotect && what !== '') {
    port.command(WRITE_ENABLE)
    port.writeRegister(WRITE_STATUS_1, 0)
    port.waitReady(WRITE_STATUS_MS, false)
    what = protection(port, chip)
  }
  if (what === '') return
  const advice = unprotect ? 'free its /WP pin, clear them' : 'clear them, or give unprotect: true'
  fail('the chip is protected from writing, ' + what + '; ' + advice)
}
