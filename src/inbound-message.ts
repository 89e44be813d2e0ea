/**
 * InboundMessage: an Application Message that arrived, as a view of the receive buffer.
 *
 * One object is reused: it is valid during the call of the handler. Reading `bytes` through the
 * offsets costs nothing; `payload` makes one view, `topic` and `properties` make new values.
 */
import { type MqttProperties, readProperties } from './codec/properties.js'
import { readUtf8 } from './codec/utf8.js'

export class InboundMessage {
  /** The receive buffer. Nothing outside of the ranges below belongs to the message. */
  readonly bytes: Uint8Array
  /** Where the topic stands: `bytes`, or a table of the client where the broker sent an alias. */
  topicBytes: Uint8Array
  topicAt: number
  topicLength: number
  payloadAt: number
  payloadLength: number
  propertiesAt: number
  propertiesEnd: number
  qos: number
  retain: boolean
  /** The broker sent it before, perhaps; see the guarantees for QoS 1. */
  dup: boolean
  /** With `manualAck`: the token for `client.acknowledge`; 0: nothing is to be acknowledged. */
  acknowledgement: number

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.topicBytes = bytes
    this.topicAt = 0
    this.topicLength = 0
    this.payloadAt = 0
    this.payloadLength = 0
    this.propertiesAt = 0
    this.propertiesEnd = 0
    this.qos = 0
    this.retain = false
    this.dup = false
    this.acknowledgement = 0
  }

  /** The topic name as a new string. */
  get topic(): string {
    return readUtf8(this.topicBytes, this.topicAt, this.topicLength)
  }

  /** The payload as a view of the receive buffer: copy what must outlive the handler. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadAt, this.payloadAt + this.payloadLength)
  }

  /** The payload as a new string; for payloads that are UTF-8. */
  get text(): string {
    return readUtf8(this.bytes, this.payloadAt, this.payloadLength)
  }

  /** The MQTT 5 properties as a new object; empty under MQTT 3.1.1. */
  get properties(): MqttProperties {
    return readProperties(this.bytes, this.propertiesAt, this.propertiesEnd)
  }
}
