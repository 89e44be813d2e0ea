/**
 * Writes every packet a client sends but PUBLISH, for MQTT 3.1.1 and MQTT 5.
 *
 * Each function writes one whole packet at `at` and returns the offset after it, or ERR_SPACE
 * when the target ends too early, or a Reason Code with a minus sign for what the specification
 * forbids to send. In the last two cases the bytes from `at` on are undefined; nothing is written
 * outside of the target. Topic filters are not looked into: that is for `src/topic.ts`.
 */
import { writeUint16 } from './bytes.js'
import { closeLength, KIND_BINARY, KIND_BYTE, KIND_STRING, KIND_UINT16 } from './fields.js'
import { writeField } from './fields.js'
import { writeProperties, type MqttProperties } from './properties.js'
import { AUTH, CONNECT, DISCONNECT, ERR_SPACE, PINGREQ, PUBREL } from './protocol.js'
import { REASON_PROTOCOL_ERROR, SUBSCRIBE, UNSUBSCRIBE, V5, WILL } from './protocol.js'

export interface WillMessage {
  topic: string
  payload: Uint8Array
  qos: number
  retain: boolean
  /** MQTT 5 only. */
  properties: MqttProperties | null
}

export interface ConnectOptions {
  clientId: string
  /** Clean Start, and Clean Session in 3.1.1. */
  cleanStart: boolean
  keepAliveSeconds: number
  username: string | null
  password: Uint8Array | null
  will: WillMessage | null
  /** MQTT 5 only. */
  properties: MqttProperties | null
}

export interface SubscribeFilter {
  filter: string
  qos: number
  /** MQTT 5 only, as the next two. */
  noLocal?: boolean
  retainAsPublished?: boolean
  retainHandling?: number
  /** The Subscription Identifier, 0: none. One SUBSCRIBE has one for all its filters. */
  identifier?: number
}

/** Writes the Property Length and the properties. */
function writePropertyBlock(
  target: Uint8Array,
  at: number,
  packetType: number,
  properties: MqttProperties | null,
): number {
  const limit = target.length
  // The first byte is the place of the length; `closeLength` fills it.
  const bodyAt = writeField(target, at, limit, KIND_BYTE, 0)
  if (bodyAt < 0) return bodyAt
  return closeLength(
    target,
    at,
    writeProperties(target, bodyAt, limit, packetType, properties),
    limit,
  )
}

/** Writes the first byte of a packet and leaves one byte for the Remaining Length. */
function openPacket(target: Uint8Array, at: number, first: number): number {
  return writeField(target, at, target.length, KIND_UINT16, first << 8)
}

/**
 * CONNECT, section 3.1:
 *
 *   0x10, Remaining Length | "MQTT" | version | flags | Keep Alive | properties (5)
 *   Client Identifier | Will: properties (5), topic, payload | User Name | Password
 *
 *   flags   7 User Name | 6 Password | 5 Will Retain | 4-3 Will QoS | 2 Will | 1 Clean Start | 0
 */
export function writeConnect(
  target: Uint8Array,
  at: number,
  connect: ConnectOptions,
  version: number,
): number {
  const will = connect.will
  const username = connect.username
  const password = connect.password
  // [MQTT-3.1.3-7] and [MQTT-3.1.2-22], both of 3.1.1 only.
  if (
    version !== V5 &&
    ((connect.clientId === '' && !connect.cleanStart) || (password !== null && username === null))
  ) {
    return -REASON_PROTOCOL_ERROR
  }
  let flags = connect.cleanStart ? 0x02 : 0
  if (will !== null) flags |= 0x04 | ((will.qos & 3) << 3) | (will.retain ? 0x20 : 0)
  if (password !== null) flags |= 0x40
  if (username !== null) flags |= 0x80

  const limit = target.length
  let next = openPacket(target, at, CONNECT << 4)
  next = writeField(target, next, limit, KIND_STRING, 'MQTT')
  next = writeField(target, next, limit, KIND_BYTE, version)
  next = writeField(target, next, limit, KIND_BYTE, flags)
  next = writeField(target, next, limit, KIND_UINT16, connect.keepAliveSeconds)
  if (version === V5) next = writePropertyBlock(target, next, CONNECT, connect.properties)
  next = writeField(target, next, limit, KIND_STRING, connect.clientId)
  if (will !== null) {
    if (version === V5) next = writePropertyBlock(target, next, WILL, will.properties)
    next = writeField(target, next, limit, KIND_STRING, will.topic)
    next = writeField(target, next, limit, KIND_BINARY, will.payload)
  }
  if (username !== null) next = writeField(target, next, limit, KIND_STRING, username)
  if (password !== null) next = writeField(target, next, limit, KIND_BINARY, password)
  return closeLength(target, at + 1, next, limit)
}

