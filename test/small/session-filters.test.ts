/** SUBSCRIBE and UNSUBSCRIBE of the small client, and which messages a filter is given. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hex, kept, message, SmallDesk } from './small-desk.js'

describe('filters of the small client', () => {
  it('a SUBSCRIBE that is refused is told, and asked again on the next connection', () => {
    const desk = new SmallDesk(kept)
    desk.client.subscribe('no', { qos: 1 })
    desk.client.subscribe('yes', { qos: 2 })
    desk.connect()
    const first = desk.sentOne()
    assert.deepEqual(first.subscriptions, [{ topic: 'no', qos: 1 }])
    desk.reply({ cmd: 'suback', messageId: first.messageId, granted: [0x80] })
    const second = desk.sentOne()
    desk.reply({ cmd: 'suback', messageId: second.messageId, granted: [1] })
    const seen = desk.of('session.subscribed')
    assert.deepEqual(
      seen.map(({ text, status, reasonCode }) => [text, status < 0, reasonCode]),
      [
        ['no', true, 0x80],
        ['yes', false, 0],
      ],
    )
    desk.after(1000)
    assert.deepEqual(desk.sent(), [])
    desk.reconnect()
    assert.equal(desk.sentOne().subscriptions![0].topic, 'no')
  })

  it('a SUBACK with a reserved code is not taken for a yes [MQTT-3.9.3-2]', () => {
    for (const code of ['03', '7f', '81', 'ff']) {
      const desk = new SmallDesk(kept)
      desk.client.subscribe('x')
      desk.connect()
      desk.sentOne()
      desk.replyBytes(hex('90 03 80 01 ' + code))
      const isRefused = desk.of('session.subscribed').some(({ status }) => status < 0)
      assert.ok(isRefused || !desk.client.isConnected, code)
    }
  })

  it('a broker that never answers SUBSCRIBE or UNSUBSCRIBE holds nothing up', () => {
    const desk = new SmallDesk(kept)
    desk.connect()
    for (const ask of [() => desk.client.subscribe('x'), () => desk.client.unsubscribe('x')]) {
      ask()
      desk.publish(1)
      const publish = desk.sent().find(({ cmd }) => cmd === 'publish')
      desk.reply({ cmd: 'puback', messageId: publish!.messageId })
    }
    assert.equal(desk.of('message.acked').length, 2)
  })

  it('a filter asked for again before its SUBACK, or given up and wanted again', () => {
    const desk = new SmallDesk(kept)
    desk.client.subscribe('x')
    desk.connect()
    const first = desk.sentOne()
    desk.client.subscribe('x', { qos: 1 })
    desk.reply({ cmd: 'suback', messageId: first.messageId, granted: [0] })
    const second = desk.sentOne()
    assert.equal(second.subscriptions![0].qos, 1)
    desk.reply({ cmd: 'suback', messageId: second.messageId, granted: [1] })
    assert.equal(desk.client.unsubscribe('x'), true)
    assert.equal(desk.client.unsubscribe('x'), false)
    const third = desk.sentOne()
    assert.deepEqual([third.cmd, third.unsubscriptions], ['unsubscribe', ['x']])
    desk.client.subscribe('x')
    desk.reply({ cmd: 'unsuback', messageId: third.messageId })
    assert.equal(desk.sentOne().cmd, 'subscribe', 'what is wanted now is asked for')
    assert.ok(desk.client.isConnected)
  })

  it('an identifier of SUBSCRIBE does not leak, 40,000 connections long (F8)', () => {
    const desk = new SmallDesk({ ...kept, retryMinMs: 1, retryMaxMs: 1 })
    desk.client.subscribe('x')
    desk.connect()
    const ids = new Set<number>()
    for (let n = 0; n < 40000; n++) {
      const { askedId } = desk.client['session'].subscriptions as any
      ids.add(askedId)
      desk.client['session'].subscriptions.connected(false)
      desk.client['session'].wire.outEnd = 0
      desk.client['session'].subscriptions.send(desk.client['session'].wire)
    }
    assert.ok(Math.min(...ids) > 0x7fff && Math.max(...ids) <= 0xffff)
    assert.ok(ids.size > 30000)
  })

  it('a handler is given what its filter matches (section 4.7)', () => {
    const cases: [filter: string, topics: string[]][] = [
      ['sport/tennis/player1/#', ['sport/tennis/player1', 'sport/tennis/player1/ranking']],
      ['sport/#', ['sport', 'sport/', 'sport/tennis/player1', 'sport/tennis/player1/ranking']],
      ['#', ['sport', 'sport/', '/finance', 'finance', 'sport/tennis/player1']],
      ['sport/tennis/+', ['sport/tennis/player1', 'sport/tennis/player2']],
      ['sport/+', ['sport/']],
      ['+', ['sport', 'finance']],
      ['+/+', ['/finance', 'sport/']],
      ['/+', ['/finance']],
      ['+/monitor/Clients', ['a/monitor/Clients']],
      ['$SYS/#', ['$SYS/', '$SYS/monitor/Clients']],
      ['$SYS/monitor/+', ['$SYS/monitor/Clients']],
      ['/', ['/']],
      ['a//b', ['a//b']],
      ['a/+/b', ['a//b', 'a/x/b']],
    ]
    const topics = [...new Set(cases.flatMap(([, matched]) => matched)), 'Sport', 'sport/tenni']
    for (const [filter, matched] of cases) {
      const desk = new SmallDesk(kept)
      const seen: string[] = []
      desk.client.subscribe(filter, {}, ({ topic }) => seen.push(topic))
      desk.connect()
      for (const topic of matched) desk.reply({ ...message(0, 0, 'x'), topic })
      assert.deepEqual(seen, matched, filter)
      for (const topic of topics) {
        if (matches(filter, topic)) continue
        desk.reply({ ...message(0, 0, 'x'), topic })
        assert.deepEqual(seen, matched, `${filter} is no filter for ${topic}`)
      }
    }
  })
})

/** The same question asked of a regular expression. */
function matches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && !filter.startsWith('$')) return false
  const pattern = filter
    .replace(/[$]/g, '[$]')
    .replace(/[+]/g, '[^/]*')
    .replace(/(^|[/])#$/, (_, slash) => (slash ? '(/.*)?' : '.*'))
  return new RegExp(`^${pattern}$`).test(topic)
}
