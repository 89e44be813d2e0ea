/**
 * The firmware of the simulated board: a sensor that publishes a reading at every tick of a timer,
 * with or without a network. What makes it differ from a real one is that it tells the harness,
 * line by line (ledger.ts has the list), what it does. Knows the client and `device`, no engine.
 */
import { ERR_FULL, MqttClient, statusText } from '../../../src/index.js'
import { chacha20poly1305Hooks } from '../../../hal/encryption.js'
import { FlashStore } from '../../../src/storage.js'
import type { Device } from '../device.js'
import { readingPayload, readingQos, readingTopic } from './reading.js'

/** What the harness gives at boot: a sensor would count on by itself, from its clock. */
export interface SensorConfig {
  broker: string
  clientId: string
  /** 4 or 5. */
  protocol: number
  /** Before each topic: no other run uses it. */
  topicPrefix: string
  seed: number
  /** The number of the first reading of this boot. */
  next: number
  /** Readings to be accepted before the sensor drains its queue and stops. */
  count: number
  /** Readings at each tick. */
  burst: number
  tickMs: number
  /** Take the first reading after the first connection of this boot. */
  waitsForBroker: boolean
  /** Encrypt what is on flash. */
  encrypt: boolean
}

declare const device: Device

const config = JSON.parse(device.config) as SensorConfig
/** The same at each boot. A device keeps its key where nobody reads it, and not in its firmware. */
function hooks() {
  const key = new Uint8Array(32)
  for (let index = 0; index < 32; index++) key[index] = config.seed >>> (index & 31)
  return { hooks: chacha20poly1305Hooks(key) }
}

const client = new MqttClient({
  system: device.system,
  transport: device.transport,
  storage: new FlashStore(device.storage, device.system, config.encrypt ? hooks() : {}),
  broker: config.broker,
  clientId: config.clientId,
  protocol: config.protocol,
  connectTimeoutMs: 3000,
  retryMinMs: 40,
  retryMaxMs: 300,
})
let next = config.next
let left = config.count
let mayRead = !config.waitsForBroker
let isDone = false

client.on('client.connected', (event) => {
  mayRead = true
  device.report('connected ' + (event.sessionPresent ? 1 : 0))
})
client.on('client.disconnected', (event) => device.report('disconnected ' + event.text))
client.on('session.lost', (event) => device.report('lost ' + event.count))
client.on('message.acked', (event) => device.report('acked ' + event.ticket))
client.on('message.dropped', (event) =>
  device.report('dropped ' + event.ticket + ' ' + statusText(event.status)),
)
client.on('storage.failed', (event) => device.report('failed ' + statusText(event.status)))

/** False: no room now, try the same reading at the next tick. */
function publishReading(): boolean {
  const qos = readingQos(next)
  const topic = readingTopic(config.topicPrefix, next)
  // Before and after: where power is cut between the two, and only there, the outcome is open.
  device.report('publishing ' + next)
  const ticket = client.publish(topic, readingPayload(config.seed, next), { qos })
  if (ticket < 0) {
    device.report('refused ' + next + ' ' + statusText(ticket))
    if (ticket !== ERR_FULL) throw new Error('publish: ' + statusText(ticket))
    return false
  }
  device.report('accepted ' + next + ' ' + qos + ' ' + ticket)
  next++
  left--
  return true
}

function tick(): void {
  for (let more = config.burst; more > 0 && left > 0 && mayRead; more--) {
    if (!publishReading()) return
  }
  if (left > 0) return
  if (isDone) {
    if (!client.isStopped) return
    clearInterval(ticking)
    device.report('stopped')
  } else if (client.stats.queued === 0 && client.isConnected) {
    isDone = true
    // The board is switched off after this: what is acknowledged shall be marked so on flash.
    const status = client.flush()
    device.report(status < 0 ? 'failed ' + statusText(status) : 'drained')
    client.stop()
  }
}

device.report('booted ' + client.stats.queued)
const ticking = setInterval(tick, config.tickMs)
device.poll = (now) => client.poll(now)
client.start()
