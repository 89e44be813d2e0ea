/**
 * `npm run bench:rom [-- --json]`: what each manifest puts into the ROM of a board, counted in what
 * the linker of the Moddable SDK makes of its preloaded modules. Needs MODDABLE. The platform's own
 * modules are empty here: counted are Holdfast and the cipher from npm. Knows nothing of RAM.
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ModuleTable } from '../../targets/esp32/tool/bundle.js'
import { manifests } from '../../targets/esp32/tool/manifests.js'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const SLOT_SIZE = 16
const SYSTEM = process.platform === 'darwin' ? 'mac' : 'lin'
/** As the SDK's own manifests for an ESP32 have them; the last but one is the main module. */
const CREATION = '78848,0,4928,0,512,32,32,53,3,1024,17,0,main,0'

export interface Rom {
  /** Bytes of bytecode that functions keep. */
  code: number
  /** Bytes of slots: functions, properties, names, what functions know of their modules. */
  slots: number
}

/** The folder of the SDK's tools, or null where MODDABLE names none that is built. */
export function findTools(): string | null {
  const sdk = process.env['MODDABLE']
  if (sdk === undefined || sdk === '') return null
  const tools = path.join(sdk, 'build/bin', SYSTEM, 'release')
  return fs.existsSync(path.join(tools, 'xsl')) ? tools : null
}

/** Counts what the linker wrote: each line of its heap is one slot, code stands in it as text. */
function counted(text: string): Rom {
  let code = 0
  let slots = 0
  for (const line of text.split('\n')) {
    const match = /^\/\* \d+ \*\/\s+\{ .*?\.kind = (XS_\w+)\}(.*)/.exec(line)
    if (!match) continue
    slots += SLOT_SIZE
    const bytes = /\(txByte\*\)"((?:[^"\\]|\\.)*)"/.exec(match[2]!)
    if (bytes && match[1]!.includes('CODE')) {
      code += bytes[1]!.replace(/\\x[0-9a-f]{2}|\\./g, 'x').length
    }
  }
  return { code, slots }
}

function run(tool: string, words: string[]): void {
  const { status, stderr, stdout, error } = spawnSync(tool, words, { encoding: 'utf8' })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${path.basename(tool)}: ${stderr}${stdout}`)
}

/** Links `modules` (name to file of dist) with all preloaded, and an empty main program. */
function link(tools: string, modules: Map<string, string>, externals: Set<string>): Rom {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-rom-'))
  try {
    const compiled: string[] = []
    const compile = (name: string, source: string): void => {
      // The SDK's own form of a name with a colon.
      const file = name.replace(/^(\w+):/, '~.$1/')
      const target = path.join(folder, 'm', path.dirname(file))
      fs.mkdirSync(target, { recursive: true })
      run(path.join(tools, 'xsc'), [source, '-e', '-o', target, '-r', path.basename(file)])
      compiled.push(file + '.xsb')
    }
    for (const [name, file] of modules) compile(name, file)
    const empty = path.join(folder, 'empty.js')
    fs.writeFileSync(empty, 'export default {}\nexport const at = 0\n')
    for (const name of externals) compile(name, empty)
    // The cipher is not named by its manifest: importing it preloads it.
    const preloads = compiled.flatMap((one) => (one.startsWith('@') ? [] : ['-p', one]))
    fs.writeFileSync(empty, '')
    compile('main', empty)
    const places = ['-b', path.join(folder, 'm'), '-o', folder]
    const inputs = compiled.map((one) => path.join(folder, 'm', one))
    const words = [...places, ...preloads, '-c', CREATION, '-s', '*', ...inputs]
    run(path.join(tools, 'xsl'), words)
    return counted(fs.readFileSync(path.join(folder, 'mc.xs.c'), 'utf8'))
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/** What the manifests `names` together put into ROM. */
export function romOf(tools: string, names: string[]): Rom {
  const modules = new Map<string, string>()
  const externals = new Set<string>()
  for (const name of names) {
    for (const [module, file] of new ModuleTable(path.join(root, name)).files) {
      const compiled = path.join(root, 'dist', path.relative(root, file)) + '.js'
      modules.set(module, fs.existsSync(compiled) ? compiled : file + '.js')
    }
  }
  for (const file of modules.values()) {
    for (const [, from] of fs
      .readFileSync(file, 'utf8')
      .matchAll(/^import [^;]*? from '([^.'][^']*)'/gm)) {
      if (!modules.has(from!.replace(/\.js$/, ''))) externals.add(from!)
    }
  }
  const base = link(tools, new Map(), externals)
  const full = link(tools, modules, externals)
  return { code: full.code - base.code, slots: full.slots - base.slots }
}

/** Each manifest, and all of them together: the client alone, then what the others add to it. */
export function measureRom(tools: string): Record<string, Rom> {
  const client = 'hal/moddable/manifest-client.json'
  const inRom: Record<string, Rom> = { [client]: romOf(tools, [client]) }
  const names = [...manifests(root).keys()].filter((name) => name !== client)
  for (const name of names) inRom[name] = romOf(tools, [name])
  inRom['all'] = romOf(tools, names)
  return inRom
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const tools = findTools()
  if (tools === null) {
    console.error('MODDABLE names no Moddable SDK with its tools built: docs/BOARDS.md')
    process.exitCode = 1
  } else {
    const inRom = measureRom(tools)
    if (process.argv.includes('--json')) console.log(JSON.stringify(inRom))
    else {
      console.log('bytes in ROM                                 code    slots')
      for (const [name, { code, slots }] of Object.entries(inRom)) {
        console.log(name.padEnd(40), String(code).padStart(8), String(slots).padStart(8))
      }
    }
  }
}
