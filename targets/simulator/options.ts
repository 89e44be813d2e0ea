/**
 * The command line of the simulator, checked once. A mistake is a UsageError that names the option.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { parseBroker } from '../../src/broker-url.js'
import type { EngineChoice } from './engine.js'
import type { PlannedCut } from './plan.js'

export const HELP = `Usage: npm start -- [options]

Runs a simulated board through a night without network and power, and checks that every message it
accepted arrived: QoS 1 at least once, QoS 2 exactly once, unchanged and in order. With --app it
runs firmware of yours instead, until Ctrl-C.

  --messages N       readings to publish (default 600)
  --power-cuts N     times to pull the plug (default 4)
  --seed N           repeats the same readings and cuts (default: drawn, and printed)
  --broker URL       a broker of your own, mqtt://host:port, instead of the embedded one
  --protocol 4|5     MQTT 3.1.1 or MQTT 5 (default 4; with --broker 5)
  --engine NAME      what the device runs on: xs, node, or auto (default): xs if it can be built
  --cut-at N[:BITS]  cuts the power of the first boot in flash operation N; BITS, a seed, decides
                     which bits it reaches
  --encrypt          what is on flash is encrypted with ChaCha20-Poly1305
  --creation LIST    another heap for XS than an ESP32's, as in chunk=40000,heap=3000,stack=512
  --app FILE         your application, a file that exports start(board); like targets/sensor.ts
  --image FILE       with --app: a flash image that stays for the next run
  --json             progress to stderr, and one JSON object as the last line of stdout
  --keep             keeps the flash image and says where it is
  --help             this text

Exit code: 0 all promises kept, 1 a promise broken, no broker, or a device that failed, 2 wrong use.
`

const MOST_MESSAGES = 100_000
/** So many messages for each power cut, so that every cut has something to hit. */
const MESSAGES_PER_CUT = 10
const DEFAULT_CUTS = 4
/** Of the messages: a first cut behind this share leaves too few operations for the later ones. */
const CUT_SHARE = 0.6
/** What plans or judges the night: an application has none. */
const NIGHT_ONLY = ['messages', 'power-cuts', 'seed', 'encrypt', 'json'] as const

export class UsageError extends Error {}

export interface SimulatorOptions {
  messages: number
  powerCuts: number
  seed: number
  /** '' for the embedded broker. */
  broker: string
  /** Hooks that encrypt, with a key of this run. */
  encrypt: boolean
  protocol: 4 | 5
  engine: EngineChoice
  /** In the first boot; operation 0: as the plan wants, and none for an application. */
  cutAt: PlannedCut
  /** '' for an ESP32's. */
  creation: string
  /** '' for the firmware that ships. */
  app: string
  /** '' for one that is gone at the end. */
  image: string
  json: boolean
  keep: boolean
  help: boolean
}

export function parseOptions(args: string[]): SimulatorOptions {
  const values = read(args)
  const broker = values.broker ?? ''
  if (values.broker !== undefined) checkBroker(broker)
  const messages = whole('--messages', values.messages, 600, 1, MOST_MESSAGES)
  const mostCuts = Math.floor(messages / MESSAGES_PER_CUT)
  const cuts = Math.min(DEFAULT_CUTS, mostCuts)
  const powerCuts = whole('--power-cuts', values['power-cuts'], cuts, 0, MOST_MESSAGES)
  if (powerCuts > mostCuts) {
    const needed = powerCuts * MESSAGES_PER_CUT
    throw new UsageError(`--power-cuts ${powerCuts} needs --messages ${needed} or more`)
  }
  const protocol = values.protocol ?? (broker === '' ? '4' : '5')
  if (protocol !== '4' && protocol !== '5') {
    throw new UsageError(`--protocol is "${protocol}"; it must be 4 (MQTT 3.1.1) or 5`)
  }
  if (protocol === '5' && broker === '') {
    throw new UsageError(
      '--protocol 5 needs a broker that speaks MQTT 5: name one with --broker mqtt://host:port; ' +
        'the embedded one speaks MQTT 3.1.1 only',
    )
  }
  const engine = values.engine
  if (engine !== 'auto' && engine !== 'xs' && engine !== 'node') {
    throw new UsageError(`--engine is "${engine}"; it must be xs, node or auto`)
  }
  const app = values.app ?? ''
  const seed = whole('--seed', values.seed, randomInt(0x100000000), 0, 0xffffffff)
  checkMode(values, app)
  const mostCutAt = app === '' ? Math.floor(messages * CUT_SHARE) : 0xffffffff
  if (values['cut-at'] !== undefined && powerCuts === 0 && app === '') {
    throw new UsageError('--cut-at needs --power-cuts 1 or more')
  }
  return {
    messages,
    powerCuts,
    seed,
    cutAt: readCut(values['cut-at'], mostCutAt, seed),
    creation: readCreation(values.creation),
    app,
    image: values.image ?? '',
    broker,
    encrypt: values.encrypt ?? false,
    protocol: protocol === '5' ? 5 : 4,
    engine,
    json: values.json ?? false,
    keep: values.keep ?? false,
    help: values.help ?? false,
  }
}

