/**
 * What the driver for SPI NOR allocates on XS after its constructor: nothing. Needs the XS host, so
 * a C compiler.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { steadyRows } from '../bench/steady-rows.js'

const LIBRARY = `
  export { SpiNor } from './hal/spi-nor/index.js'
  export { ModdableSpiBus } from './hal/moddable/spi-bus.js'
`

const rows = steadyRows(LIBRARY, '../hal/spi-nor-firmware')

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
