/**
 * Connection: what the parts of the session share about the connection of the moment.
 *
 * It holds the buffers, the limits of the broker and the clocks; it decides nothing. Whoever finds
 * a reason to end the connection notes it with `fail`; the session acts on it at its next step.
 */
import { PacketReader } from '../codec/packet-reader.js'
import type { Events } from '../events.js'
import { InboundMessage } from '../inbound-message.js'
import type { Settings } from '../options.js'
import type { OutgoingQueue } from '../queue/outgoing-queue.js'
import type { SessionState } from '../store/session-state.js'
import { Brokers } from './brokers.js'
import { Exchanges, LANE_IDS } from './exchanges.js'
import { InFlight } from './in-flight.js'
import { OK, type Status } from '../status.js'
import { Limits } from './limits.js'
import { SendBuffer } from './send-buffer.js'
import { Subscriptions } from './subscriptions.js'

/** A `failure` that is none: end this connection in order and make the next one at once. */
export const RESTART = 1

export class Connection {
  readonly settings: Settings
  readonly events: Events
  readonly state: SessionState
  readonly brokers: Brokers
  readonly exchanges: Exchanges
  /** One for each lane, in the order of the options, and in the order in which they are sent. */
  readonly lanes: InFlight[]
  readonly lanesByPriority: InFlight[]
  readonly limits: Limits
  readonly subscriptions: Subscriptions
  readonly sendBuffer: SendBuffer
  /** A layer above the client may put another in its place, before the first connection. */
  reader: PacketReader
  readonly message: InboundMessage
  /** True between CONNACK and the end of the connection. */
  isConnected: boolean
  /** The time of the `poll` that is running. */
  now: number
  /** Rises with each connection: what belongs to an earlier one is stale. */
  epoch: number
  /**
   * Inbound QoS 2 messages taken on earlier connections: they stand first in their set, and the
   * broker's quota of this connection does not know them [MQTT-4.9.0-1].
   */
  heldBefore: number
  /** Why the connection must end: a negative status, or RESTART; 0 while it need not. */
  failure: number
  /** When the last packet left and the last byte came. */
  sentAt: number
  receivedAt: number
  /** PINGREQ is sent whatever the time, to see whether the broker is there. */
  isPingDue: boolean
  /** With `brokers`: the client is on its way to the first one; nothing new is sent. */
  isGoingHome: boolean
  /** When PINGREQ was sent that was not answered yet, or -1. */
  pingSentAt: number
  /** When the oldest unanswered PUBLISH or the last answer was, for `ackTimeoutMs`. */
  progressAt: number

  constructor(settings: Settings, events: Events, queues: OutgoingQueue[]) {
    this.settings = settings
    this.events = events
    this.state = queues[0]!.state
    this.brokers = new Brokers(settings.brokers.length, this.state.home)
    // Released exchanges of every lane, and those that are owed a PUBREL: 64 each at the most.
    this.exchanges = new Exchanges(queues.length < 2 ? 128 : queues.length < 4 ? 256 : 1024)
    this.lanes = []
    for (let index = 0; index < queues.length; index++) {
      const lane = new InFlight(queues[index]!, this.exchanges)
      this.lanes.push(lane)
    }
    this.lanesByPriority = this.lanes
    if (queues.length > 1) this.lanesByPriority = this.lanes.slice(0).sort(byPriority)
    this.limits = new Limits()
    this.subscriptions = new Subscriptions(events, this.state)
    this.sendBuffer = new SendBuffer(settings.sendBufferSize, settings.system)
    const receiveBuffer = new Uint8Array(settings.receiveBufferSize)
    this.reader = new PacketReader(receiveBuffer, settings.version, settings.system)
    this.message = new InboundMessage(receiveBuffer)
    this.isConnected = false
    this.now = 0
    this.epoch = 0
    this.heldBefore = 0
    this.failure = 0
    this.sentAt = 0
    this.receivedAt = 0
    this.isPingDue = false
    this.isGoingHome = false
    this.pingSentAt = -1
    this.progressAt = 0
  }

  /** Empties everything that belongs to one connection only. */
  reset(now: number): void {
    this.sendBuffer.clear()
    this.reader.reset()
    this.isConnected = false
    this.epoch++
    this.failure = 0
    this.sentAt = now
    this.receivedAt = now
    this.isPingDue = false
    this.isGoingHome = false
    this.pingSentAt = -1
    this.progressAt = now
  }

  /** The lane whose Packet Identifiers include this one; any lane when none does. */
  laneOf(packetId: number): InFlight {
    return this.lanes[Math.floor((packetId - 1) / LANE_IDS)] ?? this.lanes[0]!
  }

  /** Messages that the broker at `state.home` may know. */
  get touchedCount(): number {
    let count = 0
    for (let index = 0; index < this.lanes.length; index++) {
      count += this.lanes[index]!.touchedCount()
    }
    return count
  }

  /** Tells the lanes whether messages may be held in RAM for a while. */
  setOnline(isOnline: boolean): void {
    for (let index = 0; index < this.lanes.length; index++) {
      this.lanes[index]!.queue.setOnline(isOnline)
    }
  }

  /** Makes durable what waits to be, in all lanes: OK, or the first reason why not. */
  flushQueues(): Status {
    let status = OK
    for (let index = 0; index < this.lanes.length; index++) {
      const result = this.lanes[index]!.queue.flush()
      if (status === OK) status = result
    }
    return status
  }

  /** Notes why the connection must end; the first reason stays. */
  fail(status: number): void {
    if (this.failure === 0) this.failure = status
  }
}

/** Higher numbers first; equal ones in the order of the options. */
function byPriority(a: InFlight, b: InFlight): number {
  const difference = b.queue.lane.priority - a.queue.lane.priority
  return difference === 0 ? a.queue.lane.index - b.queue.lane.index : difference
}
