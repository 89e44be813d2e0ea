/**
 * The manifests of the package, made from the imports of its modules: the client with its platform,
 * the client with its store (`manifest.json`), the small client, and one for each further public
 * name. A manifest has what its name needs beyond the client, so that a firmware holds nothing it
 * does not import. Modules are preloaded by name: of TypeScript, mcconfig 8.2 preloads nothing that
 * a star means.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'

/** A public name of the package, without `holdfast/`, and the module that is behind it. */
const NAMES: Record<string, string> = {
  '': 'src/index',
  moddable: 'hal/moddable/index',
  storage: 'src/storage',
  aliases: 'src/session/topic-aliases',
  authentication: 'src/session/authentication',
  ecma419: 'hal/moddable/ecma419',
  encryption: 'hal/encryption',
  hooks: 'src/store/seal',
  'manual-ack': 'src/session/manual-ack',
  'moddable/tls': 'hal/moddable/tls/tls',
  persistence: 'src/store/persistence',
  properties: 'src/message-properties',
  replay: 'src/replay',
  request: 'src/request',
  'spi-nor': 'hal/spi-nor/index',
  'storage-part': 'hal/storage-part',
  small: 'src/small/index',
  'small/storage': 'src/small/storage',
}
/** The small client stands alone: its manifest has the platform and not the full client. */
const SMALL = ['small', 'small/storage']

interface Manifest {
  include: string | string[]
  modules: Record<string, string | string[]>
  preload: string[]
}

/** Packages that a module wants from npm: the files to name, and what of the SDK it includes. */
const NOBLE = '../../node_modules/@noble/ciphers/'
const FURTHER: Record<string, { include?: string; modules?: Record<string, string[]> }> = {
  encryption: {
    modules: {
      '@noble/ciphers/*': ['_arx', '_poly1305', 'chacha', 'utils'].map((one) => NOBLE + one),
    },
  },
  'moddable/tls': { include: '$(MODDABLE)/examples/io/tcp/tlssocket/manifest.json' },
}

/** Modules that the compiled modules `entries` load, themselves too, as `src/client`. */
function loadedBy(root: string, entries: string[]): Set<string> {
  const found = new Set<string>()
  const pending = [...entries]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue
    found.add(name)
    const text = fs.readFileSync(path.join(root, 'dist', name + '.js'), 'utf8')
    const imports = text.matchAll(/^(?:import|export)\b[^;]*?['"](\.\.?\/[^'"]+)\.js['"]/gm)
    for (const [, target] of imports) {
      pending.push(path.posix.join(path.posix.dirname(name), target!))
    }
  }
  return found
}

/** One manifest that lies in `folder` and has `names` and what they load, but for `without`. */
function manifestOf(
  root: string,
  folder: string,
  names: string[],
  without: Set<string>,
): Pick<Manifest, 'modules' | 'preload'> {
  const modules: Record<string, string | string[]> = {}
  const preload: string[] = []
  const source = (file: string): string => {
    const relative = path.posix.relative(folder, file)
    return relative.startsWith('.') ? relative : './' + relative
  }
  for (const name of names) {
    const module = ['holdfast', name].filter(Boolean).join('/')
    modules[module] = source('hal/moddable/names/' + module.replaceAll('/', '-'))
    preload.push(module)
  }
  const loaded = loadedBy(
    root,
    names.map((name) => NAMES[name]!),
  )
  for (const file of [...loaded].sort()) {
    if (without.has(file)) continue
    const star = `holdfast/${path.posix.dirname(file)}/*`
    modules[star] = [...(modules[star] ?? []), source(file)]
    preload.push('holdfast/' + file)
  }
  return { modules, preload: preload.sort() }
}

/** Path of each manifest of the package, from its root on, and what has to stand there. */
export function manifests(root: string): Map<string, Manifest> {
  const ours = 'hal/moddable'
  const client = ['', 'moddable']
  const inClient = loadedBy(
    root,
    client.map((name) => NAMES[name]!),
  )
  const all = new Map<string, Manifest>()
  all.set(`${ours}/manifest-client.json`, {
    include: './manifest-platform.json',
    ...manifestOf(root, ours, client, new Set()),
  })
  all.set('manifest.json', {
    include: `./${ours}/manifest-client.json`,
    ...manifestOf(root, '.', ['storage'], inClient),
  })
  all.set(`${ours}/manifest-small.json`, {
    include: './manifest-platform.json',
    ...manifestOf(root, ours, ['moddable', ...SMALL], new Set()),
  })
  const further = Object.keys(NAMES).slice(3)
  for (const name of further.filter((name) => !SMALL.includes(name))) {
    const { include, modules } = FURTHER[name] ?? {}
    const made = manifestOf(root, ours, [name], inClient)
    all.set(`${ours}/manifest-${path.posix.basename(name)}.json`, {
      include:
        include === undefined ? './manifest-client.json' : ['./manifest-client.json', include],
      modules: { ...made.modules, ...modules },
      preload: made.preload,
    })
  }
  return all
}
