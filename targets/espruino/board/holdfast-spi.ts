/**
 * The module for a flash chip on SPI (W25Q and the like), beside `holdfast`:
 *
 *   SPI1.setup({ sck: B3, miso: B4, mosi: B5, baud: 8000000 })
 *   flash = require('holdfast-spi').open(SPI1, B6, { size: 1048576 })
 *   client = require('holdfast').create({ flash: flash, … })
 */
import { EspruinoSystem } from '../../../hal/espruino/espruino-system.js'
import {
  EspruinoSpiBus,
  type EspruinoPin,
  type EspruinoSpi,
} from '../../../hal/espruino/spi-bus.js'
import { SpiNor, type SpiNorOptions } from '../../../hal/spi-nor/index.js'

/** Without names in the exports they would be short ones, which the other module does not know. */
export type { ReadWriteStorage } from '../../../hal/storage.js'
export type { EspruinoPin, EspruinoSpi, SpiNorOptions }

/** The chip that `select` selects; throws and says why where there is none. */
export function open(spi: EspruinoSpi, select: EspruinoPin, options?: SpiNorOptions): SpiNor {
  return new SpiNor(new EspruinoSpiBus(spi, select), new EspruinoSystem(), options ?? {})
}
