/**
 * Drops: what the session does when the queue gives a message up, whatever the reason.
 *
 * The broker may know the exchange. Then its Packet Identifier stays blocked until the broker has
 * ended it, and its PUBLISH goes on counting against Receive Maximum.
 */
import { MESSAGE_DROPPED, MESSAGE_PERSISTED, STORAGE_FAILED } from '../events.js'
import type { QueueListener } from '../queue/queue-listener.js'
import { ERR_REFUSED, OK, type Status } from '../status.js'
import { RELEASED } from '../store/exchange-window.js'
import type { Connection } from './connection.js'
import type { InFlight } from './in-flight.js'

export class Drops implements QueueListener {
  private readonly connection: Connection
  private readonly lane: InFlight

  constructor(connection: Connection, lane: InFlight) {
    this.connection = connection
    this.lane = lane
  }

  onDropping(number: number, state: number, status: Status, qos: number): void {
    const lane = this.lane
    // What the broker refused it has ended itself [MQTT-4.3.3-9]. What it may hold is blocked until
    // PUBCOMP frees the identifier.
    if (status !== ERR_REFUSED && qos === 2 && this.mayBeHeld(number)) {
      this.connection.state.owed.add(lane.packetIdOf(number))
      // Its PUBLISH left on an earlier connection: no PUBREC will come that PUBREL could answer.
      if (state !== RELEASED && !lane.wasSentHere(number)) {
        this.connection.exchanges.pubrelOwed(lane.packetIdOf(number))
      }
    }
    if (status === ERR_REFUSED) lane.ended(number, state)
    else lane.abandon(number, state)
  }

  mayBeKnown(number: number): boolean {
    return this.lane.mayHaveBeenSent(number)
  }

  mayBeHeld(number: number): boolean {
    const lane = this.lane
    return (
      this.connection.state.sessionMayExist &&
      lane.isTouched(number) &&
      lane.mayBeQos2(number, lane.queue.window.state(number))
    )
  }

  get placesLeft(): number {
    const owed = this.connection.state.owed
    return owed.packetIds.length - owed.count
  }

  onDropped(number: number, status: Status, reasonCode: number): void {
    const ticket = number === 0 ? 0 : this.lane.ticketOf(number)
    this.connection.events.emitTicket(MESSAGE_DROPPED, ticket, status, reasonCode)
  }

  onPersisted(number: number): void {
    const ticket = this.lane.ticketOf(number)
    this.connection.events.emitTicket(MESSAGE_PERSISTED, ticket, OK, 0)
  }

  onStorageFailed(status: Status): void {
    this.connection.events.emitTicket(STORAGE_FAILED, 0, status, 0)
  }
}
