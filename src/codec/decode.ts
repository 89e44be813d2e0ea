/**
 * Decodes every packet a broker sends, for MQTT 3.1.1 and MQTT 5: offsets into the received bytes,
 * no copies, no allocation.
 *
 * Checks all that can be told from one packet alone. What depends on the session (which
 * identifiers are in flight, which alias is known, whether a CONNACK is due) it does not know.
 */
import { readUint16, readVarint, varintEnd } from './bytes.js'
import { checkProperties, findProperty } from './properties.js'
import { AUTH, CONNACK, DISCONNECT, PINGRESP } from './protocol.js'
import { PROPERTY_AUTHENTICATION_METHOD, PROPERTY_TOPIC_ALIAS } from './protocol.js'
import { PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, V5 } from './protocol.js'
import { REASON_MALFORMED_PACKET, REASON_PROTOCOL_ERROR } from './protocol.js'
import { checkUtf8 } from './utf8.js'

/** One decoded packet. Used again for each; fields that a packet does not have are 0. */
export class ReceivedPacket {
  type!: number
  /** The low four bits of the first byte. */
  flags!: number
  /** 0 or 1. */
  dup!: number
  qos!: number
  /** 0 or 1. */
  retain!: number
  packetId!: number
  /** 0 or 1. */
  sessionPresent!: number
  /** In 3.1.1 the return code of CONNACK. 0 (success) where the packet leaves it out. */
  reasonCode!: number
  topicAt!: number
  topicLength!: number
  /** The properties without their length. Empty when both are equal. */
  propertiesAt!: number
  propertiesEnd!: number
  payloadAt!: number
  payloadLength!: number
  /** The Reason Codes of SUBACK and UNSUBACK, one byte each. */
  codesAt!: number
  codesCount!: number

  constructor() {
    clear(this, 0)
  }
}

/** Sets every field, in one order: also for the constructor. */
function clear(packet: ReceivedPacket, first: number): void {
  packet.type = first >> 4
  packet.flags = first & 15
  packet.dup = 0
  packet.qos = 0
  packet.retain = 0
  packet.packetId = 0
  packet.sessionPresent = 0
  packet.reasonCode = 0
  packet.topicAt = 0
  packet.topicLength = 0
  packet.propertiesAt = 0
  packet.propertiesEnd = 0
  packet.payloadAt = 0
  packet.payloadLength = 0
  packet.codesAt = 0
  packet.codesCount = 0
}

/**
 * The Reason Codes 0x80 to 0x9F that a broker may put into a packet: bit n stands for 0x80 + n.
 * From the tables of sections 3.2 to 3.15 of MQTT 5.
 */
function errorReasons(type: number): number {
  switch (type) {
    case CONNACK: // 80-8A 8C 90 95 97 99-9D 9F
      return 0xbea117ff
    case PUBACK:
    case PUBREC: // 80 83 87 90 91 97 99
      return 0x02830089
    case PUBREL:
    case PUBCOMP: // 92
      return 0x00040000
    case SUBACK: // 80 83 87 8F 91 97 9E
      return 0x40828089
    case UNSUBACK: // 80 83 87 8F 91
      return 0x00028089
    case DISCONNECT: // 80-83 87 89 8B 8D-90 93-9F
      return 0xfff9ea8f
    default:
      return 0
  }
}

/** Whether a broker may send this Reason Code, or return code of 3.1.1, in this packet. */
function isReasonAllowed(type: number, code: number, version: number): boolean {
  if (version !== V5) {
    // [MQTT-3.9.3-2] of 3.1.1; the return codes of CONNACK are 0 to 5, table 3.1.
    return type === SUBACK ? code < 3 || code === 0x80 : code < 6
  }
  if (code >= 0xa0) {
    if (type === DISCONNECT) return code <= 0xa2
    return type === SUBACK && (code === 0xa1 || code === 0xa2)
  }
  if (code >= 0x80) return ((errorReasons(type) >>> (code & 31)) & 1) !== 0
  if (code === 0) return true
  switch (type) {
    case PUBACK:
    case PUBREC:
      return code === 0x10
    case SUBACK:
      return code < 3
    case UNSUBACK:
      return code === 0x11
    case AUTH:
      return code === 0x18
    default:
      return false
  }
}