/**
 * PUBACK, PUBREC, PUBREL and PUBCOMP, sections 3.4 to 3.7:
 *
 *   type and flags, 2 or 3 | Packet Identifier | Reason Code (5, unless it is 0 [3.4.2.1])
 *
 * Runs for every message, so it allocates nothing.
 */
export function writeAck(
  target: Uint8Array,
  at: number,
  type: number,
  packetId: number,
  reasonCode: number,
  version: number,
): number {
  const size = version === V5 && reasonCode !== 0 ? 3 : 2
  if (at + 2 + size > target.length) return ERR_SPACE
  target[at] = (type << 4) | (type === PUBREL ? 2 : 0) // [MQTT-3.6.1-1]
  target[at + 1] = size
  at = writeUint16(target, at + 2, packetId)
  if (size > 2) target[at++] = reasonCode
  return at
}

/** SUBSCRIBE and UNSUBSCRIBE: type, Packet Identifier, properties (5), filters. */
function writeFilters(
  target: Uint8Array,
  at: number,
  type: number,
  packetId: number,
  filters: readonly (SubscribeFilter | string)[],
  properties: MqttProperties | null,
  version: number,
): number {
  if (filters.length === 0) return -REASON_PROTOCOL_ERROR // [MQTT-3.8.3-2] [MQTT-3.10.3-2]
  const limit = target.length
  let next = openPacket(target, at, (type << 4) | 2) // [MQTT-3.8.1-1] [MQTT-3.10.1-1]
  next = writeField(target, next, limit, KIND_UINT16, packetId)
  if (version === V5) next = writePropertyBlock(target, next, type, properties)
  for (let index = 0; index < filters.length; index++) {
    const entry = filters[index]!
    if (typeof entry === 'string') next = writeField(target, next, limit, KIND_STRING, entry)
    else {
      let options = entry.qos
      if (version === V5) {
        options |= (entry.retainHandling ?? 0) << 4
        if (entry.noLocal) options |= 0x04
        if (entry.retainAsPublished) options |= 0x08
      }
      next = writeField(target, next, limit, KIND_STRING, entry.filter)
      next = writeField(target, next, limit, KIND_BYTE, options)
    }
  }
  return closeLength(target, at + 1, next, limit)
}

export function writeSubscribe(
  target: Uint8Array,
  at: number,
  packetId: number,
  filters: readonly SubscribeFilter[],
  properties: MqttProperties | null,
  version: number,
): number {
  return writeFilters(target, at, SUBSCRIBE, packetId, filters, properties, version)
}

export function writeUnsubscribe(
  target: Uint8Array,
  at: number,
  packetId: number,
  filters: readonly string[],
  properties: MqttProperties | null,
  version: number,
): number {
  return writeFilters(target, at, UNSUBSCRIBE, packetId, filters, properties, version)
}

export function writePingreq(target: Uint8Array, at: number): number {
  return openPacket(target, at, PINGREQ << 4)
}

/** A packet that is a Reason Code and properties; the short forms leave out what says nothing. */
function writeReason(
  target: Uint8Array,
  at: number,
  type: number,
  reasonCode: number,
  properties: MqttProperties | null,
): number {
  let next = openPacket(target, at, type << 4)
  if (reasonCode !== 0 || properties !== null) {
    next = writeField(target, next, target.length, KIND_BYTE, reasonCode)
    if (properties !== null || type === AUTH) {
      next = writePropertyBlock(target, next, type, properties)
    }
  }
  return closeLength(target, at + 1, next, target.length)
}

/** In 3.1.1 the packet has no body, and so no place for the reason. */
export function writeDisconnect(
  target: Uint8Array,
  at: number,
  reasonCode: number,
  properties: MqttProperties | null,
  version: number,
): number {
  if (version === V5) return writeReason(target, at, DISCONNECT, reasonCode, properties)
  return openPacket(target, at, DISCONNECT << 4)
}

/** MQTT 5 only. */
export function writeAuth(
  target: Uint8Array,
  at: number,
  reasonCode: number,
  properties: MqttProperties | null,
): number {
  return writeReason(target, at, AUTH, reasonCode, properties)
}
