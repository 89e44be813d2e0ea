/**
 * A booted device with the small client on a flash; its network is the test's, its clock stands
 * still. It knows nothing of what the client is to do.
 */
import assert from 'node:assert/strict'
import { ManualSystem, type NorFlash, ScriptedTransport } from '../../hal/memory/index.js'
import { MqttClient, type SmallEvent, type SmallOptions } from '../../src/small/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import type { FaultyFlash } from './faulty-flash.js'

export const IN_FLIGHT = 5
export const CLIENT = 'small'
export const BROKER = 'mqtt://broker.test:1883'

/** What a life needs of a device: a small one, or the full client on its desk. */
export interface Booted {
  readonly system: ManualSystem
  readonly transport: ScriptedTransport
  readonly client: {
    readonly isConnected: boolean
    readonly stats: { readonly queued: number }
    start(): void
    publish(topic: string, payload: string, options: { qos: number }): number
    on(name: 'message.received', handler: (event: { message: { text: string } }) => void): void
    on(name: 'message.dropped', handler: (event: { ticket: number }) => void): void
  }
  readonly waitMs: number
  poll(): void
}

/** A booted device: the client and what it told. */
export class Device {
  readonly system: ManualSystem
  readonly transport = new ScriptedTransport()
  readonly storage: FlashOutbox
  readonly client: MqttClient
  readonly dropped: number[] = []
  readonly failures: number[] = []
  waitMs = 0

  constructor(flash: FaultyFlash | NorFlash, seed: number, options: Partial<SmallOptions> = {}) {
    this.system = new ManualSystem(seed)
    this.storage = new FlashOutbox(flash, this.system, { bufferSize: 400 })
    this.client = new MqttClient({
      system: this.system,
      transport: this.transport,
      storage: this.storage,
      broker: BROKER,
      clientId: CLIENT,
      inFlightLimit: IN_FLIGHT,
      ackBatch: 3,
      ...options,
    })
    this.client.on('message.dropped', (event: SmallEvent) => this.dropped.push(event.ticket))
    this.client.on('storage.failed', (event: SmallEvent) => this.failures.push(event.status))
  }

  /** Polls until the client has nothing to do at this moment. */
  poll(): void {
    for (let round = 0; ; round++) {
      this.waitMs = this.client.poll(this.system.now())
      if (this.waitMs > 0) return
      assert.ok(round < 1000, 'poll goes on asking to be called at once')
    }
  }
}
