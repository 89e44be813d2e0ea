/**
 * An MQTTClient on a desk: the transport is the test's, the clock stands still, turns come when the
 * test says so, and packets are written and read by mqtt-packet, which we did not write.
 */
import assert from 'node:assert/strict'
import { type Polled, MQTTClient, type MQTTClientOptions } from '../../src/ecma419/mqtt-client.js'
import type { WriteOptions } from '../../src/ecma419/mqtt-client.js'
import { ManualSystem, ScriptedTransport } from '../../hal/memory/index.js'
import { bytesOf, connackPacket, type Packet, parse } from '../session/desk.js'

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (data: unknown): string =>
  data === undefined ? '' : new TextDecoder().decode(data as ArrayBuffer)

export type Options = Omit<Partial<MQTTClientOptions>, 'holdfast'> & { holdfast?: object }

export class Rig {
  readonly system: ManualSystem
  readonly transport = new ScriptedTransport()
  readonly client: MQTTClient
  readonly version: number
  /** What the callbacks were told, in words: "control CONNACK", "readable 5 in/1", … */
  readonly log: string[] = []
  /** The second arguments of onControl, copied. */
  readonly controls: Record<string, any>[] = []
  /** What onReadable got. */
  readonly readables: [number, Record<string, any>][] = []
  readonly writables: number[] = []
  readonly errors: Error[] = []
  /** What a callback does beside being noted. */
  onControl: (this: MQTTClient, opcode: number, message: any) => void = () => {}
  onReadable: (this: MQTTClient, count: number, options: any) => void = () => {}
  onWritable: (this: MQTTClient, count: number) => void = () => {}
  onError: (this: MQTTClient, error: Error) => void = () => {}
  polled: Polled | null = null
  isStopped = false
  /** A callback is running, or a method of the pattern: no callback may come then. */
  isInside = false
  private isWoken = false

  constructor(options: Options = {}, system = new ManualSystem(1)) {
    this.system = system
    const { holdfast, ...rest } = options
    this.version = (holdfast as any)?.protocol ?? 4
    const rig = this
    const noting =
      <A extends any[]>(words: (...values: A) => string, then: (...values: A) => void) =>
      (owner: MQTTClient, ...values: A): void => {
        assert.ok(!rig.isInside, 'a callback while a script is running')
        assert.equal(owner, rig.client)
        rig.log.push(words(...values))
        rig.isInside = true
        try {
          then(...values)
        } finally {
          rig.isInside = false
        }
      }
    const control = noting(
      (opcode: number, message: any) => {
        rig.controls.push({ ...message })
        return `control ${NAMES[opcode]}`
      },
      (opcode, message) => rig.onControl.call(rig.client, opcode, message),
    )
    const readable = noting(
      (count: number, message: any) => {
        rig.readables.push([count, { ...message }])
        return `readable ${count} ${message.topic}`
      },
      (count, message) => rig.onReadable.call(rig.client, count, message),
    )
    const writable = noting(
      (count: number) => {
        rig.writables.push(count)
        return 'writable'
      },
      (count) => rig.onWritable.call(rig.client, count),
    )
    const failed = noting(
      (error: Error) => {
        rig.errors.push(error)
        return 'error'
      },
      (error) => rig.onError.call(rig.client, error),
    )
    this.isInside = true
    this.client = new MQTTClient({
      host: 'broker.test',
      id: 'rig',
      onControl(...values: [any, any]) {
        control(this as MQTTClient, ...values)
      },
      onReadable(...values) {
        readable(this as MQTTClient, ...values)
      },
      onWritable(...values) {
        writable(this as MQTTClient, ...values)
      },
      onError(...values) {
        failed(this as MQTTClient, ...values)
      },
      ...rest,
      holdfast: {
        system,
        transport: this.transport,
        run: (polled: Polled) => {
          this.polled = polled
          polled.onWork = () => (this.isWoken = true)
          return { stop: () => (this.isStopped = true) }
        },
        ...holdfast,
      },
    })
    this.isInside = false
  }

  /** Turns until there is nothing to do at this moment. */
  turn(): number {
    for (let round = 0; ; round++) {
      this.isWoken = false
      const waitMs = this.polled!.poll(this.system.now())
      if (waitMs > 0 && !this.isWoken) return waitMs
      assert.ok(round < 1000, 'there is always more to do')
    }
  }

  /** Time passes. */
  after(ms: number): void {
    this.system.advance(ms)
    this.turn()
  }

  /** A call of the application outside of callbacks: none may come before it returns. */
  act<T>(call: (client: MQTTClient) => T): T {
    this.isInside = true
    try {
      return call(this.client)
    } finally {
      this.isInside = false
    }
  }

  write(data: Uint8Array | ArrayBuffer | string | null, options?: WriteOptions): number {
    return this.act((client) =>
      client.write(typeof data === 'string' ? bytes(data) : data, options),
    )
  }

  sent(): Packet[] {
    this.turn()
    return parse(this.transport.takeSent(), this.version)
  }

  /** The packets sent since the last call, by their names. */
  names(): string[] {
    return this.sent().map((packet) => packet.cmd)
  }

  reply(...packets: Record<string, any>[]): void {
    for (const packet of packets) this.transport.deliver(bytesOf(packet, this.version))
    this.turn()
  }

  /** Several packets that arrive in one piece. */
  replyAtOnce(...packets: Record<string, any>[]): void {
    const parts = packets.map((packet) => bytesOf(packet, this.version))
    this.transport.deliver(Buffer.concat(parts))
    this.turn()
  }

  /** Up to CONNACK: returns CONNECT. */
  connect(connack: Record<string, any> = {}): Packet {
    this.turn()
    this.transport.accept()
    const [connect] = this.sent()
    assert.equal(connect!.cmd, 'connect')
    this.reply(connackPacket(this.version, connack))
    return connect!
  }

  /** The connection breaks and comes again. */
  reconnect(connack: Record<string, any> = {}): Packet {
    this.transport.drop('cut')
    this.turn()
    this.after(120000)
    return this.connect(connack)
  }

  /** A log that begins empty. */
  take(): string[] {
    return this.log.splice(0)
  }
}

export const NAMES: Record<number, string> = {}
for (const name of [
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
]) {
  NAMES[(MQTTClient as any)[name]] = name
}

export const publishPacket = (topic: string, payload: string, qos = 0, messageId = 1) => ({
  cmd: 'publish',
  topic,
  payload,
  qos,
  messageId,
  dup: false,
  retain: false,
})
