/**
 * A serial NOR flash chip as its bus sees it, over a NorFlash: what it is sent it takes as a W25Q
 * does, and each thing that a datasheet forbids it notes as a violation. It ignores all but the
 * status registers while it is busy and all but the release in deep power-down, changes nothing
 * without write enable, goes on at the beginning of a page behind its end, and takes its time on
 * the clock of a ManualSystem. Power cuts and worn sectors are those of the NorFlash. It has the
 * methods of a SpiBus, and knows nothing of the driver.
 */
import { FlashTiming, w25qTiming } from './flash-timing.js'
import type { ManualSystem } from './manual-system.js'
import type { NorFlash } from './nor.js'

export interface SpiNorChipOptions {
  /** Where the bits are. The chip around it is blank and must be left alone. */
  readonly flash: NorFlash
  /** Its clock moves with every byte on the bus, and decides when the chip is done. */
  readonly system: ManualSystem
  /** Bytes on the chip; those of `flash` unless given. */
  readonly capacity?: number
  /** Where on the chip `flash` begins; 0 unless given. */
  readonly flashAt?: number
  /** JEDEC id; 0xEF4018 unless given. */
  readonly id?: number
  /** What READ_SFDP reads; none unless given. */
  readonly sfdp?: Uint8Array
  /** Bytes that the commands 20, 52 and D8 erase; 4, 32 and 64 KB unless given. */
  readonly eraseSizes?: readonly number[]
  /** False for a chip without 12, 21, 5C and DC, as the W25Q256FV; true unless given. */
  readonly hasFourByteCommands?: boolean
  /** True for a chip that takes B7 and E9 with write enable alone; false unless given. */
  readonly guardsFourByte?: boolean
  /** Microseconds from one transaction to the next, for the program; 20 unless given. */
  readonly gap?: number
}

const PAGE_SIZE = 256
const MAX_NOTED = 50
/** Longer than the W25Q's 3, so that a driver that does not wait is found out. */
const RELEASE_US = 100
const WRITE_STATUS_US = 10000

export class SpiNorChip {
  /** What was done wrong, in words; empty for a driver that keeps the datasheet. */
  readonly violations: string[]
  /** Transactions by their command, to see which erases are used. */
  readonly counts: Uint32Array
  /** Status registers 1 to 3, without BUSY and WEL. */
  readonly registers: Uint8Array
  /** What reads where the chip drives nothing: 0xFF pulled up, 0 pulled down. */
  floating: number
  /** Nobody is there: wires broken, power gone. */
  isAbsent: boolean
  /** Each program and erase takes so many times its time. */
  slowness: number
  isAsleep: boolean
  isFourByte: boolean
  private readonly flash: NorFlash
  private readonly system: ManualSystem
  private readonly capacity: number
  private readonly flashAt: number
  private readonly id: number
  private readonly sfdp: Uint8Array
  private readonly eraseSizes: readonly number[]
  private readonly hasFourByteCommands: boolean
  private readonly guardsFourByte: boolean
  private readonly gap: number
  private readonly timing: FlashTiming
  private isEnabled: boolean
  /** When it is done, in the milliseconds of the system. */
  private busyUntil: number
  /** When it is awake after the release from deep power-down. */
  private awakeAt: number
  /** The transaction: bytes sent, the first of them, bytes received, and the page being filled. */
  private sentCount: number
  private readonly head: Uint8Array
  private receivedCount: number
  private readonly page: Uint8Array
  private isIgnored: boolean

  constructor(options: SpiNorChipOptions) {
    this.flash = options.flash
    this.system = options.system
    this.capacity = options.capacity ?? options.flash.capacity
    this.flashAt = options.flashAt ?? 0
    this.id = options.id ?? 0xef4018
    this.sfdp = options.sfdp ?? new Uint8Array(0)
    this.eraseSizes = options.eraseSizes ?? [4096, 32768, 65536]
    this.hasFourByteCommands = options.hasFourByteCommands ?? true
    this.guardsFourByte = options.guardsFourByte ?? false
    this.gap = options.gap ?? 20
    this.timing = w25qTiming()
    this.violations = []
    this.counts = new Uint32Array(256)
    this.registers = new Uint8Array(3)
    this.floating = 0xff
    this.isAbsent = false
    this.slowness = 1
    this.isAsleep = false
    this.isFourByte = false
    this.isEnabled = false
    this.busyUntil = 0
    this.awakeAt = 0
    this.sentCount = 0
    this.head = new Uint8Array(6)
    this.receivedCount = 0
    this.page = new Uint8Array(PAGE_SIZE)
    this.isIgnored = false
  }

  get isBusy(): boolean {
    return this.system.now() < this.busyUntil
  }

  /** Its power was away: what is not in its cells is as after the factory. */
  resetPower(): void {
    this.isAsleep = false
    this.isFourByte = false
    this.isEnabled = false
    this.busyUntil = 0
    this.awakeAt = 0
    this.sentCount = 0
    this.receivedCount = 0
  }

