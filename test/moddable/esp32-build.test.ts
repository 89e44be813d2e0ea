/**
 * `npm run build:esp32` and `flash:esp32`, without an SDK and with one that only notes its calls.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BundleError, ModuleTable, bundleManifest } from '../../targets/esp32/tool/bundle.js'
import { manifests } from '../../targets/esp32/tool/manifests.js'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const tool = path.join(root, 'dist/targets/esp32/tool/build.js')
const scratch = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-esp32-'))
after(() => fs.rmSync(scratch, { recursive: true }))

const SETTINGS = ['wifiSsid=my home', 'wifiPassword=secret', 'broker=mqtt://b', 'clientId=s1']

interface Outcome {
  status: number | null
  text: string
}

function run(words: string[], env: Record<string, string> = {}): Outcome {
  // An SDK on this machine is none of ours: not its variables, nor its tools on PATH.
  const { MODDABLE: _sdk, IDF_PATH: _idf, ...rest } = process.env
  const PATH = [path.dirname(process.execPath), '/usr/bin', '/bin'].join(path.delimiter)
  const result = spawnSync(process.execPath, [tool, ...words], {
    cwd: root,
    encoding: 'utf8',
    env: { ...rest, PATH, ...env },
  })
  return { status: result.status, text: result.stdout + result.stderr }
}

/** An SDK whose mcconfig writes its arguments, one a line, to a file and ends with `code`. */
function fakeSdk(name: string, code: number) {
  const sdk = path.join(scratch, name)
  const bin = path.join(sdk, 'bin')
  const note = path.join(sdk, 'arguments')
  fs.mkdirSync(path.join(sdk, 'examples'), { recursive: true })
  fs.mkdirSync(bin)
  fs.writeFileSync(path.join(sdk, 'examples/manifest_base.json'), '{}')
  const script = `#!/bin/sh\nprintf '%s\\n' "$@" > "${note}"\ncommand -v tsc >> "${note}"\n`
  fs.writeFileSync(path.join(bin, 'mcconfig'), `${script}exit ${code}\n`, { mode: 0o755 })
  const PATH = [bin, path.dirname(process.execPath), '/usr/bin', '/bin'].join(path.delimiter)
  return { sdk, note, env: { MODDABLE: sdk, IDF_PATH: sdk, PATH } }
}

test('build:esp32 checks all variants without an SDK, and says what makes the image', () => {
  for (const variant of ['sensor', 'sleep']) {
    const { status, text } = run(['--variant', variant])
    assert.equal(status, 0, text)
    assert.match(text, /types and imports are right; \d+ bytes/)
    assert.match(text, /MODDABLE is not set/)
  }
})

test('flash:esp32 says which settings are missing, then that the SDK is', () => {
  const bare = run(['--deploy'])
  assert.equal(bare.status, 1)
  assert.match(bare.text, /the device needs wifiSsid, broker, clientId/)
  const full = run(['--deploy', ...SETTINGS])
  assert.equal(full.status, 1)
  assert.match(full.text, /MODDABLE is not set[^]*xs-dev setup --device esp32/)
})

