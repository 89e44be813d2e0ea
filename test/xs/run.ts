/**
 * `npm run test:xs`: the suites of the codec, the store, the queue and the session on the engine of
 * a Moddable board in the heap of one, two files at a time. Arguments: parts of file names, to run
 * only those; --json for the counts as the last line.
 */
import * as path from 'node:path'
import { inFolder, root } from '../bench/xs-run.js'
import { ensureXsHost } from '../../targets/simulator/xs-host.js'
import { runFile, type FileRun } from './file-run.js'
import { describeHeap } from './heap.js'
import { LEFT_OUT, LEFT_OUT_TESTS, suites } from './suites.js'
import { bundleSuite } from './xs-suite.js'

const JOBS = 2
/** Each so many-th bit is flipped: XS takes some 50 times as long as Node, which takes each 3rd. */
const FLIP_STEP = '151'

const NOT_RUN: FileRun = {
  passed: 0,
  failed: 1,
  skipped: 0,
  inDevice: 0,
  inLarger: [],
  trouble: [],
}

/** A file without a result has not run. */
const isGood = ({ failed, passed }: FileRun): boolean => failed === 0 && passed > 0

/** Runs a file and tells of it. */
async function tellFile(program: string, folder: string, name: string): Promise<FileRun> {
  const started = performance.now()
  const { HOLDFAST_SEED, HOLDFAST_FLIP_STEP, HOLDFAST_NONCE_LIVES } = process.env
  const env = {
    HOLDFAST_SEED,
    HOLDFAST_FLIP_STEP: HOLDFAST_FLIP_STEP ?? FLIP_STEP,
    HOLDFAST_NONCE_LIVES: HOLDFAST_NONCE_LIVES ?? '1',
  }
  const suite = await bundleSuite(name, folder).catch((error: unknown) => String(error))
  if (typeof suite === 'string') {
    console.log(`not ok - ${name}: no bundle for XS: ${suite}`)
    return NOT_RUN
  }
  const result = await runFile(program, suite, env)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const { passed, failed, skipped, inDevice, inLarger } = result
  const heaps = `${inDevice} in a device's heap, ${inLarger.length} in a larger one`
  const verdict = isGood(result) ? 'ok' : 'not ok'
  console.log(`${verdict} - ${name}: ${passed} passed in ${seconds} s; ${heaps}`)
  for (const one of inLarger) console.log(`#   ${describeHeap(one.heap)}: ${one.name}`)
  if (skipped > 0) console.log(`#   ${skipped} skipped`)
  if (isGood(result)) return result
  console.log(`#   ${failed} failed`)
  for (const line of result.trouble) console.log('  ' + line)
  return result
}

function tellLeftOut(): void {
  for (const [name, reason] of Object.entries({ ...LEFT_OUT, ...LEFT_OUT_TESTS })) {
    console.log(`# left out: ${name}: ${reason}`)
  }
}

async function main(wanted: string[], isJson: boolean): Promise<number> {
  const host = await ensureXsHost()
  if ('missing' in host) {
    console.error(`the suites need the XS host: ${host.missing}`)
    return 1
  }
  const files = suites(path.join(root, 'test'), wanted)
  const results: FileRun[] = []
  await inFolder(async (folder) => {
    const left = [...files]
    const work = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        results.push(await tellFile(host.path, folder, name))
      }
    }
    await Promise.all(Array.from({ length: JOBS }, work))
  })
  tellLeftOut()
  const sum = (of: (one: FileRun) => number): number =>
    results.reduce((before, one) => before + of(one), 0)
  const passed = sum((one) => one.passed)
  const failed = sum((one) => one.failed)
  const deviceHeap = sum((one) => one.inDevice)
  const largerHeap = sum((one) => one.inLarger.length)
  console.log(`# ${files.length} files, ${results.filter((one) => !isGood(one)).length} failed`)
  console.log(`# ${passed} passed, ${failed} failed; ${deviceHeap} tests in a device's heap`)
  const counts = { tests: passed + failed, passed, failed, deviceHeap, largerHeap }
  if (isJson) console.log(JSON.stringify(counts))
  return files.length > 0 && results.every(isGood) ? 0 : 1
}

process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
const given = process.argv.slice(2)
const wanted = given.filter((argument) => argument !== '--json')
process.exitCode = await main(wanted, given.includes('--json'))
