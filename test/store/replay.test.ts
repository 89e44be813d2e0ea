/** Replay: what still stands on flash, acknowledged or not, read beside the client. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { Replay } from '../../src/replay.js'
import { FlashStore } from '../../src/storage.js'
import { Desk } from '../session/desk.js'

const ERASE = 1024

class Bench {
  readonly flash = new NorFlash({ capacity: 24 * ERASE, eraseSize: ERASE, writeSize: 4 })
  readonly system = new ManualSystem(4)
  readonly storage = new FlashStore(this.flash, this.system)
  readonly desk = new Desk({ storage: this.storage, overflow: 'drop-oldest' }, this.system)
  readonly replay = new Replay(this.storage, 0)

  walk(filter: string, from = 0): { next: number; seen: string[] } {
    const seen: string[] = []
    const next = this.replay.walk(filter, from, (message) => {
      const { bytes, payloadAt, payloadLength, topic, number, isComplete } = message
      const payload = Buffer.from(bytes.slice(payloadAt, payloadAt + payloadLength)).toString()
      seen.push(`${number} ${topic} ${payload}${isComplete ? ' complete' : ''}`)
    })
    return { next, seen }
  }
}

describe('replay', () => {
  it('shows messages by filter, acknowledged or not, from a number on', () => {
    const { desk, walk } = bound(new Bench())
    desk.connect()
    desk.client.publish('a/1', 'one', { qos: 1 })
    desk.client.publish('b/1', 'two', { qos: 1 })
    const [first] = desk.sent()
    desk.reply({ cmd: 'puback', messageId: first.messageId })
    desk.client.publish('a/2', 'three', { qos: 1 })
    assert.deepEqual(walk('a/+'), { next: 4, seen: ['1 a/1 one complete', '3 a/2 three'] })
    assert.deepEqual(walk('#', 2), { next: 4, seen: ['2 b/1 two', '3 a/2 three'] })
    assert.deepEqual(walk('#', 4), { next: 4, seen: [] })
    assert.throws(() => walk('a/#/b'), /"a\/#\/b" is no topic filter/)
  })

  it('goes on where it stopped, and never misses what comes later', () => {
    const { desk, replay, walk } = bound(new Bench())
    for (let n = 1; n <= 5; n++) desk.client.publish('t', String(n), { qos: 1 })
    const next = replay.walk('#', 0, ({ number }) => number < 3)
    assert.equal(next, 4)
    const rest = walk('#', next)
    assert.deepEqual(rest, { next: 6, seen: ['4 t 4', '5 t 5'] })
    assert.equal(desk.client.publish('t', '6', { qos: 1 }), rest.next)
    assert.deepEqual(walk('#', rest.next).seen, ['6 t 6'])
  })

  it('reaches back beyond what is complete, until its sectors are erased', () => {
    const { desk, walk } = bound(new Bench())
    desk.connect()
    for (let n = 1; n <= 2000; n++) {
      desk.client.publish('plant/temperature', String(n), { qos: 1 })
      for (const { messageId } of desk.sent()) desk.reply({ cmd: 'puback', messageId })
    }
    const { next, seen } = walk('#')
    assert.equal(next, 2001)
    assert.ok(seen.length > 400 && seen.length < 2000, `${seen.length}`)
    seen.forEach((line, index) => {
      const number = 2001 - seen.length + index
      assert.equal(line, `${number} plant/temperature ${number} complete`)
    })
    assert.equal(walk('#', 1990).seen.length, 11)
  })

  it('works from a handler and leaves the client as it is', () => {
    const bench = new Bench()
    const { desk, walk } = bound(bench)
    const counts: number[] = []
    desk.client.on('message.sent', () => counts.push(walk('#').seen.length))
    desk.client.on('message.acked', () => counts.push(walk('#').seen.length))
    for (let n = 0; n < 40; n++) desk.client.publish('t' + n, 'p' + n, { qos: 1 })
    desk.connect()
    const got: string[] = []
    for (let round = 0; round < 10; round++) {
      for (const { messageId, payload } of desk.sent()) {
        got.push(String(payload))
        desk.reply({ cmd: 'puback', messageId })
      }
    }
    const all = Array.from({ length: 40 }, (_, n) => 'p' + n)
    assert.deepEqual([...new Set(got)], all)
    assert.ok(counts.length >= 80)
    assert.ok(counts.every((count) => count === 40))
  })

  it('skips and counts what is damaged', () => {
    const { desk, flash, replay, walk } = bound(new Bench())
    for (let n = 1; n <= 9; n++) desk.client.publish('t', 'payload ' + n, { qos: 1 })
    const bytes = new Uint8Array(flash.capacity)
    flash.read(0, bytes, 0, bytes.length)
    flash.flipBit(Buffer.from(bytes).indexOf('payload 4'), 0)
    const { seen } = walk('#')
    assert.deepEqual(
      seen.map((line) => Number(line.split(' ')[0])),
      [1, 2, 3, 5, 6, 7, 8, 9],
    )
    assert.equal(replay.skippedCount, 1)
  })

  it('a visitor may publish', () => {
    const { desk, replay, walk } = bound(new Bench())
    for (let n = 1; n <= 5; n++) desk.client.publish('t', String(n), { qos: 1 })
    const next = replay.walk('t', 0, () => desk.client.publish('again', 'x', { qos: 1 }))
    assert.equal(next, 6, 'the log as it was when the walk began')
    assert.equal(walk('again').seen.length, 5)
  })

  it('a payload in parts is read part by part', () => {
    const { desk, replay } = bound(new Bench())
    const payload = Uint8Array.from({ length: 5000 }, (_, n) => (n * 7) & 255)
    const stream = desk.client.stream('big', payload.length, { qos: 1 })
    assert.equal(stream.status, 0)
    for (let at = 0; at < payload.length; at += 100) stream.write(payload, at, 100)
    const parts: Buffer[] = []
    replay.walk('big', 0, (message) => {
      assert.equal(message.payloadLength, 5000)
      for (let length = message.nextPart(); length > 0; length = message.nextPart()) {
        parts.push(Buffer.from(message.bytes.slice(message.payloadAt, message.payloadAt + length)))
      }
    })
    assert.deepEqual(Buffer.concat(parts), Buffer.from(payload))
  })
})

/** The bench with its method bound, to take apart. */
function bound(bench: Bench) {
  const { flash, desk, replay } = bench
  return { flash, desk, replay, walk: bench.walk.bind(bench) }
}
