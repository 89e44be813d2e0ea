/** Filters that were given up at one of several brokers: the others have a session of their own. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Desk, Packet } from './desk.js'
import { boot, drop, flashOf, greet, refuse } from './roaming-rig.js'

describe('a filter that nobody wants any more', () => {
  const present = { sessionPresent: true }

  /** Answers what is asked, and says what it was: "subscribe f g". */
  function asked(desk: Desk): string[] {
    const list: string[] = []
    for (let packets = desk.sent(); packets.length > 0; packets = desk.sent()) {
      for (const { cmd, messageId, subscriptions, unsubscriptions } of packets) {
        const filters = unsubscriptions ?? subscriptions.map(({ topic }: any) => topic)
        list.push([cmd, ...filters].join(' '))
        const granted = filters.map(() => 0)
        desk.reply({ cmd: cmd === 'subscribe' ? 'suback' : 'unsuback', messageId, granted })
      }
    }
    return list
  }

  /** Leaves the broker it is at for another. */
  function move(desk: Desk, from: string, to: string, connack: Record<string, any>): Packet {
    drop(desk)
    refuse(desk, from)
    return greet(desk, to, connack)
  }

  /** With a session at both brokers, now at B, and the filters asked for at both. */
  function atBoth(...filters: string[]): Desk {
    const desk = boot(flashOf(), { protocol: 5 })
    for (const filter of filters) desk.client.subscribe(filter)
    greet(desk, 'a.test')
    asked(desk)
    move(desk, 'a.test', 'b.test', {})
    asked(desk)
    return desk
  }

  it('is told to each broker, when the client is there with its session', () => {
    const desk = atBoth('f', 'g')
    assert.equal(desk.client.unsubscribe('f'), true)
    assert.equal(desk.client.unsubscribe('f'), false)
    assert.deepEqual(asked(desk), ['unsubscribe f'])
    move(desk, 'b.test', 'a.test', present)
    assert.deepEqual(asked(desk), ['subscribe g', 'unsubscribe f'])
    move(desk, 'a.test', 'b.test', present)
    assert.deepEqual(asked(desk), ['subscribe g'])
    move(desk, 'b.test', 'a.test', present)
    assert.deepEqual(asked(desk), ['subscribe g'])
  })

  it('is told to each also if it was given up without a connection', () => {
    const desk = atBoth('f')
    drop(desk)
    desk.client.unsubscribe('f')
    greet(desk, 'b.test', present)
    assert.deepEqual(asked(desk), ['unsubscribe f'])
    drop(desk)
    greet(desk, 'b.test', present)
    assert.deepEqual(asked(desk), [])
    move(desk, 'b.test', 'a.test', present)
    assert.deepEqual(asked(desk), ['unsubscribe f'])
  })

  it('is told again where the answer was lost', () => {
    const desk = atBoth('f')
    desk.client.unsubscribe('f')
    assert.equal(desk.sentOne().cmd, 'unsubscribe')
    move(desk, 'b.test', 'a.test', present)
    assert.deepEqual(asked(desk), ['unsubscribe f'])
    move(desk, 'a.test', 'b.test', present)
    assert.deepEqual(asked(desk), ['unsubscribe f'])
  })

  it('is told to no broker that has no session', () => {
    const desk = atBoth('f', 'g')
    desk.client.unsubscribe('f')
    assert.deepEqual(asked(desk), ['unsubscribe f'])
    move(desk, 'b.test', 'a.test', {})
    assert.deepEqual(asked(desk), ['subscribe g'])
  })

  it('is not given up where it is wanted again', () => {
    const desk = atBoth('f')
    desk.client.unsubscribe('f')
    assert.deepEqual(asked(desk), ['unsubscribe f'])
    desk.client.subscribe('f')
    assert.deepEqual(asked(desk), ['subscribe f'])
    move(desk, 'b.test', 'a.test', present)
    assert.deepEqual(asked(desk), ['subscribe f'])
    desk.client.unsubscribe('f')
    assert.deepEqual(asked(desk), ['unsubscribe f'])
    move(desk, 'a.test', 'b.test', present)
    assert.deepEqual(asked(desk), ['unsubscribe f'])
  })

  it('is one of sixteen at the most: then the session elsewhere is begun anew', () => {
    for (const count of [16, 17]) {
      const filters = [...Array(count).keys()].map((n) => `f/${n}`)
      const desk = atBoth(...filters)
      for (const filter of filters) desk.client.unsubscribe(filter)
      asked(desk)
      const connect = move(desk, 'b.test', 'a.test', count === 16 ? present : {})
      assert.equal(connect.clean, count === 17)
      const told = asked(desk).flatMap((words) => words.split(' ').slice(1))
      assert.deepEqual(told, count === 16 ? filters : [])
    }
  })

  it('is told to the one broker there is, if its SUBSCRIBE was not answered', () => {
    const desk = boot(flashOf(), { broker: 'mqtt://a.test' })
    desk.client.subscribe('f')
    greet(desk, 'a.test')
    assert.equal(desk.sentOne().cmd, 'subscribe')
    drop(desk)
    desk.client.unsubscribe('f')
    greet(desk, 'a.test', present)
    assert.deepEqual(asked(desk), ['unsubscribe f'])
  })
})
