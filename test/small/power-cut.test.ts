/**
 * The small client and its FlashOutbox through power cuts at every flash operation, during the
 * recovery too, with a network that breaks. What is promised stands in small-life.ts.
 *
 * `npm test` takes every single cut at writes of 4 bytes and a sample of the rest; HOLDFAST_FULL=1
 * takes all of it and many more lives by chance, in some minutes. HOLDFAST_SEED repeats a sample,
 * HOLDFAST_LIFE one life, as the message of a failure has it.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Random } from '../../hal/memory/index.js'
import { type Cut, TEARS } from '../session/cut-life.js'
import { fillsAndDrains } from './full-queue.js'
import { lead, type Plan, QUIET } from './small-life.js'

const WRITE_SIZES = [1, 4, 16, 32]
const isFull = process.env.HOLDFAST_FULL !== undefined
const given = process.env.HOLDFAST_SEED
const seed = given === undefined ? Math.floor(Math.random() * 0x100000000) : Number(given)
const chance = new Random(seed)
/** Messages of QoS 1 and 2 whose numbers wrap around. */
const WRAPPING = 0xffffffe0

/** Takes one case of `stride`, at a place of chance; all of them in a full run. */
function takes(stride: number): boolean {
  return isFull || chance.below(stride) === 0
}

/** How many flash operations a life without cuts has. */
function operationsOf(plan: Plan): number {
  return lead(plan)!.operations
}

function everyCut(plan: Plan, stride: number): void {
  const operations = operationsOf(plan)
  assert.ok(operations > 100, `only ${operations} flash operations`)
  for (const tear of TEARS) {
    for (let operation = 1; operation <= operations; operation++) {
      if (!takes(stride)) continue
      const cuts: Cut[] = [[operation, tear, operation * 7 + 1]]
      assert.ok(lead({ ...plan, cuts }), `the cut at ${operation} did not come`)
    }
  }
}

function secondCuts(plan: Plan, stride: number): void {
  const operations = operationsOf(plan)
  for (const tear of TEARS) {
    for (let first = 1; first <= operations; first++) {
      if (!takes(stride)) continue
      for (let second = 1; second <= 8; second++) {
        const tears = isFull ? TEARS : [TEARS[chance.below(5)]!]
        for (const again of tears) {
          const cuts: Cut[] = [
            [first, tear, first],
            [second, again, second],
          ]
          lead({ ...plan, cuts })
        }
      }
    }
  }
}

/** The network breaks after each packet; alone, and with a power cut later. */
function breaks(plan: Plan, stride: number): void {
  const { steps } = lead(plan)!
  for (let breakAfter = 1; breakAfter <= steps; breakAfter++) {
    if (!takes(stride)) continue
    const life = lead({ ...plan, breakAfter })!
    const from = life.operationsAtBreak
    const left = life.operations - from
    for (let count = isFull ? left : 2; left > 0 && count > 0; count--) {
      const operation = from + 1 + (isFull ? count - 1 : chance.below(left))
      lead({ ...plan, breakAfter, cuts: [[operation, TEARS[chance.below(5)]!, chance.next()]] })
    }
  }
}

/** Cuts some operations in a row after each single bit of theirs. */
function everyBit(plan: Plan, first: number, last: number, stride: number): void {
  for (let operation = first; operation <= last; operation++) {
    const cuts: Cut[] = [[operation, 'bits', 1]]
    let bits = 0
    for (let bit = 0; bit <= bits; bit++) {
      if (bit > 0 && bit < bits - 2 && !takes(stride)) continue
      bits = lead({ ...plan, cuts, bits: bit })!.pendingBits
    }
  }
}

function byChance(): Plan {
  const load = chance.below(4) === 0 ? 'tiny' : 'mixed'
  const cuts: Cut[] = []
  for (let count = chance.below(4); count > 0; count--) {
    const isInRecovery = cuts.length > 0 && chance.below(2) === 0
    const most = isInRecovery ? 12 : load === 'tiny' ? 320 : 120
    cuts.push([1 + chance.below(most), TEARS[chance.below(5)]!, chance.next()])
  }
  return {
    writeSize: WRITE_SIZES[chance.below(4)]!,
    load,
    cuts,
    how: chance.below(2) === 0 ? 'reset' : 'silent',
    breakAfter: chance.below(3) > 0 ? chance.below(200) : 0,
    firstNumber: chance.below(3) > 0 ? 1 : 0xffffffff - chance.below(80),
  }
}

/** A test that draws: a failure names the seed, beside the life. */
function sampled(name: string, body: () => void): void {
  it(name, () => {
    try {
      body()
    } catch (error) {
      console.error(`seed ${seed}; repeat: HOLDFAST_SEED=${seed} npm test -- small/power-cut`)
      throw error
    }
  })
}

if (process.env.HOLDFAST_LIFE !== undefined) {
  it('the life of HOLDFAST_LIFE keeps its promises', () => {
    lead(JSON.parse(process.env.HOLDFAST_LIFE!) as Plan)
  })
} else {
  describe('power cuts in the life of a small client', () => {
    for (const writeSize of WRITE_SIZES) {
      sampled(`one cut at every flash operation, writes of ${writeSize} bytes`, () => {
        everyCut({ ...QUIET, writeSize }, writeSize === 4 ? 1 : 3)
      })
      sampled(`cuts while numbers wrap around, writes of ${writeSize} bytes`, () => {
        everyCut({ ...QUIET, writeSize, firstNumber: WRAPPING }, 10)
      })
      sampled(`cuts with an answer in each poll, writes of ${writeSize} bytes`, () => {
        everyCut({ ...QUIET, writeSize, load: 'tiny' }, 25)
      })
      sampled(`cuts while acknowledgements wait, writes of ${writeSize} bytes`, () => {
        everyCut({ ...QUIET, writeSize, load: 'lazy' }, 6)
      })
      sampled(`a second cut in the recovery, writes of ${writeSize} bytes`, () => {
        secondCuts({ ...QUIET, writeSize }, 40)
      })
      sampled(`cuts after each bit of an operation, writes of ${writeSize} bytes`, () => {
        everyBit({ ...QUIET, writeSize }, 1, isFull ? 120 : 12, 40)
        everyBit({ ...QUIET, writeSize, load: 'tiny' }, 78, isFull ? 300 : 84, 40)
      })
    }
    for (const writeSize of WRITE_SIZES) {
      sampled(`a full queue leaves room for all marks, writes of ${writeSize} bytes`, () => {
        const whole = fillsAndDrains(writeSize, null)
        assert.ok(whole.isFallenBack, 'marks went to the session state')
        for (let operation = 1; operation <= whole.operations; operation++) {
          if (!takes(20)) continue
          fillsAndDrains(writeSize, [operation, TEARS[chance.below(5)]!, operation])
        }
      })
    }
    for (const how of ['reset', 'silent'] as const) {
      sampled(`the network breaks after each packet (${how}), then the power`, () => {
        breaks({ ...QUIET, how }, 2)
        breaks({ ...QUIET, how, load: 'tiny', writeSize: 1 }, 12)
      })
    }
    sampled('cuts, breaks and sizes by chance', () => {
      for (let round = isFull ? 100_000 : 700; round > 0; round--) lead(byChance())
    })
  })
}
