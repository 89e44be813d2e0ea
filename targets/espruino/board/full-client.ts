/**
 * EspruinoClient: MqttClient over the board's own network and clock, with the habits of Espruino's
 * modules. Knows nothing of flash.
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

export class EspruinoClient extends MqttClient {
  /** Handlers of `message`, each followed by the one that the client calls for it. */
  private readonly messageHandlers: any[]

  constructor(options: ClientOptions) {
    super(options)
    this.messageHandlers = []
    new Loop(this, options.system)
    // Before `reset()`, `load()` and `save()`: acknowledgements that are not on flash yet.
    // Bound, not an arrow: where `super` threw, Espruino passes over this line, and a build with
    // assertions stops at an arrow that it passes over.
    E.on('kill', this.flush.bind(this))
  }

  /** As in Espruino's other modules, `message` calls with the message itself. */
  override on(name: EventName | 'message', handler: any, options?: ListenOptions): void {
    if (name !== 'message') {
      super.on(name, handler as EventHandler, options)
      return
    }
    const called: EventHandler = (event) =>
      (handler as (message: InboundMessage) => void)(event.message!)
    super.on('message.received', called, options)
    this.messageHandlers.push(handler, called)
  }

  override off(name: EventName | 'message', handler: any): void {
    if (name !== 'message') {
      super.off(name, handler as EventHandler)
      return
    }
    const at = this.messageHandlers.indexOf(handler)
    if (at >= 0) super.off('message.received', this.messageHandlers.splice(at, 2)[1])
  }
}
