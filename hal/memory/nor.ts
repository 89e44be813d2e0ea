/**
 * A NOR flash chip in RAM: the fixture of every power-cut test. It holds the caller to the contract
 * of ReadWriteStorage by throwing, counts what it does, keeps time in a model, and fails on
 * request: power cuts that tear an operation, weak and stuck sectors, bits that flip. All chance
 * comes from seeds. It knows nothing of records.
 */
import { ERR_STORAGE, OK } from '../../src/status.js'
import type { Status } from '../../src/status.js'
import type { ReadWriteStorage } from '../storage.js'
import { FlashCounters } from './flash-counters.js'
import { PROGRAM_PAGE_SIZE, w25qTiming } from './flash-timing.js'
import type { FlashTiming } from './flash-timing.js'
import { Random } from './random.js'
import { breach, checkErase, checkGeometry, checkRead, checkWrite } from './storage-checks.js'
import { Tearing } from './tear.js'
import type { Tear } from './tear.js'

/**
 * Thrown by the torn operation and by every call until `powerOn`. It does not extend Error:
 * Espruino cannot, and a test of a million cuts need not collect a million stacks.
 */
export class PowerCut {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }

  toString(): string {
    return 'PowerCut: ' + this.message
  }
}

export interface NorOptions {
  readonly capacity: number
  /** 4,096 unless given. */
  readonly eraseSize?: number
  /** 1 unless given. */
  readonly writeSize?: number
  /** 65,536 unless given, or `eraseSize` where the partition is smaller than a block. */
  readonly eraseBlockSize?: number
  /** The W25Q's unless given. */
  readonly timing?: FlashTiming
  /** False lets a unit be written twice and only counts it; true unless given. */
  readonly enforceWriteOnce?: boolean
}

/** A stuck sector `reports` ERR_STORAGE and keeps its bytes, or is `silent` and has a bad bit. */
export type StuckSector = 'none' | 'reports' | 'silent'
const STUCK_REPORTS = 1
const STUCK_SILENT = 2

/** The whole state of a NorFlash, taken by `snapshot`; valid for flashes of the same geometry. */
export class NorSnapshot {
  bytes: Uint8Array
  units: Uint8Array
  weak: Uint8Array
  stuck: Uint8Array
  wear: Uint32Array
  counters: FlashCounters
  chance: number
  isOff: boolean
  flipProbability: number
  bitsToFlip: number

  constructor(capacity: number, unitCount: number, sectorCount: number) {
    this.bytes = new Uint8Array(capacity)
    this.units = new Uint8Array(unitCount)
    this.weak = new Uint8Array(sectorCount)
    this.stuck = new Uint8Array(sectorCount)
    this.wear = new Uint32Array(sectorCount)
    this.counters = new FlashCounters()
    this.chance = 1
    this.isOff = false
    this.flipProbability = 0
    this.bitsToFlip = -1
  }
}

export class NorFlash implements ReadWriteStorage {
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  /** What is stored, for tests to look at. Change it with `flipBit`. */
  readonly bytes: Uint8Array
  readonly counters: FlashCounters
  /** Erases of each sector. */
  readonly wear: Uint32Array
  /** What the last power cut left undone; `pendingBits` bounds a bit-exhaustive test. */
  readonly torn: Tearing
  /** True from a power cut to `powerOn`. */
  isOff: boolean
  /** 1 for each write unit written since its sector was erased. */
  private readonly units: Uint8Array
  private readonly weak: Uint8Array
  private readonly stuck: Uint8Array
  private weakCount: number
  private readonly timing: FlashTiming
  private readonly enforces: boolean
  private readonly chance: Random
  /** The cut to come: operations until then (0: none), and how it tears. */
  private cutIn: number
  private cutTear: Tear
  private cutBits: number
  private flipProbability: number
  /** Bits that will be read right before the next flip; -1 while flips are off. */
  private bitsToFlip: number

