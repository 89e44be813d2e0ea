/** The upload to a board, as far as it goes without one: what Espruino's tool is told to do. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { buildProduct, type Product } from '../../targets/espruino/build.js'
import { PLAIN } from '../../targets/espruino/bundle.js'

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), '../../targets/espruino/upload.js')
const folder = fs.mkdtempSync(join(tmpdir(), 'holdfast-upload-'))
after(() => fs.rmSync(folder, { recursive: true }))

function upload(args: string[], hasTool = true): { status: number | null; output: string } {
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
async function uploaded(product: Product): Promise<number> {
  const { binary } = await buildProduct(product, PLAIN)
  assert.ok(fs.readFileSync(join(folder, 'uploaded.bin'), 'latin1') === binary, product)
  return binary.length
}

test('the sensor goes to boot code, its settings beside it', async () => {
  const settings = { broker: 'mqtt://10.0.0.1', clientId: 'greenhouse-7' }
  fs.writeFileSync(join(folder, 'device.json'), JSON.stringify(settings))
  const { status, output } = upload(['--port', '/dev/ttyUSB9', '--config', 'device.json'])
  assert.equal(status, 0, output)
  const size = JSON.stringify(settings).length
  assert.match(output, /--no-ble -p \/dev\/ttyUSB9 -b 115200/)
  assert.match(output, new RegExp(`--storage holdfast.json:${size} bytes`))
  const bootSize = await uploaded('main')
  assert.match(output, new RegExp(`^${bootSize} bytes to /dev/ttyUSB9\n`))
  assert.match(
    output,
    new RegExp(`--storage \\.boot0:${bootSize} bytes -e setTimeout\\(load,500\\)`),
  )
})

test('the module goes to Storage under its name, and nothing is started', async () => {
  const { status, output } = upload(['--port', 'tcp://10.0.0.7', '--module', 'holdfast-ram'])
  assert.equal(status, 0, output)
  const size = await uploaded('holdfast-ram')
  assert.match(output, new RegExp(`^${size} bytes to tcp:`))
  assert.match(output, new RegExp(`-p tcp://10\\.0\\.0\\.7 .*--storage holdfast:${size} bytes\n$`))
})

test('what stands beside the module goes to Storage under its own name', async () => {
  for (const name of ['holdfast-spi', 'holdfast-encrypt'] as const) {
    const { status, output } = upload(['--port', 'x', '--module', name])
    assert.equal(status, 0, output)
    assert.match(output, new RegExp(`--storage ${name}:${await uploaded(name)} bytes\n$`))
  }
})

test('a port that the tool cannot open is its failure, and ours', () => {
  const { status, output } = upload(['--port', '/dev/none', '--module', 'holdfast-spi'])
  assert.equal(status, 1)
  assert.match(output, /Unable to connect!/)
})

test('what is missing or wrong is said, with what to do', () => {
  const wrong: [string[], RegExp][] = [
    [[], /upload:espruino -- --port/],
    [['--port', 'x', '--module', 'y'], /--module y: it must be holdfast or holdfast-ram or/],
    [['--port', 'x', '--config', 'none.json'], /--config none.json: .*ENOENT/],
    [['--port', 'x', '--protocol', '3'], /--protocol 3: it must be 4/],
  ]
  for (const [args, words] of wrong) {
    const { status, output } = upload(args)
    assert.equal(status, 1)
    assert.match(output, words)
  }
  const { status, output } = upload(['--port', 'x'], false)
  assert.equal(status, 1)
  assert.match(output, /npm install --no-save espruino@0\.1\.67/)
})
