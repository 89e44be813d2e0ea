/**
 * What the driver for SPI NOR allocates on XS after its constructor: nothing. Needs the XS host, so
 * a C compiler.
 */
import assert from 'node:assert/strict'
import * as path from 'node:path'
import { test } from 'node:test'
import { benchTest } from '../bench/bench-test.js'
import type { Measured } from '../bench/firmware-meter.js'
import { bundleFirmware, bundleLibrary, ESP32, inFolder, runOnXs, xsHost } from '../bench/xs-run.js'

const LIBRARY = `
  export { SpiNor } from './hal/spi-nor/index.js'
  export { ModdableSpiBus } from './hal/moddable/spi-bus.js'
`

const rows = benchTest(() =>
  inFolder(async (folder) => {
    const program = await xsHost(64)
    const library = path.join(folder, 'library.js')
    const firmware = path.join(folder, 'firmware.js')
    await bundleLibrary(LIBRARY, library)
    await bundleFirmware('../hal/spi-nor-firmware', firmware)
    const options = ['--preload', library, '--creation', ESP32]
    return (await runOnXs(program, firmware, ...options)) as Measured[]
  }),
)

const OPERATIONS = [
  'erase',
  'write',
  'read',
  'write over pages',
  'read over pages',
  'sleep and wake',
]

for (const operation of OPERATIONS) {
  test(`on XS the driver allocates nothing to ${operation}`, async (context) => {
    const all = await rows(context)
    if (!all) return
    const row = all.find(({ name }) => name === operation)
    assert.ok(row && row.operations === 100)
    assert.deepEqual([row.slots, row.chunks, row.bytes], [0, 0, 0])
  })
}
