/**
 * Inbound: acts on one received packet. "What happens on PUBACK" is answered here.
 *
 *   PUBLISH  QoS 0          hand over
 *            QoS 1          hand over, PUBACK
 *            QoS 2, new     hand over, remember the identifier durably, PUBREC
 *            QoS 2, known   PUBREC
 *   PUBREL                  forget the identifier durably, PUBCOMP
 *   PUBACK                  QoS 1 complete
 *   PUBREC                  mark released (durable before PUBREL leaves, see Outbound)
 *   PUBCOMP                 QoS 2 complete
 *   SUBACK, UNSUBACK        to the table of subscriptions
 *
 * The caller has made sure that the send buffer has room for one answer.
 */
import { type ReceivedPacket } from '../codec/decode.js'
import { writeAck } from '../codec/encode.js'
import {
  DISCONNECT,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  REASON_IMPLEMENTATION_SPECIFIC_ERROR,
  REASON_PACKET_IDENTIFIER_NOT_FOUND,
  REASON_PROTOCOL_ERROR,
  REASON_RECEIVE_MAXIMUM_EXCEEDED,
  REASON_TOPIC_ALIAS_INVALID,
  SUBACK,
  UNSUBACK,
  V5,
  PROPERTY_TOPIC_ALIAS,
} from '../codec/protocol.js'
import { readUint16 } from '../codec/bytes.js'
import { findProperty } from '../codec/properties.js'
import { MESSAGE_ACKED, MESSAGE_RECEIVED, STORAGE_FAILED } from '../events.js'
import { ERR_REFUSED, OK } from '../status.js'
import { RELEASED } from '../store/exchange-window.js'
import { DROPPED_REFUSED } from '../store/session-state.js'
import type { InboundFace } from '../extensions.js'
import type { Connection } from './connection.js'
import type { InFlight } from './in-flight.js'

export class Inbound implements InboundFace {
  /** The Reason Code of the DISCONNECT that the broker sent; -1 while it sent none. */
  disconnectReason: number
  readonly connection: Connection

  constructor(connection: Connection) {
    this.connection = connection
    this.disconnectReason = -1
    if (connection.settings.manualAck !== null) connection.settings.manualAck.bind(this)
  }

  /** Handles one packet of an established connection; trouble goes to `connection.fail`. */
  handle(packet: ReceivedPacket): void {
    const connection = this.connection
    switch (packet.type) {
      case PUBLISH:
        this.onPublish(packet)
        return
      case PUBACK:
        this.onPuback(packet)
        return
      case PUBREC:
        this.onPubrec(packet)
        return
      case PUBREL:
        this.onPubrel(packet)
        return
      case PUBCOMP:
        this.onPubcomp(packet)
        return
      case SUBACK:
      case UNSUBACK:
        this.onSubscribed(packet)
        return
      case PINGRESP:
        connection.pingSentAt = -1
        return
      case DISCONNECT:
        this.disconnectReason = packet.reasonCode
        connection.fail(ERR_REFUSED)
        return
      default:
        // A second CONNACK, and AUTH without an authentication method [MQTT-4.12.0-6].
        connection.fail(-REASON_PROTOCOL_ERROR)
    }
  }

