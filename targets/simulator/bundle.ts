/**
 * Makes of a firmware file the one script a board runs. A board has no modules of Node, so an
 * import of one fails here. Knows no engine and no scenario.
 */
import * as esbuild from 'esbuild'
import * as fs from 'node:fs'
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

/** Where an import of the client's public names leads: what the firmware's imports end in. */
const LIBRARY = /(^holdfast(\/storage)?|src\/(index|storage)\.js)$/
/** The global that the library in ROM is. */
const ROM_NAME = 'Holdfast'

/** The client comes from ROM: its imports become the global that is there. */
const fromRom: esbuild.Plugin = {
  name: 'rom',
  setup(build) {
    build.onResolve({ filter: LIBRARY }, () => ({ path: ROM_NAME, namespace: 'rom' }))
    build.onLoad({ filter: /.*/, namespace: 'rom' }, () => ({
      contents: `module.exports = ${ROM_NAME}`,
    }))
  },
}

/** Builds what a board has in ROM: the client with storage, as Moddable's manifest preloads it. */
export async function bundleLibrary(outfile: string): Promise<void> {
  const src = path.resolve(path.dirname(sensorPath()), '../../../src')
  await build({
    stdin: {
      contents: "export * from './index.ts'\nexport * from './storage.ts'",
      resolveDir: src,
    },
    outfile,
    globalName: ROM_NAME,
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
  await build({ entryPoints: [entry], outfile, plugins: isClientInRom ? [fromRom] : [] })
}

async function build(options: esbuild.BuildOptions): Promise<void> {
  try {
    await esbuild.build({
      ...options,
      bundle: true,
      format: 'iife',
      target: 'es2022',
      platform: 'neutral',
      // The tsconfig beside the sources speaks of type checking; nothing in it is for the bundle
      // but this, which Espruino and XS need alike.
      tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
      logLevel: 'silent',
    })
  } catch (error) {
    const messages = (error as Partial<esbuild.BuildFailure>).errors
    if (messages === undefined) throw error
    const lines = messages.map((message) => {
      const place = message.location
      const remedy = message.text.includes('"node:') ? ' (a board has no modules of Node)' : ''
      return (place ? `${place.file}:${place.line}: ` : '') + message.text + remedy
    })
    throw new BundleError('the firmware cannot be built: ' + lines.join('\n'))
  }
}
