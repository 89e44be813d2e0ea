/**
 * SmallSession: one connection after the other with MQTT 3.1.1: CONNECT and CONNACK, what arrives,
 * Keep Alive, and the limits on waiting. Knows no flash and no options' names.
 */
import { TRANSPORT_CLOSED, TRANSPORT_OPEN } from '../../hal/transport.js'
import { readUint16 } from '../codec/bytes.js'
import {
  CONNACK,
  DISCONNECT,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  REASON_KEEP_ALIVE_TIMEOUT,
  REASON_MALFORMED_PACKET,
  REASON_PROTOCOL_ERROR,
  SUBACK,
  UNSUBACK,
} from '../codec/protocol.js'
import { ERR_CLOSED, ERR_CONNECT, ERR_FULL, ERR_OFFLINE } from '../status.js'
import { ERR_REFUSED, ERR_STORAGE, OK, type Status } from '../status.js'
import { Exchanges } from './exchanges.js'
import { INBOUND_LIMIT, type Outbox, writeBody } from './outbox.js'
import { framePublish, PUBLISH_HEAD, writeConnect } from './packets.js'
import type { SmallEvents } from './small-events.js'
import { SmallInbound } from './small-inbound.js'
import type { SmallSettings } from './small-options.js'
import { SmallSubscriptions } from './small-subscriptions.js'
import { FOUND, SKIPPED, Wire } from './wire.js'

const STOPPED = 0
const WAITING = 1
const OPENING = 2
const GREETING = 3
const CONNECTED = 4
/** DISCONNECT was put; the rest is still to leave. */
const LEAVING = 5

/** Packets handled and sent in one `poll`, so that it is bounded. */
const STEPS = 32
/** `failure` of a connection that is to be made anew at once. */
const RESTART = 1

export class SmallSession {
  readonly wire: Wire
  readonly exchanges: Exchanges
  readonly subscriptions: SmallSubscriptions
  private readonly settings: SmallSettings
  private readonly outbox: Outbox
  private readonly events: SmallEvents
  private readonly inbound: SmallInbound
  private phase: number
  private phaseAt: number
  private isStopping: boolean
  private now: number
  private retryAt: number
  private retryLimitMs: number
  /** Why the connection ends; 0: it does not. */
  private failure: number
  /** The broker holds a session that is not ours: a clean connection ends it, then ours begins. */
  private isWiping: boolean
  /** CONNECT asked for a clean session. */
  private isClean: boolean
  /** CONNECTs since the last CONNACK. */
  private unanswered: number
  private sentAt: number
  private receivedAt: number
  private pingSentAt: number

  constructor(settings: SmallSettings, outbox: Outbox, events: SmallEvents) {
    const wire = new Wire(settings)
    this.wire = wire
    this.exchanges = new Exchanges(settings, outbox, events, wire)
    this.subscriptions = new SmallSubscriptions(events)
    this.settings = settings
    this.outbox = outbox
    this.events = events
    this.inbound = new SmallInbound(outbox, events, wire, this.subscriptions)
    this.phase = STOPPED
    this.phaseAt = 0
    this.isStopping = false
    this.now = 0
    this.retryAt = 0
    this.retryLimitMs = settings.retryMinMs
    this.failure = 0
    this.isWiping = false
    this.isClean = false
    this.unanswered = 0
    this.sentAt = 0
    this.receivedAt = 0
    this.pingSentAt = -1
  }

  get isConnected(): boolean {
    return this.phase === CONNECTED && !this.isStopping
  }

  get isStopped(): boolean {
    return this.phase === STOPPED
  }

  /** Wants a connection from the next `poll` on. */
  start(now: number): void {
    this.isStopping = false
    if (this.phase !== STOPPED) return
    this.phase = WAITING
    this.retryAt = now
  }

  /** Wants none: DISCONNECT leaves at the next `poll`. */
  stop(): void {
    this.isStopping = true
  }

  /** One bounded step. Returns the milliseconds until the next is wanted. */
  poll(now: number): number {
    this.now = now
    if (this.isStopping && this.phase !== STOPPED) this.leave()
    const waitMs = this.step()
    return Math.max(0, Math.min(waitMs, this.exchanges.tend(now)))
  }

  private step(): number {
    const transport = this.settings.transport
    const now = this.now
    if (this.phase === STOPPED) return Infinity
    if (this.phase === WAITING) {
      if (now < this.retryAt) return this.retryAt - now
      this.open()
    }
    const leftMs = this.phaseAt + this.settings.connectTimeoutMs - now
    if (this.phase < CONNECTED && leftMs <= 0) this.fail(ERR_CONNECT)
    if (this.phase === OPENING) {
      if (transport.state === TRANSPORT_OPEN) this.greet()
      else if (transport.state === TRANSPORT_CLOSED) this.fail(ERR_CONNECT)
      else if (this.failure === 0) return leftMs
    }
    let waitMs = Infinity
    if (this.failure === 0) waitMs = this.phase === LEAVING ? this.awaitLeft() : this.drive()
    if (this.phase === CONNECTED && this.failure === 0) waitMs = Math.min(waitMs, this.keepAlive())
    if (this.failure !== 0) return this.lost()
    return this.phase === GREETING ? Math.min(waitMs, leftMs) : waitMs
  }

