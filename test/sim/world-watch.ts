/**
 * The watch looks into a device after each of its steps: what must be true of the client at every
 * moment, of its lanes, and of a sleep. It knows the insides of the client by name.
 */
import { ERR_DROPPED, ERR_FULL, OK } from '../../src/status.js'
import type { MqttClient, SleepReport } from '../../src/index.js'
import type { FlashStore } from '../../src/storage.js'
import { recount } from '../session/recount.js'
import { violate } from './world-clock.js'
import type { DeviceConfig } from './world-config.js'
import type { LaneBook } from './world-lane-book.js'
import { type Ledger } from './world-ledger.js'
import { type OutMessage, TICKET_STEP } from './world-message.js'

/** The longest that a device is busy with other things, milliseconds. */
export const BUSY_MS = 400
/** Inbound QoS 2 identifiers that a client remembers at the most. */
const INBOUND_LIMIT = 64
/** Numbers that are looked at from the oldest message on. */
const WINDOW_SPAN = 64

export class Watch {
  private readonly config: DeviceConfig
  private readonly ledger: Ledger
  private client: MqttClient | null = null
  private wasConnected = false
  /** When a lane held nothing, or perhaps had no room for it. */
  private readonly fullAt: number[] = []
  private erases = 0
  private erasedAhead = 0
  /** How often the client said that its session was lost. */
  sessions = 0
  private store: FlashStore | null = null
  private droppedNow = 0

  constructor(config: DeviceConfig, ledger: Ledger) {
    this.config = config
    this.ledger = ledger
  }

  booted(client: MqttClient, store: FlashStore): void {
    this.client = client
    this.store = store
    this.wasConnected = false
  }

  private get connection() {
    return this.client!['session'].connection
  }

  /** What is true after every step. */
  check(): void {
    const { connection } = this
    const { count } = connection.exchanges
    if (this.client!.isConnected && count !== recount(connection)) {
      violate(`in-flight count ${count}, counted again ${recount(connection)}`)
    }
    // MQTT 3.1.1 cannot tell the broker a limit; there the size of the table is the bound.
    const limit = this.config.protocol === 5 ? this.config.client.receiveMaximum! : INBOUND_LIMIT
    if (connection.state.inbound.count > limit) {
      violate('more inbound QoS 2 identifiers than Receive Maximum')
    }
  }

  /** What is true after every poll: nothing stays in RAM longer than its lane allows. */
  polled(now: number): void {
    this.ledger.stepped()
    const isConnected = this.client!.isConnected
    for (const lane of this.ledger.lanes) {
      const { unkept, rules } = lane
      const [oldest] = unkept
      if (!oldest || !this.hasAmpleRoom(lane)) {
        this.fullAt[lane.index] = now
        continue
      }
      const name = `message ${oldest.seq} is in RAM only`
      if (this.wasConnected && !isConnected) violate(`${name} although the link has dropped`)
      if (rules.durability === 'offline') {
        if (!isConnected) violate(`${name} although there is no connection`)
      } else {
        const heldMs = now - Math.max(oldest.acceptedAt, this.fullAt[lane.index] ?? 0)
        if (heldMs > rules.groupMs + 4 * BUSY_MS) violate(`${name} for ${Math.round(heldMs)} ms`)
      }
    }
    this.wasConnected = isConnected
  }

  /** True when no doubt is possible that flash takes what a lane holds in RAM. */
  private hasAmpleRoom({ rules, index }: LaneBook): boolean {
    const { freeBytes } = this.client!['queues'][index]!.log
    return freeBytes > 3 * rules.groupBytes + 2 * this.config.eraseSize
  }

  /** `sent` is about to leave: no message of a lane with a higher priority waits that could. */
  checkPriority(sent: OutMessage, connection: number): void {
    const { lanes } = this.ledger
    // What comes again in one session does so before anything new.
    const comesAgain = sent.sendings > 1 && sent.sentSession === this.sessions
    sent.sentSession = this.sessions
    if (lanes.length < 2 || comesAgain) return
    for (const lane of lanes) {
      if (lane.rules.priority <= sent.lane.rules.priority) continue
      for (const message of lane.open) {
        if (message.sentOn === connection) continue
        // What was sent on an earlier connection may have become a PUBREL.
        if (message.sentOn >= 0 || !this.mayLeave(message)) break
        violate(`message ${sent.seq} is sent before ${message.seq} of a lane with priority`)
      }
    }
  }

