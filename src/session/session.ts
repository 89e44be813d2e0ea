/**
 * Session: the states of the client, from stopped to connected and back, driven by `poll`.
 *
 *   STOPPED --start--> WAITING --time--> OPENING --socket open--> GREETING --CONNACK--> CONNECTED
 *      ^                  ^                 |                        |                     |
 *      |                  +-----------------+------------------------+----- trouble -------+
 *      +---- LEAVING <------------------------------------ stop ---------------------------+
 *
 * It decides when the connection begins and ends and keeps its times. What packets mean is in
 * Handshake and Inbound, what is sent in Outbound. It calls the transport from `poll` only.
 */
import { decode, ReceivedPacket } from '../codec/decode.js'
import { writeDisconnect } from '../codec/encode.js'
import {
  AUTH,
  CONNACK,
  REASON_PROTOCOL_ERROR,
  REASON_SUCCESS,
  REASON_UNSPECIFIED_ERROR,
  V5,
} from '../codec/protocol.js'
import { CLIENT_DISCONNECTED, type Events } from '../events.js'
import type { Settings } from '../options.js'
import type { OutgoingQueue } from '../queue/outgoing-queue.js'
import { ERR_CLOSED, ERR_CONNECT, ERR_REFUSED, OK, type Status } from '../status.js'
import { type BrokerAddress, TRANSPORT_CLOSED, TRANSPORT_OPEN } from '../../hal/transport.js'
import { Backoff } from './backoff.js'
import { Connection, RESTART } from './connection.js'
import { Drops } from './drops.js'
import { Handshake } from './handshake.js'
import { Inbound } from './inbound.js'
import { ACK_ROOM, Outbound } from './outbound.js'
import { Timing } from './timing.js'

const STOPPED = 0
const WAITING = 1
const OPENING = 2
const GREETING = 3
const CONNECTED = 4
const LEAVING = 5

/** Packets handled in one `poll`, so that a call is bounded. */
const PACKETS_PER_POLL = 128
/** DISCONNECT with a Reason Code: type, length, code. */
const DISCONNECT_ROOM = 3
/** The longest that DISCONNECT may take to leave. */
const LEAVING_MS = 5000

export class Session {
  readonly connection: Connection
  readonly outbound: Outbound
  readonly inbound: Inbound
  /** Sees each packet of an established connection before it is acted on. */
  onPacket: ((packet: ReceivedPacket) => void) | null
  private readonly settings: Settings
  private readonly events: Events
  private readonly handshake: Handshake
  private readonly timing: Timing
  private readonly backoff: Backoff
  private readonly packet: ReceivedPacket
  private phase: number
  /** When the phase began, and for WAITING when it ends. */
  private phaseAt: number
  private retryAt: number
  private isStopping: boolean
  /** LEAVING: DISCONNECT has not found room in the send buffer yet. */
  private isDisconnectDue: boolean

  constructor(settings: Settings, events: Events, queues: OutgoingQueue[]) {
    this.settings = settings
    this.events = events
    this.connection = new Connection(settings, events, queues)
    this.outbound = new Outbound(this.connection, PACKETS_PER_POLL)
    this.inbound = new Inbound(this.connection)
    if (settings.authentication !== null) settings.authentication.bind(this.connection)
    this.handshake = new Handshake(this.connection, this.outbound)
    this.timing = new Timing(this.connection)
    this.backoff = new Backoff(settings.retryMinMs, settings.retryMaxMs, settings.system)
    this.packet = new ReceivedPacket()
    this.phase = STOPPED
    this.phaseAt = 0
    this.retryAt = 0
    this.isStopping = false
    this.isDisconnectDue = false
    this.onPacket = null
    const lanes = this.connection.lanes
    for (let index = 0; index < lanes.length; index++) {
      lanes[index]!.queue.listen(new Drops(this.connection, lanes[index]!))
    }
  }

  get isConnected(): boolean {
    return this.connection.isConnected
  }

  get isStopped(): boolean {
    return this.phase === STOPPED
  }

  /** True while connected with nothing to send and no subscription under way. */
  get isIdle(): boolean {
    return this.phase === CONNECTED && this.connection.sendBuffer.isEmpty
  }

  /** Wants a connection from the next `poll` on. */
  start(now: number): void {
    this.isStopping = false
    if (this.phase !== STOPPED && this.phase !== LEAVING) return
    this.phase = WAITING
    this.retryAt = now
  }

  /** Wants no connection: DISCONNECT leaves at the next `poll`. */
  stop(): void {
    this.isStopping = true
  }

  /** The network is another one: looks at once whether the connection still stands. */
  networkChanged(now: number): void {
    const connection = this.connection
    this.backoff.reset()
    if (this.phase === WAITING) this.retryAt = now
    else if (this.phase === OPENING) connection.fail(RESTART)
    else if (this.phase === CONNECTED && connection.pingSentAt < 0) connection.isPingDue = true
  }

