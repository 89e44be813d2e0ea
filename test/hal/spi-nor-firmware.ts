/**
 * Firmware that counts what the driver for SPI NOR allocates on XS, on Moddable's bus over an SPI
 * class that allocates nothing itself: a chip of 64 KB reduced to what the driver asks of it.
 */
import type { ModdableSpiBus as Bus } from '../../hal/moddable/spi-bus.js'
import type { SpiNor as Driver } from '../../hal/spi-nor/index.js'
import { type CountingDevice, Meter } from '../bench/firmware-meter.js'

declare const device: CountingDevice
declare const holdfast: { ModdableSpiBus: typeof Bus; SpiNor: typeof Driver }

const SIZE = 8192
const OPERATIONS = 100

/** Programs and erases at once and is never busy. */
class TinyChip {
  private readonly cells = new Uint8Array(SIZE).fill(0xff)
  private readonly head = new Uint8Array(5)
  private count = 0
  private isEnabled = false

  write(buffer: Uint8Array): void {
    for (let i = 0; i < buffer.length; i++) {
      const at = this.address()
      if (this.count < (this.head[0] === 0x0b ? 5 : 4)) this.head[this.count] = buffer[i]!
      else if (this.head[0] === 0x02) this.cells[at + this.count - 4]! &= buffer[i]!
      this.count++
    }
  }

  read(buffer: Uint8Array): void {
    const command = this.head[0]
    const at = this.address() + this.count - 5
    for (let i = 0; i < buffer.length; i++) {
      if (command === 0x9f) buffer[i] = i === 0 ? 0xef : i === 1 ? 0x40 : 0x10
      else buffer[i] = command === 0x0b ? this.cells[at + i]! : this.isEnabled ? 2 : 0
    }
    this.count += buffer.length
  }

  flush(): void {
    const command = this.head[0]
    if (command === 0x06) this.isEnabled = true
    if (command === 0x20) this.cells.fill(0xff, this.address(), this.address() + 4096)
    if (command === 0x20 || command === 0x02 || command === 0x04) this.isEnabled = false
    this.count = 0
    this.head[0] = 0
  }

  private address(): number {
    return (this.head[2]! << 8) | this.head[3]!
  }
}

const bus = new holdfast.ModdableSpiBus(new TinyChip(), device.system)
const flash = new holdfast.SpiNor(bus, device.system, { size: SIZE })
const source = new Uint8Array(600)
const target = new Uint8Array(600)
for (let i = 0; i < source.length; i++) source[i] = i

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error('does not measure what it should: ' + what)
}

function measure(name: string, operation: (round: number) => number): void {
  const meter = new Meter(device)
  check(operation(0) === 0, name)
  meter.begin()
  for (let round = 1; round <= OPERATIONS; round++) {
    if (operation(round) !== 0) check(false, name)
  }
  meter.end(OPERATIONS)
  meter.report(name)
}

measure('erase', (round) => flash.erase((round & 1) * 4096, 4096))
measure('write', (round) => flash.write(round * 70 + 3, source, 5, 67))
measure('read', (round) => flash.read(round * 70 + 3, target, 1, 67))
for (let i = 0; i < 67; i++) check(target[1 + i] === source[5 + i], 'what was written')
// Three pages a time; the chip here minds no second write.
measure('write over pages', () => flash.write(200, source, 0, 600))
measure('read over pages', () => flash.read(200, target, 0, 600))
measure('sleep and wake', () => flash.sleep() + flash.wake())
