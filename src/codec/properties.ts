/**
 * Properties of MQTT 5, section 2.2.2: written from an object with names, checked and found in
 * received bytes without a copy.
 *
 * Works on a row of properties without the Property Length in front of it. Knows nothing of the
 * packet around them but its type.
 */
import { readUint16, readUint32, writeUint32 } from './bytes.js'
import { fieldEnd, KIND_BINARY, KIND_BYTE, KIND_PAIR, KIND_STRING } from './fields.js'
import { readNumber, writeField, type FieldValue } from './fields.js'
import { isPropertyAllowed, propertyKind, propertyName } from './property-table.js'
import { PROPERTY_MESSAGE_EXPIRY_INTERVAL } from './protocol.js'
import { DISCONNECT, PROPERTY_LAST, PROPERTY_SUBSCRIPTION_IDENTIFIER } from './protocol.js'
import {
  PROPERTY_MAXIMUM_PACKET_SIZE,
  PROPERTY_RECEIVE_MAXIMUM,
  PROPERTY_USER_PROPERTY,
} from './protocol.js'
import { PROPERTY_RESPONSE_TOPIC, PROPERTY_SERVER_REFERENCE } from './protocol.js'
import { PROPERTY_SESSION_EXPIRY_INTERVAL, PROPERTY_TOPIC_ALIAS, PUBLISH } from './protocol.js'
import { REASON_MALFORMED_PACKET, REASON_PROTOCOL_ERROR } from './protocol.js'
import { REASON_TOPIC_ALIAS_INVALID } from './protocol.js'
import { checkUtf8, readUtf8 } from './utf8.js'

/**
 * The properties of one packet under the names of the specification. Booleans of the
 * specification are the numbers 0 and 1; intervals are seconds.
 */
export interface MqttProperties {
  payloadFormatIndicator?: number
  messageExpiryInterval?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Uint8Array
  /** To send, in SUBSCRIBE. */
  subscriptionIdentifier?: number
  /** As received in PUBLISH, which may carry several. Ignored when sending. */
  subscriptionIdentifiers?: readonly number[]
  sessionExpiryInterval?: number
  assignedClientIdentifier?: string
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Uint8Array
  requestProblemInformation?: number
  willDelayInterval?: number
  requestResponseInformation?: number
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQoS?: number
  retainAvailable?: number
  /** Pairs of name and value, in order; names may repeat. */
  userProperties?: readonly (readonly string[])[]
  maximumPacketSize?: number
  wildcardSubscriptionAvailable?: number
  subscriptionIdentifiersAvailable?: number
  sharedSubscriptionAvailable?: number
}

/** Whether the property stands in a packet that goes both ways, but in one direction only. */
function isOneWay(id: number, packetType: number): boolean {
  return packetType === DISCONNECT
    ? id === PROPERTY_SESSION_EXPIRY_INTERVAL || id === PROPERTY_SERVER_REFERENCE
    : packetType === PUBLISH && id === PROPERTY_SUBSCRIPTION_IDENTIFIER // [MQTT-3.3.4-6]
}

/** Writes identifier and value, and lets pass only what a receiver would. */
function writeProperty(
  target: Uint8Array,
  at: number,
  limit: number,
  id: number,
  value: FieldValue,
): number {
  const valueAt = writeField(target, at, limit, KIND_BYTE, id)
  const next = writeField(target, valueAt, limit, propertyKind(id), value)
  return next < 0 ? next : checkProperty(target, at, next) || next
}

/**
 * Writes the properties that a client may send in this packet (WILL for the Will), in the order
 * of their identifiers, without the length before them. Returns the offset after them, ERR_SPACE,
 * Protocol Error for a property that has no place in the packet, or the Reason Code with which a
 * receiver would answer the value.
 */
export function writeProperties(
  target: Uint8Array,
  at: number,
  limit: number,
  packetType: number,
  properties: MqttProperties | null,
): number {
  if (properties === null) return at
  for (let id = 1; id <= PROPERTY_LAST && at >= 0; id++) {
    const kind = propertyKind(id)
    if (kind === 0) continue
    const value = (properties as Record<string, FieldValue | undefined>)[propertyName(id)]
    if (value === undefined || value === null) continue
    // The table has what a broker sends; the other direction differs where `isOneWay` says so.
    if (isPropertyAllowed(id, packetType) === isOneWay(id, packetType)) {
      return -REASON_PROTOCOL_ERROR
    }
    if (kind === KIND_PAIR) {
      const pairs = properties.userProperties!
      for (let index = 0; index < pairs.length && at >= 0; index++) {
        at = writeProperty(target, at, limit, id, pairs[index]!)
      }
    } else at = writeProperty(target, at, limit, id, value)
  }
  return at
}

