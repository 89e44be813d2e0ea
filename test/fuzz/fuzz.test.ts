/** A small run of the fuzzer; `npm run test:fuzz` is the long one. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fuzz } from './fuzzer.js'

function fuzzes(isSmall: boolean): void {
  const given = process.env.HOLDFAST_SEED
  const seed = given === undefined ? Math.floor(Math.random() * 0x100000000) : Number(given)
  const figures = fuzz(20000, seed, undefined, isSmall)
  // The run is worth something only when the client gets somewhere between the blows.
  assert.ok(figures.established > 200, `${figures.established} connections`)
  assert.ok(figures.delivered > 500, `${figures.delivered} messages`)
  assert.ok(figures.acked > 300, `${figures.acked} acknowledgements`)
  assert.ok(figures.reboots > 20, `${figures.reboots} reboots`)
}

it('20,000 hostile packets in all states: no throw, no hang, nothing lost, nothing made up', () =>
  fuzzes(false))

it('the same for the small client', () => fuzzes(true))
