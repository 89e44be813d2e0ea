/**
 * The flash log over the driver and the model of the chip, with the power cut at each program page
 * and each erase: what a torn write is must not change because a driver splits it.
 *
 * HOLDFAST_CUT_ROUNDS (default 1): so many seeds for each cut.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpiNorChip, Tear } from '../../hal/memory/index.js'
import { Rig, type RigOptions } from '../store/log-rig.js'
import { scenarios, type Scenario } from '../store/scenarios.js'
import { requireNoViolation, smallDriver } from './spi-nor-rig.js'

const ROUNDS = Number(process.env.HOLDFAST_CUT_ROUNDS ?? 1)
const TEARS: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']

interface Attached {
  readonly rig: Rig
  readonly chips: SpiNorChip[]
}

/** A rig whose log sees the flash through a driver and a chip that are made anew at each boot. */
function makeRig(options: RigOptions): Attached {
  const chips: SpiNorChip[] = []
  const rig = new Rig({
    ...options,
    attach: (flash, system) => smallDriver(flash, system, chips),
  })
  return { rig, chips }
}

/** Runs a scenario with a cut; false when it completed before the cut came. */
function runCut(
  scenario: Scenario,
  writeSize: number,
  operation: number,
  tear: Tear,
  seed: number,
) {
  const { rig, chips } = makeRig({ writeSize, sectors: 5 })
  rig.flash.cutAt(operation, tear, seed)
  const isCut = rig.loses(() => scenario.run(rig))
  if (isCut) {
    rig.boot()
    rig.settle()
  }
  rig.flash.cutAt(0, 'noop', 0)
  rig.goOn(30)
  rig.settleRunning()
  rig.boot()
  rig.settle()
  assert.equal(rig.flash.counters.doubleProgrammedBytes, 0)
  requireNoViolation(...chips)
  return isCut
}

for (const scenario of scenarios) {
  for (const writeSize of [1, 16]) {
    const name = `through a chip, ${scenario.name}: no cut loses a message, write size ${writeSize}`
    test(name, (t) => {
      let cuts = 0
      for (let operation = 1, isCut = true; isCut; operation += 1) {
        isCut = false
        for (let round = 0; round < ROUNDS; round += 1) {
          const tear = TEARS[(operation + round) % TEARS.length]
          const seed = operation * 7919 + round * 104729
          try {
            isCut = runCut(scenario, writeSize, operation, tear, seed) || isCut
          } catch (error) {
            console.error(`cut at ${operation}, ${tear}, seed ${seed}, write size ${writeSize}`)
            throw error
          }
          cuts += 1
        }
      }
      t.diagnostic(`${cuts} cuts`)
    })
  }
}

test('a cut after every bit of the second page of a record is a torn write like any other', (t) => {
  let cuts = 0
  for (const pageOfCut of [1, 2]) {
    for (let bit = 0; ; bit += 1) {
      const { rig, chips } = makeRig({ writeSize: 1, sectors: 6 })
      // The record to be cut begins in the first page of its sector and ends in the second.
      for (let i = 0; i < 3; i += 1) rig.publish('', 40)
      const before = rig.flash.counters.writes
      rig.flash.cutAt(pageOfCut, 'bits', 1, bit)
      const isCut = rig.loses(() => rig.publish('', 90))
      assert.ok(isCut)
      assert.equal(rig.flash.counters.writes - before, pageOfCut - 1)
      const isWhole = rig.flash.torn.pendingBits === bit
      rig.boot()
      rig.settle()
      assert.equal(rig.kept.size, pageOfCut === 2 && isWhole ? 4 : 3)
      rig.goOn(6)
      rig.settleRunning()
      requireNoViolation(...chips)
      cuts += 1
      if (isWhole) break
    }
  }
  assert.ok(cuts > 100, `${cuts} cuts`)
  t.diagnostic(`${cuts} cuts`)
})