/** Notes where the properties are and checks them. Returns the offset after them. */
function decodeProperties(
  packet: ReceivedPacket,
  bytes: Uint8Array,
  at: number,
  end: number,
): number {
  const length = readVarint(bytes, at, end, true)
  if (length < 0) return -REASON_MALFORMED_PACKET
  at = varintEnd(bytes, at)
  const next = at + length
  if (next > end) return -REASON_MALFORMED_PACKET
  packet.propertiesAt = at
  packet.propertiesEnd = next
  const status = checkProperties(bytes, at, next, packet.type)
  return status < 0 ? status : next
}

/** Returns the offset after it. 0 is no Packet Identifier [MQTT-2.2.1-3] [MQTT-2.2.1-4]. */
function decodePacketId(
  packet: ReceivedPacket,
  bytes: Uint8Array,
  at: number,
  end: number,
): number {
  if (at + 2 > end) return -REASON_MALFORMED_PACKET
  packet.packetId = readUint16(bytes, at)
  return packet.packetId === 0 ? -REASON_PROTOCOL_ERROR : at + 2
}

/** PUBLISH, section 3.3; drawn in `encode-publish.ts`. */
function decodePublish(
  packet: ReceivedPacket,
  bytes: Uint8Array,
  at: number,
  end: number,
  version: number,
): number {
  packet.dup = packet.flags >> 3
  packet.qos = (packet.flags >> 1) & 3
  packet.retain = packet.flags & 1
  if (packet.qos === 3) return -REASON_MALFORMED_PACKET // [MQTT-3.3.1-4]
  if (packet.dup > packet.qos) return -REASON_MALFORMED_PACKET // DUP with QoS 0 [MQTT-3.3.1-2]
  if (at + 2 > end) return -REASON_MALFORMED_PACKET
  packet.topicLength = readUint16(bytes, at)
  packet.topicAt = at + 2
  at = packet.topicAt + packet.topicLength
  if (at > end) return -REASON_MALFORMED_PACKET
  const status = checkUtf8(bytes, packet.topicAt, packet.topicLength, true)
  if (status < 0) return status
  if (packet.qos > 0) at = decodePacketId(packet, bytes, at, end)
  if (version === V5 && at >= 0) at = decodeProperties(packet, bytes, at, end)
  if (at < 0) return at
  packet.payloadAt = at
  packet.payloadLength = end - at
  // Section 3.3.2.1, and [MQTT-4.7.3-1]. 3.1.1 has no properties to search.
  if (
    packet.topicLength === 0 &&
    findProperty(bytes, packet.propertiesAt, packet.propertiesEnd, PROPERTY_TOPIC_ALIAS) < 0
  ) {
    return -REASON_PROTOCOL_ERROR
  }
  return 0
}

/** SUBACK and UNSUBACK, sections 3.9 and 3.11: the rest of the packet is one code per filter. */
function decodeCodes(
  packet: ReceivedPacket,
  bytes: Uint8Array,
  at: number,
  end: number,
  version: number,
): number {
  if (version !== V5 && packet.type === UNSUBACK) return at // no payload in 3.1.1
  packet.codesAt = at
  packet.codesCount = end - at
  if (at === end) return -REASON_MALFORMED_PACKET // each request has a filter at least
  for (; at < end; at++) {
    if (!isReasonAllowed(packet.type, bytes[at]!, version)) return -REASON_PROTOCOL_ERROR
  }
  return at
}

