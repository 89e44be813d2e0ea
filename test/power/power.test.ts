/**
 * A short sample of `npm run test:power`: some cases of every job. HOLDFAST_SEED repeats it; a
 * failure prints the command for its case.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runAll, SAMPLE, type Plan } from './jobs.js'

const seed = Number(process.env['HOLDFAST_SEED'] ?? Math.floor(Math.random() * 0x100000000))
const plan: Plan = {
  ...SAMPLE,
  seed,
  logStride: 9,
  depth2Stride: 800,
  exchangeStride: 80,
  flipStride: 499,
  bitStride: 9,
  bitOrders: 10,
  depth3Cuts: 1000,
}

const PARTS: [string, RegExp, number][] = [
  ['power cuts during exchanges with a broker', /^protocol/, 100],
  ['flipped bits of a full image', /^single bits/, 0],
  ['power cuts at single bits', /^every bit/, 100],
  ['power cuts in the scenarios of the log', /^(?!protocol|single bits|every bit)/, 3000],
]

for (const [name, pattern, least] of PARTS) {
  test(`${name} break no promise`, (context) => {
    const sum = runAll(plan, (job) => pattern.test(job))
    const { totals } = sum
    for (const note of sum.notes) console.error(note)
    context.diagnostic(JSON.stringify(totals))
    const repeat = `seed ${seed}; repeat: HOLDFAST_SEED=${seed} npm test -- power/power`
    assert.equal(totals.failures + totals.depth2Failures, 0, repeat)
    assert.equal(totals.qos2Duplicates + totals.doubleProgrammedBytes, 0, repeat)
    assert.equal(sum.unreportedLosses, 0, repeat)
    assert.ok(totals.cuts + totals.depth2Cuts >= least, `${totals.cuts} cuts`)
    if (least === 0) assert.ok(sum.flips > 900 && sum.harmfulFlips > 0, `${sum.flips} flips`)
  })
}
