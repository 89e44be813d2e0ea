/**
 * The package as `mcpack` of the Moddable SDK finds it in node_modules: by the export condition
 * `moddable`, with nothing from outside but modules of the SDK and of our manifest.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const scratch = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-package-'))
after(() => fs.rmSync(scratch, { recursive: true }))
fs.mkdirSync(path.join(scratch, 'node_modules'))
fs.symlinkSync(root, path.join(scratch, 'node_modules/holdfast'))

type Conditions = Record<string, string>
const { exports } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, Conditions>
}

/** What a Moddable project may import; the rest is for Node, Espruino, tests or types. */
const FOR_MODDABLE = [
  'holdfast',
  'holdfast/storage',
  'holdfast/persistence',
  'holdfast/replay',
  'holdfast/ecma419',
  'holdfast/spi-nor',
  'holdfast/aliases',
  'holdfast/manual-ack',
  'holdfast/authentication',
  'holdfast/request',
  'holdfast/properties',
  'holdfast/moddable',
  'holdfast/moddable/tls',
]

/** Bundles `import 'name'` as a project would, and tells what it wants from outside. */
async function outside(name: string, conditions: string[]): Promise<string[]> {
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
  const [{ imports }] = Object.values(metafile.outputs) as [esbuild.Metafile['outputs'][string]]
  return imports.map((one) => one.path).sort()
}

for (const name of FOR_MODDABLE) {
  test(`${name} resolves under the condition "moddable"`, async () => {
    const wanted: Record<string, string[]> = {
      'holdfast/moddable': [
        'embedded:io/socket/tcp',
        'embedded:storage/flash',
        'net',
        'time',
        'timer',
      ],
      'holdfast/moddable/tls': ['embedded:io/socket/tcp/tls'],
    }
    assert.deepEqual(await outside(name, ['moddable']), wanted[name] ?? [])
  })
}

test('what only Moddable has is not found without the condition', async () => {
  for (const name of FOR_MODDABLE.filter((one) => one.startsWith('holdfast/moddable'))) {
    await assert.rejects(outside(name, []), /Could not resolve "holdfast\/moddable/)
  }
})

test('each file that an export names is there, and is in the package', () => {
  const { files } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  for (const [name, conditions] of Object.entries(exports)) {
    for (const file of Object.values(conditions)) {
      assert.ok(fs.existsSync(path.join(root, file)), `${name}: ${file}`)
      const isPacked = (files as string[]).some((one) => file.startsWith('./' + one))
      assert.ok(isPacked, `${name}: ${file} is not in "files"`)
    }
  }
})
