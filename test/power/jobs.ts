/**
 * What a power run consists of: jobs of some seconds each, made the same way in every worker, so
 * that a job is named by its index. `stride` takes every so many-th case; 1 is the full run.
 */
import { Random } from '../../hal/memory/index.js'
import { scenarios } from '../store/scenarios.js'
import { runBitCase } from './bit-cuts.js'
import { type Cut, type ExchangeCase, type LogCase, type PowerCase } from './cases.js'
import { TEARS, WRITE_SIZES } from './cases.js'
import { type Passage, runExchangeCase } from './exchange-cuts.js'
import { FlipImage, IMAGE_BITS } from './flips.js'
import { type Operations, runLogCase } from './log-cuts.js'
import { addOutcome, emptyOutcome, noteFailure, type Outcome } from './totals.js'

export interface Plan {
  readonly seed: number
  /** Every so many-th case of each kind. */
  readonly logStride: number
  readonly depth2Stride: number
  readonly flipStride: number
  readonly exchangeStride: number
  readonly bitStride: number
  /** Tears with chance are drawn so often at each operation. */
  readonly seeds: number
  /** Random bit orders of each write of the bit cases. */
  readonly bitOrders: number
  readonly depth3Cuts: number
}

export const FULL: Omit<Plan, 'seed'> = {
  logStride: 1,
  depth2Stride: 1,
  flipStride: 1,
  exchangeStride: 1,
  bitStride: 1,
  // So many that single cuts alone are more than a million.
  seeds: 40,
  bitOrders: 1000,
  depth3Cuts: 100_000,
}

export const SAMPLE: Omit<Plan, 'seed'> = {
  logStride: 3,
  depth2Stride: 200,
  flipStride: 61,
  exchangeStride: 40,
  bitStride: 5,
  seeds: 1,
  bitOrders: 40,
  depth3Cuts: 4000,
}

export interface Job {
  readonly name: string
  run(): Outcome
}

/** Lets one case in `stride` through, beginning with a random one. */
class Sieve {
  private readonly stride: number
  private left: number

  constructor(stride: number, chance: Random) {
    this.stride = stride
    this.left = chance.below(stride)
  }

  takes(): boolean {
    if (this.left-- > 0) return false
    this.left = this.stride - 1
    return true
  }
}

/** Runs a case of any kind; a broken promise becomes a failure of the outcome. */
export function attempt<T>(powerCase: PowerCase, outcome: Outcome, run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    noteFailure(outcome, powerCase, error)
    return null
  }
}

/** One case alone, as `--case` gives it. */
export function runCase(powerCase: PowerCase, outcome: Outcome): void {
  if (powerCase.kind === 'log') runLogCase(powerCase, outcome)
  else if (powerCase.kind === 'bit') runBitCase(powerCase, outcome)
  else if (powerCase.kind === 'exchange') runExchangeCase(powerCase, outcome)
  else new FlipImage(powerCase.writeSize, powerCase.isHooked).run(powerCase, outcome)
}

function tryLog(logCase: LogCase, outcome: Outcome): Operations | null {
  return attempt(logCase, outcome, () => runLogCase(logCase, outcome))
}

/** Each operation, in each way it can tear. `draws` 0: each way once. */
function* firstCuts(operations: number, draws: number, chance: Random): Generator<Cut> {
  for (let operation = 1; operation <= operations; operation++) {
    for (const tear of TEARS) {
      const count = tear === 'noop' ? 1 : Math.max(draws, 1)
      for (let draw = 0; draw < count; draw++) yield [operation, tear, chance.next()]
    }
  }
}

function logJob(plan: Plan, base: LogCase, chance: Random): Outcome {
  const outcome = emptyOutcome()
  const sieve = new Sieve(plan.logStride, chance)
  const whole = tryLog(base, outcome)
  for (const cut of firstCuts(whole?.scenario ?? 0, plan.seeds, chance)) {
    if (sieve.takes()) tryLog({ ...base, cuts: [cut] }, outcome)
  }
  return outcome
}

/** Every first cut once, and behind it every operation of the recovery in each way. */
function depth2Job(plan: Plan, base: LogCase, chance: Random): Outcome {
  const outcome = emptyOutcome()
  const sieve = new Sieve(plan.depth2Stride, chance)
  const whole = tryLog(base, outcome)
  // Whole first cuts are left out, so that a sample pays for few first runs.
  const outer = new Sieve(Math.max(1, Math.floor(plan.depth2Stride / 10)), chance)
  for (const first of firstCuts(whole?.scenario ?? 0, 0, chance)) {
    if (!outer.takes()) continue
    const once = tryLog({ ...base, cuts: [first] }, outcome)
    for (const second of firstCuts(once?.recovery ?? 0, 0, chance)) {
      if (plan.depth2Stride >= 10 ? chance.below(10) > 0 : !sieve.takes()) continue
      tryLog({ ...base, cuts: [first, second] }, outcome)
    }
  }
  return outcome
}

