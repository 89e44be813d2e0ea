/**
 * MqttClient: the public face. It joins options, storage, queue and session.
 *
 * Whoever drives it calls `poll(now)`: after `onWork` was called, and when the milliseconds are
 * over that the last `poll` returned. `run` of holdfast/node does that on Node; the targets do it
 * on the boards.
 */
import { findProperty, type MqttProperties, writeProperties } from './codec/properties.js'
import { ERR_SPACE, PROPERTY_MESSAGE_EXPIRY_INTERVAL, PUBLISH } from './codec/protocol.js'
import { utf8Size, writeUtf8 } from './codec/utf8.js'
import { type EventHandler, type EventName, Events } from './events.js'
import { MESSAGE_PERSISTED, MESSAGE_QUEUED } from './events.js'
import { type ClientOptions, fail, integer, Settings, toBytes, topicBytes } from './options.js'
import { type PayloadSink, Publisher } from './publisher.js'
import { OutgoingQueue } from './queue/outgoing-queue.js'
import { RamLog } from './queue/ram-log.js'
import { Session } from './session/session.js'
import type { MessageHandler } from './session/subscriptions.js'
import {
  ERR_ARGUMENT,
  ERR_BUSY,
  ERR_IDENTITY,
  ERR_TOO_LARGE,
  ERR_TOPIC,
  OK,
  type Status,
  statusText,
} from './status.js'
import { ExchangeWindow } from './store/exchange-window.js'
import { MESSAGE_QOS, MESSAGE_RETAIN, MessageSource } from './store/message-record.js'
import { SessionState } from './store/session-state.js'
import { isSubscription, isTopicName, sharedPrefix } from './topic.js'

export interface PublishOptions {
  /** 0, 1 or 2. Default 0. */
  qos?: number
  retain?: boolean
  /** MQTT 5. `messageExpiryInterval` also limits the wait in the queue, in both versions. */
  properties?: MqttProperties
}

export interface SubscribeOptions {
  /** The highest QoS wanted. Default 0. */
  qos?: number
  noLocal?: boolean
  retainAsPublished?: boolean
  /** 0, 1 or 2: retained messages always, for a new subscription, never. */
  retainHandling?: number
}

/** Figures of one moment, made new at each call of `stats`. */
export interface ClientStats {
  /** Messages accepted and not complete. */
  queued: number
  /** PUBLISH packets of QoS 1 and 2 that wait for their answer. */
  inFlight: number
  /** Bytes the queue has left, headers included. */
  freeBytes: number
  /** Bytes of the buffers that the options size: sending, receiving, one record. */
  bufferBytes: number
  /** Bytes of the runtime's heap in use; -1 where `system` cannot tell. */
  heapBytes: number
  /** Messages dropped since the store was formatted (without storage: since start). */
  dropped: {
    full: number
    expired: number
    sessionLost: number
    refused: number
    damaged: number
  }
}

/** Topics and properties up to this size are encoded without a new buffer. */
const SCRATCH_SIZE = 256

export class MqttClient implements PayloadSink {
  /**
   * Called when `poll` is due: something was published, or the transport has news. Set it to a
   * function that notes so; it must not call `poll` itself.
   */
  onWork: () => void
  private readonly settings: Settings
  private readonly events: Events
  private readonly queue: OutgoingQueue
  private readonly session: Session
  /** For `publish` with strings: one message, used again. */
  private readonly adHoc: MessageSource
  /**
   * The topic whose bytes `adHoc` has, '' for none: on XS each character of a string that is
   * encoded costs two slots of garbage, and a device often publishes to one topic.
   */
  private adHocTopic: string
  private isPublishing: boolean
  private isPolling: boolean

  /** Throws an Error that names the option when one is wrong or the storage cannot be used. */
  constructor(options: ClientOptions) {
    const settings = new Settings(options)
    this.settings = settings
    this.events = new Events()
    const storage = settings.storage
    if (storage) {
      const status = storage.mount(settings.clientId, settings.brokerUrl)
      if (status !== OK) mountFailed(status, storage.identity, settings)
    }
    this.queue = new OutgoingQueue(
      storage
        ? storage.log
        : new RamLog(settings.queueSize, settings.sendBufferSize, settings.system),
      storage ? storage.window : new ExchangeWindow(),
      storage ? storage.state : new SessionState(),
      settings.system,
      settings.overflow,
      settings.ackBatch,
      settings.ackDelayMs,
      !settings.isRepublishing,
    )
    this.session = new Session(settings, this.events, this.queue)
    this.adHoc = new MessageSource(new Uint8Array(SCRATCH_SIZE), new Uint8Array(SCRATCH_SIZE))
    this.adHocTopic = ''
    this.isPublishing = false
    this.isPolling = false
    this.onWork = nothing
    settings.transport.onReady = (): void => this.onWork()
  }

