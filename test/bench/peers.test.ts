/**
 * `npm run bench:peers` with tiny counts: every row is measured and has its figures. Speed is not
 * asserted: this machine is busy with the other tests.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasMosquitto } from '../broker/mosquitto.js'
import { comparePeers } from './peers.js'
import { Progress } from './peers-job.js'
import { figuresOf, resultOf, ROWS } from './peers-rows.js'

test('the best peer is the fastest, its processor time is the least of all peers', () => {
  const round = (ms: number, cpuMs: number) => figuresOf(1000, [{ ms, cpuMs, returnedMs: 0 }])
  const figures = new Map([
    ['ours', round(10, 4)],
    ['slow', round(100, 8)],
    ['fast', round(20, 16)],
    ['floor', round(1, 1)],
  ])
  assert.deepEqual(resultOf(ROWS[0], figures), {
    name: 'qos0',
    ours: 100_000,
    best: 50_000,
    bestPeer: 'fast',
    ratio: 2,
    cpuOurs: 4,
    cpuBest: 8,
    cpuRatio: 0.5,
  })
})

test('a median is the middle, and the spread that of the middle half', () => {
  const rounds = [10, 20, 25, 40, 50].map((ms) => ({ ms, cpuMs: ms, returnedMs: 0 }))
  const { perSecond, cpuMicros, spread } = figuresOf(1, rounds)
  assert.equal(perSecond, 40)
  assert.equal(cpuMicros, 25_000)
  assert.equal(spread, (50 - 25) / 40)
})

test('a message that is complete before its publish call returns is counted once', async () => {
  let begun = 0
  const progress: Progress = new Progress(10, 3, () => {
    begun += 1
    progress.finish()
    return true
  })
  progress.advance()
  await progress.done
  assert.equal(begun, 10)
})

test(
  'every row is measured',
  { skip: !hasMosquitto('the bench beside other clients'), timeout: 120_000 },
  async () => {
    const { rows, xsEncodeRatio, leftOut } = await comparePeers({
      rounds: 1,
      scale: 0.005,
      row: '',
    })
    const isDurableOut = leftOut.includes('mqtt-level') && leftOut.includes('paho-c')
    const wanted = ROWS.filter(({ isDurable }) => !isDurable || !isDurableOut)
    assert.deepEqual(
      rows.map(({ name }) => name),
      wanted.map(({ name }) => name),
    )
    for (const row of rows) {
      const { ours, best, bestPeer, ratio, cpuOurs, cpuBest, cpuRatio } = row
      for (const figure of [ours, best, ratio, cpuOurs, cpuBest, cpuRatio]) {
        assert.ok(Number.isFinite(figure) && figure > 0, JSON.stringify(row))
      }
      assert.ok(['mqtt', 'mqtt-level', 'paho-c'].includes(bestPeer), bestPeer)
    }
    if (!leftOut.includes('XS')) assert.ok(xsEncodeRatio! > 0)
  },
)
