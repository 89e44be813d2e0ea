/** Tests that fail, for xs.test.ts: each way of the shim to say no, beside three that pass. */
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'

describe('good', () => {
  it('compares', () => {
    assert.deepEqual(new Map([[1, new Uint8Array([2])]]), new Map([[1, new Uint8Array([2])]]))
    assert.notDeepEqual({ a: 1 }, { a: 1, b: undefined })
    assert.notDeepEqual([0], [-0])
    assert.notDeepEqual(new Uint8Array(2), new Uint16Array(2))
  })
  it('takes what was thrown', () => {
    const refuse = (): never => {
      throw new TypeError('no room')
    }
    assert.throws(refuse, /^TypeError: no room$/)
    assert.throws(refuse, TypeError)
    assert.throws(refuse, { message: 'no room' })
    assert.throws(refuse, (error) => error instanceof TypeError)
  })
  it('knows the text', () => assert.match('text', /ex/))
})

test('left out', { skip: true }, () => assert.fail())
test('equal', () => assert.equal(1 as unknown, '1'))
test('deepEqual', () => assert.deepEqual([1, { a: [2] }], [1, { a: [3] }]))
test('ok', () => assert(0))
test('throws nothing', () => assert.throws(() => {}))
test('throws another', () => {
  assert.throws(() => {
    throw new Error('one')
  }, /two/)
})
test('an exception', () => {
  throw new Error('of the test')
})
test('asynchronous', async () => {})
