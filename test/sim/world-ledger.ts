/**
 * The ledger of one device: every message it published or was sent, and what became of it. Each
 * entry is checked when it changes, so a broken promise is found at the step that broke it.
 */
import {
  ERR_CORRUPT,
  ERR_DROPPED,
  ERR_EXPIRED,
  ERR_REFUSED,
  ERR_REPLACED,
  ERR_SESSION_LOST,
} from '../../src/status.js'
import { violate } from './world-clock.js'
import { LaneBook } from './world-lane-book.js'
import type { LaneRules } from './world-lanes.js'
import { type InMessage, OutMessage, payloadOf, seqOf, TICKET_STEP } from './world-message.js'
import type { WirePacket } from './world-wire.js'

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

export interface LedgerRules {
  /** A QoS 2 message of a lost session may be delivered again. */
  mayRepeat: boolean
  isRepublishing: boolean
  /** The longest a completed exchange may stay unmarked on flash while the device runs. */
  markDelayMs: number
  /** Acknowledged messages that one power cut may bring back. */
  repeatLimit: number
}

export class Ledger {
  readonly lanes: LaneBook[]
  readonly out: OutMessage[] = []
  readonly in: InMessage[] = []
  readonly byTicket = new Map<number, OutMessage>()
  /** Since a swapped session the broker may use inbound identifiers that the device still holds. */
  isBlurred = false
  acceptedCount = 0
  /** Deliveries and hand-overs so far. */
  deliveredCount = 0
  /** Times of the power cuts. */
  readonly cuts: number[] = []
  /** When a sleep made everything durable that was settled before. */
  private readonly sleeps: number[] = []
  private readonly rules: LedgerRules
  private lastFirstHandOver = -1
  private repeatsSinceCut = 0

  constructor(rules: LedgerRules, lanes: LaneRules[]) {
    this.rules = rules
    this.lanes = lanes.map((lane) => new LaneBook(lane))
  }

  begin(qos: number, retain: boolean, size: number, expirySeconds: number): OutMessage {
    const message = new OutMessage(this.out.length, qos, retain, size, expirySeconds, this.lanes)
    this.out.push(message)
    return message
  }

  accepted(message: OutMessage, ticket: number, boot: number, now: number): void {
    message.fate = 'accepted'
    message.boot = boot
    message.acceptedAt ||= now
    if (message.qos > 0) this.acceptedCount++
    if (ticket === 0) return
    this.name(message, ticket)
    if (Math.floor(ticket / TICKET_STEP) !== message.lane.index) {
      violate(`ticket ${ticket} is none of lane ${message.lane.index}`)
    }
    message.lane.accepted(message)
  }

  /** The power went inside `publish`: the message has this ticket, if it was stored. */
  undecided(message: OutMessage, ticket: number, boot: number, now: number): void {
    message.fate = 'undecided'
    message.isKept = !message.lane.rules.isGroup
    message.boot = boot
    message.acceptedAt = now
    this.name(message, ticket)
  }

  /** The power went when its payload had not begun: it may be found damaged, and is not sent. */
  neverWhole(message: OutMessage, ticket: number, boot: number): void {
    message.fate = 'refused'
    message.boot = boot
    this.name(message, ticket)
  }

  private name(message: OutMessage, ticket: number): void {
    const other = this.byTicket.get(ticket)
    if (other) {
      const wasInRam = !other.isKept && other.boot !== message.boot
      if (other.fate === 'accepted' && !wasInRam) violate(`ticket ${ticket} was given twice`)
      other.isGone = true
    }
    message.ticket = ticket
    this.byTicket.set(ticket, message)
  }

  /** message.persisted, of a message that was in RAM only. */
  kept(ticket: number, boot: number): void {
    const message = this.byTicket.get(ticket)
    if (!message) violate(`ticket ${ticket} is persisted, it was never given`)
    if (message.fate === 'accepted') message.lane.kept(message, boot)
  }

