/**
 * What MQTTClient allocates on XS in the steady state: nothing for what is written and answered;
 * for a message received, the object and the topic that the standard wants, and nothing for its
 * later parts. Needs the XS host.
 */
import assert from 'node:assert/strict'
import * as path from 'node:path'
import { test } from 'node:test'
import { benchTest } from '../bench/bench-test.js'
import type { Measured } from '../bench/firmware-meter.js'
import { bundleFirmware, bundleLibrary, ESP32, inFolder, root } from '../bench/xs-run.js'
import { runOnXs, STORAGE, xsHost } from '../bench/xs-run.js'

const LIBRARY = STORAGE + "export { MQTTClient } from './src/ecma419/mqtt-client.js'\n"

const rows = benchTest(async () => {
  const host = await xsHost(64)
  return inFolder(async (folder) => {
    const library = path.join(folder, 'library.js')
    const firmware = path.join(folder, 'firmware.js')
    await bundleLibrary(LIBRARY, library)
    const entryPoints = [path.join(root, 'test/ecma419/alloc-firmware.ts')]
    await bundleFirmware('', firmware, { entryPoints })
    const flash = ['--image', path.join(folder, 'flash'), '--capacity', '65536']
    const options = ['--preload', library, '--creation', ESP32, ...flash]
    const lines = await runOnXs(host, firmware, ...options)
    return new Map((lines as Measured[]).map((row) => [row.name, row]))
  })
})

for (const name of [
  'writeQos0',
  'writeQos1',
  'writeQos2',
  'writeQos1Id',
  'writeQos1Flash',
  'writeParts',
  'readParts',
]) {
  test(`${name} allocates nothing`, async (context) => {
    const all = await rows(context)
    if (!all) return
    const { slots, chunks, bytes } = all.get(name)!
    assert.deepEqual({ slots, chunks, bytes }, { slots: 0, chunks: 0, bytes: 0 })
  })
}

test('a message read into a buffer costs its options and its topic', async (context) => {
  const all = await rows(context)
  if (!all) return
  const { operations, slots, bytes } = all.get('read')!
  assert.deepEqual([slots / operations, bytes / operations], [10, 160])
})
