/**
 * Firmware that fills its stack as far as the client does: mount, publish with topics and times,
 * acknowledgements, a boot that finds a backlog and sends it, each from a function of its own as
 * from a timer. `config` is `plain` or `encrypted`, and with `-nested` a handler of messages
 * publishes, which is the deepest call there is. Reports the peak of the stack.
 */
import type { ClientOptions } from '../../src/index.js'
import { type CountingDevice, FIELD_COUNT, type Library } from './firmware-meter.js'
import { Wire } from './firmware-wire.js'
import type { chacha20poly1305Hooks } from '../../hal/encryption.js'

declare const device: CountingDevice
declare const holdfast: Library & { chacha20poly1305Hooks: typeof chacha20poly1305Hooks }

const PEAK_STACK = 8
const STACK_CAPACITY = 11

function peak(): number {
  const figures = new Float64Array(FIELD_COUNT)
  device.memory(figures)
  return figures[PEAK_STACK]!
}

let boots = 0
function boot(): void {
  const key = new Uint8Array(32)
  const hooks = device.config.startsWith('encrypted') ? holdfast.chacha20poly1305Hooks(key) : null
  const store = new holdfast.FlashStore(
    device.storage!,
    device.system,
    hooks === null ? {} : { hooks },
  )
  const wire = new Wire(device)
  wire.sessionPresent = boots++ === 0 ? 0 : 1
  const clientOptions: ClientOptions = {
    system: device.system,
    transport: wire,
    broker: 'mqtt://broker.local',
    clientId: 'bench',
    storage: store,
    protocol: 5,
  }
  const client = new holdfast.MqttClient(clientOptions)
  const options = { qos: 1, expirySeconds: 600 }
  const options2 = { qos: 2 }
  client.subscribe('in/#', { qos: 1 }, () => {
    if (device.config.endsWith('-nested')) client.publish('out/answer', 'yes', options)
  })
  for (let index = 0; index < 40; index++) {
    client.publish('house/room' + (index % 4) + '/temperature', '21.5', options)
    client.publish('house/alarm', 'off', options2)
  }
  client.start()
  // QoS 1 on topic "in/x", packet identifier 7.
  const inbound = Uint8Array.of(0x32, 9, 0, 4, 0x69, 0x6e, 0x2f, 0x78, 0, 7, 0)
  for (let step = 0; step < 200; step++) {
    client.poll(device.system.now())
    if (step % 3 === 2) wire.answer()
    if (step === 50) wire.deliver(inbound)
    // The last ones stay for the next boot.
    if (step > 150) client.publish('late', 'x', options2)
  }
  if (!client.isConnected) throw new Error('not connected')
}

const before = peak()
for (let count = 0; count < 3; count++) boot()
const figures = new Float64Array(FIELD_COUNT)
device.memory(figures)
device.report(
  JSON.stringify({ before, peak: figures[PEAK_STACK], capacity: figures[STACK_CAPACITY] }),
)
