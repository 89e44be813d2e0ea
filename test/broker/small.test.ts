/**
 * The small client and a real Mosquitto: all QoS both ways, an outage, restarts of the broker, and
 * a device that is killed (SIGKILL) again and again. Random, by HOLDFAST_SEED.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, it } from 'node:test'
import mqtt from 'mqtt'
import { Random } from '../../hal/memory/index.js'
import { NodeSystem, run, TcpTransport } from '../../hal/node/index.js'
import { MqttClient, RamOutbox, type SmallEvent } from '../../src/small/index.js'
import { Started, until } from '../until.js'
import { hasMosquitto, Mosquitto } from './mosquitto.js'

const CHILD = fileURLToPath(new URL('./small-child.js', import.meta.url))
const LIVES = 8
const IN_A_LIFE = 5
const started = new Started()
afterEach(started.endAll)

async function startBroker(): Promise<Mosquitto> {
  const broker = await Mosquitto.start('persistence true')
  started.push(() => broker.stop())
  return broker
}

async function connectPeer(url: string, options: object = {}): Promise<mqtt.MqttClient> {
  const peer = await mqtt.connectAsync(url, { reconnectPeriod: 50, ...options })
  peer.on('error', () => {})
  started.push(() => peer.endAsync(true))
  return peer
}

/** A device in its own process, and what it has said. */
class Device {
  readonly lines: string[] = []
  private readonly child: ChildProcess
  private readonly gone: Promise<unknown>

  constructor(url: string, image: string, life: number) {
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit']
    const child = spawn(process.execPath, [CHILD, url, image, `${life}`], { stdio })
    this.child = child
    this.gone = new Promise((resolve) => child.once('close', resolve))
    createInterface(child.stdout!).on('line', (line) => this.lines.push(line))
    started.push(() => this.kill())
  }

  count(word: string): number {
    return this.lines.filter((line) => line.startsWith(word)).length
  }

  /** Waits until it has said so many lines that begin with this word. */
  async said(word: string, count: number): Promise<void> {
    await until(`${count} times "${word}"`, () => {
      assert.equal(this.child.exitCode, null, 'the device has ended by itself')
      return this.count(word) >= count
    })
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.gone
  }
}

