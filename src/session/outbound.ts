/**
 * Outbound: picks the next bytes that leave, as far as the send buffer has room.
 *
 *   1. PUBREL for the PUBRECs that came, after their mark is durable; after a resume, for those
 *      that came on earlier connections. They are not behind PUBLISH in the queue: the broker's
 *      quota may be full of them, and only they can empty it
 *   2. SUBSCRIBE or UNSUBSCRIBE
 *   3. the queue in order: what was in flight on an earlier connection comes first because it is
 *      oldest (PUBLISH with DUP), then what was never sent. Several lanes have an order of their
 *      own for what comes again: ResendOrder
 *
 * Only PUBLISH is held back by the broker's Receive Maximum [MQTT-3.3.4-8]. It does not read
 * packets and does not decide when the connection ends.
 */
import { writeUint16 } from '../codec/bytes.js'
import { publishSize, writePublishHeader } from '../codec/encode-publish.js'
import { writeAck } from '../codec/encode.js'
import { reduceExpiry } from '../codec/properties.js'
import { PROPERTY_TOPIC_ALIAS, PUBREL, V5 } from '../codec/protocol.js'
import { MESSAGE_SENT } from '../events.js'
import {
  ERR_EXPIRED,
  ERR_FULL,
  ERR_NOT_AVAILABLE,
  ERR_OFFLINE,
  ERR_STORAGE,
  ERR_TOO_LARGE,
  OK,
  type Status,
} from '../status.js'
import { MESSAGE_QOS, MESSAGE_RETAIN, type MessageSource } from '../store/message-record.js'
import { isBefore, RELEASED, SENT } from '../store/exchange-window.js'
import { DROPPED_EXPIRED, DROPPED_REFUSED } from '../store/session-state.js'
import type { OutgoingQueue } from '../queue/outgoing-queue.js'
import type { Connection } from './connection.js'
import { type DuplicateKey, duplicateKeyFor } from './duplicate-key.js'
import type { InFlight } from './in-flight.js'
import { PayloadPump } from './payload-pump.js'
import { ResendOrder } from './resend-order.js'

/** The most an acknowledgement takes: type, length, identifier, Reason Code. */
export const ACK_ROOM = 5

/** The property of an alias. Two more bytes each of Remaining Length and Property Length. */
const ALIAS_SIZE = 3
const ALIAS_ROOM = 5

/** Records looked at in one call, so that a call is bounded. */
const STEPS = 64

export class Outbound {
  private readonly connection: Connection
  /** Made when the first payload is streamed. */
  private pump: PayloadPump | null
  /** With several brokers: what marks a message, so that a repeat is known. */
  private readonly key: DuplicateKey | null
  /** With several lanes: which of them has the next PUBLISH to send again. */
  private readonly order: ResendOrder | null
  /** When the next message of the backlog may leave. */
  private pacedUntil: number
  /** The message of the lane whose turn it was does not fit the send buffer now. */
  private lacksRoom: boolean

  /** `pollLag` is how many acknowledgements may come between two chances to write a mark. */
  constructor(connection: Connection, pollLag: number) {
    this.connection = connection
    this.pump = null
    this.pacedUntil = 0
    this.key = duplicateKeyFor(connection.settings)
    this.order = connection.lanes.length < 2 ? null : new ResendOrder(connection)
    this.lacksRoom = false
    const lag = connection.settings.ackBatch + pollLag
    for (let index = 0; index < connection.lanes.length; index++) {
      connection.lanes[index]!.assumeSent(lag)
    }
  }

  /** A new connection with or without the old session; the queue is read from its oldest again. */
  connected(sessionPresent: boolean): void {
    const connection = this.connection
    const exchanges = connection.exchanges
    const owed = connection.state.owed
    if (this.pump !== null) this.pump.stop()
    exchanges.reset()
    for (let index = 0; sessionPresent && index < owed.count; index++) {
      exchanges.pubrelDue(owed.packetIds[index]!)
    }
    for (let index = 0; index < connection.lanes.length; index++) {
      const lane = connection.lanes[index]!
      if (!sessionPresent) lane.resumeEnd = 0
      lane.reset(sessionPresent)
      lane.queue.rewind()
    }
    if (this.order !== null) this.order.connected()
  }

