/**
 * EspruinoClient: MqttClient over the board's own network and clock, with the habits of Espruino's
 * modules. Knows nothing of flash.
 */
import { EspruinoSystem, EspruinoTransport, Loop } from '../../../hal/espruino/index.js'
import type { EspruinoTransportOptions } from '../../../hal/espruino/index.js'
import type { EventHandler, EventName } from '../../../src/events.js'
import type { ClientOptions } from '../../../src/index.js'
import { type InboundMessage, MqttClient } from '../../../src/index.js'

/** The client's options without what the board itself is, and those of the board's network. */
export interface EspruinoOptions
  extends Omit<ClientOptions, 'system' | 'transport' | 'storage'>, EspruinoTransportOptions {
  /** What this board knows and nobody else, for its random numbers. */
  seed?: string
}

const OWN_NAMES = 'seed tls rejectUnauthorized cert key unsentLimit unreadLimit areas writeSize'

/** The options of MqttClient: `asked` without those of the board, and what they made. */
export function clientOptions(asked: EspruinoOptions): ClientOptions {
  const given = asked as unknown as { [name: string]: unknown }
  const options: { [name: string]: unknown } = {}
  const own = OWN_NAMES.split(' ')
  const names = Object.keys(given)
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!
    if (own.indexOf(name) < 0) options[name] = given[name]
  }
  const made = options as unknown as ClientOptions
  made.system = new EspruinoSystem(asked.seed)
  made.transport = new EspruinoTransport(require('net'), asked)
  return made
}

export class EspruinoClient extends MqttClient {
  constructor(options: ClientOptions) {
    super(options)
    new Loop(this, options.system)
    // Before `reset()`, `load()` and `save()`: acknowledgements that are not on flash yet.
    E.on('kill', () => this.flush())
  }

  /** As in Espruino's other modules, `message` calls with the message itself. */
  override on(name: EventName | 'message', handler: any): void {
    if (name !== 'message') super.on(name, handler as EventHandler)
    else {
      super.on('message.received', (event) =>
        (handler as (message: InboundMessage) => void)(event.message!),
      )
    }
  }
}
