/**
 * Handshake: CONNECT out, CONNACK in, and what becomes of the session between the two.
 *
 *   we have state   Session Present 1   resume: PUBREL and PUBLISH with DUP for what was in flight
 *   we have state   Session Present 0   lost: the policy decides over what was in flight
 *   we have none    Session Present 0   a new session
 *   we have none    Session Present 1   the broker's state is not ours: end it, start clean
 *
 * "We have state" means: a CONNACK was received earlier and nothing has ended the session since.
 * With storage that is known across reboots.
 */
import type { ReceivedPacket } from '../codec/decode.js'
import { readUint16 } from '../codec/bytes.js'
import { findProperty } from '../codec/properties.js'
import {
  PROPERTY_ASSIGNED_CLIENT_IDENTIFIER,
  REASON_PROTOCOL_ERROR,
  V5,
} from '../codec/protocol.js'
import { readUtf8 } from '../codec/utf8.js'
import {
  CLIENT_CONNECTED,
  MESSAGE_QUEUED,
  SESSION_LOST,
  SESSION_RESUMED,
  STORAGE_FAILED,
} from '../events.js'
import { ERR_REFUSED, ERR_SESSION_LOST, ERR_STORAGE, ERR_TOO_LARGE, OK } from '../status.js'
import { WINDOW_SPAN } from '../store/exchange-window.js'
import { type BrokerSession, DROPPED_SESSION_LOST } from '../store/session-state.js'
import { type Connection, RESTART } from './connection.js'
import type { InFlight } from './in-flight.js'
import type { Outbound } from './outbound.js'

/** The bit of CONNECT's flags: Clean Start, in 3.1.1 Clean Session. */
const CLEAN_START = 0x02

export class Handshake {
  /** CONNACK's Reason Code when the broker refused, or -1. */
  refusedReason: number
  private readonly connection: Connection
  private readonly outbound: Outbound
  /**
   * MQTT 3.1.1 only: the broker holds a session that is not ours. A connection with Clean Session
   * 1 ends it, and the one after that begins ours.
   */
  private isWiping: boolean
  /** The CONNECT that was sent asked for Clean Start. */
  private isClean: boolean
  /** A CONNECT was sent that no CONNACK answered. */
  private isUnanswered: boolean
  /** The same, and that CONNECT was not the last: it may have begun a session. */
  private wasUnanswered: boolean

  constructor(connection: Connection, outbound: Outbound) {
    this.connection = connection
    this.outbound = outbound
    this.refusedReason = -1
    this.isWiping = false
    this.isClean = false
    this.isUnanswered = false
    this.wasUnanswered = false
  }

  /** Puts CONNECT into the send buffer, the first packet of a connection [MQTT-3.1.0-1]. */
  sendConnect(): void {
    const connection = this.connection
    const settings = connection.settings
    const buffer = connection.sendBuffer
    this.refusedReason = -1
    this.wasUnanswered = this.wasUnanswered || this.isUnanswered
    this.isUnanswered = true
    // Without state of our own a session at the broker can only be somebody else's. In 3.1.1 the
    // same flag would also end the session with the connection, so there it is asked for less.
    this.isClean =
      settings.cleanStart || (settings.version === V5 ? !this.session.mayExist : this.isWiping)
    if (settings.authentication !== null) {
      const end = settings.authentication.writeConnect(this.isClean)
      if (end < 0) connection.fail(ERR_TOO_LARGE)
      else buffer.added(end)
      return
    }
    const packet = settings.connectPacket
    const flagsAt = buffer.end + settings.connectFlagsAt
    settings.system.copy(buffer.bytes, buffer.end, packet, 0, packet.length)
    const flags = buffer.bytes[flagsAt]!
    buffer.bytes[flagsAt] = this.isClean ? flags | CLEAN_START : flags & ~CLEAN_START
    buffer.added(buffer.end + packet.length)
  }

  /** Handles CONNACK: true when the connection is established. */
  onConnack(packet: ReceivedPacket): boolean {
    const connection = this.connection
    const settings = connection.settings
    this.isUnanswered = false
    if (packet.reasonCode !== 0) {
      this.refusedReason = packet.reasonCode
      connection.fail(ERR_REFUSED)
      return false
    }
    if (settings.authentication !== null && !settings.authentication.onConnack(packet)) return false
    const isPresent = packet.sessionPresent === 1
    if (isPresent && (this.isClean || !this.session.mayExist)) {
      this.isWiping = settings.version !== V5
      connection.fail(-REASON_PROTOCOL_ERROR) // [MQTT-3.2.2-4]
      return false
    }
    connection.limits.read(
      connection.reader.bytes,
      packet.propertiesAt,
      packet.propertiesEnd,
      settings.keepAliveMs,
    )
    if (this.isWiping) {
      this.isWiping = false
      connection.fail(RESTART)
      return false
    }
    if (settings.aliases !== null) settings.aliases.reset(connection.limits.topicAliasMaximum)
    if (settings.clientId === '') this.takeClientId(packet)
    const hasMoved = connection.state.home !== connection.brokers.index
    if (hasMoved || !isPresent) connection.exchanges.due.clear()
    if (hasMoved && !this.roam()) return false
    connection.isConnected = true
    const wasLost = !isPresent && this.hasState()
    if (!isPresent) this.begin(wasLost)
    connection.heldBefore = connection.state.inbound.count
    this.outbound.connected(isPresent)
    // A session that a lost CONNACK told of is ours, but it may be a new one without filters; and
    // what another broker was asked for since, this one does not know.
    connection.subscriptions.connected(isPresent, isPresent && !this.wasUnanswered && !hasMoved)
    this.wasUnanswered = false
    this.announce(isPresent, wasLost)
    return true
  }