  constructor(options: NorOptions) {
    this.capacity = options.capacity
    this.eraseSize = options.eraseSize ?? 4096
    this.writeSize = options.writeSize ?? 1
    const block = this.capacity < 65536 ? this.eraseSize : 65536
    this.eraseBlockSize = options.eraseBlockSize ?? block
    checkGeometry(this)
    const sectorCount = this.capacity / this.eraseSize
    this.bytes = new Uint8Array(this.capacity)
    this.bytes.fill(0xff)
    this.counters = new FlashCounters()
    this.wear = new Uint32Array(sectorCount)
    this.torn = new Tearing()
    this.isOff = false
    this.units = new Uint8Array(this.capacity / this.writeSize)
    this.weak = new Uint8Array(sectorCount)
    this.stuck = new Uint8Array(sectorCount)
    this.weakCount = 0
    this.timing = options.timing ?? w25qTiming()
    this.enforces = options.enforceWriteOnce ?? true
    this.chance = new Random(1)
    this.cutIn = 0
    this.cutTear = 'noop'
    this.cutBits = 0
    this.flipProbability = 0
    this.bitsToFlip = -1
  }

  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    this.requirePower()
    checkRead(this, address, target, targetAt, length)
    target.set(this.bytes.subarray(address, address + length), targetAt)
    const counters = this.counters
    counters.reads += 1
    counters.readBytes += length
    counters.microseconds += this.timing.read(length)
    if (this.weakCount > 0) this.loosenWeakBits(address, target, targetAt, length)
    if (this.bitsToFlip >= 0) this.flipReadBits(target, targetAt, length)
    return OK
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status {
    this.requirePower()
    checkWrite(this, address, source, sourceAt, length)
    this.checkUnwritten(address, length)
    if (this.cutIn > 0) this.countToCut(address, source, sourceAt, length)
    const bytes = this.bytes
    for (let i = 0; i < length; i += 1) bytes[address + i]! &= source[sourceAt + i]!
    this.markUnits(address, length, 1)
    this.countPrograms(address, length)
    return OK
  }

  erase(address: number, length: number): Status {
    this.requirePower()
    checkErase(this, address, length)
    if (this.cutIn > 0) this.countToCut(address, null, 0, length)
    this.countErases(address, length)
    let status = OK
    const firstSector = address / this.eraseSize
    const endSector = (address + length) / this.eraseSize
    for (let sector = firstSector; sector < endSector; sector += 1) {
      this.wear[sector]! += 1
      if (this.stuck[sector] === STUCK_REPORTS) status = ERR_STORAGE
      else this.eraseSector(sector)
    }
    return status
  }

  /**
   * Cuts power in the `operation`-th write or erase from now (1 is the next) and leaves it as
   * `tear` says. `bitCount` is the k of the model `bits`. Operation 0 takes a planned cut back.
   */
  cutAt(operation: number, tear: Tear, seed: number, bitCount?: number): void {
    this.cutIn = operation
    this.cutTear = tear
    this.cutBits = bitCount ?? 0
    this.chance.reseed(seed)
  }

  /** Cuts power now, between two operations. */
  powerOff(): void {
    this.isOff = true
  }

  /** Ends a power cut. What is stored stays; a planned cut that did not come yet is forgotten. */
  powerOn(): void {
    this.isOff = false
    this.cutIn = 0
  }

  /** From now on each bit read is wrong with this probability; stored bits stay. 0 ends it. */
  flipOnRead(probability: number, seed: number): void {
    this.flipProbability = probability
    this.chance.reseed(seed)
    this.bitsToFlip = probability > 0 ? this.drawGap() : -1
  }

  /** Inverts one stored bit, as wear or radiation would. Nothing is counted. */
  flipBit(address: number, bit: number): void {
    checkRead(this, address, this.bytes, 0, 1)
    this.bytes[address]! ^= 1 << (bit & 7)
  }

  /** Makes the sector at `address` fail its erases from now on, or heals it. */
  stickSector(address: number, how: StuckSector): void {
    checkErase(this, address, this.eraseSize)
    const code = how === 'reports' ? STUCK_REPORTS : how === 'silent' ? STUCK_SILENT : 0
    this.stuck[address / this.eraseSize] = code
  }

  snapshot(): NorSnapshot {
    const taken = new NorSnapshot(this.capacity, this.units.length, this.wear.length)
    taken.bytes.set(this.bytes)
    taken.units.set(this.units)
    taken.weak.set(this.weak)
    taken.stuck.set(this.stuck)
    taken.wear.set(this.wear)
    taken.counters.assign(this.counters)
    taken.chance = this.chance.state
    taken.isOff = this.isOff
    taken.flipProbability = this.flipProbability
    taken.bitsToFlip = this.bitsToFlip
    return taken
  }

  /** Goes back to a snapshot, which stays usable. A planned cut is forgotten. */
  restore(taken: NorSnapshot): void {
    if (taken.bytes.length !== this.capacity || taken.units.length !== this.units.length) {
      throw new Error('the snapshot is of a flash of another geometry')
    }
    this.bytes.set(taken.bytes)
    this.units.set(taken.units)
    this.weak.set(taken.weak)
    this.stuck.set(taken.stuck)
    this.wear.set(taken.wear)
    this.counters.assign(taken.counters)
    this.chance.state = taken.chance
    this.isOff = taken.isOff
    this.flipProbability = taken.flipProbability
    this.bitsToFlip = taken.bitsToFlip
    this.weakCount = 0
    for (let i = 0; i < this.weak.length; i += 1) this.weakCount += this.weak[i]!
    this.cutIn = 0
  }

  private requirePower(): void {
    if (this.isOff) throw new PowerCut('the power is off')
  }

  private markUnits(address: number, length: number, value: number): void {
    this.units.fill(value, address / this.writeSize, (address + length) / this.writeSize)
  }

