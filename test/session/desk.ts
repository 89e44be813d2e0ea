/**
 * A client on a desk: its transport is the test's, its clock stands still, and what it sends is
 * read by mqtt-packet, which we did not write.
 */
import assert from 'node:assert/strict'
import mqttPacket from 'mqtt-packet'
import { MqttClient, type ClientOptions } from '../../src/index.js'
import type { ClientEvent, EventName } from '../../src/index.js'
import { ManualSystem, ScriptedTransport } from '../../hal/memory/index.js'

export type Packet = mqttPacket.Packet & Record<string, any>

export interface Seen {
  name: EventName
  ticket: number
  status: number
  reasonCode: number
  sessionPresent: boolean
  count: number
  text: string
  retryMs: number
}

const NAMES: EventName[] = [
  'client.connected',
  'client.disconnected',
  'session.resumed',
  'session.lost',
  'session.subscribed',
  'session.unsubscribed',
  'message.queued',
  'message.persisted',
  'message.sent',
  'message.acked',
  'message.dropped',
  'storage.failed',
]

export class Desk {
  readonly system: ManualSystem
  readonly transport: ScriptedTransport
  readonly client: MqttClient
  readonly version: number
  readonly events: Seen[] = []
  readonly received: { topic: string; text: string; qos: number; dup: boolean }[] = []
  /** What the last `poll` returned. */
  waitMs = 0

  constructor(options: Partial<ClientOptions> = {}, system = new ManualSystem(1)) {
    this.system = system
    this.transport = new ScriptedTransport()
    this.version = options.protocol ?? 5
    this.client = new MqttClient({
      system,
      transport: this.transport,
      broker: 'mqtt://broker.test:1883',
      clientId: 'desk',
      ...options,
    })
    for (const name of NAMES) {
      this.client.on(name, (event: ClientEvent) => {
        const { ticket, status, reasonCode, sessionPresent, count, text, retryMs } = event
        this.events.push({
          name,
          ticket,
          status,
          reasonCode,
          sessionPresent,
          count,
          text,
          retryMs,
        })
      })
    }
    this.client.on('message.received', (event) => {
      const message = event.message!
      this.received.push({
        topic: message.topic,
        text: message.text,
        qos: message.qos,
        dup: message.dup,
      })
    })
  }

  /** Polls until the client has nothing to do at this moment. */
  poll(): void {
    for (let round = 0; ; round++) {
      this.waitMs = this.client.poll(this.system.now())
      if (this.waitMs > 0) break
      assert.ok(round < 1000, 'poll goes on asking to be called at once')
    }
  }

  /** Time passes, and the client is polled at its end. */
  after(ms: number): void {
    this.system.advance(ms)
    this.poll()
  }

  /** What the client sent since the last call. */
  sent(): Packet[] {
    this.poll()
    return parse(this.transport.takeSent(), this.version)
  }

  /** The one packet the client sent since the last call. */
  sentOne(): Packet {
    const packets = this.sent()
    assert.equal(packets.length, 1, `sent ${packets.map((packet) => packet.cmd).join(', ')}`)
    return packets[0]!
  }

  /** The broker sends packets. */
  reply(...packets: Record<string, any>[]): void {
    for (const packet of packets) this.transport.deliver(bytesOf(packet, this.version))
    this.poll()
  }

  /** Starts, opens the transport, takes CONNECT and answers it. */
  connect(connack: Record<string, any> = {}): Packet {
    if (this.client.isStopped) this.client.start()
    this.poll()
    this.transport.accept()
    const connect = this.sentOne()
    assert.equal(connect.cmd, 'connect')
    this.reply(connackPacket(this.version, connack))
    return connect
  }

  /** The connection breaks, time passes, and the client connects again. */
  reconnect(connack: Record<string, any> = {}): Packet {
    this.transport.drop('cut')
    this.poll()
    this.system.advance(120000)
    this.poll()
    this.transport.accept()
    const connect = this.sentOne()
    this.reply(connackPacket(this.version, connack))
    return connect
  }

  /** The events of this name so far. */
  of(name: EventName): Seen[] {
    return this.events.filter((event) => event.name === name)
  }
}

export function connackPacket(version: number, connack: Record<string, any>): Record<string, any> {
  const code = connack.reasonCode ?? 0
  const { reasonCode: _, ...rest } = connack
  return {
    cmd: 'connack',
    sessionPresent: false,
    ...(version === 5 ? { reasonCode: code } : { returnCode: code }),
    ...rest,
  }
}

export function bytesOf(packet: Record<string, any>, version: number): Uint8Array {
  return mqttPacket.generate(packet as mqttPacket.Packet, { protocolVersion: version })
}

export function parse(bytes: Uint8Array, version: number): Packet[] {
  const packets: Packet[] = []
  const parser = mqttPacket.parser({ protocolVersion: version })
  parser.on('packet', (packet) => packets.push(packet as Packet))
  parser.on('error', (error) => {
    throw error
  })
  const left = parser.parse(Buffer.from(bytes))
  assert.equal(left, 0, 'the client sent part of a packet')
  return packets
}

/** The packets in few words: "publish 1 dup", "pubrel 1". */
export function words(packets: Packet[]): string[] {
  return packets.map((packet) => {
    const id = packet.messageId === undefined ? '' : ' ' + packet.messageId
    return packet.cmd + id + (packet.dup ? ' dup' : '')
  })
}
