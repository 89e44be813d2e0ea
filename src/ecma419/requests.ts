/**
 * Requests: what the application asked for with SUBSCRIBE and UNSUBSCRIBE, one after the other.
 *
 * The session has a table of filters and asks for them in its own packets. Here each `write` is
 * kept until the broker has answered for all its items; then it is `done` and makes one SUBACK or
 * UNSUBACK. What a connection takes with it has no answer, as without Holdfast; its filters stay
 * wanted, and the session asks for them on the next connection.
 */
import type { MqttClient } from '../client.js'
import { SUBSCRIBE, UNSUBSCRIBE } from '../codec/protocol.js'
import { readUtf8 } from '../codec/utf8.js'
import { fail, integer, toBytes } from '../checks.js'
import { UNWANTED } from '../session/subscriptions.js'
import { isSubscription } from '../topic.js'
import { bytesOf, type ItemOptions } from './pattern.js'

/** Requests that wait at a time. */
const LIMIT = 64
const UNANSWERED = -1

export class Request {
  /** SUBSCRIBE or UNSUBSCRIBE. */
  readonly operation: number
  /** What `write` gave; 0: nothing, then the Packet Identifier is put in. */
  id: number
  readonly filters: string[]
  readonly qos: number[]
  /** The broker's code for each filter. */
  readonly codes: number[]

  constructor(operation: number, id: number) {
    this.operation = operation
    this.id = id
    this.filters = []
    this.qos = []
    this.codes = []
  }

  get isDone(): boolean {
    return this.codes.indexOf(UNANSWERED) < 0
  }
}

export class Requests {
  /** The Packet Identifier of the last SUBACK or UNSUBACK. */
  packetId: number
  private readonly client: MqttClient
  private waiting: Request[]
  /** The first of `waiting` was handed to the session. */
  private isStarted: boolean

  constructor(client: MqttClient) {
    this.packetId = 0
    this.client = client
    this.waiting = []
    this.isStarted = false
  }

  /** Takes all items or, by throwing, none. */
  add(operation: number, id: number, items: readonly ItemOptions[] | undefined): void {
    if (!Array.isArray(items) || items.length === 0) fail('items', items, 'one item or more')
    if (this.waiting.length === LIMIT) throw new Error('write: ' + LIMIT + ' requests wait')
    const request = new Request(operation, id)
    const room = this.client.session.connection.settings.sendBufferSize >> 1
    for (let index = 0; index < items!.length; index++) {
      const item = items![index]!
      const filter = textOf(item.topic, 'items.topic')
      const bytes = toBytes(filter, 'items.topic')
      if (!isSubscription(bytes)) fail('items.topic', filter, 'a topic filter')
      if (bytes.length + 16 > room) fail('items.topic', 'too long', 'at most ' + (room - 16))
      request.filters.push(filter)
      request.qos.push(integer(item.QoS, 'items.QoS', 0, 0, 2))
      request.codes.push(UNANSWERED)
    }
    this.waiting.push(request)
  }

  /** Hands the next request to the session. For while the connection stands. */
  start(): void {
    if (this.isStarted || this.waiting.length === 0) return
    this.isStarted = true
    this.ask(this.waiting[0]!)
  }

  /** The broker's code for a filter. */
  answered(operation: number, filter: string, code: number): void {
    const request = this.waiting[0]
    if (!this.isStarted || request === undefined || request.operation !== operation) return
    for (let index = 0; index < request.filters.length; index++) {
      if (request.filters[index] === filter) request.codes[index] = code
    }
  }

  /** The request that the broker has answered for all its items, once; or null. */
  takeDone(): Request | null {
    const request = this.waiting[0]
    if (!this.isStarted || request === undefined || !request.isDone) return null
    this.waiting = this.waiting.slice(1)
    this.isStarted = false
    if (request.id === 0) request.id = this.packetId
    return request
  }

  /** The connection is gone: what was asked for stays wanted. */
  lost(): void {
    for (let index = this.isStarted ? 1 : 0; index < this.waiting.length; index++) {
      this.ask(this.waiting[index]!)
    }
    if (this.waiting.length > 0) this.waiting = []
    this.isStarted = false
  }

  private ask(request: Request): void {
    const subscriptions = this.client.session.connection.subscriptions
    for (let index = 0; index < request.filters.length; index++) {
      const filter = request.filters[index]!
      const qos = request.qos[index]!
      if (request.operation === SUBSCRIBE) {
        this.client.subscribe(filter, { qos })
      } else {
        // Also for a filter that the session does not know: the broker's session may be older.
        const asked = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 }
        subscriptions.add(asked, toBytes(filter, 'items.topic'), null, UNWANTED)
      }
    }
    if (request.operation === UNSUBSCRIBE) this.client.onWork()
  }
}

/** A topic that the standard wants as a string; Moddable's layers give its bytes. */
export function textOf(topic: unknown, name: string): string {
  if (typeof topic === 'string') return topic
  const bytes = bytesOf(topic)
  if (bytes === null) fail(name, topic, 'a string')
  return readUtf8(bytes!, 0, bytes!.length)
}
