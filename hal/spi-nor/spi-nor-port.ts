/**
 * SpiNorPort: single commands to a serial NOR chip, and the wait for it to be done. Knows which
 * bytes a command has; nothing of sizes, ranges or what is stored. Allocates in the constructor
 * only.
 */
import type { System } from '../system.js'
import type { SpiBus } from './spi-bus.js'
import { BUSY, READ_JEDEC_ID, READ_SFDP, READ_STATUS_1, RELEASE_POWER_DOWN } from './commands.js'

/** The two ends of a data line that nobody drives. */
export const NO_ID_LOW = 0x000000
export const NO_ID_HIGH = 0xffffff

/** No runtime polls faster; should the clock stand still, this ends the wait. */
const POLLS_PER_MS = 1000

export class SpiNorPort {
  readonly bus: SpiBus
  private readonly system: System
  private readonly pause: ((milliseconds: number) => void) | null
  private readonly header: Uint8Array
  private readonly answer: Uint8Array

  constructor(bus: SpiBus, system: System, pause: ((milliseconds: number) => void) | null) {
    this.bus = bus
    this.system = system
    this.pause = pause
    this.header = new Uint8Array(6)
    this.answer = new Uint8Array(3)
  }

  /** A command that is one byte. */
  command(opcode: number): void {
    this.header[0] = opcode
    this.bus.send(this.header, 0, 1)
    this.bus.end()
  }

  /** A register of one byte. */
  register(opcode: number): number {
    this.readAnswer(opcode, 1)
    return this.answer[0]!
  }

  /** Writes a register of one byte; the chip wants WRITE_ENABLE before. */
  writeRegister(opcode: number, value: number): void {
    this.header[0] = opcode
    this.header[1] = value
    this.bus.send(this.header, 0, 2)
    this.bus.end()
  }

  /** Manufacturer, memory type and capacity, 8 bits each. */
  readId(): number {
    this.readAnswer(READ_JEDEC_ID, 3)
    return (this.answer[0]! << 16) | (this.answer[1]! << 8) | this.answer[2]!
  }

  /** Begins a command with an address of 3 or 4 bytes and `dummySize` bytes after it. */
  begin(opcode: number, address: number, addressSize: number, dummySize: number): void {
    const header = this.header
    header[0] = opcode
    let at = 1
    if (addressSize === 4) header[at++] = address >>> 24
    header[at++] = address >>> 16
    header[at++] = address >>> 8
    header[at++] = address
    // The dummy byte sends what stands there: its bits are free.
    this.bus.send(header, 0, at + dummySize)
  }

  readSfdp(address: number, target: Uint8Array, length: number): void {
    this.begin(READ_SFDP, address, 3, 1)
    this.bus.receive(target, 0, length)
    this.bus.end()
  }

  /**
   * Polls status register 1 until the chip is not busy, and returns it; -1 when it is still busy
   * after `limitMs`. The last look comes after the limit, so a program that did not run meanwhile
   * takes no chip for a slow one. `isLong` lets others run in between.
   */
  waitReady(limitMs: number, isLong: boolean): number {
    const since = this.system.now()
    for (let polls = limitMs * POLLS_PER_MS; polls > 0; polls -= 1) {
      const isLate = this.system.now() - since > limitMs
      const status = this.register(READ_STATUS_1)
      if ((status & BUSY) === 0) return status
      if (isLate) break
      if (isLong && this.pause !== null) this.pause(1)
    }
    return -1
  }

  /**
   * Wakes the chip from deep power-down and returns its id, which it tells only when it is awake:
   * at most 3 us with Winbond, 100 us with others. With `expected` it waits for this one.
   */
  wake(expected: number, limitMs: number): number {
    const since = this.system.now()
    let id = NO_ID_HIGH
    this.command(RELEASE_POWER_DOWN)
    for (let polls = limitMs * POLLS_PER_MS; polls > 0; polls -= 1) {
      const isLate = this.system.now() - since > limitMs
      id = this.readId()
      if (expected !== 0 ? id === expected : id !== NO_ID_LOW && id !== NO_ID_HIGH) break
      if (isLate) break
    }
    return id
  }

  private readAnswer(opcode: number, length: number): void {
    this.header[0] = opcode
    this.bus.send(this.header, 0, 1)
    this.bus.receive(this.answer, 0, length)
    this.bus.end()
  }
}
