/**
 * The broker of the simulated world: sessions with expiry, QoS 0, 1 and 2 both ways, takeover,
 * Keep Alive, Receive Maximum, delayed and batched answers, refusals, restarts that keep or lose
 * its sessions. It obeys the specification; what a client must not send is a violation.
 */
import type { Chance, EventQueue } from './world-clock.js'
import { violate } from './world-clock.js'
import type { BrokerEnd, Link, Listener } from './world-network.js'
import * as wire from './world-wire.js'
import type { ConnectFields, WirePacket } from './world-wire.js'

/** Who is told what a client's messages came to, and what became of messages for it. */
export interface BrokerWitness {
  /** A PUBLISH arrived that is no repeat by the rules of MQTT. False: refuse it. */
  arrived(packet: WirePacket): boolean
  /** Subscribers receive the message. `generation` names the session it came in. */
  delivered(packet: WirePacket, generation: number): void
  /** True when both packets carry the same message. */
  isSame(a: WirePacket, b: WirePacket): boolean
  /** The broker forgot the session, and with it the messages of these payloads. */
  sessionLost(payloads: Uint8Array[]): void
}

export interface BrokerConfig {
  /** QoS 2: hand on at PUBREL (method A of the specification) instead of at PUBLISH. */
  deliversAtPubrel: boolean
  /** Answers may overtake each other, as they do in brokers that work in parallel. */
  isUnordered: boolean
  keepsPubrecs?: boolean // but these do not: [MQTT-4.6.0-3] holds for a broker, too
  /** The longest an answer waits for others. */
  answerDelayMs: number
  receiveMaximum: number
  /** In CONNACK, seconds; -1: as the client asked. */
  sessionExpirySeconds: number
  serverKeepAliveSeconds: number
}

interface Outgoing {
  payload: Uint8Array
  qos: number
  step: 'publish' | 'pubrel'
}

class BrokerSession {
  /** QoS 2 messages of the client that wait for PUBREL. */
  readonly held = new Map<number, WirePacket>()
  readonly outgoing = new Map<number, Outgoing>()
  readonly queue: { payload: Uint8Array; qos: number }[] = []
  isSubscribed = false
  expirySeconds = 0
  /** When the last connection ended; -1 while there is one. */
  endedAt = -1
  connection: BrokerConnection | null = null
  readonly generation: number
  readonly clientId: string

  constructor(clientId: string, generation: number) {
    this.clientId = clientId
    this.generation = generation
  }
}

export class WorldBroker implements Listener {
  isDown = false
  readonly sessions = new Map<string, BrokerSession>()
  readonly witnesses = new Map<string, BrokerWitness>()
  readonly connections = new Set<BrokerConnection>()
  readonly config: BrokerConfig
  readonly clock: EventQueue
  readonly chance: Chance
  /** While the world calms down nothing is refused any more. */
  isCalm = false
  private generations = 0

  constructor(clock: EventQueue, chance: Chance, config: BrokerConfig) {
    this.clock = clock
    this.chance = chance
    this.config = config
  }

  accept(link: Link): BrokerEnd | null {
    return this.isDown ? null : new BrokerConnection(this, link)
  }

  /** The process ends; `keepsSessions` is what its disk holds when it comes back. */
  restart(downMs: number, keepsSessions: boolean, isSilent: boolean): void {
    this.isDown = true
    for (const connection of [...this.connections]) {
      connection.lost()
      connection.link.breakAfter(0, false, isSilent)
    }
    if (!keepsSessions) for (const session of [...this.sessions.values()]) this.discard(session)
    this.clock.after(downMs, () => (this.isDown = false))
  }

  /** The session of a client, new when there is none or it has expired. */
  open(fields: ConnectFields): { session: BrokerSession; isPresent: boolean } {
    const known = this.sessions.get(fields.clientId)
    if (known && known.connection === null && this.hasExpired(known)) this.discard(known)
    else if (known && fields.isClean) this.discard(known)
    const kept = this.sessions.get(fields.clientId)
    if (kept) return { session: kept, isPresent: true }
    const session = new BrokerSession(fields.clientId, ++this.generations)
    this.sessions.set(fields.clientId, session)
    return { session, isPresent: false }
  }

  hasExpired(session: BrokerSession): boolean {
    return this.clock.now > session.endedAt + session.expirySeconds * 1000
  }

  discard(session: BrokerSession): void {
    this.sessions.delete(session.clientId)
    const lost = [...session.outgoing.values(), ...session.queue].map((entry) => entry.payload)
    this.witnesses.get(session.clientId)!.sessionLost(lost)
  }

  /** Sends a message to a client, now or when it comes back. False: it is not subscribed. */
  send(clientId: string, payload: Uint8Array, qos: number): boolean {
    const session = this.sessions.get(clientId)
    if (this.isDown || !session?.isSubscribed) return false
    if (session.connection === null && (qos === 0 || this.hasExpired(session))) return false
    if (qos === 0) session.connection!.sendQos0(payload)
    else session.queue.push({ payload, qos })
    session.connection?.sendQueued()
    return true
  }

