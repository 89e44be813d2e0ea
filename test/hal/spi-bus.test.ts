/**
 * The buses of Moddable and Espruino, over stand-ins for the runtimes' SPI classes that do what
 * those do: the storage contract through each, then what each class wants to be asked for.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { EspruinoSpiBus } from '../../hal/espruino/spi-bus.js'
import type { EspruinoPin, EspruinoSpi } from '../../hal/espruino/spi-bus.js'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import type { SpiNorChip } from '../../hal/memory/index.js'
import { ModdableSpiBus } from '../../hal/moddable/spi-bus.js'
import type { EcmaSpi } from '../../hal/moddable/spi-bus.js'
import type { SpiBus } from '../../hal/spi-nor/index.js'
import { OK } from '../../src/status.js'
import { randomBytes, seededTest } from './seed.js'
import { openMegabyte, requireNoViolation, smallDriver, w25q128 } from './spi-nor-rig.js'
import { storageContract } from './storage-contract.js'

const FILE = 'spi-bus.test.js'

/** `embedded:io/spi` on an ESP32: modules/io/spi and modules/pins/spi of the Moddable SDK. */
class FakeEcmaSpi implements EcmaSpi {
  readonly lengths: number[] = []
  private isSelected = false
  private readonly bus: SpiBus

  constructor(bus: SpiBus) {
    this.bus = bus
  }

  write(buffer: Uint8Array): void {
    // It is sent by whole words, from a multiple of 4.
    assert.equal(buffer.byteOffset % 4, 0)
    assert.ok(buffer.length > 0 && buffer.length <= 65535)
    this.isSelected = true
    this.lengths.push(buffer.length)
    this.bus.send(buffer, 0, buffer.length)
  }

  read(buffer: Uint8Array): void {
    assert.ok(buffer.length > 0 && buffer.length <= 65535)
    // More than the bus was set up for: the driver below refuses, and nobody hears of it.
    if (buffer.length > 1024) return
    assert.equal(buffer.byteOffset % 4, 0)
    this.isSelected = true
    this.lengths.push(buffer.length)
    this.bus.receive(buffer, 0, buffer.length)
    // DMA writes whole words, over what stands behind a shorter buffer.
    const whole = Math.ceil(buffer.length / 4) * 4
    new Uint8Array(buffer.buffer, 0, whole).fill(0xa5, buffer.length)
  }

  flush(deselect: boolean): void {
    if (deselect && this.isSelected) this.bus.end()
    if (deselect) this.isSelected = false
  }
}

/** SPI and Pin of Espruino: src/jswrap_spi_i2c.c. */
class FakeEspruino implements EspruinoSpi, EspruinoPin {
  /** Low selects. Nobody has set it yet. */
  private isLow = true
  private isBegun = false
  readonly lengths: number[] = []
  private readonly bus: SpiBus

  constructor(bus: SpiBus) {
    this.bus = bus
  }

  set(): void {
    if (this.isLow && this.isBegun) this.bus.end()
    this.isLow = false
    this.isBegun = false
  }

  reset(): void {
    this.isLow = true
  }

  write(data: Uint8Array): void {
    assert.ok(this.isLow && data instanceof Uint8Array)
    this.isBegun = true
    this.lengths.push(data.length)
    this.bus.send(data, 0, data.length)
  }

  send(data: Uint8Array): Uint8Array {
    assert.ok(this.isLow && data instanceof Uint8Array)
    const received = new Uint8Array(data.length)
    this.lengths.push(data.length)
    this.bus.receive(received, 0, data.length)
    return received
  }
}

const system = new ManualSystem(1)
const makers: [string, (bus: SpiBus) => SpiBus][] = [
  ['Moddable', (bus) => new ModdableSpiBus(new FakeEcmaSpi(bus), system)],
  [
    'Espruino',
    (bus) => {
      const fake = new FakeEspruino(bus)
      return new EspruinoSpiBus(fake, fake)
    },
  ],
]

for (const [runtime, make] of makers) {
  const chips: SpiNorChip[] = []
  for (const writeSize of [1, 32]) {
    storageContract(`SpiNor on ${runtime}'s bus`, FILE, writeSize, (geometry) =>
      smallDriver(new NorFlash(geometry), new ManualSystem(1), chips, make),
    )
  }
  after(() => requireNoViolation(...chips))

  seededTest(`on ${runtime}'s bus every length arrives, from any place to any`, FILE, (chance) => {
    const setup = w25q128()
    const flash = openMegabyte(setup, 0, make(setup.chip))
    let at = 0
    for (let length = 1; length <= 1100; length += length < 20 ? 1 : 53) {
      const bytes = randomBytes(chance, length + 7)
      assert.equal(flash.write(at, bytes, 7, length), OK)
      const back = new Uint8Array(length + 4).fill(0xee)
      assert.equal(flash.read(at, back, 3, length), OK)
      assert.deepEqual(back.subarray(3, 3 + length), bytes.subarray(7))
      assert.deepEqual([...back.subarray(0, 3), back[length + 3]], [0xee, 0xee, 0xee, 0xee])
      at += length + 1
    }
    requireNoViolation(setup.chip)
  })
}

test('Moddable is asked for few and long transfers of lengths that have a view', () => {
  const setup = w25q128()
  const spi = new FakeEcmaSpi(setup.chip)
  const flash = openMegabyte(setup, 0, new ModdableSpiBus(spi, system))
  spi.lengths.splice(0)
  flash.read(0, new Uint8Array(1000), 0, 1000)
  assert.deepEqual(spi.lengths, [5, 256, 256, 256, 128, 64, 32, 8])
  spi.lengths.splice(0)
  flash.write(0, new Uint8Array(135), 0, 135)
  // Write enable and its check, the program, the status until it is done.
  assert.deepEqual(spi.lengths.slice(0, 6), [1, 1, 1, 4, 128, 7])
})

test('Espruino is never asked for more than 256 bytes at once', () => {
  const setup = w25q128()
  const fake = new FakeEspruino(setup.chip)
  const flash = openMegabyte(setup, 0, new EspruinoSpiBus(fake, fake))
  fake.lengths.splice(0)
  flash.read(0, new Uint8Array(600), 0, 600)
  assert.deepEqual(fake.lengths, [5, 256, 256, 88])
})
