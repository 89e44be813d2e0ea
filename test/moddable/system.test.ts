/** ModdableSystem and the loop, over the platform's clock, timers and C functions as fakes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Loop } from '../../hal/moddable/loop.js'
import { ModdableSystem } from '../../hal/moddable/moddable-system.js'
import { Scratch } from '../../hal/moddable/scratch.js'

function systemAt(clock: { ticks: number; date: number }): ModdableSystem {
  return new ModdableSystem({
    ticks: () => clock.ticks | 0,
    date: () => clock.date,
    random: () => 7,
    copy: () => {},
    crc32: () => 5,
  })
}

test('time goes on when the ticks of 32 bits change their sign, and when they wrap', () => {
  const clock = { ticks: 0x7fffff00, date: 0 }
  const system = systemAt(clock)
  assert.equal(system.now(), 0)
  clock.ticks += 0x200
  assert.equal(system.now(), 0x200)
  clock.ticks = 0xfffffff0
  const before = system.now()
  clock.ticks = 0x10
  assert.equal(system.now(), before + 0x20)
  clock.ticks = 0xffffffff
  assert.equal(system.now(), before + 0x20 + 0xffffffef)
})

test('the wall clock is unknown until somebody has set it', () => {
  const clock = { ticks: 0, date: 86400000 }
  const system = systemAt(clock)
  assert.equal(system.wallSeconds(), 0)
  clock.date = 1767225600500
  assert.equal(system.wallSeconds(), 1767225600)
})

/** The module `timer`: one-shot timers are gone after they fire, others go on. */
class FakeTimers {
  now = 0
  live = 0
  schedules = 0
  private callback: () => void = () => {}
  private dueAt = 0
  private repeat = 0

  set(callback: () => void, interval: number, repeat: number): object {
    this.live += 1
    this.callback = callback
    this.dueAt = this.now + interval
    this.repeat = repeat
    return this
  }

  schedule(timer: object, interval: number, repeat: number): void {
    assert.equal(timer, this)
    assert.ok(this.live > 0 && Number.isInteger(interval) && interval >= 0 && repeat > 0)
    this.schedules += 1
    this.dueAt = this.now + interval
    this.repeat = repeat
  }

  clear(): void {
    this.live -= 1
  }

  /** Lets time pass; as the platform does, the next turn is set before the callback runs. */
  pass(ms: number): void {
    const end = this.now + ms
    while (this.live > 0 && this.dueAt <= end) {
      this.now = this.dueAt
      this.dueAt += this.repeat
      this.callback()
    }
    this.now = end
  }
}

function loopOf(waits: number[]) {
  const timers = new FakeTimers()
  const polls: number[] = []
  const client = {
    onWork: (): void => {},
    poll: (now: number): number => {
      polls.push(now)
      return waits.length > 0 ? waits.shift()! : Infinity
    },
  }
  const loop = new Loop<object>(client, () => timers.now, timers)
  return { timers, polls, client, loop }
}

test('the loop polls at once, then when poll asked for it, at the next whole millisecond', () => {
  const { timers, polls } = loopOf([0, 0, 20.3, Infinity])
  timers.pass(100)
  assert.deepEqual(polls, [0, 0, 0, 21])
})

test('the loop polls soon after onWork, once for any number of them, and never from inside', () => {
  const { timers, polls, client } = loopOf([])
  timers.pass(10)
  client.onWork()
  client.onWork()
  assert.deepEqual(polls, [0])
  assert.equal(timers.schedules, 2)
  timers.pass(10)
  assert.deepEqual(polls, [0, 10])
})

test('onWork from inside poll is not forgotten', () => {
  const { timers, polls, client } = loopOf([])
  const poll = client.poll
  client.poll = (now) => {
    if (polls.length < 2) client.onWork()
    return poll(now)
  }
  timers.pass(10)
  assert.equal(polls.length, 3)
})

test('a loop with nothing to do polls every hour: clocks of 32 bits are seen to wrap', () => {
  const { timers, polls } = loopOf([])
  timers.pass(3 * 3600000)
  assert.equal(polls.length, 4)
})

test('a stopped loop polls no more, and its timer is gone', () => {
  const { timers, polls, client, loop } = loopOf([])
  timers.pass(1)
  loop.stop()
  loop.stop()
  client.onWork()
  timers.pass(10)
  assert.equal(polls.length, 1)
  assert.equal(timers.live, 0)
})

test('a scratch is as long as it is told, and keeps its front when it widens', () => {
  const scratch = new Scratch(100)
  scratch.narrow(3)
  assert.equal(scratch.bytes.byteLength, 3)
  scratch.bytes.set([1, 2, 3])
  scratch.widen()
  assert.deepEqual([...scratch.bytes.subarray(0, 4)], [1, 2, 3, 0])
  assert.equal(scratch.bytes.byteLength, 100)
  assert.throws(() => new Scratch(10), /size 10/)
})

test('each function of native.ts is the one call that the compiler of Moddable replaces', () => {
  const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
  const compiled = readFileSync(join(root, 'dist/hal/moddable/native.js'), 'utf8')
  const c = readFileSync(join(root, 'hal/moddable/native.c'), 'utf8')
  const functions = [...compiled.matchAll(/export function (\w+)\((.*)\) \{\n(.*)\n\}/g)]
  assert.deepEqual(
    functions.map(([, name]) => name),
    ['copy', 'crc32', 'random', 'deepSleep'],
  )
  for (const [, name, parameters, body] of functions) {
    const call = ['this', ...parameters!.split(', ').filter(Boolean)].join(', ')
    assert.equal(body!.trim(), `return native('xs_holdfast_${name}').call(${call});`)
    assert.ok(c.includes(`void xs_holdfast_${name}(xsMachine* the)`))
  }
})
