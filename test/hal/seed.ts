/** Seeds for the random tests here: HOLDFAST_SEED, or a new one; printed when the test fails. */
import { test } from 'node:test'
import { Random } from '../../hal/memory/random.js'

/** A test whose chance comes from one seed. `file` is the compiled test, for the command. */
export function seededTest(
  name: string,
  file: string,
  body: (chance: Random, seed: number) => void | Promise<void>,
): void {
  test(name, async () => {
    const given = process.env.HOLDFAST_SEED
    const seed = given === undefined ? Math.floor(Math.random() * 0x100000000) : Number(given)
    try {
      await body(new Random(seed), seed)
    } catch (error) {
      console.error(`seed ${seed}; repeat: HOLDFAST_SEED=${seed} node --test dist/test/hal/${file}`)
      throw error
    }
  })
}

export function randomBytes(chance: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i += 1) bytes[i] = chance.next() >>> 13
  return bytes
}
