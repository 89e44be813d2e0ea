/**
 * SpiNor: a serial NOR flash chip of the W25Q kind, or a part of one, as ReadWriteStorage. Splits
 * writes at program pages and erases into the largest the chip has. Knows nothing of records, nor
 * of how a bus is made. Nothing allocates after the constructor.
 *
 *   chip    0 ........ start ................... start + size ........ capacity of the chip
 *   here                 0 ......................... capacity
 *
 * Each change is checked from both ends: the chip must say that writing is enabled before, and no
 * longer after. So a chip that lost its power or is protected fails a write instead of losing it.
 */
import { ERR_STORAGE, OK } from '../../src/status.js'
import type { Status } from '../../src/status.js'
import { checkErase, checkGeometry, checkRead, checkWrite } from '../memory/storage-checks.js'
import type { ReadWriteStorage } from '../storage.js'
import type { System } from '../system.js'
import {
  BUSY,
  ENTER_4_BYTE,
  EXIT_4_BYTE,
  FAST_READ,
  FAST_READ_4,
  PAGE_PROGRAM,
  PAGE_PROGRAM_4,
  POWER_DOWN,
  READ_STATUS_1,
  WRITE_DISABLE,
  WRITE_ENABLE,
  WRITE_ENABLED,
} from './commands.js'
import {
  type ChipParameters,
  ERASE_TYPES,
  FOUR_BYTE_ALWAYS,
  FOUR_BYTE_COMMANDS,
  FOUR_BYTE_MODE_ENABLED,
  FOUR_BYTE_NONE,
} from './chip-parameters.js'
import { identify, openId, requireWritable, WAKE_MS } from './open-chip.js'
import type { SpiBus } from './spi-bus.js'
import { SpiNorPort } from './spi-nor-port.js'

export interface SpiNorOptions {
  /** Where the partition begins on the chip, a multiple of its sectors (4,096); 0 unless given. */
  readonly start?: number
  /** Bytes in the partition, whole sectors; all from `start` to the chip's end unless given. */
  readonly size?: number
  /** 1 unless given; more for chips whose error correction wants it. */
  readonly writeSize?: number
  /** Clears the block protect bits of the chip, for good. */
  readonly unprotect?: boolean
  /**
   * Called while an erase runs, to let others run: Moddable's `Timer.delay`, for instance. Without
   * it the wait polls the chip without a break, 45 ms a sector, 150 ms for 64 KB, at worst 2 s.
   */
  readonly pause?: (milliseconds: number) => void
}

const THREE_BYTE_LIMIT = 0x1000000

function requireNumber(name: string, value: number, lowest: number): void {
  if (typeof value === 'number' && value >= lowest && value % 1 === 0) return
  throw new Error('SpiNor: ' + name + ' is ' + value + ', it must be a number from ' + lowest)
}

export class SpiNor implements ReadWriteStorage {
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  /** Manufacturer, memory type and capacity, as the chip tells them. */
  readonly jedecId: number
  /** Bytes of the whole chip. */
  readonly chipCapacity: number
  private readonly start: number
  private readonly port: SpiNorPort
  private readonly chip: ChipParameters
  private readonly addressSize: number
  private readonly readCommand: number
  private readonly programCommand: number
  private readonly eraseCommands: Uint8Array
  /** Addresses of 4 bytes are switched on before each operation: a chip reset ends them. */
  private readonly entersFourByte: boolean
  /** The chip was still busy at a deadline. */
  private isUnsettled: boolean
  private isAsleep: boolean

  constructor(bus: SpiBus, system: System, options?: SpiNorOptions) {
    const given = options ?? {}
    const start = given.start ?? 0
    requireNumber('start', start, 0)
    this.writeSize = given.writeSize ?? 1
    this.port = new SpiNorPort(bus, system, given.pause ?? null)
    this.jedecId = openId(this.port)
    const chip = identify(this.port, this.jedecId)
    this.chip = chip
    this.chipCapacity = chip.capacity
    this.start = start
    const size = given.size ?? chip.capacity - start
    requireNumber('size', size, 1)
    this.capacity = size
    this.eraseSize = chip.smallestErase()
    this.checkRange()
    this.eraseBlockSize = this.largestErase()
    checkGeometry(this)
    const isFar = start + size > THREE_BYTE_LIMIT
    const fourByte = chip.fourByte
    const hasCommands = isFar && fourByte === FOUR_BYTE_COMMANDS
    if (isFar && fourByte === FOUR_BYTE_NONE) this.fail('size', 'ends above 16 MB', 'below that')
    this.addressSize = isFar || fourByte === FOUR_BYTE_ALWAYS ? 4 : 3
    this.readCommand = hasCommands ? FAST_READ_4 : FAST_READ
    this.programCommand = hasCommands ? PAGE_PROGRAM_4 : PAGE_PROGRAM
    this.eraseCommands = hasCommands ? chip.eraseCommands4 : chip.eraseCommands
    this.entersFourByte = isFar && !hasCommands && fourByte !== FOUR_BYTE_ALWAYS
    this.isUnsettled = false
    this.isAsleep = false
    // Whoever used the chip before a reset of the processor may have left them on.
    if (this.addressSize === 3 && chip.capacity > THREE_BYTE_LIMIT) {
      this.port.command(WRITE_ENABLE)
      this.port.command(EXIT_4_BYTE)
      this.port.command(WRITE_DISABLE)
    }
    requireWritable(this.port, chip, given.unprotect ?? false)
  }

  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    checkRead(this, address, target, targetAt, length)
    if (length === 0) return OK
    if (!this.isReady()) return ERR_STORAGE
    this.port.begin(this.readCommand, this.start + address, this.addressSize, 1)
    this.port.bus.receive(target, targetAt, length)
    this.port.bus.end()
    return OK
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status {
    checkWrite(this, address, source, sourceAt, length)
    if (length === 0) return OK
    if (!this.isReady()) return ERR_STORAGE
    const pageSize = this.chip.pageSize
    for (let done = 0; done < length;) {
      const at = this.start + address + done
      const room = pageSize - (at % pageSize)
      const part = room < length - done ? room : length - done
      if (!this.isEnabled()) return ERR_STORAGE
      this.port.begin(this.programCommand, at, this.addressSize, 0)
      this.port.bus.send(source, sourceAt + done, part)
      this.port.bus.end()
      if (!this.isDone(this.chip.programMs, false)) return ERR_STORAGE
      done += part
    }
    return OK
  }

