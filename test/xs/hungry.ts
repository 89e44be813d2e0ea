/** Tests that a device has no room for, among some that it has, for xs.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

const kept: Uint8Array[] = []

test('small', () => assert.equal(kept.push(new Uint8Array(40_000)), 1))
// Alone it fits; behind the first one it does not.
test('behind another', () => assert.equal(kept.push(new Uint8Array(60_000)), 1))
test('chunks', () => assert.equal(new Uint8Array(200_000).length, 200_000))
test('slots', () => {
  let chain: object | null = null
  for (let count = 0; count < 3_000; count++) chain = { chain }
  assert.ok(chain)
})
test('endless', () => {
  for (;;) kept.push(new Uint8Array(10_000_000))
})
