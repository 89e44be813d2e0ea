/**
 * Lane: what one lane of the outgoing queue was asked to be. A lane is a first-in-first-out queue
 * with a part of the storage and rules of its own. Data only; src/lanes.ts makes it of options.
 */

/** Full: `publish` fails with ERR_FULL and nothing is lost that was accepted. */
export const OVERFLOW_REJECT = 0
/** Full: the oldest messages are given up, counted and reported. */
export const OVERFLOW_DROP_OLDEST = 1
/** Full: the new message is given up, counted and reported: `publish` returns ERR_DROPPED. */
export const OVERFLOW_DROP_NEWEST = 2
/**
 * Full: the oldest messages are given up whose topic has a newer message in the lane; if that makes
 * no room, the oldest ones.
 */
export const OVERFLOW_REPLACE = 3

/** On flash before `publish` returns. */
export const DURABLE_EACH = 0
/** In RAM until bytes or milliseconds are reached, or the link drops. */
export const DURABLE_GROUP = 1
/** In RAM while connected, on flash at once while not. */
export const DURABLE_OFFLINE = 2

/** Lanes a client may have; each has 4,096 Packet Identifiers. A power of two. */
export const LANE_LIMIT = 8

export class Lane {
  /** Its place in the options, 0 to 7: the lane's number in tickets and on flash. */
  readonly index: number
  readonly name: string
  /** Topic filters; none: every topic. */
  readonly filters: Uint8Array[]
  readonly minQos: number
  /** Its part of the storage; 0: an equal share of what the others leave. */
  readonly bytes: number
  /** OVERFLOW_ number. */
  readonly overflow: number
  /** Seconds a message may wait; 0: for ever. */
  readonly ttlSeconds: number
  /** DURABLE_ number. */
  readonly durability: number
  /** Bytes of RAM for messages that are not on flash, and milliseconds until they are; 0: none. */
  readonly groupBytes: number
  readonly groupMs: number
  readonly isForOffline: boolean
  /** A lane with a higher number goes first. */
  readonly priority: number

  constructor(
    index: number,
    name: string,
    filters: Uint8Array[],
    minQos: number,
    bytes: number,
    overflow: number,
    ttlSeconds: number,
    durability: number,
    groupBytes: number,
    groupMs: number,
    priority: number,
  ) {
    this.index = index
    this.name = name
    this.filters = filters
    this.minQos = minQos
    this.bytes = bytes
    this.overflow = overflow
    this.ttlSeconds = ttlSeconds
    this.durability = durability
    this.groupBytes = durability === DURABLE_EACH ? 0 : groupBytes
    this.isForOffline = durability === DURABLE_OFFLINE
    this.groupMs = groupMs
    this.priority = priority
  }
}

/** The lane of a client that asked for none: it takes everything and has the whole storage. */
export function onlyLane(overflow: number): Lane {
  return new Lane(0, '', [], 0, 0, overflow, 0, DURABLE_EACH, 0, 0, 0)
}
