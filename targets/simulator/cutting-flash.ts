/**
 * Pulls the plug in the middle of a flash write: a FileFlash whose N-th write or erase is torn, and
 * whose process dies with it, by SIGKILL, so that nothing after that instant can run. The image is
 * then as a chip would be. Knows nothing of what is written.
 */
import { Random } from '../../hal/memory/random.js'
import { Tearing } from '../../hal/memory/tear.js'
import type { Tear } from '../../hal/memory/tear.js'
import type { FileFlash } from '../../hal/node/file-flash.js'
import type { ReadWriteStorage } from '../../hal/storage.js'
import type { Status } from '../../src/status.js'

export interface PlannedCut {
  /** Which write or erase of this process is torn; 1 is the first. */
  readonly operation: number
  /** Decides how it is torn. */
  readonly seed: number
}

const TEARS: readonly Tear[] = ['random', 'prefix', 'progressive']

export class CuttingFlash implements ReadWriteStorage {
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  private readonly flash: FileFlash
  private readonly cut: PlannedCut
  private operationsLeft: number

  constructor(flash: FileFlash, cut: PlannedCut) {
    this.flash = flash
    this.cut = cut
    this.capacity = flash.capacity
    this.eraseSize = flash.eraseSize
    this.writeSize = flash.writeSize
    this.eraseBlockSize = flash.eraseBlockSize
    this.operationsLeft = cut.operation
  }

  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    return this.flash.read(address, target, targetAt, length)
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status {
    this.operationsLeft -= 1
    if (this.operationsLeft !== 0) return this.flash.write(address, source, sourceAt, length)
    const bytes = this.tear(address, source, sourceAt, length)
    // Where no bit changed there is no trace of the write on the chip, so none is left here.
    if (bytes !== null) this.flash.write(address, bytes, 0, length)
    return this.die()
  }

  erase(address: number, length: number): Status {
    this.operationsLeft -= 1
    if (this.operationsLeft !== 0) return this.flash.erase(address, length)
    const bytes = this.tear(address, null, 0, length)
    if (bytes !== null) {
      this.flash.erase(address, length)
      // Old contents come back where the erase did not reach. A sector that reads blank stays so.
      for (let at = 0; at < length; at += this.eraseSize) {
        const sector = bytes.subarray(at, at + this.eraseSize)
        if (sector.every((byte) => byte === 0xff)) continue
        this.flash.write(address + at, sector, 0, this.eraseSize)
        // That was our way to put them back, not the chip's doing.
        this.flash.statistics.programmedBytes -= this.eraseSize
      }
    }
    return this.die()
  }

  /** What the torn operation leaves in its range; null where it changed nothing. */
  private tear(
    address: number,
    source: Uint8Array | null,
    sourceAt: number,
    length: number,
  ): Uint8Array | null {
    const bytes = new Uint8Array(length)
    this.flash.read(address, bytes, 0, length)
    const chance = new Random(this.cut.seed)
    const tear = TEARS[chance.below(TEARS.length)]!
    const torn = new Tearing()
    torn.apply(bytes, 0, source, sourceAt, length, tear, 0, chance)
    return torn.flippedBits > 0 ? bytes : null
  }

  private die(): never {
    this.flash.flush()
    process.kill(process.pid, 'SIGKILL')
    throw new Error('the process outlived its SIGKILL')
  }
}
