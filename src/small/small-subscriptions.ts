/**
 * SmallSubscriptions: the filters the application wants, and how far the broker agreed. One
 * SUBSCRIBE or UNSUBSCRIBE is on its way at a time. Knows no connection.
 */
import { REASON_PROTOCOL_ERROR } from '../codec/protocol.js'
import { utf8Size } from '../codec/utf8.js'
import { ERR_REFUSED, OK, type Status } from '../status.js'
import { SUBSCRIBE_SIZE, writeSubscribe } from './packets.js'
import type { SmallEvents } from './small-events.js'
import type { SmallMessage } from './small-message.js'
import type { Wire } from './wire.js'

export type SmallMessageHandler = (message: SmallMessage) => void

/** The broker does not know yet. */
const WANTED = 0
const SUBSCRIBED = 1
/** Asked again on the next connection. */
const REFUSED = 2
/** The application has no use for it any more, and the broker does not know yet. */
const UNWANTED = 3

/** Identifiers below are for messages. */
const FIRST_ID = 0x8000

interface Entry {
  readonly filter: string
  readonly qos: number
  readonly handler: SmallMessageHandler | null
  state: number
}

export class SmallSubscriptions {
  private entries: Entry[]
  private readonly events: SmallEvents
  /** What the packet on its way asks for, and its identifier. */
  private asked: Entry | null
  private askedId: number

  constructor(events: SmallEvents) {
    this.entries = []
    this.events = events
    this.asked = null
    this.askedId = FIRST_ID
  }

  /** Adds a filter, in the place of one with the same text. */
  add(filter: string, qos: number, handler: SmallMessageHandler | null): void {
    this.put(filter, qos, handler, WANTED)
  }

  /** False when the filter is not in the table. */
  remove(filter: string): boolean {
    const isKnown = this.entries.some((it) => it.filter === filter && it.state !== UNWANTED)
    if (isKnown) this.put(filter, 0, null, UNWANTED)
    return isKnown
  }

  private put(
    filter: string,
    qos: number,
    handler: SmallMessageHandler | null,
    state: number,
  ): void {
    this.entries = this.entries.filter((entry) => entry.filter !== filter)
    this.entries.push({ filter, qos, handler, state })
  }

  /** A new connection. `isKept`: the broker has what it agreed to. */
  connected(isKept: boolean): void {
    this.asked = null
    if (!isKept) this.entries = this.entries.filter((entry) => entry.state !== UNWANTED)
    for (let index = 0; index < this.entries.length; index++) {
      const entry = this.entries[index]!
      if (entry.state === REFUSED || (!isKept && entry.state === SUBSCRIBED)) entry.state = WANTED
    }
  }

  /** Puts the next SUBSCRIBE or UNSUBSCRIBE: true when it did. */
  send(wire: Wire): boolean {
    for (let index = 0; this.asked === null && index < this.entries.length; index++) {
      const entry = this.entries[index]!
      if (entry.state === SUBSCRIBED || entry.state === REFUSED) continue
      if (wire.room < SUBSCRIBE_SIZE + utf8Size(entry.filter)) return false
      this.asked = entry
      this.askedId = this.askedId === 0xffff ? FIRST_ID : this.askedId + 1
      const qos = entry.state === UNWANTED ? -1 : entry.qos
      wire.outEnd = writeSubscribe(wire.out, wire.outEnd, this.askedId, entry.filter, qos)
      return true
    }
    return false
  }

  /** SUBACK with its return code, or UNSUBACK with -1: OK or Protocol Error. */
  answered(packetId: number, code: number): Status {
    const entry = this.asked
    if (entry === null || packetId !== this.askedId || code < 0 !== (entry.state === UNWANTED)) {
      return -REASON_PROTOCOL_ERROR
    }
    this.asked = null
    if (code < 0) {
      this.entries = this.entries.filter((other) => other !== entry)
      return OK
    }
    const isRefused = code > 2 // 0x80, or what is reserved [MQTT-3.9.3-2]
    if (isRefused) this.events.event.reasonCode = code
    entry.state = isRefused ? REFUSED : SUBSCRIBED
    this.events.emit('session.subscribed', 0, isRefused ? ERR_REFUSED : OK, entry.filter)
    return OK
  }

  /** Calls the handlers whose filter matches. */
  dispatch(message: SmallMessage): void {
    const entries = this.entries
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index]!
      if (entry.handler !== null && matches(entry.filter, message.topic)) entry.handler(message)
    }
  }
}

/** True when the filter matches the topic, level by level (section 4.7). */
function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  // A wildcard at the start never matches $SYS and its like [MQTT-4.7.2-1].
  if (topic.charAt(0) === '$' && wanted[0] !== levels[0]) return false
  for (let index = 0; index < wanted.length; index++) {
    const level = wanted[index]!
    // "sport/#" also matches "sport", its parent level.
    if (level === '#') return true
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false
  }
  return wanted.length === levels.length
}

/** True for a topic filter: wildcards stand alone in their level, # only at the end. */
export function isFilter(filter: string): boolean {
  const levels = filter.split('/')
  for (let index = 0; index < levels.length; index++) {
    const level = levels[index]!
    const isLast = index === levels.length - 1
    if (/[+#]/.test(level) && level !== '+' && !(level === '#' && isLast)) return false
  }
  return filter !== ''
}