  /** True between CONNACK and the end of the connection. */
  get isConnected(): boolean {
    return this.session.isConnected
  }

  /** True before `start`, and after `stop` once DISCONNECT has left. */
  get isStopped(): boolean {
    return this.session.isStopped
  }

  /** Connects at the next `poll`, and again after each loss until `stop`. */
  start(): void {
    this.session.start(this.settings.system.now())
    this.onWork()
  }

  /** Sends DISCONNECT and stays away. The queue keeps what it has; publishing goes on working. */
  stop(): void {
    this.session.stop()
    this.onWork()
  }

  /**
   * Does what is due at `now` (milliseconds, the clock of `system.now`) in a bounded number of
   * steps. Returns the milliseconds after which it wants to be called again, 0 for at once and
   * Infinity for not before `onWork`.
   */
  poll(now: number): number {
    if (this.isPolling) throw new Error('poll was called from a handler; note and return instead')
    this.isPolling = true
    try {
      return this.session.poll(now)
    } finally {
      this.isPolling = false
    }
  }

  /** Calls `handler` at each event of this name; throws for a name that is none. */
  on(name: EventName, handler: EventHandler): void {
    this.events.on(name, handler)
  }

  off(name: EventName, handler: EventHandler): void {
    this.events.off(name, handler)
  }

