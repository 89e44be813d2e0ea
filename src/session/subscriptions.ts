/**
 * Subscriptions: the table of what the application wants, and how far the broker agreed.
 *
 * The table is declared once and outlives connections: after a lost session it is asked for again.
 * One SUBSCRIBE or UNSUBSCRIBE is on its way at a time, so one Packet Identifier is in use and
 * none can leak. Entries are objects: they are few and made when the application subscribes.
 */
import { type SubscribeFilter, writeSubscribe, writeUnsubscribe } from '../codec/encode.js'
import type { MqttProperties } from '../codec/properties.js'
import { ERR_SPACE, REASON_PACKET_TOO_LARGE } from '../codec/protocol.js'
import { type Events, SESSION_SUBSCRIBED, SESSION_UNSUBSCRIBED } from '../events.js'
import type { InboundMessage } from '../inbound-message.js'
import { ERR_NOT_AVAILABLE, ERR_REFUSED, OK, type Status } from '../status.js'
import type { SessionState } from '../store/session-state.js'
import { matches, sharedPrefix } from '../topic.js'
import { FIRST_SUBSCRIBE_ID } from './exchanges.js'
import type { Limits } from './limits.js'
import type { SendBuffer } from './send-buffer.js'

export type MessageHandler = (message: InboundMessage) => void

/** The broker does not know yet. */
const WANTED = 0
const SUBSCRIBED = 1
/** The broker refused; asked again on the next connection. */
const REFUSED = 2
/** The application has no use for it any more, the broker does not know yet. */
export const UNWANTED = 3
/** The same, and this broker knows; the sessions at others of the list still have it. */
const GONE = 4

/** Of those so many are kept, until the client comes to the brokers they are for. */
const GONE_LIMIT = 16

/** Filters in one SUBSCRIBE at the most. */
const BATCH = 8

class Subscription {
  readonly request: SubscribeFilter
  readonly bytes: Uint8Array
  /** Where the part that is matched begins: behind $share/name/. */
  readonly matchAt: number
  handler: MessageHandler | null
  state: number
  /** The brokers whose session may have it: a bit for each, by its place in the list. */
  places: number

  constructor(
    request: SubscribeFilter,
    bytes: Uint8Array,
    handler: MessageHandler | null,
    state: number,
  ) {
    this.request = request
    this.bytes = bytes
    this.matchAt = sharedPrefix(bytes)
    this.handler = handler
    this.state = state
    this.places = 0
  }
}

export class Subscriptions {
  private entries: Subscription[]
  private readonly events: Events
  private readonly session: SessionState
  /** Identifier of the packet on its way, or 0, and whether it is an UNSUBSCRIBE. */
  private askedId: number
  /** The entries it asks for, in its order. */
  private asked: Subscription[]
  private isUnsubscribe: boolean
  private nextId: number

  constructor(events: Events, session: SessionState) {
    this.entries = []
    this.events = events
    this.session = session
    this.askedId = 0
    this.asked = []
    this.isUnsubscribe = false
    this.nextId = FIRST_SUBSCRIBE_ID
  }

  /**
   * Adds a filter, or replaces the one with the same text. With UNWANTED the broker
   * is asked to end a subscription that the table need not know: its session may be older.
   */
  add(
    request: SubscribeFilter,
    bytes: Uint8Array,
    handler: MessageHandler | null,
    state?: number,
  ): void {
    const entry = new Subscription(request, bytes, handler, state ?? WANTED)
    // What was subscribed in an earlier boot, any of them may have.
    if (state === UNWANTED) entry.places = (1 << this.session.sessions.length) - 1
    for (let index = 0; index < this.entries.length; index++) {
      if (this.entries[index]!.request.filter !== request.filter) continue
      entry.places |= this.entries[index]!.places
      this.entries[index] = entry
      return
    }
    this.entries.push(entry)
  }

  /** False when the filter is not in the table. */
  remove(filter: string): boolean {
    for (let index = 0; index < this.entries.length; index++) {
      const entry = this.entries[index]!
      if (entry.request.filter !== filter || entry.state >= UNWANTED) continue
      entry.handler = null
      this.giveUp(entry)
      return true
    }
    return false
  }

