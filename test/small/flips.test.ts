/**
 * The small client on a flash that goes bad: single bits flip on a full partition, and operations
 * fail. `npm test` takes a sample; HOLDFAST_FULL=1 takes each bit and each operation. HOLDFAST_SEED
 * repeats a sample, HOLDFAST_FLIP and HOLDFAST_LIFE one case, as the message of a failure has it.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NorFlash, Random } from '../../hal/memory/index.js'
import { type Cut, TEARS } from '../session/cut-life.js'
import type { Failure } from './faulty-flash.js'
import { FlipImage, IMAGE_BITS } from './flip-image.js'
import { Device } from './small-device.js'
import { lead, type Plan, QUIET } from './small-life.js'

const WRITE_SIZES = [1, 4, 16, 32]
const isFull = process.env.HOLDFAST_FULL !== undefined
const given = process.env.HOLDFAST_SEED
const seed = given === undefined ? Math.floor(Math.random() * 0x100000000) : Number(given)
const chance = new Random(seed)

/** A test that draws: a failure names the seed, beside the case. */
function sampled(name: string, body: () => void): void {
  it(name, () => {
    try {
      body()
    } catch (error) {
      console.error(`seed ${seed}; repeat: HOLDFAST_SEED=${seed} npm test -- small/flips`)
      throw error
    }
  })
}

function takes(stride: number): boolean {
  return isFull || chance.below(stride) === 0
}

function flip(image: FlipImage, writeSize: number, bit: number): void {
  try {
    image.run(bit)
  } catch (error) {
    const repeat = `HOLDFAST_FLIP='[${writeSize},${bit}]' npm test -- small/flips`
    ;(error as Error).message += `; repeat: ${repeat}`
    throw error
  }
}

function flipAll(writeSize: number): void {
  const image = new FlipImage(writeSize)
  for (let bit = 0; bit < IMAGE_BITS; bit++) {
    const stride = image.isHead(bit) ? 3 : image.isUsed(bit) ? 30 : 150
    if (takes(stride)) flip(image, writeSize, bit)
  }
}

function fail(failure: Failure, plan: Partial<Plan> = {}): number {
  return lead({ ...QUIET, ...plan, failure }, 'flips')?.operationsAtRefusal ?? -1
}

/** How many operations of a kind a life has. */
function countOf(kind: Failure['kind'], plan: Partial<Plan>): number {
  return lead({ ...QUIET, ...plan })!.flash.seen[kind]
}

/** Each operation of a kind fails once, and some that follow; then the power goes, too. */
function failEach(kind: Failure['kind'], stride: number, plan: Partial<Plan> = {}): void {
  const total = countOf(kind, plan)
  assert.ok(total > 10, `only ${total} times ${kind}`)
  for (let first = 1; first <= total; first++) {
    if (!takes(stride)) continue
    for (const isDone of kind === 'read' ? [false] : [false, true]) {
      for (const count of [1, 2 + chance.below(6)]) {
        const at = fail({ kind, first, count, isDone }, plan)
        const operation = at + 1 + chance.below(8)
        fail({ kind, first, count, isDone }, { ...plan, cuts: [[operation, 'random', first]] })
      }
    }
  }
}

/** After a power cut one of the next reads fails: while the flash is mounted, or later. */
function failAfterCuts(stride: number, plan: Partial<Plan>): void {
  const { operations } = lead({ ...QUIET, ...plan })!
  for (let operation = 1; operation <= operations; operation++) {
    if (!takes(stride)) continue
    const cuts: Cut[] = [[operation, TEARS[chance.below(5)]!, operation]]
    const { readsAtBoot } = lead({ ...QUIET, ...plan, cuts })!
    for (let ahead = 1; ahead <= 40; ahead++) {
      const count = 1 + chance.below(3)
      fail({ kind: 'read', first: readsAtBoot + ahead, count, isDone: false }, { ...plan, cuts })
    }
  }
}

function tests(): void {
  describe('a small client on a flash whose bits flip', () => {
    for (const writeSize of WRITE_SIZES) {
      sampled(`one bit costs one message at most, writes of ${writeSize} bytes`, () => {
        flipAll(writeSize)
      })
    }

    it('no bit of the first session state costs the messages behind it', () => {
      const flash = new NorFlash({ capacity: 4096, eraseSize: 512, writeSize: 4 })
      const device = new Device(flash, 1)
      for (let n = 0; n < 3; n++) assert.ok(device.client.publish('t', `m${n}`, { qos: 1 }) > 0)
      const snapshot = flash.snapshot()
      for (let bit = 0; bit < 512 * 8; bit++) {
        flash.restore(snapshot)
        flash.flipBit(bit >> 3, bit & 7)
        assert.equal(new Device(flash, 2).client.stats.queued, 3, `bit ${bit}`)
      }
    })
  })

  describe('a small client on a flash that fails', () => {
    for (const kind of ['write', 'erase'] as const) {
      sampled(`keeps what it took when a ${kind} fails, and says so`, () => {
        for (const writeSize of WRITE_SIZES) failEach(kind, 2, { writeSize })
        failEach(kind, 8, { load: 'tiny' })
      })
    }
    sampled('keeps what it took when a read fails, and says so', () => {
      failEach('read', 4, {})
      failEach('read', 20, { load: 'tiny', writeSize: 16 })
    })
    sampled('keeps what it took when a read fails after a power cut', () => {
      for (const writeSize of WRITE_SIZES) failAfterCuts(8, { writeSize })
    })
    it('says ERR_STORAGE, counts no message, and goes on when the flash does', () => {
      const life = lead({
        ...QUIET,
        failure: { kind: 'write', first: 6, count: 2, isDone: false },
      })!
      assert.equal(life.refusals, 2, 'publish says it')
      assert.ok(life.flash.refused === 2)
    })
  })
}

if (process.env.HOLDFAST_FLIP !== undefined) {
  it('the flip of HOLDFAST_FLIP keeps the promises', () => {
    const [writeSize, bit] = JSON.parse(process.env.HOLDFAST_FLIP!) as [number, number]
    flip(new FlipImage(writeSize), writeSize, bit)
  })
} else if (process.env.HOLDFAST_LIFE !== undefined) {
  it('the life of HOLDFAST_LIFE keeps its promises', () => {
    lead(JSON.parse(process.env.HOLDFAST_LIFE!) as Plan, 'flips')
  })
} else tests()
