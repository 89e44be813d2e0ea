/** The simulated world sees: every planted fault is caught within a few seeds. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FAULTS } from './faults.js'
import { World } from './world.js'

const FIRST_SEED = 1
const SEEDS = 200

// A seed that fails without a fault proves nothing about one.
const clean: number[] = []
for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
  if (new World(seed, null).run().violation === null) clean.push(seed)
}

it('there are at least twenty planted faults, each with a name of its own', () => {
  assert.ok(new Set(FAULTS.map(({ name }) => name)).size >= 20)
  assert.equal(new Set(FAULTS.map(({ name }) => name)).size, FAULTS.length)
})

for (const { name, plant } of FAULTS) {
  it(`the world sees it when ${name}`, (test) => {
    const remove = plant()
    try {
      for (const [index, seed] of clean.entries()) {
        const { violation } = new World(seed, null).run()
        if (violation === null) continue
        test.diagnostic(`seed ${seed}, the ${index + 1}th: ${violation.split('\n')[0]}`)
        return
      }
    } finally {
      remove()
    }
    assert.fail(`${clean.length} seeds went by and nothing was seen`)
  })
}
