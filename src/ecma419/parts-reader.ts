/**
 * PartsReader: the PacketReader of an MQTTClient. It takes also a PUBLISH that is larger than the
 * receive buffer, section 3.3: the head as soon as it is there, then the payload in parts.
 *
 *   +--------------+-------+-------------------+------------+- - - - - - - - - - - - - -+
 *   | fixed header | topic | Packet Identifier | properties | payload                   |
 *   +--------------+-------+-------------------+------------+- - - - - - - - - - - - - -+
 *     head: must fit the receive buffer                       part, part, … as they arrive
 *
 * What such a packet means is decided here as Inbound decides it for the others: a message of QoS 1
 * has its PUBACK when the last part was handed over; of one of QoS 2 the identifier becomes ours
 * then, durably, and PUBREC follows; a repeat of what is ours is passed over. A message whose
 * connection ends in its midst has no answer, is ours in no part and comes again.
 *
 * While the application has something unread nothing is taken from the connection, and its silence
 * is nobody's fault. It replaces the reader of a client from outside, so who receives no such
 * messages has none of its code. Knows nothing of callbacks.
 */
import { readUint16, readVarint, varintEnd, writeUint32 } from '../codec/bytes.js'
import { decode, ReceivedPacket } from '../codec/decode.js'
import type { Copier } from '../codec/encode-publish.js'
import { PacketReader } from '../codec/packet-reader.js'
import { findProperty } from '../codec/properties.js'
import {
  ERR_SPACE,
  PROPERTY_MAXIMUM_PACKET_SIZE,
  PROPERTY_TOPIC_ALIAS,
  PUBACK,
  PUBLISH,
  PUBREC,
  REASON_PACKET_TOO_LARGE,
  REASON_RECEIVE_MAXIMUM_EXCEEDED,
  REASON_TOPIC_ALIAS_INVALID,
  V5,
} from '../codec/protocol.js'
import type { Settings } from '../options.js'
import { ACK_ROOM } from '../session/outbound.js'
import type { Connection } from '../session/connection.js'
import type { Inbound } from '../session/inbound.js'
import type { Session } from '../session/session.js'
import { OK } from '../status.js'
import type { HeldTransport } from './held-transport.js'

/** Who gets the payload. */
export interface PartsListener {
  /** True while it has bytes that were not read: nothing more may come. */
  readonly isUnread: boolean
  /** A message in parts begins. */
  begin(topic: string, qos: number, retain: boolean, byteLength: number): void
  /** `count` bytes of it, valid during the call. If it throws, the same come again. */
  part(bytes: Uint8Array, at: number, count: number, more: boolean): void
  /** The message comes to no end: its connection is gone. */
  breakOff(): void
}

/** Parts that are handed over in one `poll` at the most, so that a call is bounded. */
const PARTS_PER_POLL = 32

export class PartsReader extends PacketReader {
  private readonly inbound: Inbound
  private readonly connection: Connection
  private readonly transport: HeldTransport
  private readonly listener: PartsListener
  /** The largest packet that is taken. */
  private readonly limit: number
  /** The PUBLISH whose payload arrives, and how many bytes of it are still to be handled. */
  private readonly packet: ReceivedPacket
  private left: number
  /** False for a repeat, and for what there is no room to remember: passed over. */
  private isWanted: boolean
  private partCount: number
  private isDeaf: boolean

  /** Becomes the reader of the session, which has had no connection yet. */
  constructor(
    session: Session,
    transport: HeldTransport,
    system: Copier,
    listener: PartsListener,
    limit: number,
  ) {
    const connection = session.connection
    super(connection.reader.bytes, connection.settings.version, system)
    this.inbound = session.inbound
    this.connection = connection
    this.transport = transport
    this.listener = listener
    this.limit = limit
    this.packet = new ReceivedPacket()
    this.left = 0
    this.isWanted = false
    this.partCount = 0
    this.isDeaf = false
    connection.reader = this
    if (this.version === V5) announce(connection.settings, limit)
  }

  /** Once true after something was held back that nothing holds back any more. */
  takeDue(): boolean {
    const isDue = this.transport.isHeld && !this.listener.isUnread && !this.isDeaf
    if (isDue) this.transport.isHeld = false
    return isDue
  }

  /** Nothing arrives any more: there is nobody left to hand it to. */
  deafen(): void {
    this.isDeaf = true
  }

  override reset(): void {
    super.reset()
    if (this.left === 0) return
    this.left = 0
    this.listener.breakOff()
  }

  /** While a payload arrives, it is the sign of life: answers of the broker are behind it. */
  override received(count: number): void {
    super.received(count)
    if (this.left > 0) this.isAlive()
  }

  /** Hands over what is there of a payload; gives only packets that are there whole. */
  override next(): number {
    const connection = this.connection
    const isHeld = this.isDeaf || (this.listener.isUnread && connection.isConnected)
    this.transport.isHeld = isHeld
    if (isHeld) {
      // What is not read cannot tell whether the broker is there.
      connection.receivedAt = connection.now
      this.isAlive()
      return 0
    }
    // Twice at the most: the end of a payload, and what is behind it.
    for (;;) {
      if (this.left > 0 && !this.hand()) return 0
      const size = super.next()
      if (size !== -REASON_PACKET_TOO_LARGE) return size
      const status = this.begin()
      if (status <= 0) return status
    }
  }

