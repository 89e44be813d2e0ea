/** The types that applications on Espruino see of the small client, and what the board has. */
export type {
  EspruinoSocket,
  EspruinoTransportOptions,
  FlashArea,
  FlashModule,
  NetModule,
} from '../../../hal/espruino/index.js'
export type { EspruinoFlashOptions } from '../../../hal/espruino/index.js'
export type { ReadWriteStorage } from '../../../hal/storage.js'
export type {
  MqttClient,
  SmallEvent,
  SmallMessage,
  SmallOptions,
  SmallPublishOptions,
  SmallStats,
  SmallWill,
} from '../../../src/small/index.js'
export type { FlashOutboxOptions } from '../../../src/small/storage.js'
export type { EspruinoOptions } from './client.js'
export type { BrokerAddress } from '../../../hal/transport.js'
