/** The module for Espruino without storage: messages wait in RAM. */
import { integer } from '../../../src/checks.js'
import { RamOutbox } from '../../../src/small/ram-outbox.js'
import type { MqttClient } from '../../../src/small/index.js'
import { clientOptions, type EspruinoOptions, polledClient } from './client.js'

/** Without names in the exports they would be short ones, which applications do not know. */
export type * from './faces.js'

export interface CreateOptions extends EspruinoOptions {
  /** Bytes of RAM for waiting messages. Default 4,096. */
  queueSize?: number
}

/** A client that is polled from now on; `start()` connects it. */
export function create(options: CreateOptions): MqttClient {
  const made = clientOptions(options)
  made.storage = new RamOutbox(integer(options.queueSize, 'queueSize', 4096, 64, 16777216))
  return polledClient(made, 'queueSize ')
}