  /** One bounded step. Returns milliseconds until the next is wanted, Infinity for never. */
  poll(now: number): number {
    this.connection.now = now
    if (this.isStopping && this.phase !== STOPPED && this.phase !== LEAVING) this.leave()
    const waitMs = this.step(now)
    const lanes = this.connection.lanes
    let soonestMs = waitMs
    for (let index = 0; index < lanes.length; index++) {
      const queue = lanes[index]!.queue
      soonestMs = Math.min(soonestMs, queue.tend(now))
      // Erasing takes long: only when there is nothing to send or handle.
      if (waitMs > 0 && queue.log.maintain()) soonestMs = 0
    }
    return Math.max(0, soonestMs)
  }

  // The phases

  private step(now: number): number {
    switch (this.phase) {
      case STOPPED:
        return Infinity
      case WAITING:
        return now < this.retryAt ? this.retryAt - now : this.open()
      case OPENING:
        return this.awaitOpen()
      case LEAVING:
        return this.awaitLeft()
      default:
        return this.drive()
    }
  }

  private enter(phase: number): void {
    this.phase = phase
    this.phaseAt = this.connection.now
  }

  private get broker(): BrokerAddress {
    return this.settings.brokers[this.connection.brokers.index]!
  }

  private open(): number {
    this.connection.reset(this.connection.now)
    this.inbound.disconnectReason = -1
    this.enter(OPENING)
    if (this.settings.transport.open(this.broker) !== OK) return this.lost(ERR_CONNECT)
    return this.awaitOpen()
  }

  private awaitOpen(): number {
    const transport = this.settings.transport
    if (this.connection.failure !== 0) return this.lost(this.connection.failure)
    if (transport.state === TRANSPORT_OPEN) {
      this.enter(GREETING)
      this.handshake.sendConnect()
      return this.drive()
    }
    const leftMs = this.phaseAt + this.settings.connectTimeoutMs - this.connection.now
    if (transport.state === TRANSPORT_CLOSED || leftMs <= 0) return this.lost(ERR_CONNECT)
    return leftMs
  }

  /** A connection that exists: bytes in, bytes out, times. */
  private drive(): number {
    const connection = this.connection
    let hasMore = this.receive()
    if (connection.failure !== 0) return this.end()
    hasMore = this.fill() || hasMore
    const wasEmpty = connection.sendBuffer.isEmpty
    const status = this.flush()
    if (status !== OK) return this.lost(status)
    if (!wasEmpty && connection.sendBuffer.isEmpty) {
      connection.sentAt = connection.now
      // Room came back: for what did not fit before, and for the answer to what was not handled.
      hasMore = true
    }
    const homeMs = this.timing.goHome(this.phase === CONNECTED, this.phaseAt)
    let waitMs = Math.min(homeMs, this.timing.keep(this.phase === GREETING, this.phaseAt))
    const authentication = this.settings.authentication
    if (authentication !== null) waitMs = Math.min(waitMs, authentication.leftMs())
    if (connection.failure !== 0) return this.end()
    return hasMore ? 0 : Math.min(waitMs, this.outbound.pacedMs)
  }

  /** Encodes what may leave in this phase. True when there is more to look at. */
  private fill(): boolean {
    const authentication = this.settings.authentication
    if (authentication !== null) authentication.send()
    return this.phase === CONNECTED && this.outbound.fill()
  }

  /** Hands bytes to the transport. A PUBLISH leaves after its mark, where one is kept of it. */
  private flush(): Status {
    const lanes = this.connection.lanes
    for (let index = 0; index < lanes.length; index++) {
      const status = lanes[index]!.queue.marks.makeSendsDurable()
      if (status !== OK) return status
    }
    return this.connection.sendBuffer.flush(this.settings.transport)
  }

  /** Reads and handles packets: true when there may be more right now. */
  private receive(): boolean {
    const connection = this.connection
    const reader = connection.reader
    for (let count = 0; count < PACKETS_PER_POLL;) {
      if (!connection.sendBuffer.hasRoom(ACK_ROOM)) return false
      const size = reader.next()
      if (size < 0) {
        connection.fail(size)
        return false
      }
      if (size > 0) {
        count++
        this.handle(size)
        if (connection.failure !== 0) return false
        reader.consume()
        continue
      }
      const room = reader.room()
      const taken = this.settings.transport.read(reader.bytes, reader.readAt, room)
      if (taken < 0) {
        connection.fail(ERR_CLOSED)
        return false
      }
      if (taken === 0) return false
      connection.receivedAt = connection.now
      reader.received(taken)
    }
    return true
  }