  /** Encodes what may leave now. True when there is more to look at without waiting. */
  fill(): boolean {
    const connection = this.connection
    if (!this.finishPacket()) return false
    const manualAck = connection.settings.manualAck
    if (manualAck !== null) manualAck.send()
    if (!this.sendPubrels()) return false
    connection.subscriptions.send(
      connection.sendBuffer,
      connection.settings.version,
      connection.limits,
    )
    for (let step = 0; step < STEPS; step++) {
      if (!this.sendNext()) return false
    }
    return true
  }

  /** Goes on with a payload that is being streamed. False while it is not at its end. */
  finishPacket(): boolean {
    const pump = this.pump
    if (pump === null) return true
    if (pump.isActive) pump.pump()
    return !pump.isActive
  }

  /**
   * Makes room for a PUBLISH of QoS 0 that is not queued and writes all of it but the payload.
   * Returns where in the send buffer the payload goes, or a negative status. It may leave between
   * queued messages: QoS 0 has an order of its own.
   */
  beginNow(message: MessageSource): number {
    const connection = this.connection
    const settings = connection.settings
    const limits = connection.limits
    const sendBuffer = connection.sendBuffer
    const version = settings.version
    const propertiesLength = version === V5 ? message.propertiesLength : 0
    const payloadLength = message.payloadLength
    const size = publishSize(message.topicLength, 0, propertiesLength, payloadLength, version)
    // Room for the answer to the packet whose handler may be publishing stays free.
    if (size < 0 || size + ACK_ROOM > sendBuffer.bytes.length) return ERR_TOO_LARGE
    if (!connection.isConnected) return ERR_OFFLINE
    const isRetained = (message.flags & MESSAGE_RETAIN) !== 0
    if (size > limits.maximumPacketSize || (isRetained && !limits.hasRetain)) {
      return ERR_NOT_AVAILABLE
    }
    if (!sendBuffer.hasRoom(size + ACK_ROOM)) return ERR_FULL
    const at = this.writeHeader(
      isRetained ? 1 : 0,
      message.topic,
      0,
      message.topicLength,
      0,
      propertiesLength,
      payloadLength,
      size,
      size,
    )
    settings.system.copy(sendBuffer.bytes, at, message.properties, 0, propertiesLength)
    return at + propertiesLength
  }

  /** True when the message makes a packet that the send buffer holds. */
  fits(message: MessageSource): boolean {
    const size = publishSize(
      message.topicLength,
      message.flags & MESSAGE_QOS,
      message.propertiesLength + (this.key === null ? 0 : this.key.size),
      message.payloadLength,
      this.connection.settings.version,
    )
    return size > 0 && size <= this.connection.sendBuffer.bytes.length
  }

  /**
   * Writes a PUBLISH up to its properties and returns the offset after it. There is room for
   * `bufferedSize` of its bytes, the payload among them where it is not streamed. Here the topic
   * becomes an alias, where this connection has one.
   */
  private writeHeader(
    flags: number,
    topic: Uint8Array,
    topicAt: number,
    topicLength: number,
    packetId: number,
    propertiesLength: number,
    payloadLength: number,
    size: number,
    bufferedSize: number,
  ): number {
    const connection = this.connection
    const settings = connection.settings
    const buffer = connection.sendBuffer
    let alias = 0
    if (settings.aliases !== null) {
      // With a new alias the packet is larger than it was checked to be.
      const mayAdd =
        size + ALIAS_ROOM <= connection.limits.maximumPacketSize &&
        buffer.hasRoom(bufferedSize + ALIAS_ROOM + ACK_ROOM)
      alias = settings.aliases.choose(topic, topicAt, topicLength, mayAdd)
    }
    const at = writePublishHeader(
      buffer.bytes,
      buffer.end,
      settings.version,
      flags,
      topic,
      topicAt,
      alias > 0 ? 0 : topicLength,
      packetId,
      alias === 0 ? propertiesLength : propertiesLength + ALIAS_SIZE,
      payloadLength,
      settings.system,
    )
    if (alias === 0) return at
    buffer.bytes[at] = PROPERTY_TOPIC_ALIAS
    return writeUint16(buffer.bytes, at + 1, alias < 0 ? -alias : alias)
  }