  /** A PUBLISH with it leaves: what is too old must not begin its exchange. */
  sent(ticket: number, boot: number, connection: number, now: number): OutMessage {
    const message = this.byTicket.get(ticket)
    if (!message) violate(`ticket ${ticket} is sent, it was never given`)
    if (message.settledBoot === boot) violate(`message ${message.seq} is sent, it was settled`)
    message.sentCount = message.sentBoot === boot ? message.sentCount + 1 : 1
    message.sendings++
    message.sentBoot = boot
    message.sentOn = connection
    const ageMs = now - message.acceptedAt
    const isFirst = message.sentCount === 1 && message.boot === boot && message.isAgeKnown
    if (isFirst && message.lifeSeconds > 0 && ageMs > message.lifeSeconds * 1000 + 2000) {
      violate(`message ${message.seq} is sent after ${ageMs} ms, it has expired`)
    }
    return message
  }

  stepped(): void {
    for (const lane of this.lanes) lane.stepped()
  }

  /** A sleep was reported as safe: nothing is in RAM only, and what was settled stays so. */
  slept(now: number): void {
    this.sleeps.push(now)
    for (const lane of this.lanes) {
      lane.slept()
      for (const { seq } of lane.unkept) violate(`message ${seq} is in RAM only, the sleep is safe`)
    }
  }

  powerCut(now: number): void {
    this.cuts.push(now)
    this.repeatsSinceCut = 0
    for (const lane of this.lanes) lane.powerCut(now)
  }

  /** The message a PUBLISH of the device carries, byte for byte. */
  find(packet: WirePacket): OutMessage {
    const message = packet.payload.length < 4 ? undefined : this.out[seqOf(packet.payload)]
    if (!message) violate('a PUBLISH carries a message that was never published')
    if (message.fate === 'refused') violate(`message ${message.seq} was refused, yet it is sent`)
    const isWhole =
      isEqual(message.payload, packet.payload) &&
      message.topic === packet.topic &&
      message.qos === packet.qos &&
      message.retain === packet.retain
    if (!isWhole) violate(`message ${message.seq} is sent with other content than published`)
    return message
  }

  /** PUBLISH is written again although the exchange was over: a power cut may excuse that. */
  sentAgain(message: OutMessage, boot: number): void {
    if (message.settledBoot < 0) return
    const name = `message ${message.seq} (QoS ${message.qos})`
    if (message.settledBoot === boot) {
      // Dropped while its packet waited in the send buffer: it leaves all the same.
      if (message.wasDropped) return
      violate(`${name} is sent after it was settled`)
    }
    const cut = this.cuts.find((at) => at >= message.settledAt)!
    const lateMs = cut - message.settledAt
    if (this.sleeps.some((at) => message.settledAt < at && at < cut)) {
      violate(`${name} is sent again, a sleep had marked it`)
    }
    if (lateMs > this.rules.markDelayMs) {
      violate(`${name} is sent again, it was settled ${Math.round(lateMs)} ms before the cut`)
    }
    if (!message.wasDropped && ++this.repeatsSinceCut > this.rules.repeatLimit) {
      violate(`more than ${this.rules.repeatLimit} settled messages come back after one cut`)
    }
    message.settledBoot = -1
    this.revive(message)
  }

  /** A drop was undone by a power cut. */
  private revive(message: OutMessage): void {
    if (!message.wasDropped) return
    message.wasRevived = true
    message.wasDropped = false
  }

  /** The broker sees a message that is no repeat by the rules of MQTT. */
  arrived(message: OutMessage): void {
    if (message.arrivals++ > 0 || message.qos === 0) return
    // One lane is a first-in-first-out queue, across reconnects and reboots.
    const { lane } = message
    if (message.seq < lane.lastFirstArrival && !message.wasRevived) {
      violate(`message ${message.seq} arrives first after ${lane.lastFirstArrival} of its lane`)
    }
    lane.lastFirstArrival = message.seq
  }

  delivered(message: OutMessage, generation: number): void {
    this.deliveredCount++
    message.deliveries++
    if (message.qos === 2 && message.deliveries > 1 && !message.isExcused) {
      const name = `message ${message.seq} (QoS 2) is delivered ${message.deliveries} times`
      if (message.deliveredIn === generation) violate(`${name} in one session`)
      if (!this.rules.mayRepeat) violate(`${name} although the policy is discard`)
    }
    message.deliveredIn = generation
  }

