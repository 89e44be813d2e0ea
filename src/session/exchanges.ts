/**
 * Exchanges: what the outgoing exchanges of all lanes share on one connection: the broker's quota,
 * the PUBRELs that are due, and the Packet Identifiers of messages that are gone.
 *
 *   1 to 32,768        PUBLISH, 4,096 for each lane
 *   32,769 to 65,535   SUBSCRIBE and UNSUBSCRIBE
 */
import { PACKET_ID_SET_LIMIT, PacketIdSet } from '../store/session-state.js'

/** Packet Identifiers of one lane; a power of two. */
export const LANE_IDS = 4096
/** The first identifier of SUBSCRIBE and UNSUBSCRIBE. */
export const FIRST_SUBSCRIBE_ID = 32769

export class Exchanges {
  /** PUBLISH packets that count against Receive Maximum: sent here, or released, or abandoned. */
  count: number
  /**
   * Identifiers of PUBLISH packets that were sent here and whose message was dropped since. For
   * the broker they are in flight until it has answered.
   */
  readonly abandoned: PacketIdSet
  /**
   * Identifiers that are owed a PUBREL until PUBCOMP comes, in the order of their PUBRECs
   * [MQTT-4.6.0-4]; the first `sentCount` of them were sent it on this connection.
   */
  readonly due: PacketIdSet
  private sentCount: number

  /** `dueLimit`: PUBRELs that can be due, each released one and each owed. */
  constructor(dueLimit: number) {
    this.count = 0
    this.abandoned = new PacketIdSet(PACKET_ID_SET_LIMIT)
    this.due = new PacketIdSet(dueLimit)
    this.sentCount = 0
  }

  /** A new connection: nothing was sent on it. */
  reset(): void {
    this.abandoned.clear()
    this.sentCount = 0
    this.count = 0
  }

  /** PUBREL is to be sent, again if the broker repeats its PUBREC. */
  pubrelDue(packetId: number): void {
    if (this.due.indexOf(packetId) >= this.sentCount) return
    this.pubrelOver(packetId)
    this.due.add(packetId)
  }

  /** The same for a message that is gone: not while one is on its way [MQTT-4.4.0-1]. */
  pubrelOwed(packetId: number): void {
    if (this.due.indexOf(packetId) < 0) this.due.add(packetId)
  }

  /** The identifier whose PUBREL is due first, or 0. */
  firstDue(): number {
    return this.sentCount < this.due.count ? this.due.packetIds[this.sentCount]! : 0
  }

  pubrelSent(): void {
    this.sentCount++
  }

  /** The exchange has ended: no PUBREL is owed any more. */
  pubrelOver(packetId: number): void {
    const index = this.due.indexOf(packetId)
    if (index >= 0 && index < this.sentCount) this.sentCount--
    this.due.remove(packetId)
  }

  /** The broker has ended an exchange whose message is gone. False when there was none. */
  abandonedEnded(packetId: number): boolean {
    const isKnown = this.abandoned.remove(packetId)
    if (isKnown) this.count--
    return isKnown
  }
}