/** Three cuts at random. The later ones come early enough to lie within each recovery. */
function depth3Job(count: number, chance: Random): Outcome {
  const outcome = emptyOutcome()
  const lengths = new Map<string, number>()
  for (let round = 0; round < count; round++) {
    const scenario = chance.below(scenarios.length)
    const writeSize = WRITE_SIZES[chance.below(4)]
    const isHooked = chance.below(4) === 0
    const base: LogCase = { kind: 'log', scenario, writeSize, isHooked, cuts: [] }
    const key = JSON.stringify(base)
    if (!lengths.has(key)) lengths.set(key, tryLog(base, outcome)?.scenario ?? 1)
    const draw = (most: number): Cut => [
      1 + chance.below(most),
      TEARS[chance.below(5)],
      chance.next(),
    ]
    tryLog({ ...base, cuts: [draw(lengths.get(key)!), draw(12), draw(12)] }, outcome)
  }
  return outcome
}

function bitJob(plan: Plan, writeSize: number, isFull: boolean, chance: Random): Outcome {
  const outcome = emptyOutcome()
  const sieve = new Sieve(plan.bitStride, chance)
  for (let operation = 1; operation <= 3; operation++) {
    const base = { kind: 'bit', writeSize, isFull, operation } as const
    let bits = 0
    for (let bit = 0; bit <= bits; bit++) {
      if (bit > 0 && !sieve.takes()) continue
      const bitCase = { ...base, bit }
      const found = attempt(bitCase, outcome, () => runBitCase(bitCase, outcome))
      if (bit === 0) bits = found ?? -1
    }
    for (let order = 0; bits >= 0 && order < plan.bitOrders; order++) {
      const bitCase = { ...base, bit: 0, seed: chance.next() }
      attempt(bitCase, outcome, () => runBitCase(bitCase, outcome))
    }
  }
  return outcome
}

function flipJob(
  plan: Plan,
  from: number,
  to: number,
  writeSize: number,
  isHooked: boolean,
): Outcome {
  const outcome = emptyOutcome()
  const image = new FlipImage(writeSize, isHooked)
  for (let bit = from + (plan.seed % plan.flipStride); bit < to; bit += plan.flipStride) {
    const flipCase = { kind: 'flip', writeSize, isHooked, bit } as const
    attempt(flipCase, outcome, () => image.run(flipCase, outcome))
  }
  return outcome
}

function tryExchange(plan: ExchangeCase, outcome: Outcome): Passage | null {
  return attempt(plan, outcome, () => runExchangeCase(plan, outcome))
}

/** Every packet after which the network can break, times every later flash operation, each way. */
function exchangeJob(
  plan: Plan,
  base: ExchangeCase,
  slice: number,
  slices: number,
  chance: Random,
) {
  const outcome = emptyOutcome()
  const sieve = new Sieve(plan.exchangeStride, chance)
  const steps = tryExchange(base, outcome)?.steps ?? 0
  for (let breakAfter = slice; breakAfter <= steps; breakAfter += slices) {
    if (breakAfter > 0 && plan.exchangeStride > 1 && chance.below(4) > 0) continue
    const whole = tryExchange({ ...base, breakAfter }, outcome)
    // A cut before the break is a cut without one: those belong to breakAfter 0.
    const from = breakAfter === 0 ? 0 : (whole?.operationsAtBreak ?? 0)
    for (const cut of firstCuts(whole?.operations ?? 0, 0, chance)) {
      if (cut[0] <= from || !sieve.takes()) continue
      tryExchange({ ...base, breakAfter, cuts: [cut] }, outcome)
    }
  }
  return outcome
}

/** Flash operations after a boot that count as the client's recovery. */
const EXCHANGE_RECOVERY = 12

/** Every first cut once, and behind it every operation of the client's recovery in each way. */
function depth2Exchange(plan: Plan, base: ExchangeCase, chance: Random): Outcome {
  const outcome = emptyOutcome()
  const inner = new Sieve(plan.exchangeStride, chance)
  const outer = new Sieve(Math.max(1, Math.floor(plan.exchangeStride / 10)), chance)
  const operations = tryExchange(base, outcome)?.operations ?? 0
  for (const first of firstCuts(operations, 0, chance)) {
    if (!outer.takes()) continue
    const once = tryExchange({ ...base, cuts: [first] }, outcome)
    const recovery = Math.min(once?.operationsSinceBoot ?? 0, EXCHANGE_RECOVERY)
    for (const second of firstCuts(recovery, 0, chance)) {
      if (inner.takes()) tryExchange({ ...base, cuts: [first, second] }, outcome)
    }
  }
  return outcome
}

