/**
 * SmallEvents: what the small client tells its application. The names and fields are those of the
 * full client, as far as there is something to tell.
 */
import { OK, type Status } from '../status.js'
import type { SmallMessage } from './small-message.js'

export type SmallEventName =
  | 'client.connected'
  | 'client.disconnected'
  | 'session.lost'
  | 'session.subscribed'
  | 'message.acked'
  | 'message.dropped'
  | 'message.received'
  | 'message'
  | 'storage.failed'

const NAMES =
  ' client.connected client.disconnected session.lost session.subscribed message.acked' +
  ' message.dropped message.received message storage.failed '

/** What happened. One object is used again: fields are valid during the call of the handler. */
export interface SmallEvent {
  /** The ticket `publish` returned; 0: none. */
  ticket: number
  /** Why, as a status (`statusText` has the words); OK where all is well. */
  status: Status
  /** CONNACK's or SUBACK's return code where the broker refused; else 0. */
  reasonCode: number
  /** CONNACK's Session Present. */
  sessionPresent: boolean
  /** session.lost: messages that were in flight. */
  count: number
  /** Words: the broker's URL, the transport's reason, the topic filter or the topic. */
  text: string
  /** client.disconnected: milliseconds until the next attempt; -1 when there is none. */
  retryMs: number
  /** message.received: the message. */
  message: SmallMessage | null
}

/** Called with the event; for `message`, as is the habit on Espruino, with the message itself. */
export type SmallEventHandler = (event: any) => void

export class SmallEvents {
  /** Fill in what `emit` does not take, then `emit`. */
  readonly event: SmallEvent
  private readonly lists: { [name: string]: SmallEventHandler[] | undefined }

  constructor() {
    this.event = {
      ticket: 0,
      status: OK,
      reasonCode: 0,
      sessionPresent: false,
      count: 0,
      text: '',
      retryMs: -1,
      message: null,
    }
    this.lists = {}
  }

  /** Throws for a name that is no event's. */
  on(name: SmallEventName, handler: SmallEventHandler): void {
    if (NAMES.split(' ').indexOf(name) < 1) {
      throw new Error('unknown event "' + name + '"; events are:' + NAMES)
    }
    // A new list: the old one may be in use.
    this.lists[name] = (this.lists[name] ?? []).concat([handler])
  }

  off(name: SmallEventName, handler: SmallEventHandler): void {
    this.lists[name] = (this.lists[name] ?? []).filter((known) => known !== handler)
  }

  /** Tells of a message that arrived. */
  tell(message: SmallMessage): void {
    const list = this.lists.message
    this.event.message = message
    this.emit('message.received', 0, OK, '')
    for (let at = 0; list !== undefined && at < list.length; at++) list[at]!(message)
  }

  /** Calls the handlers in the order in which they were added, then empties the event. */
  emit(name: SmallEventName, ticket: number, status: Status, text: string): void {
    const event = this.event
    const list = this.lists[name]
    event.ticket = ticket
    event.status = status
    event.text = text
    for (let at = 0; list !== undefined && at < list.length; at++) list[at]!(event)
    event.reasonCode = 0
    event.sessionPresent = false
    event.count = 0
    event.retryMs = -1
    event.message = null
  }
}