  /**
   * A new connection. Without a session the broker knows no filter; of a session that is not the
   * one of the last connection it is not known which it has: `isSame` is false.
   */
  connected(sessionPresent: boolean, isSame: boolean): void {
    this.askedId = 0
    if (this.asked.length > 0) this.asked = []
    const entries = this.entries
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index]!
      if (!sessionPresent) entry.places &= ~this.here
      if (entry.state >= UNWANTED) this.giveUp(entry)
      else if (entry.state === REFUSED || (!isSame && entry.state === SUBSCRIBED)) {
        entry.state = WANTED
      }
    }
  }

  /** The bit of the broker that the session is with. */
  private get here(): number {
    return 1 << this.session.home
  }

  /** Nobody wants it: each broker whose session may have it is told when the client is there. */
  private giveUp(entry: Subscription): void {
    const session = this.session
    let goneCount = 0
    entry.state = GONE
    for (let index = 0; index < this.entries.length; index++) {
      if (this.entries[index]!.state === GONE) goneCount++
    }
    for (let index = 0; index < session.sessions.length; index++) {
      const there = session.sessions[index]!
      if (index === session.home || (entry.places & (1 << index)) === 0) continue
      // Too many to remember: the session there is begun anew instead.
      if (goneCount > GONE_LIMIT && there.mayExist) {
        there.forget()
        session.save()
      }
      if (!there.mayExist) entry.places -= 1 << index
    }
    if ((entry.places & this.here) !== 0) entry.state = UNWANTED
    if (entry.places === 0) this.delete(entry)
  }

  /** Encodes the next SUBSCRIBE or UNSUBSCRIBE that is due, if there is room for it. */
  send(buffer: SendBuffer, version: number, limits: Limits): void {
    if (this.askedId !== 0 || this.entries.length === 0) return
    // What this broker does not offer is not asked for: the application hears of it at once.
    for (let index = 0; index < this.entries.length; index++) {
      const entry = this.entries[index]!
      const reason = refusal(entry, limits)
      if (reason !== 0) this.settle(entry, false, reason, ERR_NOT_AVAILABLE)
    }
    if (this.sendOne(buffer, version, limits, WANTED)) return
    this.sendOne(buffer, version, limits, UNWANTED)
  }

  /**
   * SUBACK or UNSUBACK arrived: false when it answers nothing or has the wrong number of codes.
   * Entries that were replaced meanwhile are not touched: what is wanted now is still to be asked.
   */
  answered(
    packetId: number,
    isUnsubscribe: boolean,
    bytes: Uint8Array,
    codesAt: number,
    codesCount: number,
    hasCodes: boolean,
  ): boolean {
    if (packetId !== this.askedId || isUnsubscribe !== this.isUnsubscribe) return false
    const asked = this.asked
    // [MQTT-3.8.4-6] [MQTT-3.11.3-1]: one code for each filter. UNSUBACK of 3.1.1 has none.
    if (hasCodes && codesCount !== asked.length) return false
    this.askedId = 0
    this.asked = []
    for (let index = 0; index < asked.length; index++) {
      const code = hasCodes ? bytes[codesAt + index]! : 0
      this.settle(asked[index]!, isUnsubscribe, code, code < 0x80 ? OK : ERR_REFUSED)
    }
    return true
  }

  /** Calls the handlers whose filter matches the message's topic: false when there is none. */
  dispatch(message: InboundMessage): boolean {
    const entries = this.entries
    let isWanted = false
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index]!
      const handler = entry.handler
      if (handler === null) continue
      if (
        matches(
          entry.bytes,
          entry.matchAt,
          message.topicBytes,
          message.topicAt,
          message.topicLength,
        )
      ) {
        isWanted = true
        handler(message)
      }
    }
    return isWanted
  }

  private settle(entry: Subscription, isUnsubscribe: boolean, code: number, status: Status): void {
    if (isUnsubscribe) {
      entry.places &= ~this.here
      this.giveUp(entry)
    } else if (entry.state === WANTED) entry.state = code < 0x80 ? SUBSCRIBED : REFUSED
    const index = isUnsubscribe ? SESSION_UNSUBSCRIBED : SESSION_SUBSCRIBED
    if (!this.events.has(index)) return
    this.events.event.text = entry.request.filter
    this.events.event.status = status
    this.events.event.reasonCode = code
    this.events.emit(index)
  }

  private sendOne(buffer: SendBuffer, version: number, limits: Limits, state: number): boolean {
    // Called at every step of the session, so lists are made only when there is work.
    if (!this.hasAny(state)) return false
    const isUnsubscribe = state === UNWANTED
    const filters: SubscribeFilter[] = []
    const names: string[] = []
    const asked: Subscription[] = []
    let properties: MqttProperties | null = null
    for (let index = 0; index < this.entries.length && filters.length < BATCH; index++) {
      const entry = this.entries[index]!
      if (entry.state !== state || refusal(entry, limits) !== 0) continue
      // One SUBSCRIBE has one Subscription Identifier, for all its filters.
      const identifier = entry.request.identifier!
      if (filters.length === 0 && identifier > 0) {
        properties = { subscriptionIdentifier: identifier }
      } else if (!isUnsubscribe && identifier !== (asked[0] ?? entry).request.identifier) {
        continue
      }
      filters.push(entry.request)
      names.push(entry.request.filter)
      asked.push(entry)
    }
    // Fewer filters where not all fit; each alone fits, or `subscribe` had refused it.
    const first = asked[0]
    if (!first) return false
    let end = ERR_SPACE
    buffer.hasRoom(buffer.bytes.length >> 1)
    while (filters.length > 0) {
      end = isUnsubscribe
        ? writeUnsubscribe(buffer.bytes, buffer.end, this.nextId, names, null, version)
        : writeSubscribe(buffer.bytes, buffer.end, this.nextId, filters, properties, version)
      if (end >= 0 && end - buffer.end <= limits.maximumPacketSize) break
      filters.pop()
      names.pop()
      asked.pop()
    }
    if (filters.length === 0) {
      // One filter alone is more than this broker takes [MQTT-3.2.2-15]; or there is no room yet.
      if (end >= 0) {
        this.settle(first, isUnsubscribe, REASON_PACKET_TOO_LARGE, ERR_NOT_AVAILABLE)
      }
      return false
    }
    buffer.added(end)
    for (let index = 0; index < asked.length; index++) asked[index]!.places |= this.here
    this.asked = asked
    this.askedId = this.nextId
    this.isUnsubscribe = isUnsubscribe
    this.nextId = this.nextId === 65535 ? FIRST_SUBSCRIBE_ID : this.nextId + 1
    return true
  }

  private hasAny(state: number): boolean {
    for (let index = 0; index < this.entries.length; index++) {
      if (this.entries[index]!.state === state) return true
    }
    return false
  }

  private delete(entry: Subscription): void {
    const kept: Subscription[] = []
    for (let index = 0; index < this.entries.length; index++) {
      if (this.entries[index] !== entry) kept.push(this.entries[index]!)
    }
    this.entries = kept
  }
}

/** Why this broker is not to be asked for the entry: a Reason Code, or 0. */
function refusal(entry: Subscription, limits: Limits): number {
  if (entry.state !== WANTED) return 0
  return limits.refusal(entry.bytes, entry.matchAt, entry.request.identifier!)
}
