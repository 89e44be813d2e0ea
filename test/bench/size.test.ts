/**
 * Holds the budgets of `npm run bench:size`. Needs the XS host, so a C compiler; the live heap is
 * held where the compiler makes 32-bit programs, because its budget is one of a board's slots.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchTest } from './bench-test.js'
import { BUDGETS, measureSizes } from './size.js'

const report = benchTest(measureSizes)

const IN_ROM = [
  'bytecodeNoStorage',
  'bytecodeStorage',
  'bytecodeEncryption',
  'romSlotsNoStorage',
  'romSlotsStorage',
] as const
for (const name of IN_ROM) {
  test(`${name} is within its budget of ${BUDGETS[name]} bytes`, async (context) => {
    const measured = await report(context)
    if (!measured) return
    const size = measured.sizes[name]
    const largest = measured.modules.slice(0, 12).map(([file, bytes]) => `${bytes} ${file}`)
    assert.ok(size > 10_000, `${size} bytes cannot be the whole library`)
    assert.ok(size <= BUDGETS[name], `${size} bytes; largest modules:\n${largest.join('\n')}`)
  })
}

for (const name of ['liveSlotBytes', 'liveChunkBytes', 'storageSlotBytes'] as const) {
  test(`${name}, connected, is within its budget of ${BUDGETS[name]} bytes`, async (context) => {
    const measured = await report(context)
    if (!measured) return
    if (measured.bits === 64) {
      if (process.env['HOLDFAST_REQUIRE_ALL'] === '1') assert.fail('no 32-bit compiler')
      context.skip('the compiler makes no 32-bit programs (on Debian: gcc-multilib)')
      return
    }
    const size = name === 'storageSlotBytes' ? measured[name] : measured.sizes[name]
    // A negative number of chunk bytes would mean that the buffers are not those that are counted.
    assert.ok(size > 0 && size <= BUDGETS[name], `${size} bytes`)
  })
}
