/**
 * `npm run upload:espruino -- --port …`: builds, and writes the result to a board's Storage
 * with the command line tool of Espruino, which is not part of this project. Knows what goes where
 * on the board.
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { userFolder } from '../simulator/bundle.js'
import { buildProduct, outputFolder, PRODUCTS, switchesOf, type Product } from './build.js'
import { EspruinoError } from './bundle.js'

const USAGE = `npm run upload:espruino -- --port <port> [options]
  --port <port>      as Espruino's tool has it: /dev/ttyUSB0, COM3, tcp://10.0.0.7
  --baud <rate>      default 115200
  --config <file>    JSON with broker, clientId, areas; becomes holdfast.json on the board
  --module <name>    instead of the sensor as boot code a module for your own code:
                     holdfast, holdfast-ram or holdfast-full for require('holdfast'), and
                     beside it holdfast-spi or holdfast-encrypt under these names
  --protocol 4|5     only this version of MQTT, for holdfast-full
  --no-words         errors without words`

const INSTALL =
  'the tool of Espruino is not here; get it with: npm install --no-save espruino@0.1.67\n' +
  '(version 0.1.67 is the one that was tried; a serial port needs its optional packages)'

/** What a product is called in Storage, where that is not its own name. */
const NAMES: Partial<Record<Product, string>> = {
  main: '.boot0',
  'holdfast-ram': 'holdfast',
  'holdfast-full': 'holdfast',
}

/** Where the tool is: among the project's packages or those of the user, or on the PATH. */
function findTool(): string {
  const name = process.platform === 'win32' ? 'espruino.cmd' : 'espruino'
  const bins = [userFolder(), path.dirname(outputFolder()), path.join(outputFolder(), '../..')]
  const folders = [
    ...bins.map((folder) => path.join(folder, 'node_modules/.bin')),
    ...(process.env['PATH'] ?? '').split(path.delimiter),
  ]
  for (const folder of folders) {
    const file = path.join(folder, name)
    if (fs.existsSync(file)) return file
  }
  throw new EspruinoError(INSTALL)
}

/** The file with the settings of the device, after a look at what stands in it. */
function configFile(given: string): string {
  const file = path.resolve(userFolder(), given)
  let config: { broker?: unknown; clientId?: unknown }
  try {
    config = JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch (error) {
    throw new EspruinoError(`--config ${given}: ${(error as Error).message}`)
  }
  for (const name of ['broker', 'clientId'] as const) {
    if (typeof config[name] !== 'string') throw new EspruinoError(`--config: it has no "${name}"`)
  }
  return file
}

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string' },
      baud: { type: 'string', default: '115200' },
      config: { type: 'string' },
      module: { type: 'string' },
      protocol: { type: 'string', default: '0' },
      'no-words': { type: 'boolean', default: false },
    },
  })
  if (values.port === undefined) throw new EspruinoError(USAGE)
  const product = (values.module ?? 'main') as Product
  if (!PRODUCTS.includes(product)) {
    const names = PRODUCTS.filter((name) => name !== 'main')
    throw new EspruinoError(`--module ${product}: it must be ${names.join(' or ')}`)
  }
  const tool = findTool()
  const files: string[] = []
  if (values.config !== undefined) files.push('holdfast.json:' + configFile(values.config))
  const { binary } = await buildProduct(product, switchesOf(values))
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-'))
  const file = path.join(folder, product + '.bin')
  fs.writeFileSync(file, binary, 'latin1')
  files.push(`${NAMES[product] ?? product}:${file}`)
  console.log(`${binary.length} bytes to ${values.port}`)
  const parts = ['--no-ble', '-p', values.port, '-b', values.baud]
  for (const entry of files) parts.push('--storage', entry)
  // Boot code runs from the next start on.
  if (product === 'main') parts.push('-e', 'setTimeout(load,500)')
  const { status, error } = spawnSync(tool, parts, { stdio: 'inherit' })
  fs.rmSync(folder, { recursive: true })
  if (error) throw new EspruinoError(`${tool}: ${error.message}`)
  return status ?? 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}
