/**
 * The client over WebSocket: MQTT section 6 with a scripted broker behind the server of `ws`, whose
 * packets `mqtt-packet` reads and writes, and whole exchanges with Mosquitto's own WebSocket.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import mqtt from 'mqtt'
import { generate, parser, type Packet } from 'mqtt-packet'
import { WebSocketServer, type WebSocket } from 'ws'
import { FileFlash, NodeSystem, run } from '../../hal/node/index.js'
import { WsTransport, type WsOptions } from '../../hal/node/ws-transport.js'
import { ERR_CLOSED, ERR_CONNECT, MqttClient, type ClientOptions } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { Certificates } from './certificates.js'
import { freePort, hasMosquitto, Mosquitto } from './mosquitto.js'
import { Started, until } from '../until.js'

const started = new Started()
const { endAll } = started

/** How the broker cuts what it sends into frames. */
type Cut = (bytes: Buffer) => Buffer[]
const whole: Cut = (bytes) => [bytes]
const singly: Cut = (bytes) => [...bytes].map((byte) => Buffer.of(byte))

/** Answers CONNECT, PUBLISH of QoS 1 and SUBSCRIBE; records frames and packets. */
class ScriptedBroker {
  readonly packets: Packet[] = []
  readonly frames: { isBinary: boolean; size: number }[] = []
  readonly closeCodes: number[] = []
  offered: string[] = []
  subprotocol = 'mqtt'
  /** What to send behind CONNACK, in the same bytes. */
  greeting: Packet[] = []
  cut = whole
  /** Sent as text in place of CONNACK, while it is not ''. */
  text = ''
  private readonly version: 4 | 5
  private readonly server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: (offered) => {
      this.offered = [...offered]
      return this.subprotocol
    },
  })

  private constructor(version: 4 | 5) {
    this.version = version
    this.server.on('connection', (webSocket) => this.serve(webSocket))
    started.push(() => this.stop())
  }

  static async start(version: 4 | 5): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(version)
    await once(broker.server, 'listening')
    return broker
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}/mqtt`
  }

  private serve(webSocket: WebSocket): void {
    const reader = parser({ protocolVersion: this.version })
    reader.on('packet', (packet) => {
      this.packets.push(packet)
      this.answer(webSocket, packet)
    })
    webSocket.on('message', (data, isBinary) => {
      this.frames.push({ isBinary, size: (data as Buffer).length })
      reader.parse(data as Buffer)
    })
    webSocket.on('close', (code) => this.closeCodes.push(code))
    webSocket.on('error', () => {})
  }

  private answer(webSocket: WebSocket, packet: Packet): void {
    if (packet.cmd === 'connect') {
      if (this.text !== '') webSocket.send(this.text)
      const connack = { cmd: 'connack', returnCode: 0, reasonCode: 0, sessionPresent: false }
      this.send(webSocket, [connack as Packet, ...this.greeting])
    } else if (packet.cmd === 'publish' && packet.qos === 1) {
      this.send(webSocket, [{ cmd: 'puback', messageId: packet.messageId } as Packet])
    } else if (packet.cmd === 'subscribe') {
      const { messageId } = packet
      this.send(webSocket, [{ cmd: 'suback', messageId, granted: [1] } as Packet])
    }
  }

  private send(webSocket: WebSocket, packets: Packet[]): void {
    const bytes = packets.map((packet) => generate(packet, { protocolVersion: this.version }))
    for (const frame of this.cut(Buffer.concat(bytes))) webSocket.send(frame)
  }

  private async stop(): Promise<void> {
    for (const webSocket of this.server.clients) webSocket.terminate()
    await new Promise((resolve) => this.server.close(resolve))
  }
}

function ours(url: string, options: Partial<ClientOptions>, ws: WsOptions = {}) {
  const transport = new WsTransport(ws)
  const client = new MqttClient({
    system: new NodeSystem(),
    transport,
    broker: url,
    clientId: 'over-ws',
    retryMinMs: 10,
    retryMaxMs: 50,
    ...options,
  })
  const received: string[] = []
  const losses: { status: number; text: string }[] = []
  client.on('message.received', (event) => received.push(event.message!.text))
  client.on('client.disconnected', ({ status, text }) => losses.push({ status, text }))
  client.start()
  const running = run(client)
  started.push(() => {
    running.stop()
    transport.close()
  })
  return { client, received, losses }
}

const published = (broker: ScriptedBroker) =>
  broker.packets.flatMap((packet) => (packet.cmd === 'publish' ? [String(packet.payload)] : []))

const message = (text: string): Packet =>
  ({ cmd: 'publish', topic: 't', payload: text, qos: 0, dup: false, retain: false }) as Packet

for (const version of [4, 5] as const) {
  describe(`WebSocket, protocol ${version}`, () => {
    afterEach(endAll)

    it('packets leave in binary frames; a frame of text ends the connection only', async () => {
      const broker = await ScriptedBroker.start(version)
      broker.text = 'hello'
      const us = ours(broker.url, { protocol: version })
      us.client.publish('t', 'kept', { qos: 1 })
      await until('two refusals', () => us.losses.length >= 2)
      assert.equal(us.losses[0]!.status, ERR_CLOSED)
      assert.match(us.losses[0]!.text, /frame of text/)
      assert.deepEqual(published(broker), [])
      await until('the Close frame', () => broker.closeCodes.length > 0)
      assert.equal(broker.closeCodes[0], 1003)
      broker.text = ''
      await until('an empty queue', () => us.client.stats.queued === 0)
      assert.deepEqual(published(broker), ['kept'])
      assert.ok(broker.frames.every(({ isBinary }) => isBinary))
    })

    it('packets that span frames and packets that share one are understood', async () => {
      for (const cut of [singly, whole]) {
        const broker = await ScriptedBroker.start(version)
        broker.cut = cut
        broker.greeting = [message('one'), message('two'), message('three')]
        const us = ours(broker.url, { protocol: version })
        await until('the messages', () => us.received.length === 3)
        assert.deepEqual(us.received, ['one', 'two', 'three'])
        us.client.publish('t', 'up', { qos: 1 })
        await until('PUBACK', () => us.client.stats.queued === 0)
        assert.deepEqual(us.losses, [])
      }
    })

    it('the subprotocol mqtt is offered, and a broker that chooses another is left', async () => {
      const broker = await ScriptedBroker.start(version)
      broker.subprotocol = 'mqttv3.1'
      const us = ours(broker.url, { protocol: version })
      await until('a refusal', () => us.losses.length > 0)
      assert.deepEqual(broker.offered, ['mqtt'])
      assert.equal(us.losses[0]!.status, ERR_CONNECT)
      assert.match(us.losses[0]!.text, /invalid subprotocol/)
      assert.deepEqual(broker.frames, [])
      broker.subprotocol = 'mqtt'
      await until('the connection', () => us.client.isConnected)
    })
  })
}

/** Lines for Mosquitto: a listener for WebSocket, with TLS where there are certificates. */
function listener(port: number, certificates: Certificates | null): string {
  const lines = [`listener ${port} 127.0.0.1`, 'protocol websockets']
  if (certificates !== null) {
    lines.push(`cafile ${certificates.path('ca.crt')}`, 'require_certificate true')
    lines.push(`certfile ${certificates.path('broker.crt')}`)
    lines.push(`keyfile ${certificates.path('broker.key')}`)
  }
  return lines.join('\n')
}

function mosquittoTests(certificates: Certificates | null): void {
  const scheme = certificates === null ? 'ws' : 'wss'
  const tls: WsOptions =
    certificates === null
      ? {}
      : { tls: { ca: certificates.read('ca.crt'), ...certificates.identity('device') } }
  afterEach(endAll)

  async function start(): Promise<{ url: string; mosquitto: Mosquitto; heard: string[] }> {
    const port = await freePort()
    const mosquitto = await Mosquitto.start(`persistence true\n${listener(port, certificates)}`)
    started.push(() => mosquitto.stop())
    return { url: `${scheme}://localhost:${port}/mqtt`, mosquitto, heard: await watch(mosquitto) }
  }

  async function watch({ url }: Mosquitto): Promise<string[]> {
    const heard: string[] = []
    const peer = await mqtt.connectAsync(url, {
      reconnectPeriod: 20,
      clientId: 'watch',
      clean: false,
    })
    started.push(() => peer.endAsync(true))
    peer.on('error', () => {})
    peer.on('message', (_, payload, { qos }) => heard.push(`${String(payload)} ${qos}`))
    await peer.subscribeAsync('from/#', { qos: 2 })
    return heard
  }

  for (const protocol of [4, 5]) {
    it(`every QoS passes in both directions, protocol ${protocol}`, async () => {
      const { url, heard } = await start()
      const us = ours(url, { protocol }, tls)
      let subscribed = 0
      us.client.on('session.subscribed', () => subscribed++)
      us.client.subscribe('from/#', { qos: 2 })
      await until('SUBACK', () => subscribed === 1)
      const large = 'x'.repeat(900)
      for (const qos of [0, 1, 2]) us.client.publish('from/us', `${large}${qos}`, { qos })
      await until('all here and there', () => heard.length === 3 && us.received.length === 3)
      assert.deepEqual(heard.sort(), [`${large}0 0`, `${large}1 1`, `${large}2 2`])
      assert.deepEqual(us.received.sort(), [`${large}0`, `${large}1`, `${large}2`])
      await until('the acknowledgements', () => us.client.stats.queued === 0)
      assert.deepEqual(us.losses, [])
    })

    it(`an outage loses nothing, protocol ${protocol}`, async () => {
      const { url, mosquitto, heard } = await start()
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-ws-'))
      started.push(() => rmSync(folder, { recursive: true }))
      const geometry = { capacity: 128 * 1024, eraseSize: 4096, writeSize: 4 }
      const flash = new FileFlash(join(folder, 'flash.img'), geometry)
      started.push(() => flash.close())
      const system = new NodeSystem()
      const storage = new FlashStore(flash, system)
      const us = ours(url, { protocol, system, storage }, tls)
      await until('the connection', () => us.client.isConnected)
      // With SIGTERM it keeps the watcher's session, and with that what arrives before the watcher.
      await mosquitto.end('SIGTERM')
      const expected = Array.from({ length: 50 }, (_, n) => `m${n} 2`)
      for (let n = 0; n < 50; n++) us.client.publish('from/us', `m${n}`, { qos: 2 })
      await until('the loss', () => us.losses.length > 0)
      await mosquitto.restart()
      await until('all messages', () => heard.length >= 50 && us.client.stats.queued === 0)
      assert.deepEqual(heard, expected)
    })
  }
}

if (hasMosquitto('WebSocket with Mosquitto')) {
  describe('Mosquitto over WebSocket', () => mosquittoTests(null))
  const certificates = Certificates.make()
  if (certificates !== null) {
    describe('Mosquitto over WebSocket and TLS', () => mosquittoTests(certificates))
  } else if (process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error('no openssl')
}
