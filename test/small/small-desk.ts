/**
 * The small client on a desk: its transport is the test's, its clock stands still, and what it
 * sends is read by mqtt-packet, which we did not write.
 */
import assert from 'node:assert/strict'
import { ManualSystem, NorFlash, ScriptedTransport } from '../../hal/memory/index.js'
import {
  MqttClient,
  RamOutbox,
  type SmallEvent,
  type SmallEventName,
  type SmallOptions,
} from '../../src/small/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { bytesOf, connackPacket, type Packet, parse } from '../session/desk.js'

export { words } from '../session/desk.js'

const V311 = 4
const NAMES: SmallEventName[] = [
  'client.connected',
  'client.disconnected',
  'session.lost',
  'session.subscribed',
  'message.acked',
  'message.dropped',
  'storage.failed',
]

export type Seen = Omit<SmallEvent, 'message'> & { name: SmallEventName }

/** Options of a client in RAM whose broker keeps its session. */
export const kept = { cleanStart: false } as const

export class SmallDesk {
  readonly system: ManualSystem
  readonly transport = new ScriptedTransport()
  readonly client: MqttClient
  readonly version = V311
  readonly events: Seen[] = []
  readonly received: { topic: string; text: string; qos: number; dup: boolean }[] = []
  /** What the last `poll` returned. */
  waitMs = 0

  constructor(options: Partial<SmallOptions> = {}, system = new ManualSystem(1)) {
    this.system = system
    this.client = new MqttClient({
      system,
      transport: this.transport,
      storage: new RamOutbox(4000),
      broker: 'mqtt://broker.test:1883',
      clientId: 'desk',
      ...options,
    })
    for (const name of NAMES) {
      this.client.on(name, (event: SmallEvent) => {
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
    this.client.on('message.received', (event: SmallEvent) => {
      const { topic, text, qos, dup } = event.message!
      this.received.push({ topic, text, qos, dup })
    })
  }

  /** Polls until the client has nothing to do at this moment. */
  poll(): void {
    for (let round = 0; ; round++) {
      this.waitMs = this.client.poll(this.system.now())
      if (this.waitMs > 0) break
      assert.ok(round < 1000, 'poll goes on asking to be called at once')
    }
    this.checkCounts()
  }

  /** What is counted as in flight must be what was sent and not answered. */
  private checkCounts(): void {
    const { sent, inFlight } = this.client['session'].exchanges as any
    if (!this.client.isConnected) return
    const counted = sent.filter((step: number) => step !== 0).length
    assert.equal(inFlight, counted, 'in flight, counted and recounted')
  }

  /** Time passes, and the client is polled at its end. */
  after(ms: number): void {
    this.system.advance(ms)
    this.poll()
  }

  /** What the client sent since the last call. */
  sent(): Packet[] {
    this.poll()
    return parse(this.transport.takeSent(), V311)
  }

  /** What one call of `poll` sends. */
  sentAtOnce(): Packet[] {
    this.waitMs = this.client.poll(this.system.now())
    return parse(this.transport.takeSent(), V311)
  }

  /** The one packet the client sent since the last call. */
  sentOne(): Packet {
    const packets = this.sent()
    assert.equal(packets.length, 1, `sent ${packets.map((packet) => packet.cmd).join(', ')}`)
    return packets[0]!
  }

  /** The broker sends packets. */
  reply(...packets: Record<string, any>[]): void {
    for (const packet of packets) this.transport.deliver(bytesOf(packet, V311))
    this.poll()
  }

  /** The broker sends bytes. */
  replyBytes(bytes: Uint8Array): void {
    this.transport.deliver(bytes)
    this.poll()
  }

  /** Starts, opens the transport and takes CONNECT. */
  greet(): Packet {
    if (this.client.isStopped) this.client.start()
    for (this.poll(); this.transport.state !== 1; this.poll()) this.system.advance(this.waitMs)
    this.transport.accept()
    const connect = this.sentOne()
    assert.equal(connect.cmd, 'connect')
    return connect
  }

  /** Connects, after whatever pause is due. */
  connect(connack: Record<string, any> = {}): Packet {
    const connect = this.greet()
    this.reply(connackPacket(V311, connack))
    return connect
  }

  /** The connection breaks, time passes, and the client connects again. */
  reconnect(connack: Record<string, any> = { sessionPresent: true }): Packet {
    this.transport.drop('cut')
    return this.connect(connack)
  }

  /** The events of this name so far. */
  of(name: SmallEventName): Seen[] {
    return this.events.filter((event) => event.name === name)
  }

  publish(qos: number, text = 'x'): number {
    return this.client.publish('t', text, { qos })
  }
}

let boots = 0

export function board(capacity = 16 * 1024): NorFlash {
  return new NorFlash({ capacity, eraseSize: 1024, writeSize: 4 })
}

/** A boot of the device with this flash. */
export function boot(flash: NorFlash, options: Partial<SmallOptions> = {}): SmallDesk {
  const system = new ManualSystem(100 + ++boots)
  return new SmallDesk({ storage: new FlashOutbox(flash, system), ...options }, system)
}

/** The ways a client can come back: the same process, or a reboot on its flash. */
export const RETURNS: [string, (desk: SmallDesk, flash: NorFlash) => SmallDesk][] = [
  ['without a reboot', (desk) => desk],
  ['with a reboot', (_, flash) => boot(flash)],
]

/** Connects a desk that was connected before, or was just booted. */
export function comeBack(desk: SmallDesk, connack: object = { sessionPresent: true }): Packet {
  return desk.transport.state === 2 ? desk.reconnect(connack) : desk.connect(connack)
}

/** A PUBLISH of the broker. */
export function message(qos: number, messageId: number, text: string, dup = false) {
  return { cmd: 'publish', topic: 'in/1', payload: text, qos, messageId, dup, retain: false }
}

export function textsOf(packets: Packet[]): string[] {
  return packets.filter(({ cmd }) => cmd === 'publish').map(({ payload }) => String(payload))
}

export function hex(text: string): Uint8Array {
  const digits = text.replace(/ /g, '')
  const bytes = new Uint8Array(digits.length / 2)
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = Number.parseInt(digits.substr(2 * at, 2), 16)
  }
  return bytes
}
