/**
 * Time and chance of the simulated world: a queue of events in virtual time and one seeded
 * generator. Whatever happens in a world is drawn here, so a seed is the whole run. Knows nothing
 * of clients and brokers.
 */
import { Random } from '../../hal/memory/random.js'

interface Entry {
  at: number
  order: number
  action: () => void
}

/** Events in order of time, and of their making where times are equal. */
export class EventQueue {
  /** Virtual milliseconds since the world began. */
  now = 0
  /** Events that have happened. */
  count = 0
  private readonly heap: Entry[] = []
  private made = 0

  get size(): number {
    return this.heap.length
  }

  after(delayMs: number, action: () => void): void {
    const entry = { at: this.now + delayMs, order: this.made++, action }
    const heap = this.heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isEarlier(entry, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  /** Moves time to the next event and lets it happen. False when there is none. */
  step(): boolean {
    const heap = this.heap
    const first = heap[0]
    if (!first) return false
    const last = heap.pop()!
    if (heap.length > 0) {
      let at = 0
      for (;;) {
        let child = 2 * at + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && isEarlier(heap[child + 1]!, heap[child]!)) child++
        if (!isEarlier(heap[child]!, last)) break
        heap[at] = heap[child]!
        at = child
      }
      heap[at] = last
    }
    this.now = first.at
    this.count++
    first.action()
    return true
  }
}

function isEarlier(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

export class Chance extends Random {
  /** True once in `n` draws on average. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }

  /** A whole number from `least` to `most`, both possible. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }
}

/** A promise was broken: the run ends here, and the seed is printed. */
export class Violation extends Error {}

export function violate(what: string): never {
  throw new Violation(what)
}