const EXCHANGE_SLICES = 4
/** The network does not break. */
const QUIET = {
  kind: 'exchange',
  how: 'reset',
  breakAfter: 0,
  load: 'mixed',
  lanes: 1,
} as const
const FLIP_SLICES = 16
const DEPTH3_SLICES = 8

function logJobs(plan: Plan, draw: () => Random): Job[] {
  const list: Job[] = []
  for (const [scenario, { name }] of scenarios.entries()) {
    for (const isHooked of [false, true]) {
      for (const writeSize of WRITE_SIZES) {
        const base: LogCase = { kind: 'log', scenario, writeSize, isHooked, cuts: [] }
        const title = `${name}, write size ${writeSize}${isHooked ? ', hooks' : ''}`
        const once = draw()
        list.push({ name: title, run: () => logJob(plan, base, once) })
        const twice = draw()
        // Behind hooks one write size: what hooks change is not a matter of padding.
        if (isHooked && writeSize !== 4) continue
        list.push({ name: `${title}, twice`, run: () => depth2Job(plan, base, twice) })
      }
    }
  }
  return list
}

function exchangeJobs(plan: Plan, draw: () => Random): Job[] {
  const list: Job[] = []
  for (const protocol of [4, 5]) {
    for (const writeSize of WRITE_SIZES) {
      for (const how of ['reset', 'silent'] as const) {
        const base: ExchangeCase = { ...QUIET, protocol, writeSize, how, cuts: [] }
        list.push(...networkJobs(plan, base, draw))
        const hasLanes = how === 'reset' && (writeSize === 4 || writeSize === 16)
        if (hasLanes) list.push(...networkJobs(plan, { ...base, lanes: 2 }, draw))
      }
      const lanes = writeSize === 16 ? 2 : 1
      const base: ExchangeCase = { ...QUIET, protocol, writeSize, lanes, cuts: [] }
      const chance = draw()
      const name = `protocol ${protocol}, two cuts, write size ${writeSize}`
      list.push({ name, run: () => depth2Exchange(plan, base, chance) })
    }
    const base: ExchangeCase = { ...QUIET, protocol, writeSize: 4, load: 'qos1', cuts: [] }
    const chance = draw()
    const onlyPower = { ...plan, exchangeStride: Math.min(plan.exchangeStride, 4) }
    list.push({
      name: `protocol ${protocol}, re-deliveries`,
      // With so many slices the network never breaks.
      run: () => exchangeJob(onlyPower, base, 0, Infinity, chance),
    })
  }
  return list
}

/** The network breaks after each packet in turn, the power goes at each later flash operation. */
function networkJobs(plan: Plan, base: ExchangeCase, draw: () => Random): Job[] {
  const { protocol, writeSize, how, lanes } = base
  const list: Job[] = []
  for (let slice = 0; slice < EXCHANGE_SLICES; slice++) {
    const chance = draw()
    const where = `write size ${writeSize}${lanes === 2 ? ', two lanes' : ''}`
    list.push({
      name: `protocol ${protocol}, network ${how}, ${where}, part ${slice}`,
      run: () => exchangeJob(plan, base, slice, EXCHANGE_SLICES, chance),
    })
  }
  return list
}

export function makeJobs(plan: Plan): Job[] {
  const source = new Random(plan.seed)
  const draw = (): Random => new Random(source.next())
  const list = [...exchangeJobs(plan, draw), ...logJobs(plan, draw)]
  for (let slice = 0; slice < DEPTH3_SLICES; slice++) {
    const chance = draw()
    const count = Math.ceil(plan.depth3Cuts / DEPTH3_SLICES)
    list.push({ name: `three cuts, part ${slice}`, run: () => depth3Job(count, chance) })
  }
  for (const writeSize of WRITE_SIZES) {
    for (const isFull of [false, true]) {
      const chance = draw()
      const name = `every bit, write size ${writeSize}${isFull ? ', sector header' : ''}`
      list.push({ name, run: () => bitJob(plan, writeSize, isFull, chance) })
    }
  }
  const part = IMAGE_BITS / FLIP_SLICES
  for (let slice = 0; slice < FLIP_SLICES; slice++) {
    const run = () => flipJob(plan, slice * part, (slice + 1) * part, 4, false)
    list.push({ name: `single bits, part ${slice}`, run })
  }
  return list
}

/** All jobs of a plan one after the other, for a test. */
export function runAll(plan: Plan, wants: (name: string) => boolean): Outcome {
  const sum = emptyOutcome()
  for (const job of makeJobs(plan)) if (wants(job.name)) addOutcome(sum, job.run())
  return sum
}
