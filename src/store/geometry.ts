import type { ReadWriteStorage } from '../../hal/storage.js'
import type { LaneSpace } from './storage-face.js'

/**
 * Checks what a FlashStore is made of, and throws an Error that names what cannot work.
 */

/** Sectors of the session store, in front of all lanes. */
export const SESSION_SECTORS = 2
/** Fewer leave no room for messages beside the reserve for marks and the sector being erased. */
const LEAST_LANE = 6
const LEAST_SECTORS = SESSION_SECTORS + LEAST_LANE

export function checkRange(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most && Math.floor(value) === value) return
  throw new Error('FlashStore: ' + name + ' is ' + value + ', not ' + least + ' to ' + most)
}

export function checkLane(
  lane: LaneSpace,
  index: number,
  count: number,
  sectorSize: number,
  excess: number,
): void {
  if (count >= LEAST_LANE && excess <= 0) return
  throw new Error(
    'option "lanes[' +
      index +
      '].bytes" of "' +
      lane.name +
      '" makes ' +
      count +
      ' sectors of ' +
      sectorSize +
      ' bytes; ' +
      (excess > 0
        ? 'the storage has ' + excess + ' too few for all lanes'
        : 'a lane needs ' + LEAST_LANE + ' at least'),
  )
}

function checkPowerOfTwo(name: string, value: number, least: number, most: number): void {
  checkRange(name, value, least, most)
  if ((value & (value - 1)) !== 0) {
    throw new Error('FlashStore: ' + name + ' ' + value + ' is not a power of two')
  }
}

export function checkGeometry(flash: ReadWriteStorage): void {
  checkPowerOfTwo('eraseSize', flash.eraseSize, 512, 65536)
  checkPowerOfTwo('writeSize', flash.writeSize, 1, 32)
  const sectorCount = flash.capacity / flash.eraseSize
  checkRange('capacity / eraseSize', sectorCount, LEAST_SECTORS, 1048576)
  const blockSectors = flash.eraseBlockSize / flash.eraseSize
  checkRange('eraseBlockSize / eraseSize', blockSectors, 1, 65536)
}
