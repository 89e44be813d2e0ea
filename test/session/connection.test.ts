import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_CLOSED, ERR_CONNECT, ERR_REFUSED } from '../../src/index.js'
import { Desk, words } from './desk.js'

for (const protocol of [4, 5]) {
  describe(`connecting, protocol ${protocol}`, () => {
    it('CONNECT carries what the options say', () => {
      const desk = new Desk({
        protocol,
        clientId: 'kitchen',
        username: 'u',
        password: 'p',
        keepAliveMs: 30000,
        will: { topic: 'gone', payload: 'bye', qos: 1, retain: true },
      })
      const connect = desk.connect()
      assert.equal(connect.clientId, 'kitchen')
      assert.equal(connect.username, 'u')
      assert.equal(String(connect.password), 'p')
      assert.equal(connect.keepalive, 30)
      assert.equal(connect.will!.topic, 'gone')
      assert.equal(String(connect.will!.payload), 'bye')
      assert.equal(connect.will!.qos, 1)
      assert.equal(connect.will!.retain, true)
      assert.equal(connect.clean, true)
    })

    it('a session that is to be kept is asked for', () => {
      const desk = new Desk({ protocol, cleanStart: false, sessionExpirySeconds: 600 })
      const connect = desk.connect()
      if (protocol === 5) assert.equal(connect.properties!.sessionExpiryInterval, 600)
      else assert.equal(connect.clean, false)
      assert.equal(desk.reconnect({ sessionPresent: true }).clean, false)
    })

    it('an unreachable broker is tried again, later and later, and said each time', () => {
      const desk = new Desk({ protocol, retryMinMs: 1000, retryMaxMs: 8000 })
      desk.client.start()
      const limits = [1000, 2000, 4000, 8000, 8000]
      for (const limit of limits) {
        desk.poll()
        desk.transport.fail('connect refused')
        desk.poll()
        const event = desk.events[desk.events.length - 1]!
        assert.equal(event.name, 'client.disconnected')
        assert.equal(event.status, ERR_CONNECT)
        assert.equal(event.text, 'connect refused')
        assert.ok(event.retryMs <= limit)
        assert.ok(desk.waitMs <= limit)
        desk.system.advance(limit)
      }
    })

    it('the pauses differ from device to device', () => {
      const pauses = new Set<number>()
      for (let n = 0; n < 20; n++) {
        const desk = new Desk({ protocol, retryMinMs: 60000 })
        desk.system.chance.next()
        for (let skip = 0; skip < n; skip++) desk.system.chance.next()
        desk.client.start()
        desk.poll()
        desk.transport.fail('no')
        desk.poll()
        pauses.add(desk.of('client.disconnected')[0]!.retryMs)
      }
      assert.ok(pauses.size > 15)
    })

    it('a broker that does not answer CONNECT is given up after connectTimeoutMs', () => {
      const desk = new Desk({ protocol, connectTimeoutMs: 5000 })
      desk.client.start()
      desk.poll()
      desk.transport.accept()
      desk.poll()
      assert.equal(desk.waitMs, 5000)
      desk.after(5000)
      assert.equal(desk.of('client.disconnected')[0]!.status, ERR_CONNECT)
      assert.equal(desk.transport.closeCount, 1)
    })

    it('a refusal is reported with its code and tried again', () => {
      const desk = new Desk({ protocol })
      desk.client.start()
      desk.poll()
      desk.transport.accept()
      desk.sent()
      desk.reply(
        protocol === 5
          ? { cmd: 'connack', reasonCode: 0x87, sessionPresent: false }
          : { cmd: 'connack', returnCode: 5, sessionPresent: false },
      )
      const event = desk.of('client.disconnected')[0]!
      assert.equal(event.status, ERR_REFUSED)
      assert.equal(event.reasonCode, protocol === 5 ? 0x87 : 5)
      assert.equal(desk.of('client.connected').length, 0)
      assert.ok(event.retryMs >= 0)
    })

    it('anything but CONNACK as the first packet ends the connection', () => {
      const desk = new Desk({ protocol })
      desk.client.start()
      desk.poll()
      desk.transport.accept()
      desk.sent()
      desk.reply({ cmd: 'pingresp' })
      assert.equal(desk.transport.state, 0)
    })

    it('each connect says whether the session was present', () => {
      const desk = new Desk({ protocol, cleanStart: false, sessionExpirySeconds: 600 })
      desk.connect()
      desk.reconnect({ sessionPresent: true })
      desk.reconnect({ sessionPresent: false })
      assert.deepEqual(
        desk.of('client.connected').map((event) => event.sessionPresent),
        [false, true, false],
      )
    })

    it('stop sends DISCONNECT, closes and stays away; start comes back', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.client.stop()
      assert.deepEqual(words(desk.sent()), ['disconnect'])
      assert.equal(desk.transport.state, 0)
      assert.equal(desk.waitMs, Infinity)
      desk.connect()
      assert.ok(desk.client.isConnected)
    })
  })

  describe(`keep alive, protocol ${protocol}`, () => {
    it('PINGREQ leaves in silence, and its answer keeps the connection', () => {
      const desk = new Desk({ protocol, keepAliveMs: 20000 })
      desk.connect()
      for (let n = 0; n < 5; n++) {
        desk.after(15000)
        assert.deepEqual(words(desk.sent()), ['pingreq'])
        desk.reply({ cmd: 'pingresp' })
      }
      assert.ok(desk.client.isConnected)
    })

    it('without PINGRESP the connection is made anew', () => {
      const desk = new Desk({ protocol, keepAliveMs: 20000, pingTimeoutMs: 3000 })
      desk.connect()
      desk.after(15000)
      desk.after(3000)
      assert.equal(desk.client.isConnected, false)
    })

    it('a half-open connection is noticed although we go on sending', () => {
      const desk = new Desk({ protocol, keepAliveMs: 20000, pingTimeoutMs: 3000 })
      desk.connect()
      for (let n = 0; n < 30 && desk.client.isConnected; n++) {
        desk.client.publish('t', 'x')
        desk.after(1000)
      }
      assert.equal(desk.client.isConnected, false)
    })

    it('a PUBLISH that is never answered ends the connection after ackTimeoutMs', () => {
      const desk = new Desk({ protocol, keepAliveMs: 0, ackTimeoutMs: 5000 })
      desk.connect()
      desk.system.advance(100000)
      desk.client.publish('t', 'x', { qos: 1 })
      desk.sent()
      desk.after(4999)
      assert.ok(desk.client.isConnected)
      desk.after(1)
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.of('client.disconnected')[0]!.status, ERR_CLOSED)
    })
  })

  describe(`subscriptions, protocol ${protocol}`, () => {
    const suback = (messageId: number, ...codes: number[]) => ({
      cmd: 'suback',
      messageId,
      granted: codes,
    })

    it('the table is asked for at once, and again when the session was lost', () => {
      const desk = new Desk({ protocol, cleanStart: false, sessionExpirySeconds: 600 })
      desk.client.subscribe('a/+', { qos: 1 })
      desk.client.subscribe('b/#')
      desk.connect()
      const subscribe = desk.sentOne()
      assert.deepEqual(
        subscribe.subscriptions!.map((entry: any) => [entry.topic, entry.qos]),
        [
          ['a/+', 1],
          ['b/#', 0],
        ],
      )
      desk.reply(suback(subscribe.messageId!, 1, 0))
      assert.equal(desk.of('session.subscribed').length, 2)
      desk.reconnect({ sessionPresent: true })
      assert.deepEqual(desk.sent(), [])
      desk.reconnect({ sessionPresent: false })
      assert.equal(desk.sentOne().cmd, 'subscribe')
    })

    it('messages go to the handlers whose filter matches', () => {
      const desk = new Desk({ protocol })
      const seen: string[] = []
      desk.client.subscribe('a/+', {}, (message) => seen.push('a/+ ' + message.text))
      desk.client.subscribe('$share/g/a/#', {}, (message) => seen.push('a/# ' + message.text))
      desk.client.subscribe('#', {}, (message) => seen.push('# ' + message.text))
      desk.connect()
      const publish = { cmd: 'publish', qos: 0, dup: false, retain: false }
      desk.reply({ ...publish, topic: 'a/b', payload: '1' })
      desk.reply({ ...publish, topic: 'a', payload: '2' })
      desk.reply({ ...publish, topic: '$SYS/x', payload: '3' })
      assert.deepEqual(seen, ['a/+ 1', 'a/# 1', '# 1', 'a/# 2', '# 2'])
    })

    it('a refusal is reported', () => {
      const desk = new Desk({ protocol })
      desk.client.subscribe('secret')
      desk.connect()
      desk.reply(suback(desk.sentOne().messageId!, 0x80))
      assert.equal(desk.of('session.subscribed')[0]!.reasonCode, 0x80)
    })

    it('unsubscribe is told to the broker', () => {
      const desk = new Desk({ protocol })
      desk.client.subscribe('x')
      desk.connect()
      desk.reply(suback(desk.sentOne().messageId!, 0))
      assert.equal(desk.client.unsubscribe('x'), true)
      assert.equal(desk.client.unsubscribe('y'), false)
      const unsubscribe = desk.sentOne()
      assert.deepEqual(unsubscribe.unsubscriptions, ['x'])
      desk.reply({ cmd: 'unsuback', messageId: unsubscribe.messageId, granted: [0] })
      assert.equal(desk.of('session.unsubscribed')[0]!.text, 'x')
    })

    it('a SUBSCRIBE that is never answered leaks no identifier', () => {
      const desk = new Desk({ protocol })
      desk.client.subscribe('x')
      desk.connect()
      for (let n = 0; n < 100; n++) {
        assert.equal(desk.sentOne().cmd, 'subscribe')
        desk.reconnect()
      }
    })

    it('a SUBACK with the wrong number of codes ends the connection', () => {
      const desk = new Desk({ protocol })
      desk.client.subscribe('x')
      desk.connect()
      desk.reply(suback(desk.sentOne().messageId!, 0, 0))
      assert.equal(desk.client.isConnected, false)
    })
  })
}
