/**
 * Holds what `npm run bench:stack` measures. Needs the XS host, so a C compiler.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchTest } from './bench-test.js'
import { ENCRYPTED_STACK, ESP32_STACK, measureStack } from './stack.js'

const report = benchTest(measureStack)

test("the client leaves a fifth of an ESP32's stack to its application", async (t) => {
  const measured = await report(t)
  if (!measured) return
  assert.ok(measured.before > 0 && measured.plain > measured.before, JSON.stringify(measured))
  assert.ok(measured.plainNested <= ESP32_STACK * 0.8, `${measured.plainNested} slots`)
})

test('with ChaCha20-Poly1305 it fits, and the stack README asks for leaves a sixth', async (t) => {
  const measured = await report(t)
  if (!measured) return
  assert.ok(measured.encrypted <= 490, `${measured.encrypted} slots`)
  assert.ok(measured.encryptedNested <= ENCRYPTED_STACK * 0.84, `${measured.encryptedNested} slots`)
})
