/**
 * InFlight: the outgoing exchanges of the current connection.
 *
 * A Packet Identifier is not stored anywhere: it follows from the record's number, so that after a
 * reboot the same exchange goes on under the same identifier [MQTT-2.2.1-3, MQTT-4.4.0-1]:
 *
 *   packetId = 1 + (number mod 32,768)      PUBLISH
 *   32,769 to 65,535                        SUBSCRIBE and UNSUBSCRIBE
 *
 * The window spans 64 numbers, so two exchanges never share an identifier. What is kept here, one
 * byte a record of the window, is what this connection has seen of the exchange.
 */
import { type ExchangeWindow, RELEASED, SENT, WINDOW_SPAN } from '../store/exchange-window.js'
import { PACKET_ID_SET_LIMIT, PacketIdSet } from '../store/session-state.js'

const PUBLISH_IDS = 32768
/** The first identifier of SUBSCRIBE and UNSUBSCRIBE. */
export const FIRST_SUBSCRIBE_ID = 32769

/** PUBLISH with QoS 1 or QoS 2 was sent on this connection. */
const PUBLISHED_QOS1 = 1
const PUBLISHED_QOS2 = 2

/** PUBRELs that can be due: each of the window and each that is owed; a power of two. */
const DUE_LIMIT = 128

/** The Packet Identifier of a record. */
export function packetIdOf(number: number): number {
  return 1 + (number & (PUBLISH_IDS - 1))
}

export class InFlight {
  /** PUBLISH packets that count against Receive Maximum: sent here, or released, or abandoned. */
  count: number
  /**
   * Identifiers of PUBLISH packets that were sent here and whose message was dropped since. For
   * the broker they are in flight until it has answered.
   */
  readonly abandoned: PacketIdSet
  private readonly window: ExchangeWindow
  private readonly seen: Uint8Array
  /** Identifiers whose PUBREL is due, in the order of their PUBRECs [MQTT-4.6.0-4]. */
  private readonly due: Uint16Array
  private dueStart: number
  private dueCount: number

  constructor(window: ExchangeWindow) {
    this.window = window
    this.count = 0
    this.seen = new Uint8Array(WINDOW_SPAN)
    this.abandoned = new PacketIdSet(PACKET_ID_SET_LIMIT)
    this.due = new Uint16Array(DUE_LIMIT)
    this.dueStart = 0
    this.dueCount = 0
  }

  /** A new connection: nothing was sent on it. Released exchanges count from the start. */
  reset(): void {
    this.seen.fill(0)
    this.abandoned.clear()
    this.dueStart = 0
    this.dueCount = 0
    this.count = this.recount()
  }

  /** The record a broker means by `packetId`, or 0 when the window has none in flight there. */
  numberOf(packetId: number): number {
    const offset = (packetId - 1 - this.window.base) & (PUBLISH_IDS - 1)
    if (packetId > PUBLISH_IDS || offset >= WINDOW_SPAN) return 0
    const number = (this.window.base + offset) >>> 0
    const state = this.window.state(number)
    return state === SENT || state === RELEASED ? number : 0
  }

  /**
   * True when this PUBLISH may be answered as QoS 1 (PUBACK) or 2 (PUBREC): it was sent with that
   * QoS here, or on an earlier connection and has not had its turn here.
   */
  isAnsweredBy(number: number, qos: number): boolean {
    const seen = this.seen[number & (WINDOW_SPAN - 1)]!
    if (this.window.state(number) !== SENT) return false
    return seen === 0 || (seen & (qos === 1 ? PUBLISHED_QOS1 : PUBLISHED_QOS2)) !== 0
  }

  /** True when the exchange of this record, however far, is one of QoS 2 or may be. */
  mayBeQos2(number: number, state: number): boolean {
    return state === RELEASED || (this.seen[number & (WINDOW_SPAN - 1)]! & PUBLISHED_QOS1) === 0
  }

  /** True when PUBLISH was encoded for this connection. */
  wasSentHere(number: number): boolean {
    return this.seen[number & (WINDOW_SPAN - 1)] !== 0
  }

  /** PUBLISH was encoded for this connection. */
  published(number: number, qos: number): void {
    this.seen[number & (WINDOW_SPAN - 1)] = qos === 1 ? PUBLISHED_QOS1 : PUBLISHED_QOS2
    this.count++
  }

  /** PUBREC came, the window still says SENT. The exchange counts until PUBCOMP. */
  released(number: number): void {
    if (this.seen[number & (WINDOW_SPAN - 1)] === 0) this.count++
  }

  /** PUBREL is to be sent, again if the broker repeats its PUBREC. */
  pubrelDue(packetId: number): void {
    if (this.dueCount === DUE_LIMIT) return
    this.due[(this.dueStart + this.dueCount++) & (DUE_LIMIT - 1)] = packetId
  }

  /** After a resume: PUBREL is due for all that was owed one or released earlier, oldest first. */
  resumeReleases(owed: PacketIdSet): void {
    for (let index = 0; index < owed.count; index++) this.pubrelDue(owed.packetIds[index]!)
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const number = (this.window.base + index) >>> 0
      if (this.window.state(number) === RELEASED) this.pubrelDue(packetIdOf(number))
    }
  }

  /** The identifier whose PUBREL is due first, or 0. */
  firstDue(): number {
    return this.dueCount === 0 ? 0 : this.due[this.dueStart]!
  }

  removeFirstDue(): void {
    this.dueStart = (this.dueStart + 1) & (DUE_LIMIT - 1)
    this.dueCount--
  }

  /** The broker has ended the exchange. Call it before the window forgets its state. */
  ended(number: number, state: number): void {
    if (this.isCounted(number, state)) this.count--
    this.seen[number & (WINDOW_SPAN - 1)] = 0
  }

  /** We gave the message up: its PUBLISH counts until the broker has answered. */
  abandon(number: number, state: number): void {
    if (this.isCounted(number, state) && !this.abandoned.add(packetIdOf(number))) this.count--
    this.seen[number & (WINDOW_SPAN - 1)] = 0
  }

  /** The broker has ended an exchange whose message is gone. False when there was none. */
  abandonedEnded(packetId: number): boolean {
    const isKnown = this.abandoned.remove(packetId)
    if (isKnown) this.count--
    return isKnown
  }

  /** What `count` must be, from the window itself: a test compares the two after every packet. */
  recount(): number {
    let count = this.abandoned.count
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const number = (this.window.base + index) >>> 0
      if (this.isCounted(number, this.window.state(number))) count++
    }
    return count
  }

  private isCounted(number: number, state: number): boolean {
    return state === RELEASED || (state === SENT && this.seen[number & (WINDOW_SPAN - 1)] !== 0)
  }
}