  private checkUnwritten(address: number, length: number): void {
    const units = this.units
    const end = (address + length) / this.writeSize
    for (let unit = address / this.writeSize; unit < end; unit += 1) {
      if (units[unit] === 0) continue
      this.counters.doubleProgrammedBytes += this.writeSize
      if (this.enforces) {
        breach('the unit at ' + unit * this.writeSize + ' is written already', address, length)
      }
    }
  }

  private countPrograms(address: number, length: number): void {
    const counters = this.counters
    counters.writes += 1
    counters.programmedBytes += length
    for (let done = 0; done < length;) {
      const room = PROGRAM_PAGE_SIZE - ((address + done) % PROGRAM_PAGE_SIZE)
      const part = room < length - done ? room : length - done
      counters.pagePrograms += 1
      counters.microseconds += this.timing.programPage(part)
      done += part
    }
  }

  private countErases(address: number, length: number): void {
    const counters = this.counters
    const timing = this.timing
    const block = this.eraseBlockSize
    counters.eraseCalls += 1
    counters.erases += length / this.eraseSize
    for (let done = 0; done < length;) {
      const isBlock =
        block > this.eraseSize &&
        timing.blockErase > 0 &&
        (address + done) % block === 0 &&
        length - done >= block
      counters.microseconds += timing.command + (isBlock ? timing.blockErase : timing.sectorErase)
      done += isBlock ? block : this.eraseSize
    }
  }

  private eraseSector(sector: number): void {
    const address = sector * this.eraseSize
    this.bytes.fill(0xff, address, address + this.eraseSize)
    this.markUnits(address, this.eraseSize, 0)
    if (this.weak[sector] === 1) {
      this.weak[sector] = 0
      this.weakCount -= 1
    }
    if (this.stuck[sector] === STUCK_SILENT) this.bytes[address + this.eraseSize / 2]! &= 0xfe
  }

  /** Counts down to the planned cut; at the cut it tears the operation and throws. */
  private countToCut(
    address: number,
    source: Uint8Array | null,
    sourceAt: number,
    length: number,
  ): void {
    this.cutIn -= 1
    if (this.cutIn > 0) return
    const bytes = this.bytes
    const tear = this.cutTear
    this.isOff = true
    this.torn.apply(bytes, address, source, sourceAt, length, tear, this.cutBits, this.chance)
    if (source === null) this.settleTornErase(address, length, tear)
    // A chip with error correction takes no unit again whose programming has begun, and the caller
    // sees that it has. Where no bit changed the caller cannot know, so the units are free.
    else if (this.torn.flippedBits > 0) this.markUnits(address, length, 1)
    const name = source === null ? 'erase' : 'write'
    throw new PowerCut(name + ' at ' + address + ' for ' + length + ' bytes torn: ' + tear)
  }

  /** A torn erase: sectors that read blank can be written, though weak ones do not hold it. */
  private settleTornErase(address: number, length: number, tear: Tear): void {
    const end = address + length
    for (let at = address; at < end; at += this.eraseSize) {
      let isBlank = true
      for (let i = at; isBlank && i < at + this.eraseSize; i += 1) isBlank = this.bytes[i] === 0xff
      const sector = at / this.eraseSize
      if (tear !== 'noop') this.wear[sector]! += 1
      if (isBlank && tear !== 'noop') this.markUnits(at, this.eraseSize, 0)
      if (tear === 'weak' && this.weak[sector] === 0) {
        this.weak[sector] = 1
        this.weakCount += 1
      }
    }
  }

  /**
   * What was written to a weak sector reads back with bits turned to 1 again: in every other read,
   * in one byte of eight. A weak sector that always failed would be too easy to find.
   */
  private loosenWeakBits(
    address: number,
    target: Uint8Array,
    targetAt: number,
    length: number,
  ): void {
    const draw = this.chance.next()
    if ((draw & 1) === 0) return
    for (let i = 0; i < length; i += 1) {
      const sector = Math.floor((address + i) / this.eraseSize)
      if (this.weak[sector] === 0 || target[targetAt + i] === 0xff) continue
      const bits = this.chance.next()
      if ((bits & 7) === 0) target[targetAt + i]! |= (bits >>> 8) & 0xff
    }
  }

  /** Bits read right before the next wrong one: a geometric draw, so most reads cost nothing. */
  private drawGap(): number {
    const probability = this.flipProbability
    if (probability >= 1) return 0
    return Math.floor(Math.log(1 - this.chance.fraction()) / Math.log(1 - probability))
  }

  private flipReadBits(target: Uint8Array, targetAt: number, length: number): void {
    const bitCount = length * 8
    let at = this.bitsToFlip
    while (at < bitCount) {
      target[targetAt + (at >>> 3)]! ^= 1 << (at & 7)
      at += 1 + this.drawGap()
    }
    this.bitsToFlip = at - bitCount
  }
}
