/**
 * The Moddable SDK at MODDABLE, with its tools built, for tests that let it build and link. Where
 * it is not, they say so in one line: it is not on npm, and none of it is in this project.
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')

/** The folder of the SDK; null, and a line of what is left out, where it or `wanted` is not. */
export function findSdk(what: string, wanted: string[] = []): string | null {
  const sdk = process.env['MODDABLE'] ?? ''
  const tools = toolsOf(sdk)
  let missing = ''
  if (sdk === '') missing = 'MODDABLE names no Moddable SDK (docs/BOARDS.md)'
  else if (!fs.existsSync(path.join(tools, 'xsl'))) missing = `MODDABLE has no tools at ${tools}`
  for (const command of wanted) {
    if (missing !== '' || spawnSync(command, ['--version']).error === undefined) continue
    missing = `no ${command}`
  }
  if (missing === '') return sdk
  console.log(`left out: ${what}: ${missing}`)
  return null
}

/** The tools are built for the machine they run on. */
export function toolsOf(sdk: string): string {
  const system = process.platform === 'darwin' ? 'mac' : 'lin'
  return path.join(sdk, 'build/bin', system, 'release')
}

/** Variables for the SDK's tools: they call each other, and `tsc`, from PATH. */
export function sdkEnvironment(sdk: string): NodeJS.ProcessEnv {
  const { MODULES: _unset, ...rest } = process.env
  const folders = [toolsOf(sdk), path.join(root, 'node_modules/.bin'), process.env['PATH']]
  return { ...rest, MODDABLE: sdk, PATH: folders.join(path.delimiter) }
}

/** Runs a command and returns what it wrote; throws with it where it fails. */
export function run(command: string, words: string[], cwd: string, env = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    cwd,
    env,
    encoding: 'utf8',
  })
  if (error !== undefined) throw error
  if (status === 0) return stdout + stderr
  const said = stderr + stdout.split('\n').slice(-20).join('\n')
  throw new Error(`${[command, ...words].join(' ')} ended with ${status}\n${said}`)
}

/**
 * Makes of `words` (for mcpack or mcconfig, without the platform) a program for an ESP32 as far as
 * the SDK's linker goes, and returns the folder with what was made: `makefile`, `modules`,
 * `mc.xs.c`. Of ESP-IDF it wants a version, which git tells, and an empty configuration.
 */
export function linkForEsp32(
  sdk: string,
  tool: 'mcconfig' | 'mcpack',
  words: string[],
  cwd: string,
  scratch: string,
): string {
  const idf = path.join(scratch, 'idf')
  const output = path.join(scratch, 'esp32')
  for (const folder of [idf, output]) fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(idf, 'git'), '#!/bin/sh\necho v6.0\n', { mode: 0o755 })
  fs.writeFileSync(path.join(idf, 'idf.py'), '#!/bin/sh\n', { mode: 0o755 })
  const env = sdkEnvironment(sdk)
  env['IDF_PATH'] = idf
  env['PATH'] = idf + path.delimiter + env['PATH']
  // Not with -m: that would go on to the compilers of ESP-IDF.
  const target = ['-p', 'esp32/nodemcu', '-o', output]
  const first = tool === 'mcpack' ? ['mcconfig'] : []
  run(path.join(toolsOf(sdk), tool), [...first, ...target, ...words], cwd, env)
  const release = path.join(output, 'tmp/esp32/nodemcu/release')
  const folders = fs.readdirSync(release).map((name) => path.join(release, name))
  const folder = folders.find((one) => fs.existsSync(path.join(one, 'makefile')))!
  const config = path.join(folder, 'xsProj-esp32/build/config')
  fs.mkdirSync(config, { recursive: true })
  fs.writeFileSync(path.join(config, 'sdkconfig.h'), '')
  const linked = path.join(folder, 'mc.xs.c')
  run('make', ['-f', path.join(folder, 'makefile'), linked], cwd, env)
  return folder
}
