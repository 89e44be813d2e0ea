/** Seeds for the random tests here: HOLDFAST_SEED, or a new one; printed when the test fails. */
import { test } from 'node:test'
import { Random } from '../../hal/memory/index.js'

/** A test whose chance comes from one seed. `file` is the compiled test, for the command. */
export function seededTest(name: string, file: string, body: (chance: Random) => void): void {
  test(name, () => {
    const given = process.env.HOLDFAST_SEED
    const seed = given === undefined ? Math.floor(Math.random() * 0x100000000) : Number(given)
    try {
      body(new Random(seed))
    } catch (error) {
      const command = `HOLDFAST_SEED=${seed} node --test dist/test/store/${file}`
      console.error(`seed ${seed}; repeat: ${command}`)
      throw error
    }
  })
}
