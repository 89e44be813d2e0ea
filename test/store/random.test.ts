/**
 * Random operations, reboots and power cuts against a model. HOLDFAST_RANDOM_ROUNDS (default 40):
 * so many logs, each with its own geometry.
 */
import assert from 'node:assert/strict'
import type { Random, Tear } from '../../hal/memory/index.js'
import { Rig } from './log-rig.js'
import { seededTest } from './seed.js'
import { XorHooks } from './xor-hooks.js'

const ROUNDS = Number(process.env.HOLDFAST_RANDOM_ROUNDS ?? 40)
const TEARS: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']
const TOPICS = ['', 'a', 'a/b', 'sensor/1/state', 'sensor/2/state', 'x'.repeat(40)]

function step(rig: Rig, chance: Random): void {
  const dice = chance.below(100)
  if (dice < 50) {
    rig.seconds += chance.below(40) === 0 ? 100000 : chance.below(60)
    const topic = chance.below(4) === 0 ? `t/${chance.below(40)}` : TOPICS[chance.below(6)]
    rig.publishOn(topic, chance.below(90), chance.below(3) === 0)
  } else if (dice < 65) rig.complete(1 + chance.below(4))
  else if (dice < 70) rig.completeAt(chance.below(20))
  else if (dice < 74) rig.release(chance.below(8))
  else if (dice < 80) rig.mark()
  else if (dice < 88) rig.read(1 + chance.below(6))
  else if (dice < 96) rig.log.maintain()
  else if (dice < 97) rig.drop()
  else if (dice < 98) rig.settleRunning()
  else {
    rig.mark()
    rig.boot()
    rig.settle()
  }
  // The window must not move further than it spans without a MARK, or the model cannot follow.
  if (chance.below(12) === 0) rig.mark()
}

seededTest('random work with random cuts agrees with the model', 'random.test.js', (chance) => {
  for (let round = 0; round < ROUNDS; round++) {
    const hooks = chance.below(3) === 0 ? new XorHooks() : null
    const rig = new Rig({
      eraseSize: 512 << chance.below(3),
      writeSize: [1, 4, 16, 32][chance.below(4)],
      sectors: 5 + chance.below(12),
      hooks,
      firstNumber: [1, 0xffffffc0, 0xfff0][chance.below(3)],
      firstSequence: [1, 0xfffffffa, 0x7ffffffd, 0xfffe][chance.below(4)],
    })
    for (let boot = 0; boot < 12; boot++) {
      rig.flash.cutAt(1 + chance.below(60), TEARS[chance.below(5)], chance.next())
      const isCut = rig.loses(() => {
        for (let i = 0; i < 80; i++) step(rig, chance)
      })
      if (isCut) rig.boot()
      else rig.flash.cutAt(0, 'noop', 0)
      if (isCut) rig.settle()
      else rig.settleRunning()
    }
    if (hooks) assert.equal(hooks.repeated, 0)
    assert.equal(rig.flash.counters.doubleProgrammedBytes, 0)
    const wear = [...rig.flash.wear]
    const spread = Math.max(...wear) - Math.min(...wear)
    assert.ok(spread <= 1 + rig.boots * 2, `wear ${wear.join()} after ${rig.boots} boots`)
  }
})
