/** Known failures F9 to F19 of other clients, one test each: resuming, losing, going on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_REFUSED, ERR_SESSION_LOST } from '../../src/index.js'
import { TopicAliases } from '../../src/session/topic-aliases.js'
import { Desk, words } from './desk.js'
import { board, boot, checkCounts, comeBack, kept, message, textsOf } from './failures-rig.js'
import { RETURNS, VERSIONS, Wire, withoutSubscribes, withSeed } from './failures-rig.js'
import { ModelBroker } from './model-broker.js'

const FILE = 'failures-resume.test.js'
const count = (size: number) => Array.from({ length: size }, (_, n) => `${n}`)

for (const [how, comesBack] of RETURNS) {
  it(`F9: Receive Maximum 20, then 3: never more than 3 unanswered, ${how}`, () => {
    const flash = board()
    const first = boot(flash)
    first.connect({ properties: { receiveMaximum: 20 } })
    for (const text of count(24)) first.client.publish('t', text, { qos: 1 + (Number(text) % 2) })
    const sent = first.sent()
    assert.equal(sent.length, 20)
    // Three of QoS 2 are released: they have no PUBLISH left, but take part of the quota.
    for (const { messageId } of sent.filter(({ qos }) => qos === 2).slice(0, 3)) {
      first.reply({ cmd: 'pubrec', messageId })
    }
    first.client.flush()
    const desk = comesBack(first, flash, {})
    comeBack(desk, { sessionPresent: true, properties: { receiveMaximum: 3 } })
    const open = new Set<number>()
    for (let packets = desk.sent(); packets.length > 0; packets = desk.sent()) {
      for (const { cmd, messageId, qos } of packets) {
        if (cmd === 'publish') open.add(messageId!)
        assert.ok(open.size <= 3, `${open.size} PUBLISH packets at a time`)
        if (cmd === 'pubrel') desk.reply({ cmd: 'pubcomp', messageId })
        else desk.reply({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId })
        if (cmd === 'pubrel' || qos === 1) open.delete(messageId!)
        checkCounts(desk)
      }
    }
    assert.equal(desk.client.stats.queued, 0)
  })
}

for (const protocol of VERSIONS) {
  describe(`known failures of resuming, protocol ${protocol}`, () => {
    it('F10: answers nobody waits for return no quota', () => {
      const isV5 = protocol === 5
      const desk = new Desk({ protocol, ...kept, inFlightLimit: isV5 ? 20 : 2 })
      desk.connect(isV5 ? { properties: { receiveMaximum: 2 } } : {})
      for (const text of count(12)) desk.client.publish('t', text, { qos: 1 })
      const [first] = desk.sent()
      for (const messageId of [500, 501, 502, 65535]) {
        desk.reply({ cmd: 'puback', messageId }, { cmd: 'pubcomp', messageId })
        checkCounts(desk)
      }
      assert.deepEqual(desk.sent(), [])
      assert.equal(desk.client.stats.inFlight, 2)
      for (let n = 0; n < 5; n++) desk.reply({ cmd: 'puback', messageId: first!.messageId })
      assert.equal(desk.sent().length, 1, 'five PUBACKs for one PUBLISH return one place')
    })

    it('F11: the count in flight is the count recomputed after each of 2,000 events', () => {
      withSeed(FILE, (chance) => {
        const desk = new Desk({ protocol, ...kept, inFlightLimit: 5 })
        desk.connect()
        let open: number[] = []
        for (let step = 0; step < 2000; step++) {
          if (!desk.client.isConnected) {
            comeBack(desk, { sessionPresent: chance.below(3) > 0 })
          }
          desk.client.publish('t', 'x', { qos: 1 + chance.below(2) })
          open = open.concat(desk.sent().map((packet) => packet.messageId ?? 1))
          const messageId = open[chance.below(open.length)] ?? 1
          const cmd = ['puback', 'pubrec', 'pubcomp', 'pubrec'][chance.below(4)]!
          const isRefused = protocol === 5 && cmd !== 'pubcomp' && chance.below(3) === 0
          desk.reply({ cmd, messageId, ...(isRefused ? { reasonCode: 0x97 } : {}) })
          checkCounts(desk)
          if (chance.below(40) === 0 && desk.transport.state === 2) desk.transport.drop('cut')
          desk.poll()
          checkCounts(desk)
          if (open.length > 30) open = open.slice(-10)
        }
        // Liveness: with a broker that answers, all that is left goes.
        const broker = new ModelBroker(protocol)
        new Wire(desk, broker).breakAndReturn(desk).pump()
        assert.equal(desk.client.stats.queued, 0)
        assert.equal(desk.client.stats.inFlight, 0)
      })
    })

    for (const [how, comesBack] of RETURNS) {
      for (const sessionPresent of [true, false]) {
        it(`F12: a full window at disconnect, Session Present ${sessionPresent}, ${how}`, () => {
          const flash = board()
          // Receive Maximum 1 of the broker; 3.1.1 has none, there the limit is our own.
          const isV5 = protocol === 5
          const options = { protocol, inFlightLimit: isV5 ? 20 : 1 }
          const offer = isV5 ? { properties: { receiveMaximum: 1 } } : {}
          const first = boot(flash, options)
          first.connect(offer)
          for (const text of count(3)) first.client.publish('t', text, { qos: 1 })
          assert.equal(first.sent().length, 1)
          const desk = comesBack(first, flash, options)
          comeBack(desk, { sessionPresent, ...offer })
          for (const text of count(3)) {
            const publish = desk.sentOne()
            assert.equal(String(publish.payload), text)
            desk.reply({ cmd: 'puback', messageId: publish.messageId })
          }
          assert.equal(desk.client.stats.queued, 0)
        })
      }

      it(`F14: after Session Present 0 nothing of the old session is sent, ${how}`, () => {
        const flash = board()
        const first = boot(flash, { protocol })
        first.connect()
        first.client.publish('t', '0', { qos: 1 })
        first.client.publish('t', '1', { qos: 2 })
        first.client.publish('t', '2', { qos: 2 })
        const third = first.sent()[2]!
        first.reply({ cmd: 'pubrec', messageId: third.messageId })
        first.reply(message(2, 9, 'inbound'))
        first.sent()
        const desk = comesBack(first, flash, { protocol })
        comeBack(desk, { sessionPresent: false })
        const packets = desk.sent()
        assert.deepEqual(textsOf(packets), count(3))
        assert.ok(packets.every(({ cmd, dup }) => cmd === 'publish' && !dup))
        assert.equal(desk.of('session.lost').length, 1)
        desk.received.length = 0
        desk.reply(message(2, 9, 'another'))
        assert.equal(desk.received.length, 1, 'the old inbound identifier means nothing')
      })

      it(`F15: the policy discard keeps what was never sent, ${how}`, () => {
        const flash = board()
        const options = { protocol, inFlightLimit: 2, sessionLost: 'discard' } as const
        const first = boot(flash, options)
        first.connect()
        for (const text of count(5)) first.client.publish('t', text, { qos: 1 })
        assert.equal(first.sent().length, 2)
        const desk = comesBack(first, flash, options)
        comeBack(desk, { sessionPresent: false })
        for (let n = 0; n < 5; n++) {
          for (const { messageId } of desk.sent()) desk.reply({ cmd: 'puback', messageId })
        }
        const acked = desk.of('message.acked').length
        const dropped = desk.of('message.dropped')
        assert.equal(acked + dropped.length, 5)
        assert.ok(dropped.every(({ status }) => status === ERR_SESSION_LOST))
        assert.ok(acked >= 3, `${acked} of 3 that were never sent arrived`)
      })

      it(`F16: a producer that goes on never overtakes what is stored, ${how}`, () => {
        withSeed(FILE, (chance) => {
          const flash = board(64 * 1024)
          const options = { protocol, inFlightLimit: 4 }
          const broker = new ModelBroker(protocol)
          let wire = new Wire(boot(flash, options), broker)
          let next = 0
          const produce = () => {
            if (next >= 400) return
            const qos = 1 + (next % 5 === 0 ? 1 : 0)
            wire.desk.client.publish(`t/${next % 3}`, `${next}`, { qos })
            next++
          }
          wire.desk.client.start()
          while (next < 400) {
            wire.desk.transport.room = 20 + chance.below(400)
            wire.toClient = 5 + chance.below(80)
            wire.pump(produce)
            produce()
            wire = wire.breakAndReturn(comesBack(wire.desk, flash, options))
          }
          wire.pump()
          // Repeats run through what came already; what comes for the first time is in order.
          const firsts = [...new Set(broker.delivered.map(({ text }) => text))]
          const streamOf = (text: string) => `${Number(text) % 3} ${Number(text) % 5 === 0}`
          for (const stream of new Set(count(400).map(streamOf))) {
            const one = (text: string) => streamOf(text) === stream
            assert.deepEqual(firsts.filter(one), count(400).filter(one), stream)
          }
        })
      })

      it(`F18: what is published during a resend survives a second loss, ${how}`, () => {
        for (let cut = 0; cut < 12; cut++) {
          const flash = board()
          const first = boot(flash, { protocol })
          first.connect()
          for (const text of count(5)) first.client.publish('t', text, { qos: 1 })
          first.sent()
          const second = comesBack(first, flash, { protocol })
          comeBack(second)
          // The resend leaves byte by byte; a new message comes in the middle of it.
          second.client.publish('t', '5', { qos: 1 })
          second.transport.room = cut * 8
          second.poll()
          second.client.publish('t', '6', { qos: 2 })
          second.poll()
          second.transport.drop('cut')
          second.transport.room = Infinity
          const desk = comesBack(second, flash, { protocol })
          desk.poll()
          second.transport.takeSent()
          comeBack(desk)
          const broker = new ModelBroker(protocol)
          broker.hasSession = true
          for (const answer of broker.receive(desk.transport.sent)) desk.transport.deliver(answer)
          assert.deepEqual([...new Set(broker.delivered.map(({ text }) => text))], count(7))
        }
      })

      it(`F19: after a resend new messages leave at once, ${how}`, () => {
        const flash = board()
        const first = boot(flash, { protocol })
        first.connect()
        for (const text of count(3)) first.client.publish('t', text, { qos: 1 })
        first.sent()
        const desk = comesBack(first, flash, { protocol })
        comeBack(desk)
        for (const { messageId } of desk.sent()) desk.reply({ cmd: 'puback', messageId })
        for (const text of count(30)) {
          desk.client.publish('t', text, { qos: 1 })
          const publish = desk.sentOne()
          assert.deepEqual([String(publish.payload), publish.dup], [text, false])
          desk.reply({ cmd: 'puback', messageId: publish.messageId })
        }
        assert.equal(desk.client.stats.queued, 0)
      })
    }

    for (const [how, comesBack] of RETURNS) {
      it(`F13: Session Present 0 in every state of an exchange, and all goes on, ${how}`, () => {
        const states: [string, (desk: Desk, messageId: number) => void][] = [
          ['sent', () => {}],
          ['PUBREC came', (desk, messageId) => desk.reply({ cmd: 'pubrec', messageId })],
          [
            'PUBREC came, PUBREL stuck',
            (desk, messageId) => {
              desk.transport.room = 0
              desk.reply({ cmd: 'pubrec', messageId })
            },
          ],
          [
            'half of the next PUBLISH left',
            (desk) => {
              desk.transport.room = 5
              desk.client.publish('t', 'next', { qos: 1 })
              desk.poll()
            },
          ],
          ['subscribing', (desk) => desk.client.subscribe('x')],
          ['receiving', (desk) => desk.reply(message(2, 3, 'in'))],
          ['resumed, resend stuck', (desk) => desk.reconnect({ sessionPresent: true })],
          [
            'PUBREC twice',
            (desk, messageId) => {
              desk.reply({ cmd: 'pubrec', messageId }, { cmd: 'pubrec', messageId })
            },
          ],
        ]
        for (const [name, enter] of states) {
          for (const sessionLost of ['republish', 'discard'] as const) {
            const flash = board()
            const options = { protocol, sessionLost }
            const first = boot(flash, options)
            first.connect()
            first.client.publish('t', 'one', { qos: 2 })
            enter(first, first.sentOne().messageId!)
            first.client.publish('t', 'stashed', { qos: 1 })
            const broker = new ModelBroker(protocol)
            const receive = broker.receive.bind(broker)
            broker.receive = (bytes) => receive(withoutSubscribes(bytes))
            const desk = comesBack(first, flash, options)
            new Wire(first, broker).breakAndReturn(desk).pump()
            checkCounts(desk)
            assert.equal(desk.client.stats.queued, 0, `${name}, ${sessionLost}`)
            const texts = broker.delivered.map(({ text }) => text)
            assert.equal(texts.includes('one'), sessionLost === 'republish', name)
            assert.equal(new Set(texts).size, texts.length, name)
          }
        }
      })
    }
  })
}

it('F11: PUBREC with an error returns its place, whatever the session', () => {
  for (const options of [{}, kept]) {
    const desk = new Desk({ inFlightLimit: 1, ...options })
    desk.connect()
    for (const text of count(5)) {
      desk.client.publish('t', text, { qos: 2 })
      const publish = desk.sentOne()
      assert.equal(String(publish.payload), text)
      desk.reply({ cmd: 'pubrec', messageId: publish.messageId, reasonCode: 0x97 })
      checkCounts(desk)
    }
    assert.equal(desk.of('message.dropped').filter((e) => e.status === ERR_REFUSED).length, 5)
  }
})

for (const [how, comesBack] of RETURNS) {
  it(`F17: Topic Alias Maximum 10, 0, then 5: no alias outlives its connection, ${how}`, () => {
    const flash = board()
    const options = () => ({ aliases: new TopicAliases(8, 0), inFlightLimit: 40 })
    let desk = boot(flash, options())
    let sent = 0
    for (const [round, topicAliasMaximum] of [10, 0, 5].entries()) {
      const connack = { sessionPresent: round > 0, properties: { topicAliasMaximum } }
      if (round === 0) desk.connect(connack)
      else comeBack((desk = comesBack(desk, flash, options())), connack)
      for (let n = 0; n < 12; n++) desk.client.publish(`a/long/topic/${n % 6}`, 'x', { qos: 1 })
      const told = new Map<number, string>()
      const packets = desk.sent().filter(({ cmd }) => cmd === 'publish')
      assert.equal(packets.length, (sent += 12), 'what was sent before, and 12 more')
      for (const [index, { topic, properties }] of packets.entries()) {
        const alias = properties?.topicAlias ?? 0
        assert.ok(alias <= topicAliasMaximum, `alias ${alias} of ${topicAliasMaximum}`)
        if (alias > 0 && topic !== '') told.set(alias, topic!)
        const known = topic === '' ? told.get(alias) : topic
        assert.equal(known, `a/long/topic/${index % 6}`, 'an alias told on this connection')
      }
      assert.equal(told.size, Math.min(6, topicAliasMaximum))
    }
  })
}

it('F17: no alias is ever sent without the option, whatever Topic Alias Maximum is offered', () => {
  const desk = new Desk({ ...kept })
  let isFirst = true
  for (const topicAliasMaximum of [10, 0, 5]) {
    const connack = { sessionPresent: !isFirst, properties: { topicAliasMaximum } }
    if (isFirst) desk.connect(connack)
    else desk.reconnect(connack)
    isFirst = false
    const publisher = desk.client.publisher('a/long/topic', { qos: 1 })
    for (let n = 0; n < 5; n++) {
      publisher.publish(Uint8Array.from([n]), 0, 1)
      desk.client.publish('a/long/topic', `${n}`, { qos: n % 3 })
    }
    const packets = desk.sent().filter(({ cmd }) => cmd === 'publish')
    assert.ok(packets.length >= 10)
    for (const { topic, properties } of packets) {
      assert.equal(topic, 'a/long/topic')
      assert.equal(properties?.topicAlias, undefined)
    }
  }
  const properties = { topicAlias: 3 }
  assert.ok(desk.client.publish('t', 'x', { qos: 1, properties }) < 0, 'an alias asked for')
  assert.throws(() => desk.client.publisher('t', { properties }))
})

it('F9: resends wait for the quota, and words other than PUBLISH do not', () => {
  const desk = new Desk({ ...kept })
  desk.connect()
  for (const text of count(3)) desk.client.publish('t', text, { qos: 2 })
  const [first] = desk.sent()
  desk.reply({ cmd: 'pubrec', messageId: first!.messageId })
  desk.sent()
  desk.client.subscribe('x')
  desk.reconnect({ sessionPresent: true, properties: { receiveMaximum: 1 } })
  const packets = words(desk.sent())
  assert.ok(packets.includes(`pubrel ${first!.messageId}`))
  assert.ok(packets.some((word) => word.startsWith('subscribe')))
  assert.equal(packets.filter((word) => word.startsWith('publish')).length, 0)
})
