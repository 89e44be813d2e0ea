/**
 * Events: what a client tells its application, DESIGN section 7.
 *
 * Event objects are reused: their fields are valid during the call of the handler. An event
 * without a handler costs one comparison. Handlers run by their `order`, those of equal order as
 * they were added; they may publish, subscribe and stop, but not call `poll`.
 */
import { readUtf8 } from './codec/utf8.js'
import type { InboundMessage } from './inbound-message.js'
import { fail, integer, toBytes } from './checks.js'
import type { Status } from './status.js'
import { isTopicFilter, matches } from './topic.js'

export type EventName =
  | 'client.connected'
  | 'client.disconnected'
  | 'session.resumed'
  | 'session.lost'
  | 'session.subscribed'
  | 'session.unsubscribed'
  | 'message.queued'
  | 'message.persisted'
  | 'message.sent'
  | 'message.acked'
  | 'message.dropped'
  | 'message.received'
  | 'storage.failed'
  | 'client.authenticated'

/** The names in the order of the numbers below. */
const NAMES =
  'client.connected client.disconnected session.resumed session.lost session.subscribed ' +
  'session.unsubscribed message.queued message.persisted message.sent message.acked ' +
  'message.dropped message.received storage.failed client.authenticated'

export const CLIENT_CONNECTED = 0
export const CLIENT_DISCONNECTED = 1
export const SESSION_RESUMED = 2
export const SESSION_LOST = 3
export const SESSION_SUBSCRIBED = 4
export const SESSION_UNSUBSCRIBED = 5
export const MESSAGE_QUEUED = 6
export const MESSAGE_PERSISTED = 7
export const MESSAGE_SENT = 8
export const MESSAGE_ACKED = 9
export const MESSAGE_DROPPED = 10
export const MESSAGE_RECEIVED = 11
export const STORAGE_FAILED = 12
export const CLIENT_AUTHENTICATED = 13
const EVENT_COUNT = 14
/** Bit n: event n is about one message and has its topic at hand. */
const HAVE_TOPIC = 0x9c0

/** A handler may cause an event, whose handler may cause one: so deep, and no deeper. */
const NESTING_LIMIT = 4
/** Handlers of one event at the most: the bits of a number. */
const HANDLER_LIMIT = 32

/** What happened. Fields that an event does not use are 0, '' or null. */
export class ClientEvent {
  /** The ticket `publish` returned. */
  ticket: number
  /** Why, as a status (`statusText` has the words); OK where all is well. */
  status: Status
  /** The MQTT Reason Code of the broker, or ours in a DISCONNECT; 0 where there is none. */
  reasonCode: number
  /** CONNACK's Session Present. */
  sessionPresent: boolean
  /**
   * session.lost, session.resumed: messages that were in flight. storage.failed with ERR_CORRUPT:
   * signs of damage, or of a change that is not ours, since the store was mounted.
   */
  count: number
  /** Words: the transport's reason, the broker's URL, the topic filter, or the method. */
  text: string
  /** client.disconnected: milliseconds until the next attempt; -1 when there is none. */
  retryMs: number
  /** message.received: the message. */
  message: InboundMessage | null
  /**
   * The message's topic, where `topicLength` is not 0: events that take a `filter` have it. Read it
   * before you publish: it may stand where the next message goes.
   */
  topicBytes: Uint8Array | null
  topicAt: number
  topicLength: number

  constructor() {
    this.ticket = 0
    this.status = 0
    this.reasonCode = 0
    this.sessionPresent = false
    this.count = 0
    this.text = ''
    this.retryMs = -1
    this.message = null
    this.topicBytes = null
    this.topicAt = 0
    this.topicLength = 0
  }

  /** The message's topic as a new string; '' where there is none. */
  get topic(): string {
    return this.topicBytes === null ? '' : readUtf8(this.topicBytes, this.topicAt, this.topicLength)
  }

  /** Notes the topic, for the filters of handlers. */
  about(topic: Uint8Array, at: number, length: number): void {
    this.topicBytes = topic
    this.topicAt = at
    this.topicLength = length
  }
}

export type EventHandler = (event: ClientEvent) => void

export interface ListenOptions {
  /**
   * A topic filter: only messages whose topic matches. For message.received, message.queued (not
   * for what is queued again after a lost session), message.persisted and message.sent.
   */
  filter?: string
  /** Handlers with smaller numbers are called first. Default 0. */
  order?: number
}

