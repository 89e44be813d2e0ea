/**
 * A partition of the chip's own flash as ReadWriteStorage, over ECMA-419 flash storage
 * (`embedded:storage/flash`). Knows nothing of records; the runtime is given to it.
 *
 * The platform counts erases in blocks and throws for trouble; this counts in bytes and returns a
 * status. The platform's block is our sector.
 */
import { ERR_STORAGE, OK } from '../../src/status.js'
import type { Status } from '../../src/status.js'
import type { ReadWriteStorage } from '../storage.js'
import type { Scratch } from './scratch.js'
import type { System } from '../system.js'

/** What is used of an opened `Flash`. All calls are synchronous and throw for trouble. */
export interface Flash {
  read(buffer: Uint8Array<ArrayBuffer>, byteOffset: number): unknown
  write(buffer: Uint8Array<ArrayBuffer>, byteOffset: number): unknown
  /** Blocks by number, `end` not included. */
  eraseBlock(start: number, end: number): unknown
  status(): FlashStatus
}

/** ESP32 reports the first three only. */
export interface FlashStatus {
  readonly size: number
  readonly blockLength: number
  readonly blocks: number
  readonly writeAlign?: number
  readonly eraseValue?: number
}

export interface PartitionOptions {
  /**
   * Unit of writing in bytes, where the platform does not report it; 1 unless given. Chips with
   * error correction want 16 (octal flash of some ESP32-S3 modules).
   */
  readonly writeSize?: number
}

/** The largest range an SPI NOR chip erases at one go. */
const ERASE_BLOCK_SIZE = 65536
/** Bytes read back after an erase. */
const PROBE_SIZE = 16

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0
}

export class FlashPartition implements ReadWriteStorage {
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  /** Why the last call failed, in the platform's words; '' while none has. */
  trouble: string
  private readonly flash: Flash
  private readonly system: System
  private readonly scratch: Scratch

  /** `scratch` is used within a call only and may be shared; its size bounds one platform call. */
  constructor(flash: Flash, system: System, scratch: Scratch, options?: PartitionOptions) {
    const status = flash.status()
    if (status.eraseValue !== undefined && status.eraseValue !== 0xff) {
      throw new Error(
        'FlashPartition: erased flash reads ' + status.eraseValue + ', it must be 255',
      )
    }
    this.flash = flash
    this.system = system
    this.scratch = scratch
    this.capacity = status.size
    this.eraseSize = status.blockLength
    const asked = options === undefined ? undefined : options.writeSize
    const reported = status.writeAlign
    this.writeSize = asked ?? reported ?? 1
    // The platform erases larger blocks by itself where a range covers them.
    this.eraseBlockSize = this.eraseSize < ERASE_BLOCK_SIZE ? ERASE_BLOCK_SIZE : this.eraseSize
    this.trouble = ''
    if (!isPowerOfTwo(this.writeSize) || this.writeSize > 32) {
      throw new Error('FlashPartition: writeSize ' + this.writeSize + ', it must be 1, 2, 4 … 32')
    }
    if (reported !== undefined && this.writeSize % reported !== 0) {
      throw new Error('FlashPartition: writeSize ' + asked + ', but the flash wants ' + reported)
    }
    if (!isPowerOfTwo(this.eraseSize) || this.capacity % this.eraseSize !== 0) {
      throw new Error('FlashPartition: ' + this.capacity + ' bytes in blocks of ' + this.eraseSize)
    }
  }

  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    this.check(address, length, 1, target.length - targetAt, targetAt)
    const scratch = this.scratch
    for (let done = 0; done < length;) {
      const part = length - done < scratch.size ? length - done : scratch.size
      scratch.narrow(part)
      const status = this.readPart(address + done)
      scratch.widen()
      if (status !== OK) return status
      this.system.copy(target, targetAt + done, scratch.bytes, 0, part)
      done += part
    }
    return OK
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status {
    this.check(address, length, this.writeSize, source.length - sourceAt, sourceAt)
    const scratch = this.scratch
    // Parts end at write units. A power loss between two leaves the later one as it was, which the
    // contract allows.
    const most = scratch.size - (scratch.size % this.writeSize)
    for (let done = 0; done < length;) {
      const part = length - done < most ? length - done : most
      this.system.copy(scratch.bytes, 0, source, sourceAt + done, part)
      scratch.narrow(part)
      const status = this.writePart(address + done)
      scratch.widen()
      if (status !== OK) return status
      done += part
    }
    return OK
  }

  erase(address: number, length: number): Status {
    this.check(address, length, this.eraseSize, length, 0)
    if (length === 0) return OK
    const first = address / this.eraseSize
    try {
      this.flash.eraseBlock(first, first + length / this.eraseSize)
    } catch (error) {
      return this.failed(error)
    }
    return this.probe(address)
  }

  /**
   * A partition that the table flags `encrypted` reads noise where it is erased. A log on it could
   * not tell a blank sector from a full one, so it is refused at its first erase.
   */
  private probe(address: number): Status {
    const scratch = this.scratch
    scratch.narrow(PROBE_SIZE)
    let status = this.readPart(address)
    scratch.widen()
    for (let at = 0; at < PROBE_SIZE && status === OK; at += 1) {
      if (scratch.bytes[at] === 0xff) continue
      this.trouble =
        'erased flash does not read 255: take the flag "encrypted" from the partition table, and ' +
        'encrypt with holdfast/encryption instead'
      status = ERR_STORAGE
    }
    return status
  }

  private readPart(address: number): Status {
    try {
      this.flash.read(this.scratch.bytes, address)
      return OK
    } catch (error) {
      return this.failed(error)
    }
  }

  private writePart(address: number): Status {
    try {
      this.flash.write(this.scratch.bytes, address)
      return OK
    } catch (error) {
      return this.failed(error)
    }
  }

  private failed(error: unknown): Status {
    this.trouble = String(error)
    return ERR_STORAGE
  }

  /** Throws for a caller's mistake: the platform checks neither range nor buffer. */
  private check(address: number, length: number, unit: number, room: number, at: number): void {
    if (!(address >= 0 && length >= 0 && address + length <= this.capacity)) {
      this.breach('range outside the capacity of ' + this.capacity, address, length)
    }
    if (address % 1 !== 0 || length % 1 !== 0) this.breach('not whole numbers', address, length)
    if (!(at >= 0 && length <= room)) {
      this.breach('range at ' + at + ' outside a buffer of ' + (room + at), address, length)
    }
    if (address % unit !== 0 || length % unit !== 0) {
      this.breach('not aligned to ' + unit, address, length)
    }
  }

  private breach(what: string, address: number, length: number): never {
    throw new Error('storage contract: ' + what + ', at ' + address + ' for ' + length + ' bytes')
  }
}