  private handle(size: number): void {
    const connection = this.connection
    const packet = this.packet
    const reader = connection.reader
    const status = decode(packet, reader.bytes, reader.packetAt, size, this.settings.version)
    if (status < 0) {
      connection.fail(status)
    } else if (packet.type === AUTH && this.settings.authentication !== null) {
      this.settings.authentication.onAuth(packet)
    } else if (this.phase === CONNECTED) {
      if (this.onPacket !== null) this.onPacket(packet)
      this.inbound.handle(packet)
    } else if (packet.type !== CONNACK) {
      connection.fail(-REASON_PROTOCOL_ERROR) // [MQTT-3.2.0-1]
    } else if (this.handshake.onConnack(packet)) {
      this.backoff.reset()
      connection.brokers.connected()
      connection.progressAt = connection.now
      connection.setOnline(true)
      this.enter(CONNECTED)
    }
  }

  /** We end the connection because of `failure`: MQTT 5 is told the reason (section 4.13.1). */
  private end(): number {
    const connection = this.connection
    const failure = connection.failure
    const isProtocol = failure <= -REASON_UNSPECIFIED_ERROR && failure >= -255
    if (failure === RESTART || (this.settings.version === V5 && isProtocol)) {
      // Without room the broker is left without a reason: a packet may be half sent, and nothing
      // but its rest may follow.
      this.sayDisconnect(failure === RESTART ? REASON_SUCCESS : -failure)
      this.flush()
    }
    return this.lost(failure)
  }

  /** False when the send buffer has no room for DISCONNECT. */
  private sayDisconnect(reason: number): boolean {
    const buffer = this.connection.sendBuffer
    if (!buffer.hasRoom(DISCONNECT_ROOM)) return false
    const version = this.settings.version
    buffer.added(writeDisconnect(buffer.bytes, buffer.end, reason, null, version))
    return true
  }

  /** There is no connection any more. */
  private hangUp(phase: number): void {
    const connection = this.connection
    this.settings.transport.close()
    connection.sendBuffer.clear()
    connection.isConnected = false
    this.enter(phase)
    connection.setOnline(false)
  }

  /** The connection is gone: says so and waits for the next attempt. */
  private lost(status: Status): number {
    const reason = this.settings.transport.reason
    const pauseMs = status === RESTART ? 0 : this.pause()
    this.hangUp(WAITING)
    this.retryAt = this.connection.now + pauseMs
    if (status !== RESTART) this.announceLost(status, reason, pauseMs)
    return pauseMs
  }

  /**
   * Milliseconds until the next attempt. A connection that stood is made again to the same broker;
   * after an attempt that failed the next one of the list has its turn.
   */
  private pause(): number {
    const connection = this.connection
    const mayMove = this.settings.roamsInFlight || connection.touchedCount === 0
    const isPause = this.phase === CONNECTED || connection.brokers.failed(mayMove)
    return isPause ? this.backoff.next() : 0
  }

  private announceLost(status: Status, reason: string, retryMs: number): void {
    if (!this.events.has(CLIENT_DISCONNECTED)) return
    const event = this.events.event
    const refused = this.handshake.refusedReason
    event.status = status
    if (status === ERR_REFUSED) {
      event.reasonCode = refused >= 0 ? refused : this.inbound.disconnectReason
    } else if (status > -256) {
      event.reasonCode = -status
    }
    event.text = reason
    event.retryMs = retryMs
    this.events.emit(CLIENT_DISCONNECTED)
  }

  /** Ends the connection at once, without DISCONNECT: the time is over. */
  halt(): void {
    this.isStopping = true
    if (this.phase !== STOPPED) this.hangUp(STOPPED)
  }

  private leave(): void {
    const connection = this.connection
    if (this.phase === CONNECTED) {
      this.isDisconnectDue = true
      connection.isConnected = false
      connection.setOnline(false)
      this.enter(LEAVING)
      return
    }
    this.hangUp(STOPPED)
    this.connection.flushQueues()
  }

  private awaitLeft(): number {
    const connection = this.connection
    this.outbound.finishPacket()
    let status = this.flush()
    // Behind what is on its way: a packet may be half sent.
    if (status === OK && this.isDisconnectDue && this.sayDisconnect(REASON_SUCCESS)) {
      this.isDisconnectDue = false
      status = this.flush()
    }
    const leftMs = this.phaseAt + LEAVING_MS - connection.now
    const isLeft = connection.sendBuffer.isEmpty && !this.isDisconnectDue
    if (status === OK && !isLeft && leftMs > 0) return leftMs
    this.hangUp(STOPPED)
    this.connection.flushQueues()
    if (this.events.has(CLIENT_DISCONNECTED)) this.events.emit(CLIENT_DISCONNECTED)
    return Infinity
  }
}
