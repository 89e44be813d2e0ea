/**
 * Runs test files on XS: the library is preloaded into ROM, module by module, so that tests meet
 * the very classes a device has; the test code is one script in the heap. Test code and its broker
 * (mqtt-packet, Buffer) need more than a board has, so the heap is larger; the buffers of the
 * client in it are those that the tests give, a device's. Knows nothing of what is tested.
 */
import { spawn } from 'node:child_process'
import * as esbuild from 'esbuild'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { root } from '../bench/xs-run.js'
import { LEFT_OUT_TESTS } from './suites.js'

/** Not a board's: see above. Nothing grows, as on a board. */
const CREATION = 'chunk=67108864,heap=1000000,stack=16384,keys=8000'
const ROM_NAME = 'HoldfastModules'

const BUNDLE: esbuild.BuildOptions = {
  bundle: true,
  format: 'iife',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['browser', 'module', 'main'],
  conditions: ['import'],
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  logLevel: 'silent',
}

function modules(): string[] {
  return fs
    .readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => 'src/' + name.replaceAll(path.sep, '/'))
    .sort()
}

/** All of `src` as one script: the global has one object for each module. */
export async function bundleRom(outfile: string): Promise<void> {
  const lines = modules().map((name, index) => `export * as m${index} from './${name}'`)
  await esbuild.build({
    ...BUNDLE,
    stdin: { contents: lines.join('\n'), resolveDir: root, loader: 'ts' },
    globalName: ROM_NAME,
    outfile,
  })
}

const SHIMS: Record<string, string> = {
  'node:test': 'shim-test.ts',
  'node:assert/strict': 'shim-assert.ts',
}

/**
 * Packages that mqtt-packet loads and that want more of Node than its work does. Its list of
 * buffers is the real one, without the stream that it also is.
 */
const STUBS: Record<string, string> = {
  // Its cache of numbers is 65,536 buffers: 459,000 slots, walked at every collection.
  'mqtt-packet':
    "require('mqtt-packet/writeToStream.js').cacheNumbers = false\n" +
    "module.exports = require('mqtt-packet/mqtt.js')",
  bl: "module.exports = require('bl/BufferList.js')",
  debug: 'module.exports = () => () => {}',
  'process-nextick-args': 'exports.nextTick = (work, argument) => work(argument)',
}

/** Imports of `src` lead into ROM, those of `node:test` and `node:assert` to the shims. */
function onBoard(): esbuild.Plugin {
  const names = modules()
  const folder = path.join(root, 'test/xs')
  return {
    name: 'on-board',
    setup(build) {
      build.onResolve({ filter: /^node:/ }, ({ path: name }) => {
        const shim = SHIMS[name]
        return shim === undefined ? undefined : { path: path.join(folder, shim) }
      })
      build.onResolve({ filter: /^[^.]/ }, ({ path: name }) =>
        name in STUBS ? { path: name, namespace: 'stub' } : undefined,
      )
      build.onLoad({ filter: /.*/, namespace: 'stub' }, ({ path: name }) => ({
        contents: STUBS[name]!,
        resolveDir: root,
      }))
      build.onResolve({ filter: /^(buffer|events)\/?$/ }, ({ path: name }) => {
        const file = name.startsWith('buffer') ? 'buffer/index.js' : 'events/events.js'
        return { path: path.join(root, 'node_modules', file) }
      })
      build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path: name, resolveDir }) => {
        const file = path.relative(root, path.resolve(resolveDir, name)).replace(/\.js$/, '.ts')
        const index = names.indexOf(file.replaceAll(path.sep, '/'))
        return index < 0 ? undefined : { path: `m${index}`, namespace: 'rom' }
      })
      build.onLoad({ filter: /.*/, namespace: 'rom' }, ({ path: name }) => ({
        contents: `module.exports = ${ROM_NAME}.${name}`,
      }))
    },
  }
}

/** One test file, below `test`, as a script. Throws where it needs what XS has not. */
export async function bundleSuite(name: string, outfile: string): Promise<void> {
  const contents =
    "import './shim-globals.ts'\n" +
    `import '../${name}'\n` +
    "import { runAll } from './shim-test.ts'\n" +
    'runAll()\n'
  await esbuild.build({
    ...BUNDLE,
    stdin: { contents, resolveDir: path.join(root, 'test/xs'), sourcefile: 'suite.ts' },
    plugins: [onBoard()],
    // package.json says that our modules have no effects; that of a test file is its tests.
    ignoreAnnotations: true,
    sourcemap: 'external',
    outfile,
  })
}

export interface SuiteResult {
  code: number | null
  /** TAP, and what the engine says at a bad end. */
  lines: string[]
  pass: number
  fail: number
  skip: number
}

export function runSuite(
  program: string,
  rom: string,
  script: string,
  env: Record<string, string | undefined>,
): Promise<SuiteResult> {
  const config = JSON.stringify({ env, skip: Object.keys(LEFT_OUT_TESTS) })
  const args = ['--creation', CREATION, '--config', config, '--preload', rom, script]
  return new Promise((resolve, reject) => {
    // A suite that does not end by itself must not outlive the run.
    const child = spawn(program, args, { timeout: 1_200_000, killSignal: 'SIGKILL' })
    let text = ''
    // Nor outlive its parent when that is ended.
    const kill = (): void => void child.kill('SIGKILL')
    process.once('exit', kill)
    child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (text += bytes.toString()))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      process.removeListener('exit', kill)
      const lines = text.split('\n').filter((line) => line !== '')
      if (signal !== null) lines.push(`# ended by ${signal}`)
      const told = lines.map((line) => /^# pass (\d+), fail (\d+), skip (\d+)$/.exec(line))
      const [pass, fail, skip] = (told.find(Boolean) ?? ['', '0', '0', '0']).slice(1).map(Number)
      resolve({ code, lines, pass: pass!, fail: fail!, skip: skip! })
    })
  })
}
