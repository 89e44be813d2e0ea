/**
 * The client on Node against brokers and a client that others wrote: Mosquitto where it is
 * installed, aedes always (MQTT 3.1.1 only), npm mqtt at the other end.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Aedes } from 'aedes'
import mqtt from 'mqtt'
import { MqttClient, type ClientOptions } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { FileFlash, NodeSystem, run, TcpTransport, type Running } from '../../hal/node/index.js'
import { hasMosquitto, Mosquitto } from './mosquitto.js'
import { until } from '../until.js'

interface Broker {
  readonly url: string
  stop(): Promise<void>
}

async function startAedes(): Promise<Broker> {
  const aedes = await Aedes.createBroker()
  const server: Server = createServer(aedes.handle).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `mqtt://127.0.0.1:${port}`,
    stop: async () => {
      await new Promise<void>((resolve) => aedes.close(() => resolve()))
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A client of ours and the loop that drives it. */
interface Ours {
  client: MqttClient
  running: Running
  received: string[]
  acked: Set<number>
}

function ours(url: string, options: Partial<ClientOptions>): Ours {
  const client = new MqttClient({
    system: new NodeSystem(),
    transport: new TcpTransport(),
    broker: url,
    clientId: 'holdfast-test',
    retryMinMs: 20,
    retryMaxMs: 200,
    ...options,
  })
  const received: string[] = []
  const acked = new Set<number>()
  client.on('message.received', (event) => {
    const message = event.message!
    received.push(`${message.topic} ${message.text} ${message.qos} ${message.retain}`)
  })
  client.on('message.acked', (event) => acked.add(event.ticket))
  return { client, running: run(client), received, acked }
}

async function end({ client, running }: Ours): Promise<void> {
  client.stop()
  await until('the client to stop', () => client.isStopped)
  running.stop()
}

const kinds: [string, () => Promise<Broker>, number[]][] = [['aedes', startAedes, [4]]]
if (hasMosquitto('brokers tests with Mosquitto')) {
  kinds.push(['Mosquitto', () => Mosquitto.start(), [4, 5]])
}

for (const [kind, start, versions] of kinds) {
  for (const protocol of versions) {
    describe(`${kind}, protocol ${protocol}`, () => {
      let broker: Broker
      let peer: mqtt.MqttClient
      const heard: string[] = []

      before(async () => {
        broker = await start()
        peer = await mqtt.connectAsync(broker.url, { protocolVersion: protocol as 4 | 5 })
        peer.on('message', (topic, payload, packet) =>
          heard.push(`${topic} ${payload} ${packet.qos} ${packet.retain}`),
        )
        await peer.subscribeAsync('from/#', { qos: 2 })
      })
      after(async () => {
        await peer.endAsync(true)
        await broker.stop()
      })

      it('publishes with QoS 0, 1 and 2', async () => {
        const us = ours(broker.url, { protocol })
        us.client.start()
        await until('the connection', () => us.client.isConnected)
        for (const qos of [0, 1, 2]) us.client.publish('from/us', `qos ${qos}`, { qos })
        await until('all three', () => heard.length >= 3)
        assert.deepEqual(heard.splice(0).sort(), [
          'from/us qos 0 0 false',
          'from/us qos 1 1 false',
          'from/us qos 2 2 false',
        ])
        await until('both acknowledgements', () => us.acked.size === 2)
        await end(us)
      })

      it('subscribes with wildcards and receives QoS 0, 1, 2 and retained messages', async () => {
        await peer.publishAsync('to/us/kept', 'retained', { qos: 1, retain: true })
        const us = ours(broker.url, { protocol })
        us.client.subscribe('to/us/+', { qos: 2 })
        us.client.start()
        await until('the retained message', () => us.received.length === 1)
        for (const qos of [0, 1, 2] as const) await peer.publishAsync('to/us/x', `q${qos}`, { qos })
        await until('the others', () => us.received.length === 4)
        assert.deepEqual(us.received, [
          'to/us/kept retained 1 true',
          'to/us/x q0 0 false',
          'to/us/x q1 1 false',
          'to/us/x q2 2 false',
        ])
        await peer.publishAsync('to/us/kept', '', { retain: true })
        await end(us)
      })

      it('goes on with its session: messages sent while it was away arrive', async () => {
        const options = {
          protocol,
          clientId: 'sleeper',
          cleanStart: false,
          sessionExpirySeconds: 600,
        }
        const us = ours(broker.url, options)
        us.client.subscribe('to/sleeper', { qos: 1 })
        us.client.start()
        let subscribed = 0
        us.client.on('session.subscribed', () => subscribed++)
        await until('SUBACK', () => subscribed === 1)
        us.client.stop()
        await until('the end', () => us.client.isStopped)
        await peer.publishAsync('to/sleeper', 'while away', { qos: 1 })
        us.client.start()
        await until('the message', () => us.received.length === 1)
        await end(us)
      })

      it('leaves its will when the connection breaks', async () => {
        const transport = new TcpTransport()
        const us = ours(broker.url, {
          protocol,
          transport,
          will: { topic: 'from/will', payload: 'gone', qos: 1 },
        })
        us.client.start()
        await until('the connection', () => us.client.isConnected)
        us.running.stop()
        transport.close()
        await until('the will', () => heard.length === 1)
        assert.deepEqual(heard.splice(0), ['from/will gone 1 false'])
      })

      it('sends a thousand messages of QoS 1 and 2 from flash, in order, QoS 2 once', async () => {
        const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
        const geometry = { capacity: 512 * 1024, eraseSize: 4096, writeSize: 4 }
        const flash = new FileFlash(join(folder, 'flash.img'), geometry)
        const system = new NodeSystem()
        const us = ours(broker.url, {
          protocol,
          system,
          clientId: 'flash',
          storage: new FlashStore(flash, system),
        })
        for (let n = 0; n < 1000; n++) {
          assert.ok(us.client.publish('from/flash', `${n}`, { qos: 1 + (n % 2) }) > 0)
        }
        us.client.start()
        await until('all acknowledgements', () => us.acked.size === 1000)
        await until('all deliveries', () => heard.length >= 1000)
        for (const qos of [1, 2]) {
          const numbers = heard
            .map((line) => line.split(' '))
            .filter((words) => words[2] === `${qos}`)
            .map((words) => Number(words[1]))
          const expected = Array.from({ length: 500 }, (_, index) => index * 2 + qos - 1)
          assert.deepEqual(numbers, expected)
        }
        heard.length = 0
        await end(us)
        flash.close()
        rmSync(folder, { recursive: true })
      })
    })
  }
}

