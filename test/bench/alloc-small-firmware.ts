/**
 * Firmware that measures what the small client allocates for a publish and for its answers. Knows
 * the small client, not the host.
 */
import type { MqttClient, Outbox, RamOutbox } from '../../src/small/index.js'
import type { FlashOutbox } from '../../src/small/storage.js'
import { type CountingDevice, Meter } from './firmware-meter.js'
import { Wire } from './firmware-wire.js'

declare const device: CountingDevice
declare const holdfast: {
  MqttClient: typeof MqttClient
  RamOutbox: typeof RamOutbox
  FlashOutbox: typeof FlashOutbox
}

const ROUND = 10
const ROUNDS = 50
const TOPIC = 'sensors/kitchen/temperature/main'
const payload = new Uint8Array(64)
let now = device.system.now()

function settle(client: MqttClient): void {
  for (let step = 0; step < 100; step++) if (client.poll(now) > 0) return
  throw new Error('the client is never done')
}

function measure(storage: Outbox, what: string): void {
  const wire = new Wire(device)
  wire.isV5 = false
  const client = new holdfast.MqttClient({
    system: device.system,
    transport: wire,
    broker: 'mqtt://broker.local',
    clientId: 'bench',
    storage,
    retryMinMs: 1000,
    retryMaxMs: 1000,
  })
  client.start()
  for (let step = 0; step < 10 && !client.isConnected; step++) client.poll((now += 1001))
  settle(client)
  const sending = new Meter(device)
  const answering = new Meter(device)
  for (let round = -2; round < ROUNDS; round++) {
    if (round >= 0) sending.begin()
    for (let index = 0; index < ROUND; index++) {
      if (client.publish(TOPIC, payload, { qos: 1 }) < 1) throw new Error('publish refused')
      client.poll(now)
    }
    if (round >= 0) sending.end(ROUND)
    wire.answer()
    if (round >= 0) answering.begin()
    settle(client)
    now += 2000 // a mark is due
    settle(client)
    if (round >= 0) answering.end(ROUND)
    if (client.stats.queued > 0) throw new Error('not all are acknowledged')
  }
  sending.report('smallPublish' + what)
  answering.report('smallPuback' + what)
}

measure(new holdfast.RamOutbox(8192), '')
const flash = new holdfast.FlashOutbox(device.storage, device.system)
flash.format()
measure(flash, 'Flash')