  /** The connection is to end. Without durable storage no promise holds, so it does then too. */
  private fail(status: Status): void {
    if (this.failure === 0) this.failure = status
    if (status === ERR_STORAGE) this.events.emit('storage.failed', 0, status, '')
  }

  private open(): void {
    this.phase = OPENING
    this.phaseAt = this.now
    const failure = this.failure
    this.failure = OK
    // What could not be saved is, before the broker hears more.
    if (failure === ERR_STORAGE) this.fail(this.outbox.save())
    this.wire.reset()
    this.exchanges.reset(this.now)
    this.pingSentAt = -1
    this.sentAt = this.now
    this.receivedAt = this.now
    if (this.failure === OK && this.settings.transport.open(this.settings.broker) !== OK) {
      this.failure = ERR_CONNECT
    }
  }

  private greet(): void {
    const settings = this.settings
    const wire = this.wire
    this.phase = GREETING
    this.isClean = settings.cleanStart || this.isWiping
    wire.outEnd = writeConnect(
      wire.out,
      settings.greeting,
      this.isClean,
      Math.ceil(settings.keepAliveMs / 1000),
    )
    this.unanswered++
  }

  /** The connection is gone: says so and waits for the next attempt. */
  private lost(): number {
    const settings = this.settings
    const status = this.failure
    const event = this.events.event
    const reason = settings.transport.reason
    let pauseMs = 0
    if (status !== RESTART) {
      // Full jitter, so that a fleet that lost its broker does not come back as one.
      pauseMs = Math.floor((settings.system.random() / 4294967296) * (this.retryLimitMs + 1))
      this.retryLimitMs = Math.min(this.retryLimitMs * 2, settings.retryMaxMs)
    }
    this.hangUp(WAITING)
    this.retryAt = this.now + pauseMs
    event.retryMs = pauseMs
    if (status < 0 && status > -256) event.reasonCode = -status
    if (status !== RESTART) this.events.emit('client.disconnected', 0, status, reason)
    return pauseMs
  }

  private hangUp(phase: number): void {
    this.settings.transport.close()
    this.phase = phase
    if (phase === STOPPED) this.outbox.flush()
  }

  private leave(): void {
    if (this.phase === LEAVING) return
    if (this.phase !== CONNECTED) return this.hangUp(STOPPED)
    this.wire.put(DISCONNECT << 4, 0)
    this.phase = LEAVING
    this.phaseAt = this.now
  }

  private awaitLeft(): number {
    const leftMs = this.phaseAt + this.settings.pingTimeoutMs - this.now
    if (this.wire.drain() === OK && this.wire.outEnd > 0 && leftMs > 0) return leftMs
    this.hangUp(this.isStopping ? STOPPED : WAITING)
    this.events.emit('client.disconnected', 0, OK, '')
    return this.isStopping ? Infinity : 0
  }

  /** Bytes in, bytes out. Returns 0 where there is more to do. */
  private drive(): number {
    const wire = this.wire
    let hasMore = true
    for (let step = 0; hasMore && step < STEPS; step++) {
      hasMore = wire.room >= 0 && this.receive()
      if (this.phase === CONNECTED && this.failure === 0) hasMore = this.send() || hasMore
      if (this.failure !== 0) return 0
    }
    const size = wire.outEnd
    if (wire.drain() !== OK) this.fail(ERR_CLOSED)
    if (wire.outEnd < size) this.sentAt = this.now
    // Where all has left there is room again.
    return hasMore || (size > 0 && wire.outEnd === 0) ? 0 : Infinity
  }

  /** Puts a message of QoS 0: OK, ERR_OFFLINE, ERR_FULL. */
  putNow(flags: number, topic: string, payload: string | Uint8Array, size: number): Status {
    const wire = this.wire
    const bodyAt = wire.outEnd + PUBLISH_HEAD
    if (!this.isConnected) return ERR_OFFLINE
    if (bodyAt + size > wire.limit) return ERR_FULL
    writeBody(wire.out, bodyAt, flags, topic, payload)
    const at = framePublish(this.settings.system, wire.out, bodyAt, size, 0, false)
    wire.close(at, bodyAt + size)
    return OK
  }

  /** Puts the next packet: true when it did. */
  private send(): boolean {
    if (this.subscriptions.send(this.wire)) return true
    const result = this.exchanges.send(this.now)
    if (result < 0) this.fail(result)
    return result > 0
  }

  /** Handles the next packet: true when there was one. */
  private receive(): boolean {
    const wire = this.wire
    const found = wire.next()
    if (wire.hasRead) this.receivedAt = this.now
    wire.hasRead = false
    if (found < 0) this.fail(found)
    else if (found === FOUND) this.handle()
    else if (found === SKIPPED) this.inbound.onSkipped()
    return found > 0
  }

