/** What an application says about a message beside topic and payload. Knows nothing of queues. */
import { findProperty, type MqttProperties, writeProperties } from './codec/properties.js'
import { ERR_SPACE, PROPERTY_MESSAGE_EXPIRY_INTERVAL, PUBLISH } from './codec/protocol.js'
import type { MessageSource } from './store/message-record.js'

export interface PublishOptions {
  /** 0, 1 or 2. Default 0. */
  qos?: number
  retain?: boolean
  /** MQTT 5. `messageExpiryInterval` also limits the wait in the queue, in both versions. */
  properties?: MqttProperties
}

/** Puts the properties into `source`: false for what MQTT 5 does not allow in PUBLISH. */
export function encodeProperties(
  source: MessageSource,
  properties: MqttProperties,
  limit: number,
): boolean {
  // An alias means nothing on the connection the message may leave on.
  if (properties.topicAlias !== undefined) return false
  let end: number
  for (;;) {
    const target = source.properties
    end = writeProperties(target, 0, target.length, PUBLISH, properties)
    if (end !== ERR_SPACE || target.length > limit) break
    source.properties = new Uint8Array(target.length * 2)
  }
  source.propertiesLength = end < 0 ? 0 : end
  return end >= 0
}

/** True when the message has a Message Expiry Interval. */
export function expires(source: MessageSource): boolean {
  const end = source.propertiesLength
  return findProperty(source.properties, 0, end, PROPERTY_MESSAGE_EXPIRY_INTERVAL) >= 0
}
