/** Several brokers: which is tried when, whose session is whose, and what is sent again. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ClientOptions, TRANSPORT_CONNECTING } from '../../src/index.js'
import { connackPacket, type Packet } from './desk.js'
import { attempt, boot, brokers, drop, flashOf, greet, hostOf, refuse } from './roaming-rig.js'

const keyOf = (packet: Packet) => packet.properties?.userProperties?.['holdfast-key']

describe('the list of brokers', () => {
  it('is gone through without a pause, and pauses when all have failed', () => {
    const desk = boot(null)
    desk.client.start()
    desk.poll()
    assert.equal(hostOf(desk), 'a.test')
    desk.transport.fail('unreachable')
    desk.poll()
    assert.equal(hostOf(desk), 'b.test')
    assert.equal(desk.transport.state, TRANSPORT_CONNECTING)
    desk.transport.fail('unreachable')
    desk.poll()
    assert.notEqual(desk.transport.state, TRANSPORT_CONNECTING)
    assert.ok(desk.waitMs > 0)
    greet(desk, 'a.test')
    assert.equal(desk.of('client.connected').at(-1)!.text, 'mqtt://a.test')
  })

  it('a connection that stood is made again to the same broker first', () => {
    const desk = boot(null)
    greet(desk, 'a.test')
    drop(desk)
    refuse(desk, 'a.test')
    greet(desk, 'b.test')
    drop(desk)
    attempt(desk, 'b.test')
  })

  it('comes back to the first after homeAfterMs, when nothing is in flight', () => {
    const desk = boot(null, { homeAfterMs: 60000, keepAliveMs: 0, ackTimeoutMs: 0 })
    refuse(desk, 'a.test')
    greet(desk, 'b.test')
    desk.client.publish('t', '1', { qos: 1 })
    const { messageId } = desk.sentOne()
    desk.after(59000)
    assert.deepEqual(desk.sent(), [])
    desk.after(1000)
    desk.client.publish('t', '2', { qos: 1 })
    assert.deepEqual(desk.sent(), [])
    desk.reply({ cmd: 'puback', messageId })
    attempt(desk, 'a.test')
    desk.transport.accept()
    desk.sentOne()
    desk.reply(connackPacket(5, {}))
    assert.equal(String(desk.sentOne().payload), '2')
  })

  it('asks to be polled when it is time to go home, also if nothing else is to be done', () => {
    const desk = boot(null, { homeAfterMs: 60000, keepAliveMs: 0 })
    refuse(desk, 'a.test')
    greet(desk, 'b.test')
    assert.deepEqual(desk.sent(), [])
    assert.equal(desk.waitMs, 60000)
    desk.after(59999)
    assert.equal(desk.waitMs, 1)
    desk.after(1)
    assert.equal(hostOf(desk), 'a.test')
  })

  it('the first that still fails costs one attempt, then the other goes on', () => {
    const desk = boot(flashOf(), { homeAfterMs: 60000, keepAliveMs: 0 })
    refuse(desk, 'a.test')
    greet(desk, 'b.test')
    desk.after(60000)
    refuse(desk, 'a.test')
    const connect = greet(desk, 'b.test', { sessionPresent: true })
    assert.equal(connect.clean, false)
    assert.equal(desk.of('session.lost').length, 0)
  })

  it('a broker that refuses is passed over as one that cannot be reached', () => {
    const desk = boot(null)
    attempt(desk, 'a.test')
    desk.transport.accept()
    desk.sentOne()
    desk.reply({ cmd: 'connack', reasonCode: 0x9c, sessionPresent: false })
    greet(desk, 'b.test')
  })

  it('a hint that the network changed ends a pause, and asks a broker whether it is there', () => {
    const desk = boot(null, { retryMinMs: 60000 })
    refuse(desk, 'a.test')
    refuse(desk, 'b.test')
    desk.poll()
    assert.ok(desk.waitMs > 1000)
    desk.client.networkChanged()
    desk.poll()
    assert.equal(desk.transport.state, TRANSPORT_CONNECTING)
    greet(desk, 'a.test')
    desk.client.networkChanged()
    assert.equal(desk.sentOne().cmd, 'pingreq')
    desk.after(10000)
    assert.equal(desk.of('client.disconnected').length, 3)
  })

  it('mistakes are named', () => {
    const bad = (options: Partial<ClientOptions>, words: RegExp) =>
      assert.throws(() => boot(null, options), words)
    bad({ broker: 'mqtt://c.test', brokers }, /"broker" is given; it must be left out/)
    bad({ brokers: ['mqtt://a.test'] }, /"brokers" is 1 of them; it must be 2 to 4/)
    bad({ brokers: ['mqtt://a.test', 'mqtt://a.test'] }, /"brokers" .*twice/)
    bad({ brokers: ['mqtt://a.test', 'http://b.test'] }, /"broker" is http/)
    bad({ homeAfterMs: 1 }, /homeAfterMs/)
    bad({ duplicateKey: '\ud800' }, /duplicateKey/)
  })
})

describe('a session with each broker', () => {
  it('QoS 1 in flight at A is new at B, under the same key, and A is resumed later', () => {
    for (const flash of [null, flashOf()]) {
      const session = { cleanStart: false, sessionExpirySeconds: 600, clientId: 'd1' }
      const desk = boot(flash, session)
      greet(desk, 'a.test')
      desk.client.publish('t', 'x', { qos: 1 })
      const first = desk.sentOne()
      drop(desk)
      refuse(desk, 'a.test')
      const connect = greet(desk, 'b.test')
      assert.equal(connect.clean, true)
      const again = desk.sentOne()
      assert.equal(again.dup, false)
      assert.equal(String(again.payload), 'x')
      assert.match(keyOf(first), /^d1-[0-9a-f]{8}-[0-9a-f]{9}$/)
      assert.equal(keyOf(again), keyOf(first))
      desk.reply({ cmd: 'puback', messageId: again.messageId })
      drop(desk)
      refuse(desk, 'b.test')
      assert.equal(greet(desk, 'a.test', { sessionPresent: true }).clean, false)
      assert.deepEqual(desk.sent(), [])
      assert.equal(desk.of('session.resumed').length, 1)
    }
  })

  it('QoS 2 in flight at A: its half is given up there, so that it does not come twice', () => {
    for (const isReleased of [false, true]) {
      const flash = flashOf()
      const desk = boot(flash)
      greet(desk, 'a.test')
      desk.client.publish('t', 'x', { qos: 2 })
      const { messageId } = desk.sentOne()
      if (isReleased) desk.reply({ cmd: 'pubrec', messageId })
      drop(desk)
      refuse(desk, 'a.test')
      greet(desk, 'b.test')
      const packet = desk.sent().find(({ cmd }) => cmd === 'publish')!
      assert.equal(packet.dup, false)
      // Also when the power goes now: at A nothing of ours is left to go on with.
      const again = boot(flash)
      attempt(again, 'b.test')
      again.transport.fail('unreachable')
      assert.equal(greet(again, 'a.test').clean, true)
    }
  })

  it('a failed attempt elsewhere changes nothing: A is resumed with DUP', () => {
    const desk = boot(flashOf())
    greet(desk, 'a.test')
    desk.client.publish('t', 'x', { qos: 2 })
    desk.sentOne()
    drop(desk)
    refuse(desk, 'a.test')
    refuse(desk, 'b.test')
    assert.equal(greet(desk, 'a.test', { sessionPresent: true }).clean, false)
    assert.equal(desk.sentOne().dup, true)
  })

  it('a reboot goes on with the broker of the last session, with the same keys', () => {
    const flash = flashOf()
    const desk = boot(flash)
    refuse(desk, 'a.test')
    greet(desk, 'b.test')
    desk.client.publish('t', 'x', { qos: 1 })
    const first = desk.sentOne()
    const again = boot(flash)
    assert.equal(greet(again, 'b.test', { sessionPresent: true }).clean, false)
    const resent = again.sentOne()
    assert.equal(resent.dup, true)
    assert.equal(keyOf(resent), keyOf(first))
    const other = boot(flash)
    refuse(other, 'b.test')
    greet(other, 'a.test')
    const moved = other.sentOne()
    assert.equal(moved.dup, false)
    assert.equal(keyOf(moved), keyOf(first))
  })

  it('keys differ between messages, lanes and stores', () => {
    const keys = new Set<string>()
    for (const flash of [flashOf(), flashOf()]) {
      const desk = boot(flash, { lanes: [{ name: 'a', filters: ['a'] }, { name: 'b' }] })
      greet(desk, 'a.test')
      for (const topic of ['a', 'b', 'a', 'b']) desk.client.publish(topic, 'x', { qos: 1 })
      for (const packet of desk.sent()) keys.add(keyOf(packet))
    }
    assert.equal(keys.size, 8)
  })

  it('filters are asked for at each broker', () => {
    const desk = boot(flashOf())
    desk.client.subscribe('f')
    for (const [host, connack] of [
      ['a.test', {}],
      ['b.test', {}],
      ['a.test', { sessionPresent: true }],
    ] as const) {
      greet(desk, host, connack)
      const { cmd, messageId } = desk.sentOne()
      assert.equal(cmd, 'subscribe')
      desk.reply({ cmd: 'suback', messageId, granted: [0] })
      drop(desk)
      refuse(desk, host)
    }
  })

  it('MQTT 3.1.1 stays with its broker while messages are in flight, unless it may roam', () => {
    for (const roamInFlight of [undefined, true]) {
      const options = roamInFlight === undefined ? {} : { roamInFlight }
      const desk = boot(flashOf(), { protocol: 4, ...options })
      greet(desk, 'a.test')
      desk.client.publish('t', 'x', { qos: 1 })
      const { messageId } = desk.sentOne()
      drop(desk)
      refuse(desk, 'a.test')
      if (roamInFlight) {
        greet(desk, 'b.test')
        assert.equal(desk.sentOne().dup, false)
        continue
      }
      refuse(desk, 'a.test')
      greet(desk, 'a.test', { sessionPresent: true })
      assert.equal(desk.sentOne().dup, true)
      desk.reply({ cmd: 'puback', messageId })
      drop(desk)
      refuse(desk, 'a.test')
      attempt(desk, 'b.test')
    }
  })

  it('one store has one list: another is refused', () => {
    const flash = flashOf()
    boot(flash)
    assert.throws(() => boot(flash, { brokers: [...brokers].reverse() }), /mqtt:\/\/a\.test/)
    assert.throws(() => boot(flash, { broker: 'mqtt://a.test' }), /not of "desk"/)
  })
})
