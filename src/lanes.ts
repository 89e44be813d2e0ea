/**
 * Lanes: the option `lanes`, checked, and the choice of the lane for a message.
 *
 * A message goes to the first lane whose filters match its topic and whose `minQos` it reaches; one
 * that no lane asks for goes to the last.
 */
import { checkNames, choice, fail, integer, text, time, toBytes } from './checks.js'
import { DURABLE_EACH, Lane, LANE_LIMIT } from './queue/lane.js'
import { isTopicFilter, matches } from './topic.js'

export const OVERFLOWS = 'reject drop-oldest drop-newest replace-same-topic'

export interface LaneOptions {
  /** Its name, in errors, in `stats` and in the store's layout. */
  name: string
  /** Topic filters of the messages it takes. Default: all. */
  filters?: string[]
  /** The least QoS of the messages it takes. Default 0. */
  minQos?: number
  /** Bytes of the storage, rounded up to sectors. Default: an equal share of what is left. */
  bytes?: number
  /** What happens when it is full. Default: the client's `overflow`. */
  overflow?: 'reject' | 'drop-oldest' | 'drop-newest' | 'replace-same-topic'
  /** The longest a message may wait, rounded up to seconds. Default 0: for ever. */
  ttlMs?: number
  /**
   * When `publish` has its message on flash: at once (`each`, the default); when `groupBytes` or
   * `groupMs` are reached or the link drops (`group`); at once without a connection, else when the
   * link drops (`offline`). A message that is acknowledged before never touches flash.
   */
  durability?: 'each' | 'group' | 'offline'
  /** `group` and `offline`: bytes of RAM for messages that are not on flash. Default 2,048. */
  groupBytes?: number
  /** `group`: the longest a message stays in RAM only. Default 1,000. */
  groupMs?: number
  /** Lanes with a higher number are sent first. Default 0. */
  priority?: number
}

const NAMES = ' name filters minQos bytes overflow ttlMs durability groupBytes groupMs priority '

/** Checks the option `lanes`. `hasStorage`: durability may be asked for. */
export function makeLanes(asked: LaneOptions[], overflow: number, hasStorage: boolean): Lane[] {
  if (!(asked.length >= 1 && asked.length <= LANE_LIMIT)) {
    fail('lanes', asked.length + ' lanes', '1 to ' + LANE_LIMIT + ' of them')
  }
  const lanes: Lane[] = []
  for (let index = 0; index < asked.length; index++) {
    const lane = makeLane(asked[index]!, index, overflow, hasStorage)
    for (let other = 0; other < index; other++) {
      if (lanes[other]!.name === lane.name) fail('lanes', '"' + lane.name + '" twice', 'named once')
    }
    lanes.push(lane)
  }
  return lanes
}

function makeLane(asked: LaneOptions, index: number, overflow: number, hasStorage: boolean): Lane {
  const path = 'lanes[' + index + ']'
  checkNames(asked, path, NAMES)
  const name = text(asked.name, path + '.name')
  // Patterns of Espruino have no {1,32}.
  if (name.length > 32 || !/^[a-zA-Z0-9_.-]+$/.test(name)) {
    fail(path + '.name', name, '1 to 32 letters, digits, ".", "_" or "-"')
  }
  const filters: Uint8Array[] = []
  const given = asked.filters ?? []
  for (let at = 0; at < given.length; at++) {
    const bytes = toBytes(given[at]!, path + '.filters')
    if (!isTopicFilter(bytes, 0, bytes.length)) fail(path + '.filters', given[at], 'topic filters')
    filters.push(bytes)
  }
  const durability = choice(asked.durability, path + '.durability', 'each group offline')
  if (durability !== DURABLE_EACH && !hasStorage) {
    fail(path + '.durability', asked.durability, 'left out without the option storage')
  }
  return new Lane(
    index,
    name,
    filters,
    integer(asked.minQos, path + '.minQos', 0, 0, 2),
    integer(asked.bytes, path + '.bytes', 0, 64, 0x7fffffff),
    asked.overflow === undefined ? overflow : choice(asked.overflow, path + '.overflow', OVERFLOWS),
    Math.ceil(time(asked.ttlMs, path + '.ttlMs', 0, 0) / 1000),
    durability,
    integer(asked.groupBytes, path + '.groupBytes', 2048, 256, 1048576),
    time(asked.groupMs, path + '.groupMs', 1000, 1),
    integer(asked.priority, path + '.priority', 0, -100, 100),
  )
}

/** The place of the lane that takes a message. */
export function laneOf(lanes: Lane[], topic: Uint8Array, length: number, qos: number): number {
  const last = lanes.length - 1
  for (let index = 0; index < last; index++) {
    const lane = lanes[index]!
    if (qos >= lane.minQos && takes(lane, topic, length)) return index
  }
  return last
}

function takes(lane: Lane, topic: Uint8Array, length: number): boolean {
  const filters = lane.filters
  for (let at = 0; at < filters.length; at++) {
    if (matches(filters[at]!, 0, topic, 0, length)) return true
  }
  return filters.length === 0
}
