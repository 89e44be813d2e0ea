/**
 * `npm run test:power [-- --full] [--json] [--case '{…}']`: power cuts and flipped bits against the
 * flash log, the session store and the whole client. A sample takes under a minute; `--full` takes
 * more than a million cuts. Progress and failures go to stderr. HOLDFAST_SEED repeats a run, and
 * the command printed with a failure repeats that case.
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { PowerCase } from './cases.js'
import { FULL, makeJobs, type Plan, runCase, SAMPLE } from './jobs.js'
import { addOutcome, emptyOutcome, type Outcome } from './totals.js'

const self = fileURLToPath(import.meta.url)

/** In a worker: a job for each index that comes, until the parent ends it. */
function work(): void {
  const jobs = makeJobs(workerData as Plan)
  parentPort!.on('message', (index: number) => parentPort!.postMessage(jobs[index].run()))
}

/** Deals the jobs out to as many workers as there are processors, at most `most`. */
async function runJobs(plan: Plan, most: number): Promise<Outcome> {
  const sum = emptyOutcome()
  const jobs = makeJobs(plan)
  const started = Date.now()
  let next = 0
  let done = 0
  const count = Math.max(1, Math.min(availableParallelism(), most))
  const oneWorker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(self, { workerData: plan })
      let index = 0
      const deal = (): void => {
        index = next++
        if (index < jobs.length) worker.postMessage(index)
        else void worker.terminate().then(() => resolve())
      }
      worker.on('error', reject)
      worker.on('message', (outcome: Outcome) => {
        addOutcome(sum, outcome)
        done++
        const { cuts, depth2Cuts } = sum.totals
        const seconds = Math.round((Date.now() - started) / 1000)
        const state = `${cuts + depth2Cuts} cuts, ${sum.flips} flips, ${seconds} s`
        console.error(`${done}/${jobs.length} ${jobs[index].name}: ${state}`)
        for (const note of outcome.notes) console.error(`FAILED ${note}`)
        deal()
      })
      deal()
    })
  await Promise.all(Array.from({ length: count }, oneWorker))
  return sum
}

function printTable(sum: Outcome): void {
  for (const [key, value] of Object.entries(sum.totals)) console.log(`${key.padEnd(22)} ${value}`)
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      full: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      case: { type: 'string' },
      workers: { type: 'string', default: '2' },
    },
  })
  if (values.case !== undefined) {
    runCase(JSON.parse(values.case) as PowerCase, emptyOutcome())
    console.log('the case holds')
    return 0
  }
  const seed = Number(process.env['HOLDFAST_SEED'] ?? Math.floor(Math.random() * 0x100000000))
  const options = values.full ? ' -- --full' : ''
  console.error(`seed ${seed}; repeat: HOLDFAST_SEED=${seed} npm run test:power${options}`)
  const sum = await runJobs({ ...(values.full ? FULL : SAMPLE), seed }, Number(values.workers))
  const { flips, harmfulFlips, mostLost, unreportedLosses } = sum
  console.error(
    `${flips} flipped bits: ${harmfulFlips} cost messages, one of them ${mostLost} at the most; ` +
      `${unreportedLosses} losses were not reported`,
  )
  if (values.json) console.log(JSON.stringify(sum.totals))
  else printTable(sum)
  const { failures, depth2Failures } = sum.totals
  return failures + depth2Failures + sum.unreportedLosses > 0 ? 1 : 0
}

if (isMainThread) process.exitCode = await main()
else work()
