/**
 * Makes of the command line the one file `dist/holdfast.cjs` that the package ships as its `bin`:
 * so who installs holdfast for a device gets no CBOR and no packet library with it. The licences
 * of what is inside stand at the file's end.
 */
import * as esbuild from 'esbuild'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const target = path.join(here, '../../holdfast.cjs')

const { metafile } = await esbuild.build({
  entryPoints: [path.join(here, 'main.js')],
  outfile: target,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  metafile: true,
  legalComments: 'none',
  // Native speed-up of cbor-x; it does without.
  external: ['cbor-extract'],
  logLevel: 'error',
})

const packages = new Set<string>()
for (const input of Object.keys(metafile.inputs)) {
  const found = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(input)
  if (found) packages.add(path.resolve(found[1]!))
}
let notices = ''
for (const folder of [...packages].sort()) {
  const file = fs.readdirSync(folder).find((name) => /^licen[cs]e/i.test(name))
  const text = file ? fs.readFileSync(path.join(folder, file), 'utf8').trim() : 'see its package'
  notices += `\n${path.basename(folder)}:\n${text.replaceAll('*/', '* /')}\n`
}
fs.appendFileSync(target, `/*\nThis file contains:\n${notices}*/\n`)
fs.chmodSync(target, 0o755)
