/**
 * ManualAck: an option by which the application, not the client, acknowledges what arrives.
 *
 *   manualAck: new ManualAck()
 *
 * Each message of QoS 1 and 2 carries a token in `acknowledgement`; PUBACK or PUBREC leaves when
 * `client.acknowledge(token)` was called, but never before those of earlier messages of the same
 * QoS [MQTT-4.6.0-2] [MQTT-4.6.0-3]. A QoS 2 message is ours, and then ours once, from that call
 * on; one that was not acknowledged when the connection ended comes again.
 *
 * One row a message that is not answered, in order of arrival. Their number is bounded by
 * `receiveMaximum`, which an MQTT 5 broker obeys; a 3.1.1 broker gets no answer for what is beyond.
 * A token is the number of the connection and a running number: one of an earlier connection is
 * stale, because its identifier may mean another message by now.
 */
import type { ReceivedPacket } from '../codec/decode.js'
import { PUBACK, PUBREC, REASON_RECEIVE_MAXIMUM_EXCEEDED, V5 } from '../codec/protocol.js'
import type { Acknowledging, InboundFace } from '../extensions.js'
import { ERR_ARGUMENT, ERR_STALE, OK, type Status } from '../status.js'
import { PACKET_ID_SET_LIMIT } from '../store/session-state.js'

/** Room for the answer, and for one to a packet whose handler may be acknowledging. */
const ROOM = 10
/** Running numbers in a token; more than there are rows. */
const SERIALS = 65536

export class ManualAck implements Acknowledging {
  private inbound: InboundFace | null
  /** The connection the rows belong to. */
  private epoch: number
  private count: number
  private serial: number
  private readonly packetIds: Uint16Array
  private readonly serials: Uint16Array
  private readonly qos: Uint8Array
  private readonly isReady: Uint8Array
  /** A handler is running: should it throw, its message must still be there to come again. */
  private isHandingOver: boolean

  constructor() {
    this.inbound = null
    this.epoch = 0
    this.count = 0
    this.serial = 0
    this.packetIds = new Uint16Array(PACKET_ID_SET_LIMIT)
    this.serials = new Uint16Array(PACKET_ID_SET_LIMIT)
    this.qos = new Uint8Array(PACKET_ID_SET_LIMIT)
    this.isReady = new Uint8Array(PACKET_ID_SET_LIMIT)
    this.isHandingOver = false
  }

  bind(inbound: InboundFace): void {
    if (this.inbound !== null) {
      throw new Error('option "manualAck" is in use; it must be a new ManualAck for each client')
    }
    this.inbound = inbound
  }

  onPublish(packet: ReceivedPacket): void {
    const inbound = this.inbound!
    const connection = inbound.connection
    const state = connection.state
    this.begin(connection.epoch)
    const isKnown = packet.qos === 2 && state.inbound.has(packet.packetId)
    if (!isKnown) {
      // A repeat of what waits for the application: the answer will come.
      if (packet.qos === 2 && this.isWaiting(packet.packetId)) return
      const taken = this.count + state.inbound.count - connection.heldBefore
      const isFull = taken >= connection.settings.receiveMaximum
      if (isFull && connection.settings.version === V5) {
        connection.fail(-REASON_RECEIVE_MAXIMUM_EXCEEDED) // [MQTT-3.3.4-9]
      }
      // Without an answer a 3.1.1 broker sends it again on the next connection. The same goes for
      // identifiers there would be no room for.
      if (isFull || this.count + state.inbound.count >= PACKET_ID_SET_LIMIT) return
    } else if (this.count === PACKET_ID_SET_LIMIT) return
    const row = this.count++
    this.serial = (this.serial + 1) % SERIALS
    this.packetIds[row] = packet.packetId
    this.serials[row] = this.serial
    this.qos[row] = packet.qos
    this.isReady[row] = isKnown ? 1 : 0 // a repeat of what is ours: answered in its turn
    if (!isKnown) this.handOver(packet, row)
    this.send()
  }

  send(): void {
    const inbound = this.inbound!
    const connection = inbound.connection
    if (this.isHandingOver || this.epoch !== connection.epoch) return
    // Bit n: a message of QoS n waits, and those of its QoS behind it.
    let waiting = 0
    for (let row = 0; row < this.count; row++) {
      const qos = this.qos[row]!
      if (this.isReady[row] === 0) waiting |= 1 << qos
      if (((waiting >> qos) & 1) !== 0) continue
      if (!connection.sendBuffer.hasRoom(ROOM)) return
      const packetId = this.packetIds[row]!
      if (qos === 2 && !inbound.own(packetId)) return
      this.remove(row--)
      inbound.answer(qos === 1 ? PUBACK : PUBREC, packetId, 0)
    }
  }

  acknowledge(token: number): Status {
    const inbound = this.inbound
    if (inbound === null || !(token > 0)) return ERR_ARGUMENT
    const connection = inbound.connection
    if (Math.floor(token / SERIALS) !== connection.epoch || !connection.isConnected) {
      return ERR_STALE
    }
    for (let row = 0; row < this.count; row++) {
      if (this.epoch !== connection.epoch || this.serials[row] !== token % SERIALS) continue
      this.isReady[row] = 1
      this.send()
      return OK
    }
    return ERR_ARGUMENT // acknowledged before
  }

  /** Rows of an earlier connection mean nothing on this one. */
  private begin(epoch: number): void {
    if (this.epoch !== epoch) this.count = 0
    this.epoch = epoch
  }

  private handOver(packet: ReceivedPacket, row: number): void {
    const inbound = this.inbound!
    const message = inbound.connection.message
    let isOver = false
    this.isHandingOver = true
    message.acknowledgement = this.epoch * SERIALS + this.serial
    try {
      // What nobody listens to is acknowledged all the same [MQTT-4.5.0-2].
      if (!inbound.handOver(packet)) this.isReady[row] = 1
      isOver = true
    } finally {
      this.isHandingOver = false
      message.acknowledgement = 0
      // The packet is handled again at the next `poll`, with a new row.
      if (!isOver) this.count = row
    }
  }

  private isWaiting(packetId: number): boolean {
    for (let row = 0; row < this.count; row++) {
      if (this.packetIds[row] === packetId && this.qos[row] === 2) return true
    }
    return false
  }

  private remove(row: number): void {
    this.count--
    for (let at = row; at < this.count; at++) {
      this.packetIds[at] = this.packetIds[at + 1]!
      this.serials[at] = this.serials[at + 1]!
      this.qos[at] = this.qos[at + 1]!
      this.isReady[at] = this.isReady[at + 1]!
    }
  }
}
