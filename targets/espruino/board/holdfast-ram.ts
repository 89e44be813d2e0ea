/** The module for Espruino without storage: messages wait in RAM. */
import { clientOptions, EspruinoClient, type EspruinoOptions } from './client.js'

export { EspruinoSystem, EspruinoTransport, Loop } from '../../../hal/espruino/index.js'
export { MqttClient, statusText } from '../../../src/index.js'

/** A client that is polled from now on; `start()` connects it. */
export function create(options: EspruinoOptions): EspruinoClient {
  return new EspruinoClient(clientOptions(options, ''))
}
