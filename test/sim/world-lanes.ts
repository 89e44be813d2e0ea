/**
 * The lanes of a simulated device: which there are, and what the rules of each say of a message.
 * What a filter matches is written down here by hand, so that a mistake in src cannot hide.
 */
import type { ClientOptions, LaneOptions } from '../../src/index.js'
import type { Chance } from './world-clock.js'

/** Filters with what they match of the topics that devices publish to. */
const FILTERS: [string, RegExp][] = [
  ['out/0', /^out\/0$/],
  ['out/+', /^out\/[^/]*$/],
  ['+/1', /^[^/]*\/1$/],
  ['out/long/#', /^out\/long(\/.*)?$/],
  ['out/2/#', /^out\/2(\/.*)?$/],
  ['out/#', /^out(\/.*)?$/],
  ['other/#', /^other(\/.*)?$/],
  ['#', /^/],
]

export function drawLanes(
  chance: Chance,
  count: number,
  sectorCount: number,
  eraseSize: number,
): LaneOptions[] {
  const lanes: LaneOptions[] = []
  let free = sectorCount - 6 * count
  for (let index = 0; index < count; index++) {
    const lane: LaneOptions = { name: 'lane' + index }
    const filters = Array.from({ length: chance.below(3) }, () => chance.pick(FILTERS)[0])
    if (filters.length > 0) lane.filters = filters
    if (chance.oneIn(3)) lane.minQos = chance.between(1, 2)
    if (chance.oneIn(2)) {
      const more = chance.below(free + 1)
      free -= more
      lane.bytes = (6 + more) * eraseSize - chance.below(eraseSize)
    }
    if (chance.oneIn(2)) {
      lane.overflow = chance.pick(['reject', 'drop-oldest', 'drop-newest', 'replace-same-topic'])
    }
    if (chance.oneIn(3)) lane.ttlMs = chance.between(1500, 60000)
    if (chance.oneIn(2)) {
      lane.durability = chance.pick(['group', 'group', 'offline'])
      lane.groupBytes = chance.pick([256, 700, 2048])
      lane.groupMs = chance.pick([20, 500, 5000])
    }
    if (chance.oneIn(2)) lane.priority = chance.between(-2, 2)
    lanes.push(lane)
  }
  return lanes
}

/** The rules of one lane. */
export class LaneRules {
  readonly index: number
  readonly overflow: string
  /** Seconds a message may wait; 0: for ever. */
  readonly ttlSeconds: number
  readonly durability: string
  readonly groupBytes: number
  readonly groupMs: number
  readonly priority: number
  private readonly minQos: number
  private readonly patterns: RegExp[]

  constructor(index: number, lane: Partial<LaneOptions>, client: Partial<ClientOptions>) {
    this.index = index
    this.overflow = lane.overflow ?? client.overflow ?? 'reject'
    this.ttlSeconds = Math.ceil((lane.ttlMs ?? 0) / 1000)
    this.durability = lane.durability ?? 'each'
    this.groupBytes = lane.groupBytes ?? 2048
    this.groupMs = lane.groupMs ?? 1000
    this.priority = lane.priority ?? 0
    this.minQos = lane.minQos ?? 0
    this.patterns = FILTERS.filter(([name]) => lane.filters?.includes(name)).map(([, is]) => is)
  }

  takes(topic: string, qos: number): boolean {
    const isWanted = this.patterns.length === 0 || this.patterns.some((is) => is.test(topic))
    return isWanted && qos >= this.minQos
  }

  get isGroup(): boolean {
    return this.durability !== 'each'
  }
}

export function lanesOf(lanes: LaneOptions[] | null, client: Partial<ClientOptions>): LaneRules[] {
  return (lanes ?? [{}]).map((lane, index) => new LaneRules(index, lane, client))
}
