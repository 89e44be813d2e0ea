/**
 * The firmware of `targets/esp32`, as `npm run build:esp32` gives it to mcconfig, compiled and
 * linked by the Moddable SDK for an ESP32, without the compilers of ESP-IDF; and what the manifests
 * put into ROM. Needs the SDK (sdk.ts), and minutes: mcconfig starts the TypeScript compiler for
 * each file.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ModuleTable } from '../../targets/esp32/tool/bundle.js'
import { measureRom } from '../bench/rom.js'
import { findSdk, linkForEsp32, toolsOf } from './sdk.js'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const sdk = findSdk('the firmware for ESP32 through the linker of the SDK', ['make'])
if (sdk !== null) {
  const scratch = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-link-'))
  after(() => fs.rmSync(scratch, { recursive: true }))

  test('the sensor links for an ESP32, with the modules of its manifests and no other', () => {
    const manifest = path.join(root, 'targets/esp32/manifest.json')
    const settings = ['wifiSsid=home', 'broker=mqtt://192.168.1.2', 'clientId=greenhouse-7']
    const folder = linkForEsp32(sdk, 'mcconfig', [manifest, ...settings], root, scratch)
    const modules = fs
      .readdirSync(path.join(folder, 'modules'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /^holdfast.*\.xsb$/.test(name))
      .map((name) => name.replace(/\.xsb$/, ''))
    const wanted = [...new ModuleTable(manifest).files.keys()].filter((one) =>
      /^holdfast/.test(one),
    )
    assert.deepEqual(modules.sort(), wanted.sort())
  })

  test('what an application does not include is not in its ROM', () => {
    const inRom = measureRom(toolsOf(sdk))
    const bytes = (name: string): number => inRom[name]!.code + inRom[name]!.slots
    const client = bytes('hal/moddable/manifest-client.json')
    assert.ok(client + 50_000 < bytes('manifest.json'), 'the store')
    assert.ok(bytes('manifest.json') + 80_000 < bytes('all'), 'all that has a manifest of its own')
    const small = 'hal/moddable/manifest-small.json'
    assert.ok(bytes(small) + 50_000 < client, 'the small client stands alone, and has its store')
    for (const name of Object.keys(inRom)) assert.ok(name === small || client <= bytes(name), name)
  })
}
