/** The messages of a simulated device, in both directions, with what the ledger notes of each. */
import type { LaneBook } from './world-lane-book.js'

/** A ticket is the lane's place and the record's number. */
export const TICKET_STEP = 4294967296

export type Fate = 'pending' | 'accepted' | 'refused' | 'undecided'

/** A message the device publishes. `seq` is its place in the order of publishing. */
export class OutMessage {
  readonly seq: number
  readonly qos: number
  readonly retain: boolean
  readonly topic: string
  readonly payload: Uint8Array
  /** Seconds it may wait by its own property or by its lane's rule; 0: for ever. */
  readonly lifeSeconds: number
  readonly lane: LaneBook
  fate: Fate = 'pending'
  ticket = 0
  acceptedAt = 0
  boot = 0
  arrivals = 0
  deliveries = 0
  /** The broker's session in which it was delivered last. */
  deliveredIn = 0
  wasRefused = false
  /** message.sent in `sentBoot`, so often. */
  sentBoot = -1
  sentCount = 0
  /** message.sent so often, in all boots, and in which session last. */
  sendings = 0
  sentSession = 0
  /** The client's session in which a whole PUBLISH was written last; 0: none. */
  writtenIn = 0
  /** Its place in the order of first sendings, counted by the monitor in `orderBoot`. */
  order = 0
  orderBoot = -1
  /** Acknowledged or dropped: in which boot and when; boot -1: not. */
  settledBoot = -1
  settledAt = 0
  wasDropped = false
  dropStatus = 0
  /** message.persisted came: from here on no power cut may take it. */
  isKept = false
  /** The power was cut while it was in RAM only: it may be lost. */
  wasCutInRam = false
  /** The wall clock did not appear since. */
  isAgeKnown = false
  /** It is lost for certain: its ticket was given again. */
  isGone = false
  /** The connection on which it was sent last, counted by the monitor; -1: none. */
  sentOn = -1
  /** Dropped right before a power cut that undid it. */
  wasRevived = false
  /**
   * The broker began a session of which the device was never told (its CONNACK was lost, or the
   * power with it) while this message was on its way: MQTT itself may lose or repeat it then.
   */
  isExcused = false

  constructor(
    seq: number,
    qos: number,
    retain: boolean,
    size: number,
    expirySeconds: number,
    lanes: LaneBook[],
  ) {
    this.seq = seq
    this.qos = qos
    this.retain = retain
    this.topic = seq % 11 === 0 ? 'out/' + 'long/'.repeat(8) + (seq % 3) : 'out/' + (seq % 5)
    this.payload = payloadOf(seq, size)
    this.lane = lanes.find(({ rules }) => rules.takes(this.topic, qos)) ?? lanes.at(-1)!
    const { ttlSeconds } = this.lane.rules
    const isShorter = ttlSeconds > 0 && (expirySeconds === 0 || ttlSeconds < expirySeconds)
    this.lifeSeconds = isShorter ? ttlSeconds : expirySeconds
  }

  /** The record's number in its lane. */
  get number(): number {
    return this.ticket % TICKET_STEP
  }
}

/** A message the broker sends to the device. */
export interface InMessage {
  seq: number
  qos: number
  /** Bytes of its payload. */
  size: number
  handedOver: number
  /** It may come once more: the power went before the device could remember it. */
  mayRepeat: boolean
  wasLost: boolean
}

/** The number, then bytes that follow from it. */
export function payloadOf(seq: number, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(size, 4))
  for (let at = 4; at < bytes.length; at++) bytes[at] = seq * 31 + at * 7
  new DataView(bytes.buffer).setUint32(0, seq)
  return bytes
}

export function seqOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0)
}
