/** The driver for serial NOR flash of the W25Q kind, and the bus it needs. */
export { SpiNor } from './spi-nor.js'
export type { SpiNorOptions } from './spi-nor.js'
export type { SpiBus } from './spi-bus.js'
