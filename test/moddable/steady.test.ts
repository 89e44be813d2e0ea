/**
 * What the HAL for Moddable allocates on XS in the steady state: nothing. Needs the XS host, so a C
 * compiler.
 */
import assert from 'node:assert/strict'
import * as path from 'node:path'
import { test } from 'node:test'
import { benchTest } from '../bench/bench-test.js'
import type { Measured } from '../bench/firmware-meter.js'
import { bundleFirmware, bundleLibrary, ESP32, inFolder, runOnXs, xsHost } from '../bench/xs-run.js'

const LIBRARY = `
  export { FlashPartition } from './hal/moddable/flash-partition.js'
  export { Loop } from './hal/moddable/loop.js'
  export { Scratch } from './hal/moddable/scratch.js'
  export { SocketTransport } from './hal/moddable/socket-transport.js'
`

const rows = benchTest(() =>
  inFolder(async (folder) => {
    const program = await xsHost(64)
    const library = path.join(folder, 'library.js')
    const firmware = path.join(folder, 'firmware.js')
    await bundleLibrary(LIBRARY, library)
    await bundleFirmware('../moddable/steady-firmware', firmware)
    const options = ['--preload', library, '--creation', ESP32]
    return (await runOnXs(program, firmware, ...options)) as Measured[]
  }),
)

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