  private onPublish(packet: ReceivedPacket): void {
    const connection = this.connection
    const settings = connection.settings
    const bytes = connection.reader.bytes
    const message = connection.message
    message.topicBytes = bytes
    message.topicAt = packet.topicAt
    message.topicLength = packet.topicLength
    const at = findProperty(bytes, packet.propertiesAt, packet.propertiesEnd, PROPERTY_TOPIC_ALIAS)
    if (at >= 0) {
      // Without aliases we announce no Topic Alias Maximum: each is too large [MQTT-3.1.2-27].
      const status =
        settings.aliases === null
          ? -REASON_TOPIC_ALIAS_INVALID
          : settings.aliases.received(readUint16(bytes, at), message)
      if (status !== OK) {
        connection.fail(status)
        return
      }
    }
    if (packet.qos > 0 && settings.manualAck !== null) {
      settings.manualAck.onPublish(packet)
      return
    }
    if (packet.qos < 2) {
      this.handOver(packet)
      if (packet.qos === 1) this.answer(PUBACK, packet.packetId, 0) // [MQTT-4.3.2-4]
      return
    }
    const inbound = connection.state.inbound
    if (!inbound.has(packet.packetId)) {
      const taken = inbound.count - connection.heldBefore
      if (settings.version === V5 && taken >= settings.receiveMaximum) {
        connection.fail(-REASON_RECEIVE_MAXIMUM_EXCEEDED) // [MQTT-3.3.4-9]
        return
      }
      // There is no room for more than the set takes. Without an answer the broker sends the
      // message again on the next connection; a closed one would bring the same flood at once.
      if (inbound.count === inbound.packetIds.length) return
      this.handOver(packet)
      if (!this.own(packet.packetId)) return
    }
    // From here until PUBREL each PUBLISH with this identifier is a repeat [MQTT-4.3.3-10].
    this.answer(PUBREC, packet.packetId, 0)
  }

  private onPubrel(packet: ReceivedPacket): void {
    const connection = this.connection
    const inbound = connection.state.inbound
    const index = inbound.indexOf(packet.packetId)
    const isKnown = inbound.remove(packet.packetId)
    if (isKnown && index < connection.heldBefore) connection.heldBefore--
    // Durable first: after PUBCOMP the broker may use the identifier for a new message, which
    // must not be taken for a repeat after a reboot [MQTT-4.3.3-12].
    if (isKnown && !this.save()) return
    this.answer(PUBCOMP, packet.packetId, isKnown ? 0 : REASON_PACKET_IDENTIFIER_NOT_FOUND)
  }

  private onPuback(packet: ReceivedPacket): void {
    const connection = this.connection
    const lane = connection.laneOf(packet.packetId)
    const number = lane.numberOf(packet.packetId)
    // An identifier that is not in flight changes nothing: the exchange was settled otherwise.
    if (number === 0) {
      connection.exchanges.abandonedEnded(packet.packetId)
      return
    }
    if (!lane.isAnsweredBy(number, 1)) {
      connection.fail(-REASON_PROTOCOL_ERROR)
      return
    }
    if (packet.reasonCode >= 0x80) this.refused(lane, number, packet.reasonCode)
    else this.acknowledged(lane, number, packet.reasonCode)
  }

  private onPubrec(packet: ReceivedPacket): void {
    const connection = this.connection
    const lane = connection.laneOf(packet.packetId)
    const number = lane.numberOf(packet.packetId)
    if (number === 0) {
      this.onPubrecOfNone(packet)
      return
    }
    const isReleased = lane.queue.window.state(number) === RELEASED
    if (!isReleased && !lane.isAnsweredBy(number, 2)) {
      connection.fail(-REASON_PROTOCOL_ERROR)
      return
    }
    connection.progressAt = connection.now
    if (packet.reasonCode >= 0x80) {
      connection.exchanges.pubrelOver(packet.packetId)
      this.refused(lane, number, packet.reasonCode) // [MQTT-4.4.0-2], the exchange has ended
      return
    }
    if (!isReleased) {
      lane.released(number)
      lane.queue.markReleased(number)
    }
    connection.exchanges.pubrelDue(packet.packetId)
  }

  /** PUBREC for an exchange whose message is gone: dropped in flight, or never ours. */
  private onPubrecOfNone(packet: ReceivedPacket): void {
    const connection = this.connection
    const packetId = packet.packetId
    const exchanges = connection.exchanges
    if (packet.reasonCode >= 0x80) {
      exchanges.pubrelOver(packetId)
      exchanges.abandonedEnded(packetId)
      if (connection.state.owed.remove(packetId)) this.save()
    } else if (connection.state.owed.has(packetId) || exchanges.abandoned.has(packetId)) {
      exchanges.pubrelDue(packetId)
    } else {
      this.answer(PUBREL, packetId, REASON_PACKET_IDENTIFIER_NOT_FOUND)
    }
  }

