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
   * [MQTT-4.6.0-4]; the first `sentCount` of them were sent it on this connection. A ring.
   */
  private readonly due: Uint16Array
  private dueStart: number
  private dueCount: number
  private sentCount: number

  /** `dueLimit`, a power of two: PUBRELs that can be due, each released one and each owed. */
  constructor(dueLimit: number) {
    this.count = 0
    this.abandoned = new PacketIdSet(PACKET_ID_SET_LIMIT)
    this.due = new Uint16Array(dueLimit)
    this.dueStart = 0
    this.dueCount = 0
    this.sentCount = 0
  }

  /** A new connection: nothing was sent on it. */
  reset(): void {
    this.abandoned.clear()
    this.sentCount = 0
    this.count = 0
  }

  /** The broker knows of no exchange. */
  forgetPubrels(): void {
    this.dueCount = 0
  }

  /** PUBREL is to be sent, again if the broker repeats its PUBREC. */
  pubrelDue(packetId: number): void {
    for (let index = this.sentCount; index < this.dueCount; index++) {
      if (this.at(index) === packetId) return
    }
    this.pubrelOver(packetId)
    if (this.dueCount === this.due.length) return
    this.due[(this.dueStart + this.dueCount++) & (this.due.length - 1)] = packetId
  }

  /** The identifier whose PUBREL is due first, or 0. */
  firstDue(): number {
    return this.sentCount === this.dueCount ? 0 : this.at(this.sentCount)
  }

  pubrelSent(): void {
    this.sentCount++
  }

  /** The exchange has ended: no PUBREL is owed any more. */
  pubrelOver(packetId: number): void {
    let index = 0
    while (index < this.dueCount && this.at(index) !== packetId) index++
    if (index === this.dueCount) return
    if (index < this.sentCount) this.sentCount--
    // Mostly it is the first. Those before it take a step back.
    for (; index > 0; index--) {
      this.due[(this.dueStart + index) & (this.due.length - 1)] = this.at(index - 1)
    }
    this.dueStart = (this.dueStart + 1) & (this.due.length - 1)
    this.dueCount--
  }

  private at(index: number): number {
    return this.due[(this.dueStart + index) & (this.due.length - 1)]!
  }

  /** The broker has ended an exchange whose message is gone. False when there was none. */
  abandonedEnded(packetId: number): boolean {
    const isKnown = this.abandoned.remove(packetId)
    if (isKnown) this.count--
    return isKnown
  }
}
