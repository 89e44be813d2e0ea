/**
 * Exchanges: which message is sent next, and what the broker's answers make of it.
 *
 *   queued --PUBLISH--> sent --PUBACK--> complete
 *                        '---PUBREC--> released --PUBREL, PUBCOMP--> complete
 *
 * A Packet Identifier is not stored: it follows from the message's number, as in the full client,
 * so that after a reboot the same exchange goes on under it [MQTT-2.3.1-3] [MQTT-4.4.0-1].
 */
import type { System } from '../../hal/system.js'
import { REASON_PROTOCOL_ERROR } from '../codec/protocol.js'
import { ERR_CORRUPT, ERR_TOO_LARGE, OK, type Status } from '../status.js'
import {
  COMPLETE,
  isBefore,
  numberAfter,
  QUEUED,
  RELEASED,
  WINDOW_SPAN,
} from '../store/exchange-window.js'
import type { Outbox } from './outbox.js'
import { framePublish, PUBLISH_HEAD } from './packets.js'
import type { SmallEvents } from './small-events.js'
import type { SmallSettings } from './small-options.js'
import { ACK_SIZE, type Wire } from './wire.js'

/** In `sent`: PUBLISH left on this connection with QoS 1 or 2; PUBREL left. 0: nothing did. */
const SENT_QOS2 = 2
const SENT_PUBREL = 3
/** Identifiers that messages use: as many as a lane of the full client has. */
const ID_MASK = 4095
const PUBREL_BYTE = 0x62

export class Exchanges {
  /** PUBLISH packets without their last answer. */
  inFlight: number
  /** When the last answer came, or a PUBLISH left while none was in flight. */
  progressAt: number
  private readonly settings: SmallSettings
  private readonly outbox: Outbox
  private readonly events: SmallEvents
  private readonly wire: Wire
  private readonly system: System
  /** The message that is sent next on this connection. */
  private cursor: number
  /** Messages before it may have been sent: they carry DUP. */
  private sentEnd: number
  private readonly sent: Uint8Array
  /** Acknowledgements that are not durable, and since when. */
  private unmarkedCount: number
  private unmarkedAt: number

  constructor(settings: SmallSettings, outbox: Outbox, events: SmallEvents, wire: Wire) {
    this.inFlight = 0
    this.progressAt = 0
    this.settings = settings
    this.outbox = outbox
    this.events = events
    this.wire = wire
    this.system = settings.system
    this.cursor = outbox.window.base
    this.sentEnd = outbox.sentEnd
    this.sent = new Uint8Array(WINDOW_SPAN)
    this.unmarkedCount = 0
    this.unmarkedAt = 0
  }

  /** A new connection: nothing was sent on it. */
  reset(now: number): void {
    this.inFlight = 0
    this.progressAt = now
    this.cursor = this.outbox.window.base
    this.sent.fill(0)
  }

  /** Messages that the broker may know. */
  get touchedCount(): number {
    const base = this.outbox.window.base
    return isBefore(base, this.sentEnd) ? (this.sentEnd - base) >>> 0 : 0
  }

