/**
 * A broker in a few lines, for tests that count deliveries: one client, its session, and what a
 * subscriber would see. It answers at once, keeps its session over connections, and reads packets
 * with mqtt-packet. It is strict: what a client must not send is an error of the test.
 */
import assert from 'node:assert/strict'
import { bytesOf, connackPacket, parse, type Packet } from './desk.js'

export interface Delivery {
  topic: string
  text: string
  qos: number
  dup: boolean
}

export class ModelBroker {
  /** What a subscriber of # would have received, in order. */
  readonly delivered: Delivery[] = []
  /** PUBLISH packets as they came, for looking at DUP and order. */
  readonly arrived: { messageId: number; text: string; dup: boolean; qos: number }[] = []
  hasSession = false
  /** Inbound QoS 2 identifiers that wait for PUBREL. */
  private readonly held = new Map<number, string>()
  /** Our own QoS 2 messages to the client: what was last sent for them. */
  readonly outgoing = new Map<number, 'publish' | 'pubrel'>()
  readonly outgoingText = new Map<number, string>()
  private readonly version: number
  private unread = Buffer.alloc(0)

  constructor(version: number) {
    this.version = version
  }

  /** A new connection: the rest of the old one is gone. */
  connectionLost(): void {
    this.unread = Buffer.alloc(0)
  }

  /** Takes bytes of the client and returns the bytes of the answers. Partial packets wait. */
  receive(bytes: Uint8Array): Uint8Array[] {
    this.unread = Buffer.concat([this.unread, bytes])
    const answers: Uint8Array[] = []
    for (let size = packetSize(this.unread); size > 0; size = packetSize(this.unread)) {
      const packet = parse(this.unread.subarray(0, size), this.version)[0]!
      this.unread = this.unread.subarray(size)
      for (const answer of this.answer(packet)) answers.push(bytesOf(answer, this.version))
    }
    return answers
  }

  private answer(packet: Packet): Record<string, any>[] {
    const messageId = packet.messageId!
    switch (packet.cmd) {
      case 'connect': {
        const sessionPresent = this.hasSession && !packet.clean
        if (!sessionPresent) this.held.clear()
        // In 3.1.1 Clean Session 1 also ends the session with the connection.
        this.hasSession = this.version === 5 || !packet.clean
        const resent = sessionPresent ? [...this.outgoing].map((entry) => this.resend(entry)) : []
        if (!sessionPresent) this.outgoing.clear()
        return [connackPacket(this.version, { sessionPresent }), ...resent]
      }
      case 'publish':
        return this.onPublish(packet)
      case 'pubrel':
        this.held.delete(messageId)
        return [{ cmd: 'pubcomp', messageId }]
      case 'pubrec':
        if (this.outgoing.has(messageId)) this.outgoing.set(messageId, 'pubrel')
        return [{ cmd: 'pubrel', messageId }]
      case 'pubcomp':
        this.outgoing.delete(messageId)
        return []
      case 'pingreq':
        return [{ cmd: 'pingresp' }]
      case 'puback':
      case 'disconnect':
        return []
      default:
        return assert.fail(`the model does not know ${packet.cmd}`)
    }
  }

  private onPublish(packet: Packet): Record<string, any>[] {
    const messageId = packet.messageId!
    const text = String(packet.payload)
    const { topic, qos, dup } = packet as unknown as Delivery
    this.arrived.push({ messageId, text, dup, qos })
    if (qos === 2) {
      const isRepeat = this.held.has(messageId)
      // An identifier in use must not name another message [MQTT-2.2.1-3].
      if (isRepeat) assert.equal(this.held.get(messageId), text, `identifier ${messageId} in use`)
      else this.delivered.push({ topic, text, qos, dup })
      this.held.set(messageId, text)
      return [{ cmd: 'pubrec', messageId }]
    }
    this.delivered.push({ topic, text, qos, dup })
    return qos === 1 ? [{ cmd: 'puback', messageId }] : []
  }

  /** A PUBLISH of QoS 2 to the client; repeated on each connection until it is complete. */
  send(messageId: number, text: string): Uint8Array {
    this.outgoing.set(messageId, 'publish')
    this.outgoingText.set(messageId, text)
    return bytesOf(this.publish(messageId, false), this.version)
  }

  private publish(messageId: number, dup: boolean): Record<string, any> {
    const payload = this.outgoingText.get(messageId)!
    return { cmd: 'publish', topic: 'in', payload, qos: 2, messageId, dup, retain: false }
  }

  private resend([messageId, last]: [number, string]): Record<string, any> {
    return last === 'publish' ? this.publish(messageId, true) : { cmd: 'pubrel', messageId }
  }
}

/** Bytes of the first packet of `bytes`, or 0 when it is not complete. */
function packetSize(bytes: Uint8Array): number {
  let remaining = 0
  for (let at = 1; at < bytes.length && at < 5; at++) {
    remaining += (bytes[at]! & 127) * 128 ** (at - 1)
    if (bytes[at]! < 128) return at + 1 + remaining <= bytes.length ? at + 1 + remaining : 0
  }
  return 0
}
