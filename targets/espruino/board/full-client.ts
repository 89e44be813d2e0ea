/**
 * EspruinoClient: the full MqttClient over the board's own network and clock, with the habits of
 * Espruino's modules. Knows nothing of flash.
 */
import { EspruinoSystem, EspruinoTransport, Loop } from '../../../hal/espruino/index.js'
import type { EspruinoTransportOptions } from '../../../hal/espruino/index.js'
import type { EventHandler, EventName, ListenOptions } from '../../../src/events.js'
import type { ClientOptions } from '../../../src/index.js'
import { type InboundMessage, MqttClient } from '../../../src/index.js'

/** The client's options without what the board itself is, and those of the board's network. */
export interface EspruinoOptions
  extends Omit<ClientOptions, 'system' | 'transport' | 'storage'>, EspruinoTransportOptions {
  /** What this board knows and nobody else, for its random numbers. */
  seed?: string
}

const OWN_NAMES = 'seed tls rejectUnauthorized cert key unsentLimit unreadLimit '

/**
 * The options of MqttClient: `asked` without those of the board and those in `more`, and what they
 * made. What neither knows is left in, for MqttClient to refuse by its name.
 */
export function clientOptions(asked: EspruinoOptions, more: string): ClientOptions {
  const given = asked as unknown as { [name: string]: unknown }
  const options: { [name: string]: unknown } = {}
  const own = (OWN_NAMES + more).split(' ')
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

/** MqttClient whose handlers of `message` get the message itself, as is the habit on Espruino. */
export interface EspruinoClient extends Omit<MqttClient, 'on' | 'off'> {
  on(name: EventName | 'message', handler: any, options?: ListenOptions): void
  off(name: EventName | 'message', handler: any): void
}

/**
 * A client that is polled from now on. It is no class of its own: Espruino 2v29 mistakes the
 * `super` of whatever is made within another `super`, as the logs of a second lane are.
 */
export function polledClient(options: ClientOptions): EspruinoClient {
  const client = new MqttClient(options)
  const polled = client as EspruinoClient
  const on = client.on
  const off = client.off
  /** Handlers of `message`, each followed by the one that the client calls for it. */
  const handlers: any[] = []
  polled.on = (name, handler, listen) => {
    if (name !== 'message') {
      on.call(client, name, handler as EventHandler, listen)
      return
    }
    const called: EventHandler = (event) =>
      (handler as (message: InboundMessage) => void)(event.message!)
    on.call(client, 'message.received', called, listen)
    handlers.push(handler, called)
  }
  polled.off = (name, handler) => {
    if (name !== 'message') {
      off.call(client, name, handler as EventHandler)
      return
    }
    const at = handlers.indexOf(handler)
    if (at >= 0) off.call(client, 'message.received', handlers.splice(at, 2)[1])
  }
  new Loop(client, options.system)
  // Before `reset()`, `load()` and `save()`: acknowledgements that are not on flash yet.
  E.on('kill', () => client.flush())
  return polled
}
