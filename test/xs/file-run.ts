/**
 * Runs all tests of one file on XS, each in a device's heap if it can be. A test that fills the
 * heap ends the device as it would a board. It then runs again alone in a fresh one, because those
 * before it may have left something, and if that is not enough either in larger ones until it ends
 * by itself; those behind it go on in a device's heap. Knows nothing of what is tested.
 */
import { DEVICE, fullPart, larger, type Heap } from './heap.js'
import { runSuite, type Environment, type Suite } from './xs-suite.js'

export interface FileRun {
  passed: number
  failed: number
  skipped: number
  /** Of those passed and failed: how many ended in a device's heap. */
  inDevice: number
  /** The others, each with its heap. */
  inLarger: { name: string; heap: Heap }[]
  /** What was said of failures. */
  trouble: string[]
}

/** More tests than a file has. */
const ALL = 1e6
const RESULT = /^(ok|not ok) \d+ - (.*?)( # SKIP)?$/

/** Adds up the results among `lines`; their number. */
function count(lines: readonly string[], heap: Heap, into: FileRun): number {
  let results = 0
  for (const line of lines) {
    const [, verdict, name, skip] = RESULT.exec(line) ?? []
    if (verdict === undefined || name === undefined) {
      into.trouble.push(line)
      continue
    }
    results++
    if (skip !== undefined) {
      into.skipped++
      continue
    }
    if (verdict === 'ok') into.passed++
    else into.failed++
    if (heap === DEVICE) into.inDevice++
    else into.inLarger.push({ name, heap })
    if (verdict !== 'ok') into.trouble.push(line)
  }
  return results
}

/** Lines of tests that ended: those behind are of one that runs again. */
const untilFull = (lines: readonly string[]): string[] =>
  lines.slice(0, lines.findLastIndex((line) => RESULT.test(line)) + 1)

/** How many tests the file has, which a run says at its end; -1 when it did not come so far. */
function planned(lines: readonly string[]): number {
  const plan = lines.find((line) => /^1\.\.\d+$/.test(line))
  return plan === undefined ? -1 : Number(plan.slice(3))
}

export async function runFile(program: string, suite: Suite, env: Environment): Promise<FileRun> {
  const all: FileRun = {
    passed: 0,
    failed: 0,
    skipped: 0,
    inDevice: 0,
    inLarger: [],
    trouble: [],
  }
  let heap = DEVICE
  let total = Infinity
  for (let first = 0; first < total;) {
    const run = { heap, env, first, count: heap === DEVICE ? ALL : 1 }
    const { code, lines } = await runSuite(program, suite, run)
    const part = fullPart(code, lines)
    const done = count(part === null ? lines : untilFull(lines), heap, all)
    first += done
    // With none done the test that was cut short had the heap for itself.
    const next = part === null || done > 0 ? DEVICE : larger(heap, part)
    if (part === null) total = planned(lines)
    if (next === null || total < 0 || (part === null && done === 0 && first < total)) {
      all.failed++
      all.trouble.push(...lines, `# the run ended at test ${first + 1}, exit code ${code}`)
      break
    }
    heap = next
  }
  return all
}
