/** What handlers of the application may do inside a call of the small client. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_FULL, type SmallEvent, type SmallEventName } from '../../src/small/index.js'
import { textsOf, words } from './small-desk.js'
import { board, boot, hex, kept, message, SmallDesk } from './small-desk.js'

describe('handlers of the small client', () => {
  it('may publish with each QoS, subscribe, unsubscribe and stop', () => {
    for (const start of [() => boot(board()), () => new SmallDesk(kept)]) {
      const desk = start()
      desk.connect()
      desk.client.on('message.received', ({ message: got }: SmallEvent) => {
        for (const qos of [0, 1, 2]) {
          assert.ok(desk.client.publish('echo', got!.payload, { qos }) >= 0)
        }
        desk.client.subscribe('more')
        desk.client.stop()
      })
      desk.reply(message(1, 3, 'ping'))
      const sent = desk.sent()
      assert.deepEqual(
        sent.filter(({ cmd }) => cmd !== 'subscribe').map(({ cmd }) => cmd),
        ['publish', 'puback', 'publish', 'publish', 'disconnect'],
      )
      assert.deepEqual(textsOf(sent), ['ping', 'ping', 'ping'])
      assert.ok(desk.client.isStopped)
      assert.equal(desk.client.stats.queued, 2)
    }
  })

  it('the payload of a message is whole while its handler publishes and after', () => {
    const desk = boot(board())
    desk.connect()
    const seen: string[] = []
    for (let n = 0; n < 3; n++) {
      desk.client.on('message', ({ text, topic }) => {
        desk.client.publish('other/topic', 'something else entirely', { qos: 1 })
        desk.client.publish('other/topic', 'and this')
        seen.push(topic + ' ' + text)
      })
    }
    desk.reply(message(2, 3, 'ping'), message(0, 0, 'pong'))
    assert.deepEqual(seen, [...Array(3).fill('in/1 ping'), ...Array(3).fill('in/1 pong')])
  })

  it('one that publishes QoS 0 without end leaves room for the acknowledgement', () => {
    const desk = new SmallDesk({ sendBufferSize: 256 })
    desk.connect()
    desk.client.on('message.received', () => {
      for (let n = 100; n >= 0; n--) while (desk.client.publish('t', 'x'.repeat(n)) === 0);
      assert.equal(desk.client.publish('t', 'x'), ERR_FULL)
    })
    desk.reply(message(1, 7, 'go'), message(2, 8, 'go'), { cmd: 'pubrel', messageId: 8 })
    assert.ok(desk.client.isConnected)
    const answers = words(desk.sent()).filter((word) => word !== 'publish')
    assert.deepEqual(answers, ['puback 7', 'pubrec 8', 'pubcomp 8'])
  })

  it('an unsubscribe inside a handler does not disturb the others', () => {
    const desk = new SmallDesk(kept)
    const seen: string[] = []
    for (const filter of ['in/1', 'in/+', '#']) {
      desk.client.subscribe(filter, {}, () => {
        seen.push(filter)
        desk.client.unsubscribe(filter)
      })
    }
    desk.connect()
    desk.reply(message(0, 0, 'x'))
    assert.deepEqual(seen, ['in/1', 'in/+', '#'])
    desk.reply(message(0, 0, 'x'))
    assert.equal(seen.length, 3)
    assert.equal(desk.received.length, 2)
  })

  it('a subscribe inside a handler is called from the next message on', () => {
    const desk = new SmallDesk(kept)
    const seen: string[] = []
    desk.client.subscribe('in/1', {}, () => {
      seen.push('first')
      desk.client.subscribe('#', {}, () => seen.push('second'))
    })
    desk.connect()
    desk.reply(message(0, 0, 'x'))
    assert.deepEqual(seen, ['first'])
    desk.reply(message(0, 0, 'x'))
    assert.deepEqual(seen, ['first', 'first', 'second'].slice(0, seen.length))
    assert.ok(seen.length >= 2)
  })

  it('one added or removed inside a handler does not disturb the others', () => {
    const desk = new SmallDesk(kept)
    const seen: string[] = []
    const second = () => seen.push('second')
    desk.client.on('message', () => {
      seen.push('first')
      desk.client.off('message', second)
      desk.client.on('message', () => seen.push('late'))
    })
    desk.client.on('message', second)
    desk.connect()
    desk.reply(message(0, 0, 'x'))
    assert.deepEqual(seen, ['first', 'second'])
    desk.reply(message(0, 0, 'x'))
    assert.deepEqual(seen.slice(2), ['first', 'late'])
  })

  it('a publish in a handler of message.acked goes on for ever, in bounded polls', () => {
    const desk = new SmallDesk({ ...kept, keepAliveMs: 0 })
    desk.connect()
    desk.client.on('message.acked', () => assert.ok(desk.publish(1) > 0))
    desk.publish(1)
    for (let n = 0; n < 300; n++) {
      desk.reply({ cmd: 'puback', messageId: desk.sentOne().messageId })
    }
    assert.equal(desk.client.stats.queued, 1)
  })

  it('a stop inside client.connected, and a start inside client.disconnected', () => {
    const desk = new SmallDesk(kept)
    let stops = 0
    desk.client.on('client.connected', () => {
      if (stops++ === 0) desk.client.stop()
    })
    desk.client.on('client.disconnected', () => desk.client.start())
    desk.publish(1)
    desk.connect()
    assert.equal(desk.client.isConnected, false)
    desk.connect({ sessionPresent: true })
    assert.ok(desk.client.isConnected)
    assert.deepEqual(textsOf(desk.sent()), ['x'])
  })

  it('one that throws loses no message: without answer it comes again', () => {
    for (const qos of [1, 2]) {
      const desk = new SmallDesk(kept)
      let calls = 0
      desk.client.subscribe('in/#', {}, () => {
        if (++calls === 1) throw new Error('of the application')
      })
      desk.connect()
      assert.throws(() => desk.reply(message(qos, 3, 'ping')), /of the application/)
      const answers = words(desk.sent()).filter((word) => word.startsWith('pub'))
      assert.deepEqual(answers, [])
      assert.ok(desk.client.isConnected)
      desk.reconnect()
      desk.reply(message(qos, 3, 'ping', true))
      assert.equal(calls, 2)
      assert.deepEqual(words(desk.sent()).slice(-1), [qos === 1 ? 'puback 3' : 'pubrec 3'])
    }
  })

  /** What makes the client tell of each event, on a desk that is connected. */
  const causes: [SmallEventName, (desk: SmallDesk) => void][] = [
    ['client.connected', (desk) => desk.reconnect()],
    [
      'session.lost',
      (desk) => {
        const [subscribe] = desk.sent().filter(({ cmd }) => cmd === 'subscribe')
        desk.reply({ cmd: 'suback', messageId: subscribe!.messageId, granted: [0] })
        desk.reconnect({ sessionPresent: false })
      },
    ],
    ['client.disconnected', (desk) => desk.replyBytes(hex('00 00'))],
    ['message.dropped', (desk) => desk.reply(message(1, 9, 'L'.repeat(3000)))],
    [
      'message.acked',
      (desk) => {
        const [publish] = desk.sent().filter(({ cmd }) => cmd === 'publish')
        desk.reply({ cmd: 'puback', messageId: publish!.messageId })
      },
    ],
    [
      'session.subscribed',
      (desk) => {
        const [subscribe] = desk.sent().filter(({ cmd }) => cmd === 'subscribe')
        desk.reply({ cmd: 'suback', messageId: subscribe!.messageId, granted: [0] })
      },
    ],
  ]
  for (const [name, cause] of causes) {
    it(`one of ${name} that throws once leaves a client that goes on`, () => {
      const desk = boot(board())
      desk.client.subscribe('in/#', { qos: 2 })
      desk.connect()
      desk.publish(1, 'kept')
      let calls = 0
      desk.client.on(name, () => {
        if (++calls === 1) throw new Error('of the application')
      })
      assert.throws(() => cause(desk), /of the application/)
      assert.equal(calls, 1)
      desk.poll()
      // Whatever state it is in: it comes to a connection that has the filter and the message.
      // A broker answers CONNECT once, and has a session from the first on.
      const isNew = name === 'session.lost'
      if (!desk.client.isConnected) desk.after(100000)
      if (!desk.client.isConnected) desk.connect({ sessionPresent: true })
      const sent = desk.sent()
      assert.ok(desk.client.isConnected)
      if (isNew) assert.ok(words(sent).some((word) => word.startsWith('subscribe')))
      if (name !== 'message.acked') assert.ok(textsOf(sent).length <= 1)
      const publish = sent.filter(({ cmd }) => cmd === 'publish').at(-1)
      if (publish) desk.reply({ cmd: 'puback', messageId: publish.messageId })
      if (desk.client.stats.queued > 0) {
        desk.reconnect()
        const [again] = desk.sent().filter(({ cmd }) => cmd === 'publish')
        desk.reply({ cmd: 'puback', messageId: again!.messageId })
      }
      assert.equal(desk.client.stats.queued, 0)
      assert.equal(desk.client.isConnected, true)
    })
  }
})
