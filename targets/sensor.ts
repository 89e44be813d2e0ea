/**
 * Firmware of a sensor in a greenhouse. It samples at an interval, keeps the samples on flash while
 * there is no network, and takes a new interval over MQTT. `npm start -- --app targets/sensor.ts`
 * runs it at the desk, and the targets for boards build this same file.
 */
import { MqttClient, statusText } from 'holdfast'
import { FlashStore } from 'holdfast/storage'
import type { Board } from './board.js'

const TEMPERATURE = 'greenhouse/7/temperature'
const INTERVAL = 'greenhouse/7/interval'
/** Waits until it is on flash, and is repeated until the broker has it. */
const KEPT = { qos: 1 }
const LEAST_MS = 50
const MOST_MS = 3600000

export function start(board: Board): MqttClient {
  if (board.storage === null) throw new Error('this sensor needs a flash partition')
  const client = new MqttClient({
    system: board.system,
    transport: board.transport,
    storage: new FlashStore(board.storage, board.system),
    broker: board.config.broker,
    clientId: board.config.clientId,
    protocol: board.config.protocol,
    overflow: 'drop-oldest',
  })
  // A board reads its ADC here; at the desk a slow wave stands in for the weather.
  function celsius(): number {
    return 20 + 5 * Math.sin(board.system.now() / 60000)
  }

  function sample(): void {
    const text = celsius().toFixed(1)
    const ticket = client.publish(TEMPERATURE, text, KEPT)
    if (ticket < 0) console.log('sample lost: ' + statusText(ticket))
    else console.log('sample ' + text + ', ' + client.stats.queued + ' on flash')
  }

  // Behind the functions: Espruino knows a function only once its declaration has been executed.
  let timer = setInterval(sample, 1000)
  client.subscribe(INTERVAL, { qos: 1 }, (message) => {
    const ms = Number(message.text)
    if (!(ms >= LEAST_MS && ms <= MOST_MS)) return console.log('no interval: ' + message.text)
    clearInterval(timer)
    timer = setInterval(sample, ms)
    console.log('interval is ' + ms + ' ms')
  })
  client.on('client.connected', (event) => console.log('connected to ' + event.text))
  client.on('client.disconnected', (event) => console.log('offline: ' + statusText(event.status)))
  client.start()
  return client
}
