/**
 * A project that installs the package and is built with `mcpack` of the Moddable SDK. For the Linux
 * simulator it is built to its end, and runs, without the simulator's window, against a real
 * Mosquitto; its power is cut in between. For an ESP32 it is linked: what is left are the compilers
 * of ESP-IDF. Needs the SDK (sdk.ts).
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import mqtt from 'mqtt'
import { writePackages } from '../../targets/esp32/tool/packages.js'
import { Mosquitto, hasMosquitto } from '../broker/mosquitto.js'
import { until } from '../until.js'
import { findSdk, linkForEsp32, run, sdkEnvironment, toolsOf } from './sdk.js'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const sources = path.join(root, 'test/moddable/mcpack')
const WHAT = 'a project of mcpack'

/** mcpack keeps what it makes under this name in the SDK's folder. */
const NAME = `mcpack-project-${process.pid}`

function findAll(): string | null {
  const sdk = findSdk(WHAT, ['make', 'cc', 'pkg-config'])
  if (sdk === null || !hasMosquitto(WHAT)) return null
  if (spawnSync('pkg-config', ['--exists', 'glib-2.0']).status === 0) return sdk
  console.log(`left out: ${WHAT}: no glib-2.0 (apt-get install libglib2.0-dev)`)
  return null
}

/** The package as `npm install` puts it into a project: what `npm pack` packs, and its cipher. */
function install(project: string): void {
  writePackages(root)
  const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', project]
  const packed = run('npm', words, root)
  const file = /"filename": "([^"]+)"/.exec(packed)![1]!
  const modules = path.join(project, 'node_modules')
  fs.mkdirSync(path.join(modules, 'holdfast'), { recursive: true })
  run('tar', ['-xzf', file, '-C', 'node_modules/holdfast', '--strip-components=1'], project)
  const noble = '@noble/ciphers'
  const from = fs.realpathSync(path.join(root, 'node_modules', noble))
  fs.cpSync(from, path.join(modules, noble), { recursive: true })
}

/** Writes the project. */
function write(project: string, broker: string, port: number): void {
  install(project)
  for (const file of ['main.js', 'flash-file.js']) {
    fs.copyFileSync(path.join(sources, file), path.join(project, file))
  }
  const description = { name: NAME, version: '1.0.0', type: 'module', main: './main.js' }
  fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify(description))
  const include = ['io/files', 'base/modules'].map(
    (one) => `$(MODDABLE)/modules/${one}/manifest.json`,
  )
  const modules = { 'embedded:storage/flash': './flash-file' }
  // The simulator has no flash; an ESP32 has.
  // The stack that README names for the cipher.
  const creation = { stack: 640 }
  const manifest = { config: { broker, port }, creation, platforms: { lin: { include, modules } } }
  fs.writeFileSync(path.join(project, 'manifest.json'), JSON.stringify(manifest))
}

/** Checks that what mcconfig makes has each of our modules once, as JavaScript, and preloaded. */
function checkModules(folder: string): void {
  const makefile = fs.readFileSync(path.join(folder, 'makefile'), 'utf8')
  const ours = [...makefile.matchAll(/^\txsc (\S+\/node_modules\/holdfast\/\S+) /gm)]
  const files = ours.map((match) => match[1]!)
  assert.ok(files.length > 100)
  assert.equal(new Set(files).size, files.length, 'one is there twice')
  for (const file of files) assert.match(file, /holdfast\/dist\/(src|hal)\/.*\.js$/)
  const modules = fs
    .readdirSync(path.join(folder, 'modules'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /^holdfast.*\.xsb$/.test(name))
  const names = modules.filter((name) => !/^holdfast\/(src|hal)\//.test(name))
  assert.equal(modules.length, files.length + names.length)
  assert.ok(!modules.some((name) => name.includes('dist')))
  const preloads = [...makefile.matchAll(/-p (holdfast\S*\.xsb)/g)].map((match) => match[1]!)
  assert.deepEqual(preloads.sort(), modules.sort())
}

const sdk = findAll()
if (sdk !== null) {
  const project = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-mcpack-'))
  const broker = await Mosquitto.start()
  const children: ChildProcess[] = []
  after(async () => {
    for (const child of children) child.kill('SIGKILL')
    await broker.stop()
    fs.rmSync(project, { recursive: true })
    fs.rmSync(path.join(sdk, 'build/tmp', NAME), { recursive: true, force: true })
  })
  write(project, broker.url, broker.port)
  const made = path.join(project, 'out/tmp/lin/mc/release', NAME)
  const image = path.join(project, 'out/bin/lin/mc/release', NAME, 'mc.so')

  test('mcpack builds a project that imports every public name', () => {
    const output = path.join(project, 'out')
    fs.mkdirSync(output)
    const words = ['mcconfig', '-m', '-p', 'lin', '-o', output]
    run(path.join(toolsOf(sdk), 'mcpack'), words, project, sdkEnvironment(sdk))
    assert.ok(fs.existsSync(image))
  })

  test('each module is in the image once, as JavaScript, and preloaded', () => checkModules(made))

  test('the same project links for an ESP32', () => {
    const folder = linkForEsp32(sdk, 'mcpack', [], project, path.join(project, 'linked'))
    checkModules(folder)
    const functions = fs.readFileSync(path.join(folder, 'mc.xs.h'), 'utf8')
    const ours = functions.match(/xs_holdfast_\w+(?=\()/g)!
    assert.deepEqual(
      ours.sort(),
      ['copy', 'crc32', 'deepSleep', 'random'].map((one) => 'xs_holdfast_' + one),
    )
  })

  test('it runs: what was kept when its power was cut is delivered, in order', async () => {
    const headless = path.join(project, 'headless')
    const include = '-I' + path.join(sdk, 'build/simulators/modules')
    const glib = run('pkg-config', ['--cflags', '--libs', 'glib-2.0'], root).trim().split(/\s+/)
    const source = path.join(sources, 'headless.c')
    run('cc', ['-w', include, source, '-o', headless, '-ldl', ...glib], project)
    let text = ''
    const boot = (): ChildProcess => {
      // Files of the simulator lie in HOME.
      const home = { ...process.env, HOME: project }
      const child = spawn(headless, [image], { env: home, stdio: ['ignore', 'pipe', 'inherit'] })
      child.stdout!.on('data', (data) => (text += data))
      children.push(child)
      return child
    }
    await broker.end('SIGTERM')
    const first = boot()
    await until('what is kept', () => text.includes('kept 3\n') || first.exitCode !== null)
    assert.match(text, /names TopicAliases\n[^]*names StoragePart\nkept 3\n/)
    first.kill('SIGKILL')

    await broker.restart()
    const received: string[] = []
    const client = await mqtt.connectAsync(broker.url)
    client.on('message', (_topic, payload) => received.push(payload.toString()))
    await client.subscribeAsync('mcpack/+', { qos: 1 })
    text = ''
    boot()
    await until('all acknowledged', () => text.includes('left 0\n'))
    assert.match(text, /\nkept 3\n/)
    await until('four messages', () => received.length >= 4)
    assert.deepEqual(
      received.filter((one) => one !== 'from the pattern'),
      ['message 1', 'message 2', 'message 3'],
    )
    const flash = fs.readFileSync(path.join(project, 'mcpack-flash.img'), 'latin1')
    assert.ok(!flash.includes('message 1') && !flash.includes('mcpack/kept'), 'not encrypted')
    await client.endAsync()
  })
}