  private handle(): void {
    const wire = this.wire
    const type = wire.first >> 4
    const at = wire.bodyAt
    const size = wire.bodyEnd - at
    const isAnswer = size >= 2 && type !== CONNACK
    const packetId = isAnswer ? readUint16(wire.rx, at) : 0
    let status: Status = OK
    if ((this.phase === GREETING) !== (type === CONNACK)) status = -REASON_PROTOCOL_ERROR
    else if (type === PUBLISH) status = this.inbound.onPublish()
    else if (
      wire.isCut ||
      (wire.first & 15) !== (type === PUBREL ? 2 : 0) ||
      size !== (type === PINGRESP ? 0 : type === SUBACK ? 3 : 2) ||
      (isAnswer && packetId === 0)
    ) {
      status = -REASON_MALFORMED_PACKET
    } else if (type === CONNACK) this.onConnack(wire.rx[at]!, wire.rx[at + 1]!)
    else if (type === PUBACK) status = this.exchanges.onPuback(packetId, this.now)
    else if (type === PUBREC) status = this.exchanges.onPubrec(packetId, this.now)
    else if (type === PUBREL) status = this.inbound.onPubrel(packetId)
    else if (type === PUBCOMP) status = this.exchanges.onPubcomp(packetId, this.now)
    else if (type === SUBACK) status = this.subscriptions.answered(packetId, wire.rx[at + 2]!)
    else if (type === UNSUBACK) status = this.subscriptions.answered(packetId, -1)
    else if (type === PINGRESP) this.pingSentAt = -1
    else status = -REASON_PROTOCOL_ERROR
    if (status !== OK) this.fail(status)
  }

  private onConnack(present: number, code: number): void {
    const settings = this.settings
    const outbox = this.outbox
    const wasUnanswered = this.unanswered > 1
    this.unanswered = 0
    if (present > 1) this.fail(-REASON_MALFORMED_PACKET)
    else if (code !== 0) {
      this.events.event.reasonCode = code
      this.fail(ERR_REFUSED)
    } else if (present > 0 && (this.isClean || !outbox.sessionMayExist)) {
      this.isWiping = true // it is somebody else's
      this.fail(-REASON_PROTOCOL_ERROR)
    } else if (this.isWiping) {
      this.isWiping = false
      this.wire.put(DISCONNECT << 4, 0)
      this.wire.drain()
      this.fail(RESTART)
    } else {
      // A session that a lost CONNACK told of is ours, but may be a new one without filters.
      this.subscriptions.connected(present > 0 && !wasUnanswered)
      this.phase = CONNECTED
      if (present === 0) this.begin()
      if (this.failure !== 0) return
      this.retryLimitMs = settings.retryMinMs
      this.events.event.sessionPresent = present > 0
      this.events.emit('client.connected', 0, OK, settings.url)
    }
  }

  /** The broker has no session: ours starts empty, but for the messages. */
  private begin(): void {
    const outbox = this.outbox
    const count = this.exchanges.touchedCount
    const wasLost = outbox.sessionMayExist || outbox.inbound.length > 0 || count > 0
    const isKept = !this.settings.cleanStart
    outbox.inbound.splice(0, INBOUND_LIMIT)
    this.exchanges.forget()
    if (!wasLost && outbox.sessionMayExist === isKept) return
    outbox.sessionMayExist = isKept
    // With what was released: a mark of the lost session must not come back after a reboot.
    const status = outbox.save()
    if (status !== OK) this.fail(status)
    if (!wasLost) return
    this.events.event.count = count
    this.events.emit('session.lost', 0, OK, '')
  }

  /** Notes a failure where a wait is over; puts PINGREQ where it is due. */
  private keepAlive(): number {
    const settings = this.settings
    const now = this.now
    let waitMs = Infinity
    if (settings.ackTimeoutMs > 0 && this.exchanges.inFlight > 0) {
      waitMs = this.exchanges.progressAt + settings.ackTimeoutMs - now
      if (waitMs <= 0) this.fail(ERR_CLOSED)
    }
    if (this.pingSentAt >= 0) {
      const aliveAt = Math.max(this.pingSentAt, this.receivedAt)
      const leftMs = aliveAt + settings.pingTimeoutMs - now
      if (leftMs <= 0) this.fail(-REASON_KEEP_ALIVE_TIMEOUT)
      return Math.min(waitMs, leftMs)
    }
    if (settings.keepAliveMs === 0) return waitMs
    // Three quarters leave time for a late poll. Silence of the broker counts as well as ours: a
    // half-open connection swallows what we send without a sign.
    const dueAt = Math.min(this.sentAt, this.receivedAt) + (settings.keepAliveMs * 3) / 4
    if (now < dueAt) return Math.min(waitMs, dueAt - now)
    this.pingSentAt = now
    this.receivedAt = now
    if (this.wire.room < 2) return settings.pingTimeoutMs
    this.wire.put(PINGREQ << 4, 0)
    return 0
  }
}