  /** The identifier that the broker chose for an empty one of ours [MQTT-3.2.2-16]. */
  private takeClientId(packet: ReceivedPacket): void {
    const bytes = this.connection.reader.bytes
    const at = findProperty(
      bytes,
      packet.propertiesAt,
      packet.propertiesEnd,
      PROPERTY_ASSIGNED_CLIENT_IDENTIFIER,
    )
    if (at < 0) return
    this.connection.settings.takeClientId(readUtf8(bytes, at + 2, readUint16(bytes, at)))
  }

  /** True when the broker was expected to know something of us. */
  private hasState(): boolean {
    const connection = this.connection
    return (
      connection.state.sessionMayExist ||
      connection.state.inbound.count > 0 ||
      this.connection.touchedCount > 0
    )
  }

  /** What the broker that is being greeted and we know of each other. */
  private get session(): BrokerSession {
    return this.connection.state.sessions[this.connection.brokers.index]!
  }

  /**
   * Another broker than before: what was in flight there becomes new here. A session there that may
   * hold a message of QoS 2 is given up, or that message would come twice. False: not durable.
   */
  private roam(): boolean {
    const connection = this.connection
    const state = connection.state
    for (let index = 0; index < connection.lanes.length; index++) {
      const lane = connection.lanes[index]!
      if (lane.mayHoldQos2()) state.sessions[state.home]!.forget()
      lane.resumeEnd = 0
      lane.queue.requeue()
    }
    state.home = connection.brokers.index
    if (state.save() === OK && connection.flushQueues() === OK) return true
    connection.fail(ERR_STORAGE)
    return false
  }

  /** The broker has no session: ours starts empty, but for the messages [MQTT-3.2.2-5]. */
  private begin(wasLost: boolean): void {
    const connection = this.connection
    const state = connection.state
    const isKept = this.isKept()
    const isChanged =
      state.sessionMayExist !== isKept || state.inbound.count > 0 || state.owed.count > 0
    state.inbound.clear()
    state.owed.clear()
    state.sessionMayExist = false // so that nothing is owed for what the policy drops
    if (wasLost) this.settleLost()
    state.sessionMayExist = isKept
    if (isChanged) {
      const status = state.save()
      if (status !== OK) connection.events.emitTicket(STORAGE_FAILED, 0, status, 0)
    }
    // A mark of the lost session must not come back after a reboot: PUBREL for an exchange that the
    // new session never had would complete a message that was not delivered.
    if (wasLost && connection.flushQueues() !== OK) connection.fail(ERR_STORAGE)
  }

  /** True when the broker keeps the session after the connection: it has the last word. */
  private isKept(): boolean {
    const seconds = this.connection.limits.sessionExpirySeconds
    return (seconds < 0 ? this.connection.settings.sessionExpirySeconds : seconds) > 0
  }

  /** The policy for what was in flight: send it again as new, or drop it and say so. */
  private settleLost(): void {
    const connection = this.connection
    if (connection.events.has(SESSION_LOST)) {
      connection.events.event.count = connection.touchedCount
      connection.events.emit(SESSION_LOST)
    }
    for (let index = 0; index < connection.lanes.length; index++) {
      this.settleLane(connection.lanes[index]!)
    }
  }

  private settleLane(lane: InFlight): void {
    const connection = this.connection
    const queue = lane.queue
    const base = queue.window.base
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const number = (base + index) >>> 0
      if (!lane.isTouched(number)) continue
      if (connection.settings.isRepublishing) {
        const ticket = lane.ticketOf(number)
        connection.events.emitTicket(MESSAGE_QUEUED, ticket, ERR_SESSION_LOST, 0)
      } else {
        queue.drop(number, ERR_SESSION_LOST, DROPPED_SESSION_LOST, 0)
      }
    }
    queue.requeue()
  }

  private announce(isPresent: boolean, wasLost: boolean): void {
    const connection = this.connection
    const events = connection.events
    if (events.has(CLIENT_CONNECTED)) {
      events.event.sessionPresent = isPresent
      events.event.text = connection.settings.brokerUrls[connection.brokers.index]!
      events.emit(CLIENT_CONNECTED)
    }
    if (!isPresent || wasLost || !events.has(SESSION_RESUMED)) return
    events.event.sessionPresent = true
    events.event.count = this.connection.touchedCount
    events.emit(SESSION_RESUMED)
  }
}
