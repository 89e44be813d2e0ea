/**
 * Makes of a firmware file the one script a board runs. A board has no modules of Node, so an
 * import of one fails here. Knows no engine and no scenario.
 */
import * as esbuild from 'esbuild'
import * as fs from 'node:fs'
import { isBuiltin } from 'node:module'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The firmware that ships, as a path in the project. */
const SENSOR = 'targets/simulator/firmware/sensor.ts'

export class BundleError extends Error {}

/** The firmware's source: found upwards, since the simulator runs from `dist`. */
export function sensorPath(): string {
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ;) {
    const found = path.join(folder, SENSOR)
    if (fs.existsSync(found)) return found
    const parent = path.dirname(folder)
    if (parent === folder) throw new BundleError(`the firmware ${SENSOR} is not here`)
    folder = parent
  }
}

/** The project's folder, where the sources are. */
export function projectFolder(): string {
  return path.resolve(path.dirname(sensorPath()), '../../..')
}

/** Where an import of the client's public names leads: what the firmware's imports end in. */
const LIBRARY = /(^holdfast(\/storage|\/encryption)?|(src\/(index|storage)|hal\/encryption)\.js)$/
/** The global that the library in ROM is. */
const ROM_NAME = 'Holdfast'

/** The client comes from ROM: its imports become the global that is there. */
function fromRom(filter: RegExp): esbuild.Plugin {
  return {
    name: 'rom',
    setup(build) {
      build.onResolve({ filter }, () => ({ path: ROM_NAME, namespace: 'rom' }))
      build.onLoad({ filter: /.*/, namespace: 'rom' }, () => ({
        contents: `module.exports = ${ROM_NAME}`,
      }))
    },
  }
}

/** What an application may import of us; its file may stand anywhere. */
const PUBLIC: Record<string, string> = {
  holdfast: 'src/index.ts',
  'holdfast/storage': 'src/storage.ts',
  'holdfast/small': 'src/small/index.ts',
  'holdfast/small/storage': 'src/small/storage.ts',
  'holdfast/encryption': 'hal/encryption.ts',
  'holdfast/aliases': 'src/session/topic-aliases.ts',
  'holdfast/manual-ack': 'src/session/manual-ack.ts',
  'holdfast/authentication': 'src/session/authentication.ts',
  'holdfast/request': 'src/request.ts',
  'holdfast/properties': 'src/message-properties.ts',
}

/** The public names lead to the sources of this project, and the modules of Node nowhere. */
const fromProject: esbuild.Plugin = {
  name: 'project',
  setup(build) {
    build.onResolve({ filter: /^holdfast($|\/)/ }, ({ path: name }) => {
      const file = PUBLIC[name]
      if (file !== undefined) return { path: path.join(projectFolder(), file) }
      const known = Object.keys(PUBLIC).join(', ')
      return { errors: [{ text: `a board has no "${name}"; an application imports ${known}` }] }
    })
  },
}

/**
 * Builds what a board has in ROM: the client with storage, as Moddable's manifest preloads it, and
 * the hooks for encryption. A source map goes beside it (`.map`), for what exceptions say.
 */
export async function bundleLibrary(outfile: string): Promise<void> {
  await build({
    stdin: {
      contents:
        "export * from './index.ts'\nexport * from './storage.ts'\n" +
        "export * from '../hal/encryption.ts'",
      resolveDir: path.join(projectFolder(), 'src'),
    },
    outfile,
    globalName: ROM_NAME,
    sourcemap: 'external',
  })
}

/**
 * Builds `entry` into `outfile`; with `isClientInRom` without the client. Throws BundleError with
 * every message, each with its place.
 */
export async function bundleFirmware(
  entry: string,
  outfile: string,
  isClientInRom: boolean,
): Promise<void> {
  await build({ entryPoints: [entry], outfile, plugins: isClientInRom ? [fromRom(LIBRARY)] : [] })
}

/**
 * Builds a user's application (targets/board.ts) into `outfile`, and a source map beside it
 * (`.map`), for what its exceptions say.
 */
export async function bundleApplication(
  entry: string,
  outfile: string,
  isClientInRom: boolean,
): Promise<void> {
  if (!fs.existsSync(entry)) throw new BundleError(`there is no file ${entry}`)
  const contents =
    `import { start } from ${JSON.stringify(entry)}\n` +
    "import { runApplication } from './app-board.ts'\n" +
    'runApplication(start)\n'
  const resolveDir = path.dirname(sensorPath())
  await build({
    stdin: { contents, resolveDir, sourcefile: 'simulator.ts' },
    outfile,
    sourcemap: 'external',
    plugins: isClientInRom
      ? [fromRom(/^holdfast(\/storage|\/encryption)?$/), fromProject]
      : [fromProject],
    // Places are told as the user would write them.
    absWorkingDir: userFolder(),
  })
}

/** Where the user stands: npm goes to the project's folder and leaves the other one here. */
export function userFolder(): string {
  return process.env['INIT_CWD'] ?? process.cwd()
}

async function build(options: esbuild.BuildOptions): Promise<void> {
  try {
    await esbuild.build({
      ...options,
      bundle: true,
      format: 'iife',
      target: 'es2022',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      // The tsconfig beside the sources speaks of type checking; nothing in it is for the bundle
      // but this, which Espruino and XS need alike.
      tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
      logLevel: 'silent',
    })
  } catch (error) {
    const messages = (error as Partial<esbuild.BuildFailure>).errors
    if (messages === undefined) throw error
    throw new BundleError('the firmware cannot be built: ' + messages.map(inWords).join('\n'))
  }
}

function inWords({ location: place, text, pluginName }: esbuild.Message): string {
  const missing = /^Could not resolve "(.*)"/.exec(text)?.[1]
  if (pluginName === '' && text.startsWith('No matching export') && text.includes('"start"')) {
    const file = /in "(.*?)"/.exec(text)?.[1]
    return `${file}:1: it must export a function start(board) that returns the client`
  }
  let remedy = ''
  if (missing !== undefined && isBuiltin(missing)) {
    remedy =
      ' (a board has no modules of Node: use what start(board) is given, the storage, the' +
      ' transport and the system)'
  } else if (missing !== undefined && !missing.startsWith('.')) {
    remedy = ' (install the package beside the file; it must do without modules of Node)'
  }
  return (place ? `${place.file}:${place.line}: ` : '') + text + remedy
}