  /** The broker has forgotten: all that is not complete is new to it. */
  forget(): void {
    const window = this.outbox.window
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const number = (window.base + index) >>> 0
      if (window.state(number) === RELEASED) this.outbox.settle(number, QUEUED)
    }
    this.sentEnd = window.base
  }

  /** Puts what is sent next: 1, or 0 where there is nothing or no room. Negative: a failure. */
  send(now: number): number {
    const outbox = this.outbox
    const number = this.cursor
    if (number === outbox.nextNumber) return 0
    // The base may have gone past it: what a failed write left behind is complete unsent.
    const state = outbox.window.state(number)
    if (state === COMPLETE) this.cursor = numberAfter(number)
    if (state === COMPLETE) return 1
    if (!outbox.window.spans(number) || this.inFlight >= this.settings.inFlightLimit) return 0
    if (state === QUEUED) return this.sendPublish(number, now)
    // PUBREC came on an earlier connection.
    if (this.wire.room < ACK_SIZE) return 0
    this.advance(number, now)
    const status = this.release(number, packetIdOf(number))
    return status === OK ? 1 : status
  }

  /** Puts PUBREL, once its mark is durable. */
  private release(number: number, packetId: number): Status {
    const status = this.outbox.flush()
    if (status !== OK) return status
    this.sent[number & (WINDOW_SPAN - 1)] = SENT_PUBREL
    this.wire.put(PUBREL_BYTE, packetId)
    return OK
  }

  private advance(number: number, now: number): void {
    if (this.inFlight++ === 0) this.progressAt = now
    this.cursor = numberAfter(number)
  }

  private sendPublish(number: number, now: number): number {
    const wire = this.wire
    const bodyAt = wire.outEnd + PUBLISH_HEAD
    const length = this.outbox.load(number, wire.out, bodyAt, wire.limit)
    const mayBeKnown = isBefore(number, this.sentEnd)
    if (length === ERR_TOO_LARGE && wire.outEnd > 0) return 0
    if (length < 0 && length !== ERR_TOO_LARGE) return length
    if (length <= 0) {
      // Damaged, or larger than sendBufferSize is now. Should the broker hold its identifier, a
      // PUBREL frees it; in 3.1.1 one for nothing has its PUBCOMP too.
      if (mayBeKnown && wire.room < ACK_SIZE) return 0
      if (mayBeKnown) wire.put(PUBREL_BYTE, packetIdOf(number))
      this.cursor = numberAfter(number)
      this.settle(number, COMPLETE, now)
      this.events.emit('message.dropped', number, length === 0 ? ERR_CORRUPT : length, '')
      return 1
    }
    const qos = wire.out[bodyAt]! & 3
    const at = framePublish(this.system, wire.out, bodyAt, length, packetIdOf(number), mayBeKnown)
    wire.close(at, bodyAt + length)
    this.sent[number & (WINDOW_SPAN - 1)] = qos
    this.advance(number, now)
    if (!mayBeKnown) this.sentEnd = this.cursor
    return 1
  }

  /** PUBACK for `packetId`: OK, or Protocol Error. One that is not in flight changes nothing. */
  onPuback(packetId: number, now: number): Status {
    const number = this.numberOf(packetId)
    if (number === 0) return OK
    return this.sent[number & (WINDOW_SPAN - 1)]! < SENT_QOS2
      ? this.complete(number, now)
      : -REASON_PROTOCOL_ERROR
  }

  /** PUBRELs leave in the order of the PUBRECs, each at once [MQTT-4.6.0-4]. */
  onPubrec(packetId: number, now: number): Status {
    const number = this.numberOf(packetId)
    if (number === 0) {
      this.wire.put(PUBREL_BYTE, packetId) // so that the broker is rid of it
      return OK
    }
    if (this.sent[number & (WINDOW_SPAN - 1)]! < SENT_QOS2) return -REASON_PROTOCOL_ERROR
    // A repeat needs no mark of its own.
    if (this.outbox.window.state(number) !== RELEASED) this.settle(number, RELEASED, now)
    return this.release(number, packetId)
  }

  onPubcomp(packetId: number, now: number): Status {
    const number = this.numberOf(packetId)
    if (number === 0) return OK
    return this.sent[number & (WINDOW_SPAN - 1)] === SENT_PUBREL
      ? this.complete(number, now)
      : -REASON_PROTOCOL_ERROR
  }

  /** The message a broker means by `packetId`, or 0 when none of it left on this connection. */
  private numberOf(packetId: number): number {
    const base = this.outbox.window.base
    const offset = (packetId - 1 - base) & ID_MASK
    const number = (base + offset) >>> 0
    if (packetId > ID_MASK + 1 || offset >= WINDOW_SPAN || !isBefore(number, this.cursor)) return 0
    return this.sent[number & (WINDOW_SPAN - 1)] === 0 ? 0 : number
  }

  private complete(number: number, now: number): Status {
    this.sent[number & (WINDOW_SPAN - 1)] = 0
    this.inFlight--
    this.settle(number, COMPLETE, now)
    this.events.emit('message.acked', number, OK, '')
    return OK
  }

  private settle(number: number, state: number, now: number): void {
    this.progressAt = now
    if (this.unmarkedCount++ === 0) this.unmarkedAt = now
    this.outbox.settle(number, state)
  }

  /** Makes acknowledgements durable where it is time. Returns the milliseconds until it is. */
  tend(now: number): number {
    const outbox = this.outbox
    if (!outbox.isDirty) this.unmarkedCount = 0
    if (this.unmarkedCount === 0) return Infinity
    const leftMs = this.unmarkedAt + this.settings.ackDelayMs - now
    if (leftMs > 0 && this.unmarkedCount < this.settings.ackBatch) return leftMs
    this.unmarkedCount = 0
    const status = outbox.flush()
    if (status === OK) return Infinity
    this.events.emit('storage.failed', 0, status, '')
    this.unmarkedCount = 1
    this.unmarkedAt = now
    return this.settings.ackDelayMs
  }
}

/** The Packet Identifier of a message. */
function packetIdOf(number: number): number {
  return 1 + (number & ID_MASK)
}
