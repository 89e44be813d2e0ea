/**
 * Request and response, MQTT 5 section 4.10: a message that is answered, or not in time.
 *
 *   const requester = new Requester(client, system, { responseTopic: 'answers/device-7' })
 *   requester.request('service/time', '', (status, message) => ...)
 *
 *   client.subscribe('service/time', { qos: 1 }, (message) => respond(client, message, '12:00'))
 *
 * Correlation Data is eight bytes: a random number of this Requester, so that answers to a question
 * of an earlier boot are not taken for ours, and a running one. Requests wait in the client's queue
 * as any message, but expire when nobody waits for the answer any more.
 */
import { readUint32, writeUint32 } from './codec/bytes.js'
import { REASON_NO_MATCHING_SUBSCRIBERS, V5 } from './codec/protocol.js'
import type { MqttClient } from './client.js'
import { fail, integer, time, topicBytes } from './checks.js'
import type { ClientEvent } from './events.js'
import type { Task } from './extensions.js'
import type { InboundMessage } from './inbound-message.js'
import {
  dataAt,
  PROPERTY_CORRELATION_DATA,
  PROPERTY_RESPONSE_TOPIC,
  propertyAt,
  textAt,
} from './message-properties.js'
import { ERR_ARGUMENT, ERR_EXPIRED, ERR_FULL, ERR_NOT_AVAILABLE, OK } from './status.js'
import type { Status } from './status.js'
import type { System } from '../hal/system.js'

export interface RequesterOptions {
  /** Where answers go: a topic of this client alone. It is subscribed to at once. */
  responseTopic: string
  /** For the answer, from the first `poll` after the request on. Default 10,000. */
  timeoutMs?: number
  /** Requests that wait for their answer at a time, 1 to 64. Default 8. */
  limit?: number
  /** 1 or 2, of requests, and the highest of answers. Default 1. */
  qos?: number
}

/**
 * Called once for each request. With OK, `message` is the answer, valid during the call. Else there
 * is none: ERR_EXPIRED, not in time; ERR_NOT_AVAILABLE, nobody is subscribed to what was asked; or
 * why the request left the queue without being sent.
 */
export type ResponseHandler = (status: Status, message: InboundMessage | null) => void

const CORRELATION_SIZE = 8

export class Requester implements Task {
  private readonly client: MqttClient
  private readonly responseTopic: string
  private readonly timeoutMs: number
  private readonly qos: number
  private readonly correlation: Uint8Array
  private serial: number
  /** Why the broker does not let us have answers, or OK. */
  private status: Status
  // One row a request.
  private readonly serials: Uint32Array
  private readonly tickets: Float64Array
  /** When it is too late; -1: not counted yet. */
  private readonly deadlines: Float64Array
  private readonly handlers: (ResponseHandler | null)[]

  constructor(client: MqttClient, system: System, options: RequesterOptions) {
    if (client.protocol !== V5) fail('protocol', client.protocol, '5 for requests')
    topicBytes(options.responseTopic, 'responseTopic')
    const limit = integer(options.limit, 'limit', 8, 1, 64)
    this.client = client
    this.responseTopic = options.responseTopic
    this.timeoutMs = time(options.timeoutMs, 'timeoutMs', 10000, 1)
    this.qos = integer(options.qos, 'qos', 1, 1, 2)
    this.correlation = new Uint8Array(CORRELATION_SIZE)
    writeUint32(this.correlation, 0, system.random())
    this.serial = 0
    this.status = OK
    this.serials = new Uint32Array(limit)
    this.tickets = new Float64Array(limit)
    this.deadlines = new Float64Array(limit)
    this.handlers = []
    for (let row = 0; row < limit; row++) this.handlers.push(null)
    client.subscribe(this.responseTopic, { qos: this.qos }, (message) => this.onMessage(message))
    client.on('session.subscribed', (event) => this.onSubscribed(event))
    client.on('message.dropped', (event) => this.onSettled(event, event.status))
    client.on('message.acked', (event) => {
      if (event.reasonCode === REASON_NO_MATCHING_SUBSCRIBERS) {
        this.onSettled(event, ERR_NOT_AVAILABLE)
      }
    })
    client.attach(this)
  }

