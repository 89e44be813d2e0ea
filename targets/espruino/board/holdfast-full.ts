/**
 * The module for Espruino with the full client, for boards with 128 KB to spare: MQTT 5, lanes,
 * streams, several brokers, encryption. In RAM, or in the flash that the option `areas` sets aside,
 * or in another storage.
 */
import { EspruinoFlash } from '../../../hal/espruino/index.js'
import type { FlashArea } from '../../../hal/espruino/index.js'
import { fail } from '../../../src/checks.js'
import type { ReadWriteStorage, StorageHooks } from '../../../src/index.js'
import { FlashStore } from '../../../src/storage.js'
import { sealed } from '../../../src/store/seal.js'
import {
  clientOptions,
  type EspruinoClient,
  type EspruinoOptions,
  polledClient,
} from './full-client.js'

export {
  EspruinoFlash,
  EspruinoSystem,
  EspruinoTransport,
  Loop,
} from '../../../hal/espruino/index.js'
export type { EspruinoClient } from './full-client.js'
export { MqttClient, statusText } from '../../../src/index.js'
export { FlashStore } from '../../../src/storage.js'

export interface CreateOptions extends EspruinoOptions {
  /** The flash that Holdfast may use, whole pages. */
  areas?: FlashArea[]
  /** The unit of a write in that flash. Default 4. */
  writeSize?: number
  /** Instead of `areas`: a storage of another kind, as `require('holdfast-spi').open` gives one. */
  flash?: ReadWriteStorage
  /** What encrypts the records, as `require('holdfast-encrypt')` makes them. */
  hooks?: StorageHooks
}

/** A client that is polled from now on; `start()` connects it. */
export function create(options: CreateOptions): EspruinoClient {
  const made = clientOptions(options, 'areas writeSize flash hooks')
  const hooks = options.hooks
  let flash = options.flash
  if (options.areas !== undefined) {
    if (flash !== undefined) fail('flash', '(storage)', 'left out where areas are given')
    flash = new EspruinoFlash(require('Flash'), options.areas, options)
  }
  if (flash !== undefined) {
    made.storage = new FlashStore(
      flash,
      made.system,
      hooks === undefined ? {} : { hooks: sealed(hooks) },
    )
  } else if (hooks !== undefined) fail('hooks', '(hooks)', 'given with areas or flash')
  return polledClient(made)
}
