/**
 * ResendOrder: with several lanes, which of them has the PUBLISH that is to be sent again next.
 *
 * "When the Client re-sends any PUBLISH packets, it MUST re-send them in the order in which the
 * original PUBLISH packets were sent" [MQTT-4.6.0-1]: over all lanes, whatever their priorities. So
 * the identifiers of what is in flight are kept in that order. Flash does not know it: after a
 * reboot there is the order of each lane, and the lanes follow each other by priority.
 */
import { SENT, WINDOW_SPAN } from '../store/exchange-window.js'
import type { Connection } from './connection.js'
import type { InFlight } from './in-flight.js'

export class ResendOrder {
  private readonly connection: Connection
  /** Some of them have ended, until there is no room: half is enough for what is in flight. */
  private readonly packetIds: Uint16Array
  private count: number
  /** How many had their turn on this connection, or need none. */
  private passed: number

  constructor(connection: Connection) {
    this.connection = connection
    this.packetIds = new Uint16Array(connection.lanes.length * WINDOW_SPAN * 2)
    this.count = 0
    this.passed = 0
  }

  /** A new connection: what was sent on earlier ones comes again. */
  connected(): void {
    this.passed = 0
    this.compact()
    if (this.count === 0) this.addKnown()
  }

  firstSent(packetId: number): void {
    if (this.count === this.packetIds.length) this.compact()
    // One of before a reboot may be sent while others of the list still wait for their turn.
    if (this.passed === this.count) this.passed++
    this.packetIds[this.count++] = packetId
  }

  /** What flash says was sent, lane by lane: after a reboot the list begins with it. */
  private addKnown(): void {
    const lanes = this.connection.lanesByPriority
    for (let index = 0; index < lanes.length; index++) {
      const lane = lanes[index]!
      const window = lane.queue.window
      for (let offset = 0; offset < WINDOW_SPAN; offset++) {
        const number = (window.base + offset) >>> 0
        if (window.state(number) !== SENT) continue
        this.packetIds[this.count++] = lane.packetIdOf(number)
      }
    }
  }

  /** The lane whose turn it is; null: nothing comes again. */
  next(): InFlight | null {
    for (; this.passed < this.count; this.passed++) {
      const packetId = this.packetIds[this.passed]!
      const lane = this.connection.laneOf(packetId)
      const number = lane.numberOf(packetId)
      if (number === 0 || lane.queue.window.state(number) !== SENT) continue
      if (!lane.wasSentHere(number)) return lane
    }
    return null
  }

  private compact(): void {
    const count = this.count
    const passed = this.passed
    this.count = 0
    this.passed = 0
    for (let index = 0; index < count; index++) {
      if (index === passed) this.passed = this.count
      const packetId = this.packetIds[index]!
      if (this.connection.laneOf(packetId).numberOf(packetId) === 0) continue
      this.packetIds[this.count++] = packetId
    }
    if (passed === count) this.passed = this.count
  }
}
