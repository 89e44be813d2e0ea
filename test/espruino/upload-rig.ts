/**
 * `npm run upload:espruino` in a folder of a user's own, with a tool of Espruino that only tells
 * what it is asked for. Knows nothing of what is uploaded.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { buildProduct, type Product } from '../../targets/espruino/build.js'
import { PLAIN } from '../../targets/espruino/bundle.js'

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), '../../targets/espruino/upload.js')
export const folder = fs.mkdtempSync(join(tmpdir(), 'holdfast-upload-'))
after(() => fs.rmSync(folder, { recursive: true }))

export function upload(args: string[], hasTool = true): { status: number | null; output: string } {
  const node = dirname(process.execPath)
  const run = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: 'utf8',
    cwd: folder,
    env: { PATH: hasTool ? join(folder, 'bin') + delimiter + node : node, INIT_CWD: folder },
  })
  return { status: run.status, output: run.stdout + run.stderr }
}

/** A tool that tells its arguments, with the bytes of each file it is to write. */
fs.mkdirSync(join(folder, 'bin'))
fs.writeFileSync(
  join(folder, 'bin/espruino'),
  `#!${process.execPath}
const fs = require('fs')
const words = process.argv.slice(2).map((arg) => arg.replace(/:(.*\\.(bin|json))$/, (_, file) => {
  fs.copyFileSync(file, \`uploaded\${file.slice(file.lastIndexOf('.'))}\`)
  return ':' + fs.readFileSync(file).length + ' bytes'
}))
console.log(words.join(' '))
// What the tool does with a port that is none.
if (words.includes('/dev/none')) {
  console.error('Unable to connect!')
  process.exit(1)
}
`,
  { mode: 0o755 },
)

/** The bytes of what was uploaded last, after a look whether it is what the build makes. */
export async function uploaded(product: Product): Promise<number> {
  const { binary } = await buildProduct(product, PLAIN)
  assert.ok(fs.readFileSync(join(folder, 'uploaded.bin'), 'latin1') === binary, product)
  return binary.length
}
