/** Holds what `npm run bench:drain` prints: the model has no noise. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureDrain } from './drain.js'

test('a backlog leaves as fast as window and round trip allow, and starves no high lane', () => {
  const { efficiency, highLaneDelayMsMax, pacedPerSecond } = measureDrain(2000)
  assert.ok(efficiency >= 0.95 && efficiency <= 1, `${efficiency}`)
  // Half a round trip on the way, and at the most a whole one until a place in the window is free.
  assert.ok(highLaneDelayMsMax <= 300, `${highLaneDelayMsMax} ms`)
  assert.ok(pacedPerSecond >= 38 && pacedPerSecond <= 42, `${pacedPerSecond}`)
})
