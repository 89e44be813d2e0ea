/**
 * The package as `mcpack` of the Moddable SDK finds it in node_modules: by the export condition
 * `moddable`, with nothing from outside but modules of the SDK, each module once and under the name
 * that the manifests give it. What mcpack itself makes of it: `mcpack.test.ts`.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'
import ts from 'typescript'
import { ModuleTable } from '../../targets/esp32/tool/bundle.js'
import { manifests } from '../../targets/esp32/tool/manifests.js'
import { writePackages } from '../../targets/esp32/tool/packages.js'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
writePackages(root)
const scratch = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-package-'))
after(() => fs.rmSync(scratch, { recursive: true }))
fs.mkdirSync(path.join(scratch, 'node_modules'))
fs.symlinkSync(root, path.join(scratch, 'node_modules/holdfast'))

type Conditions = Record<string, string | Record<string, string>>
const { exports } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, Conditions>
}

/** The public names that the manifests know, as `holdfast/storage`: what a device may import. */
const table = new Map<string, string>()
for (const name of manifests(root).keys()) {
  for (const entry of new ModuleTable(path.join(root, name)).files) table.set(...entry)
}
const FOR_MODDABLE = [...table]
  .filter(([, file]) => path.dirname(file).endsWith('names'))
  .map(([name]) => name)
  .sort()

/** Bundles `import 'name'` as a project would. */
async function bundled(name: string, conditions: string[]): Promise<esbuild.Metafile> {
  const { metafile } = await esbuild.build({
    stdin: { contents: `import * as all from '${name}'\ntrace(all)`, resolveDir: scratch },
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'neutral',
    conditions,
    logLevel: 'silent',
    external: ['embedded:*', 'time', 'timer', 'net', 'mc/config', 'native'],
  })
  return metafile
}

/** What the import wants from outside. */
async function outside(name: string, conditions: string[]): Promise<string[]> {
  const { outputs } = await bundled(name, conditions)
  const [{ imports }] = Object.values(outputs) as [esbuild.Metafile['outputs'][string]]
  return imports.map((one) => one.path).sort()
}

interface Package {
  name: string
  folder: string
}

/** The package of a file as mcpack and Node see it: that of the nearest package.json. */
function packageOf(file: string): Package {
  let folder = path.dirname(file)
  while (!fs.existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder)
  const { name } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'))
  return { name, folder }
}

/** The name under which mcpack puts a file into the image. */
function mcpackName(file: string): string {
  const { name, folder } = packageOf(file)
  return path.posix.join(name, path.relative(folder, file)).replace(/\.js$/, '')
}

for (const name of FOR_MODDABLE) {
  test(`${name} resolves under the condition "moddable"`, async () => {
    const platform = ['embedded:io/socket/tcp', 'embedded:storage/flash', 'net', 'time', 'timer']
    const wanted: Record<string, string[]> = {
      'holdfast/moddable': platform,
      'holdfast/ecma419': platform,
      'holdfast/moddable/tls': ['embedded:io/socket/tcp/tls'],
    }
    assert.deepEqual(await outside(name, ['moddable']), wanted[name] ?? [])
  })
}

for (const name of FOR_MODDABLE) {
  test(`mcpack gives each module of ${name} one name, that of the manifests`, async () => {
    const { inputs } = await bundled(name, ['moddable'])
    const files = Object.keys(inputs).filter((file) => file !== '<stdin>')
    assert.ok(files.length > 0)
    const names = new Map<string, string>()
    for (const file of files.map((one) => fs.realpathSync(path.resolve(one)))) {
      if (file.includes(`${path.sep}@noble${path.sep}`)) continue
      const module = mcpackName(file)
      assert.equal(names.get(module), undefined, `${module} is ${file} and another`)
      names.set(module, file)
      const source = path.join(root, path.relative(path.join(root, 'dist'), file))
      assert.equal(table.get(module), source.replace(/\.js$/, ''), module)
      // It would include the manifest beside the package.json: the top-level one brings all.
      assert.notEqual(packageOf(file).folder, root, file)
    }
  })
}

test('the manifests within the package bring what mcpack does not find, and preload', () => {
  const includes = new Set<string>()
  const modules: string[] = []
  const preload: string[] = []
  for (const folder of ['src', 'hal/moddable', 'hal/moddable/tls']) {
    const here = path.join(root, 'dist', folder)
    const made = JSON.parse(fs.readFileSync(path.join(here, 'manifest.json'), 'utf8'))
    for (const one of (made.include ?? []) as string[]) {
      includes.add(one)
      if (!one.startsWith('$')) assert.ok(fs.existsSync(path.join(here, one)), one)
    }
    for (const one of Object.values(made.modules ?? {}) as string[]) {
      modules.push(path.relative(root, path.join(here, one)))
    }
    preload.push(...((made.preload ?? []) as string[]))
  }
  // The stars are for JavaScript, and mcpack takes no other.
  assert.deepEqual(preload, ['holdfast', 'holdfast/*'])
  assert.deepEqual(modules, ['hal/moddable/native.c'])
  assert.equal([...includes][0], '$(MODDABLE)/examples/manifest_base.json', 'it sets $(MODULES)')
})

test('with the condition "moddable", TypeScript knows the class that brings the platform', () => {
  const file = path.join(scratch, 'pattern.ts')
  fs.writeFileSync(
    file,
    "import MQTTClient from 'holdfast/ecma419'\n" +
      "import { openSystem } from 'holdfast/moddable'\n" +
      "export const it = [new MQTTClient({ host: 'b', id: 'c' }, 'one too many'), openSystem]\n",
  )
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    customConditions: ['moddable'],
    skipLibCheck: true,
    types: [],
  })
  const problems = ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  assert.deepEqual(problems, ['Expected 1 arguments, but got 2.'])
})

test('what only Moddable has is not found without the condition', async () => {
  for (const name of FOR_MODDABLE.filter((one) => one.startsWith('holdfast/moddable'))) {
    await assert.rejects(outside(name, []), /Could not resolve "holdfast\/moddable/)
  }
})

test('each file that an export names is there, and is in the package', () => {
  const { files } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  for (const [name, conditions] of Object.entries(exports)) {
    const found = Object.values(conditions)
    const paths = found.flatMap((one) => (typeof one === 'string' ? one : Object.values(one)))
    for (const file of paths) {
      assert.ok(fs.existsSync(path.join(root, file)), `${name}: ${file}`)
      const isPacked = (files as string[]).some((one) => file.startsWith('./' + one))
      assert.ok(isPacked, `${name}: ${file} is not in "files"`)
    }
  }
})
