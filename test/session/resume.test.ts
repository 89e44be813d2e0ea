import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_SESSION_LOST } from '../../src/index.js'
import { Desk, words } from './desk.js'

const kept = { sessionExpirySeconds: 3600, cleanStart: false } as const

for (const protocol of [4, 5]) {
  describe(`resume, protocol ${protocol}`, () => {
    it('what was in flight is sent again in order, with DUP and the same identifiers', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      for (let n = 0; n < 3; n++) desk.client.publish('t', String(n), { qos: n === 1 ? 2 : 1 })
      const first = words(desk.sent())
      desk.client.publish('t', 'new', { qos: 1 })
      desk.reconnect({ sessionPresent: true })
      const again = desk.sent()
      assert.deepEqual(words(again), [...first.map((word) => word + ' dup'), 'publish 5'])
      assert.equal(desk.of('session.resumed')[0]!.count, 3)
    })

    it('nothing is sent again while the connection lasts', () => {
      const desk = new Desk({ protocol, ...kept, ackTimeoutMs: 0, keepAliveMs: 0 })
      desk.connect()
      desk.client.publish('t', 'x', { qos: 1 })
      assert.equal(desk.sent().length, 1)
      desk.after(3600000)
      assert.deepEqual(desk.sent(), [])
    })

    it('after PUBREC only PUBREL is sent, on every later connection', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      desk.client.publish('t', 'x', { qos: 2 })
      const messageId = desk.sentOne().messageId
      desk.reply({ cmd: 'pubrec', messageId })
      desk.sent()
      for (let n = 0; n < 3; n++) {
        desk.reconnect({ sessionPresent: true })
        assert.deepEqual(words(desk.sent()), [`pubrel ${messageId}`])
      }
      desk.reply({ cmd: 'pubcomp', messageId })
      assert.equal(desk.client.stats.queued, 0)
    })

    it('Receive Maximum of the new connection holds for what is sent again', () => {
      if (protocol === 4) return
      const desk = new Desk({ protocol, ...kept })
      desk.connect({ properties: { receiveMaximum: 20 } })
      for (let n = 0; n < 10; n++) desk.client.publish('t', String(n), { qos: 1 })
      assert.equal(desk.sent().length, 10)
      desk.reconnect({ sessionPresent: true, properties: { receiveMaximum: 3 } })
      let sent = desk.sent()
      assert.equal(sent.length, 3)
      for (let n = 0; n < 10; n++) {
        desk.reply({ cmd: 'puback', messageId: sent.shift()!.messageId! })
        sent = sent.concat(desk.sent())
        assert.ok(sent.length <= 3)
      }
      assert.equal(desk.client.stats.queued, 0)
    })

    it('a lost session: what was in flight is new, without DUP, and an event says so', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      const ticket = desk.client.publish('t', '1', { qos: 1 })
      desk.client.publish('t', '2', { qos: 2 })
      const second = desk.sent()[1]!.messageId!
      desk.reply({ cmd: 'pubrec', messageId: second })
      desk.sent()
      desk.reconnect({ sessionPresent: false })
      assert.deepEqual(words(desk.sent()), [`publish ${ticket + 1}`, `publish ${second}`])
      assert.equal(desk.of('session.lost')[0]!.count, 2)
    })

    it('a lost session under the policy discard drops what was in flight and nothing else', () => {
      const desk = new Desk({ protocol, ...kept, sessionLost: 'discard', inFlightLimit: 2 })
      desk.connect()
      const tickets = ['1', '2', '3'].map((text) => desk.client.publish('t', text, { qos: 1 }))
      desk.sent()
      desk.reconnect({ sessionPresent: false })
      assert.deepEqual(
        desk.sent().map((packet) => [String(packet.payload), packet.dup]),
        [['3', false]],
      )
      assert.deepEqual(
        desk.of('message.dropped').map((event) => [event.ticket, event.status]),
        tickets.slice(0, 2).map((ticket) => [ticket, ERR_SESSION_LOST]),
      )
    })

    it('a session that the broker has and we have not is ended', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.client.start()
      desk.poll()
      desk.transport.accept()
      const connect = desk.sentOne()
      assert.equal(connect.clean, protocol === 5)
      desk.reply({
        cmd: 'connack',
        sessionPresent: true,
        ...(protocol === 5 ? { reasonCode: 0 } : { returnCode: 0 }),
      })
      assert.equal(desk.client.isConnected, false)
      desk.system.advance(120000)
      desk.poll()
      desk.transport.accept()
      assert.equal(desk.sentOne().clean, true)
    })

    it('an interrupted resend goes on at the same place on the next connection', () => {
      const desk = new Desk({ protocol, ...kept, inFlightLimit: 4 })
      desk.connect()
      for (let n = 0; n < 8; n++) desk.client.publish('t', String(n), { qos: 1 })
      assert.equal(desk.sent().length, 4)
      for (let cut = 0; cut < 40; cut++) {
        desk.transport.drop('cut')
        desk.poll()
        desk.system.advance(120000)
        desk.poll()
        desk.transport.accept()
        desk.transport.room = 30 + cut
        desk.poll()
        desk.transport.room = Infinity
        desk.sent()
        desk.reply({
          cmd: 'connack',
          sessionPresent: true,
          ...(protocol === 5 ? { reasonCode: 0 } : { returnCode: 0 }),
        })
        desk.transport.room = cut
        desk.poll()
        desk.transport.room = Infinity
      }
      desk.reconnect({ sessionPresent: true })
      const got: string[] = []
      for (let n = 0; n < 8; n++) {
        for (const packet of desk.sent()) {
          got.push(String(packet.payload))
          desk.reply({ cmd: 'puback', messageId: packet.messageId })
        }
      }
      assert.deepEqual(got, ['0', '1', '2', '3', '4', '5', '6', '7'])
      assert.equal(desk.client.stats.queued, 0)
    })
  })
}

it('without a session to keep, each connection starts clean and repeats nothing as DUP', () => {
  const desk = new Desk()
  assert.equal(desk.connect().clean, true)
  desk.client.publish('t', 'x', { qos: 1 })
  desk.sent()
  assert.equal(desk.reconnect().clean, true)
  assert.equal(desk.sentOne().dup, false)
})