/**
 * What is behind the fixed header of every packet but PUBLISH:
 *
 *   CONNACK                      flags | Reason Code | properties (5)
 *   PUBACK PUBREC PUBREL PUBCOMP Packet Identifier | Reason Code (5) | properties (5)
 *   SUBACK UNSUBACK              Packet Identifier | properties (5) | codes
 *   DISCONNECT AUTH (5)          Reason Code | properties
 *   PINGRESP                     nothing
 *
 * Where a Reason Code is no matter of course, it may be left out, and the properties too.
 * Returns the offset after what was decoded.
 */
function decodeBody(
  packet: ReceivedPacket,
  bytes: Uint8Array,
  at: number,
  end: number,
  version: number,
): number {
  const type = packet.type
  const isV5 = version === V5
  if (type === PINGRESP) return at
  if (type === CONNACK) {
    if (at + 2 > end) return -REASON_MALFORMED_PACKET
    packet.sessionPresent = bytes[at++]!
    if (packet.sessionPresent > 1) return -REASON_MALFORMED_PACKET // [MQTT-3.2.2-1]
  } else if (type < DISCONNECT) {
    at = decodePacketId(packet, bytes, at, end)
    if (at < 0) return at
    if (type >= SUBACK) {
      if (isV5) at = decodeProperties(packet, bytes, at, end)
      return at < 0 ? at : decodeCodes(packet, bytes, at, end, version)
    }
    if (!isV5) return at
  }
  if (at === end) return at
  const code = bytes[at++]!
  packet.reasonCode = code
  if (!isReasonAllowed(type, code, version)) return -REASON_PROTOCOL_ERROR
  if (packet.sessionPresent > 0 && code > 0) return -REASON_PROTOCOL_ERROR // [MQTT-3.2.2-6]
  // CONNACK and AUTH name the length of their properties even when it is 0.
  if (isV5 && (at < end || type === CONNACK || type === AUTH)) {
    at = decodeProperties(packet, bytes, at, end)
  }
  // Section 3.15.2.2.2: without a method there is nothing the exchange could be about.
  if (
    type === AUTH &&
    at >= 0 &&
    findProperty(bytes, packet.propertiesAt, packet.propertiesEnd, PROPERTY_AUTHENTICATION_METHOD) <
      0
  ) {
    return -REASON_PROTOCOL_ERROR
  }
  return at
}

/**
 * Decodes the packet of `length` bytes at `at` into `packet`. Returns 0 or the Reason Code with
 * which to close, negative; then the fields are those decoded up to the trouble.
 */
export function decode(
  packet: ReceivedPacket,
  bytes: Uint8Array,
  at: number,
  length: number,
  version: number,
): number {
  const end = at + length
  const isV5 = version === V5
  if (length < 2) return -REASON_MALFORMED_PACKET
  clear(packet, bytes[at]!)
  const type = packet.type
  const remaining = readVarint(bytes, at + 1, end, isV5)
  if (remaining < 0) return -REASON_MALFORMED_PACKET
  at = varintEnd(bytes, at + 1)
  if (at + remaining !== end) return -REASON_MALFORMED_PACKET
  if (type === PUBLISH) return decodePublish(packet, bytes, at, end, version)

  if (type === 0 || (type === AUTH && !isV5)) return -REASON_MALFORMED_PACKET // section 2.1.2
  // CONNECT, SUBSCRIBE, UNSUBSCRIBE and PINGREQ are for the client alone to send, and DISCONNECT
  // too in 3.1.1. Bit n stands for packet type n.
  if (((isV5 ? 0x1502 : 0x5502) >> type) & 1) return -REASON_PROTOCOL_ERROR
  // [MQTT-2.1.3-1], in 3.1.1 [MQTT-2.2.2-2].
  if (packet.flags !== (type === PUBREL ? 2 : 0)) return -REASON_MALFORMED_PACKET
  at = decodeBody(packet, bytes, at, end, version)
  if (at < 0) return at
  return at === end ? 0 : -REASON_MALFORMED_PACKET // nothing may follow
}
