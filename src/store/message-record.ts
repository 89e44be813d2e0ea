/**
 * MessageRecord: the body of a record that holds one Application Message.
 *
 * Knows nothing of sectors, checks or packets: what is sent is put together anew for each
 * connection. docs/FLASH-FORMAT.md, section 4.1:
 *
 *   +-------+--------------------------+---------+- - - - - - - - - - - - - +- - - - - - -+
 *   | flags | topic number, or 2+topic | time    | length + properties      | payload     |
 *   +-------+--------------------------+---------+- - - - - - - - - - - - - +- - - - - - -+
 *     1       1, or 2 + length           0 or 2     0, or 1 to 4 + length      rest, or 4
 */
import {
  readUint16,
  readUint32,
  readVarint,
  varintSize,
  writeUint16,
  writeVarint,
} from '../codec/bytes.js'
import { ERR_CORRUPT, OK, type Status } from '../status.js'
import type { System } from '../../hal/system.js'

export const MESSAGE_QOS = 0x03
export const MESSAGE_RETAIN = 0x04
export const MESSAGE_INLINE_TOPIC = 0x08
export const MESSAGE_TIME = 0x10
export const MESSAGE_PROPERTIES = 0x20
/** Instead of a payload its length, 4 bytes: the payload follows in FRAGMENT records. */
export const MESSAGE_FRAGMENTS = 0x40
/** It was sent while it was in RAM only. Set where marks tell what was sent. */
export const MESSAGE_SENT = 0x80

/** What an enqueued message is made of. One object is reused; its arrays belong to the caller. */
export class MessageSource {
  /** MESSAGE_QOS and MESSAGE_RETAIN bits. */
  flags: number
  topic: Uint8Array
  topicAt: number
  topicLength: number
  properties: Uint8Array
  propertiesAt: number
  propertiesLength: number
  payloadLength: number
  /** The place of the lane it goes to. */
  lane: number
  /** The number this topic had last in the sector `hintSector`; 0: none. */
  topicHint: number
  hintSector: number

  constructor(topic: Uint8Array, properties: Uint8Array) {
    this.flags = 0
    this.topic = topic
    this.topicAt = 0
    this.topicLength = topic.length
    this.properties = properties
    this.propertiesAt = 0
    this.propertiesLength = properties.length
    this.payloadLength = 0
    this.lane = 0
    this.topicHint = 0
    this.hintSector = 0
  }
}

/** Bytes of the body: `topicNumber` 0 puts the topic inline, `timeDelta` below 0 leaves it out. */
export function messageSize(
  message: MessageSource,
  topicNumber: number,
  timeDelta: number,
): number {
  let size = 1 + (topicNumber > 0 ? 1 : 2 + message.topicLength) + message.payloadLength
  if (timeDelta >= 0) size += 2
  const propertiesLength = message.propertiesLength
  if (propertiesLength > 0) size += varintSize(propertiesLength) + propertiesLength
  return size
}

/** Writes everything but the payload and returns where the payload goes. */
export function writeMessageHead(
  target: Uint8Array,
  targetAt: number,
  message: MessageSource,
  topicNumber: number,
  timeDelta: number,
  system: System,
): number {
  let at = targetAt + 1
  let flags = message.flags
  if (topicNumber > 0) {
    target[at++] = topicNumber
  } else {
    flags |= MESSAGE_INLINE_TOPIC
    at = writeUint16(target, at, message.topicLength)
    system.copy(target, at, message.topic, message.topicAt, message.topicLength)
    at += message.topicLength
  }
  if (timeDelta >= 0) {
    flags |= MESSAGE_TIME
    at = writeUint16(target, at, timeDelta)
  }
  if (message.propertiesLength > 0) {
    flags |= MESSAGE_PROPERTIES
    at = writeVarint(target, at, message.propertiesLength)
    system.copy(target, at, message.properties, message.propertiesAt, message.propertiesLength)
    at += message.propertiesLength
  }
  target[targetAt] = flags
  return at
}

/** A body taken apart: offsets into the buffer it was loaded in. */
export class MessageRecord {
  qos: number
  retain: number
  wasSent: boolean
  /** 1 to 255: the topic's number in its sector. 0: it stands at `topicAt`. */
  topicNumber: number
  topicAt: number
  topicLength: number
  /** Seconds since the time base, or -1. */
  timeDelta: number
  propertiesAt: number
  propertiesLength: number
  payloadAt: number
  payloadLength: number
  /** The payload of `payloadLength` bytes is in FRAGMENT records. */
  isFragmented: boolean

  constructor() {
    this.qos = 0
    this.retain = 0
    this.wasSent = false
    this.topicNumber = 0
    this.topicAt = 0
    this.topicLength = 0
    this.timeDelta = -1
    this.propertiesAt = 0
    this.propertiesLength = 0
    this.payloadAt = 0
    this.payloadLength = 0
    this.isFragmented = false
  }

  /** Takes `length` bytes at `at` apart: OK, or ERR_CORRUPT when the lengths do not add up. */
  parse(source: Uint8Array, at: number, length: number): Status {
    const end = at + length
    if (length < 2) return ERR_CORRUPT
    const flags = source[at]!
    this.qos = flags & MESSAGE_QOS
    this.retain = flags & MESSAGE_RETAIN ? 1 : 0
    this.wasSent = (flags & MESSAGE_SENT) !== 0
    if (this.qos === 3) return ERR_CORRUPT
    at++
    this.topicNumber = 0
    this.topicLength = 0
    if (flags & MESSAGE_INLINE_TOPIC) {
      if (at + 2 > end) return ERR_CORRUPT
      this.topicLength = readUint16(source, at)
      this.topicAt = at + 2
      at += 2 + this.topicLength
    } else {
      this.topicNumber = source[at++]!
      if (this.topicNumber === 0) return ERR_CORRUPT
    }
    this.timeDelta = -1
    if (flags & MESSAGE_TIME) {
      if (at + 2 > end) return ERR_CORRUPT
      this.timeDelta = readUint16(source, at)
      at += 2
    }
    this.propertiesLength = 0
    this.propertiesAt = at
    if (flags & MESSAGE_PROPERTIES) {
      const propertiesLength = readVarint(source, at, end, true)
      if (propertiesLength < 0) return ERR_CORRUPT
      this.propertiesAt = at + varintSize(propertiesLength)
      this.propertiesLength = propertiesLength
      at = this.propertiesAt + propertiesLength
    }
    if (at > end) return ERR_CORRUPT
    this.payloadAt = at
    this.payloadLength = end - at
    this.isFragmented = (flags & MESSAGE_FRAGMENTS) !== 0
    if (!this.isFragmented) return OK
    if (this.payloadLength !== 4) return ERR_CORRUPT
    this.payloadLength = readUint32(source, at)
    return OK
  }
}
