/**
 * StoragePart: whole sectors of a flash as a flash of their own, so that two stores share one chip.
 *
 *   the flash   0 ........ start ................... start + size ........ capacity
 *   here                    0 ......................... capacity
 *
 * It adds an address and checks that a call stays inside. It does not know who has the other parts:
 * they must not overlap. Nothing allocates after the constructor.
 */
import type { Status } from '../src/status.js'
import { checkErase, checkGeometry, checkRead, checkWrite } from './memory/storage-checks.js'
import type { ReadWriteStorage } from './storage.js'

function requireSectors(name: string, value: number, least: number, eraseSize: number): void {
  if (typeof value === 'number' && value >= least && value % eraseSize === 0) return
  throw new Error(
    'StoragePart: ' +
      name +
      ' is ' +
      value +
      ', it must be whole sectors of ' +
      eraseSize +
      ' bytes',
  )
}

export class StoragePart implements ReadWriteStorage {
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  private readonly flash: ReadWriteStorage
  private readonly start: number

  /** `size` bytes from `start` on, both in whole sectors. Throws where the flash has them not. */
  constructor(flash: ReadWriteStorage, start: number, size: number) {
    const eraseSize = flash.eraseSize
    checkGeometry(flash)
    requireSectors('start', start, 0, eraseSize)
    requireSectors('size', size, eraseSize, eraseSize)
    if (start + size > flash.capacity) {
      throw new Error(
        'StoragePart: it ends at ' + (start + size) + ', the flash at ' + flash.capacity,
      )
    }
    // What is aligned here to a larger erase of the chip must be so there.
    let block = flash.eraseBlockSize
    while (start % block !== 0) block >>= 1
    this.capacity = size
    this.eraseSize = eraseSize
    this.writeSize = flash.writeSize
    this.eraseBlockSize = block
    this.flash = flash
    this.start = start
  }

  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    checkRead(this, address, target, targetAt, length)
    return this.flash.read(this.start + address, target, targetAt, length)
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status {
    checkWrite(this, address, source, sourceAt, length)
    return this.flash.write(this.start + address, source, sourceAt, length)
  }

  erase(address: number, length: number): Status {
    checkErase(this, address, length)
    return this.flash.erase(this.start + address, length)
  }
}
