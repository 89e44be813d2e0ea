/** What the worlds are like: the broker and the devices of a run, drawn from its seed. */
import type { ClientOptions, LaneOptions } from '../../src/index.js'
import type { BrokerConfig } from './world-broker.js'
import type { Chance } from './world-clock.js'
import { drawLanes } from './world-lanes.js'

export interface DeviceConfig {
  protocol: number
  sectorCount: number
  eraseSize: number
  writeSize: number
  /** Bytes of the store's buffer. */
  bufferSize: number
  hasHooks: boolean
  /** Number of the first message and the first sector: near the wrap-around, or 1. */
  firstNumber: number
  firstSequence: number
  /** Milliseconds from a boot until the wall clock is known; -1: never. */
  wallAfterMs: number
  largestPayload: number
  /** One message in so many is handed over in parts, of this size at the most; 0: none. */
  streamOneIn: number
  largestStream: number
  /** One message in so many expires; 0: none. */
  expiringOneIn: number
  publishEveryMs: number
  latencyMs: number
  /** The option `lanes`; null: left out. */
  lanes: LaneOptions[] | null
  client: Partial<ClientOptions>
}

export function brokerConfig(chance: Chance): BrokerConfig {
  return {
    deliversAtPubrel: chance.oneIn(2),
    isUnordered: chance.oneIn(3),
    answerDelayMs: chance.pick([0, 5, 50, 400]),
    receiveMaximum: chance.pick([1, 5, 20, 65535]),
    sessionExpirySeconds: chance.oneIn(8) ? chance.pick([0, 30]) : -1,
    serverKeepAliveSeconds: chance.oneIn(4) ? 10 : -1,
  }
}

export function deviceConfig(chance: Chance): DeviceConfig {
  const protocol = chance.pick([4, 5, 5])
  const isWrapping = chance.oneIn(4)
  const isLong = chance.oneIn(3)
  const hasLanes = chance.oneIn(2)
  const laneCount = hasLanes ? chance.between(1, 4) : 1
  // The state of several lanes does not fit a sector of 512 bytes.
  const eraseSize = laneCount > 1 ? chance.pick([1024, 1024, 4096]) : chance.pick([512, 1024, 4096])
  const sectorCount =
    laneCount > 1
      ? 2 + laneCount * chance.between(6, 12)
      : chance.between(8, eraseSize === 512 ? 40 : 16)
  return {
    protocol,
    eraseSize,
    sectorCount,
    writeSize: chance.pick([1, 4, 16, 32]),
    bufferSize: laneCount > 1 ? 1024 : 512,
    hasHooks: chance.oneIn(6),
    firstNumber: isWrapping ? 0xffffffff - chance.below(250) : 1,
    firstSequence: isWrapping ? 0xffffffff - chance.below(20) : 1,
    wallAfterMs: chance.pick([-1, 0, 2000]),
    // With lanes some messages take more than half of a send buffer.
    largestPayload: laneCount > 1 ? chance.between(100, 400) : chance.between(8, 180),
    streamOneIn: chance.oneIn(3) ? 12 : 0,
    largestStream: eraseSize * 3,
    expiringOneIn: chance.oneIn(4) ? 5 : 0,
    publishEveryMs: chance.pick([50, 200, 400]),
    latencyMs: chance.pick([1, 20, 150]),
    lanes: hasLanes ? drawLanes(chance, laneCount, sectorCount - 2, eraseSize) : null,
    client: {
      keepAliveMs: 1000 * chance.pick([5, 20, 60]),
      sessionExpirySeconds: chance.pick([20, 86400]),
      sessionLost: chance.oneIn(4) ? 'discard' : 'republish',
      overflow: chance.oneIn(4) ? 'drop-oldest' : 'reject',
      inFlightLimit: chance.pick([1, 5, 20, 64]),
      sendBufferSize: chance.pick([512, 1536]),
      receiveMaximum: chance.pick([1, 4, 16]),
      connectTimeoutMs: 5000,
      pingTimeoutMs: 3000,
      ackTimeoutMs: isLong ? 30000 : 8000,
      retryMinMs: chance.pick([50, 1000]),
      retryMaxMs: chance.pick([1000, 8000]),
      ackBatch: chance.pick([1, 3, 16, 64]),
      ackDelayMs: chance.pick([0, 200, 1000, 5000]),
    },
  }
}
