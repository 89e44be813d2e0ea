/**
 * Publishing with strings: the client keeps the bytes of the last topic, and a message that is
 * being written is not disturbed by a handler that publishes.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_BUSY, ERR_TOPIC } from '../../src/index.js'
import { Desk } from './desk.js'

const LONG = 'a/' + 'x'.repeat(300)

describe('the topic of publish', () => {
  it('is that of the call, whatever the last one was', () => {
    const desk = new Desk()
    desk.connect()
    const topics = ['a/b', 'a/b', 'c', 'a/b', LONG, LONG, 'é/ü', LONG.slice(0, 299), 'c']
    for (const topic of topics) {
      assert.ok(desk.client.publish(topic, 'x', { qos: 1 }) > 0)
      const publish = desk.sentOne()
      assert.equal(publish.topic, topic)
      desk.reply({ cmd: 'puback', messageId: publish.messageId })
    }
  })

  it('is refused when it is none, also right after a good one, and harms no later one', () => {
    const desk = new Desk()
    desk.connect()
    for (const bad of ['', 'a/+', '#', 'a\0b', '\ud800', 'a/\ud800']) {
      assert.equal(desk.client.publish(bad, 'x'), ERR_TOPIC)
      assert.equal(desk.client.publish('a/b', 'x'), 0)
      assert.equal(desk.client.publish(bad, 'x'), ERR_TOPIC)
      assert.equal(desk.client.publish('a/b', 'x'), 0)
      assert.deepEqual(
        desk.sent().map((packet) => packet.topic),
        ['a/b', 'a/b'],
      )
    }
    assert.equal(new Desk().client.publish('', 'x', { qos: 1 }), ERR_TOPIC)
  })
})

describe('a handler of message.dropped that publishes', () => {
  const OPTIONS = { queueSize: 512, overflow: 'drop-oldest' as const }

  /** Publishes until the queue has dropped, and returns the text of the message sent last. */
  function overflow(told: number[], publish: (text: string) => number): string {
    for (let n = 0; n < 20; n++) {
      const text = String(n).padEnd(60)
      assert.ok(publish(text) > 0)
      if (told.length > 0) return text
    }
    return assert.fail('the queue never drops')
  }

  it('is told that the client is busy, and the message that made room is whole', () => {
    const desk = new Desk(OPTIONS)
    const told: number[] = []
    desk.client.on('message.dropped', () => {
      told.push(desk.client.publish('another/topic', 'short', { qos: 1 }))
    })
    const text = overflow(told, (text) => desk.client.publish('a/b', text, { qos: 1 }))
    assert.deepEqual(told, [ERR_BUSY])
    desk.connect()
    const last = desk.sent().at(-1)!
    assert.equal(last.topic, 'a/b')
    assert.equal(String(last.payload), text)
  })

  it('does not block the client for ever when it throws', () => {
    const desk = new Desk(OPTIONS)
    let isThrowing = true
    desk.client.on('message.dropped', () => {
      if (isThrowing) throw new Error('of the application')
    })
    assert.throws(() => {
      for (let n = 0; n < 20; n++) desk.client.publish('a/b', 'x'.repeat(60), { qos: 1 })
    }, /of the application/)
    isThrowing = false
    assert.ok(desk.client.publish('a/b', 'y', { qos: 1 }) > 0)
  })

  it('does not change the length of a payload of the same publisher', () => {
    const desk = new Desk(OPTIONS)
    const publisher = desk.client.publisher('a/b', { qos: 1 })
    const told: number[] = []
    desk.client.on('message.dropped', () => told.push(publisher.publish(Buffer.from('abc'), 0, 3)))
    const text = overflow(told, (text) => publisher.publish(Buffer.from(text), 0, 60))
    assert.deepEqual(told, [ERR_BUSY])
    desk.connect()
    assert.equal(String(desk.sent().at(-1)!.payload), text)
  })
})
