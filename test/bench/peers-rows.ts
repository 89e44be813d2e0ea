/**
 * The rows of `npm run bench:peers`: what is sent, who sends it, and what becomes of the figures of
 * several rounds. Knows nothing of processes and brokers.
 */
import type { Job, Measured } from './peers-job.js'

export interface Row {
  name: string
  qos: Job['qos']
  window: number
  count: number
  warmUp: number
  isDurable?: boolean
  /** Beside our own; those that are missing on this machine are left out. */
  peers: string[]
  /** Ratio of messages per second, and of processor time, to the best peer: what we want. */
  leastRatio: number
  note: string
}

const MQTT = ['mqtt']

export const ROWS: Row[] = [
  {
    name: 'qos0',
    qos: 0,
    window: 1,
    count: 100_000,
    warmUp: 30_000,
    peers: MQTT,
    leastRatio: 1,
    note: 'as fast as the connection takes them',
  },
  {
    name: 'qos1Window1',
    qos: 1,
    window: 1,
    count: 6000,
    warmUp: 2000,
    peers: ['mqtt', 'floor'],
    leastRatio: 0,
    note: 'measures how fast a process wakes: compare the processor time',
  },
  {
    name: 'qos1Window20',
    qos: 1,
    window: 20,
    count: 60_000,
    warmUp: 20_000,
    peers: ['mqtt', 'floor'],
    leastRatio: 1.3,
    note: '',
  },
  {
    name: 'qos1Unlimited',
    qos: 1,
    window: 0,
    count: 60_000,
    warmUp: 20_000,
    peers: MQTT,
    leastRatio: 1.3,
    note: '60,000 calls in one turn; ours has 64 in flight',
  },
  {
    name: 'qos2Window20',
    qos: 2,
    window: 20,
    count: 30_000,
    warmUp: 10_000,
    peers: ['mqtt', 'floor'],
    leastRatio: 1.5,
    note: '',
  },
  {
    name: 'burstQos0',
    qos: 0,
    window: 0,
    count: 60_000,
    warmUp: 1000,
    peers: MQTT,
    leastRatio: 10,
    note: '60,000 calls in one turn, until all have arrived',
  },
  {
    name: 'durableQos1',
    qos: 1,
    window: 64,
    count: 5000,
    warmUp: 2000,
    isDurable: true,
    leastRatio: 5,
    peers: ['mqtt-level', 'paho-c'],
    note: 'each is in a file before it is sent; no fsync',
  },
]

/** The most that our processor time may be of the best peer's. */
export const MOST_CPU = 0.6

/** One client's medians. */
export interface Figures {
  perSecond: number
  cpuMicros: number
  returnedMs: number
  /** How far the rounds lie apart: the interquartile range, as a part of the median. */
  spread: number
}

/** One row of `--json`. */
export interface Result {
  name: string
  /** Messages a second. */
  ours: number
  best: number
  bestPeer: string
  ratio: number
  /** Microseconds of processor time for each message; `cpuBest` is the thriftiest peer's. */
  cpuOurs: number
  cpuBest: number
  cpuRatio: number
}

export function median(values: number[]): number {
  return quantile(values, 0.5)
}

function quantile(values: number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * part
  const below = sorted[Math.floor(at)]!
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at))
}

export function figuresOf(count: number, rounds: Measured[]): Figures {
  const speeds = rounds.map(({ ms }) => (count * 1000) / ms)
  const perSecond = median(speeds)
  return {
    perSecond,
    cpuMicros: median(rounds.map(({ cpuMs }) => (cpuMs * 1000) / count)),
    returnedMs: median(rounds.map(({ returnedMs }) => returnedMs)),
    spread: (quantile(speeds, 0.75) - quantile(speeds, 0.25)) / perSecond,
  }
}

/** `floor` is no peer: it does nothing that a client does. */
export function resultOf(row: Row, figures: Map<string, Figures>): Result {
  const ours = figures.get('ours')!
  let bestPeer = ''
  let best = 0
  let cpuBest = Infinity
  for (const [name, { perSecond, cpuMicros }] of figures) {
    if (name === 'ours' || name === 'floor') continue
    cpuBest = Math.min(cpuBest, cpuMicros)
    if (perSecond <= best) continue
    best = perSecond
    bestPeer = name
  }
  return {
    name: row.name,
    ours: Math.round(ours.perSecond),
    best: Math.round(best),
    bestPeer,
    ratio: rounded(ours.perSecond / best),
    cpuOurs: rounded(ours.cpuMicros),
    cpuBest: rounded(cpuBest),
    cpuRatio: rounded(ours.cpuMicros / cpuBest),
  }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
