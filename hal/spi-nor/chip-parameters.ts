/**
 * ChipParameters: what the driver has to know about a chip, and the table of the chips known by
 * their JEDEC id. Other chips tell it themselves (sfdp.ts). Knows nothing of the bus.
 */
import { BLOCK_ERASE_32K, BLOCK_ERASE_64K, SECTOR_ERASE } from './commands.js'

/** SFDP has room for so many sizes of erase. */
export const ERASE_TYPES = 4

/** How a chip takes addresses of 4 bytes. */
export const FOUR_BYTE_NONE = 0
/** Commands of their own for them: nothing has to be switched. */
export const FOUR_BYTE_COMMANDS = 1
/** After ENTER_4_BYTE all commands have them. */
export const FOUR_BYTE_MODE = 2
/** As above, and ENTER_4_BYTE needs WRITE_ENABLE before it. */
export const FOUR_BYTE_MODE_ENABLED = 3
/** All commands have them, always. */
export const FOUR_BYTE_ALWAYS = 4

export class ChipParameters {
  /** Bytes on the chip. */
  capacity: number
  /** Bytes in a program page: a program that goes beyond its end goes on at its beginning. */
  pageSize: number
  /** The longest a page program takes, in milliseconds. */
  programMs: number
  /** Bytes, command and longest time of each erase; 0 bytes where there is no such. */
  readonly eraseSizes: Uint32Array
  readonly eraseCommands: Uint8Array
  readonly eraseMs: Uint32Array
  /** The commands where FOUR_BYTE_COMMANDS; 0 where this erase has none. */
  readonly eraseCommands4: Uint8Array
  fourByte: number
  /** The chip has the status registers 2 and 3 of Winbond. */
  hasWinbondRegisters: boolean

  constructor() {
    this.capacity = 0
    this.pageSize = 256
    this.programMs = 0
    this.eraseSizes = new Uint32Array(ERASE_TYPES)
    this.eraseCommands = new Uint8Array(ERASE_TYPES)
    this.eraseMs = new Uint32Array(ERASE_TYPES)
    this.eraseCommands4 = new Uint8Array(ERASE_TYPES)
    this.fourByte = FOUR_BYTE_NONE
    this.hasWinbondRegisters = false
  }

  setErase(type: number, size: number, command: number, milliseconds: number): void {
    this.eraseSizes[type] = size
    this.eraseCommands[type] = command
    this.eraseMs[type] = milliseconds
  }

  /** The bytes of the smallest erase, or 0. */
  smallestErase(): number {
    let smallest = 0
    for (let type = 0; type < ERASE_TYPES; type += 1) {
      const size = this.eraseSizes[type]!
      if (size > 0 && (smallest === 0 || size < smallest)) smallest = size
    }
    return smallest
  }
}

/**
 * Fills in what the table says of a JEDEC id; false where it does not know it.
 *
 *   0xEF  30  11..14        W25X10 to W25X80: no erase of 32 KB
 *   0xEF  40 50 60 70 80    W25Q of 3 V (40; 70 with /RESET and DTR) and 1.8 V (50, 60, 80)
 *             10..19          2^n bytes
 *             20              64 MB: from here on n counts on in decimal
 *
 * The times are the longest of the W25Q64JV, W25Q128JV and W25Q256JV datasheets, "AC Electrical
 * Characteristics": tPP 3 ms, tSE 400 ms, tBE1 1,600 ms, tBE2 2,000 ms.
 *
 * The table comes before SFDP, because SFDP can lie: the Zetta ZD25Q128, which also calls itself
 * EF 40 18, tells there of an eighth of its 16 MB.
 */
export function knownChip(id: number, chip: ChipParameters): boolean {
  const type = (id >>> 8) & 0xff
  const size = id & 0xff
  const isW25X = type === 0x30
  if (id >>> 16 !== 0xef) return false
  if (isW25X ? size < 0x11 || size > 0x14 : size < 0x10 || size > 0x20) return false
  if (size > 0x19 && size < 0x20) return false
  if (!isW25X && type !== 0x40 && type !== 0x50 && type !== 0x60 && type !== 0x70) {
    if (type !== 0x80) return false
  }
  chip.capacity = size === 0x20 ? 0x4000000 : 1 << size
  chip.pageSize = 256
  chip.programMs = 3
  chip.setErase(0, 4096, SECTOR_ERASE, 400)
  if (!isW25X) chip.setErase(1, 32768, BLOCK_ERASE_32K, 1600)
  chip.setErase(2, 65536, BLOCK_ERASE_64K, 2000)
  // The W25Q256FV has no command of its own to program with 4 bytes, and the id of the W25Q256JV,
  // which has; both have the mode.
  chip.fourByte = chip.capacity > 0x1000000 ? FOUR_BYTE_MODE : FOUR_BYTE_NONE
  chip.hasWinbondRegisters = !isW25X
  return true
}
