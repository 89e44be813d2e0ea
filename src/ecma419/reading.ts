/**
 * Reading: the message, or the part of one, that the application reads.
 *
 * It is announced while it stands in the receive buffer, and a message before the broker has its
 * answer. What `onReadable` leaves unread is copied, and nothing behind it is handled until that is
 * read: it waits in the receive buffer, at the broker, and in between. So the copy needs no more
 * than the receive buffer has.
 */
import type { InboundMessage } from '../inbound-message.js'
import type { System } from '../../hal/system.js'
import { type ByteBuffer, bytesOf, type ReadableOptions } from './pattern.js'
import type { PartsListener } from './parts-reader.js'

export interface ReadableListener {
  onReadable(count: number, options: ReadableOptions): void
}

export class Reading implements PartsListener {
  private readonly system: System
  private readonly listener: ReadableListener
  /** What is being read: `left` bytes of `bytes` from `at` on. */
  private bytes: Uint8Array
  private at: number
  private left: number
  /** `onReadable` runs for a message without payload: `read` has its no bytes to give. */
  private isEmptyMessage: boolean
  /** Holds what was left unread; made when that happens. */
  private held: Uint8Array
  /** What the first part of a message is announced with; null: it was. */
  private first: ReadableOptions | null
  /** The same for its later parts; used again. */
  private readonly later: ReadableOptions

  constructor(system: System, listener: ReadableListener) {
    this.system = system
    this.listener = listener
    this.held = new Uint8Array(0)
    this.bytes = this.held
    this.at = 0
    this.left = 0
    this.isEmptyMessage = false
    this.first = null
    this.later = { more: false }
  }

  /** True while bytes are left. */
  get isUnread(): boolean {
    return this.left > 0
  }

  /** Gives up what is left of the message, or of the part. */
  skip(): void {
    this.left = 0
  }

  /** A message arrived whole; valid during the call. Nothing is unread. */
  take(message: InboundMessage): void {
    const byteLength = message.payloadLength
    this.announce(message.bytes, message.payloadAt, byteLength, {
      more: false,
      topic: message.topic,
      QoS: message.qos,
      byteLength,
      retain: message.retain,
    })
  }

  /** See PartsListener. */
  begin(topic: string, qos: number, retain: boolean, byteLength: number): void {
    this.first = { more: true, topic, QoS: qos, byteLength, retain }
  }

  /** See PartsListener. */
  part(bytes: Uint8Array, at: number, count: number, more: boolean): void {
    const options = this.first ?? this.later
    options.more = more
    this.announce(bytes, at, count, options)
    this.first = null
  }

  /** See PartsListener. */
  breakOff(): void {
    this.first = null
    this.left = 0
  }

  /** `read` of clause 25: of what was announced, never of what is behind it. */
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

  private announce(bytes: Uint8Array, at: number, count: number, options: ReadableOptions): void {
    this.bytes = bytes
    this.at = at
    this.left = count
    this.isEmptyMessage = count === 0
    let isTaken = false
    try {
      this.listener.onReadable(count, options)
      isTaken = true
    } finally {
      this.isEmptyMessage = false
      // The callback threw: nobody will read the rest, and it must not hold up what follows.
      if (!isTaken) this.left = 0
    }
    if (this.left === 0) return
    if (this.held.length === 0) this.held = new Uint8Array(bytes.length)
    this.system.copy(this.held, 0, bytes, this.at, this.left)
    this.bytes = this.held
    this.at = 0
  }
}
