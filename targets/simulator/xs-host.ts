/**
 * Builds the XS host `xs-device`, a board on a desk, from the C files in `xs/` and the XS sources
 * in the npm package @agoric/xsnap. It is built on first use and kept by a hash of everything that
 * goes into it. Knows compilers and folders, nothing of what runs on the host.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { availableParallelism } from 'node:os'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** The host is tied to this version: it uses names that XS promises to nobody. */
const PACKAGE = '@agoric/xsnap'
const PACKAGE_VERSION = '0.15.0'

/**
 * What `device.memory(target)` fills in, in this order; `target` is a Float64Array of this many
 * numbers or more. The first four count from the start of the clone and never go back.
 */
export const MEMORY_FIELDS = [
  'slots',
  'chunks',
  'chunkBytes',
  'collections',
  'liveSlots',
  'liveChunkBytes',
  'peakSlots',
  'peakChunkBytes',
  'peakStack',
  'slotCapacity',
  'chunkCapacity',
  'stackCapacity',
  'keys',
  'keyCapacity',
  'slotSize',
  'bytecodeSize',
] as const

/** Exit codes of `xs-device` beside 0 and those of the firmware. */
export const EXIT_EXCEPTION = 1
export const EXIT_USAGE = 2
export const EXIT_MEMORY = 11
export const EXIT_STACK = 12
export const EXIT_KEYS = 16

export interface XsHostOptions {
  /** 32 gives the slots of a device, 16 bytes each, and needs a compiler with -m32. Default 64. */
  bits?: 32 | 64
  /** Takes one line of progress at a time. Default: stderr. */
  progress?: (line: string) => void
}

/** Where the program is, or in one line why there is none. */
export type XsHost = { path: string } | { missing: string }

// -O1: built in 6 s on two cores and as fast as -O2 (10 s); -O0 (4 s) runs a fifth slower.
const FLAGS = [
  '-O1',
  '-w',
  '-D_GNU_SOURCE',
  '-fno-common',
  '-DINCLUDE_XSPLATFORM',
  '-DXSPLATFORM="platform.h"',
  '-DmxBoundsCheck=1',
  '-DmxInstrument=1',
  '-DmxLockdown=1',
  '-DmxMinusZero=1',
  '-DmxNoConsole=1',
  '-DmxParse=1',
  '-DmxRun=1',
  '-DmxSloppy=1',
]
const LIBRARIES = ['-lm', '-lpthread', '-ldl']

/** Not compiled by themselves: our memory.c and defaults.c include two, the third is not needed. */
const NOT_COMPILED = new Set(['xsMemory.c', 'xsDefaults.c', 'xsSnapshot.c'])

/** The first folder from `from` upwards that has `name` in it. */
function findUpwards(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, name))) return folder
    if (folder === path.dirname(folder)) return undefined
  }
}

interface Sources {
  root: string
  ours: string
  engine: string
}

function findSources(): Sources | { missing: string } {
  const here = path.dirname(fileURLToPath(import.meta.url))
  const root = findUpwards(here, 'targets/simulator/xs/main.c')
  if (!root) return { missing: 'the C files of the XS host are not here' }
  // HOLDFAST_XSNAP names the unpacked package where it is not in node_modules.
  const given = process.env['HOLDFAST_XSNAP']
  const packagePath = path.join('node_modules', PACKAGE)
  const above = findUpwards(root, packagePath)
  const folder = given ?? (above && path.join(above, packagePath))
  if (!folder || !fs.existsSync(path.join(folder, 'moddable/xs/sources'))) {
    return { missing: `the XS sources are not installed (npm package ${PACKAGE})` }
  }
  const { version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
    version: string
  }
  if (version !== PACKAGE_VERSION) {
    return { missing: `${PACKAGE} is ${version}, the XS host needs ${PACKAGE_VERSION}` }
  }
  return {
    root,
    ours: path.join(root, 'targets/simulator/xs'),
    engine: path.join(folder, 'moddable/xs'),
  }
}

/** A compiler that runs, with what it says of its version. */
function findCompiler(): { name: string; version: string } | undefined {
  const wanted = process.env['CC']
  for (const name of wanted ? [wanted] : ['cc', 'gcc', 'clang']) {
    const run = spawnSync(name, ['--version'], { encoding: 'utf8' })
    if (run.status === 0) return { name, version: run.stdout }
  }
  return undefined
}

/** True when the compiler makes programs of `flags`: -m32 needs libraries of its own. */
function canLink(compiler: string, flags: string[], folder: string): boolean {
  const program = path.join(folder, 'probe')
  const run = spawnSync(compiler, [...flags, '-xc', '-', '-o', program, '-lm'], {
    input: '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n',
  })
  return run.status === 0
}

