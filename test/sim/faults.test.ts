/** The simulated world sees: every planted fault is caught within a few seeds. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Fault } from './fault.js'
import { FAULTS } from './faults.js'
import { SMALL_FAULTS } from './faults-small.js'
import { World } from './world.js'

const FIRST_SEED = 1
/** Most faults are seen within ten; what few worlds come to takes hundreds. */
const SEEDS = 800

it('there are at least twenty planted faults, each with a name of its own', () => {
  assert.ok(new Set(FAULTS.map(({ name }) => name)).size >= 20)
  assert.equal(new Set(FAULTS.map(({ name }) => name)).size, FAULTS.length)
})

it('there are at least twelve in the small client', () => {
  assert.ok(new Set(SMALL_FAULTS.map(({ name }) => name)).size >= 12)
  assert.equal(new Set(SMALL_FAULTS.map(({ name }) => name)).size, SMALL_FAULTS.length)
})

function seesFault({ name, plant }: Fault, isSmall: boolean): void {
  it(`the world sees it when ${isSmall ? 'in the small client ' : ''}${name}`, (test) => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const remove = plant()
      const { violation } = new World(seed, null, isSmall).run()
      remove()
      if (violation === null) continue
      // A seed that fails without the fault proves nothing about it.
      if (new World(seed, null, isSmall).run().violation !== null) continue
      test.diagnostic(`seed ${seed}: ${violation.split('\n')[0]}`)
      return
    }
    assert.fail(`${SEEDS} seeds went by and nothing was seen`)
  })
}

for (const fault of FAULTS) seesFault(fault, false)
for (const fault of SMALL_FAULTS) seesFault(fault, true)