function read(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        messages: { type: 'string' },
        'power-cuts': { type: 'string' },
        seed: { type: 'string' },
        broker: { type: 'string' },
        protocol: { type: 'string' },
        encrypt: { type: 'boolean' },
        engine: { type: 'string', default: 'auto' },
        'cut-at': { type: 'string' },
        creation: { type: 'string' },
        app: { type: 'string' },
        image: { type: 'string' },
        json: { type: 'boolean' },
        keep: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    // Its first sentence names the option; the rest is advice about a syntax we do not have.
    throw new UsageError((error as Error).message.split(/\. |\n/)[0]!)
  }
}

function checkMode(values: ReturnType<typeof read>, app: string): void {
  if (values.app === '') throw new UsageError('--app is ""; it must be a file')
  if (app === '' && values.image !== undefined) throw new UsageError('--image needs --app')
  for (const name of NIGHT_ONLY) {
    if (app !== '' && values[name] !== undefined) {
      throw new UsageError(`--${name} is not for --app: your application decides what it does`)
    }
  }
}

/** "N" or "N:BITS". */
function readCut(given: string | undefined, most: number, seed: number): PlannedCut {
  if (given === undefined) return { operation: 0, seed: 0 }
  const [operation, bits] = given.split(/:(.*)/)
  return {
    operation: whole('--cut-at', operation, 0, 1, most),
    seed: whole('BITS of --cut-at', bits, seed, 0, 0xffffffff),
  }
}

function readCreation(given: string | undefined): string {
  if (given === undefined) return ''
  if (/^(chunk|heap|stack|keys)=\d+(,(chunk|heap|stack|keys)=\d+)*$/.test(given)) return given
  throw new UsageError(`--creation is "${given}"; it must be like chunk=78848,heap=4928,stack=512`)
}

function whole(
  name: string,
  given: string | undefined,
  absent: number,
  least: number,
  most: number,
) {
  if (given === undefined) return absent
  const value = Number(given)
  if (!/^\d+$/.test(given) || value < least || value > most) {
    throw new UsageError(
      `${name} is "${given}"; it must be a whole number from ${least} to ${most}`,
    )
  }
  return value
}

function checkBroker(url: string): void {
  let address
  try {
    address = parseBroker(url)
  } catch {
    throw new UsageError(`--broker is "${withoutSecrets(url)}"; it must be like mqtt://host:1883`)
  }
  if (address.secure || address.path) {
    const scheme = url.slice(0, url.indexOf(':'))
    throw new UsageError(
      `--broker must be mqtt://: the simulated network cannot look into ${scheme}://`,
    )
  }
}

/** What stands before an @ may be a password, and what stands behind a ? a token. */
function withoutSecrets(url: string): string {
  return /[@?#]/.test(url) ? url.slice(0, url.indexOf(':') + 1) + '…' : url
}
