/** The loop on Node: when it polls, when it does not, and what becomes of an exception. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { ScriptedTransport } from '../../hal/memory/index.js'
import { run } from '../../hal/node/index.js'
import { until } from './transport-contract.js'

function countingClient(waits: number[]) {
  const times: number[] = []
  return {
    times,
    poll(now: number): number {
      times.push(now)
      return waits.shift() ?? Infinity
    },
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('the first poll comes soon, not inside run, and Infinity waits for a wake', async () => {
  const client = countingClient([])
  const running = run(client, new ScriptedTransport())
  assert.equal(client.times.length, 0)
  await pause(20)
  assert.equal(client.times.length, 1)
  assert.ok(Math.abs(client.times[0] - performance.now()) < 1000, 'now is performance.now()')
  running.stop()
})

test('poll is called again after the time it asked for', async () => {
  const client = countingClient([30, 0, Infinity])
  const running = run(client, new ScriptedTransport())
  await until('the third poll', () => client.times.length === 3)
  const waited = client.times[1] - client.times[0]
  assert.ok(waited >= 28 && waited < 500, `${waited} ms`)
  assert.ok(client.times[2] - client.times[1] < 25, 'a wait of 0 is no wait')
  running.stop()
})

test('many onReady and wake calls make one poll, and the client still hears onReady', async () => {
  const transport = new ScriptedTransport()
  let notes = 0
  transport.onReady = () => {
    notes += 1
  }
  const client = countingClient([])
  const running = run(client, transport)
  await until('the first poll', () => client.times.length === 1)
  transport.open({ host: 'a', port: 1, secure: false })
  transport.accept()
  transport.deliver(Uint8Array.of(1))
  transport.deliver(Uint8Array.of(2))
  running.wake()
  assert.equal(notes, 3)
  assert.equal(client.times.length, 1, 'poll is not called from inside onReady')
  await pause(20)
  assert.equal(client.times.length, 2)
  running.stop()
})

test('a wake comes before a long timer, and replaces it', async () => {
  const client = countingClient([40, 80])
  const running = run(client, new ScriptedTransport())
  await until('the first poll', () => client.times.length === 1)
  running.wake()
  await until('the woken poll', () => client.times.length === 2)
  assert.ok(client.times[1] - client.times[0] < 35)
  await until('the poll of the second timer', () => client.times.length === 3)
  const waited = client.times[2] - client.times[1]
  assert.ok(waited >= 78, `the first timer is gone: ${waited} ms`)
  running.stop()
})

test('a wait longer than a timer can hold does not become a short one', async () => {
  const client = countingClient([1e12])
  const running = run(client, new ScriptedTransport())
  await pause(30)
  assert.equal(client.times.length, 1)
  running.stop()
})

test('after stop nothing polls, and the transport has its own onReady back', async () => {
  const transport = new ScriptedTransport()
  const own = () => {}
  transport.onReady = own
  const client = countingClient([10, 10, 10])
  const running = run(client, transport)
  await until('the first poll', () => client.times.length === 1)
  running.wake()
  running.stop()
  running.wake()
  assert.equal(transport.onReady, own)
  await pause(30)
  assert.equal(client.times.length, 1)
})

test('a client that stops the loop from poll is not polled again', async () => {
  let count = 0
  const running = run(
    {
      poll: () => {
        count += 1
        running.stop()
        return 0
      },
    },
    new ScriptedTransport(),
  )
  await pause(20)
  assert.equal(count, 1)
})

test('an exception of poll ends the process, uncaught', () => {
  const script = `
    import { run } from ${JSON.stringify(new URL('../../hal/node/run.js', import.meta.url).href)}
    run({ poll() { throw new Error('poll is broken') } }, { onReady() {} })
    setTimeout(() => console.log('still here'), 500)
  `
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  assert.equal(result.status, 1)
  assert.match(result.stderr.toString(), /poll is broken/)
  assert.equal(result.stdout.toString(), '')
})
