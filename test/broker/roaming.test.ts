/**
 * Two Mosquittos, bridged into a mesh. One dies by SIGKILL, the client roams to the other and back:
 * nothing is lost, and who looks at the key sees nothing twice.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import mqtt, { type MqttClient as Peer } from 'mqtt'
import { MqttClient } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { FileFlash, NodeSystem, run, TcpTransport } from '../../hal/node/index.js'
import { hasMosquitto, Mosquitto } from './mosquitto.js'
import { Started, until } from '../until.js'

const COUNT = 240
const started = new Started()

/** Notes what a subscriber of one broker sees: payloads, and the keys they came with. */
class Watcher {
  readonly keys = new Map<string, string[]>()
  private readonly peer: Peer
  private probes = 0

  private constructor(peer: Peer) {
    this.peer = peer
    peer.on('error', () => {})
    peer.on('message', (topic, payload, packet) => {
      if (topic === 'data/probe') {
        this.probes++
        return
      }
      const { properties } = packet as { properties?: { userProperties?: Record<string, string> } }
      const key = properties?.userProperties?.['holdfast-key'] ?? ''
      this.keys.set(String(payload), [...(this.keys.get(String(payload)) ?? []), key])
    })
  }

  static async on(broker: Mosquitto, name: string): Promise<Watcher> {
    const peer = await mqtt.connectAsync(broker.url, {
      protocolVersion: 5,
      clientId: name,
      clean: false,
      reconnectPeriod: 50,
      properties: { sessionExpiryInterval: 600 },
    })
    const watcher = new Watcher(peer)
    await peer.subscribeAsync('data/#', { qos: 2 })
    return watcher
  }

  /** Until what is sent to its broker reaches it: a restarted one may have lost its filter. */
  async listens(): Promise<void> {
    const before = this.probes
    let isUnderWay = false
    await until('a watcher to hear itself', () => {
      if (!isUnderWay && this.peer.connected) {
        isUnderWay = true
        this.peer.publish('data/probe', '', { qos: 1 }, () => (isUnderWay = false))
      }
      return this.probes > before
    })
  }

  end(): Promise<void> {
    return this.peer.endAsync(true)
  }
}

async function scenario(persistence: boolean, qos: number): Promise<void> {
  const settings = `persistence ${persistence}\nautosave_interval 1\n`
  const a = await Mosquitto.start(settings)
  started.push(() => a.stop())
  const bridge = [
    'connection mesh',
    `address 127.0.0.1:${a.port}`,
    'topic data/# both 2',
    'cleansession false',
    'bridge_protocol_version mqttv50',
    'restart_timeout 1',
    'notifications false',
  ]
  const b = await Mosquitto.start(settings + bridge.join('\n'))
  started.push(() => b.stop())
  const watchers = [await Watcher.on(a, 'watch-a'), await Watcher.on(b, 'watch-b')]
  for (const watcher of watchers) started.push(() => watcher.end())
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
  started.push(() => rmSync(folder, { recursive: true }))
  const geometry = { capacity: 256 * 1024, eraseSize: 4096, writeSize: 4 }
  const flash = new FileFlash(join(folder, 'flash.img'), geometry)
  const system = new NodeSystem()
  const client = new MqttClient({
    system,
    transport: new TcpTransport(),
    brokers: [a.url, b.url],
    clientId: 'roamer',
    storage: new FlashStore(flash, system),
    retryMinMs: 20,
    retryMaxMs: 200,
    homeAfterMs: 1000,
  })
  const homes: string[] = []
  client.on('client.connected', (event) => homes.push(event.text))
  /** Numbers of the messages that a broker has taken over. */
  const acked = new Set<number>()
  const numbers = new Map<number, number>()
  /** Those of them that A had before it was killed, also where its answer was read after that. */
  const takenByA = new Set<number>()
  client.on('message.acked', ({ ticket }) => {
    acked.add(numbers.get(ticket)!)
    if (homes.length < 2) takenByA.add(numbers.get(ticket)!)
  })
  const running = run(client)
  started.push(async () => {
    client.stop()
    await until('the end', () => client.isStopped)
    running.stop()
    flash.close()
  })
  client.start()
  let published = 0
  const publishTo = async (end: number): Promise<void> => {
    for (; published < end; published++) {
      const ticket = client.publish('data/' + (published % 3), 'm' + published, { qos })
      assert.ok(ticket > 0)
      numbers.set(ticket, published)
      if (published % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  await publishTo(COUNT / 3)
  await a.end('SIGKILL')
  await publishTo((COUNT * 2) / 3)
  await until('the other broker', () => homes.includes(b.url))
  await until('an empty queue at the other', () => client.stats.queued === 0)
  await a.restart()
  await until('the way home', () => homes.at(-1) === a.url && homes.length > 2)
  await watchers[0]!.listens()
  await publishTo(COUNT)
  await until('an empty queue at home', () => client.stats.queued === 0)
  // What A had acknowledged and neither stored nor sent on when it was killed is A's to lose (its
  // autosave comes once a second), not the client's; and either watcher will do.
  const seen = (value: string) => watchers.some(({ keys }) => keys.has(value))
  const missing = () => [...Array(COUNT).keys()].filter((n) => !seen('m' + n) && !takenByA.has(n))
  await until('all messages at one of the watchers', () => missing().length === 0).catch(() => {
    assert.fail(
      `in vain: ${missing()
        .map((n) => `m${n} acked ${acked.has(n)}`)
        .join(', ')}`,
    )
  })
  for (const { keys } of watchers) {
    for (const [payload, list] of keys) {
      assert.equal(new Set(list).size, 1, `${payload} came with several keys: ${list.join(', ')}`)
      assert.match(list[0]!, /^roamer-[0-9a-f]{8}-[0-9a-f]{9}$/)
    }
    assert.equal(new Set([...keys.values()].map(([key]) => key)).size, keys.size)
  }
}

if (hasMosquitto('roaming between two Mosquittos')) {
  describe('two Mosquittos in a mesh, one dies by SIGKILL', () => {
    afterEach(started.endAll)
    for (const persistence of [true, false]) {
      for (const qos of [1, 2]) {
        it(`QoS ${qos}, persistence ${persistence}: nothing lost, repeats known by key`, () =>
          scenario(persistence, qos))
      }
    }
  })
}
