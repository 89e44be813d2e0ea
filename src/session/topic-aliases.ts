/**
 * TopicAliases: an option of MQTT 5 clients that replaces topics by numbers, both ways.
 *
 *   aliases: new TopicAliases(8, 4)
 *
 * Aliases belong to one connection. They are chosen when a PUBLISH is encoded: queue and flash have
 * the whole topic, and what is sent again on the next connection has that connection's aliases.
 *
 * Outgoing aliases go to the topics that come first and stay theirs until the connection ends. To
 * give them anew, as the least recently used, would cost a topic each time and a search, and wins
 * only where a device has more topics than aliases and uses them in turns. There is one place a
 * topic, as large as the largest topic it ever had, so that reconnects allocate nothing.
 */
import type { TopicAliasing } from '../extensions.js'
import type { InboundMessage } from '../inbound-message.js'
import { integer } from '../checks.js'
import { OK, type Status } from '../status.js'
import { REASON_PROTOCOL_ERROR, REASON_TOPIC_ALIAS_INVALID } from '../codec/protocol.js'

/** More would not pay for the search. */
const LARGEST_TABLE = 64
/** Identifier and value of the property. A topic that is no longer has no alias. */
const PROPERTY_SIZE = 3

/** Topics by number: 1 is the first. */
class TopicTable {
  readonly topics: Uint8Array[]
  readonly lengths: Uint16Array
  /** Topics in use, for tables that are filled in order. */
  count: number

  constructor(size: number) {
    this.topics = []
    for (let index = 0; index < size; index++) this.topics.push(new Uint8Array(0))
    this.lengths = new Uint16Array(size)
    this.count = 0
  }

  clear(): void {
    this.lengths.fill(0)
    this.count = 0
  }

  set(alias: number, topic: Uint8Array, at: number, length: number): void {
    let place = this.topics[alias - 1]!
    if (place.length < length) {
      place = new Uint8Array(length)
      this.topics[alias - 1] = place
    }
    for (let index = 0; index < length; index++) place[index] = topic[at + index]!
    this.lengths[alias - 1] = length
  }

  /** The number of a topic, or 0. */
  find(topic: Uint8Array, at: number, length: number): number {
    for (let index = 0; index < this.count; index++) {
      if (this.lengths[index] === length && isSame(this.topics[index]!, topic, at, length)) {
        return index + 1
      }
    }
    return 0
  }
}

export class TopicAliases implements TopicAliasing {
  readonly receiveLimit: number
  private readonly sent: TopicTable
  private readonly known: TopicTable
  /** Aliases to use on this connection. */
  private limit: number

  /**
   * Up to `sendLimit` aliases for what is published, as far as the broker takes them, and up to
   * `receiveLimit` for what the broker sends; 0 to 64. A place of the second takes as much RAM as
   * the longest topic the broker gave it, `receiveBufferSize` at the most.
   */
  constructor(sendLimit: number, receiveLimit: number) {
    this.receiveLimit = integer(receiveLimit, 'receiveLimit', 0, 0, LARGEST_TABLE)
    this.sent = new TopicTable(integer(sendLimit, 'sendLimit', 0, 0, LARGEST_TABLE))
    this.known = new TopicTable(this.receiveLimit)
    this.limit = 0
  }

  reset(topicAliasMaximum: number): void {
    this.sent.clear()
    this.known.clear()
    this.limit = Math.min(topicAliasMaximum, this.sent.lengths.length) // [MQTT-3.2.2-17]
  }

  choose(topic: Uint8Array, at: number, length: number, mayAdd: boolean): number {
    const sent = this.sent
    if (this.limit === 0 || length <= PROPERTY_SIZE) return 0
    const alias = sent.find(topic, at, length)
    if (alias > 0 || !mayAdd || sent.count >= this.limit) return alias
    sent.set(++sent.count, topic, at, length)
    return -sent.count
  }

  received(alias: number, message: InboundMessage): Status {
    if (alias > this.receiveLimit) return -REASON_TOPIC_ALIAS_INVALID // [MQTT-3.3.2-11]
    const known = this.known
    if (message.topicLength > 0) {
      known.set(alias, message.topicBytes, message.topicAt, message.topicLength)
      return OK
    }
    message.topicBytes = known.topics[alias - 1]!
    message.topicAt = 0
    message.topicLength = known.lengths[alias - 1]!
    return message.topicLength > 0 ? OK : -REASON_PROTOCOL_ERROR // never told on this connection
  }
}

function isSame(place: Uint8Array, topic: Uint8Array, at: number, length: number): boolean {
  // From the end: topics of one device begin alike.
  for (let index = length - 1; index >= 0; index--) {
    if (place[index] !== topic[at + index]) return false
  }
  return true
}
