/**
 * The small MqttClient over the board's own network and clock, with the habits of Espruino's
 * modules. Knows nothing of flash.
 */
import { EspruinoSystem, EspruinoTransport, Loop } from '../../../hal/espruino/index.js'
import type { EspruinoTransportOptions } from '../../../hal/espruino/index.js'
import { MqttClient } from '../../../src/small/index.js'
import type { SmallOptions } from '../../../src/small/index.js'

/** The client's options without what the board itself is, and those of the board's network. */
export interface EspruinoOptions
  extends Omit<SmallOptions, 'system' | 'transport' | 'storage'>, EspruinoTransportOptions {
  /** What this board knows and nobody else, for its random numbers. */
  seed?: string
}

const OWN_NAMES = 'seed tls rejectUnauthorized cert key unsentLimit unreadLimit '

/** The build makes variables of fields (targets/espruino/flatten.ts): one client a boot. */
let isMade = false

/** The options of MqttClient: a copy of `asked` with what the board is. */
export function clientOptions(asked: EspruinoOptions): SmallOptions {
  if (isMade) throw new Error('create was called before; load() first')
  isMade = true
  const made = Object.assign({}, asked as SmallOptions)
  made.system = new EspruinoSystem(asked.seed)
  made.transport = new EspruinoTransport(require('net'), asked)
  return made
}

/**
 * A client that is polled from now on. `more`: the names of options that the module has beside,
 * each with a space behind it.
 */
export function polledClient(options: SmallOptions, more: string): MqttClient {
  const client = new MqttClient(options, OWN_NAMES + more)
  new Loop(client, options.system)
  // Before `reset()`, `load()` and `save()`: acknowledgements that are not on flash yet.
  E.on('kill', () => client.flush())
  return client
}
