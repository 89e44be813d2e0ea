/**
 * The heap that a test gets on XS: an ESP32's, and where that is not enough, what was full made
 * larger. What needs it is beside the client in the same heap: flash images, packets of megabytes,
 * a broker, lists of all that was seen. Slots on a 64-bit host are twice as wide as a board's, and
 * so are the items of arrays in chunks: never is there more room than on a board.
 * Knows the host's options and its last words, nothing of tests.
 */
import { ESP32 } from '../bench/xs-run.js'
import { EXIT_KEYS, EXIT_MEMORY, EXIT_STACK } from '../../targets/simulator/xs-host.js'

/** Bytes of chunks, slots of the heap and of the stack, names made at run time. */
export interface Heap {
  chunk: number
  heap: number
  stack: number
  keys: number
}

/** The nodemcu target of the Moddable SDK, 32 names as everywhere on the host. */
export const DEVICE = {
  keys: 32,
  ...Object.fromEntries(
    ESP32.split(',').map((item) => [item.split('=')[0], Number(item.split('=')[1])]),
  ),
} as Heap

/** By what each part grows. Names come with the oracle's objects, by the thousand or not at all. */
const GROWTH: Heap = { chunk: 2, heap: 2, stack: 2, keys: 128 }
/** A test that wants more than this many times a device's heap goes wild. */
const MOST_TIMES = 1024

export function creationOf(heap: Heap): string {
  return Object.entries(heap)
    .map(([name, size]) => `${name}=${size}`)
    .join(',')
}

/** What the run was out of, if it ended for that. */
export function fullPart(code: number | null, lines: readonly string[]): keyof Heap | null {
  if (code === EXIT_STACK) return 'stack'
  if (code === EXIT_KEYS) return 'keys'
  if (code !== EXIT_MEMORY) return null
  return lines.some((line) => line.includes('chunks are full')) ? 'chunk' : 'heap'
}

/** With more room in the part that was full; null when that leads nowhere. */
export function larger(heap: Heap, part: keyof Heap): Heap | null {
  if (heap[part] >= DEVICE[part] * MOST_TIMES) return null
  return { ...heap, [part]: heap[part] * GROWTH[part] }
}

/** What is not a device's: `chunk=157696`. */
export function describeHeap(heap: Heap): string {
  return (Object.keys(heap) as (keyof Heap)[])
    .filter((part) => heap[part] !== DEVICE[part])
    .map((part) => `${part}=${heap[part]}`)
    .join(',')
}