/** Checks form and value of the property from `at` to `next`: 0 or a negative Reason Code. */
function checkProperty(bytes: Uint8Array, at: number, next: number): number {
  const id = bytes[at++]!
  const kind = propertyKind(id)
  if (kind === KIND_BINARY) return 0
  if (kind < KIND_STRING) {
    const number = readNumber(bytes, at, kind)
    if (number === 0) {
      if (id === PROPERTY_TOPIC_ALIAS) return -REASON_TOPIC_ALIAS_INVALID // [MQTT-3.3.2-8]
      if (
        id === PROPERTY_RECEIVE_MAXIMUM ||
        id === PROPERTY_MAXIMUM_PACKET_SIZE ||
        id === PROPERTY_SUBSCRIPTION_IDENTIFIER
      ) {
        return -REASON_PROTOCOL_ERROR
      }
    }
    // Every property of one byte is 0 or 1.
    return kind === KIND_BYTE && number > 1 ? -REASON_PROTOCOL_ERROR : 0
  }
  // One string, or the two of a User Property. A Response Topic is a Topic Name [MQTT-3.3.2-14].
  while (at < next) {
    const length = readUint16(bytes, at)
    const status = checkUtf8(bytes, at + 2, length, id === PROPERTY_RESPONSE_TOPIC)
    if (status < 0) return status
    at += length + 2
  }
  return 0
}

/**
 * The offset of the property after the one at `at`, or Malformed Packet when the identifier is
 * unknown or the value does not end before `end`.
 */
export function nextProperty(bytes: Uint8Array, at: number, end: number): number {
  const kind = propertyKind(bytes[at]!)
  return kind > 0 ? fieldEnd(bytes, at + 1, end, kind) : -REASON_MALFORMED_PACKET
}

/**
 * Checks all properties that a broker sent in a packet of this type: 0 or a negative Reason Code.
 * A property without a place in the packet makes it malformed (section 2.2.2.2), one that occurs
 * twice is a Protocol Error.
 */
export function checkProperties(
  bytes: Uint8Array,
  at: number,
  end: number,
  packetType: number,
): number {
  // A bit for each identifier seen, 0 to 31 and 32 to 63.
  let seenBelow32 = 0
  let seenFrom32 = 0
  while (at < end) {
    const id = bytes[at]!
    const next = nextProperty(bytes, at, end)
    if (next < 0) return next
    if (!isPropertyAllowed(id, packetType)) return -REASON_MALFORMED_PACKET
    let bit = 1 << (id & 31)
    if ((id < 32 ? seenBelow32 : seenFrom32) & bit) return -REASON_PROTOCOL_ERROR
    // A User Property may repeat, and in PUBLISH a Subscription Identifier.
    if (
      id === PROPERTY_USER_PROPERTY ||
      (id === PROPERTY_SUBSCRIPTION_IDENTIFIER && packetType === PUBLISH)
    )
      bit = 0
    if (id < 32) seenBelow32 |= bit
    else seenFrom32 |= bit
    const status = checkProperty(bytes, at, next)
    if (status < 0) return status
    at = next
  }
  return 0
}

/** The offset of the value of the first property `id`, or -1. For checked properties. */
export function findProperty(bytes: Uint8Array, at: number, end: number, id: number): number {
  while (at >= 0 && at < end) {
    if (bytes[at] === id) return at + 1
    at = nextProperty(bytes, at, end)
  }
  return -1
}

/** The number at an offset that `findProperty` gave. A string or binary value: its length. */
export function propertyNumber(bytes: Uint8Array, valueAt: number, id: number): number {
  const kind = propertyKind(id)
  return kind < KIND_STRING ? readNumber(bytes, valueAt, kind) : readUint16(bytes, valueAt)
}

function readString(bytes: Uint8Array, at: number): string {
  return readUtf8(bytes, at + 2, readUint16(bytes, at))
}

/**
 * All of them as an object that holds no reference to `bytes`. Allocates: for the application.
 * For checked properties.
 */
export function readProperties(bytes: Uint8Array, at: number, end: number): MqttProperties {
  const result: MqttProperties = {}
  const values = result as Record<string, FieldValue>
  const users: string[][] = []
  const identifiers: number[] = []
  while (at >= 0 && at < end) {
    const id = bytes[at]!
    const kind = propertyKind(id)
    const valueAt = at + 1
    at = nextProperty(bytes, at, end)
    if (kind === KIND_PAIR) {
      users.push([
        readString(bytes, valueAt),
        readString(bytes, fieldEnd(bytes, valueAt, end, KIND_STRING)),
      ])
      result.userProperties = users
    } else if (kind === KIND_STRING) values[propertyName(id)] = readString(bytes, valueAt)
    else if (kind === KIND_BINARY) {
      const data = new Uint8Array(at - valueAt - 2)
      for (let index = 0; index < data.length; index++) data[index] = bytes[valueAt + 2 + index]!
      values[propertyName(id)] = data
    } else if (id === PROPERTY_SUBSCRIPTION_IDENTIFIER) {
      identifiers.push(readNumber(bytes, valueAt, kind))
      result.subscriptionIdentifiers = identifiers
    } else values[propertyName(id)] = readNumber(bytes, valueAt, kind)
  }
  return result
}

/** Takes the time waited off the Message Expiry Interval [MQTT-3.3.2-6]. */
export function reduceExpiry(bytes: Uint8Array, at: number, length: number, age: number): void {
  const expiryAt = findProperty(bytes, at, at + length, PROPERTY_MESSAGE_EXPIRY_INTERVAL)
  if (expiryAt < 0) return
  const seconds = readUint32(bytes, expiryAt)
  writeUint32(bytes, expiryAt, age < seconds ? seconds - age : 1)
}
