/**
 * `npm run test:xs`: the suites of the codec, the store, the queue and the session on the engine of
 * a Moddable board, two files at a time. Arguments: parts of file names, to run only those.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { inFolder, root } from '../bench/xs-run.js'
import { ensureXsHost } from '../../targets/simulator/xs-host.js'
import { LEFT_OUT, LEFT_OUT_TESTS, SLOW, suites } from './suites.js'
import { bundleRom, bundleSuite, runSuite } from './xs-suite.js'

const JOBS = 2
/** Every so many-th bit is flipped: XS takes some 50 times as long as Node, which takes each 3rd. */
const FLIP_STEP = '151'

async function runFile(program: string, folder: string, name: string): Promise<boolean> {
  const started = performance.now()
  const script = path.join(folder, name.replaceAll('/', '-').replace(/\.ts$/, '.js'))
  const { HOLDFAST_SEED, HOLDFAST_FLIP_STEP } = process.env
  const env = { HOLDFAST_SEED, HOLDFAST_FLIP_STEP: HOLDFAST_FLIP_STEP ?? FLIP_STEP }
  await bundleSuite(name, script)
  const result = await runSuite(program, path.join(folder, 'rom.js'), script, env)
  fs.rmSync(script)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const { code, pass, fail, skip } = result
  // A file without a result has not run, whatever its exit code is.
  const isGood = code === 0 && pass > 0
  console.log(`${isGood ? 'ok' : 'not ok'} - ${name}: ${pass} passed in ${seconds} s`)
  if (skip > 0) console.log(`#   ${skip} skipped`)
  if (isGood) return true
  console.log(`#   ${fail} failed, exit code ${code}`)
  for (const line of result.lines) if (!line.startsWith('ok ')) console.log('  ' + line)
  return false
}

async function main(wanted: string[]): Promise<number> {
  const host = await ensureXsHost()
  if ('missing' in host) {
    console.error(`the suites need the XS host: ${host.missing}`)
    return 1
  }
  const files = suites(path.join(root, 'test'), wanted)
  let failures = 0
  await inFolder(async (folder) => {
    await bundleRom(path.join(folder, 'rom.js'))
    const left = [...files]
    const work = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        if (!(await runFile(host.path, folder, name))) failures++
      }
    }
    await Promise.all(Array.from({ length: JOBS }, work))
  })
  const leftOut = { ...LEFT_OUT, ...LEFT_OUT_TESTS, ...(wanted.length === 0 ? SLOW : {}) }
  for (const [name, reason] of Object.entries(leftOut)) {
    console.log(`# left out: ${name}: ${reason}`)
  }
  console.log(`# ${files.length} files, ${failures} failed`)
  return failures === 0 && files.length > 0 ? 0 : 1
}

process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
process.exitCode = await main(process.argv.slice(2))
