/** Handlers with a topic filter and an order. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MqttClient } from '../../src/index.js'
import { ManualSystem, ScriptedTransport } from '../../hal/memory/index.js'
import { boot, board, kept, message, RETURNS } from './failures-rig.js'
import { Desk } from './desk.js'

const on = (topic: string, text: string) => ({ ...message(0, 0, text), topic })

describe('handlers of events', () => {
  it('a topic filter chooses among arriving messages, on bytes', () => {
    const desk = new Desk()
    const seen: string[] = []
    const listen = (filter: string) =>
      desk.client.on('message.received', (event) => seen.push(`${filter} ${event.topic}`), {
        filter,
      })
    for (const filter of ['a/+/b', 'a/#', '+/x', '#', 'é/+']) listen(filter)
    desk.connect()
    desk.reply(on('a/x/b', ''), on('a', ''), on('b/x', ''), on('$SYS/x', ''), on('é/ü', ''))
    assert.deepEqual(seen, [
      'a/+/b a/x/b',
      'a/# a/x/b',
      '# a/x/b',
      'a/# a',
      '# a',
      '+/x b/x',
      '# b/x',
      '# é/ü',
      'é/+ é/ü',
    ])
  })

  it('a topic filter chooses among queued, persisted and sent messages', () => {
    const desk = boot(board())
    const seen: string[] = []
    for (const name of ['message.queued', 'message.persisted', 'message.sent'] as const) {
      const note = (event: { ticket: number; topic: string }) =>
        seen.push(`${name} ${event.ticket} ${event.topic}`)
      desk.client.on(name, note, { filter: 'alarm/+' })
    }
    desk.client.publish('data/1', 'x', { qos: 1 })
    const ticket = desk.client.publish('alarm/1', 'x', { qos: 1 })
    desk.client.publisher('alarm/2/deep', { qos: 1 }).publish(new Uint8Array(1), 0, 1)
    desk.connect()
    assert.deepEqual(seen, [
      `message.queued ${ticket} alarm/1`,
      `message.persisted ${ticket} alarm/1`,
      `message.sent ${ticket} alarm/1`,
    ])
  })

  it('a message queued again after a lost session has no topic and passes no filter', () => {
    const desk = new Desk({ ...kept })
    desk.connect()
    desk.client.publish('a', 'x', { qos: 1 })
    desk.sent()
    const seen: string[] = []
    desk.client.on('message.queued', (event) => seen.push(`all "${event.topic}"`))
    desk.client.on('message.queued', () => seen.push('filtered'), { filter: '#' })
    desk.reconnect({ sessionPresent: false })
    assert.deepEqual(seen, ['all ""'])
  })

  it('smaller orders are called first, equal ones as they were added', () => {
    const desk = new Desk()
    const seen: string[] = []
    const listen = (name: string, order?: number) =>
      desk.client.on(
        'message.received',
        () => seen.push(name),
        order === undefined ? {} : { order },
      )
    listen('ten', 10)
    listen('zero')
    listen('minus', -5)
    listen('ten again', 10)
    listen('zero again', 0)
    desk.connect()
    desk.reply(on('t', ''))
    assert.deepEqual(seen, ['minus', 'zero', 'zero again', 'ten', 'ten again'])
  })

  it('handlers that are added and removed while handlers run take effect at the next event', () => {
    const desk = new Desk()
    const seen: string[] = []
    const late = () => seen.push('late')
    const first = () => {
      seen.push('first')
      desk.client.on('message.received', late, { order: -1 })
      desk.client.off('message.received', first)
    }
    desk.client.on('message.received', first)
    desk.client.on('message.received', () => seen.push('second'))
    desk.connect()
    desk.reply(on('t', ''))
    assert.deepEqual(seen.splice(0), ['first', 'second'])
    desk.reply(on('t', ''))
    assert.deepEqual(seen, ['late', 'second'])
  })

  it('a handler that publishes does not change which handlers are called after it', () => {
    const desk = boot(board(), {})
    const seen: string[] = []
    for (const name of ['message.queued', 'message.persisted', 'message.sent'] as const) {
      desk.client.on(
        name,
        () => {
          if (name !== 'message.persisted') desk.client.publish('other/topic', 'x', { qos: 1 })
        },
        { filter: 'alarm/+', order: -1 },
      )
      for (const filter of ['alarm/+', 'other/+']) {
        desk.client.on(name, ({ ticket }) => seen.push(`${name} ${filter} ${ticket}`), { filter })
      }
    }
    const ticket = desk.client.publish('alarm/1', 'x', { qos: 1 })
    desk.connect()
    const of = (name: string, filter: string) =>
      seen.filter((line) => line.startsWith(`message.${name} ${filter}`))
    for (const name of ['queued', 'persisted', 'sent']) {
      assert.deepEqual(of(name, 'alarm/+'), [`message.${name} alarm/+ ${ticket}`])
      assert.equal(of(name, 'other/+').length, 2)
    }
    const ram = new Desk() // all topics stand in the buffer that is published from
    const sent: string[] = []
    ram.client.on('message.sent', () => void ram.client.publish('z'.repeat(200), '', { qos: 1 }), {
      filter: 'alarm/+',
    })
    ram.client.on('message.sent', () => sent.push('after'), { filter: 'alarm/+' })
    ram.client.publish('alarm/1', 'x', { qos: 1 })
    ram.connect()
    assert.deepEqual(sent, ['after'])
  })

  it('an event has 32 handlers at the most', () => {
    const desk = new Desk()
    const seen: number[] = []
    desk.client.off('message.received', desk.client['events']['handlers'][11]![0]!.handler)
    for (let n = 0; n < 32; n++) desk.client.on('message.received', () => seen.push(n))
    assert.throws(() => desk.client.on('message.received', () => {}), /more than 32 handlers/)
    desk.connect()
    desk.reply(on('t', ''))
    assert.deepEqual(seen, [...Array(32).keys()])
  })

  it('a filter where an event has no topic, and what is no filter or order, is refused', () => {
    const { client } = new Desk()
    const ignore = () => {}
    for (const name of ['message.acked', 'message.dropped', 'client.connected'] as const) {
      assert.throws(
        () => client.on(name, ignore, { filter: 'a/#' }),
        new RegExp(`"filter".*${name} has no topic`),
      )
    }
    assert.throws(() => client.on('message.received', ignore, { filter: 'a#' }), /"filter" is a#/)
    assert.throws(() => client.on('message.received', ignore, { filter: '' }), /"filter"/)
    assert.throws(() => client.on('message.received', ignore, { order: 1.5 }), /"order" is 1.5/)
  })

  for (const [how, comeBack] of RETURNS) {
    it(`the table of subscriptions is asked for again when the session was lost, ${how}`, () => {
      const flash = board()
      let desk = boot(flash)
      const table = [...'abcdefghijk'].map((name) => `${name}/+`)
      const seen: string[] = []
      const declare = () => {
        for (const filter of table) {
          desk.client.subscribe(filter, { qos: 1 }, () => seen.push(filter))
        }
      }
      declare()
      const asked = () => {
        const filters: string[] = []
        for (let packets = desk.sent(); packets.length > 0; packets = desk.sent()) {
          for (const { messageId, subscriptions } of packets) {
            filters.push(...subscriptions!.map(({ topic }: { topic: string }) => topic))
            desk.reply({ cmd: 'suback', messageId, granted: subscriptions!.map(() => 1) })
          }
        }
        return filters
      }
      desk.connect()
      assert.deepEqual(asked(), table)
      const before = desk
      desk = comeBack(desk, flash, {})
      if (desk === before) {
        desk.reconnect({ sessionPresent: false })
      } else {
        declare()
        desk.connect({ sessionPresent: false })
      }
      assert.deepEqual(asked(), table)
      desk.reply(on('k/1', ''))
      assert.deepEqual(seen, ['k/+'])
    })
  }

  it('an event name that is none is refused with the names there are', () => {
    const options = {
      system: new ManualSystem(1),
      transport: new ScriptedTransport(),
      broker: 'mqtt://h',
      clientId: 'x',
    }
    const client = new MqttClient(options)
    assert.throws(() => client.on('x' as any, () => {}), /message.received.*client.authenticated/)
  })
})
