/**
 * Stats: what a client tells about itself. A new object at each call; not for the publish path.
 */
import type { Settings } from './options.js'
import type { OutgoingQueue } from './queue/outgoing-queue.js'
import {
  DROPPED_DAMAGED,
  DROPPED_EXPIRED,
  DROPPED_FULL,
  DROPPED_REFUSED,
  DROPPED_REPLACED,
  DROPPED_SESSION_LOST,
} from './store/session-state.js'

/** Messages dropped since the store was formatted (without storage: since start). */
export interface DropCounts {
  full: number
  expired: number
  sessionLost: number
  refused: number
  damaged: number
  /** Lanes with `replace-same-topic`: a newer message of the topic took its place. */
  replaced: number
}

export interface LaneStats {
  name: string
  /** Messages accepted and not complete. */
  queued: number
  /** Bytes the lane has left, headers included. */
  freeBytes: number
  dropped: DropCounts
  /** How often a sector of the lane was erased on average since the store was formatted. */
  wear: number
  /** Messages acknowledged before they touched flash, since start: writes that were saved. */
  savedWrites: number
}

/** Figures of one moment, made new at each call of `stats`. */
export interface ClientStats {
  /** Messages accepted and not complete. */
  queued: number
  /** PUBLISH packets of QoS 1 and 2 that wait for their answer. */
  inFlight: number
  /** Bytes the queue has left, headers included. */
  freeBytes: number
  /** Bytes of the buffers that the options size: sending, receiving, one record. */
  bufferBytes: number
  /** Bytes of the runtime's heap in use; -1 where `system` cannot tell. */
  heapBytes: number
  /** Of all lanes together. */
  dropped: DropCounts
  lanes: LaneStats[]
}

/** Adds up what the lanes have. */
export function makeStats(
  settings: Settings,
  queues: OutgoingQueue[],
  inFlight: number,
): ClientStats {
  const system = settings.system
  const buffers = settings.sendBufferSize + settings.receiveBufferSize
  const total = new Uint32Array(queues[0]!.dropped.length)
  const stats: ClientStats = {
    queued: 0,
    inFlight,
    freeBytes: 0,
    bufferBytes: buffers + queues[0]!.log.buffer.length,
    heapBytes: system.heapBytes ? system.heapBytes() : -1,
    dropped: dropCounts(total),
    lanes: [],
  }
  for (let index = 0; index < queues.length; index++) {
    const queue = queues[index]!
    const queued = queue.depth
    const freeBytes = queue.log.freeBytes
    const dropped = dropCounts(queue.dropped)
    const savedWrites = queue.savedCount
    stats.lanes.push({
      name: queue.lane.name,
      queued,
      freeBytes,
      dropped,
      wear: queue.log.wear,
      savedWrites,
    })
    stats.queued += queued
    stats.freeBytes += freeBytes
    for (let reason = 0; reason < total.length; reason++) {
      total[reason] = total[reason]! + queue.dropped[reason]!
    }
  }
  stats.dropped = dropCounts(total)
  return stats
}

function dropCounts(counts: Uint32Array): DropCounts {
  return {
    full: counts[DROPPED_FULL]!,
    expired: counts[DROPPED_EXPIRED]!,
    sessionLost: counts[DROPPED_SESSION_LOST]!,
    refused: counts[DROPPED_REFUSED]!,
    damaged: counts[DROPPED_DAMAGED]!,
    replaced: counts[DROPPED_REPLACED]!,
  }
}
