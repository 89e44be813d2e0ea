/** The implementations for Espruino; the modules of the board are passed to them. */
export { EspruinoFlash } from './espruino-flash.js'
export type { EspruinoFlashOptions, FlashArea, FlashModule } from './espruino-flash.js'
export { EspruinoSystem } from './espruino-system.js'
export { EspruinoTransport } from './espruino-transport.js'
export type { EspruinoSocket, EspruinoTransportOptions, NetModule } from './espruino-transport.js'
export { Loop } from './loop.js'
export type { Polled } from './loop.js'
