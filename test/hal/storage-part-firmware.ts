/** Firmware that counts what a part of a flash allocates on XS for each call. */
import type { StoragePart as Part } from '../../hal/storage-part.js'
import type { ReadWriteStorage } from '../../hal/storage.js'
import { type CountingDevice, Meter } from '../bench/firmware-meter.js'

declare const device: CountingDevice
declare const holdfast: { StoragePart: typeof Part }

const SECTOR = 512
const OPERATIONS = 100

/** Notes the last address, and does nothing with the bytes. */
class NoFlash implements ReadWriteStorage {
  readonly capacity = 8 * SECTOR
  readonly eraseSize = SECTOR
  readonly writeSize = 4
  readonly eraseBlockSize = SECTOR
  last = 0

  read(address: number): number {
    this.last = address
    return 0
  }

  write(address: number): number {
    this.last = address
    return 0
  }

  erase(address: number): number {
    this.last = address
    return 0
  }
}

const flash = new NoFlash()
const part = new holdfast.StoragePart(flash, 2 * SECTOR, 4 * SECTOR)
const bytes = new Uint8Array(64)

function measure(name: string, work: (at: number) => number): void {
  const meter = new Meter(device)
  meter.begin()
  for (let round = 0; round < OPERATIONS; round++) {
    const at = (round & 3) * SECTOR
    if (work(at) !== 0 || flash.last !== 2 * SECTOR + at) throw new Error(name + ' failed')
  }
  meter.end(OPERATIONS)
  meter.report(name)
}

measure('erase', (at) => part.erase(at, SECTOR))
measure('write', (at) => part.write(at, bytes, 4, 8))
measure('read', (at) => part.read(at, bytes, 1, 63))