if (hasMosquitto('the small client with Mosquitto')) {
  it('publishes and receives QoS 0, 1 and 2, retained messages and its will', async () => {
    const broker = await startBroker()
    const peer = await connectPeer(broker.url)
    const heard: string[] = []
    peer.on('message', (topic, payload, { qos }) => heard.push(`${topic} ${payload} ${qos}`))
    await peer.subscribeAsync('from/#', { qos: 2 })
    await peer.publishAsync('to/kept', 'retained', { qos: 1, retain: true })
    const transport = new TcpTransport()
    const client = new MqttClient({
      system: new NodeSystem(),
      transport,
      storage: new RamOutbox(4096),
      broker: broker.url,
      clientId: 'small',
      will: { topic: 'from/will', payload: 'gone', qos: 1 },
    })
    const received: string[] = []
    client.on('message', ({ topic, text, qos, retain }) => {
      received.push(`${topic} ${text} ${qos} ${retain}`)
    })
    client.subscribe('to/#', { qos: 2 })
    client.start()
    const running = run(client)
    started.push(() => running.stop())
    await until('the retained message', () => received.length === 1)
    const acked: number[] = []
    client.on('message.acked', ({ ticket }: SmallEvent) => acked.push(ticket))
    for (const qos of [0, 1, 2] as const) {
      assert.ok(client.publish('from/us', `q${qos}`, { qos }) >= 0)
      await peer.publishAsync('to/us', `q${qos}`, { qos })
    }
    await until('all of ours', () => heard.length === 3 && acked.length === 2)
    await until('all of theirs', () => received.length === 4)
    assert.deepEqual(heard.splice(0).sort(), ['from/us q0 0', 'from/us q1 1', 'from/us q2 2'])
    assert.deepEqual(received, [
      'to/kept retained 1 true',
      'to/us q0 0 false',
      'to/us q1 1 false',
      'to/us q2 2 false',
    ])
    running.stop()
    transport.close()
    await until('the will', () => heard.length === 1)
    assert.deepEqual(heard, ['from/will gone 1'])
  })

  const given = process.env.HOLDFAST_SEED
  const seed = given === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(given)

  const repeat = `HOLDFAST_SEED=${seed} repeats it`
  it(`killed ${LIVES} times, the broker restarted: none is lost (${repeat})`, async () => {
    const chance = new Random(seed)
    const broker = await startBroker()
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
    started.push(() => rmSync(folder, { recursive: true }))
    const image = join(folder, 'flash.img')
    // The broker collects for it: what it is given in the end has come once or more to the broker.
    const reader = { clientId: 'reader', clean: false, reconnectPeriod: 0 }
    const first = await connectPeer(broker.url, reader)
    await first.subscribeAsync('small/out/#', { qos: 2 })
    await first.endAsync()

    const devices: Device[] = []
    for (let life = 0; life < LIVES; life++) {
      const device = new Device(broker.url, image, life)
      devices.push(device)
      if (life === 0) await device.said('subscribed', 1)
      await publishTo(broker.url, life)
      await device.said('accepted', 1 + chance.below(120))
      if (chance.below(2) === 0) {
        await broker.end('SIGTERM')
        await device.said('accepted', device.count('accepted') + chance.below(60))
        const isKilledAlone = chance.below(2) === 0
        if (isKilledAlone) await device.kill()
        await broker.restart()
        if (!isKilledAlone) await device.said('accepted', device.count('accepted') + 30)
      }
      await device.kill()
    }
    const last = new Device(broker.url, image, -1)
    devices.push(last)
    await last.said('empty', 1)
    const wanted = 2 * LIVES * IN_A_LIFE
    const got = () => devices.flatMap(({ lines }) => lines).filter((line) => line.startsWith('got'))
    await until('all messages for the device', () => new Set(got()).size === wanted)
    checkIn(devices)

    const heard: string[] = []
    const peer = mqtt.connect(broker.url, reader)
    started.push(() => peer.endAsync(true))
    peer.on('message', (topic, payload) => heard.push(`${topic.at(-1)} ${payload}`))
    const accepted = devices.flatMap(({ lines }) =>
      lines.filter((line) => line.startsWith('accepted')).map((line) => line.slice(9)),
    )
    await until('all messages of the device', () => {
      const arrived = new Set(heard)
      return accepted.every((line) => arrived.has(line))
    })
    await last.kill()
    checkOut(heard)
    for (const { lines } of devices) {
      assert.deepEqual(
        lines.filter((line) => /^(dropped|failed|lost)/.test(line)),
        [],
      )
    }
  })

  /** Messages for the device, whether it is there or not. */
  async function publishTo(url: string, life: number): Promise<void> {
    const peer = await connectPeer(url)
    for (let n = 0; n < IN_A_LIFE; n++) {
      for (const qos of [1, 2] as const)
        await peer.publishAsync('small/in', `${life} ${n}`, { qos })
    }
    await peer.endAsync()
  }

  /** QoS 2 once, but for what the device was killed with in its hands. */
  function checkIn(devices: Device[]): void {
    const seen = new Set<string>()
    let inHand = ''
    for (const { lines } of devices) {
      const got = lines.filter((line) => line.startsWith('got 2'))
      for (const [place, line] of got.entries()) {
        if (seen.has(line)) assert.ok(place === 0 && line === inHand, `${line} came twice`)
        seen.add(line)
      }
      inHand = got.at(-1) ?? inHand
    }
  }

  /** QoS 2 once; each QoS in the order of publishing, not counting what came again. */
  function checkOut(heard: string[]): void {
    for (const qos of ['1', '2']) {
      const all = heard.filter((line) => line.startsWith(qos))
      const once = [...new Set(all)]
      if (qos === '2') assert.deepEqual(all, once, 'a message of QoS 2 came twice')
      const places = once.map((line) => {
        const [, life, number] = line.split(' ').map(Number)
        return life! * 100000 + number!
      })
      assert.deepEqual(
        places,
        places.toSorted((a, b) => a - b),
        `the order of QoS ${qos}`,
      )
    }
  }
}
