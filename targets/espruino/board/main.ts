/**
 * Starts an application (targets/board.ts) on Espruino: makes its Board, calls `start`, polls what
 * comes back. What differs from device to device stands in Storage, in the file `holdfast.json`:
 *
 *   { "broker": "mqtt://10.0.0.1", "clientId": "greenhouse-7", "protocol": 5,
 *     "areas": [{ "addr": 3211264, "length": 65536 }], "seed": "…" }
 */
import { start } from '../../sensor.js'
import {
  EspruinoFlash,
  EspruinoSystem,
  EspruinoTransport,
  Loop,
} from '../../../hal/espruino/index.js'

const config = require('Storage').readJSON('holdfast.json', true)
if (config === undefined) throw new Error('Storage has no holdfast.json: broker, clientId, areas')
const system = new EspruinoSystem(config.seed)
const client = start({
  system,
  transport: new EspruinoTransport(require('net')),
  storage: config.areas ? new EspruinoFlash(require('Flash'), config.areas, config) : null,
  config: {
    broker: config.broker,
    clientId: config.clientId,
    protocol: config.protocol ?? 5,
  },
})
new Loop(client, system)
E.on('kill', () => client.flush())
