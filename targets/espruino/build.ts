/**
 * `npm run build:espruino [-- --protocol 4|5] [--no-words]`: writes the modules for
 * Espruino, and the sensor as a whole script, to dist/espruino, and prints their sizes. Of each
 * there is the text, and the same pretokenised (`.bin`), which is what belongs on a board.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { projectFolder } from '../simulator/bundle.js'
import { bundle, EspruinoError } from './bundle.js'
import { pretokenise, tokenCount } from './pretokenise.js'
import type { Switches } from './switches.js'

/** What is built, by the name of its entry. */
export const PRODUCTS = [
  'holdfast',
  'holdfast-ram',
  'holdfast-full',
  'holdfast-spi',
  'holdfast-encrypt',
  'main',
] as const
export type Product = (typeof PRODUCTS)[number]

const TITLES: Record<Product, string> = {
  holdfast: 'module, with storage',
  'holdfast-ram': 'module, without storage',
  'holdfast-full': 'module, the full client',
  'holdfast-spi': 'module, a flash chip on SPI',
  'holdfast-encrypt': 'module, encrypted storage',
  main: 'script: the sensor, with storage',
}

/**
 * Classes and interfaces of which a program with the small client makes one object only: with these
 * it loses a third of its text (docs/DESIGN.md).
 */
const SINGLES = [
  'EspruinoFlash',
  'EspruinoSystem',
  'EspruinoTransport',
  'ExchangeWindow',
  'Exchanges',
  'FlashFace',
  'FlashOutbox',
  'Loop',
  'MessageView',
  'Mount',
  'MqttClient',
  'Outbox',
  'RamOutbox',
  'SectorHeader',
  'Sectors',
  'SmallEvents',
  'SmallInbound',
  'SmallSession',
  'SmallSettings',
  'SmallSubscriptions',
  'System',
  'Transport',
  'Wire',
]
const SMALL: readonly Product[] = ['holdfast', 'holdfast-ram', 'main']

export interface Built {
  readonly text: string
  /** Pretokenised, a byte per character. */
  readonly binary: string
  readonly tokens: number
}

export async function buildProduct(product: Product, switches: Switches): Promise<Built> {
  const entry = path.join(projectFolder(), `targets/espruino/board/${product}.ts`)
  // The small client has one protocol version anyway.
  const small = SMALL.includes(product)
    ? { singles: SINGLES, asserts: false, protocol: 0 as const }
    : {}
  const text = await bundle({ entry, ...switches, ...small })
  return { text, binary: pretokenise(text), tokens: tokenCount(text) }
}

/** Where the results are, beside the compiled build. */
export function outputFolder(): string {
  return path.join(projectFolder(), 'dist/espruino')
}

/** The two switches of the command line. */
export function switchesOf(values: { protocol: string; 'no-words': boolean }): Switches {
  const versions: Record<string, 0 | 4 | 5> = { 0: 0, 4: 4, '3.1.1': 4, 5: 5 }
  const protocol = versions[values.protocol]
  if (protocol === undefined) {
    throw new EspruinoError(`--protocol ${values.protocol}: it must be 4 (MQTT 3.1.1) or 5`)
  }
  return { protocol, words: !values['no-words'] }
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      protocol: { type: 'string', default: '0' },
      'no-words': { type: 'boolean', default: false },
    },
  })
  const switches = switchesOf(values)
  fs.mkdirSync(outputFolder(), { recursive: true })
  console.log('bytes'.padStart(42) + 'on flash'.padStart(10) + 'tokens'.padStart(10))
  for (const product of PRODUCTS) {
    const { text, binary, tokens } = await buildProduct(product, switches)
    const file = path.join(outputFolder(), product)
    fs.writeFileSync(file + '.js', text)
    fs.writeFileSync(file + '.bin', binary, 'latin1')
    const sizes = [text.length, binary.length, tokens].map((size) => String(size).padStart(10))
    console.log(TITLES[product].padEnd(32) + sizes.join(''))
  }
  console.log('in ' + path.relative(process.cwd(), outputFolder()))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await main(process.argv.slice(2))
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}
