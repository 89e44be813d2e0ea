/**
 * The monitor stands at the device's side of every connection and reads all packets in both
 * directions. It checks what the specification says of a client's packets: identifiers, DUP, order,
 * Receive Maximum, and which packet may answer which. It outlives reboots, as the broker does.
 */
import { violate } from './world-clock.js'
import { perLane } from './world-identifiers.js'
import type { Ledger } from './world-ledger.js'
import type { OutMessage } from './world-message.js'
import type { Link, Tap } from './world-network.js'
import * as wire from './world-wire.js'
import type { WirePacket } from './world-wire.js'

const SUBSCRIBE_ID = -1
const KEEP_ALIVE_TIMEOUT = 0x8d
/** Packet Identifiers from one lane's first to the next one's. */
const LANE_IDS = 4096

export class Monitor implements Tap {
  /** Connections so far, and packets in both directions. */
  connections = 0
  packets = 0
  /** Rises when a CONNACK says that there is no session. */
  session = 0
  /** Set by the device: the number of the boot, 0 for the first. */
  boot = 0
  /** The broker's session that the last CONNACK told of, and the one the device acted on. */
  told = 0
  private known = 0
  /** Called with each packet, for `--trace`. */
  trace: ((packet: WirePacket, isSent: boolean) => void) | null = null
  private readonly ledger: Ledger
  private readonly inFlightLimit: number
  private readonly version: number
  private link: Link | null = null
  private sent: wire.PacketStream
  private received: wire.PacketStream
  // Of the session: what each identifier names, and how far that has come.
  private readonly live = new Map<number, number>()
  private readonly released = new Set<number>()
  /** Of this boot: PUBLISH packets of QoS 1 and 2 sent for the first time, PUBRECs that came. */
  private orders = 0
  private readonly pubrecOrder = new Map<number, number>()
  private readonly pubrecs = new Set<number>()
  // Of the connection.
  private isGreeted = false
  private isPresent = false
  private isLeaving = false
  private sentPackets = 0
  /** Of each lane, the message that was sent last. */
  private readonly lastSeqs: number[] = []
  private readonly inFlight = new Set<number>()
  private readonly pubrelDue: number[] = []
  private readonly pubrelSent = new Set<number>()
  /** The place in the order of first sendings of the PUBLISH that was sent last. */
  private lastOrder = 0
  private lastPubrec = 0
  private readonly ended = new Set<number>()
  private readonly answers = new Map<number, number[]>()

  constructor(ledger: Ledger, version: number, inFlightLimit: number) {
    this.ledger = ledger
    this.inFlightLimit = inFlightLimit
    this.version = version
    this.sent = this.stream()
    this.received = this.stream()
  }

  private stream(): wire.PacketStream {
    return new wire.PacketStream(() => this.version)
  }

  opened(link: Link): void {
    this.connections++
    this.link = link
    this.sentPackets = 0
    this.sent = this.stream()
    this.received = this.stream()
    this.isGreeted = false
    this.isPresent = false
    this.isLeaving = false
    this.lastSeqs.length = 0
    this.inFlight.clear()
    this.pubrelDue.length = 0
    this.pubrelSent.clear()
    this.lastOrder = 0
    this.lastPubrec = 0
    this.ended.clear()
    this.answers.clear()
    // SUBSCRIBE is no part of the session: its exchange ends with the connection.
    // Nor does the broker keep anything of QoS 1, so the identifier of a dropped message is free.
    for (const [packetId, seq] of this.live) {
      if (!this.ledger.out[seq] || this.isFree(seq)) this.live.delete(packetId)
    }
  }

  sentBytes(bytes: Uint8Array): void {
    this.sent.push(bytes, (packet) => {
      this.packets++
      this.trace?.(packet, true)
      this.onSent(packet)
      this.sentPackets++
    })
  }

  receivedBytes(bytes: Uint8Array): void {
    this.received.push(bytes, (packet) => {
      this.packets++
      this.trace?.(packet, false)
      this.onReceived(packet)
    })
  }

  /** The device has come to the end of a step: what it was told has been acted on. */
  stepped(): void {
    this.known = this.told
  }

  /** The power went in the middle of a step: what it was told is forgotten. */
  interrupted(): void {
    this.told = this.known
    this.pubrecOrder.clear()
    // A message of QoS 1 that was in RAM only leaves nothing behind, and its identifier is free.
    for (const [packetId, seq] of this.live) {
      if (seq >= 0 && this.ledger.out[seq]!.wasCutInRam) this.live.delete(packetId)
    }
  }