  /** False when PUBRELs must wait: for room, or because their mark cannot be stored. */
  private sendPubrels(): boolean {
    const connection = this.connection
    const exchanges = connection.exchanges
    let packetId = exchanges.firstDue()
    if (packetId === 0) return true
    // [MQTT-4.3.3-6]: from PUBREL on the PUBLISH must never be sent again, also after a reboot.
    for (let index = 0; index < connection.lanes.length; index++) {
      if (connection.lanes[index]!.queue.marks.makeReleasesDurable() !== OK) return false
    }
    const buffer = connection.sendBuffer
    for (; packetId !== 0; packetId = exchanges.firstDue()) {
      if (!buffer.hasRoom(ACK_ROOM)) return false
      const version = connection.settings.version
      buffer.added(writeAck(buffer.bytes, buffer.end, PUBREL, packetId, 0, version))
      exchanges.pubrelSent()
    }
    return true
  }

  /** Sends the next record of the first lane that has one: false when all must wait. */
  private sendNext(): boolean {
    const connection = this.connection
    const lanes = connection.lanesByPriority
    const first = this.order === null ? null : this.order.next()
    this.lacksRoom = false
    if (first !== null) {
      if (this.isHeldBack()) return false
      if (this.sendFrom(first)) return true
      // Without room it waits and all wait for it; else it cannot be read, and the others go on.
    }
    // A message that waits for room is not overtaken by small ones of lower priority.
    for (let index = 0; index < lanes.length && !this.lacksRoom; index++) {
      if (this.isHeldBack()) return false
      if (this.sendFrom(lanes[index]!)) return true
    }
    return false
  }

  /** What holds every PUBLISH back before a record is even loaded. */
  private isHeldBack(): boolean {
    const connection = this.connection
    const sendBuffer = connection.sendBuffer
    if (connection.isGoingHome) return true
    const quota = Math.min(connection.limits.receiveMaximum, connection.settings.inFlightLimit)
    if (connection.exchanges.count >= quota) return true // [MQTT-3.3.4-7] [MQTT-4.9.0-2]
    // Loading what cannot leave costs a read of flash; half a buffer is a fair chance.
    return !sendBuffer.isEmpty && !sendBuffer.hasRoom(sendBuffer.bytes.length >> 1)
  }

  /** False when the lane has no record, or the one it has must wait. */
  private sendFrom(lane: InFlight): boolean {
    const queue = lane.queue
    const number = queue.next()
    if (number === 0) return false
    const state = queue.window.state(number)
    if (state === RELEASED) return true // its PUBREL was due from the start
    const connection = this.connection
    const packetId = lane.packetIdOf(number)
    if (
      connection.state.owed.has(packetId) ||
      connection.exchanges.abandoned.has(packetId) ||
      (state !== SENT && this.isPaced(lane, number))
    ) {
      queue.leave()
      return false
    }
    const status = queue.load(number)
    if (status !== OK) return status !== ERR_STORAGE
    return this.sendPublish(lane, number, state)
  }

  /** True when the message waited for the connection and it is not the time for the next such. */
  private isPaced(lane: InFlight, number: number): boolean {
    const connection = this.connection
    const drainMs = connection.settings.drainMs
    if (drainMs === 0 || !isBefore(number, lane.backlogEnd)) return false
    if (connection.now < this.pacedUntil) return true
    // What a late poll missed is not made up for by a burst.
    const least = connection.now - drainMs
    this.pacedUntil = (this.pacedUntil > least ? this.pacedUntil : least) + drainMs
    return false
  }

  /** Milliseconds until the pace lets the next message leave; Infinity when it holds none back. */
  get pacedMs(): number {
    const leftMs = this.pacedUntil - this.connection.now
    return leftMs > 0 ? leftMs : Infinity
  }