  private mayLeave(message: OutMessage): boolean {
    if (message.fate === 'pending') return false // its payload is not whole
    const { connection } = this
    const { window } = this.client!['queues'][message.lane.index]!
    if ((message.number - window.base) >>> 0 >= WINDOW_SPAN) return false
    for (const { packetIds, count } of [connection.state.owed, connection.exchanges.abandoned]) {
      const inLane = (packetId: number) => (packetId - 1) >> 12 === message.lane.index
      if (packetIds.subarray(0, count).some(inLane)) return false
    }
    return true
  }

  // Publishing

  /** The ticket that the next message of a lane will get. */
  nextTicket({ index }: LaneBook): number {
    return TICKET_STEP * index + this.client!['queues'][index]!.log.nextNumber
  }

  beforePublish(message: OutMessage): void {
    this.erases = this.eraseCount
    this.erasedAhead = this.store!.lanes[message.lane.index]!.flash.erasedAhead
    this.droppedNow = 0
  }

  private get eraseCount(): number {
    return this.store!.lanes.reduce((sum, { flash }) => sum + flash.hotErases, 0)
  }

  /** A new message was given up: message.dropped without a ticket. */
  newestDropped(status: number, message: OutMessage | null, now: number): void {
    if (message === null || status !== ERR_DROPPED) violate('a message without ticket is dropped')
    if (message.lane.rules.overflow !== 'drop-newest') violate('a new message is dropped')
    message.lane.newestDropped(now)
    this.droppedNow++
  }

  /** `publish` has returned: what it may return, and that it did not wait for an erase. */
  published(message: OutMessage, ticket: number): void {
    const { lane, qos } = message
    const { rules } = lane
    const mayGiveUp = rules.overflow !== 'reject' && rules.overflow !== 'drop-newest'
    const isPlain = !rules.isGroup && !mayGiveUp
    if (this.eraseCount > this.erases && this.erasedAhead > 0 && isPlain) {
      violate('publish erases although a sector is erased ahead')
    }
    if (qos === 0) return
    if (ticket === 0) violate(`publish of QoS ${qos} returned no ticket`)
    if ((ticket === ERR_DROPPED) !== (this.droppedNow === 1) || this.droppedNow > 1) {
      violate(`publish returned ${ticket}, and ${this.droppedNow} new messages were dropped`)
    }
    if (ticket > 0 || ticket === ERR_DROPPED) return
    if (ticket !== ERR_FULL || rules.overflow === 'drop-newest') {
      violate(`publish returned ${ticket} in a lane with ${rules.overflow}`)
    }
    if (this.client!['queues'][lane.index]!.isEmpty) violate('publish finds an empty lane full')
  }

  // Sleep

  /** A sleep is reported: in time, with the truth. All times are virtual. */
  slept(
    report: SleepReport,
    now: number,
    askedAt: number,
    deadline: number,
    wasStopped: boolean,
  ): void {
    if (now > deadline + BUSY_MS + 1) violate(`a sleep begins ${now - deadline} ms late`)
    const client = this.client!
    // What was published after the last acknowledgement came while DISCONNECT was on its way.
    const isLeft = this.ledger.lanes.some(({ open }) => {
      return [...open].some(({ fate, acceptedAt }) => fate !== 'pending' && acceptedAt < askedAt)
    })
    if (now < deadline - 1 && isLeft && !wasStopped) {
      violate('a sleep begins early, and messages are left')
    }
    if (!client.isStopped) violate('a sleep begins, and the client is not stopped')
    if (report.queued !== client.stats.queued) violate('a sleep reports a wrong queue')
    if (report.status === OK) this.ledger.slept(now)
    else if (report.status !== ERR_FULL) violate('a sleep reports status ' + report.status)
    else if (this.ledger.lanes.every((lane) => this.hasAmpleRoom(lane))) {
      violate('a sleep finds the flash full')
    }
  }

  /** All is settled: writes that a group has saved are those of messages never kept. */
  checkSaved(): void {
    const { lanes } = this.client!.stats
    for (const { index, savedCount, droppedCount } of this.ledger.lanes) {
      const { savedWrites } = lanes[index]!
      if (savedWrites <= savedCount && savedWrites >= savedCount - droppedCount) continue
      violate(`lane ${index} has saved ${savedWrites} writes, ${savedCount} messages were not kept`)
    }
  }
}