test('an SDK that is not there, tools not built and a missing IDF have each their remedy', () => {
  const { sdk, env } = fakeSdk('partial', 0)
  assert.match(run([], { MODDABLE: '/nowhere' }).text, /MODDABLE is \/nowhere.*not there/)
  const noTools = run([], { MODDABLE: sdk })
  assert.equal(noTools.status, 1)
  assert.match(noTools.text, /mcconfig is neither on PATH nor at .*build the SDK's tools/)
  const noIdf = run([], { ...env, IDF_PATH: '' })
  assert.equal(noIdf.status, 1)
  assert.match(noIdf.text, /IDF_PATH is not set/)
})

test('build:esp32 calls mcconfig with the manifest, the target and the settings', () => {
  const { note, env } = fakeSdk('good', 0)
  const { status, text } = run(['--target', 'esp32/esp32c3', ...SETTINGS], env)
  assert.equal(status, 0, text)
  const lines = fs.readFileSync(note, 'utf8').trim().split('\n')
  const output = path.join(root, 'dist/esp32/sensor')
  const manifest = path.join(root, 'targets/esp32/manifest.json')
  const common = ['-m', '-p', 'esp32/esp32c3', '-t', 'build', '-o', output, manifest]
  assert.deepEqual(lines.slice(0, -1), [...common, ...SETTINGS])
  assert.equal(lines.at(-1), path.join(root, 'node_modules/.bin/tsc'), 'our own compiler')
  assert.ok(fs.statSync(output).isDirectory())
  assert.ok(!text.includes('secret'), 'a password is not shown')
})

test('flash:esp32 deploys what it built, and a failure of mcconfig is its own', () => {
  const good = fakeSdk('deploy', 0)
  assert.equal(run(['--deploy', '--debug', '--variant', 'sleep', ...SETTINGS], good.env).status, 0)
  const lines = fs.readFileSync(good.note, 'utf8').split('\n')
  const wanted = ['-d', '-m', '-p', 'esp32/nodemcu', '-t', 'build', '-t', 'deploy']
  assert.deepEqual(lines.slice(0, wanted.length), wanted)
  assert.ok(lines.includes(path.join(root, 'targets/esp32/sleep/manifest.json')))
  const bad = fakeSdk('bad', 7)
  const { status, text } = run([], bad.env)
  assert.equal(status, 7)
  assert.match(text, /mcconfig failed/)
})

test('the variant with TLS wants the certificate it is to trust', (context) => {
  if (fs.existsSync(path.join(root, 'targets/esp32/tls/ca.der'))) return context.skip('it is here')
  const { status, text } = run(['--variant', 'tls'])
  assert.equal(status, 1)
  assert.match(text, /types and imports are right[^]*ca\.der is missing[^]*openssl x509/)
})

test('words that mean nothing are refused with the usage', () => {
  for (const words of [['--variant', 'disco'], ['--target'], ['frobnicate']]) {
    const { status, text } = run(words)
    assert.equal(status, 1)
    assert.match(text, /usage: npm run build:esp32/)
  }
  assert.equal(run(['--help']).status, 0)
})

function manifestOf(
  name: string,
  modules: Record<string, string>,
  main: string,
  ...ours: string[]
): string {
  const folder = path.join(scratch, name)
  fs.mkdirSync(folder)
  fs.writeFileSync(path.join(folder, 'main.ts'), main)
  if (ours.length === 0) ours.push('manifest.json')
  const includes = ours.map((one) => path.join(root, one))
  const include = ['$(MODDABLE)/examples/manifest_base.json', ...includes]
  const file = path.join(folder, 'manifest.json')
  fs.writeFileSync(file, JSON.stringify({ include, modules: { '*': './main', ...modules } }))
  return file
}

test('a project that includes our manifest imports holdfast, its storage and its HAL', async () => {
  const main =
    "import { MqttClient } from 'holdfast'\nimport { FlashStore } from 'holdfast/storage'\n" +
    "import { ModdableSpiBus, openSystem } from 'holdfast/moddable'\n" +
    "import { SpiNor } from 'holdfast/spi-nor'\n" +
    'trace(MqttClient, FlashStore, openSystem, ModdableSpiBus, SpiNor)\n'
  const spiNor = 'hal/moddable/manifest-spi-nor.json'
  const manifest = manifestOf('user', {}, main, 'manifest.json', spiNor)
  assert.ok((await bundleManifest(manifest, path.join(scratch, 'user.js'))) > 50000)
})

test('an import that no manifest brings is refused with its place', async () => {
  const manifest = manifestOf('wrong', {}, "import wifi from 'wifi'\ntrace(wifi)\n")
  await assert.rejects(bundleManifest(manifest, path.join(scratch, 'wrong.js')), (error: Error) => {
    assert.ok(error instanceof BundleError)
    assert.match(error.message, /main\.ts:1: no manifest has a module "wifi"/)
    return true
  })
})

const made = manifests(root)

test('the manifests are what the imports of the modules ask for', () => {
  for (const [name, manifest] of made) {
    const here = JSON.parse(fs.readFileSync(path.join(root, name), 'utf8'))
    assert.deepEqual(here, manifest, `${name}: put it right with npm run manifest`)
  }
})

test('each file of the sources that does something on a device is in a manifest', () => {
  const listed = new Set<string>()
  for (const name of made.keys()) {
    for (const file of new ModuleTable(path.join(root, name)).files.values()) listed.add(file)
  }
  const files = ['src', 'hal/moddable', 'hal/spi-nor', 'hal'].flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder), { recursive: folder !== 'hal', encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => path.join(folder, name.replace(/\.ts$/, ''))),
  )
  for (const file of files) {
    const text = fs.readFileSync(path.join(root, 'dist', file + '.js'), 'utf8')
    const isTypes = /^(\/\*[^]*?\*\/\s*)?export \{\};\s*$/.test(text)
    // The one cipher that is for Espruino alone.
    if (isTypes || file === 'hal/encrypt-then-mac') continue
    assert.ok(listed.has(path.join(root, file)), `${file} is in no manifest`)
  }
  for (const file of listed) {
    const isThere = ['.ts', '.js'].some((end) => fs.existsSync(file + end))
    assert.ok(isThere, file)
  }
})