  private onSent(packet: WirePacket): void {
    const { type, packetId } = packet
    if (this.isLeaving) violate('a packet after DISCONNECT [MQTT-3.14.4-1]')
    if ((type === wire.CONNECT) !== (this.sentPackets === 0)) {
      violate('CONNECT is not the first packet, or not the only one [MQTT-3.1.0-1] [MQTT-3.1.0-2]')
    }
    if (type === wire.DISCONNECT) {
      this.isLeaving = true
      // The broker of this world breaks no rule that another code than these would name.
      if (packet.code !== 0 && packet.code !== KEEP_ALIVE_TIMEOUT)
        violate('DISCONNECT with Reason Code ' + packet.code)
      return
    }
    if (type !== wire.CONNECT && !this.isGreeted) violate('a packet before CONNACK')
    if (type === wire.PUBLISH) this.onPublishSent(packet)
    else if (type === wire.PUBREL) this.onPubrelSent(packetId)
    else if (type === wire.SUBSCRIBE || type === wire.UNSUBSCRIBE) {
      if (this.live.has(packetId)) violate(`SUBSCRIBE takes identifier ${packetId} in use`)
      this.live.set(packetId, SUBSCRIBE_ID)
    } else if (type !== wire.CONNECT && type !== wire.PINGREQ) {
      // PUBACK, PUBREC and PUBCOMP answer in the order of what they answer [MQTT-4.6.0-2, -3].
      if (this.answers.get(type)?.shift() !== packetId) {
        violate(`an answer of type ${type} to ${packetId} that is not due, or out of order`)
      }
    }
  }

  private onPublishSent(packet: WirePacket): void {
    const { qos, dup, packetId } = packet
    const message = this.ledger.find(packet)
    const name = `message ${message.seq} (QoS ${qos})`
    this.ledger.sentAgain(message, this.boot)
    if (qos === 0) {
      if (dup) violate(`${name} with DUP [MQTT-3.3.1-2]`)
      return
    }
    if (message.isGone) violate(`${name} is sent, a power cut took it and its ticket is another's`)
    if (packetId !== 1 + LANE_IDS * message.lane.index + (message.number % perLane())) {
      violate(`${name} with identifier ${packetId} in lane ${message.lane.index}`)
    }
    const last = this.lastSeqs[message.lane.index] ?? -1
    if (message.seq <= last) violate(`${name} is sent after ${last}`)
    this.lastSeqs[message.lane.index] = message.seq
    this.checkOrder(message)
    const named = this.live.get(packetId)
    // Dropped before its turn on this connection: the broker knows nothing of it here.
    const isFree = named !== undefined && !this.inFlight.has(packetId) && this.isFree(named)
    if (named !== undefined && named !== message.seq && !isFree) {
      violate(`identifier ${packetId} names ${named} and ${message.seq} [MQTT-2.2.1-3]`)
    }
    this.live.set(packetId, message.seq)
    this.ended.delete(packetId)
    if (this.released.has(packetId)) violate(`${name} again after PUBREL [MQTT-4.3.3-6]`)
    // DUP: set where the session has seen the PUBLISH before, never where it cannot have.
    const isRepeat = this.isPresent && message.writtenIn === this.session
    if (isRepeat && !dup) violate(`${name} is repeated without DUP [MQTT-3.3.1-1]`)
    const isFresh =
      message.fate === 'accepted' && message.boot === this.boot && message.sentCount <= 1
    if (dup && (!this.isPresent || isFresh)) violate(`${name} has DUP at its first sending`)
    message.writtenIn = this.session
    this.inFlight.add(packetId)
    const quota = Math.min(this.link!.receiveMaximum, this.inFlightLimit)
    if (this.inFlight.size > quota) {
      violate(`${this.inFlight.size} PUBLISH in flight, ${quota} allowed [MQTT-3.3.4-7]`)
    }
  }

