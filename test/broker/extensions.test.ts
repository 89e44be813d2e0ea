/**
 * The extensions against brokers and clients that others wrote: Mosquitto where it is installed,
 * npm mqtt at the other end.
 */
import assert from 'node:assert/strict'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import mqtt from 'mqtt'
import mqttPacket from 'mqtt-packet'
import { ERR_EXPIRED, ERR_NOT_AVAILABLE, ERR_STALE, MqttClient, OK } from '../../src/index.js'
import type { ClientOptions } from '../../src/index.js'
import { nextUserProperty, textAt, valueOf } from '../../src/message-properties.js'
import { Requester, respond } from '../../src/request.js'
import { ManualAck } from '../../src/session/manual-ack.js'
import { TopicAliases } from '../../src/session/topic-aliases.js'
import { NodeSystem, run, TcpTransport, type Running } from '../../hal/node/index.js'
import { hasMosquitto, Mosquitto } from './mosquitto.js'
import { until } from '../until.js'

const system = new NodeSystem()
const open: { client: MqttClient; running: Running }[] = []

function ours(url: string, clientId: string, options: Partial<ClientOptions> = {}): MqttClient {
  const client = new MqttClient({
    system,
    transport: new TcpTransport(),
    broker: url,
    clientId,
    retryMinMs: 20,
    retryMaxMs: 100,
    ...options,
  })
  open.push({ client, running: run(client) })
  client.start()
  return client
}

async function endAll(): Promise<void> {
  for (const { client, running } of open.splice(0)) {
    client.stop()
    await until('a client to stop', () => client.isStopped)
    running.stop()
  }
}

const taps: Tap[] = []

/** Stands between client and broker, notes the client's PUBLISH packets, and can cut the wire. */
class Tap {
  readonly published: mqttPacket.IPublishPacket[] = []
  private readonly server: Server
  private readonly sockets: Socket[] = []

  private constructor(server: Server) {
    this.server = server
  }