interface Listener {
  readonly handler: EventHandler
  readonly filter: Uint8Array | null
  readonly order: number
}

export class Events {
  /** Fill in the fields that differ from nothing, then `emit`. */
  event: ClientEvent
  private readonly handlers: (Listener[] | null)[]
  private readonly nested: ClientEvent[]
  private depth: number

  constructor() {
    this.event = new ClientEvent()
    this.nested = [this.event]
    this.depth = 0
    this.handlers = []
    for (let index = 0; index < EVENT_COUNT; index++) this.handlers.push(null)
  }

  /** Throws for a name that is no event's, and for a filter that could never match. */
  on(name: EventName, handler: EventHandler, options: ListenOptions): void {
    const index = NAMES.split(' ').indexOf(name)
    if (index < 0) throw new Error('unknown event "' + name + '"; events are: ' + NAMES)
    const order = integer(options.order, 'order', 0, -1000000, 1000000)
    let filter: Uint8Array | null = null
    if (options.filter !== undefined) {
      filter = toBytes(options.filter, 'filter')
      if (!isTopicFilter(filter, 0, filter.length)) fail('filter', options.filter, 'a topic filter')
      if (((HAVE_TOPIC >> index) & 1) === 0) {
        fail('filter', options.filter, 'left out: ' + name + ' has no topic at hand')
      }
    }
    // A new list: the old one may be in use, its handlers being called.
    const list = this.handlers[index]
    const next = list ? list.slice(0) : []
    let at = next.length
    if (at === HANDLER_LIMIT) throw new Error('more than ' + at + ' handlers of ' + name)
    while (at > 0 && next[at - 1]!.order > order) at--
    next.splice(at, 0, { handler, filter, order })
    this.handlers[index] = next
  }

  /** Removes a handler that `on` added. */
  off(name: EventName, handler: EventHandler): void {
    const index = NAMES.split(' ').indexOf(name)
    const list = this.handlers[index]
    if (!list) return
    const kept = list.filter((listener) => listener.handler !== handler)
    this.handlers[index] = kept.length > 0 ? kept : null
  }

  /** True while handlers run. */
  get isEmitting(): boolean {
    return this.depth > 0
  }

  /** True when emitting `index` would call anyone: ask before filling in the event. */
  has(index: number): boolean {
    return this.handlers[index] !== null
  }

  /** Calls the handlers, then empties the event for the next one. False: nobody was called. */
  emit(index: number): boolean {
    const list = this.handlers[index]
    const event = this.event
    // Bit n: handler n is meant. Chosen before one of them publishes where the topic stands.
    let meant = 0
    for (let at = 0; list && at < list.length; at++) {
      const filter = list[at]!.filter
      if (filter === null || isAbout(event, filter)) meant |= 1 << at
    }
    if (meant === 0) {
      clear(event)
      return false
    }
    if (this.depth + 1 === NESTING_LIMIT) throw new Error('handlers cause each other for ever')
    this.depth++
    // Made when events nest so deep for the first time.
    if (this.depth === this.nested.length) this.nested.push(new ClientEvent())
    this.event = this.nested[this.depth]!
    try {
      for (let at = 0; at < list!.length; at++) {
        if (((meant >> at) & 1) !== 0) list![at]!.handler(event)
      }
    } finally {
      this.event = event
      this.depth--
      clear(event)
    }
    return true
  }

  /** The common case: an event about one message. */
  emitTicket(index: number, ticket: number, status: Status, reasonCode: number): void {
    if (this.handlers[index] === null) return
    this.event.ticket = ticket
    this.event.status = status
    this.event.reasonCode = reasonCode
    this.emit(index)
  }

  /** The same where all is well and the topic is at hand. */
  emitTopic(index: number, ticket: number, topic: Uint8Array, at: number, length: number): void {
    if (this.handlers[index] === null) return
    this.event.ticket = ticket
    this.event.about(topic, at, length)
    this.emit(index)
  }
}

function isAbout(event: ClientEvent, filter: Uint8Array): boolean {
  if (event.topicLength === 0) return false // queued again after a lost session
  return matches(filter, 0, event.topicBytes!, event.topicAt, event.topicLength)
}

function clear(event: ClientEvent): void {
  event.ticket = 0
  event.status = 0
  event.reasonCode = 0
  event.sessionPresent = false
  event.count = 0
  event.text = ''
  event.retryMs = -1
  event.message = null
  event.topicBytes = null
  event.topicAt = 0
  event.topicLength = 0
}