  /**
   * Publishes a message. Legal in every state, before the first connection too.
   *
   * Returns a ticket above 0 once the message is kept (with `storage`: whole on flash); events
   * about the message carry it. 0: QoS 0, handed to the connection. Negative: not accepted, and
   * nothing was kept: ERR_TOPIC, ERR_ARGUMENT, ERR_TOO_LARGE, ERR_FULL, ERR_OFFLINE (QoS 0),
   * ERR_STORAGE, ERR_HOOK, ERR_BUSY (from a handler of message.dropped).
   */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): number {
    // Before `source` changes: a message may be half written out of it.
    if (this.isPublishing) return ERR_BUSY
    const source = this.adHoc
    if ((topic === '' || topic !== this.adHocTopic) && !this.encodeTopic(topic)) return ERR_TOPIC
    source.propertiesLength = 0
    let flags = 0
    let isTimed = false
    if (options !== undefined) {
      const qos = options.qos ?? 0
      if (qos !== 0 && qos !== 1 && qos !== 2) return ERR_ARGUMENT
      flags = qos | (options.retain === true ? MESSAGE_RETAIN : 0)
      if (options.properties !== undefined) {
        if (!this.encodeProperties(source, options.properties)) return ERR_ARGUMENT
        isTimed = expires(source)
      }
    }
    source.flags = flags
    if (typeof payload !== 'string') {
      return this.publishSource(source, isTimed, payload, 0, payload.length)
    }
    const length = utf8Size(payload)
    if (length < 0) return ERR_ARGUMENT
    source.payloadLength = length
    const payloadAt = this.begin(source, isTimed)
    if (payloadAt < 0) return payloadAt
    writeUtf8(this.payloadTarget(source), payloadAt, payload)
    return this.commit(source, payloadAt + length)
  }

  /** Prepares a topic. Throws for a topic or an option that can never be published. */
  publisher(topic: string, options?: PublishOptions): Publisher {
    const asked = options ?? {}
    const qos = integer(asked.qos, 'qos', 0, 0, 2)
    const source = new MessageSource(topicBytes(topic, 'topic'), new Uint8Array(SCRATCH_SIZE))
    source.propertiesLength = 0
    source.flags = qos | (asked.retain === true ? MESSAGE_RETAIN : 0)
    if (asked.properties !== undefined && !this.encodeProperties(source, asked.properties)) {
      fail('properties', '(object)', 'properties that MQTT 5 allows in PUBLISH')
    }
    const properties = new Uint8Array(source.propertiesLength)
    this.settings.system.copy(properties, 0, source.properties, 0, source.propertiesLength)
    source.properties = properties
    return new Publisher(this, source, expires(source))
  }

  /** What `Publisher.publish` calls. */
  publishSource(
    source: MessageSource,
    isTimed: boolean,
    payload: Uint8Array,
    at: number,
    length: number,
  ): number {
    if (this.isPublishing) return ERR_BUSY // the source may be the one that is half written
    if (at < 0 || length < 0 || at + length > payload.length) return ERR_ARGUMENT
    source.payloadLength = length
    const payloadAt = this.begin(source, isTimed)
    if (payloadAt < 0) return payloadAt
    this.settings.system.copy(this.payloadTarget(source), payloadAt, payload, at, length)
    return this.commit(source, payloadAt + length)
  }

  /**
   * Adds a filter to the table of subscriptions; the broker is asked now or when there is one, and
   * again when it lost the session. Throws for what is no filter.
   */
  subscribe(filter: string, options?: SubscribeOptions, handler?: MessageHandler): void {
    const asked = options ?? {}
    const bytes = toBytes(filter, 'filter')
    if (!isSubscription(bytes)) fail('filter', filter, 'a topic filter, or $share/name/filter')
    if (asked.noLocal === true && sharedPrefix(bytes) > 0) {
      fail('noLocal', true, 'false for a shared subscription') // [MQTT-3.8.3-4]
    }
    if (bytes.length + 16 > this.settings.sendBufferSize >> 1) {
      fail('filter', bytes.length + ' bytes', 'at most half of sendBufferSize')
    }
    this.session.connection.subscriptions.add(
      {
        filter,
        qos: integer(asked.qos, 'qos', 0, 0, 2),
        noLocal: asked.noLocal === true,
        retainAsPublished: asked.retainAsPublished === true,
        retainHandling: integer(asked.retainHandling, 'retainHandling', 0, 0, 2),
      },
      bytes,
      handler ?? null,
    )
    this.onWork()
  }

  /** Takes a filter out of the table. False when it is not in it. */
  unsubscribe(filter: string): boolean {
    const isKnown = this.session.connection.subscriptions.remove(filter)
    this.onWork()
    return isKnown
  }

  /** Makes durable what waits to be (acknowledgements): before a sleep or a planned power-off. */
  flush(): Status {
    return this.queue.flush()
  }

  get stats(): ClientStats {
    const settings = this.settings
    const dropped = this.queue.state.dropped
    return {
      queued: this.queue.depth,
      inFlight: this.session.connection.inFlight.count,
      freeBytes: this.queue.log.freeBytes,
      bufferBytes:
        settings.sendBufferSize + settings.receiveBufferSize + this.queue.log.buffer.length,
      heapBytes: settings.system.heapBytes ? settings.system.heapBytes() : -1,
      dropped: {
        full: dropped[0]!,
        expired: dropped[1]!,
        sessionLost: dropped[2]!,
        refused: dropped[3]!,
        damaged: dropped[4]!,
      },
    }
  }

  // A message of QoS 0 goes to the send buffer, every other to the queue.

  private isQueued(source: MessageSource): boolean {
    return (source.flags & MESSAGE_QOS) !== 0 || this.settings.queueQos0
  }

  private payloadTarget(source: MessageSource): Uint8Array {
    return this.isQueued(source) ? this.queue.log.buffer : this.session.connection.sendBuffer.bytes
  }

  private begin(source: MessageSource, isTimed: boolean): number {
    if (!this.isQueued(source)) return this.session.beginNow(source)
    if (!this.session.fits(source)) return ERR_TOO_LARGE
    this.isPublishing = true
    try {
      return this.queue.begin(source, isTimed)
    } finally {
      this.isPublishing = false // also after a handler of message.dropped threw
    }
  }

  private commit(source: MessageSource, end: number): number {
    let ticket = 0
    if (this.isQueued(source)) {
      ticket = this.queue.commit()
      if (ticket < 0) return ticket
      this.events.emitTicket(MESSAGE_QUEUED, ticket, OK, 0)
      if (this.settings.storage) this.events.emitTicket(MESSAGE_PERSISTED, ticket, OK, 0)
    } else {
      this.session.connection.sendBuffer.added(end)
    }
    this.onWork()
    return ticket
  }

  /** Puts the bytes of a topic name into `adHoc`; false when it is none. */
  private encodeTopic(topic: string): boolean {
    const source = this.adHoc
    this.adHocTopic = ''
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

  private encodeProperties(source: MessageSource, properties: MqttProperties): boolean {
    // An alias means nothing on the connection the message may leave on.
    if (properties.topicAlias !== undefined) return false
    let end: number
    for (;;) {
      const target = source.properties
      end = writeProperties(target, 0, target.length, PUBLISH, properties)
      if (end !== ERR_SPACE || target.length > this.settings.sendBufferSize) break
      source.properties = new Uint8Array(target.length * 2)
    }
    source.propertiesLength = end < 0 ? 0 : end
    return end >= 0
  }
}

function nothing(): void {}

function expires(source: MessageSource): boolean {
  const end = source.propertiesLength
  return findProperty(source.properties, 0, end, PROPERTY_MESSAGE_EXPIRY_INTERVAL) >= 0
}

function mountFailed(status: Status, identity: string, settings: Settings): never {
  if (status !== ERR_IDENTITY) {
    throw new Error('option "storage" cannot be used: ' + statusText(status))
  }
  throw new Error(
    'option "storage" holds the messages of client ' +
      identity +
      ', not of "' +
      settings.clientId +
      '" at ' +
      settings.brokerUrl +
      '; use those, or another partition, or give the messages up with storage.format()',
  )
}
