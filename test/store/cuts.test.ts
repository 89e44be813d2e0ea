/**
 * Every scenario, with the power cut at flash operation 1, 2, 3 … until it completes, torn in every
 * way, at every write size; then the recovery cut again at each of its operations.
 *
 * HOLDFAST_CUT_ROUNDS (default 1): so many seeds for each cut.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tear } from '../../hal/memory/index.js'
import { Rig, type RigOptions } from './log-rig.js'
import { scenarios, type Scenario } from './scenarios.js'
import { XorHooks } from './xor-hooks.js'

const ROUNDS = Number(process.env.HOLDFAST_CUT_ROUNDS ?? 1)
const TEARS: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']
/** Operations after the first cut that are cut a second time. */
const SECOND_CUTS = 4

function describe(options: RigOptions, scenario: Scenario, cuts: string): string {
  const hooked = options.hooks ? ', with hooks' : ''
  return `${scenario.name}: write size ${options.writeSize}${hooked}, ${cuts}`
}

/** Runs a scenario with a cut; false when it completed before the cut came. */
function runCut(
  scenario: Scenario,
  options: RigOptions,
  operation: number,
  tear: Tear,
  seed: number,
  second: number,
): boolean {
  const hooks = options.hooks === undefined ? null : new XorHooks()
  const rig = new Rig({ ...options, hooks })
  rig.flash.cutAt(operation, tear, seed)
  const isCut = rig.loses(() => scenario.run(rig))
  if (!isCut) return false
  rig.boot()
  rig.settle()
  if (second > 0) {
    rig.flash.cutAt(second, TEARS[(operation + second) % TEARS.length], seed + 1)
    if (rig.loses(() => rig.goOn(12))) {
      rig.boot()
      rig.settle()
    }
  }
  rig.flash.cutAt(0, 'noop', 0)
  rig.goOn(50)
  rig.settleRunning()
  rig.boot()
  rig.settle()
  if (hooks) assert.equal(hooks.repeated, 0, 'no position is used twice')
  assert.equal(rig.flash.counters.doubleProgrammedBytes, 0)
  return true
}

function runAllCuts(scenario: Scenario, options: RigOptions): number {
  let cuts = 0
  for (let operation = 1; ; operation++) {
    let isCut = false
    for (const tear of TEARS) {
      for (let round = 0; round < ROUNDS; round++) {
        for (let second = 0; second <= SECOND_CUTS; second++) {
          // A second cut after each first one is dear: the sample takes one of them in turn.
          if (ROUNDS === 1 && second !== 0 && second !== 1 + ((operation + tear.length) % 4))
            continue
          const seed = operation * 7919 + round * 104729 + second
          try {
            isCut = runCut(scenario, options, operation, tear, seed, second) || isCut
          } catch (error) {
            const where = `cut at ${operation}, ${tear}, seed ${seed}, then at ${second}`
            console.error(describe(options, scenario, where))
            throw error
          }
          cuts++
        }
      }
    }
    if (!isCut) return cuts
  }
}

for (const scenario of scenarios) {
  for (const writeSize of [1, 4, 16, 32]) {
    test(`${scenario.name}: no cut loses or invents a message, write size ${writeSize}`, (t) => {
      const cuts = runAllCuts(scenario, { writeSize, sectors: scenario.sectors })
      t.diagnostic(`${cuts} cuts`)
    })
  }
  test(`${scenario.name}: no cut loses or invents a message, with hooks`, (t) => {
    const cuts = runAllCuts(scenario, {
      writeSize: 4,
      sectors: scenario.sectors,
      hooks: new XorHooks(),
    })
    t.diagnostic(`${cuts} cuts`)
  })
}

test('the scenarios erase sectors one by one, in blocks, and late', () => {
  let late = 0
  let blocks = 0
  for (const scenario of scenarios) {
    const rig = new Rig({ writeSize: 4, sectors: scenario.sectors })
    scenario.run(rig)
    const { erases, eraseCalls } = rig.flash.counters
    assert.ok(eraseCalls > rig.log.hotErases, scenario.name)
    late += rig.log.hotErases
    blocks += erases - eraseCalls
  }
  assert.ok(late > 0 && blocks > 0, `${late} late, ${blocks} in blocks`)
})

test('a cut after every single bit of a record and of a sector header does no harm', (t) => {
  let cuts = 0
  const begun = new Set<number>()
  for (const writeSize of [1, 16]) {
    for (const isFull of [false, true]) {
      const prepare = (): Rig => {
        const rig = new Rig({ writeSize, sectors: 6 })
        for (let i = 0; i < 4; i++) rig.publish('', 40)
        rig.release(1)
        // Where the sector is full, the next append begins one: header, MARK and record.
        if (isFull) for (let i = 0; i < 4; i++) rig.publish('', 41)
        rig.log.maintain()
        return rig
      }
      for (let operation = 1; operation <= 3; operation++) {
        for (let bit = 0; ; bit++) {
          const rig = prepare()
          rig.flash.cutAt(operation, 'bits', 1, bit)
          if (!rig.loses(() => rig.publish('', 60))) break
          const isWhole = rig.flash.torn.pendingBits === bit
          rig.boot()
          if (isFull) begun.add(rig.log.writeSector)
          rig.settle()
          rig.goOn(6)
          rig.settleRunning()
          cuts++
          if (isWhole) break
        }
      }
    }
  }
  assert.deepEqual([...begun].sort(), [1, 2], 'a sector is begun')
  assert.ok(cuts > 1000, `${cuts} cuts`)
  t.diagnostic(`${cuts} cuts`)
})
