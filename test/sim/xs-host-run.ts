/**
 * What the tests of the XS host share: the host, built once, and how to run a script on it. Scripts
 * are classic scripts, as esbuild makes them. Knows nothing of what is tested.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { ensureXsHost, MEMORY_FIELDS } from '../../targets/simulator/xs-host.js'

export const folder = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-xs-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))

export const host = await ensureXsHost()
export const host32 = await ensureXsHost({ bits: 32 })

/** A test that needs the host: without it, it is left out in one line, or fails when all count. */
export function hostTest(
  name: string,
  body: (program: string) => Promise<void>,
  wanted = host,
): void {
  if ('path' in wanted) {
    test(name, { timeout: 60_000 }, () => body(wanted.path))
    return
  }
  const isRequired = process.env.HOLDFAST_REQUIRE_ALL === '1'
  test(name, { skip: isRequired ? false : wanted.missing }, () => assert.fail(wanted.missing))
}

export interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  out: string
  err: string
  reports: string[]
}

let scriptCount = 0

/** Runs a script on the host with descriptor 3 for reports. */
export function run(program: string, script: string, ...options: string[]): Promise<Outcome> {
  const file = path.join(folder, `script-${++scriptCount}.js`)
  fs.writeFileSync(file, `(() => {\n${script}\n})()\n`)
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...options, '--report-fd', '3', file], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      // A host that does not end by itself must not outlive the test.
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    const texts = ['', '', '', '']
    for (const i of [1, 2, 3]) {
      child.stdio[i]!.on('data', (bytes: Buffer) => (texts[i] += bytes.toString()))
    }
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const reports = texts[3]!.split('\n').slice(0, -1)
      resolve({ code, signal, out: texts[1]!, err: texts[2]!, reports })
    })
  })
}

/** Runs a script that must end well, and gives back what it reported, each line as JSON. */
export async function results(
  program: string,
  script: string,
  ...options: string[]
): Promise<unknown[]> {
  const { code, err, reports } = await run(program, script, ...options)
  assert.equal(code, 0, err)
  return reports.map((line) => JSON.parse(line) as unknown)
}

/** Script text: counts(n, work) gives [slots, chunks, bytes] for each of n calls of work(i). */
export const COUNTS = `
  const memoryBefore = new Float64Array(${MEMORY_FIELDS.length})
  const memoryAfter = new Float64Array(${MEMORY_FIELDS.length})
  function repeat(n, work) { for (let i = 0; i < n; i++) work(i) }
  function counts(n, work) {
    device.memory(memoryBefore)
    repeat(n, work)
    device.memory(memoryAfter)
    return [0, 1, 2].map((i) => (memoryAfter[i] - memoryBefore[i]) / n)
  }
  function report(value) { device.report(JSON.stringify(value)) }
`