/** Runs the compiler; resolves to '' or to its first line that tells of an error. */
function compile(compiler: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(compiler, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let text = ''
    child.stderr.on('data', (bytes: Buffer) => (text += bytes.toString()))
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code) => {
      const lines = text.split('\n')
      const told = lines.find((line) => line.includes('error')) ?? lines[0]
      resolve(code === 0 ? '' : told || `exit code ${code}`)
    })
  })
}

async function build(
  compiler: string,
  flags: string[],
  files: string[],
  folder: string,
  progress: (line: string) => void,
): Promise<string> {
  const objects = files.map((file, i) => path.join(folder, `${i}-${path.basename(file, '.c')}.o`))
  let next = 0
  let done = 0
  let failure = ''
  async function work(): Promise<void> {
    while (next < files.length && !failure) {
      const i = next++
      const told = await compile(compiler, [...flags, '-c', files[i]!, '-o', objects[i]!])
      if (told) failure = `${path.basename(files[i]!)}: ${told}`
      done++
      if (done % 15 === 0) progress(`XS host: ${done} of ${files.length} files`)
    }
  }
  const jobs = Math.max(2, Math.min(8, availableParallelism()))
  await Promise.all(Array.from({ length: jobs }, work))
  if (failure) return failure
  const machine = flags.filter((flag) => flag.startsWith('-m'))
  const program = path.join(folder, 'xs-device')
  return compile(compiler, [...machine, ...objects, '-o', program, ...LIBRARIES])
}

function sourceFolders(sources: Sources): string[] {
  const engine = ['sources', 'includes', 'platforms'].map((name) => path.join(sources.engine, name))
  return [sources.ours, ...engine]
}

/** The C files to compile, and a hash of these, of all they may include, and of a text. */
function listFiles(sources: Sources): { files: string[]; hash: (text: string) => string } {
  const digest = createHash('sha256')
  const files: string[] = []
  for (const folder of sourceFolders(sources)) {
    for (const name of fs.readdirSync(folder).sort()) {
      if (!/\.[ch]$/.test(name)) continue
      const file = path.join(folder, name)
      digest.update(name).update('\0').update(fs.readFileSync(file))
      if (name.endsWith('.c') && !NOT_COMPILED.has(name)) files.push(file)
    }
  }
  return { files, hash: (text) => digest.update(text).digest('hex').slice(0, 16) }
}

/** True while the process that builds in `folder` is alive; one killed leaves its folder. */
function isBuilding(folder: string): boolean {
  try {
    const pid = Number(fs.readFileSync(path.join(folder, 'pid'), 'utf8'))
    if (pid > 0) return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false
  }
  // No number yet: the folder was made this instant, or its maker died in between.
  const made = fs.statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0
  return Date.now() - made < 2000
}

/**
 * Makes `folder` for this process alone. Test files run side by side: the first one builds, and the
 * others wait here until it is done or gone. False when `program` is there meanwhile.
 */
async function claim(folder: string, program: string): Promise<boolean> {
  for (;;) {
    if (fs.existsSync(program)) return false
    try {
      fs.mkdirSync(folder)
      fs.writeFileSync(path.join(folder, 'pid'), String(process.pid))
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (isBuilding(folder)) await sleep(100)
    else fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Finds the XS host, and builds it first where that has not been done. */
export async function ensureXsHost(options: XsHostOptions = {}): Promise<XsHost> {
  const bits = options.bits ?? 64
  const progress = options.progress ?? ((line) => process.stderr.write(line + '\n'))
  if (process.platform === 'win32') return { missing: 'the XS host needs Linux or macOS' }
  const sources = findSources()
  if ('missing' in sources) return sources
  const compiler = findCompiler()
  if (!compiler) return { missing: 'there is no C compiler (cc, gcc or clang)' }
  const flags = bits === 32 ? ['-m32', ...FLAGS] : FLAGS
  const { files, hash } = listFiles(sources)
  const key = `${bits}-${hash([compiler.version, ...flags, ...LIBRARIES].join('\0'))}`
  const cache = path.join(sources.root, 'node_modules/.cache/holdfast')
  const program = path.join(cache, `xs-device-${key}`)
  const folder = path.join(cache, `build-${key}`)
  fs.mkdirSync(cache, { recursive: true })
  if (!(await claim(folder, program))) return { path: program }
  try {
    if (bits === 32 && !canLink(compiler.name, ['-m32'], folder)) {
      return { missing: `${compiler.name} makes no 32-bit programs (on Debian: gcc-multilib)` }
    }
    progress(`XS host: building ${files.length} files, once (about 10 s on two cores)`)
    const started = Date.now()
    const included = sourceFolders(sources).map((name) => '-I' + name)
    const failure = await build(compiler.name, [...flags, ...included], files, folder, progress)
    if (failure) return { missing: `the XS host does not compile: ${failure}` }
    fs.renameSync(path.join(folder, 'xs-device'), program)
    progress(`XS host: built in ${((Date.now() - started) / 1000).toFixed(1)} s`)
    return { path: program }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
