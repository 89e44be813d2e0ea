/**
 * InFlight: the outgoing exchanges of one lane on the current connection.
 *
 * A Packet Identifier is not stored anywhere: it follows from the record's number, so that after a
 * reboot the same exchange goes on under the same identifier [MQTT-2.2.1-3, MQTT-4.4.0-1]:
 *
 *   packetId = 1 + 4,096 * lane + (number mod 4,096)
 *
 * The window spans 64 numbers, so two exchanges never share an identifier. What is kept here, one
 * byte a record of the window, is what this connection has seen of the exchange.
 */
import type { OutgoingQueue } from '../queue/outgoing-queue.js'
import {
  type ExchangeWindow,
  isBefore,
  QUEUED,
  COMPLETE,
  RELEASED,
  SENT,
  WINDOW_SPAN,
} from '../store/exchange-window.js'
import { type Exchanges, LANE_IDS } from './exchanges.js'

/** PUBLISH with QoS 1 or QoS 2 was sent on this connection. */
const PUBLISHED_QOS1 = 1
const PUBLISHED_QOS2 = 2

/** What a lane adds to a record's number to make the ticket: 32 bits are the number's. */
const TICKET_STEP = 4294967296

export class InFlight {
  readonly queue: OutgoingQueue
  /**
   * Records before this number may have been sent before the last reboot: flash does not say, so
   * they carry DUP and count as in flight. 0: none.
   */
  resumeEnd: number
  /** Records before this number waited when the connection was made. */
  backlogEnd: number
  private readonly exchanges: Exchanges
  private readonly seen: Uint8Array

  constructor(queue: OutgoingQueue, exchanges: Exchanges) {
    this.queue = queue
    this.resumeEnd = 0
    this.backlogEnd = 0
    this.exchanges = exchanges
    this.seen = new Uint8Array(WINDOW_SPAN)
  }

  private get window(): ExchangeWindow {
    return this.queue.window
  }

  /** The Packet Identifier of a record. */
  packetIdOf(number: number): number {
    return 1 + LANE_IDS * this.queue.lane.index + (number & (LANE_IDS - 1))
  }

  /** What the application knows a record by. */
  ticketOf(number: number): number {
    return TICKET_STEP * this.queue.lane.index + number
  }

  /** How far the last boot can have sent, as far as flash tells; `lag`: acknowledgements. */
  assumeSent(lag: number): void {
    const queue = this.queue
    // Where marks tell what was sent, nothing has to be assumed.
    if (queue.keepsSent || !queue.state.sessionMayExist || queue.isEmpty) return
    // Its window began further on than the last mark says, by so many acknowledgements.
    const end = (queue.window.base + WINDOW_SPAN + lag) >>> 0
    this.resumeEnd = isBefore(end, queue.log.nextNumber) ? end : queue.log.nextNumber
  }

  /** True when the record may have been sent before a reboot. */
  mayHaveBeenSent(number: number): boolean {
    return this.resumeEnd !== 0 && isBefore(number, this.resumeEnd)
  }

  /** True when the broker may know the message: in flight, or perhaps before a reboot. */
  isTouched(number: number): boolean {
    const state = this.window.state(number)
    return state === QUEUED ? this.mayHaveBeenSent(number) : state !== COMPLETE
  }

  /** Messages of the window that the broker may know. */
  touchedCount(): number {
    let count = 0
    for (let index = 0; index < WINDOW_SPAN; index++) {
      if (this.isTouched((this.window.base + index) >>> 0)) count++
    }
    return count
  }

  /** True when the broker may hold the identifier of an exchange of QoS 2. */
  mayHoldQos2(): boolean {
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const number = (this.window.base + index) >>> 0
      if (this.isTouched(number) && this.mayBeQos2(number, this.window.state(number))) return true
    }
    return false
  }

  /**
   * A new connection: nothing was sent on it. Released exchanges count from the start, and with
   * `isResumed` their PUBREL is due, oldest first.
   */
  reset(isResumed: boolean): void {
    this.seen.fill(0)
    this.backlogEnd = this.queue.log.nextNumber
    this.exchanges.count += this.recount()
    for (let index = 0; isResumed && index < WINDOW_SPAN; index++) {
      const number = (this.window.base + index) >>> 0
      if (this.window.state(number) === RELEASED) {
        this.exchanges.pubrelDue(this.packetIdOf(number))
      }
    }
  }

  /** The record a broker means by `packetId`, or 0 when the window has none in flight there. */
  numberOf(packetId: number): number {
    const index = packetId - this.packetIdOf(0)
    const offset = (index - this.window.base) & (LANE_IDS - 1)
    if (index < 0 || index >= LANE_IDS || offset >= WINDOW_SPAN) return 0
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
    this.exchanges.count++
  }

  /** PUBREC came, the window still says SENT. The exchange counts until PUBCOMP. */
  released(number: number): void {
    if (this.seen[number & (WINDOW_SPAN - 1)] === 0) this.exchanges.count++
  }

  /** The broker has ended the exchange. Call it before the window forgets its state. */
  ended(number: number, state: number): void {
    if (this.isCounted(number, state)) this.exchanges.count--
    this.seen[number & (WINDOW_SPAN - 1)] = 0
  }

  /** We gave the message up: its PUBLISH counts until the broker has answered. */
  abandon(number: number, state: number): void {
    const exchanges = this.exchanges
    const isCounted = this.isCounted(number, state)
    if (isCounted && !exchanges.abandoned.add(this.packetIdOf(number))) exchanges.count--
    this.seen[number & (WINDOW_SPAN - 1)] = 0
  }

  /** This lane's part of `exchanges.count`, from the window itself. */
  recount(): number {
    let count = 0
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