test('a firmware holds nothing of the extras it does not include', () => {
  const table = (name: string): string[] => [...new ModuleTable(path.join(root, name)).files.keys()]
  const extras =
    /ecma419|persistence|replay|request|encryption|manual-ack|aliases|spi-nor|tls|\/seal$/
  assert.deepEqual(
    table('manifest.json').filter((name) => extras.test(name)),
    [],
  )
  const client = table('hal/moddable/manifest-client.json')
  assert.deepEqual(
    client.filter((name) => /flash-log|flash-store|session-store/.test(name)),
    [],
  )
})

test('each manifest by itself brings what the import of its name needs', async () => {
  for (const name of made.keys()) {
    const extra = /manifest-(.*)\.json/.exec(name)?.[1] ?? 'storage'
    const wanted = ({ client: '', tls: '/moddable/tls' } as Record<string, string>)[extra]
    const main = `import * as all from 'holdfast${wanted ?? '/' + extra}'\ntrace(all)\n`
    const manifest = manifestOf('one-' + extra, {}, main, name)
    await bundleManifest(manifest, path.join(scratch, 'one.js'))
  }
})

interface Partition {
  name: string
  type: string
  offset: number
  size: number
  flags: string
}

function partitions(): Partition[] {
  const lines = fs.readFileSync(path.join(root, 'targets/esp32/partitions.csv'), 'utf8').split('\n')
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(',').map((field) => field.trim()))
    .map(([name, type, , offset, size, flags]) => ({
      name: name!,
      type: type!,
      offset: Number(offset),
      size: Number(size),
      flags: flags ?? '',
    }))
}

test('the partition table fits 4 MB, without overlaps, and has a partition for Holdfast', () => {
  let end = 0x9000
  for (const { name, type, offset, size } of partitions()) {
    assert.ok(offset >= end, `${name} overlaps the one before`)
    assert.equal(offset % (type === 'app' ? 0x10000 : 0x1000), 0, name)
    assert.equal(size % 0x1000, 0, name)
    end = offset + size
  }
  assert.ok(end <= 4 << 20)
  const ours = partitions().find(({ name }) => name === 'mqtt')!
  assert.equal(ours.type, 'data', 'the platform opens partitions of type data only')
  assert.equal(ours.offset % 65536, 0)
  assert.equal(ours.size % 65536, 0)
  assert.equal(ours.flags, '', 'an encrypted partition does not read blank where it is erased')
})