  private sendPublish(lane: InFlight, number: number, state: number): boolean {
    const connection = this.connection
    const queue = lane.queue
    const sendBuffer = connection.sendBuffer
    const settings = connection.settings
    const record = queue.loaded.record
    const log = queue.log
    const topic = queue.loaded.topic
    const topicAt = queue.loaded.topicAt
    const topicLength = queue.loaded.topicLength
    const version = settings.version
    const ownLength = version === V5 ? record.propertiesLength : 0
    const qos = record.qos
    const key = qos > 0 ? this.key : null
    const propertiesLength = ownLength + (key === null ? 0 : key.size)
    const size = publishSize(topicLength, qos, propertiesLength, record.payloadLength, version)
    const isRepeat = state === SENT || lane.mayHaveBeenSent(number)

    const bodyLength = record.isFragmented ? 0 : record.payloadLength
    const bufferedSize = size - record.payloadLength + bodyLength
    const reason = this.unsendable(queue, size, bufferedSize, isRepeat)
    if (reason !== OK) {
      const counter = reason === ERR_EXPIRED ? DROPPED_EXPIRED : DROPPED_REFUSED
      queue.drop(number, reason, counter, 0)
      return true
    }
    if (!sendBuffer.hasRoom(bufferedSize)) {
      this.lacksRoom = true
      queue.leave()
      return false
    }
    const bytes = sendBuffer.bytes
    // DUP is never set with QoS 0 [MQTT-3.3.1-2], and from the second sending on [MQTT-3.3.1-1].
    const flags = (isRepeat && qos > 0 ? 8 : 0) | (qos << 1) | record.retain
    let at = this.writeHeader(
      flags,
      topic,
      topicAt,
      topicLength,
      lane.packetIdOf(number),
      propertiesLength,
      record.payloadLength,
      size,
      bufferedSize,
    )
    settings.system.copy(bytes, at, log.buffer, record.propertiesAt, ownLength)
    if (ownLength > 0) reduceExpiry(bytes, at, ownLength, queue.loaded.age)
    at += ownLength
    if (key !== null) at = key.write(bytes, at, queue.lane.index, number)
    settings.system.copy(bytes, at, log.buffer, record.payloadAt, bodyLength)
    sendBuffer.added(at + bodyLength)
    if (connection.exchanges.count === 0) connection.progressAt = connection.now
    if (qos > 0) {
      if (this.order !== null && state !== SENT) this.order.firstSent(lane.packetIdOf(number))
      queue.markSent(number)
      lane.published(number, qos)
    } else if (!record.isFragmented) {
      queue.complete(number)
    }
    const isFragmented = record.isFragmented
    if (isFragmented) {
      this.pump = this.pump ?? new PayloadPump(connection)
      this.pump.start(lane, number, record.payloadLength, qos === 0)
    }
    connection.events.emitTopic(MESSAGE_SENT, lane.ticketOf(number), topic, topicAt, topicLength)
    if (isFragmented) this.pump!.pump()
    return true
  }

  /** Why this broker will never take the loaded message, or OK. */
  private unsendable(
    queue: OutgoingQueue,
    size: number,
    bufferedSize: number,
    isRepeat: boolean,
  ): Status {
    const limits = this.connection.limits
    const sendBuffer = this.connection.sendBuffer
    const record = queue.loaded.record
    if (size < 0 || bufferedSize > sendBuffer.bytes.length) return ERR_TOO_LARGE
    if (size > limits.maximumPacketSize) return ERR_NOT_AVAILABLE // [MQTT-3.2.2-15]
    if (record.qos > limits.maximumQos) return ERR_NOT_AVAILABLE // [MQTT-3.2.2-11]
    if (record.retain === 1 && !limits.hasRetain) return ERR_NOT_AVAILABLE // [MQTT-3.2.2-14]
    // An exchange that has begun is brought to its end [MQTT-4.3.3-7].
    return !isRepeat && queue.loaded.isExpired ? ERR_EXPIRED : OK
  }
}
