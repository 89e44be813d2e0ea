/**
 * SmallMessage: an Application Message that arrived. One object is used again: it is valid during
 * the call of its handler.
 */
import { readUtf8 } from '../codec/utf8.js'

export interface SmallMessage {
  /** The topic name as a new string. */
  readonly topic: string
  /** The payload as a view of the receive buffer: copy what must outlive the handler. */
  readonly payload: Uint8Array
  /** The payload as a new string; for payloads that are UTF-8. */
  readonly text: string
  qos: number
  retain: boolean
  /** The broker sent it before, perhaps. */
  dup: boolean
}

/** The message as a view of the receive buffer. */
export class MessageView implements SmallMessage {
  readonly bytes: Uint8Array
  topicAt: number
  topicLength: number
  payloadAt: number
  payloadEnd: number
  qos: number
  retain: boolean
  dup: boolean

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.topicAt = 0
    this.topicLength = 0
    this.payloadAt = 0
    this.payloadEnd = 0
    this.qos = 0
    this.retain = false
    this.dup = false
  }

  get topic(): string {
    return readUtf8(this.bytes, this.topicAt, this.topicLength)
  }

  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadAt, this.payloadEnd)
  }

  get text(): string {
    return readUtf8(this.bytes, this.payloadAt, this.payloadEnd - this.payloadAt)
  }
}
