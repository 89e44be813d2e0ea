/**
 * The empty records of a queue right after a boot: numbers that are used up, with nothing to send.
 * Reads the log itself and puts its reader back. Knows nothing of what was published.
 */
import assert from 'node:assert/strict'
import type { OutgoingQueue } from '../../src/queue/outgoing-queue.js'
import { OK } from '../../src/status.js'

export function emptyRecords(queue: OutgoingQueue): Set<number> {
  const { log, window } = queue
  const empty = new Set<number>()
  log.rewind(window.base)
  for (let number = log.advance(); number !== 0; number = log.advance()) {
    assert.ok(number > 0)
    assert.equal(log.load(), OK)
    if (log.loadedLength === 0) empty.add(number)
  }
  queue.rewind()
  return empty
}
