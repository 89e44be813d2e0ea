/**
 * What the benches on XS share: the library as one script that is preloaded into ROM, the firmware
 * that measures as another, and how to run the two on the host. Knows nothing of what is measured.
 */
import { spawn } from 'node:child_process'
import * as esbuild from 'esbuild'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureXsHost } from '../../targets/simulator/xs-host.js'

/** The project's folder, found upwards from the compiled file: sources are bundled from there. */
export const root = findRoot(path.dirname(fileURLToPath(import.meta.url)))

function findRoot(from: string): string {
  if (fs.existsSync(path.join(from, 'test/bench/alloc-firmware.ts'))) return from
  if (from === path.dirname(from)) throw new Error('the sources of the benches are not here')
  return findRoot(path.dirname(from))
}

/** The heap of the nodemcu target of the Moddable SDK. */
export const ESP32 = 'chunk=78848,heap=4928,stack=512'

/** The library as firmware uses it, as lines of an entry: what nothing needs is left out. */
export const CLIENT = "export { MqttClient, statusText } from './src/index.js'\n"
export const STORAGE = CLIENT + "export { FlashStore } from './src/storage.js'\n"
/** The small client, with messages in RAM and on flash. */
export const SMALL = "export { MqttClient, RamOutbox, statusText } from './src/small/index.js'\n"
export const SMALL_STORAGE =
  "export { MqttClient, statusText } from './src/small/index.js'\n" +
  "export { FlashOutbox } from './src/small/storage.js'\n"
export const EXTENSIONS =
  STORAGE +
  "export { TopicAliases } from './src/session/topic-aliases.js'\n" +
  "export { ManualAck } from './src/session/manual-ack.js'\n"
export const ENCRYPTION = STORAGE + "export * from './hal/encryption.js'\n"

const BUNDLE: esbuild.BuildOptions = {
  bundle: true,
  format: 'iife',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['import'],
  legalComments: 'none',
  // The tsconfig beside the sources speaks of type checking; this alone is for the bundle.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  logLevel: 'silent',
}

/** The library as the global `holdfast`. On one line: XS makes no bytecode of line numbers then. */
export async function bundleLibrary(
  lines: string,
  outfile: string,
  more: esbuild.BuildOptions = {},
): Promise<esbuild.Metafile> {
  const { metafile } = await esbuild.build({
    ...BUNDLE,
    stdin: { contents: lines, resolveDir: root, sourcefile: 'library.ts', loader: 'ts' },
    globalName: 'holdfast',
    minifyWhitespace: true,
    minifySyntax: true,
    metafile: true,
    ...more,
    outfile,
  })
  return metafile!
}

/** A file of this folder, by its name without the ending. */
export async function bundleFirmware(
  name: string,
  outfile: string,
  more: esbuild.BuildOptions = {},
): Promise<void> {
  const entry = path.join(root, 'test/bench', name + '.ts')
  await esbuild.build({ ...BUNDLE, entryPoints: [entry], ...more, outfile })
}

/** A folder that is gone when `work` has ended. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'))
  try {
    return await work(folder)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

export class MissingHost extends Error {}

/** The path of the host; throws MissingHost with a line that says why there is none. */
export async function xsHost(bits: 32 | 64): Promise<string> {
  const host = await ensureXsHost({ bits })
  if ('missing' in host) throw new MissingHost(host.missing)
  return host.path
}

/** Runs a bundle on the host and gives back its reports, each a line of JSON. */
export function runOnXs(program: string, bundle: string, ...options: string[]): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...options, '--report-fd', '3', bundle], {
      stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
      // A host that does not end by itself must not outlive the bench.
      timeout: 120_000,
      killSignal: 'SIGKILL',
    })
    const texts = { 2: '', 3: '' }
    for (const i of [2, 3] as const) {
      child.stdio[i]!.on('data', (bytes: Buffer) => (texts[i] += bytes.toString()))
    }
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code !== 0)
        return reject(new Error(`${bundle} ended with ${code ?? signal}\n${texts[2]}`))
      const lines = texts[3].split('\n').slice(0, -1)
      resolve(lines.map((line) => JSON.parse(line) as unknown))
    })
  })
}
