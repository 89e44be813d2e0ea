/**
 * Events: what a client tells its application, DESIGN section 7.
 *
 * Event objects are reused: their fields are valid during the call of the handler. An event
 * without a handler costs one comparison. Handlers run in the order in which they were added; they
 * may publish, subscribe and stop, but not call `poll`.
 */
import type { InboundMessage } from './inbound-message.js'
import type { Status } from './status.js'

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

/** The names in the order of the numbers below. */
const NAMES =
  'client.connected client.disconnected session.resumed session.lost session.subscribed ' +
  'session.unsubscribed message.queued message.persisted message.sent message.acked ' +
  'message.dropped message.received storage.failed'

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
const EVENT_COUNT = 13

/** A handler may cause an event, whose handler may cause one: so deep, and no deeper. */
const NESTING_LIMIT = 4

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
  /** session.lost, session.resumed: messages that were in flight. */
  count: number
  /** Words: the transport's reason, the broker's URL, or the topic filter. */
  text: string
  /** client.disconnected: milliseconds until the next attempt; -1 when there is none. */
  retryMs: number
  /** message.received: the message. */
  message: InboundMessage | null

  constructor() {
    this.ticket = 0
    this.status = 0
    this.reasonCode = 0
    this.sessionPresent = false
    this.count = 0
    this.text = ''
    this.retryMs = -1
    this.message = null
  }
}

export type EventHandler = (event: ClientEvent) => void

export class Events {
  /** Fill in the fields that differ from nothing, then `emit`. */
  event: ClientEvent
  private readonly handlers: (EventHandler[] | null)[]
  private readonly nested: ClientEvent[]
  private depth: number

  constructor() {
    this.nested = []
    for (let depth = 0; depth < NESTING_LIMIT; depth++) this.nested.push(new ClientEvent())
    this.event = this.nested[0]!
    this.depth = 0
    this.handlers = []
    for (let index = 0; index < EVENT_COUNT; index++) this.handlers.push(null)
  }

  /** Throws for a name that is no event's. */
  on(name: EventName, handler: EventHandler): void {
    const index = NAMES.split(' ').indexOf(name)
    if (index < 0) throw new Error('unknown event "' + name + '"; events are: ' + NAMES)
    const list = this.handlers[index]
    if (list) list.push(handler)
    else this.handlers[index] = [handler]
  }

  /** Removes a handler that `on` added. */
  off(name: EventName, handler: EventHandler): void {
    const index = NAMES.split(' ').indexOf(name)
    const list = this.handlers[index]
    if (!list) return
    const kept: EventHandler[] = []
    for (let at = 0; at < list.length; at++) if (list[at] !== handler) kept.push(list[at]!)
    this.handlers[index] = kept.length > 0 ? kept : null
  }

  /** True when emitting `index` would call anyone: ask before filling in the event. */
  has(index: number): boolean {
    return this.handlers[index] !== null
  }

  /** Calls the handlers, then empties the event for the next one. */
  emit(index: number): void {
    const list = this.handlers[index]
    const event = this.event
    if (list) {
      if (this.depth + 1 === NESTING_LIMIT) throw new Error('handlers cause each other for ever')
      this.event = this.nested[++this.depth]!
      try {
        for (let at = 0; at < list.length; at++) list[at]!(event)
      } finally {
        this.event = event
        this.depth--
        clear(event)
      }
    } else {
      clear(event)
    }
  }

  /** The common case: an event about one message. */
  emitTicket(index: number, ticket: number, status: Status, reasonCode: number): void {
    if (this.handlers[index] === null) return
    this.event.ticket = ticket
    this.event.status = status
    this.event.reasonCode = reasonCode
    this.emit(index)
  }
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
}
