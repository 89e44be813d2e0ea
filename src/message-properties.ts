/**
 * The MQTT 5 properties of a received message, read in place: offsets into `message.bytes`, no
 * object and no string unless one is asked for. `message.properties` makes an object of all.
 *
 * Functions of their own, so that only who uses them has them in the bundle.
 */
import { readUint16 } from './codec/bytes.js'
import { fieldEnd, KIND_PAIR, KIND_STRING } from './codec/fields.js'
import { findProperty } from './codec/properties.js'
import { PROPERTY_USER_PROPERTY } from './codec/protocol.js'
import { readUtf8 } from './codec/utf8.js'
import type { InboundMessage } from './inbound-message.js'

export {
  PROPERTY_CONTENT_TYPE,
  PROPERTY_CORRELATION_DATA,
  PROPERTY_MESSAGE_EXPIRY_INTERVAL,
  PROPERTY_PAYLOAD_FORMAT_INDICATOR,
  PROPERTY_RESPONSE_TOPIC,
  PROPERTY_SUBSCRIPTION_IDENTIFIER,
} from './codec/protocol.js'
export { propertyNumber } from './codec/properties.js'

/**
 * Where the value of the first property `id` begins, or -1. `propertyNumber` reads numbers there;
 * strings and binary data begin with their length in two bytes.
 */
export function propertyAt(message: InboundMessage, id: number): number {
  return findProperty(message.bytes, message.propertiesAt, message.propertiesEnd, id)
}

/**
 * The User Properties one after the other, in the order of the packet: the place of the first with
 * `after` 0, of the next with the place of the last; -1 behind the last. At a place stands the
 * name, at `valueOf` it the value, each with its length before it.
 */
export function nextUserProperty(message: InboundMessage, after: number): number {
  const end = message.propertiesEnd
  const at = after > 0 ? fieldEnd(message.bytes, after, end, KIND_PAIR) : message.propertiesAt
  return findProperty(message.bytes, at, end, PROPERTY_USER_PROPERTY)
}

/** Where the value stands whose name is at `nameAt`. */
export function valueOf(message: InboundMessage, nameAt: number): number {
  return fieldEnd(message.bytes, nameAt, message.propertiesEnd, KIND_STRING)
}

/** Where the value of the first User Property with this name stands, or -1. */
export function userPropertyAt(message: InboundMessage, name: Uint8Array): number {
  let at = nextUserProperty(message, 0)
  while (at >= 0 && !isEqual(message.bytes, at, name)) at = nextUserProperty(message, at)
  return at < 0 ? -1 : valueOf(message, at)
}

/** The string at a place as a new string. */
export function textAt(message: InboundMessage, at: number): string {
  return readUtf8(message.bytes, at + 2, readUint16(message.bytes, at))
}

/** The binary data at a place as a view: copy what must outlive the handler. */
export function dataAt(message: InboundMessage, at: number): Uint8Array {
  return message.bytes.subarray(at + 2, at + 2 + readUint16(message.bytes, at))
}

function isEqual(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  if (readUint16(bytes, at) !== name.length) return false
  for (let index = 0; index < name.length; index++) {
    if (bytes[at + 2 + index] !== name[index]) return false
  }
  return true
}
