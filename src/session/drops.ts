/**
 * Drops: what the session does when the queue gives a message up, whatever the reason.
 *
 * The broker may know the exchange. Then its Packet Identifier stays blocked until the broker has
 * ended it, and its PUBLISH goes on counting against Receive Maximum.
 */
import { MESSAGE_DROPPED, STORAGE_FAILED } from '../events.js'
import type { QueueListener } from '../queue/queue-listener.js'
import { ERR_REFUSED, type Status } from '../status.js'
import { COMPLETE, isBefore, QUEUED, RELEASED, WINDOW_SPAN } from '../store/exchange-window.js'
import type { Connection } from './connection.js'
import { packetIdOf } from './in-flight.js'
import type { Outbound } from './outbound.js'

export class Drops implements QueueListener {
  private readonly connection: Connection
  private readonly outbound: Outbound

  constructor(connection: Connection, outbound: Outbound) {
    this.connection = connection
    this.outbound = outbound
  }

  onDropping(number: number, state: number, status: Status): void {
    const inFlight = this.connection.inFlight
    // What the broker refused it has ended itself [MQTT-4.3.3-4].
    const mayBeKnown =
      status !== ERR_REFUSED && (state !== QUEUED || this.outbound.mayHaveBeenSent(number))
    // The broker may hold this identifier for QoS 2: it is blocked until PUBCOMP frees it.
    if (mayBeKnown && this.connection.state.sessionMayExist && inFlight.mayBeQos2(number, state)) {
      this.connection.state.owed.add(packetIdOf(number))
      // Its PUBLISH left on an earlier connection: no PUBREC will come that PUBREL could answer.
      if (state !== RELEASED && !inFlight.wasSentHere(number)) {
        inFlight.pubrelDue(packetIdOf(number))
      }
    }
    if (status === ERR_REFUSED) inFlight.ended(number, state)
    else inFlight.abandon(number, state)
  }

  /** Each exchange that began takes a place among those owed their end; there are so many. */
  mayDropBefore(stays: number): boolean {
    const window = this.connection.queue.window
    const owed = this.connection.state.owed
    let places = owed.packetIds.length - owed.count
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const number = (window.base + index) >>> 0
      if (!isBefore(number, stays)) break
      const state = window.state(number)
      if (state === COMPLETE) continue
      if (state !== QUEUED || this.outbound.mayHaveBeenSent(number)) places--
    }
    return places >= 0
  }

  onDropped(number: number, status: Status, reasonCode: number): void {
    this.connection.events.emitTicket(MESSAGE_DROPPED, number, status, reasonCode)
  }

  onStorageFailed(status: Status): void {
    this.connection.events.emitTicket(STORAGE_FAILED, 0, status, 0)
  }
}
