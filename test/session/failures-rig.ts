/**
 * What the tests of the known failures share: a device with its flash, and a broker model on the
 * other end of the wire that can lose the connection at any byte.
 */
import { recount } from './recount.js'
import assert from 'node:assert/strict'
import { ManualSystem, NorFlash, Random } from '../../hal/memory/index.js'
import type { ClientOptions } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { COMPLETE, numberAfter } from '../../src/store/exchange-window.js'
import { Desk, parse, type Packet } from './desk.js'
import type { ModelBroker } from './model-broker.js'

/** Options of a client without storage whose broker keeps its session. */
export const kept = { sessionExpirySeconds: 3600, cleanStart: false } as const

export const VERSIONS = [4, 5]

let boots = 0

export function board(capacity = 16 * 1024): NorFlash {
  return new NorFlash({ capacity, eraseSize: 1024, writeSize: 4 })
}

/** A boot of the device with this flash. */
export function boot(flash: NorFlash, options: Partial<ClientOptions> = {}): Desk {
  const system = new ManualSystem(100 + ++boots)
  return new Desk({ storage: new FlashStore(flash, system), ...options }, system)
}

/** The ways a client can come back: the same process, or a reboot on its flash. */
export const RETURNS: [string, (desk: Desk, flash: NorFlash, options: object) => Desk][] = [
  ['without a reboot', (desk) => desk],
  ['with a reboot', (_, flash, options) => boot(flash, options)],
]

/** Connects a desk that was connected before, or was just booted. */
export function comeBack(desk: Desk, connack: Record<string, any> = { sessionPresent: true }) {
  if (desk.client.isStopped) return desk.connect(connack)
  if (desk.transport.state === 2) return desk.reconnect(connack)
  for (desk.poll(); desk.transport.state !== 1; desk.poll()) desk.system.advance(desk.waitMs)
  return desk.connect(connack)
}

export function message(qos: number, messageId: number, text: string, dup = false) {
  return { cmd: 'publish', topic: 'in/1', payload: text, qos, messageId, dup, retain: false }
}

/** What is counted as in flight must be what the window says, after whatever happened. */
export function checkCounts(desk: Desk): void {
  if (!desk.client.isConnected) return
  const connection = desk.client['session'].connection
  assert.equal(connection.exchanges.count, recount(connection), 'in flight, counted and recounted')
}

/** Messages accepted and not settled, those behind an older open one not counted twice. */
export function openCount(desk: Desk): number {
  const { window, log } = desk.client['queues'][0]!
  let count = 0
  for (let number = window.base; number !== log.nextNumber; number = numberAfter(number)) {
    if (window.state(number) !== COMPLETE) count++
  }
  return count
}

export function textsOf(packets: Packet[]): string[] {
  return packets.filter(({ cmd }) => cmd === 'publish').map(({ payload }) => String(payload))
}

/** Whole packets without the SUBSCRIBEs among them, which the model broker does not know. */
export function withoutSubscribes(bytes: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const size = 2 + bytes[at + 1]!
    if (bytes[at] !== 0x82) kept.push(bytes.subarray(at, at + size))
    at += size
  }
  return Buffer.concat(kept)
}

/** The two ends of a wire that breaks after so many bytes in each direction. */
export class Wire {
  readonly desk: Desk
  readonly broker: ModelBroker
  /** Bytes that still arrive at the client. */
  toClient = Infinity
  /** First bytes of the packets that arrived whole at the client. */
  readonly arrived: number[] = []

  constructor(desk: Desk, broker: ModelBroker) {
    this.desk = desk
    this.broker = broker
  }

  /** Bytes go to and fro until nobody has any. `onRound` runs between two polls. */
  pump(onRound: () => void = () => {}): void {
    const { desk, broker } = this
    for (let round = 0; round < 400; round++) {
      desk.poll()
      checkCounts(desk)
      if (desk.transport.state === 1) {
        desk.transport.accept()
        continue
      }
      const sent = desk.transport.takeSent()
      if (sent.length === 0 && desk.waitMs > 0) {
        if (desk.client.isConnected || desk.transport.state === 2 || this.isLimited) return
        desk.system.advance(desk.waitMs) // the pause before the next attempt
      }
      for (const answer of broker.receive(sent)) this.deliver(answer)
      onRound()
    }
    assert.fail('the exchange does not come to rest')
  }

  /** Breaks the connection if there is one, and lets the client come back on a whole wire. */
  breakAndReturn(desk: Desk = this.desk): Wire {
    if (this.desk.transport.state === 2) this.desk.transport.drop('cut')
    this.broker.connectionLost()
    desk.poll()
    desk.transport.takeSent()
    const wire = new Wire(desk, this.broker)
    desk.transport.room = Infinity
    desk.system.advance(120000)
    if (desk.client.isStopped) desk.client.start()
    return wire
  }

  /** As `pump`, and the packets the client sent meanwhile, for a wire that was not limited. */
  pumpAndRead(): Packet[] {
    const receive = this.broker.receive.bind(this.broker)
    const seen: Packet[] = []
    this.broker.receive = (bytes) => {
      seen.push(...parse(bytes, this.desk.version))
      return receive(bytes)
    }
    try {
      this.pump()
    } finally {
      this.broker.receive = receive
    }
    return seen
  }

  /** True when a connection that ended is to stay away, because the wire was to be cut. */
  private get isLimited(): boolean {
    return this.toClient !== Infinity || this.desk.transport.room !== Infinity
  }

  private deliver(bytes: Uint8Array): void {
    const part = bytes.subarray(0, Math.min(bytes.length, this.toClient))
    this.toClient -= part.length
    if (this.desk.transport.state !== 2 || part.length === 0) return
    this.desk.transport.deliver(part)
    if (part.length === bytes.length) this.arrived.push(bytes[0]!)
  }
}

/** Chance of a test: HOLDFAST_SEED or a new seed, told when the body fails. */
export function withSeed(file: string, body: (chance: Random) => void): void {
  const given = process.env.HOLDFAST_SEED
  const seed = given === undefined ? Math.floor(Math.random() * 0x100000000) : Number(given)
  try {
    body(new Random(seed))
  } catch (error) {
    const command = `HOLDFAST_SEED=${seed} node --test dist/test/session/${file}`
    console.error(`seed ${seed}; repeat: ${command}`)
    throw error
  }
}