  /** Requests that wait for their answer. */
  get count(): number {
    let count = 0
    for (let row = 0; row < this.handlers.length; row++) if (this.handlers[row] !== null) count++
    return count
  }

  /**
   * Publishes a request. OK: `handler` will be called once, later. ERR_FULL: `limit` is reached, or
   * the queue is full. ERR_REFUSED or ERR_NOT_AVAILABLE: the broker refused the subscription to
   * `responseTopic`. Else what `publish` returns.
   */
  request(topic: string, payload: string | Uint8Array, handler: ResponseHandler): Status {
    if (this.status !== OK) return this.status
    const row = this.handlers.indexOf(null)
    if (row < 0) return ERR_FULL
    const serial = (this.serial + 1) >>> 0
    this.serial = serial
    writeUint32(this.correlation, 4, serial)
    // Before `publish`, whose events may make requests.
    this.handlers[row] = handler
    this.serials[row] = serial
    this.tickets[row] = 0
    this.deadlines[row] = -1
    const ticket = this.client.publish(topic, payload, {
      qos: this.qos,
      properties: {
        responseTopic: this.responseTopic,
        correlationData: this.correlation,
        messageExpiryInterval: Math.ceil(this.timeoutMs / 1000),
      },
    })
    if (ticket < 0) {
      this.handlers[row] = null
      return ticket
    }
    this.tickets[row] = ticket
    return OK
  }

  poll(now: number): number {
    let waitMs = Infinity
    for (let row = 0; row < this.handlers.length; row++) {
      if (this.handlers[row] === null) continue
      if (this.deadlines[row]! < 0) this.deadlines[row] = now + this.timeoutMs
      const leftMs = this.deadlines[row]! - now
      if (leftMs <= 0) this.settle(row, ERR_EXPIRED, null)
      else waitMs = Math.min(waitMs, leftMs)
    }
    return waitMs
  }

  private onMessage(message: InboundMessage): void {
    const at = propertyAt(message, PROPERTY_CORRELATION_DATA)
    const data = at < 0 ? null : dataAt(message, at)
    if (data !== null && data.length === CORRELATION_SIZE) {
      const isOurs = readUint32(data, 0) === readUint32(this.correlation, 0)
      const serial = readUint32(data, 4)
      for (let row = 0; isOurs && row < this.handlers.length; row++) {
        if (this.handlers[row] === null || this.serials[row] !== serial) continue
        this.settle(row, OK, message)
        break // what the handler asks for may stand in a row behind
      }
    }
    if (message.acknowledgement !== 0) this.client.acknowledge(message.acknowledgement)
  }

  private onSubscribed(event: ClientEvent): void {
    if (event.text === this.responseTopic) this.status = event.status
  }

  private onSettled(event: ClientEvent, status: Status): void {
    for (let row = 0; row < this.handlers.length; row++) {
      if (this.handlers[row] !== null && this.tickets[row] === event.ticket) {
        this.settle(row, status, null)
        return
      }
    }
  }

  private settle(row: number, status: Status, message: InboundMessage | null): void {
    const handler = this.handlers[row]!
    this.handlers[row] = null
    handler(status, message)
  }
}

/**
 * Answers a request, from its handler: returns as `publish` does, with the QoS of the request; or
 * ERR_ARGUMENT when the message asks for no answer.
 */
export function respond(
  client: MqttClient,
  request: InboundMessage,
  payload: string | Uint8Array,
): number {
  const topicAt = propertyAt(request, PROPERTY_RESPONSE_TOPIC)
  if (topicAt < 0) return ERR_ARGUMENT
  const at = propertyAt(request, PROPERTY_CORRELATION_DATA)
  return client.publish(textAt(request, topicAt), payload, {
    qos: request.qos,
    properties: at < 0 ? {} : { correlationData: dataAt(request, at) },
  })
}