  /** True when nothing waits for this client and it is subscribed. */
  isDone(clientId: string): boolean {
    const session = this.sessions.get(clientId)
    return session !== undefined && session.isSubscribed && isEmpty(session)
  }

  /** What the broker still waits for, in words. */
  describe(clientId: string): string {
    const session = this.sessions.get(clientId)
    if (!session) return 'no session'
    const { held, outgoing, queue, isSubscribed } = session
    const sends = `sends [${[...outgoing.keys()]}] and ${queue.length} more`
    return `broker holds [${[...held.keys()]}], ${sends}, subscribed ${isSubscribed}`
  }
}

function isEmpty({ queue, outgoing, held }: BrokerSession): boolean {
  return queue.length === 0 && outgoing.size === 0 && held.size === 0
}

export class BrokerConnection implements BrokerEnd {
  readonly link: Link
  private readonly broker: WorldBroker
  private readonly stream: wire.PacketStream
  private session: BrokerSession | null = null
  private version = 5
  private keepAliveMs = 0
  private heardAt = 0
  private receiveMaximum = 65535
  private isOver = false
  private waiting: { bytes: Uint8Array; packetId: number }[] = []
  private isFlushPlanned = false

  constructor(broker: WorldBroker, link: Link) {
    this.broker = broker
    this.link = link
    this.stream = new wire.PacketStream(() => this.version)
    this.heardAt = broker.clock.now
    broker.connections.add(this)
  }

  received(bytes: Uint8Array): void {
    if (this.isOver) return
    this.heardAt = this.broker.clock.now
    this.stream.push(bytes, (packet) => {
      if (!this.isOver) this.handle(packet)
    })
  }

  lost(): void {
    this.end()
  }

  close(code: number): void {
    if (this.isOver) return
    if (this.version === 5 && this.session) this.link.sendToClient(wire.disconnect(code))
    this.end()
    this.link.closeByBroker()
  }

  private end(): void {
    this.isOver = true
    this.broker.connections.delete(this)
    const session = this.session
    this.session = null
    if (session === null || session.connection !== this) return
    session.connection = null
    session.endedAt = this.broker.clock.now
    if (session.expirySeconds === 0) this.broker.discard(session)
  }

  private handle(packet: WirePacket): void {
    if (packet.type === wire.CONNECT) {
      this.onConnect(packet)
      return
    }
    const session = this.session
    if (session === null) violate('a packet of type ' + packet.type + ' before CONNECT')
    switch (packet.type) {
      case wire.PUBLISH:
        this.onPublish(packet, session)
        return
      case wire.PUBREL: {
        const held = session.held.get(packet.packetId)
        session.held.delete(packet.packetId)
        if (held && this.broker.config.deliversAtPubrel) {
          this.witness(session).delivered(held, session.generation)
        }
        this.answer(wire.PUBCOMP, packet.packetId, held ? 0 : 0x92)
        return
      }
      case wire.PUBACK:
      case wire.PUBCOMP:
        session.outgoing.delete(packet.packetId)
        this.sendQueued()
        return
      case wire.PUBREC: {
        const entry = session.outgoing.get(packet.packetId)
        if (entry) entry.step = 'pubrel'
        this.answer(wire.PUBREL, packet.packetId, entry ? 0 : 0x92)
        return
      }
      case wire.SUBSCRIBE:
      case wire.UNSUBSCRIBE:
        session.isSubscribed = packet.type === wire.SUBSCRIBE
        this.later(wire.subscribed(this.version, packet), packet.packetId)
        return
      case wire.PINGREQ:
        this.later(wire.pingresp(), 0)
        return
      case wire.DISCONNECT:
        this.end()
        return
      default:
        violate('the client sent a packet of type ' + packet.type)
    }
  }

  private onConnect(packet: WirePacket): void {
    const broker = this.broker
    const fields = wire.parseConnect(packet)
    const config = broker.config
    this.version = fields.version
    if (!broker.isCalm && broker.chance.oneIn(30)) {
      this.link.sendToClient(this.connack(false, this.version === 5 ? 0x88 : 3, 65535))
      this.end()
      this.link.closeByBroker()
      return
    }
    // Takeover: the old connection ends before the new one is answered [MQTT-3.1.4-3].
    broker.sessions.get(fields.clientId)?.connection?.close(0x8e)
    const { session, isPresent } = broker.open(fields)
    session.connection = this
    session.endedAt = -1
    session.expirySeconds = fields.sessionExpirySeconds
    if (this.version === 5 && config.sessionExpirySeconds >= 0) {
      session.expirySeconds = config.sessionExpirySeconds
    }
    this.session = session
    this.receiveMaximum = fields.receiveMaximum
    const isLimited = config.receiveMaximum < 65535
    const receiveMaximum = isLimited ? broker.chance.between(1, config.receiveMaximum) : 65535
    if (this.version === 5) this.link.receiveMaximum = receiveMaximum
    this.link.generation = session.generation
    this.link.sendToClient(this.connack(isPresent, 0, receiveMaximum))
    const isServers = this.version === 5 && config.serverKeepAliveSeconds >= 0
    const seconds = isServers ? config.serverKeepAliveSeconds : fields.keepAliveSeconds
    this.keepAliveMs = seconds * 1500
    if (this.keepAliveMs > 0) this.watch()
    for (const [packetId, entry] of session.outgoing) {
      if (entry.step === 'pubrel') this.answer(wire.PUBREL, packetId, 0)
      else this.later(this.publishOf(packetId, entry, true), packetId)
    }
    this.sendQueued()
  }

