/**
 * The module for Espruino, with storage: `require('holdfast')` on a board. What waits to be sent
 * survives a power loss in the flash that the option `areas` sets aside.
 */
import { EspruinoFlash } from '../../../hal/espruino/index.js'
import type { FlashArea } from '../../../hal/espruino/index.js'
import { FlashStore } from '../../../src/storage.js'
import { clientOptions, EspruinoClient, type EspruinoOptions } from './client.js'

export {
  EspruinoFlash,
  EspruinoSystem,
  EspruinoTransport,
  Loop,
} from '../../../hal/espruino/index.js'
export { MqttClient, statusText } from '../../../src/index.js'
export { FlashStore } from '../../../src/storage.js'

export interface CreateOptions extends EspruinoOptions {
  /** The flash that Holdfast may use, whole pages. Without it messages wait in RAM. */
  areas?: FlashArea[]
  /** The unit of a write in that flash. Default 4. */
  writeSize?: number
}

/** A client that is polled from now on; `start()` connects it. */
export function create(options: CreateOptions): EspruinoClient {
  const made = clientOptions(options)
  if (options.areas !== undefined) {
    const flash = new EspruinoFlash(require('Flash'), options.areas, options)
    made.storage = new FlashStore(flash, made.system)
  }
  return new EspruinoClient(made)
}
