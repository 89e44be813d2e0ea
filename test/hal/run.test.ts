/** The loop on Node: when it polls, when it does not, and what becomes of an exception. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { run } from '../../hal/node/index.js'
import { until } from '../until.js'

function countingClient(waits: number[]) {
  const times: number[] = []
  return {
    times,
    onWork: () => {},
    poll(now: number): number {
      times.push(now)
      return waits.shift() ?? Infinity
    },
  }
}

/** Long enough for what is due at once; too short for nothing, as nothing has a limit here. */
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('the first poll comes soon, not inside run, and Infinity waits for work', async () => {
  const client = countingClient([])
  const running = run(client)
  assert.equal(client.times.length, 0)
  await until('the first poll', () => client.times.length === 1)
  await pause(20)
  assert.equal(client.times.length, 1)
  running.stop()
})

test('poll is called again after the time it asked for, and at once for 0', async () => {
  const client = countingClient([30, 0, Infinity])
  const running = run(client)
  await until('the third poll', () => client.times.length === 3)
  const waited = client.times[1] - client.times[0]
  assert.ok(waited >= 28, `${waited} ms`)
  running.stop()
})

test('any number of calls of onWork make one poll, and none from inside', async () => {
  const client = countingClient([])
  const running = run(client)
  await until('the first poll', () => client.times.length === 1)
  client.onWork()
  client.onWork()
  running.wake()
  assert.equal(client.times.length, 1)
  await until('the second poll', () => client.times.length === 2)
  await pause(20)
  assert.equal(client.times.length, 2)
  running.stop()
})

test('work comes before a long timer, and replaces it', async () => {
  const client = countingClient([1e7, 50])
  const running = run(client)
  await until('the first poll', () => client.times.length === 1)
  client.onWork()
  await until('the poll of the second timer', () => client.times.length === 3)
  running.stop()
})

test('a wait longer than a timer can hold does not become a short one', async () => {
  const client = countingClient([1e12])
  const running = run(client)
  await pause(30)
  assert.equal(client.times.length, 1)
  running.stop()
})

test('after stop nothing polls', async () => {
  const client = countingClient([10, 10, 10])
  const running = run(client)
  await until('the first poll', () => client.times.length === 1)
  client.onWork()
  running.stop()
  client.onWork()
  running.wake()
  await pause(30)
  assert.equal(client.times.length, 1)
})

test('a client that stops the loop from poll is not polled again', async () => {
  let count = 0
  const running = run({
    onWork: () => {},
    poll: () => {
      count += 1
      running.stop()
      return 0
    },
  })
  await pause(20)
  assert.equal(count, 1)
})

test('an exception of poll ends the process, uncaught', () => {
  const script = `
    import { run } from ${JSON.stringify(new URL('../../hal/node/run.js', import.meta.url).href)}
    run({ poll() { throw new Error('poll is broken') } })
    setTimeout(() => console.log('still here'), 500)
  `
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  assert.equal(result.status, 1)
  assert.match(result.stderr.toString(), /poll is broken/)
  assert.equal(result.stdout.toString(), '')
})
