/**
 * The command line of the simulator, checked once. A mistake is a UsageError that names the option.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { parseBroker } from '../../src/options.js'
import type { EngineChoice } from './engine.js'

export const HELP = `Usage: npm start -- [options]

Runs a simulated board through a night without network and power, and checks that every message it
accepted arrived: QoS 1 at least once, QoS 2 exactly once, unchanged and in order.

  --messages N       readings to publish (default 600)
  --power-cuts N     times to pull the plug (default 4)
  --seed N           repeats the same readings and cuts (default: drawn, and printed)
  --broker URL       a broker of your own, mqtt://host:port, instead of the embedded one
  --protocol 4|5     MQTT 3.1.1 or MQTT 5 (default 4; with --broker 5)
  --engine NAME      what the device runs on: xs, node, or auto (default): xs if it can be built
  --json             progress to stderr, and one JSON object as the last line of stdout
  --keep             keeps the flash image and says where it is
  --help             this text

Exit code: 0 all promises kept, 1 a promise broken or no broker, 2 wrong use.
`

const MOST_MESSAGES = 100_000
/** So many messages for each power cut, so that every cut has something to hit. */
const MESSAGES_PER_CUT = 10
const DEFAULT_CUTS = 4

export class UsageError extends Error {}

export interface SimulatorOptions {
  messages: number
  powerCuts: number
  seed: number
  /** '' for the embedded broker. */
  broker: string
  protocol: 4 | 5
  engine: EngineChoice
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
  return {
    messages,
    powerCuts,
    seed: whole('--seed', values.seed, randomInt(0x100000000), 0, 0xffffffff),
    broker,
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
        engine: { type: 'string', default: 'auto' },
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
  try {
    if (!parseBroker(url).secure) return
  } catch {
    throw new UsageError(`--broker is "${withoutSecrets(url)}"; it must be like mqtt://host:1883`)
  }
  throw new UsageError('--broker must be mqtt://: the simulated network cannot look into mqtts://')
}

/** What stands before an @ may be a password. */
function withoutSecrets(url: string): string {
  return url.includes('@') ? 'mqtt://…@' + url.slice(url.lastIndexOf('@') + 1) : url
}
