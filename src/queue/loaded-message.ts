/**
 * LoadedMessage: the message a queue loaded last, taken apart; valid until the next call of the
 * queue or the log.
 */
import { readUint32 } from '../codec/bytes.js'
import { findProperty } from '../codec/properties.js'
import { PROPERTY_MESSAGE_EXPIRY_INTERVAL } from '../codec/protocol.js'
import { ERR_CORRUPT, ERR_NOT_READY, OK, type Status } from '../status.js'
import { MessageRecord } from '../store/message-record.js'
import type { OutgoingLog } from '../store/outgoing-log.js'
import type { QueueClock } from './queue-clock.js'

export class LoadedMessage {
  /** Offsets into `log.buffer`. */
  readonly record: MessageRecord
  private readonly log: OutgoingLog
  private readonly clock: QueueClock
  private readonly ttlSeconds: number

  constructor(log: OutgoingLog, clock: QueueClock, ttlSeconds: number) {
    this.record = new MessageRecord()
    this.log = log
    this.clock = clock
    this.ttlSeconds = ttlSeconds
  }

  /**
   * Loads the record the log's reader is at: OK, ERR_CORRUPT, ERR_HOOK, ERR_STORAGE, or
   * ERR_NOT_READY for a payload that never came to its end, and for an empty record.
   */
  load(): Status {
    const log = this.log
    let status = log.load()
    if (status !== OK) return status
    if (log.loadedLength === 0) return ERR_NOT_READY
    status = this.record.parse(log.buffer, log.loadedAt, log.loadedLength)
    if (status === OK && this.record.isFragmented) {
      // The check overwrites the buffer.
      const fragments = log.fragments
      status = fragments === null ? ERR_CORRUPT : fragments.check(this.record.payloadLength)
      if (status === OK) status = log.load()
    }
    return status === OK && this.record.topicNumber > 0
      ? log.loadTopic(this.record.topicNumber)
      : status
  }

  get topic(): Uint8Array {
    return this.record.topicNumber === 0 ? this.log.buffer : this.log.topicBuffer
  }

  get topicAt(): number {
    return this.record.topicNumber === 0 ? this.record.topicAt : this.log.topicAt
  }

  get topicLength(): number {
    return this.record.topicNumber === 0 ? this.record.topicLength : this.log.topicLength
  }

  /** Seconds it has waited as far as is known; 0 when it has no time. */
  get age(): number {
    const timeDelta = this.record.timeDelta
    return timeDelta < 0 ? 0 : this.clock.age(this.log.loadedTimeBase + timeDelta)
  }

  /** True when it has waited as long as the lane or its Message Expiry Interval allows. */
  get isExpired(): boolean {
    const record = this.record
    if (record.timeDelta < 0) return false
    const age = this.age
    if (this.ttlSeconds > 0 && age >= this.ttlSeconds) return true
    const at = record.propertiesAt
    const end = at + record.propertiesLength
    const buffer = this.log.buffer
    const expiryAt = findProperty(buffer, at, end, PROPERTY_MESSAGE_EXPIRY_INTERVAL)
    return expiryAt >= 0 && age >= readUint32(buffer, expiryAt)
  }
}
