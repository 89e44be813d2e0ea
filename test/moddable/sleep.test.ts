/** The variant that sleeps: the client's last bytes leave over the sockets of the platform. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { SocketTransport } from '../../hal/moddable/socket-transport.js'
import { MqttClient } from '../../src/index.js'
import type { SleepReport } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { afterLastBytes } from '../../targets/esp32/sleep/last-bytes.js'
import { until } from '../until.js'
import { FakeNetwork } from './fake-network.js'

function clientOn(flash: NorFlash, network: FakeNetwork) {
  const system = new ManualSystem(1)
  const transport = new SocketTransport({ TCP: network.TCP, resolve: network.resolve, system }, {})
  const client = new MqttClient({
    system,
    transport,
    storage: new FlashStore(flash, system),
    broker: 'mqtt://10.0.0.1',
    clientId: 'sleeper',
  })
  return { system, transport, client }
}

const later = (ms: number, callback: () => void) => setTimeout(callback, ms / 20)

/** Wakes with one message; `answer` is the broker. Resolves when the power would go. */
async function night(network: FakeNetwork, flash: NorFlash, deadlineMs: number) {
  const { system, transport, client } = clientOn(flash, network)
  let report: SleepReport | null = null
  let isOff = false
  assert.ok(client.publish('a', 'reading', { qos: 1 }) > 0)
  client.start()
  client.prepareForSleep(deadlineMs, (it) => {
    report = { queued: it.queued, status: it.status }
    afterLastBytes(transport, later, 2000, () => {
      isOff = true
    })
  })
  let answered = 0
  await until('the power goes', () => {
    system.advance(10)
    client.poll(system.now())
    const end = network.ends[0]
    if (end === undefined) return isOff
    // CONNECT, then one PUBLISH: each is answered once it is whole.
    const types: number[] = []
    for (let at = 0; at < end.received.length; at += 2 + end.received[at + 1]!) {
      types.push(end.received[at]! >> 4)
    }
    if (types[0] === 1 && answered === 0) end.send(Uint8Array.of(0x20, 3, 0, 0, 0))
    if (types[0] === 1 && answered === 0) answered = 1
    const publishAt = 2 + end.received[1]!
    if (types[1] === 3 && answered === 1) {
      const idAt = publishAt + 4 + end.received[publishAt + 3]!
      end.send(Uint8Array.of(0x40, 2, end.received[idAt]!, end.received[idAt + 1]!))
      answered = 2
    }
    return isOff
  })
  return { report: report as SleepReport | null, end: network.ends[0] }
}

test('the broker has the message and its goodbye before the power goes', async () => {
  const network = new FakeNetwork(5744)
  network.ports.add(1883)
  const flash = new NorFlash({ capacity: 32 * 4096 })
  const { report, end } = await night(network, flash, 60000)
  assert.deepEqual(report, { queued: 0, status: 0 })
  assert.ok(end!.sawFin && !end!.sawReset)
  assert.equal(end!.received.at(-2)! >> 4, 14, 'DISCONNECT')
  assert.equal(clientOn(flash, network).client.stats.queued, 0)
})

test('without a network the deadline ends the night, and the message waits on flash', async () => {
  const network = new FakeNetwork(5744)
  network.refusal = 'no network'
  const flash = new NorFlash({ capacity: 32 * 4096 })
  const { report } = await night(network, flash, 500)
  assert.deepEqual(report, { queued: 1, status: 0 })
  assert.equal(clientOn(flash, network).client.stats.queued, 1)
})

test('last bytes are waited for until the limit, and looked for once more after it', async () => {
  const delays: number[] = []
  const after = (ms: number, callback: () => void) => {
    delays.push(ms)
    callback()
  }
  let count = 0
  afterLastBytes({ isFinishing: true }, after, 100, () => {
    count += 1
  })
  assert.deepEqual([count, delays.length], [1, 5])
  afterLastBytes({ isFinishing: false }, after, 100, () => {
    count += 1
  })
  assert.deepEqual([count, delays.length], [2, 6])
})
