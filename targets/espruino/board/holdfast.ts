/**
 * The module for Espruino, with storage: `require('holdfast')` on a board. What waits to be sent
 * survives a power loss in the flash that the option `areas` sets aside, or in another storage.
 */
import { EspruinoFlash } from '../../../hal/espruino/espruino-flash.js'
import type { FlashArea } from '../../../hal/espruino/index.js'
import { fail } from '../../../src/checks.js'
import type { ReadWriteStorage } from '../../../hal/storage.js'
import { FlashOutbox, type FlashOutboxOptions } from '../../../src/small/flash-outbox.js'
import type { MqttClient } from '../../../src/small/index.js'
import { clientOptions, type EspruinoOptions, polledClient } from './client.js'

/** Without names in the exports they would be short ones, which applications do not know. */
export type * from './faces.js'

export interface CreateOptions extends EspruinoOptions, FlashOutboxOptions {
  /** The flash that Holdfast may use, whole pages. */
  areas?: FlashArea[]
  /** The unit of a write in that flash. Default 4. */
  writeSize?: number
  /** Instead of `areas`: a storage of another kind, as `require('holdfast-spi').open` gives one. */
  flash?: ReadWriteStorage
}

/** A client that is polled from now on; `start()` connects it. */
export function create(options: CreateOptions): MqttClient {
  const made = clientOptions(options)
  let flash = options.flash
  if (options.areas !== undefined) {
    flash = new EspruinoFlash(require('Flash'), options.areas, options)
  } else if (flash === undefined) fail('areas', 'absent', 'flash for Holdfast')
  made.storage = new FlashOutbox(flash!, made.system, options)
  return polledClient(made, 'areas writeSize flash bufferSize ')
}
