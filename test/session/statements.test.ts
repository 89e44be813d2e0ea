/** Normative statements that no other test names, one test each; conformance.md points here. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_ARGUMENT } from '../../src/index.js'
import { Desk, words } from './desk.js'
import { comeBack, kept, message, VERSIONS } from './failures-rig.js'

const publishOf = (desk: Desk, options: object) => desk.client.publish('t', 'x', options)

for (const protocol of VERSIONS) {
  describe(`statements, protocol ${protocol}`, () => {
    it('without will and credentials CONNECT has neither their flags nor their fields', () => {
      const desk = new Desk({ protocol, clientId: 'c', cleanStart: true })
      desk.connect()
      const sent = desk.transport.sent
      assert.equal(sent[9], 0x02, 'Clean Start and nothing else, the reserved flag least of all')
      const bodyAt = protocol === 5 ? 13 + sent[12]! : 12
      assert.deepEqual([...sent.subarray(bodyAt)], [0, 1, 'c'.charCodeAt(0)])
    })

    it('user name and password are there when their flags are', () => {
      const desk = new Desk({ protocol, username: 'u', password: 'p' })
      const connect = desk.connect()
      assert.equal(desk.transport.sent[9]! & 0xc0, 0xc0)
      assert.deepEqual([connect.username, String(connect.password)], ['u', 'p'])
    })

    it('nothing leaves between CONNECT and CONNACK, and CONNECT is sent once', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.client.subscribe('x')
      desk.client.start()
      desk.poll()
      desk.transport.accept()
      assert.equal(desk.sentOne().cmd, 'connect')
      publishOf(desk, { qos: 1 })
      desk.after(5000)
      assert.deepEqual(desk.sent(), [])
    })

    it('after DISCONNECT nothing is sent, and the connection is closed', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      desk.client.stop()
      publishOf(desk, { qos: 1 })
      assert.equal(words(desk.sent()).at(-1), 'disconnect')
      assert.equal(desk.transport.state, 0)
      publishOf(desk, { qos: 1 })
      desk.after(100000)
      assert.deepEqual(desk.sent(), [])
    })

    it('PUBRELs leave in the order in which their PUBRECs came', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      for (let n = 0; n < 5; n++) publishOf(desk, { qos: 2 })
      const ids = desk.sent().map(({ messageId }) => messageId!)
      const order = [3, 0, 4, 1, 2].map((index) => ids[index]!)
      desk.reply(...order.map((messageId) => ({ cmd: 'pubrec', messageId })))
      assert.deepEqual(
        words(desk.sent()),
        order.map((messageId) => `pubrel ${messageId}`),
      )
    })

    it('a message nobody listens to is acknowledged all the same', () => {
      const desk = new Desk({ protocol })
      desk.client['events']['handlers'][11] = null
      desk.connect()
      desk.reply(message(1, 5, 'x'), message(2, 6, 'y'), { cmd: 'pubrel', messageId: 6 })
      assert.deepEqual(words(desk.sent()), ['puback 5', 'pubrec 6', 'pubcomp 6'])
    })

    it('after PUBACK the same identifier is a new message, whatever DUP says', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.reply(message(1, 5, 'one'))
      desk.reply(message(1, 5, 'two', true))
      assert.deepEqual(
        desk.received.map(({ text }) => text),
        ['one', 'two'],
      )
      assert.deepEqual(words(desk.sent()), ['puback 5', 'puback 5'])
    })

    it('a zero width no-break space at the start of a topic is kept', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.reply({ ...message(0, 0, 'x'), topic: '\ufeffin' })
      assert.equal(desk.received[0]!.topic, '\ufeffin')
      desk.client.publish('\ufeffout', 'x')
      assert.equal(desk.sentOne().topic, '\ufeffout')
    })

    it('SUBSCRIBE and UNSUBSCRIBE have identifiers of their own while PUBLISH is in flight', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      publishOf(desk, { qos: 1 })
      desk.client.subscribe('x')
      const packets = desk.sent()
      assert.equal(packets.length, 2)
      assert.notEqual(packets[0]!.messageId, packets[1]!.messageId)
      assert.ok(packets.every(({ messageId }) => messageId! > 0))
    })

    it('session state is kept while the connection lasts and after it', () => {
      const desk = new Desk({ protocol, ...kept, ackTimeoutMs: 0, keepAliveMs: 0 })
      desk.connect()
      publishOf(desk, { qos: 2 })
      desk.reply(message(2, 9, 'in'))
      const publish = desk.sent().find(({ cmd }) => cmd === 'publish')
      desk.after(7200000)
      desk.client.stop()
      desk.poll()
      desk.poll()
      desk.connect({ sessionPresent: true })
      assert.deepEqual(words(desk.sent()), [`publish ${publish!.messageId} dup`])
      desk.received.length = 0
      desk.reply(message(2, 9, 'in', true))
      assert.equal(desk.received.length, 0)
    })

    it('a shared subscription has a name without wildcards and a filter behind it', () => {
      const desk = new Desk({ protocol })
      for (const filter of ['$share//x', '$share/g', '$share/g/', '$share/+/x', '$share/#/x']) {
        assert.throws(() => desk.client.subscribe(filter), /filter/, filter)
      }
      desk.client.subscribe('$share/g/x')
    })
  })
}

it('No Local is refused on a shared subscription', () => {
  const desk = new Desk()
  assert.throws(() => desk.client.subscribe('$share/g/x', { noLocal: true }), /noLocal/)
})

it('a Subscription Identifier has no place in a PUBLISH of ours', () => {
  const desk = new Desk()
  assert.equal(publishOf(desk, { properties: { subscriptionIdentifier: 3 } }), ERR_ARGUMENT)
})

it('a Response Topic with a wildcard is refused', () => {
  const desk = new Desk()
  assert.equal(publishOf(desk, { properties: { responseTopic: 'a/#' } }), ERR_ARGUMENT)
})

it('AUTH is never sent where no Authentication Method was', () => {
  const desk = new Desk()
  desk.connect()
  desk.reply({ cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'm' } })
  assert.deepEqual(words(desk.sent()), ['disconnect'])
  assert.equal(desk.client.isConnected, false)
})

it('a DISCONNECT with an error closes the connection from our side too', () => {
  const desk = new Desk()
  desk.connect()
  desk.reply({ cmd: 'disconnect', reasonCode: 0x97 })
  assert.equal(desk.transport.state, 0)
  assert.deepEqual(desk.sent(), [], 'it is not answered')
})

it('an alias is remembered from no connection: each one that arrives is refused', () => {
  const desk = new Desk({ ...kept })
  desk.connect()
  desk.reply({ ...message(0, 0, 'x'), topic: 'a', properties: { topicAlias: 1 } })
  assert.equal(desk.sentOne().reasonCode, 0x94)
  comeBack(desk)
  desk.reply({ ...message(0, 0, 'x'), topic: '', properties: { topicAlias: 1 } })
  assert.equal(desk.sentOne().reasonCode, 0x94)
  assert.equal(desk.received.length, 0)
})
