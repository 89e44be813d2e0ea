/**
 * Firmware that tells what lives on the heap: before the library is used, and after a client with
 * default options has connected. Knows the client, not the host.
 */
import type { ClientOptions } from '../../src/index.js'
import { type CountingDevice, FIELD_COUNT, type Library } from './firmware-meter.js'
import { Wire } from './firmware-wire.js'

declare const device: CountingDevice
declare const holdfast: Library

function report(name: string): void {
  const figures = new Float64Array(FIELD_COUNT)
  device.gc()
  device.memory(figures)
  device.report(JSON.stringify({ name, figures: Array.from(figures) }))
}

/** The transport and the clock are there in both readings, so they are not counted. */
const wire = new Wire(device)
const clientOptions: ClientOptions = {
  system: device.system,
  transport: wire,
  broker: 'mqtt://broker.local',
  clientId: 'bench',
}
report('before')
if (device.config === 'storage') {
  clientOptions.storage = new holdfast.FlashStore(device.storage, device.system)
}
const client = new holdfast.MqttClient(clientOptions)
client.start()
for (let now = device.system.now(), step = 0; step < 10; step++) client.poll(now + step)
if (!client.isConnected) throw new Error('not connected')
report('connected')
client.stop()
