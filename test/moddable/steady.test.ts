/**
 * What the HAL for Moddable allocates on XS in the steady state: nothing. Needs the XS host, so a C
 * compiler.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { steadyRows } from '../bench/steady-rows.js'

const LIBRARY = `
  export { FlashPartition } from './hal/moddable/flash-partition.js'
  export { Loop } from './hal/moddable/loop.js'
  export { Scratch } from './hal/moddable/scratch.js'
  export { SocketTransport } from './hal/moddable/socket-transport.js'
`

const rows = steadyRows(LIBRARY, '../moddable/steady-firmware')

const OPERATIONS = [
  'erase',
  'write',
  'read',
  'write in parts',
  'read in parts',
  'send',
  'send in parts',
  'room',
  'receive',
  'receive in parts',
  'turn',
]

for (const operation of OPERATIONS) {
  test(`on XS the HAL for Moddable allocates nothing: ${operation}`, async (context) => {
    const all = await rows(context)
    if (!all) return
    const row = all.find(({ name }) => name === operation)
    assert.ok(row && row.operations === 100)
    // Bytes are those of the scratch, which grows within its own chunk; see 'left behind'.
    assert.deepEqual([row.slots, row.chunks], [0, 0])
  })
}

test('on XS the HAL for Moddable leaves the heap as it was, to the byte', async (context) => {
  const all = await rows(context)
  const row = all?.find(({ name }) => name === 'left behind')
  if (row) assert.deepEqual([row.slots, row.bytes], [0, 0])
})
