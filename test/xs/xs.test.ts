/**
 * A sample of `npm run test:xs`: three files of the suites on the device's engine, and that a test
 * which fails there is seen. Needs the XS host, so a C compiler.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { test } from 'node:test'
import { ensureXsHost } from '../../targets/simulator/xs-host.js'
import { inFolder, root } from '../bench/xs-run.js'
import { LEFT_OUT, suites } from './suites.js'
import { bundleRom, bundleSuite, runSuite, type SuiteResult } from './xs-suite.js'

const host = await ensureXsHost({ progress: () => {} })
const missing = 'missing' in host ? host.missing : ''
if (missing !== '' && process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error(missing)
if (missing !== '') console.log(`left out: the suites on XS: ${missing}`)

const SAMPLE = ['codec/vectors.test.ts', 'store/layout.test.ts', 'session/resume.test.ts']

function runOnXs(name: string): Promise<SuiteResult> {
  return inFolder(async (folder) => {
    const rom = path.join(folder, 'rom.js')
    const script = path.join(folder, 'suite.js')
    await bundleRom(rom)
    await bundleSuite(name, script)
    return runSuite((host as { path: string }).path, rom, script, {})
  })
}

for (const name of SAMPLE) {
  test(`${name} passes on XS`, { skip: missing !== '' && missing }, async () => {
    const result = await runOnXs(name)
    assert.equal(result.code, 0, result.lines.filter((line) => !/^ok /.test(line)).join('\n'))
    assert.ok(result.pass >= 3)
    assert.equal(result.fail, 0)
  })
}

test('a failing test on XS is a failure', { skip: missing !== '' && missing }, async () => {
  const { code, lines, pass, fail, skip } = await runOnXs('xs/failing.ts')
  assert.equal(code, 1)
  assert.deepEqual([pass, fail, skip], [3, 7, 1], lines.join('\n'))
})

test('every file that is left out exists', () => {
  for (const name of Object.keys(LEFT_OUT)) {
    assert.ok(fs.existsSync(path.join(root, 'test', name)), name)
  }
  assert.ok(suites(path.join(root, 'test')).length >= 15)
})
