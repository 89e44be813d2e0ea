/**
 * Farewell: how a client ends, with DISCONNECT or without, and that what was written before it
 * leaves first: the class of the standard hands bytes to the socket at once, ours queues them.
 */
import type { MqttClient } from '../client.js'
import { numberAfter, QUEUED } from '../store/exchange-window.js'
import type { System } from '../../hal/system.js'
import type { Transport } from '../../hal/transport.js'
import type { PartsReader } from './parts-reader.js'

/** Thrown inside `poll` after `close`: what has not been handed over stays the broker's. */
export const CLOSED = 'closed'
/** The longest that DISCONNECT waits for what was written before it. */
const DRAIN_MS = 5000

export class Farewell {
  private readonly client: MqttClient
  private readonly transport: Transport
  private readonly reader: PartsReader
  private readonly system: System
  /** When DISCONNECT leaves at the latest; -1: it is not due. */
  private leaveBy: number

  constructor(client: MqttClient, transport: Transport, reader: PartsReader, system: System) {
    this.client = client
    this.transport = transport
    this.reader = reader
    this.system = system
    this.leaveBy = -1
  }

  /** DISCONNECT was written. */
  begin(): void {
    this.leaveBy = this.system.now() + DRAIN_MS
  }

  /** Lets DISCONNECT leave when it may. Milliseconds until then at the latest. */
  poll(now: number): number {
    if (this.leaveBy < 0) return Infinity
    if (this.client.isConnected && now < this.leaveBy && this.hasUnsent()) return this.leaveBy - now
    this.leaveBy = -1
    this.client.stop()
    return 0
  }

  /**
   * `close`: what was written leaves as far as the network takes it now. Only with `isLeaving` a
   * DISCONNECT follows: without it the broker publishes the will.
   */
  end(isLeaving: boolean): void {
    this.reader.deafen()
    if (this.client.isConnected) this.lastPoll()
    if (isLeaving) {
      this.client.stop()
      this.lastPoll()
    }
    this.client.flush()
    this.transport.close()
  }

  private lastPoll(): void {
    try {
      this.client.poll(this.system.now())
    } catch (error) {
      if (error !== CLOSED) throw error
    }
  }

  private hasUnsent(): boolean {
    const lanes = this.client.session.connection.lanes
    for (let index = 0; index < lanes.length; index++) {
      const queue = lanes[index]!.queue
      const window = queue.window
      const end = queue.log.nextNumber
      for (let number = window.base; number !== end; number = numberAfter(number)) {
        if (!window.spans(number) || window.state(number) === QUEUED) return true
      }
    }
    return false
  }
}
