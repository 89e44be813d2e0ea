/**
 * MessageMaker: turns what an application publishes into bytes: topic, properties, flags, lane.
 *
 * It keeps one message for `publish` with strings, which is used again, and makes new ones for
 * prepared publishers. It knows nothing of logs and connections.
 */
import { fail, integer, topicBytes } from './checks.js'
import { writeUtf8 } from './codec/utf8.js'
import { laneOf } from './lanes.js'
import { encodeProperties, expires, type PublishOptions } from './publish-options.js'
import type { Settings } from './options.js'
import { ERR_ARGUMENT, ERR_TOPIC, OK, type Status } from './status.js'
import { MESSAGE_QOS, MESSAGE_RETAIN, MessageSource } from './store/message-record.js'
import { isTopicName } from './topic.js'

/** Topics and properties up to this size are encoded without a new buffer. */
const SCRATCH_SIZE = 256

export class MessageMaker {
  /** For `publish` with strings: one message, used again. */
  readonly adHoc: MessageSource
  /** `adHoc` has a Message Expiry Interval. */
  isTimed: boolean
  private readonly settings: Settings
  /**
   * The topic whose bytes `adHoc` has, '' for none: on XS each character of a string that is
   * encoded costs two slots of garbage, and a device often publishes to one topic.
   */
  private adHocTopic: string

  constructor(settings: Settings) {
    this.adHoc = new MessageSource(new Uint8Array(SCRATCH_SIZE), new Uint8Array(SCRATCH_SIZE))
    this.isTimed = false
    this.settings = settings
    this.adHocTopic = ''
  }

  /**
   * Fills `adHoc`: OK, ERR_TOPIC or ERR_ARGUMENT. `isNested`: an event is being told, perhaps
   * about the topic that `adHoc` has.
   */
  fill(topic: string, options: PublishOptions | undefined, isNested: boolean): Status {
    const source = this.adHoc
    if ((topic === '' || topic !== this.adHocTopic) && !this.encodeTopic(topic, isNested)) {
      return ERR_TOPIC
    }
    source.propertiesLength = 0
    source.flags = 0
    this.isTimed = false
    if (options !== undefined) {
      const qos = options.qos ?? 0
      if (qos !== 0 && qos !== 1 && qos !== 2) return ERR_ARGUMENT
      source.flags = qos | (options.retain === true ? MESSAGE_RETAIN : 0)
      if (options.properties !== undefined) {
        if (!encodeProperties(source, options.properties, this.settings.sendBufferSize))
          return ERR_ARGUMENT
        this.isTimed = expires(source)
      }
    }
    this.chooseLane(source)
    return OK
  }

  /** A message of its own. Throws for a topic or an option that can never be published. */
  prepare(topic: string, asked: PublishOptions): MessageSource {
    const qos = integer(asked.qos, 'qos', 0, 0, 2)
    const source = new MessageSource(topicBytes(topic, 'topic'), new Uint8Array(SCRATCH_SIZE))
    source.propertiesLength = 0
    source.flags = qos | (asked.retain === true ? MESSAGE_RETAIN : 0)
    if (
      asked.properties !== undefined &&
      !encodeProperties(source, asked.properties, this.settings.sendBufferSize)
    ) {
      fail('properties', '(object)', 'properties that MQTT 5 allows in PUBLISH')
    }
    const properties = new Uint8Array(source.propertiesLength)
    this.settings.system.copy(properties, 0, source.properties, 0, source.propertiesLength)
    source.properties = properties
    this.chooseLane(source)
    return source
  }

  private chooseLane(source: MessageSource): void {
    const lanes = this.settings.lanes
    const qos = source.flags & MESSAGE_QOS
    const lane = lanes.length === 1 ? 0 : laneOf(lanes, source.topic, source.topicLength, qos)
    // A topic's number belongs to the lane's log.
    if (lane !== source.lane) source.topicHint = 0
    source.lane = lane
  }

  /** Puts the bytes of a topic name into `adHoc`; false when it is none. */
  private encodeTopic(topic: string, isNested: boolean): boolean {
    const source = this.adHoc
    this.adHocTopic = ''
    if (isNested) source.topic = new Uint8Array(SCRATCH_SIZE)
    // One walk over the string instead of two: what does not fit a typed array is not written.
    const length = writeUtf8(source.topic, 0, topic)
    if (length < 0) return false
    if (length > source.topic.length) {
      source.topic = new Uint8Array(length)
      writeUtf8(source.topic, 0, topic)
    }
    if (!isTopicName(source.topic, 0, length)) return false
    source.topicLength = length
    source.topicHint = 0
    this.adHocTopic = topic
    return true
  }
}
