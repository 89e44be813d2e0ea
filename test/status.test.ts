/**
 * Tests of the words for statuses: each number has its own.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as status from '../src/status.js'

const WORDS: Record<string, string> = {
  ERR_ARGUMENT: 'argument out of range',
  ERR_TOPIC: 'topic is empty, too long, not UTF-8 or has a wildcard',
  ERR_TOO_LARGE: 'message is larger than the buffers allow',
  ERR_NOT_READY: 'not started',
  ERR_STALE: 'acknowledgement belongs to an earlier connection',
  ERR_REFUSED: 'refused by the broker',
  ERR_SESSION_LOST: 'session lost by the broker',
  ERR_NOT_AVAILABLE: 'not available on this broker',
  ERR_FULL: 'queue is full',
  ERR_EXPIRED: 'time to live ran out',
  ERR_DROPPED: 'dropped as the oldest of a full queue',
  ERR_REPLACED: 'replaced by a newer message of its topic',
  ERR_OFFLINE: 'not connected',
  ERR_CLOSED: 'connection closed',
  ERR_CONNECT: 'connection failed',
  ERR_STORAGE: 'storage failed',
  ERR_BOUNDS: 'storage address, length or alignment out of range',
  ERR_CORRUPT: 'stored record is damaged',
  ERR_FOREIGN: 'partition holds data that is not a Holdfast store',
  ERR_IDENTITY: 'store belongs to another client identity',
  ERR_FORMAT: 'store has an unknown format number',
  ERR_GEOMETRY: 'storage geometry is not usable',
  ERR_HOOK: 'storage hook refused',
  ERR_BUSY: 'store is already open',
  ERR_LANES: 'store was made for other lanes',
  ERR_KEY: 'storage hooks lack a key the store was written with',
}

test('each status has words, and no other number does', () => {
  const numbers = Object.entries(status).filter(([name]) => name.startsWith('ERR_'))
  assert.deepEqual(numbers.map(([name]) => name).sort(), Object.keys(WORDS).sort())
  for (const [name, number] of numbers) {
    assert.equal(status.statusText(number as number), WORDS[name], name)
  }
  assert.equal(status.statusText(0), 'ok')
  assert.equal(status.statusText(17), 'ok')
  for (const reason of [1, 0x81, 0x95, 255, 1000, 1006, 2004, 5012, 6001, 9999]) {
    assert.equal(status.statusText(-reason), 'MQTT reason 0x' + reason.toString(16))
  }
})
