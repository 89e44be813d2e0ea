/**
 * `npm run bench:drain [-- --json]`: how a backlog leaves after an outage, in model time: 200 ms
 * round trip, Receive Maximum 20. `efficiency` is the part of what window and round trip allow;
 * `highLaneDelayMsMax` the longest that a new message of a lane with priority takes to the broker.
 */
import { pathToFileURL } from 'node:url'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { FlashStore } from '../../src/storage.js'
import { DistantBroker } from './distant-broker.js'

const ROUND_TRIP_MS = 200
const RECEIVE_MAXIMUM = 20
const PAYLOAD = new Uint8Array(64)

export interface Drain {
  efficiency: number
  highLaneDelayMsMax: number
  /** Messages of the backlog a second with `drainPerSecond: 40`, from the first to the last. */
  pacedPerSecond: number
}

function backlogOf(count: number, drainPerSecond: number): DistantBroker {
  const system = new ManualSystem(1)
  const flash = new NorFlash({ capacity: 4 * 1024 * 1024, eraseSize: 4096, writeSize: 4 })
  const broker = new DistantBroker(
    {
      storage: new FlashStore(flash, system),
      drainPerSecond,
      lanes: [{ name: 'alarm', filters: ['alarm'], bytes: 65536, priority: 1 }, { name: 'bulk' }],
    },
    system,
    ROUND_TRIP_MS,
    RECEIVE_MAXIMUM,
  )
  broker.isUp = false
  const publisher = broker.client.publisher('bulk/value', { qos: 1 })
  for (let n = 0; n < count; n++) {
    const ticket = publisher.publish(PAYLOAD, 0, PAYLOAD.length)
    if (ticket < 0) throw new Error('publish returned ' + ticket)
  }
  return broker
}

function drained(broker: DistantBroker, count: number, eachMs?: () => void): number {
  const isDone = () => broker.client.stats.lanes[1]!.queued === 0
  const limitMs = count * 100
  broker.client.start()
  broker.isUp = true
  broker.run(limitMs, isDone, eachMs)
  if (!isDone()) throw new Error(`${broker.client.stats.queued} messages left`)
  const bulk = broker.arrivals.filter(({ topic }) => topic !== 'alarm')
  if (bulk.length !== count) throw new Error(`${bulk.length} arrivals for ${count} messages`)
  return bulk.at(-1)!.atMs - bulk[0]!.atMs
}

/** The backlog alone: the last window of it needs no answer to be there. */
function measureEfficiency(count: number): number {
  const tookMs = drained(backlogOf(count, 0), count)
  const idealMs = (Math.ceil(count / RECEIVE_MAXIMUM) - 1) * ROUND_TRIP_MS
  return idealMs / tookMs
}

/** An alarm now and then while the backlog leaves: from publish to the broker. */
function measureHighLane(count: number): number {
  const broker = backlogOf(count, 0)
  const publishedAt: number[] = []
  drained(broker, count, () => {
    const now = broker.system.now()
    if (!broker.client.isConnected || now % 37 !== 0) return
    broker.client.publish('alarm', String(publishedAt.length), { qos: 1 })
    publishedAt.push(now)
  })
  const alarms = broker.arrivals.filter(({ topic }) => topic === 'alarm')
  const delays = alarms.map(({ payload, atMs }) => atMs - publishedAt[Number(payload)]!)
  return delays.reduce((most, delay) => Math.max(most, delay), 0)
}

export function measureDrain(count: number): Drain {
  const pacedMs = drained(backlogOf(count / 10, 40), count / 10)
  return {
    efficiency: Math.round(measureEfficiency(count) * 1000) / 1000,
    highLaneDelayMsMax: measureHighLane(count / 5),
    pacedPerSecond: Math.round(((count / 10 - 1) * 10000) / pacedMs) / 10,
  }
}

function main(): void {
  const drain = measureDrain(10_000)
  if (process.argv.includes('--json')) return console.log(JSON.stringify(drain))
  console.log('A backlog of 10,000 messages, 200 ms round trip, Receive Maximum 20, model time:')
  console.log(`  ${drain.efficiency * 100} % of the 100 messages a second that these allow`)
  console.log(`  ${drain.highLaneDelayMsMax} ms at the most from publish to broker in a high lane`)
  console.log(`  ${drain.pacedPerSecond} messages a second with drainPerSecond: 40`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
