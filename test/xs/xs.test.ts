/**
 * A sample of `npm run test:xs`: three files of the suites on the device's engine in its heap, that
 * a test which fails there is seen, and one that does not fit. Needs the XS host, so a C compiler.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { test } from 'node:test'
import { ensureXsHost } from '../../targets/simulator/xs-host.js'
import { inFolder, root } from '../bench/xs-run.js'
import { runFile, type FileRun } from './file-run.js'
import { DEVICE } from './heap.js'
import { LEFT_OUT, suites } from './suites.js'
import { bundleSuite } from './xs-suite.js'

const host = await ensureXsHost({ progress: () => {} })
const missing = 'missing' in host ? host.missing : ''
if (missing !== '' && process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error(missing)
if (missing !== '') console.log(`left out: the suites on XS: ${missing}`)

const SAMPLE = ['codec/vectors.test.ts', 'store/layout.test.ts', 'session/resume.test.ts']

function runOnXs(name: string): Promise<FileRun> {
  return inFolder(async (folder) =>
    runFile((host as { path: string }).path, await bundleSuite(name, folder), {}),
  )
}

for (const name of SAMPLE) {
  const title = `${name} passes on XS in the heap of a device`
  test(title, { skip: missing !== '' && missing }, async () => {
    const { passed, failed, inDevice, inLarger, trouble } = await runOnXs(name)
    assert.equal(failed, 0, trouble.join('\n'))
    assert.ok(passed >= 3)
    assert.deepEqual(inLarger, [])
    assert.equal(inDevice, passed)
  })
}

test('a failing test on XS is a failure', { skip: missing !== '' && missing }, async () => {
  const { passed, failed, skipped, trouble } = await runOnXs('xs/failing.ts')
  assert.deepEqual([passed, failed, skipped], [3, 7, 1], trouble.join('\n'))
})

test(
  'a test gets a larger heap for itself alone',
  { skip: missing !== '' && missing },
  async () => {
    const { passed, failed, inDevice, inLarger, trouble } = await runOnXs('xs/hungry.ts')
    assert.deepEqual([passed, failed, inDevice], [4, 1, 2], trouble.join('\n'))
    assert.deepEqual(inLarger, [
      { name: 'chunks', heap: { ...DEVICE, chunk: 4 * DEVICE.chunk } },
      { name: 'slots', heap: { ...DEVICE, heap: 2 * DEVICE.heap } },
    ])
  },
)

test('every file that is left out exists', () => {
  for (const name of Object.keys(LEFT_OUT)) {
    assert.ok(fs.existsSync(path.join(root, 'test', name)), name)
  }
  assert.ok(suites(path.join(root, 'test')).length >= 15)
})

test('every suite that is not left out has a bundle for XS', async () => {
  await inFolder(async (folder) => {
    for (const name of suites(path.join(root, 'test'))) {
      await assert.doesNotReject(() => bundleSuite(name, folder), name)
    }
  })
})
