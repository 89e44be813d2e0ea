/**
 * Bundles a firmware of this folder without the SDK: proves that each import leads somewhere, to
 * our sources or to a module that the manifests bring. Names of modules are read from the
 * manifests, so a name that is missing there is found here. Knows esbuild, nothing of mcconfig.
 */
import * as esbuild from 'esbuild'
import * as fs from 'node:fs'
import * as path from 'node:path'

export class BundleError extends Error {}

interface Manifest {
  include?: string | string[]
  modules?: Record<string, string | string[]>
  platforms?: Record<string, Manifest>
}

/** Modules of the SDK that its own manifests bring, where ours include them. */
const FROM_SDK: Record<string, string> = {
  Resource: '$(MODDABLE)/examples/manifest_base.json',
  'mc/config': '$(MODDABLE)/examples/manifest_base.json',
  time: '$(MODDABLE)/examples/manifest_base.json',
  timer: '$(MODDABLE)/examples/manifest_base.json',
  net: '$(MODULES)/network/net/manifest.json',
  sntp: '$(MODULES)/network/net/manifest.json',
  'embedded:network/interface/wifi': '$(MODULES)/network/net/manifest.json',
  'embedded:storage/flash': '$(MODULES)/io/flash/manifest.json',
  'embedded:io/socket/tcp/tls': '$(MODDABLE)/examples/io/tcp/tlssocket/manifest.json',
}

/** What the manifests say for the platform esp32. */
export class ModuleTable {
  /** Module name to file, without extension. */
  readonly files = new Map<string, string>()
  /** Module names that are the SDK's. */
  readonly fromSdk = new Set<string>()
  /** Includes that are the SDK's. */
  readonly includes = new Set<string>()

  constructor(manifestPath: string) {
    this.add(path.resolve(manifestPath))
    for (const [name, include] of Object.entries(FROM_SDK)) {
      if (this.includes.has(include)) this.fromSdk.add(name)
    }
  }

  private add(manifestPath: string): void {
    const manifest = JSON.parse(fs.readFileSync(manifestPath, 'utf8')) as Manifest
    const folder = path.dirname(manifestPath)
    const parts = [manifest, manifest.platforms?.['esp32/*'] ?? {}]
    for (const { include, modules } of parts) {
      for (const one of [include ?? []].flat()) {
        if (one.startsWith('$')) this.includes.add(one)
        else this.add(path.resolve(folder, one))
      }
      for (const [name, sources] of Object.entries(modules ?? {})) {
        for (const source of [sources].flat()) this.addModule(folder, name, source)
      }
    }
  }

  private addModule(folder: string, name: string, source: string): void {
    if (source.startsWith('$')) {
      if (!name.endsWith('*')) this.fromSdk.add(name)
      return
    }
    if (!source.endsWith('*')) {
      const last = path.basename(source)
      this.files.set(name.replace('*', last), path.resolve(folder, source))
      return
    }
    const sourceFolder = path.resolve(folder, path.dirname(source))
    for (const file of fs.readdirSync(sourceFolder)) {
      if (!/\.(ts|js)$/.test(file)) continue
      const stem = file.replace(/(\.d)?\.\w+$/, '')
      this.files.set(name.replace('*', stem), path.join(sourceFolder, stem))
    }
  }
}

/** Resolves as Moddable does: a name, or a path relative to the name of the importing module. */
function moduleNames(table: ModuleTable): esbuild.Plugin {
  // Ours are TypeScript; those of a package from npm are JavaScript.
  const withEnd = (file: string): string => file + (fs.existsSync(file + '.ts') ? '.ts' : '.js')
  const namesByFile = new Map([...table.files].map(([name, file]) => [withEnd(file), name]))
  return {
    name: 'moddable',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path: specifier, importer, kind }) => {
        if (kind === 'entry-point') return undefined
        const importerName = namesByFile.get(importer) ?? 'main'
        const name = specifier.startsWith('.')
          ? path.posix.join(path.posix.dirname(importerName), specifier)
          : specifier
        const file = table.files.get(name.replace(/\.js$/, ''))
        if (file !== undefined) return { path: withEnd(file) }
        if (table.fromSdk.has(name)) return { path: name, external: true }
        return { errors: [{ text: `no manifest has a module "${name}" (as "${specifier}")` }] }
      })
    },
  }
}

/** Writes the bundle and returns its size in bytes. Throws BundleError with place and words. */
export async function bundleManifest(manifestPath: string, outfile: string): Promise<number> {
  const table = new ModuleTable(manifestPath)
  const main = table.files.get('main')
  if (main === undefined) throw new BundleError(`${manifestPath}: no module "main"`)
  try {
    const { outputFiles } = await esbuild.build({
      entryPoints: [main + '.ts'],
      write: false,
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      platform: 'neutral',
      plugins: [moduleNames(table)],
      tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
      logLevel: 'silent',
    })
    const { contents } = outputFiles[0]!
    fs.writeFileSync(outfile, contents)
    return contents.length
  } catch (error) {
    const messages = (error as Partial<esbuild.BuildFailure>).errors
    if (messages === undefined) throw error
    const words = messages.map(({ location: at, text }) =>
      at ? `${at.file}:${at.line}: ${text}` : text,
    )
    throw new BundleError(words.join('\n'))
  }
}