  send(source: Uint8Array, at: number, length: number): void {
    if (!(at >= 0 && at + length <= source.length)) throw new Error('send outside of its buffer')
    this.system.advance((length * this.timing.busByte) / 1000)
    if (this.receivedCount > 0) this.violate('sends after it received')
    for (let i = 0; i < length; i += 1) this.take(source[at + i]!)
  }

  receive(target: Uint8Array, at: number, length: number): void {
    if (!(at >= 0 && at + length <= target.length)) throw new Error('receive outside of its buffer')
    this.system.advance((length * this.timing.busByte) / 1000)
    if (this.sentCount === 0) this.violate('receives before it sent a command')
    if (!this.isIgnored && this.readsMemory()) this.readMemory(target, at, length)
    else for (let i = 0; i < length; i += 1) target[at + i] = this.give(this.receivedCount + i)
    this.receivedCount += length
  }

  end(): void {
    const isIgnored = this.isIgnored
    const sentCount = this.sentCount
    // Whatever comes of it, a power cut too: the next transaction begins at its beginning.
    this.sentCount = 0
    this.receivedCount = 0
    this.isIgnored = false
    this.system.advance(this.gap / 1000)
    if (sentCount === 0) this.violate('ends nothing')
    else if (!isIgnored) this.carryOut(this.head[0]!, sentCount)
  }

  private violate(what: string): void {
    if (this.violations.length >= MAX_NOTED) return
    this.violations.push(what + ' (command 0x' + this.head[0]!.toString(16) + ')')
  }

  private take(byte: number): void {
    if (this.sentCount === 0) {
      this.head[0] = byte
      this.sentCount = 1
      this.counts[byte]! += 1
      // The power that was cut is the chip's too: this throws what the flash throws.
      if (this.flash.isOff) this.flash.read(0, this.page, 0, 0)
      if (!this.isBusy && this.busyUntil > 0) this.settle()
      this.isIgnored = this.ignores(byte)
      return
    }
    const headSize = this.headSize(this.head[0]!)
    if (this.sentCount < headSize) this.head[this.sentCount] = byte
    else if (this.isProgram(this.head[0]!)) {
      const first = this.address() % PAGE_SIZE
      const index = first + this.sentCount - headSize
      if (this.sentCount === headSize) this.page.fill(0xff)
      if (index === PAGE_SIZE) this.violate('a program crosses the end of its page')
      this.page[index % PAGE_SIZE] = byte
    } else if (this.sentCount < this.head.length) this.head[this.sentCount] = byte
    this.sentCount += 1
  }

  private ignores(command: number): boolean {
    if (this.isAbsent) return true
    const isAwake = !this.isAsleep && this.system.now() >= this.awakeAt
    if (!isAwake && command !== 0xab) {
      // The id tells when it is awake; a status is what is asked before anything is known.
      if (command !== 0x9f && command !== 0x05) this.violate('asleep')
      return true
    }
    if (!this.isBusy || command === 0x05 || command === 0x35 || command === 0x15) return false
    this.violate('busy')
    return true
  }

  private isProgram(command: number): boolean {
    return command === 0x02 || command === 0x12
  }

  private readsMemory(): boolean {
    const command = this.head[0]!
    return command === 0x03 || command === 0x0b || command === 0x13 || command === 0x0c
  }

  /** The index of the size that a command erases, or -1. */
  private eraseIndex(command: number): number {
    if (command === 0x20 || command === 0x21) return 0
    if (command === 0x52 || command === 0x5c) return 1
    if (command === 0xd8 || command === 0xdc) return 2
    return -1
  }

  private addressSize(command: number): number {
    const isOwn = command === 0x13 || command === 0x0c || command === 0x12
    return isOwn || command === 0x21 || command === 0x5c || command === 0xdc || this.isFourByte
      ? 4
      : 3
  }

  /** Bytes before the data: command, address and dummy byte. */
  private headSize(command: number): number {
    if (command === 0x5a) return 5
    if (command === 0x0b || command === 0x0c) return 2 + this.addressSize(command)
    const hasAddress = this.isProgram(command) || command === 0x03 || command === 0x13
    return hasAddress || this.eraseIndex(command) >= 0 ? 1 + this.addressSize(command) : 1
  }

  private address(): number {
    const head = this.head
    const size = head[0] === 0x5a ? 3 : this.addressSize(head[0]!)
    let address = 0
    for (let i = 1; i <= size; i += 1) address = address * 256 + head[i]!
    return head[0] === 0x5a ? address : address % this.capacity
  }

  private give(index: number): number {
    if (this.isIgnored) return this.floating
    const command = this.head[0]!
    if (command === 0x05) {
      if (!this.isBusy && this.busyUntil > 0) this.settle()
      return (this.registers[0]! & 0xfc) | (this.isEnabled ? 2 : 0) | (this.isBusy ? 1 : 0)
    }
    if (command === 0x35) return this.registers[1]!
    if (command === 0x15) return this.registers[2]!
    if (command === 0x9f) return (this.id >>> (16 - 8 * (index % 3))) & 0xff
    if (command === 0x5a) return this.sfdp[this.address() + index] ?? this.floating
    return this.floating
  }

