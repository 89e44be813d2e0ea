/**
 * Firmware of a sensor in a greenhouse, as boot code: it samples at an interval, keeps the samples
 * on flash while there is no network, and takes a new interval over MQTT. What differs from device
 * to device stands in Storage, in the file `holdfast.json`:
 *
 *   { "broker": "mqtt://10.0.0.1", "clientId": "greenhouse-7",
 *     "areas": [{ "addr": 3211264, "length": 65536 }], "seed": "…" }
 */
import type { SmallEvent, SmallMessage } from '../../../src/small/index.js'
import { create } from './holdfast.js'

/** Without names in the exports they would be short ones, which the config does not have. */
export type * from './faces.js'
export type { CreateOptions } from './holdfast.js'

const TEMPERATURE = 'greenhouse/7/temperature'
const INTERVAL = 'greenhouse/7/interval'
const LEAST_MS = 50
const MOST_MS = 3600000

const config = require('Storage').readJSON('holdfast.json', true)
if (config === undefined) throw new Error('Storage has no holdfast.json: broker, clientId, areas')
const client = create(config)

// A board reads its ADC here; at the desk a slow wave stands in for the weather.
function celsius(): number {
  return 20 + 5 * Math.sin(getTime() / 60)
}

function sample(): void {
  const text = celsius().toFixed(1)
  const ticket = client.publish(TEMPERATURE, text, { qos: 1 })
  if (ticket < 0) console.log('sample lost: ' + ticket)
  else console.log('sample ' + text + ', ' + client.stats.queued + ' on flash')
}

let timer = setInterval(sample, 1000)
client.subscribe(INTERVAL, { qos: 1 }, (message: SmallMessage) => {
  const ms = Number(message.text)
  if (!(ms >= LEAST_MS && ms <= MOST_MS)) return console.log('no interval: ' + message.text)
  clearInterval(timer)
  timer = setInterval(sample, ms)
  console.log('interval is ' + ms + ' ms')
})
client.on('client.connected', (event: SmallEvent) => console.log('connected to ' + event.text))
client.on('client.disconnected', (event: SmallEvent) => console.log('offline: ' + event.status))
client.start()
