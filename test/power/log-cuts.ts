/** Scenarios of the flash log, cut at their flash operations and again during the recovery. */
import assert from 'node:assert/strict'
import { Rig } from '../store/log-rig.js'
import { scenarios } from '../store/scenarios.js'
import { XorHooks } from '../store/xor-hooks.js'
import type { LogCase } from './cases.js'
import type { Outcome } from './totals.js'

/** Appends after a boot that count as recovery: enough to erase, begin a sector and mark. */
const RECOVERY = 12
const AFTERWARDS = 30

/** Flash operations a case made before its first cut, and after its last one in the recovery. */
export interface Operations {
  readonly scenario: number
  readonly recovery: number
}

function operationCount(rig: Rig): number {
  return rig.flash.counters.writes + rig.flash.counters.eraseCalls
}

/** Runs a case to its end and checks everything. Throws when a promise is broken. */
export function runLogCase(logCase: LogCase, outcome: Outcome): Operations {
  const { writeSize, isHooked, cuts } = logCase
  const { totals } = outcome
  const { sectors } = scenarios[logCase.scenario]
  const hooks = isHooked ? new XorHooks() : null
  const rig = new Rig({ writeSize, sectors, hooks })
  if (cuts.length === 2) totals.depth2Cuts++
  else if (cuts.length > 0) totals.cuts++
  try {
    const operations = liveThrough(rig, logCase)
    if (hooks) assert.equal(hooks.repeated, 0, 'no position is used twice')
    return operations
  } finally {
    totals.doubleProgrammedBytes += rig.flash.counters.doubleProgrammedBytes
  }
}

function liveThrough(rig: Rig, { scenario, cuts }: LogCase): Operations {
  let inScenario = -1
  let work = (): void => scenarios[scenario].run(rig)
  for (const [operation, tear, seed] of cuts) {
    rig.flash.cutAt(operation, tear, seed)
    assert.ok(rig.loses(work), `the cut at ${operation} did not come`)
    if (inScenario < 0) inScenario = operationCount(rig)
    rig.boot()
    rig.settle()
    work = () => rig.goOn(RECOVERY)
  }
  const before = operationCount(rig)
  work()
  const recovery = operationCount(rig) - before
  if (cuts.length === 0) return { scenario: recovery, recovery }
  rig.goOn(AFTERWARDS)
  rig.settleRunning()
  rig.boot()
  rig.settle()
  return { scenario: inScenario, recovery }
}