  private readMemory(target: Uint8Array, at: number, length: number): void {
    if (this.sentCount !== this.headSize(this.head[0]!)) this.violate('a read of odd length')
    const inside = this.address() + this.receivedCount - this.flashAt
    if (inside >= 0 && inside + length <= this.flash.capacity) {
      this.flash.read(inside, target, at, length)
      return
    }
    this.violate('reads outside of the partition')
    target.fill(0xff, at, at + length)
  }

  private carryOut(command: number, sentCount: number): void {
    const eraseIndex = this.eraseIndex(command)
    if (command === 0x06) this.isEnabled = true
    else if (command === 0x04) this.isEnabled = false
    else if (command === 0xb7 || command === 0xe9) this.setFourByte(command === 0xb7)
    else if (command === 0xb9) this.isAsleep = true
    else if (command === 0xab) this.wake()
    else if (command === 0x01) this.writeStatus(sentCount)
    else if (this.isProgram(command)) this.program(command, sentCount - this.headSize(command))
    else if (eraseIndex >= 0) this.erase(command, eraseIndex, sentCount)
    else if (!this.readsMemory() && command !== 0x05 && command !== 0x35 && command !== 0x15) {
      if (command !== 0x9f && command !== 0x5a) this.violate('a command the chip does not have')
    }
  }

  private setFourByte(isOn: boolean): void {
    if (!this.guardsFourByte || this.mayChange('a mode')) this.isFourByte = isOn
  }

  private wake(): void {
    if (!this.isAsleep) return
    this.isAsleep = false
    this.awakeAt = this.system.now() + RELEASE_US / 1000
  }

  private writeStatus(sentCount: number): void {
    if (!this.mayChange('a status')) return
    this.registers[0] = this.head[1]! & 0xfc
    if (sentCount > 2) this.registers[1] = this.head[2]!
    this.work(WRITE_STATUS_US)
  }

  /** Notes why a change may not be; false where the chip does nothing. */
  private mayChange(what: string): boolean {
    if (!this.isEnabled) this.violate(what + ' without write enable')
    return this.isEnabled
  }

  private hasCommand(command: number): boolean {
    const isOwn = command === 0x12 || command === 0x21 || command === 0x5c || command === 0xdc
    if (!isOwn || this.hasFourByteCommands) return true
    this.violate('a command the chip does not have')
    return false
  }

  private isProtected(): boolean {
    const isComplement = (this.registers[1]! & 0x40) !== 0
    return (this.registers[0]! & 0x1c) !== 0 || isComplement || (this.registers[2]! & 4) !== 0
  }

  private program(command: number, dataSize: number): void {
    if (!this.hasCommand(command) || !this.mayChange('a program')) return
    if (dataSize < 1) return this.violate('a program of nothing')
    if (this.isProtected()) return this.violate('a program where it is protected')
    const address = this.address()
    const first = address % PAGE_SIZE
    const pageAt = address - first - this.flashAt
    if (pageAt < 0 || pageAt >= this.flash.capacity) {
      return this.violate('a program outside of the partition, at ' + address)
    }
    const size = dataSize < PAGE_SIZE ? dataSize : PAGE_SIZE
    const straight = size < PAGE_SIZE - first ? size : PAGE_SIZE - first
    this.flash.write(pageAt + first, this.page, first, straight)
    if (size > straight) this.flash.write(pageAt, this.page, 0, size - straight)
    // Last: a breach that the flash throws leaves a chip that is not busy.
    this.work(this.timing.programPage(size))
  }

  private erase(command: number, index: number, sentCount: number): void {
    const size = this.eraseSizes[index] ?? 0
    if (size === 0) return this.violate('a command the chip does not have')
    if (!this.hasCommand(command) || !this.mayChange('an erase')) return
    if (sentCount !== this.headSize(command)) return this.violate('an erase of odd length')
    if (this.isProtected()) return this.violate('an erase where it is protected')
    const address = this.address()
    // The chip leaves out the lower bits of the address; a driver that relies on it is wrong.
    if (address % size !== 0) this.violate('an erase off its alignment')
    const at = address - (address % size) - this.flashAt
    if (at < 0 || at + size > this.flash.capacity) {
      return this.violate('an erase outside of the partition, at ' + address)
    }
    this.flash.erase(at, size)
    this.work(index === 0 ? this.timing.sectorErase : this.timing.blockErase)
  }

  private work(microseconds: number): void {
    this.busyUntil = this.system.now() + (microseconds * this.slowness) / 1000
  }

  /** What it was busy with has ended, and with it the write enable. */
  private settle(): void {
    this.busyUntil = 0
    this.isEnabled = false
  }
}