  private isAlive(): void {
    const connection = this.connection
    connection.pingSentAt = -1
    connection.progressAt = connection.now
  }

  /**
   * Acts on the head of the packet that is too large for the buffer: 1; 0 when it is not there yet,
   * or the Reason Code with which to close, negative.
   */
  private begin(): number {
    const connection = this.connection
    const bytes = this.bytes
    const packet = this.packet
    let status = this.headStatus()
    if (status <= 0) return status
    const remaining = readVarint(bytes, this.packetAt + 1, this.readAt, false)
    const size = varintEnd(bytes, this.packetAt + 1) - this.packetAt + remaining
    status = decode(packet, bytes, this.packetAt, size, this.version)
    if (status < 0) return status
    const message = connection.message
    message.topicBytes = bytes
    message.topicAt = packet.topicAt
    message.topicLength = packet.topicLength
    const aliasAt = findProperty(
      bytes,
      packet.propertiesAt,
      packet.propertiesEnd,
      PROPERTY_TOPIC_ALIAS,
    )
    if (aliasAt >= 0) {
      const aliases = connection.settings.aliases
      if (aliases === null) return -REASON_TOPIC_ALIAS_INVALID // [MQTT-3.1.2-27]
      status = aliases.received(readUint16(bytes, aliasAt), message)
      if (status !== OK) return status
    }
    status = this.admit(packet)
    if (status < 0) return status
    this.left = packet.payloadLength
    if (this.isWanted) {
      this.listener.begin(message.topic, packet.qos, packet.retain === 1, this.left)
    }
    this.skip(packet.payloadAt - this.packetAt)
    return 1
  }

  /** Bytes have been handled; an empty buffer is filled from its start. */
  private skip(count: number): void {
    this.packetAt += count
    if (this.packetAt < this.readAt) return
    this.packetAt = 0
    this.readAt = 0
  }

  /** 1: the head is there whole; else as `begin`. */
  private headStatus(): number {
    const bytes = this.bytes
    const at = this.packetAt
    const end = this.readAt
    const qos = (bytes[at]! >> 1) & 3
    const bodyAt = varintEnd(bytes, at + 1)
    const size = bodyAt - at + readVarint(bytes, at + 1, end, false)
    const isPublish = bytes[at]! >> 4 === PUBLISH && this.connection.isConnected
    if (!isPublish || size > this.limit) return -REASON_PACKET_TOO_LARGE
    let headEnd = bodyAt + 2
    if (headEnd <= end) headEnd += readUint16(bytes, bodyAt) + (qos > 0 ? 2 : 0)
    if (headEnd <= end && this.version === V5) {
      const length = readVarint(bytes, headEnd, end, true)
      if (length >= 0) headEnd = varintEnd(bytes, headEnd) + length
      else if (length === ERR_SPACE) headEnd = end + 1
      else return length
    }
    if (headEnd - at > bytes.length) return -REASON_PACKET_TOO_LARGE
    return headEnd <= end ? 1 : 0
  }

  /** Whether the message is handed over; negative: the Reason Code with which to close. */
  private admit(packet: ReceivedPacket): number {
    const connection = this.connection
    const known = connection.state.inbound
    const isNew = packet.qos < 2 || !known.has(packet.packetId)
    this.isWanted = isNew
    if (packet.qos < 2 || !isNew) return OK
    const taken = known.count - connection.heldBefore
    if (this.version === V5 && taken >= connection.settings.receiveMaximum) {
      return -REASON_RECEIVE_MAXIMUM_EXCEEDED // [MQTT-3.3.4-9]
    }
    // No room to remember it: without an answer it comes again on the next connection.
    if (known.count === known.packetIds.length) this.isWanted = false
    return OK
  }

  /** Hands a part over. True when it was the last and what is behind may be handled at once. */
  private hand(): boolean {
    const connection = this.connection
    const count = Math.min(this.left, this.readAt - this.packetAt)
    if (count === 0) return false
    const isLast = count === this.left
    if (this.isWanted) this.listener.part(this.bytes, this.packetAt, count, !isLast)
    this.left -= count
    this.skip(count)
    if (isLast) this.answer()
    this.transport.isHeld =
      this.listener.isUnread ||
      connection.failure !== 0 ||
      ++this.partCount % PARTS_PER_POLL === 0 ||
      (isLast && !connection.sendBuffer.hasRoom(ACK_ROOM))
    return isLast && !this.transport.isHeld
  }

  /** The session had room for one answer when it asked for the next packet. */
  private answer(): void {
    const packet = this.packet
    const packetId = packet.packetId
    if (packet.qos === 1) this.inbound.answer(PUBACK, packetId, 0) // [MQTT-4.3.2-4]
    if (packet.qos === 2 && this.inbound.own(packetId)) this.inbound.answer(PUBREC, packetId, 0)
  }
}

/** Tells the broker how large a packet may be, in the CONNECT that stands ready. */
function announce(settings: Settings, limit: number): void {
  const packet = settings.connectPacket
  if (settings.connect !== null) settings.connect.properties!.maximumPacketSize = limit
  // Behind flags and Keep Alive, section 3.1.2.11. The option is always among the properties.
  const at = varintEnd(packet, settings.connectFlagsAt + 3)
  writeUint32(packet, findProperty(packet, at, packet.length, PROPERTY_MAXIMUM_PACKET_SIZE), limit)
}
