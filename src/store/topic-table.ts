import { SALT_WORDS } from './context-layout.js'
import { RECORD_HEADER, TOPIC, recordLength } from './flash-record.js'
import type { FlashRegion } from './flash-region.js'
import type { MessageSource } from './message-record.js'
import { ERR_CORRUPT, ERR_STORAGE, OK, type Status } from '../status.js'

/**
 * TopicTable: where the topics of one sector stand, for the writer or the reader. Topics have the
 * numbers 1 to TOPIC_LIMIT in a sector. The table holds offsets and hashes; the topics themselves
 * are read from flash into a scratch buffer that writer and reader share.
 */

/** Topics a sector can number; a message with a further one carries it inline. */
export const TOPIC_LIMIT = 16

export class TopicTable {
  private readonly region: FlashRegion
  private readonly scratch: Uint8Array
  /** The longest topic that gets a number, in bytes. */
  readonly maxTopic: number
  /** The highest number in use. */
  count: number
  /** Offset of the TOPIC record by number - 1; 0: none. */
  private readonly offsets: Uint16Array
  private readonly hashes: Uint32Array
  /** With hooks: the salt in force there. */
  private readonly salts: Uint32Array
  /** The topic loaded last: where it is in the scratch buffer. */
  readonly topicAt: number
  topicLength: number

  constructor(region: FlashRegion, scratch: Uint8Array, maxTopic: number) {
    this.region = region
    this.scratch = scratch
    this.maxTopic = maxTopic
    this.count = 0
    this.offsets = new Uint16Array(TOPIC_LIMIT)
    this.hashes = new Uint32Array(TOPIC_LIMIT)
    this.salts = region.makeSalts(TOPIC_LIMIT)
    this.topicAt = RECORD_HEADER + 1
    this.topicLength = 0
  }

  /** A new sector has no topics. */
  reset(): void {
    this.count = 0
    this.offsets.fill(0)
  }

  /** Takes the next number for a topic written at `offset`. */
  add(offset: number, hash: number, salt: Uint32Array): number {
    this.set(this.count + 1, offset, hash, salt)
    return this.count
  }

  /** Notes where the topic `number` stands. */
  set(number: number, offset: number, hash: number, salt: Uint32Array): void {
    if (number < 1 || number > TOPIC_LIMIT) return
    this.offsets[number - 1] = offset
    this.hashes[number - 1] = hash
    if (this.salts.length > 0) this.salts.set(salt, (number - 1) * SALT_WORDS)
    if (number > this.count) this.count = number
  }

  /** The number of a topic of the sector at `address`, or 0. A hash alone is not believed. */
  find(message: MessageSource, hash: number, address: number, sequence: number): number {
    const source = message.topic
    const sourceAt = message.topicAt
    const length = message.topicLength
    for (let number = 1; number <= this.count; number++) {
      if (this.hashes[number - 1] !== hash) continue
      if (this.load(number, address, sequence) < 0 || this.topicLength !== length) continue
      let index = 0
      while (index < length && this.scratch[this.topicAt + index] === source[sourceAt + index]) {
        index++
      }
      if (index === length) return number
    }
    return 0
  }

  /** Reads the topic `number` of the sector at `address`: OK, ERR_CORRUPT or a storage status. */
  load(number: number, address: number, sequence: number): Status {
    const region = this.region
    const scratch = this.scratch
    const offset = number >= 1 && number <= TOPIC_LIMIT ? this.offsets[number - 1]! : 0
    if (offset === 0) return ERR_CORRUPT
    if (region.isTopicHeld(sequence, offset)) {
      this.topicLength = region.heldLength
      return OK
    }
    region.forgetTopic()
    let most = region.sectorSize - offset
    if (most > scratch.length) most = scratch.length
    if (region.read(address + offset, scratch, 0, most) < 0) return ERR_STORAGE
    const stored = recordLength(scratch, 0)
    if (RECORD_HEADER + stored > most) return ERR_CORRUPT
    if (!region.isRecord(scratch, TOPIC, sequence, offset, 0)) return ERR_CORRUPT
    let length = stored
    if (region.seal !== null) {
      const saltAt = (number - 1) * SALT_WORDS
      length = region.seal.open(scratch, 0, TOPIC, stored, sequence, offset, 0, this.salts, saltAt)
    }
    if (length < 1 || scratch[RECORD_HEADER] !== number) return ERR_CORRUPT
    this.topicLength = length - 1
    region.holdTopic(sequence, offset, length - 1)
    return OK
  }
}