if (hasMosquitto('the outage with Mosquitto')) {
  describe('an outage of Mosquitto', () => {
    for (const protocol of [4, 5]) {
      for (const [signal, persistence] of [
        ['SIGTERM', true],
        ['SIGKILL', true],
        ['SIGKILL', false],
      ] as const) {
        const how = `${signal}, persistence ${persistence}, protocol ${protocol}`
        it(`${how}: what was published meanwhile arrives`, async () => {
          const broker = await Mosquitto.start(`persistence ${persistence}`)
          const url = broker.url
          const watch = { protocolVersion: protocol as 4 | 5, reconnectPeriod: 50 }
          const peer = await mqtt.connectAsync(url, watch)
          const heard: string[] = []
          peer.on('message', (_, payload) => heard.push(String(payload)))
          peer.on('error', () => {})
          await peer.subscribeAsync('outage', { qos: 1 })
          const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
          const geometry = { capacity: 128 * 1024, eraseSize: 4096, writeSize: 4 }
          const boot = (): [Ours, FileFlash] => {
            const flash = new FileFlash(join(folder, 'flash.img'), geometry)
            const system = new NodeSystem()
            const storage = new FlashStore(flash, system)
            return [ours(url, { protocol, system, storage, clientId: 'outage' }), flash]
          }
          const [first, flash] = boot()
          first.client.start()
          first.client.publish('outage', 'before', { qos: 1 })
          await until('the first message', () => heard.length === 1)
          await broker.end(signal)
          for (let n = 0; n < 50; n++) {
            assert.ok(first.client.publish('outage', `m${n}`, { qos: 1 }) > 0)
          }
          // The device loses its power: nothing of the first client is used again.
          first.running.stop()
          flash.close()
          await broker.restart()
          await until('the watcher to be back', () => peer.connected)
          await peer.subscribeAsync('outage', { qos: 1 })
          const [second, image] = boot()
          second.client.start()
          await until('all messages', () => new Set(heard).size === 51)
          await until('an empty queue', () => second.client.stats.queued === 0)
          await end(second)
          image.close()
          await peer.endAsync(true)
          await broker.stop()
          rmSync(folder, { recursive: true })
        })
      }
    }
  })
}