  erase(address: number, length: number): Status {
    checkErase(this, address, length)
    if (length === 0) return OK
    if (!this.isReady()) return ERR_STORAGE
    for (let done = 0; done < length;) {
      const at = this.start + address + done
      const type = this.eraseType(at, length - done)
      if (!this.isEnabled()) return ERR_STORAGE
      this.port.begin(this.eraseCommands[type]!, at, this.addressSize, 0)
      this.port.bus.end()
      if (!this.isDone(this.chip.eraseMs[type]!, true)) return ERR_STORAGE
      done += this.chip.eraseSizes[type]!
    }
    return OK
  }

  /** Deep power-down: the chip takes about 1 uA instead of 10 to 50. Any operation wakes it. */
  sleep(): Status {
    if (this.isAsleep) return OK
    if (!this.isReady()) return ERR_STORAGE
    this.port.command(POWER_DOWN)
    this.isAsleep = true
    return OK
  }

  /** Ends deep power-down, so that the next operation need not. */
  wake(): Status {
    if (!this.isAsleep) return OK
    if (this.port.wake(this.jedecId, WAKE_MS) !== this.jedecId) return ERR_STORAGE
    this.isAsleep = false
    return OK
  }

  private fail(name: string, what: string, advice: string): never {
    const value = name === 'size' ? this.capacity : this.start
    throw new Error('SpiNor: ' + name + ' is ' + value + ', which ' + what + '; make it ' + advice)
  }

  /** Refuses a range that the chip does not have or cannot erase by itself. */
  private checkRange(): void {
    const sector = this.eraseSize
    const sectors = 'a multiple of ' + sector
    if (this.start % sector !== 0) this.fail('start', 'lies within a sector of the chip', sectors)
    if (this.capacity % sector !== 0) this.fail('size', 'ends within a sector of the chip', sectors)
    const room = this.chip.capacity - this.start
    if (this.capacity > room) this.fail('size', 'goes beyond the chip', 'at most ' + room)
  }

  /** The largest erase that the partition is aligned to, as the caller counts from its start. */
  private largestErase(): number {
    let largest = this.eraseSize
    for (let type = 0; type < ERASE_TYPES; type += 1) {
      const size = this.chip.eraseSizes[type]!
      if (size > largest && this.start % size === 0 && size <= this.capacity) largest = size
    }
    return largest
  }

  /** The largest erase that begins at `at` and is not longer than `length`. */
  private eraseType(at: number, length: number): number {
    let best = -1
    let bestSize = 0
    for (let type = 0; type < ERASE_TYPES; type += 1) {
      const size = this.chip.eraseSizes[type]!
      if (size <= bestSize || size > length || at % size !== 0) continue
      if (this.eraseCommands[type] === 0) continue
      best = type
      bestSize = size
    }
    return best
  }

  /** Makes the chip take commands; false when it does not. */
  private isReady(): boolean {
    if (this.isAsleep && this.wake() !== OK) return false
    // After a deadline nobody waits again: one look tells.
    if (this.isUnsettled) {
      if ((this.port.register(READ_STATUS_1) & BUSY) !== 0) return false
      this.isUnsettled = false
    }
    if (this.entersFourByte) {
      const isGuarded = this.chip.fourByte === FOUR_BYTE_MODE_ENABLED
      if (isGuarded) this.port.command(WRITE_ENABLE)
      this.port.command(ENTER_4_BYTE)
      if (isGuarded) this.port.command(WRITE_DISABLE)
    }
    return true
  }

  /** Enables writing; false when the chip does not say so. A line nobody drives reads 0 or 0xFF. */
  private isEnabled(): boolean {
    this.port.command(WRITE_ENABLE)
    const status = this.port.register(READ_STATUS_1)
    return (status & (BUSY | WRITE_ENABLED)) === WRITE_ENABLED
  }

  /** Waits for a program or an erase; false when it takes too long or was not carried out. */
  private isDone(limitMs: number, isLong: boolean): boolean {
    const status = this.port.waitReady(limitMs, isLong)
    if (status < 0) {
      this.isUnsettled = true
      return false
    }
    if ((status & WRITE_ENABLED) === 0) return true
    // The chip ends writing by itself when it has written: it has not.
    this.port.command(WRITE_DISABLE)
    return false
  }
}
