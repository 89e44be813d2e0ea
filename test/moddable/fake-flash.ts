/**
 * `embedded:storage/flash` of an ESP32 as the sources of Moddable 8.2 have it, over a NOR chip in
 * RAM: bytes and block numbers, nothing checked but the end of the chip, trouble thrown. Knows
 * nothing of the class under test.
 */
import { NorFlash } from '../../hal/memory/index.js'
import type { Flash, FlashStatus } from '../../hal/moddable/flash-partition.js'
import { OK } from '../../src/status.js'

export interface FakeFlashOptions {
  readonly capacity: number
  readonly eraseSize: number
  /** What the chip takes; the platform of an ESP32 does not tell. */
  readonly writeSize: number
  /** Zephyr tells `writeAlign` and `eraseValue`. */
  readonly tells?: boolean
  readonly eraseValue?: number
  /** The partition is flagged `encrypted`: whatever is read was decrypted, blank flash too. */
  readonly isEncrypted?: boolean
}

export class FakeFlash implements Flash {
  readonly chip: NorFlash
  /** Each call in short, e.g. `erase 0-16`. */
  readonly calls: string[] = []
  /** Words with which the next calls fail. */
  failure = ''
  private readonly options: FakeFlashOptions

  constructor(options: FakeFlashOptions) {
    this.options = options
    this.chip = new NorFlash(options)
  }

  read(buffer: Uint8Array, at: number): number {
    this.enter(`read ${at}+${buffer.byteLength}`)
    if (at + buffer.byteLength > this.chip.capacity) throw new Error('read failed')
    if (this.chip.read(at, buffer, 0, buffer.byteLength) !== OK) throw new Error('read failed')
    if (this.options.isEncrypted) this.scramble(buffer, at)
    return buffer.byteLength
  }

  write(buffer: Uint8Array, at: number): void {
    this.enter(`write ${at}+${buffer.byteLength}`)
    const unit = this.options.isEncrypted ? 16 : 1
    if (at % unit !== 0 || buffer.byteLength % unit !== 0) throw new Error('write failed')
    const stored = Uint8Array.from(buffer)
    if (this.options.isEncrypted) this.scramble(stored, at)
    if (this.chip.write(at, stored, 0, stored.length) !== OK) throw new Error('write failed')
  }

  eraseBlock(start: number, end = start + 1): void {
    this.enter(`erase ${start}-${end}`)
    const size = this.chip.eraseSize
    if (this.chip.erase(start * size, (end - start) * size) !== OK) throw new Error('erase failed')
  }

  status(): FlashStatus {
    const { capacity, eraseSize, writeSize } = this.chip
    const common = { size: capacity, blockLength: eraseSize, blocks: capacity / eraseSize }
    if (!this.options.tells) return common
    return { ...common, writeAlign: writeSize, eraseValue: this.options.eraseValue ?? 0xff }
  }

  private enter(call: string): void {
    this.calls.push(call)
    if (this.failure !== '') throw new Error(this.failure)
  }

  private scramble(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < bytes.length; i++) bytes[i]! ^= ((at + i) * 151 + 29) & 0xff
  }
}