  acked(ticket: number, reasonCode: number, boot: number, now: number): void {
    const message = this.settle(ticket, 'acknowledged', boot, now)
    if (message.isExcused || reasonCode >= 0x80) return
    if (message.deliveries === 0) {
      violate(`message ${message.seq} is acknowledged, and no subscriber has it`)
    }
  }

  dropped(ticket: number, status: number, boot: number, now: number): void {
    const message = this.settle(ticket, 'dropped', boot, now)
    message.wasDropped = true
    message.dropStatus = status
    const { lane } = message
    const { overflow } = lane.rules
    lane.dropped(status, message)
    const name = `message ${message.seq} is dropped with status ${status}`
    if (status === ERR_DROPPED) {
      if (overflow === 'drop-oldest' || overflow === 'replace-same-topic') return
    } else if (status === ERR_REPLACED) {
      const newest = lane.latest.get(message.topic)!
      if (overflow === 'replace-same-topic' && newest.seq > message.seq) return
    } else if (status === ERR_CORRUPT) {
      // The power was cut while it was written: it may be half there.
      if (message.fate !== 'accepted' || message.wasCutInRam) return
    } else if (status === ERR_REFUSED && message.wasRefused) return
    else if (status === ERR_SESSION_LOST && !this.rules.isRepublishing) return
    else if (status === ERR_EXPIRED && message.lifeSeconds > 0) {
      const ageMs = now - message.acceptedAt
      // Times are whole seconds on flash: they may be one too old.
      if (ageMs > message.lifeSeconds * 1000 - 1000) return
      violate(`message ${message.seq} has expired after ${ageMs} ms`)
    }
    violate(name)
  }

  private settle(ticket: number, how: string, boot: number, now: number): OutMessage {
    const message = this.byTicket.get(ticket)
    if (!message) violate(`ticket ${ticket} is ${how}, it was never given`)
    if (message.settledBoot === boot) violate(`message ${message.seq} is settled twice`)
    this.revive(message)
    message.settledBoot = boot
    message.settledAt = now
    message.lane.settled(message)
    return message
  }

  /** The device hands a message of the broker to its application. */
  handedOver(payload: Uint8Array, dup: boolean): InMessage {
    const message = this.in[seqOf(payload)]
    if (!message || !isEqual(payloadOf(message.seq, payload.length), payload)) {
      violate('a message is handed over that the broker did not send')
    }
    this.deliveredCount++
    const name = `message ${message.seq} for the device (QoS ${message.qos})`
    if (message.handedOver++ > 0) {
      if (message.qos === 1 && !dup) violate(`${name} is handed over twice without DUP`)
      if (message.qos !== 1 && !message.mayRepeat) violate(`${name} is handed over twice`)
      message.mayRepeat = false
    } else if (message.qos > 0) {
      if (message.seq < this.lastFirstHandOver) violate(`${name} is handed over out of order`)
      this.lastFirstHandOver = message.seq
    }
    return message
  }

  /** The device goes on with a session that is not the one it knew. */
  sessionSwapped(): void {
    for (const message of this.out) if (message.arrivals > 0) message.isExcused = true
    this.isBlurred = true
  }

  /** A CONNACK said that there is no session: both sides begin anew. */
  sessionBegan(): void {
    if (this.isBlurred) for (const message of this.in) message.wasLost ||= message.handedOver === 0
    this.isBlurred = false
  }

  /** Everything has come to rest: what was promised has happened. */
  checkAtRest(): void {
    for (const message of this.out) {
      if (message.fate !== 'accepted' || message.qos === 0 || message.deliveries > 0) continue
      if (!message.wasDropped && !message.isExcused && !message.wasCutInRam)
        violate(`message ${message.seq} was accepted and is lost`)
    }
    for (const message of this.in) {
      if (message.qos > 0 && !message.wasLost && !this.isBlurred && message.handedOver === 0) {
        violate(`message ${message.seq} for the device never reached the application`)
      }
    }
  }
}
