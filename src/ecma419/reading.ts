/**
 * Reading: the message that the application reads, and those that wait behind it.
 *
 * A message is announced while it stands in the receive buffer, before the broker has its answer.
 * What `onReadable` leaves unread is copied into `held`, and so is what was received together with
 * it; HeldTransport takes nothing more meanwhile. So `held` need not be larger than the receive
 * buffer: a message takes no more bytes there than its packet took.
 *
 *   +-------+--------------+----------------+- - - - -+- - - - - -+
 *   | flags | topic length | payload length |  topic  |  payload  |
 *   +-------+--------------+----------------+- - - - -+- - - - - -+
 *     1       2              1 to 4           flags: QoS, and 4 for RETAIN
 */
import { readUint16, readVarint, varintEnd, writeUint16, writeVarint } from '../codec/bytes.js'
import { readUtf8 } from '../codec/utf8.js'
import type { InboundMessage } from '../inbound-message.js'
import type { System } from '../../hal/system.js'
import type { Holder } from './held-transport.js'
import { type ByteBuffer, bytesOf, type ReadableOptions } from './pattern.js'

export interface ReadableListener {
  onReadable(count: number, options: ReadableOptions): void
}

const RETAIN = 4

export class Reading implements Holder {
  private readonly system: System
  private readonly listener: ReadableListener
  /** Bytes that `held` needs. */
  private readonly size: number
  /** The message being read: `left` bytes of `bytes` from `at` on. */
  private bytes: Uint8Array
  private at: number
  private left: number
  /** `onReadable` runs for a message without payload: `read` has its no bytes to give. */
  private isEmptyMessage: boolean
  /** Messages that wait are from `heldAt` to `heldEnd`. */
  private held: Uint8Array
  private heldAt: number
  private heldEnd: number

  constructor(size: number, system: System, listener: ReadableListener) {
    this.system = system
    this.listener = listener
    this.size = size
    this.held = new Uint8Array(0)
    this.bytes = this.held
    this.at = 0
    this.left = 0
    this.isEmptyMessage = false
    this.heldAt = 0
    this.heldEnd = 0
  }

  get isHolding(): boolean {
    return this.left > 0 || this.heldAt < this.heldEnd
  }

  /** True while bytes of the current message are left. */
  get isUnread(): boolean {
    return this.left > 0
  }

  /** Gives up what is left of the current message. */
  skip(): void {
    this.left = 0
  }

  /** A message arrived; valid during the call. */
  take(message: InboundMessage): void {
    if (this.isHolding) {
      this.hold(message)
      return
    }
    this.bytes = message.bytes
    this.at = message.payloadAt
    this.left = message.payloadLength
    this.announce(message.topic, message.qos, message.retain)
    if (this.left === 0) return
    this.makeHeld()
    this.system.copy(this.held, 0, this.bytes, this.at, this.left)
    this.bytes = this.held
    this.at = 0
    this.heldAt = this.left
    this.heldEnd = this.left
  }

  /** Announces the messages that wait, as far as the application reads them. */
  next(): void {
    while (this.left === 0 && this.heldAt < this.heldEnd) {
      const held = this.held
      const flags = held[this.heldAt]!
      const topicLength = readUint16(held, this.heldAt + 1)
      const topicAt = varintEnd(held, this.heldAt + 3)
      this.left = readVarint(held, this.heldAt + 3, this.heldEnd, true)
      this.bytes = held
      this.at = topicAt + topicLength
      this.heldAt = this.at + this.left
      this.announce(readUtf8(held, topicAt, topicLength), flags & 3, (flags & RETAIN) !== 0)
    }
  }

  /** `read` of clause 25: bytes of the current message, never of the one behind it. */
  read(option: number | ByteBuffer | undefined): ArrayBuffer | number | undefined {
    if (this.left === 0 && !this.isEmptyMessage) return undefined
    if (option === undefined || typeof option === 'number') {
      const wanted = typeof option === 'number' ? option : this.left
      if (wanted !== Math.floor(wanted) || wanted < 0 || (wanted === 0 && this.left > 0)) {
        throw new Error('read: ' + wanted + ' is no count of bytes; it must be 1 or more')
      }
      const result = new Uint8Array(Math.min(wanted, this.left))
      this.give(result)
      return result.buffer
    }
    const target = bytesOf(option)
    if (target === null) throw new Error('read: its argument must be a number or a byte buffer')
    return this.give(target)
  }

  private give(target: Uint8Array): number {
    const length = Math.min(target.length, this.left)
    this.system.copy(target, 0, this.bytes, this.at, length)
    this.at += length
    this.left -= length
    return length
  }

  private announce(topic: string, qos: number, retain: boolean): void {
    const byteLength = this.left
    this.isEmptyMessage = byteLength === 0
    let isTaken = false
    try {
      this.listener.onReadable(byteLength, { more: false, topic, QoS: qos, byteLength, retain })
      isTaken = true
    } finally {
      this.isEmptyMessage = false
      // The callback threw: nobody will read the rest, and it must not hold up what follows.
      if (!isTaken) this.left = 0
    }
  }

  private hold(message: InboundMessage): void {
    this.makeHeld()
    const held = this.held
    const flags = message.qos | (message.retain ? RETAIN : 0)
    let at = this.heldEnd
    held[at] = flags
    at = writeUint16(held, at + 1, message.topicLength)
    at = writeVarint(held, at, message.payloadLength)
    this.system.copy(held, at, message.bytes, message.topicAt, message.topicLength)
    at += message.topicLength
    this.system.copy(held, at, message.bytes, message.payloadAt, message.payloadLength)
    this.heldEnd = at + message.payloadLength
  }

  private makeHeld(): void {
    if (this.held.length === 0) this.held = new Uint8Array(this.size)
  }
}
