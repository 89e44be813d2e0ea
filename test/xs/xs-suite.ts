/**
 * Runs a test file on XS, in the heap of a board. Library, tests and oracle are one script that is
 * preloaded into ROM, as the library is on a board: code, tables and the list of tests cost the
 * heap nothing, and what the tests do there is all it has to hold. Knows nothing of what is tested,
 * nor which heap is enough.
 */
import { spawn } from 'node:child_process'
import * as esbuild from 'esbuild'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { root } from '../bench/xs-run.js'
import { creationOf, type Heap } from './heap.js'
import { publishedOnBoard } from './published-on-board.js'
import { LEFT_OUT_TESTS } from './suites.js'

const ROM_NAME = 'HoldfastSuite'
/** The only script of the device itself. */
const START = `${ROM_NAME}.runAll()\n`

const BUNDLE: esbuild.BuildOptions = {
  bundle: true,
  format: 'iife',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['browser', 'module', 'main'],
  conditions: ['import'],
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  // package.json says that our modules have no effects; that of a test file is its tests.
  ignoreAnnotations: true,
  logLevel: 'silent',
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

/** Imports of `node:test` and `node:assert` lead to the shims, npm packages to what runs on XS. */
function onBoard(): esbuild.Plugin {
  const folder = path.join(root, 'test/xs')
  return {
    name: 'on-board',
    setup(build) {
      build.onResolve({ filter: /^node:/ }, ({ path: name }) => {
        const shim = SHIMS[name]
        return shim === undefined ? undefined : { path: path.join(folder, shim) }
      })
      build.onResolve({ filter: /\/published\.js$/ }, ({ path: name }) => ({
        path: name,
        namespace: 'published',
      }))
      build.onLoad({ filter: /.*/, namespace: 'published' }, () => ({
        contents: publishedOnBoard(),
      }))
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
    },
  }
}

/** The two scripts of a suite: what is preloaded, and what the device runs. */
export interface Suite {
  rom: string
  start: string
}

/** One test file, below `test`. Throws where it needs what XS has not. */
export async function bundleSuite(name: string, folder: string): Promise<Suite> {
  const file = path.join(folder, name.replaceAll('/', '-').replace(/\.ts$/, ''))
  const suite = { rom: file + '.js', start: file + '-start.js' }
  const contents =
    "import './shim-globals.ts'\n" +
    `import '../${name}'\n` +
    "export { runAll } from './shim-test.ts'\n"
  await esbuild.build({
    ...BUNDLE,
    stdin: { contents, resolveDir: path.join(root, 'test/xs'), sourcefile: 'suite.ts' },
    globalName: ROM_NAME,
    plugins: [onBoard()],
    outfile: suite.rom,
  })
  fs.writeFileSync(suite.start, START)
  return suite
}

export type Environment = Record<string, string | undefined>

export interface RunOptions {
  heap: Heap
  env: Environment
  /** The first test, counted from 0, and how many at most. */
  first: number
  count: number
}

/** How a run of the host ended, and what it said: TAP, and what the engine says at a bad end. */
export interface SuiteRun {
  code: number | null
  lines: string[]
}

export function runSuite(program: string, suite: Suite, options: RunOptions): Promise<SuiteRun> {
  const { env, first, count } = options
  const config = JSON.stringify({ env, skip: Object.keys(LEFT_OUT_TESTS), first, count })
  const args = ['--creation', creationOf(options.heap), '--config', config]
  args.push('--preload', suite.rom, suite.start)
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
      resolve({ code, lines })
    })
  })
}
