/**
 * SmallMessage: an Application Message that arrived, as a view of the receive buffer. One object is
 * used again: it is valid during the call of its handler.
 */
import { readUtf8 } from '../codec/utf8.js'

export class SmallMessage {
  /** The receive buffer. Nothing outside of the ranges below belongs to the message. */
  readonly bytes: Uint8Array
  topicAt: number
  topicLength: number
  payloadAt: number
  payloadLength: number
  qos: number
  retain: boolean
  /** The broker sent it before, perhaps. */
  dup: boolean

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.topicAt = 0
    this.topicLength = 0
    this.payloadAt = 0
    this.payloadLength = 0
    this.qos = 0
    this.retain = false
    this.dup = false
  }

  /** The topic name as a new string. */
  get topic(): string {
    return readUtf8(this.bytes, this.topicAt, this.topicLength)
  }

  /** The payload as a view of the receive buffer: copy what must outlive the handler. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadAt, this.payloadAt + this.payloadLength)
  }

  /** The payload as a new string; for payloads that are UTF-8. */
  get text(): string {
    return readUtf8(this.bytes, this.payloadAt, this.payloadLength)
  }
}
