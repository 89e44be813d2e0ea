/** One life of a device with a network break and power cuts: see exchange-world.ts. */
import type { ExchangeCase } from './cases.js'
import { ExchangeWorld } from './exchange-world.js'
import type { Outcome } from './totals.js'

/** What a case went through, for the loops over it. */
export interface Passage {
  /** Packets of the whole life, flash operations of it, before the network broke, since a boot. */
  readonly steps: number
  readonly operations: number
  readonly operationsAtBreak: number
  readonly operationsSinceBoot: number
}

export function runExchangeCase(plan: ExchangeCase, outcome: Outcome): Passage {
  const world = new ExchangeWorld(plan)
  const { totals } = outcome
  if (plan.cuts.length === 2) totals.depth2Cuts++
  else if (plan.cuts.length > 0) totals.cuts++
  try {
    world.run()
    world.check()
  } finally {
    totals.qos2Duplicates += world.duplicates
    totals.doubleProgrammedBytes += world.flash.counters.doubleProgrammedBytes
    if (plan.breakAfter === 0 && plan.cuts.length === 1) {
      totals.redeliveriesMax = Math.max(totals.redeliveriesMax, world.repeats)
    }
  }
  const { steps, operations, operationsAtBreak, operationsAtBoot } = world
  const operationsSinceBoot = operations - operationsAtBoot
  return { steps, operations, operationsAtBreak, operationsSinceBoot }
}