  private onPubcomp(packet: ReceivedPacket): void {
    const connection = this.connection
    connection.exchanges.pubrelOver(packet.packetId)
    const lane = connection.laneOf(packet.packetId)
    const number = lane.numberOf(packet.packetId)
    if (number === 0) {
      connection.exchanges.abandonedEnded(packet.packetId)
      if (connection.state.owed.remove(packet.packetId)) this.save()
      return
    }
    if (lane.queue.window.state(number) !== RELEASED) {
      connection.fail(-REASON_PROTOCOL_ERROR)
      return
    }
    // 0x92 answers a PUBREL that was repeated after the broker had finished: it is complete too.
    this.acknowledged(lane, number, packet.reasonCode)
  }

  private onSubscribed(packet: ReceivedPacket): void {
    const connection = this.connection
    const isUnsubscribe = packet.type === UNSUBACK
    connection.subscriptions.answered(
      packet.packetId,
      isUnsubscribe,
      connection.reader.bytes,
      packet.codesAt,
      packet.codesCount,
      !isUnsubscribe || connection.settings.version === V5,
    ) || connection.fail(-REASON_PROTOCOL_ERROR)
  }

  private acknowledged(lane: InFlight, number: number, reasonCode: number): void {
    const connection = this.connection
    connection.progressAt = connection.now
    lane.ended(number, lane.queue.window.state(number))
    lane.queue.complete(number)
    connection.events.emitTicket(MESSAGE_ACKED, lane.ticketOf(number), OK, reasonCode)
  }

  /** A Reason Code of 0x80 or more ends the exchange; it is never sent again [MQTT-4.4.0-2]. */
  private refused(lane: InFlight, number: number, reasonCode: number): void {
    const connection = this.connection
    connection.progressAt = connection.now
    lane.queue.drop(number, ERR_REFUSED, DROPPED_REFUSED, reasonCode)
  }

  /** QoS 2: from now on a PUBLISH with this identifier is a repeat, also after a reboot. */
  own(packetId: number): boolean {
    const inbound = this.connection.state.inbound
    return inbound.has(packetId) || (inbound.add(packetId) && this.save())
  }

  /** Gives the message, whose topic is known, to its handlers: false when there is none. */
  handOver(packet: ReceivedPacket): boolean {
    const message = this.connection.message
    message.payloadAt = packet.payloadAt
    message.payloadLength = packet.payloadLength
    message.propertiesAt = packet.propertiesAt
    message.propertiesEnd = packet.propertiesEnd
    message.qos = packet.qos
    message.retain = packet.retain === 1
    message.dup = packet.dup === 1
    const isWanted = this.connection.subscriptions.dispatch(message)
    const events = this.connection.events
    if (!events.has(MESSAGE_RECEIVED)) return isWanted
    events.event.message = message
    events.event.about(message.topicBytes, message.topicAt, message.topicLength)
    return events.emit(MESSAGE_RECEIVED) || isWanted
  }

  answer(type: number, packetId: number, reasonCode: number): void {
    const connection = this.connection
    const buffer = connection.sendBuffer
    const version = connection.settings.version
    const end = writeAck(buffer.bytes, buffer.end, type, packetId, reasonCode, version)
    if (end < 0) connection.fail(-REASON_IMPLEMENTATION_SPECIFIC_ERROR)
    else buffer.added(end)
  }

  /** Saves the session state. Without it no promise of QoS 2 holds, so the connection ends. */
  private save(): boolean {
    const connection = this.connection
    const status = connection.state.save()
    if (status === OK) return true
    connection.events.emitTicket(STORAGE_FAILED, 0, status, 0)
    connection.fail(-REASON_IMPLEMENTATION_SPECIFIC_ERROR)
    return false
  }
}