  /**
   * What was sent before in this boot and session comes again in the order of the first sendings,
   * over all lanes and before anything new [MQTT-4.6.0-1]. A reboot knows the order of a lane only.
   */
  private checkOrder(message: OutMessage): void {
    if (message.orderBoot !== this.boot || message.writtenIn !== this.session) {
      message.orderBoot = this.boot
      message.order = ++this.orders
    }
    if (message.order < this.lastOrder) {
      violate(`message ${message.seq} comes again behind what was sent later [MQTT-4.6.0-1]`)
    }
    this.lastOrder = message.order
  }

  /** PUBRELs that are sent again have the order of their PUBRECs too, as far as the boot knows. */
  private checkPubrelOrder(packetId: number): void {
    const order = this.pubrecOrder.get(packetId) ?? Infinity
    if (order < this.lastPubrec) violate(`PUBREL ${packetId} comes again late [MQTT-4.6.0-4]`)
    if (order < Infinity) this.lastPubrec = order
  }

  /** True when the broker keeps nothing of the message beyond the connection it was sent on. */
  private isFree(seq: number): boolean {
    const message = this.ledger.out[seq]
    return message !== undefined && message.qos === 1 && message.wasDropped
  }

  /** True when a message of QoS 2 with this identifier was dropped in this boot. */
  private isOwed(packetId: number): boolean {
    return this.ledger.out.some(
      ({ qos, wasDropped, settledBoot, lane, number }) =>
        qos === 2 &&
        wasDropped &&
        settledBoot === this.boot &&
        packetId === 1 + LANE_IDS * lane.index + (number % perLane()),
    )
  }

  private onPubrelSent(packetId: number): void {
    // PUBRELs go in the order of the PUBRECs [MQTT-4.6.0-4]; the rest are resends.
    const place = this.pubrelDue.indexOf(packetId)
    if (place > 0) violate(`PUBREL ${packetId} overtakes ${this.pubrelDue[0]} [MQTT-4.6.0-4]`)
    if (place < 0) this.checkPubrelOrder(packetId)
    if (place === 0) this.pubrelDue.shift()
    else if (this.pubrelSent.has(packetId)) violate(`PUBREL ${packetId} without a new PUBREC`)
    else if (this.ended.has(packetId) && !this.isOwed(packetId)) {
      violate(`PUBREL ${packetId} after PUBCOMP`)
    }
    this.pubrelSent.add(packetId)
    const seq = this.live.get(packetId)
    const wasDropped = seq !== undefined && seq >= 0 && this.ledger.out[seq]!.wasDropped
    if (!this.pubrecs.has(packetId) && !wasDropped && seq !== undefined) {
      violate(`PUBREL ${packetId} before PUBREC`)
    }
    this.released.add(packetId)
  }

  private onReceived(packet: WirePacket): void {
    const { type, packetId, code } = packet
    switch (type) {
      case wire.CONNACK:
        this.isGreeted = code === 0
        this.isPresent = packet.sessionPresent
        if (code !== 0) return
        if (!packet.sessionPresent) this.newSession()
        else if (this.link!.generation !== this.known) this.ledger.sessionSwapped()
        this.told = this.link!.generation
        return
      case wire.PUBLISH:
        if (packet.qos > 0) this.expect(packet.qos === 1 ? wire.PUBACK : wire.PUBREC, packetId)
        return
      case wire.PUBREL:
        this.expect(wire.PUBCOMP, packetId)
        return
      case wire.PUBREC:
        if (code >= 0x80) this.over(packetId)
        else {
          this.pubrecs.add(packetId)
          this.pubrecOrder.set(packetId, ++this.orders)
          this.pubrelDue.push(packetId)
        }
        return
      case wire.PUBACK:
      case wire.PUBCOMP:
      case wire.SUBACK:
      case wire.UNSUBACK:
        this.over(packetId)
        return
      default:
    }
  }

  /** An exchange has ended: its identifier is free. */
  private over(packetId: number): void {
    this.live.delete(packetId)
    this.released.delete(packetId)
    this.pubrecs.delete(packetId)
    this.pubrecOrder.delete(packetId)
    this.inFlight.delete(packetId)
    this.pubrelSent.delete(packetId)
    this.ended.add(packetId)
  }

  private newSession(): void {
    this.session++
    this.ledger.sessionBegan()
    this.live.clear()
    this.released.clear()
    this.pubrecs.clear()
    this.pubrecOrder.clear()
  }

  private expect(type: number, packetId: number): void {
    const due = this.answers.get(type)
    if (due) due.push(packetId)
    else this.answers.set(type, [packetId])
  }
}
