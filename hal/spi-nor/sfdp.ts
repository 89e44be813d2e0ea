/**
 * Reads what a chip says of itself: Serial Flash Discoverable Parameters, JESD216. Knows the two
 * tables a driver on one data line needs; everything of two and four lines is passed over.
 *
 *   0    "SFDP" | minor | major | headers - 1 | ff          integers are little endian
 *   8    id low | minor | major | dwords | pointer (3) | id high      one for each table
 *
 *   table FF00, basic parameters (dwords count from 1)
 *   1    bits 18:17 address bytes: 3, 3 or 4, 4
 *   2    bits - 1, or with bit 31 the exponent of the bits
 *   8-9  4 x (exponent of the erase size | command)
 *   10   4 x 7 bits of typical erase time from bit 4 on; bits 3:0 make the longest of it
 *   11   bits 3:0 the same for programs, 7:4 exponent of the page, 13:8 typical program time
 *   16   bits 31:24 how addresses of 4 bytes begin
 *   table FF84, commands with addresses of 4 bytes
 *   1    bit 1 fast read 0C, 6 page program 12, 9 to 12 the four erases;   2    their commands
 */
import {
  type ChipParameters,
  ERASE_TYPES,
  FOUR_BYTE_ALWAYS,
  FOUR_BYTE_COMMANDS,
  FOUR_BYTE_MODE,
  FOUR_BYTE_MODE_ENABLED,
} from './chip-parameters.js'
import type { SpiNorPort } from './spi-nor-port.js'

export const SFDP_OK = 0
/** The chip has no SFDP. */
export const SFDP_NONE = -1
/** It has, but with a table that is missing or makes no sense. */
export const SFDP_BAD = -2
/** Its sectors are not of one size (table FF81). */
export const SFDP_MIXED_SECTORS = -3

const SIGNATURE = 0x50444653
const BASIC = 0xff00
const SECTOR_MAP = 0xff81
const FOUR_BYTE = 0xff84
/** JESD216 knows fewer tables; more would be noise on the wires. */
const MAX_TABLES = 32
const BASIC_SIZE = 64
/** The first edition of JESD216 has no times: these are above any datasheet's. */
const UNKNOWN_PROGRAM_MS = 10
const UNKNOWN_ERASE_MS = 4000

function dword(bytes: Uint8Array, at: number): number {
  const high = (bytes[at + 3]! << 24) | (bytes[at + 2]! << 16)
  return (high | (bytes[at + 1]! << 8) | bytes[at]!) >>> 0
}

/** 5 bits that count from 1 in units of 1, 16, 128 or 1,000 ms. */
function eraseTime(bits: number): number {
  const unit = (bits >>> 5) & 3
  const milliseconds = unit === 0 ? 1 : unit === 1 ? 16 : unit === 2 ? 128 : 1000
  return ((bits & 31) + 1) * milliseconds
}

function decodeBasic(bytes: Uint8Array, dwordCount: number, chip: ChipParameters): boolean {
  const density = dword(bytes, 4)
  if (density < 0x80000000) chip.capacity = (density + 1) / 8
  else {
    const exponent = density - 0x80000000
    // 2^35 bits are all that addresses of 4 bytes reach.
    if (exponent < 12 || exponent > 35) return false
    chip.capacity = Math.pow(2, exponent - 3)
  }
  const hasTimes = dwordCount >= 11
  const eraseTimes = hasTimes ? dword(bytes, 36) : 0
  const eraseFactor = 2 * ((eraseTimes & 15) + 1)
  for (let type = 0; type < ERASE_TYPES; type += 1) {
    const exponent = bytes[28 + 2 * type]!
    // Pages of 256 bytes that erase (2^8) are no sectors for us, nor is what lies above 2 MB.
    if (exponent < 9 || exponent > 21) continue
    const longest = eraseFactor * eraseTime((eraseTimes >>> (4 + 7 * type)) & 0x7f)
    const limit = hasTimes ? longest : UNKNOWN_ERASE_MS
    chip.setErase(type, 1 << exponent, bytes[29 + 2 * type]!, limit)
  }
  chip.pageSize = 256
  chip.programMs = UNKNOWN_PROGRAM_MS
  if (hasTimes) {
    const program = dword(bytes, 40)
    const micros = (((program >>> 8) & 31) + 1) * ((program & 0x2000) !== 0 ? 64 : 8)
    chip.programMs = Math.ceil((2 * ((program & 15) + 1) * micros) / 1000)
    chip.pageSize = 1 << ((program >>> 4) & 15)
  }
  if ((bytes[2]! & 6) === 4) chip.fourByte = FOUR_BYTE_ALWAYS
  else if (dwordCount >= 16 && (bytes[63]! & 1) !== 0) chip.fourByte = FOUR_BYTE_MODE
  else if (dwordCount >= 16 && (bytes[63]! & 2) !== 0) chip.fourByte = FOUR_BYTE_MODE_ENABLED
  return chip.capacity % 1 === 0 && chip.pageSize >= 16 && chip.smallestErase() > 0
}

function decodeFourByte(bytes: Uint8Array, chip: ChipParameters): void {
  const flags = dword(bytes, 0)
  if ((flags & 0x42) !== 0x42 || chip.fourByte === FOUR_BYTE_ALWAYS) return
  let hasErase = false
  for (let type = 0; type < ERASE_TYPES; type += 1) {
    const isThere = (flags & (0x200 << type)) !== 0 && chip.eraseSizes[type]! > 0
    chip.eraseCommands4[type] = isThere ? bytes[4 + type]! : 0
    if (isThere && chip.eraseSizes[type] === chip.smallestErase()) hasErase = true
  }
  if (hasErase) chip.fourByte = FOUR_BYTE_COMMANDS
}

/** Fills in what the chip tells; SFDP_OK or why not. */
export function readSfdp(port: SpiNorPort, chip: ChipParameters): number {
  const bytes = new Uint8Array(BASIC_SIZE)
  port.readSfdp(0, bytes, 8)
  if (dword(bytes, 0) !== SIGNATURE) return SFDP_NONE
  // 0 means one table: the number is one less than there are.
  const tableCount = bytes[6]! + 1
  if (tableCount > MAX_TABLES) return SFDP_BAD
  let isBasicRead = false
  // The basic table stands first. Later ones of the same id are newer and do not have less.
  for (let table = 0; table < tableCount; table += 1) {
    port.readSfdp(8 + 8 * table, bytes, 8)
    const id = (bytes[7]! << 8) | bytes[0]!
    const dwordCount = bytes[3]!
    const pointer = bytes[4]! | (bytes[5]! << 8) | (bytes[6]! << 16)
    if (id === SECTOR_MAP) return SFDP_MIXED_SECTORS
    if (id === BASIC && dwordCount >= 9) {
      port.readSfdp(pointer, bytes, dwordCount < 16 ? dwordCount * 4 : BASIC_SIZE)
      if (!decodeBasic(bytes, dwordCount, chip)) return SFDP_BAD
      isBasicRead = true
    } else if (id === FOUR_BYTE && dwordCount >= 2 && isBasicRead) {
      port.readSfdp(pointer, bytes, 8)
      decodeFourByte(bytes, chip)
    }
  }
  return isBasicRead ? SFDP_OK : SFDP_BAD
}
