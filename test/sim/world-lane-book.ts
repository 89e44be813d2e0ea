/**
 * What the ledger knows of one lane: which messages are in it, which of them are in RAM only, and
 * what its counters must say. The ledger tells it; it judges nothing but its own figures.
 */
import {
  ERR_CORRUPT,
  ERR_DROPPED,
  ERR_EXPIRED,
  ERR_REPLACED,
  ERR_SESSION_LOST,
} from '../../src/status.js'
import { violate } from './world-clock.js'
import type { LaneRules } from './world-lanes.js'
import type { OutMessage } from './world-message.js'

/** Reasons in the order of the counters. */
const REASONS = ['full', 'expired', 'sessionLost', 'refused', 'damaged', 'replaced']

/** Which counter a drop with this status raises. */
export function reasonOf(status: number): number {
  if (status === ERR_DROPPED) return 0
  if (status === ERR_EXPIRED) return 1
  if (status === ERR_SESSION_LOST) return 2
  if (status === ERR_CORRUPT) return 4
  return status === ERR_REPLACED ? 5 : 3
}

/** The longest that the count of new messages given up is in RAM only. */
const COUNT_MS = 62000

export class LaneBook {
  readonly rules: LaneRules
  /** Accepted and not settled, oldest first; without those that a power cut took. */
  readonly open = new Set<OutMessage>()
  /** The part of them that is in RAM only. */
  readonly unkept = new Set<OutMessage>()
  /** The newest accepted message of each topic. */
  readonly latest = new Map<string, OutMessage>()
  lastFirstArrival = -1
  /** Messages of this boot that were settled without ever being kept. */
  savedCount = 0
  /** Those of them that were dropped: a group may have been interrupted while it wrote them. */
  droppedCount = 0
  /** New messages given up because the lane was full, of this boot and of earlier ones. */
  newestCount = 0
  /** Drops since the last step, whose counters are perhaps not durable. */
  private recent: { reason: number; message: OutMessage }[] = []
  /** When new messages were given up: their count is in RAM only for a while. */
  private newestAt: number[] = []
  /** Drops right before a power cut that nothing but the counter could tell of, by reason. */
  private readonly untold = REASONS.map(() => 0)

  constructor(rules: LaneRules) {
    this.rules = rules
  }

  get index(): number {
    return this.rules.index
  }

  /** A message has its place, and its payload comes in parts. */
  begun(message: OutMessage): void {
    this.open.add(message)
  }

  /** It never became whole. */
  givenUp(message: OutMessage): void {
    this.open.delete(message)
  }

  accepted(message: OutMessage): void {
    this.open.add(message)
    const latest = this.latest.get(message.topic)
    if (!latest || latest.seq < message.seq) this.latest.set(message.topic, message)
    if (message.isKept) return
    if (!this.rules.isGroup) violate(`message ${message.seq} is accepted and not on flash`)
    if (message.qos === 2) violate(`message ${message.seq} (QoS 2) is accepted and in RAM only`)
    this.unkept.add(message)
  }

  kept(message: OutMessage, boot: number): void {
    if (message.isKept) violate(`message ${message.seq} is persisted twice`)
    message.isKept = true
    this.unkept.delete(message)
    if (message.settledBoot === boot) this.savedCount--
  }

  settled(message: OutMessage): void {
    this.open.delete(message)
    this.unkept.delete(message)
    if (this.isHeld(message)) this.savedCount++
  }

  /** True for a settled message that has been in RAM only from its publish on. */
  private isHeld({ fate, isKept, boot, settledBoot }: OutMessage): boolean {
    return fate === 'accepted' && !isKept && boot === settledBoot
  }

  dropped(status: number, message: OutMessage): void {
    if (this.isHeld(message)) this.droppedCount++
    this.recent.push({ reason: reasonOf(status), message })
  }

  /** A new message was given up because the lane is full. */
  newestDropped(now: number): void {
    this.newestCount++
    this.newestAt.push(now)
  }

  /** The device has come to the end of a step: its counters are durable. */
  stepped(): void {
    if (this.recent.length > 0) this.recent = []
  }

  /** A sleep has made everything durable. */
  slept(): void {
    this.newestAt = []
  }

  powerCut(now: number): void {
    for (const { reason, message } of this.recent) if (!message.isKept) this.untold[reason]!++
    this.recent = []
    this.untold[0]! += this.newestAt.filter((at) => now - at < COUNT_MS).length
    this.newestAt = []
    for (const message of this.unkept) {
      message.wasCutInRam = true
      this.open.delete(message)
    }
    this.unkept.clear()
    this.savedCount = 0
    this.droppedCount = 0
  }

  /** Compares the counters of the store with the messages of the lane. */
  checkCounters(counters: Uint32Array, messages: OutMessage[]): void {
    const expected = REASONS.map(() => 0)
    expected[0] = this.newestCount
    for (const { lane, wasDropped, dropStatus } of messages) {
      if (lane === this && wasDropped) expected[reasonOf(dropStatus)]!++
    }
    REASONS.forEach((name, reason) => {
      const most = expected[reason]!
      const least = most - this.untold[reason]!
      const counted = counters[reason]!
      if (counted >= least && counted <= most) return
      violate(`lane ${this.index}: ${counted} counted as ${name}, ${least} to ${most} were dropped`)
    })
  }
}