  private connack(isPresent: boolean, code: number, receiveMaximum: number): Uint8Array {
    const config = this.broker.config
    return wire.connack(this.version, isPresent, code, {
      receiveMaximum: receiveMaximum === 65535 ? -1 : receiveMaximum,
      keepAliveSeconds: config.serverKeepAliveSeconds,
      sessionExpirySeconds: config.sessionExpirySeconds,
    })
  }

  /** Closes the connection when the client was silent for one and a half times Keep Alive. */
  private watch(): void {
    const leftMs = this.heardAt + this.keepAliveMs - this.broker.clock.now
    if (leftMs <= 0) this.close(0x8d)
    else {
      this.broker.clock.after(leftMs, () => {
        if (!this.isOver) this.watch()
      })
    }
  }

  private onPublish(packet: WirePacket, session: BrokerSession): void {
    const witness = this.witness(session)
    const { qos, packetId } = packet
    if (qos === 2) {
      const held = session.held.get(packetId)
      if (held) {
        // An identifier in use must not name another message [MQTT-2.2.1-3].
        if (!witness.isSame(held, packet)) {
          violate(`QoS 2 identifier ${packetId} names a second message: the broker loses it`)
        }
        this.answer(wire.PUBREC, packetId, 0)
        return
      }
    }
    const isTaken = witness.arrived(packet)
    if (!isTaken) {
      this.answer(qos === 1 ? wire.PUBACK : wire.PUBREC, packetId, 0x97)
      return
    }
    if (qos === 2) {
      session.held.set(packetId, packet)
      if (!this.broker.config.deliversAtPubrel) witness.delivered(packet, session.generation)
      this.answer(wire.PUBREC, packetId, 0)
    } else {
      witness.delivered(packet, session.generation)
      if (qos === 1) this.answer(wire.PUBACK, packetId, 0)
    }
  }

  sendQos0(payload: Uint8Array): void {
    this.later(wire.publish(this.version, 0, false, 0, 'in/x', payload), 0)
  }

  sendQueued(): void {
    const session = this.session
    if (session === null) return
    while (session.queue.length > 0 && session.outgoing.size < this.receiveMaximum) {
      const entry: Outgoing = { ...session.queue.shift()!, step: 'publish' }
      // The lowest free identifier: used again as soon as the specification allows.
      let packetId = 1
      while (session.outgoing.has(packetId)) packetId++
      session.outgoing.set(packetId, entry)
      this.later(this.publishOf(packetId, entry, false), packetId)
    }
  }

  private publishOf(packetId: number, entry: Outgoing, dup: boolean): Uint8Array {
    return wire.publish(this.version, entry.qos, dup, packetId, 'in/x', entry.payload)
  }

  private witness(session: BrokerSession): BrokerWitness {
    return this.broker.witnesses.get(session.clientId)!
  }

  private answer(type: number, packetId: number, code: number): void {
    const isError = type === wire.PUBREL || type === wire.PUBCOMP || this.version === 5
    this.later(wire.ack(this.version, type, packetId, isError ? code : 0), packetId)
  }

  /** Leaves with others, after a while. */
  private later(bytes: Uint8Array, packetId: number): void {
    this.waiting.push({ bytes, packetId })
    if (this.isFlushPlanned) return
    this.isFlushPlanned = true
    const { chance, clock, config } = this.broker
    clock.after(chance.fraction() * config.answerDelayMs, () => this.flush())
  }

  private flush(): void {
    this.isFlushPlanned = false
    if (this.isOver) return
    const waiting = this.waiting
    this.waiting = []
    if (this.broker.config.isUnordered) this.shuffle(waiting)
    for (const { bytes } of waiting) this.link.sendToClient(bytes)
  }

  /** Swaps neighbouring answers of different exchanges; messages to the client keep their order. */
  private shuffle(waiting: { bytes: Uint8Array; packetId: number }[]): void {
    const { keepsPubrecs } = this.broker.config
    for (let round = 0; round < waiting.length; round++) {
      const at = this.broker.chance.below(waiting.length)
      const [a, b] = [waiting[at], waiting[at + 1]]
      if (!b || !isAnswer(a.bytes) || !isAnswer(b.bytes) || a.packetId === b.packetId) continue
      if (keepsPubrecs && a.bytes[0] === 0x50 && b.bytes[0] === 0x50) continue
      waiting[at] = b
      waiting[at + 1] = a
    }
  }
}

function isAnswer(bytes: Uint8Array): boolean {
  const type = bytes[0]! >> 4
  return type === wire.PUBACK || type === wire.PUBREC || type === wire.PUBCOMP
}