  static async before(port: number): Promise<Tap> {
    const server = createServer()
    const tap = new Tap(server)
    taps.push(tap)
    server.on('connection', (socket) => {
      const far = connectTcp(port, '127.0.0.1')
      const parser = mqttPacket.parser({ protocolVersion: 5 })
      parser.on('packet', (packet) => {
        if (packet.cmd === 'publish') tap.published.push(packet)
      })
      socket.on('data', (data) => void (parser.parse(data as Buffer), far.write(data)))
      far.on('data', (data) => void socket.write(data))
      for (const [one, other] of [
        [socket, far],
        [far, socket],
      ] as const) {
        one.on('close', () => other.destroy())
        one.on('error', () => other.destroy())
      }
      tap.sockets.push(socket, far)
    })
    server.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    return tap
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.server.address() as { port: number }).port}`
  }

  cut(): void {
    for (const socket of this.sockets.splice(0)) socket.destroy()
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.server.close(resolve))
  }
}

if (hasMosquitto('extensions with Mosquitto')) {
  describe('extensions with Mosquitto', () => {
    let broker: Mosquitto
    let peer: mqtt.MqttClient
    const heard: string[] = []

    before(async () => {
      broker = await Mosquitto.start('max_inflight_messages 10')
      peer = await mqtt.connectAsync(broker.url, { protocolVersion: 5 })
      peer.on('message', (topic, payload) => heard.push(`${topic} ${payload}`))
      await peer.subscribeAsync('from/#', { qos: 2 })
    })
    // Also after a test that failed: nothing keeps running.
    afterEach(async () => {
      await endAll()
      for (const tap of taps.splice(0)) await tap.stop()
      heard.splice(0)
    })
    after(async () => {
      await peer.endAsync(true)
      await broker.stop()
    })

    it('topics arrive that left as aliases, also after the wire was cut', async () => {
      const tap = await Tap.before(broker.port)
      const client = ours(tap.url, 'aliasing', {
        aliases: new TopicAliases(4, 4),
        cleanStart: false,
        sessionExpirySeconds: 60,
      })
      await until('the connection', () => client.isConnected)
      const wanted: string[] = []
      for (let n = 0; n < 60; n++) {
        const topic = `from/a/rather/long/topic/${n % 6}`
        if (client.publish(topic, `${n}`, { qos: 1 + (n % 2) }) > 0) wanted.push(`${topic} ${n}`)
        if (n === 20) tap.cut()
        if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await until('all messages', () => new Set(heard).size >= wanted.length)
      assert.deepEqual([...new Set(heard.splice(0))].sort(), wanted.sort())
      const aliased = tap.published.filter(({ topic }) => topic === '')
      assert.ok(aliased.length > 20, `${aliased.length} without topic`)
      assert.ok(tap.published.every(({ properties }) => (properties?.topicAlias ?? 0) <= 4))
    })

    it('a message that was not acknowledged comes again, one that was does not', async () => {
      const tap = await Tap.before(broker.port)
      const client = ours(tap.url, 'manual', {
        manualAck: new ManualAck(),
        cleanStart: false,
        sessionExpirySeconds: 60,
      })
      const came: [string, number][] = []
      client.subscribe('to/manual/#', { qos: 2 }, ({ text, acknowledgement }) =>
        came.push([text, acknowledgement]),
      )
      let subscribed = false
      client.on('session.subscribed', () => (subscribed = true))
      await until('the subscription', () => subscribed)
      for (const qos of [1, 2] as const) {
        for (const text of ['keep', 'again']) {
          await peer.publishAsync('to/manual/x', `${text} ${qos}`, { qos })
        }
      }
      await until('four messages', () => came.length === 4)
      for (const [text, token] of came) {
        if (text.startsWith('keep')) assert.equal(client.acknowledge(token), OK)
      }
      // What leaves with the next message has arrived before it.
      const ticket = client.publish('from/manual', 'fence', { qos: 1 })
      let acked = 0
      client.on('message.acked', (event) => (acked = event.ticket))
      await until('the fence', () => acked === ticket)
      const old = came.splice(0)
      tap.cut()
      await until('the other two again', () => came.length >= 2)
      assert.deepEqual(came.map(([text]) => text).sort(), ['again 1', 'again 2'])
      for (const [, token] of old) assert.equal(client.acknowledge(token), ERR_STALE)
      for (const [, token] of came) assert.equal(client.acknowledge(token), OK)
      heard.splice(0)
    })

    it('two of our clients: a request is answered, another is not', async () => {
      const server = ours(broker.url, 'server')
      const asker = ours(broker.url, 'asker')
      server.subscribe('ask/upper', { qos: 1 }, (request) => {
        assert.ok(respond(server, request, request.text.toUpperCase()) > 0)
      })
      let isServing = false
      server.on('session.subscribed', () => (isServing = true))
      await until('the server', () => isServing)
      const requester = new Requester(asker, system, {
        responseTopic: 'answers/asker',
        timeoutMs: 1000,
      })
      const seen: string[] = []
      for (const [topic, text] of [
        ['ask/upper', 'one'],
        ['ask/upper', 'two'],
        ['ask/nobody', 'three'],
      ] as const) {
        requester.request(topic, text, (status, answer) =>
          seen.push(`${text} ${status} ${answer?.text ?? '-'}`),
        )
      }
      await until('three results', () => seen.length === 3)
      // Mosquitto tells with PUBACK that nobody is there; another broker leaves it to the time.
      seen.sort()
      assert.ok([ERR_EXPIRED, ERR_NOT_AVAILABLE].some((status) => seen[1] === `three ${status} -`))
      assert.deepEqual([seen[0], seen[2]], [`one ${OK} ONE`, `two ${OK} TWO`])
    })

    it('a request of npm mqtt is answered with its correlation', async () => {
      const server = ours(broker.url, 'server')
      server.subscribe('ask/echo', { qos: 1 }, (request) =>
        respond(server, request, request.payload),
      )
      let isServing = false
      server.on('session.subscribed', () => (isServing = true))
      await until('the server', () => isServing)
      await peer.subscribeAsync('answers/peer')
      const answer = new Promise<mqttPacket.IPublishPacket>((resolve) => {
        peer.on('message', (topic, _, packet) => {
          if (topic === 'answers/peer') resolve(packet)
        })
      })
      const correlationData = Buffer.from([0, 1, 2, 255])
      const properties = { responseTopic: 'answers/peer', correlationData }
      await peer.publishAsync('ask/echo', 'back', { properties })
      const packet = await answer
      assert.equal(String(packet.payload), 'back')
      assert.deepEqual(packet.properties!.correlationData, correlationData)
    })

    it('user properties cross in both directions, in order and with repeats', async () => {
      const client = ours(broker.url, 'users')
      const seen: string[] = []
      let subscribed = false
      client.on('session.subscribed', () => (subscribed = true))
      client.subscribe('users/x', { identifier: 77 }, (it) => {
        for (let at = nextUserProperty(it, 0); at >= 0; at = nextUserProperty(it, at)) {
          seen.push(`${textAt(it, at)}=${textAt(it, valueOf(it, at))}`)
        }
        seen.push(`${it.properties.subscriptionIdentifiers}`)
      })
      await until('the subscription', () => subscribed)
      const userProperties = [
        ['a', '1'],
        ['b', 'ü'],
        ['a', '2'],
      ]
      client.publish('users/x', 'from us', { qos: 1, properties: { userProperties } })
      await until('the message', () => seen.length === 4)
      assert.deepEqual(seen.splice(0), ['a=1', 'b=ü', 'a=2', '77'])
      await peer.publishAsync('users/x', 'x', { properties: { userProperties: { c: ['3', '4'] } } })
      await until('the other message', () => seen.length === 3)
      assert.deepEqual(seen, ['c=3', 'c=4', '77'])
    })

    it('the broker gives a name, and the session is found under it', async () => {
      const tap = await Tap.before(broker.port)
      const options = { cleanStart: false, sessionExpirySeconds: 60 }
      const client = ours(tap.url, '', options)
      const present: boolean[] = []
      client.on('client.connected', (event) => present.push(event.sessionPresent))
      await until('the connection', () => present.length === 1)
      assert.ok(client.clientId.length > 0)
      const name = client.clientId
      tap.cut()
      await until('the connection again', () => present.length === 2)
      assert.deepEqual([present, client.clientId], [[false, true], name])
    })

    it('a shared subscription divides messages between two clients, each once', async () => {
      const seen: string[] = []
      let ready = 0
      for (const name of ['left', 'right']) {
        const client = ours(broker.url, name)
        client.on('session.subscribed', () => ready++)
        client.subscribe('$share/group/shared/+', { qos: 1 }, ({ text }) => seen.push(text))
      }
      await until('both', () => ready === 2)
      for (let n = 0; n < 20; n++) await peer.publishAsync('shared/x', `${n}`, { qos: 1 })
      await until('all', () => seen.length >= 20)
      assert.deepEqual(
        seen.map(Number).sort((a, b) => a - b),
        [...Array(20).keys()],
      )
    })
  })
}
