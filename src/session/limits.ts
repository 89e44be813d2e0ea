/**
 * Limits: what the broker of this connection offers. Set by each CONNACK, forgotten with it.
 *
 * The values before a CONNACK are those of a broker that limits nothing: the property descriptions
 * of section 3.2.2.3.
 */
import { findProperty, propertyNumber } from '../codec/properties.js'
import {
  PROPERTY_MAXIMUM_PACKET_SIZE,
  PROPERTY_MAXIMUM_QOS,
  PROPERTY_RECEIVE_MAXIMUM,
  PROPERTY_RETAIN_AVAILABLE,
  PROPERTY_SERVER_KEEP_ALIVE,
  PROPERTY_SESSION_EXPIRY_INTERVAL,
  PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE,
  PROPERTY_SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
  PROPERTY_TOPIC_ALIAS_MAXIMUM,
  PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE,
  REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
  REASON_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
  REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
} from '../codec/protocol.js'
import { isTopicName } from '../topic.js'

const NO_LIMIT = 0xffffffff

export class Limits {
  /** PUBLISH packets of QoS 1 and 2 the broker takes at a time. */
  receiveMaximum: number
  /** Bytes of the largest packet the broker takes. */
  maximumPacketSize: number
  maximumQos: number
  hasRetain: boolean
  hasWildcards: boolean
  hasShared: boolean
  hasIdentifiers: boolean
  /** Topic aliases the broker takes. */
  topicAliasMaximum: number
  keepAliveMs: number
  /** Seconds the broker keeps the session after the connection; -1: as asked. */
  sessionExpirySeconds: number

  constructor() {
    this.receiveMaximum = 65535
    this.maximumPacketSize = NO_LIMIT
    this.maximumQos = 2
    this.hasRetain = true
    this.hasWildcards = true
    this.hasShared = true
    this.hasIdentifiers = true
    this.topicAliasMaximum = 0
    this.keepAliveMs = 0
    this.sessionExpirySeconds = -1
  }

  /** Reads the properties of a CONNACK; `at` equals `end` where there are none. */
  read(bytes: Uint8Array, at: number, end: number, keepAliveMs: number): void {
    this.receiveMaximum = value(bytes, at, end, PROPERTY_RECEIVE_MAXIMUM, 65535)
    this.maximumPacketSize = value(bytes, at, end, PROPERTY_MAXIMUM_PACKET_SIZE, NO_LIMIT)
    this.maximumQos = value(bytes, at, end, PROPERTY_MAXIMUM_QOS, 2)
    this.hasRetain = value(bytes, at, end, PROPERTY_RETAIN_AVAILABLE, 1) === 1
    this.hasWildcards = value(bytes, at, end, PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE, 1) === 1
    this.hasShared = value(bytes, at, end, PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE, 1) === 1
    this.hasIdentifiers =
      value(bytes, at, end, PROPERTY_SUBSCRIPTION_IDENTIFIERS_AVAILABLE, 1) === 1
    this.topicAliasMaximum = value(bytes, at, end, PROPERTY_TOPIC_ALIAS_MAXIMUM, 0)
    const seconds = value(bytes, at, end, PROPERTY_SERVER_KEEP_ALIVE, -1) // [MQTT-3.1.2-21]
    this.keepAliveMs = seconds < 0 ? keepAliveMs : seconds * 1000
    this.sessionExpirySeconds = value(bytes, at, end, PROPERTY_SESSION_EXPIRY_INTERVAL, -1)
  }

  /** The Reason Code with which this broker would refuse a subscription, or 0. */
  refusal(filter: Uint8Array, matchAt: number, identifier: number): number {
    if (!this.hasShared && matchAt > 0) return REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    if (!this.hasIdentifiers && identifier > 0) return REASON_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
    const hasWildcard = !isTopicName(filter, matchAt, filter.length - matchAt)
    return !this.hasWildcards && hasWildcard ? REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED : 0
  }
}

function value(
  bytes: Uint8Array,
  at: number,
  end: number,
  property: number,
  absent: number,
): number {
  const valueAt = findProperty(bytes, at, end, property)
  return valueAt < 0 ? absent : propertyNumber(bytes, valueAt, property)
}
