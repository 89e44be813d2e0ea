/** Normative statements that no other test names, one test each; conformance.md points here. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_ARGUMENT } from '../../src/index.js'
import { Desk, words } from './desk.js'
import { board, boot, comeBack, kept, message, VERSIONS } from './failures-rig.js'

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

    it('a broker that never answers SUBSCRIBE or UNSUBSCRIBE holds nothing up', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      for (const [ask, cmd] of [
        [() => desk.client.subscribe('x'), 'subscribe'],
        [() => desk.client.unsubscribe('x'), 'unsubscribe'],
      ] as const) {
        ask()
        publishOf(desk, { qos: 1 })
        const packets = desk.sent()
        assert.ok(packets.length > 0 && packets.every((one) => [cmd, 'publish'].includes(one.cmd)))
        const publish = packets.find((packet) => packet.cmd === 'publish')
        desk.reply({ cmd: 'puback', messageId: publish!.messageId })
      }
      assert.equal(desk.of('message.acked').length, 2)
    })

    it('a filter is UTF-8 of 1 to 65,535 bytes, # stands last and + alone', () => {
      const { client } = new Desk({ protocol })
      const bad = ['', '\ud800', 'a\0', 'a#', '#/a', 'a/#/b', '##', 'a+', '+a/b', 'a/b+/c']
      for (const filter of [...bad, 'x'.repeat(65536)]) {
        assert.throws(() => client.subscribe(filter), /filter/, filter.slice(0, 9))
        assert.equal(client.unsubscribe(filter), false, 'only what was asked for is given up')
      }
      for (const filter of ['#', '+', '/', 'a/#', '+/a/+', '$SYS/#']) client.subscribe(filter)
    })

    it('what is no UTF-8 never enters CONNECT', () => {
      const bad = '\ud800'
      for (const [option, name] of [
        [{ clientId: bad }, /clientId/],
        [{ username: bad }, /username/],
        [{ will: { topic: bad, payload: '' } }, /will\.topic/],
        [{ clientId: 'a\0' }, /clientId/],
        [{ username: 'a\0' }, /username/],
        [{ will: { topic: 'a\0', payload: '' } }, /will\.topic/],
      ] as const) {
        assert.throws(() => new Desk({ protocol, ...option }), name)
      }
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

/** The packets in these bytes, each as an array; all of them are shorter than 128 bytes. */
function split(bytes: Uint8Array): number[][] {
  const packets: number[][] = []
  for (let at = 0; at < bytes.length; at += 2 + bytes[at + 1]!) {
    packets.push([...bytes.subarray(at, at + 2 + bytes[at + 1]!)])
  }
  return packets
}

it('acknowledgements and DISCONNECT have no property, so they fit the smallest packet', () => {
  const desk = new Desk({ ...kept })
  desk.connect({ properties: { maximumPacketSize: 8 } })
  publishOf(desk, { qos: 2 })
  desk.client.publish('t', '', { qos: 2 })
  const [publish] = desk.sent().filter(({ cmd }) => cmd === 'publish')
  desk.reply({ cmd: 'pubrec', messageId: publish!.messageId })
  desk.reply(message(1, 5, 'x'), message(2, 6, 'y'), { cmd: 'pubrel', messageId: 6 })
  desk.reply({ cmd: 'pubrel', messageId: 77 }, { cmd: 'pubrec', messageId: 78 })
  desk.transport.deliver(Uint8Array.of(0, 0))
  desk.poll()
  const packets = split(desk.transport.takeSent())
  const types = packets.map(([first]) => first! >> 4)
  for (const type of [4, 5, 6, 7, 14]) assert.ok(types.includes(type), `no packet ${type}`)
  for (const packet of packets) {
    // The identifier and a Reason Code, or the Reason Code alone: no Property Length behind.
    assert.ok(packet.length <= (packet[0]! >> 4 === 14 ? 3 : 5), packet.join(' '))
  }
})

it('no PUBREC of ours has an error: a message is taken, or the connection ends', () => {
  let calls = 0
  const harm: [string, (desk: Desk) => void][] = [
    ['nothing', () => undefined],
    ['storage', (desk) => (desk.client['queues'][0]!.state.save = () => -5001)],
    [
      'a handler',
      (desk) =>
        desk.client.on('message.received', () => {
          if (++calls % 2 === 1) throw new Error('harm')
        }),
    ],
  ]
  for (const [what, harms] of harm) {
    const desk = boot(board(), { receiveMaximum: 2 })
    desk.connect()
    harms(desk)
    for (let id = 5; id < 8 && desk.client.isConnected; id++) {
      try {
        desk.reply(message(2, id, 'x'))
      } catch (error) {
        assert.equal((error as Error).message, 'harm')
      }
    }
    const sent = desk.sent()
    const codes = sent.filter(({ cmd }) => cmd === 'pubrec').map(({ reasonCode }) => reasonCode)
    assert.deepEqual(codes, what === 'storage' ? [] : [0, 0], what)
    assert.equal(sent.at(-1)!.cmd, 'disconnect', what)
  }
})

it('a message that expires between PUBLISH and PUBREL is acknowledged to its end', () => {
  const desk = new Desk({ ...kept })
  desk.connect()
  desk.reply({ ...message(2, 9, 'x'), properties: { messageExpiryInterval: 1 } })
  for (let minutes = 0; minutes < 5; minutes++) {
    desk.after(20000)
    desk.reply({ cmd: 'pingresp' })
  }
  comeBack(desk)
  desk.reply({ ...message(2, 9, 'x', true), properties: { messageExpiryInterval: 1 } })
  desk.reply({ cmd: 'pubrel', messageId: 9 })
  const sent = words(desk.sent()).filter((word) => word !== 'pingreq')
  assert.deepEqual(sent, ['pubrec 9', 'pubcomp 9'])
  assert.equal(desk.received.length, 1)
})
