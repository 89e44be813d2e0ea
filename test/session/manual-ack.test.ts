/** Acknowledgement by the application. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_ARGUMENT, ERR_STALE, OK } from '../../src/index.js'
import { ManualAck } from '../../src/session/manual-ack.js'
import { Desk, words } from './desk.js'
import { board, boot, comeBack, kept, message, VERSIONS, withSeed } from './failures-rig.js'

/** A desk whose application keeps the tokens of what arrived. */
function manual(options: object = {}): { desk: Desk; tokens: number[] } {
  const desk = new Desk({ manualAck: new ManualAck(), ...options })
  return { desk, tokens: collect(desk) }
}

function collect(desk: Desk): number[] {
  const tokens: number[] = []
  desk.client.on('message.received', (event) => tokens.push(event.message!.acknowledgement))
  return tokens
}

for (const protocol of VERSIONS) {
  describe(`manual acknowledgement, protocol ${protocol}`, () => {
    it('nothing is acknowledged before the application says so', () => {
      const { desk, tokens } = manual({ protocol })
      desk.connect()
      desk.reply(message(0, 0, 'a'), message(1, 5, 'b'), message(2, 6, 'c'))
      assert.deepEqual(desk.sent(), [])
      assert.equal(tokens.length, 3)
      assert.equal(tokens[0], 0, 'QoS 0 has no acknowledgement')
      assert.equal(desk.client.acknowledge(tokens[1]!), OK)
      assert.deepEqual(words(desk.sent()), ['puback 5'])
      assert.equal(desk.client.acknowledge(tokens[2]!), OK)
      assert.deepEqual(words(desk.sent()), ['pubrec 6'])
      desk.reply({ cmd: 'pubrel', messageId: 6 })
      assert.deepEqual(words(desk.sent()), ['pubcomp 6'])
    })

    it('PUBACKs keep the order of their PUBLISH and PUBRECs theirs', () => {
      const { desk, tokens } = manual({ protocol })
      desk.connect()
      desk.reply(message(1, 1, ''), message(2, 2, ''), message(1, 3, ''), message(2, 4, ''))
      desk.client.acknowledge(tokens[2]!)
      assert.deepEqual(desk.sent(), [])
      desk.client.acknowledge(tokens[1]!)
      assert.deepEqual(words(desk.sent()), ['pubrec 2'])
      desk.client.acknowledge(tokens[3]!)
      assert.deepEqual(words(desk.sent()), ['pubrec 4'])
      desk.client.acknowledge(tokens[0]!)
      assert.deepEqual(words(desk.sent()), ['puback 1', 'puback 3'])
    })

    it('a token of an earlier connection is stale, and its message comes again', () => {
      const { desk, tokens } = manual({ protocol, ...kept })
      desk.connect()
      desk.reply(message(1, 5, 'one'), message(2, 6, 'two'))
      desk.transport.drop('cut')
      desk.poll()
      assert.equal(desk.client.acknowledge(tokens[0]!), ERR_STALE)
      comeBack(desk)
      assert.equal(desk.client.acknowledge(tokens[0]!), ERR_STALE)
      desk.reply(message(1, 5, 'one', true), message(2, 6, 'two', true))
      assert.equal(tokens.length, 4)
      for (const stale of tokens.slice(0, 2)) {
        assert.equal(desk.client.acknowledge(stale), ERR_STALE)
      }
      assert.deepEqual(desk.sent(), [])
      for (const token of tokens.slice(2)) assert.equal(desk.client.acknowledge(token), OK)
      assert.deepEqual(words(desk.sent()), ['puback 5', 'pubrec 6'])
    })

    it('a token is good once, and what is no token is refused', () => {
      const { desk, tokens } = manual({ protocol })
      desk.connect()
      desk.reply(message(1, 5, ''))
      assert.equal(desk.client.acknowledge(tokens[0]!), OK)
      for (const token of [tokens[0]!, tokens[0]! + 1, 0, -1, NaN]) {
        assert.ok([ERR_ARGUMENT, ERR_STALE].includes(desk.client.acknowledge(token)), `${token}`)
      }
      assert.deepEqual(words(desk.sent()), ['puback 5'])
      assert.equal(new Desk({ protocol }).client.acknowledge(1), ERR_ARGUMENT, 'without the option')
    })

    it('acknowledged within the handler is acknowledged at once', () => {
      const { desk } = manual({ protocol })
      desk.client.subscribe('in/#', { qos: 2 }, ({ acknowledgement }) => {
        assert.equal(desk.client.acknowledge(acknowledgement), OK)
      })
      desk.connect()
      desk.sent()
      desk.reply(message(1, 5, ''), message(2, 6, ''))
      assert.deepEqual(words(desk.sent()), ['puback 5', 'pubrec 6'])
    })

    it('what nobody listens to is acknowledged by the client', () => {
      const desk = new Desk({ protocol, manualAck: new ManualAck() })
      desk.client['events']['handlers'][11] = null
      desk.client.on('message.received', () => assert.fail('not for us'), { filter: 'other' })
      desk.connect()
      desk.reply(message(1, 5, ''), message(2, 6, ''))
      assert.deepEqual(words(desk.sent()), ['puback 5', 'pubrec 6'])
    })

    it('a handler that throws leaves nothing behind: the message comes with a new token', () => {
      const { desk, tokens } = manual({ protocol })
      let calls = 0
      desk.client.on('message.received', (event) => {
        desk.client.acknowledge(event.message!.acknowledgement)
        if (++calls === 1) throw new Error('of the application')
      })
      desk.connect()
      assert.throws(() => desk.reply(message(1, 3, 'x')), /of the application/)
      assert.deepEqual(words(desk.sent()), ['puback 3'])
      assert.equal(calls, 2)
      assert.notEqual(tokens[0], tokens[1])
    })

    it('stop sends what was acknowledged before DISCONNECT', () => {
      const { desk, tokens } = manual({ protocol })
      desk.connect()
      desk.reply(message(1, 5, ''))
      desk.client.acknowledge(tokens[0]!)
      desk.client.stop()
      assert.deepEqual(words(desk.sent()), ['puback 5', 'disconnect'])
    })

    it('an acknowledgement without room leaves when there is some', () => {
      const { desk, tokens } = manual({ protocol, sendBufferSize: 128 })
      desk.connect()
      desk.reply(message(1, 5, ''))
      desk.transport.room = 0
      while (desk.client.publish('t', 'x'.repeat(10)) >= 0);
      desk.poll()
      assert.equal(desk.client.acknowledge(tokens[0]!), OK)
      desk.transport.room = Infinity
      assert.ok(words(desk.sent()).includes('puback 5'))
    })

    it('QoS 2 is ours from the acknowledgement on, also over a reboot', () => {
      const flash = board()
      let desk = boot(flash, { protocol, manualAck: new ManualAck() })
      let tokens = collect(desk)
      desk.connect()
      desk.reply(message(2, 6, 'not yet'), message(2, 7, 'never acknowledged'))
      desk.client.acknowledge(tokens[0]!)
      assert.deepEqual(words(desk.sent()), ['pubrec 6'])
      desk = boot(flash, { protocol, manualAck: new ManualAck() })
      tokens = collect(desk)
      desk.connect({ sessionPresent: true })
      desk.reply(message(2, 6, 'not yet', true), message(2, 7, 'never acknowledged', true))
      assert.deepEqual(
        desk.received.map(({ text }) => text),
        ['never acknowledged'],
      )
      assert.deepEqual(words(desk.sent()), ['pubrec 6'])
      desk.client.acknowledge(tokens[0]!)
      assert.deepEqual(words(desk.sent()), ['pubrec 7'])
    })

    it('a repeat of what is ours keeps its turn behind one that waits', () => {
      const { desk, tokens } = manual({ protocol, ...kept })
      desk.connect()
      desk.reply(message(2, 6, 'waits'), message(2, 7, 'ours'))
      desk.client.acknowledge(tokens[0]!)
      desk.client.acknowledge(tokens[1]!)
      desk.sent()
      comeBack(desk)
      desk.reply(message(2, 5, 'new'), message(2, 6, 'waits', true), message(2, 7, 'ours', true))
      assert.deepEqual(desk.sent(), [])
      assert.equal(tokens.length, 3)
      desk.client.acknowledge(tokens[2]!)
      assert.deepEqual(words(desk.sent()), ['pubrec 5', 'pubrec 6', 'pubrec 7'])
    })

    it('a random application: the order of each QoS holds and each is answered once', () => {
      withSeed('manual-ack.test.js', (chance) => {
        for (let run = 0; run < 50; run++) {
          const { desk, tokens } = manual({ protocol, receiveMaximum: 64 })
          desk.connect()
          const came: string[] = []
          const open: number[] = []
          const answered: string[] = []
          for (let id = 1; id <= 40; id++) {
            const qos = 1 + chance.below(2)
            came.push(`${qos === 1 ? 'puback' : 'pubrec'} ${id}`)
            desk.reply(message(qos, id, ''))
            open.push(tokens.at(-1)!)
            while (chance.below(2) === 0 && open.length > 0) {
              const [token] = open.splice(chance.below(open.length), 1)
              assert.equal(desk.client.acknowledge(token!), OK)
            }
            answered.push(...words(desk.sent()))
          }
          for (const token of open) assert.equal(desk.client.acknowledge(token), OK)
          answered.push(...words(desk.sent()))
          for (const kind of ['puback', 'pubrec']) {
            const ofKind = (list: string[]) => list.filter((word) => word.startsWith(kind))
            assert.deepEqual(ofKind(answered), ofKind(came))
          }
        }
      })
    })
  })
}

describe('bounds of manual acknowledgement', () => {
  it('more unanswered messages than Receive Maximum, of both QoS: 0x93', () => {
    const { desk } = manual({ receiveMaximum: 3 })
    desk.connect()
    desk.reply(message(1, 1, ''), message(2, 2, ''), message(1, 3, ''))
    assert.deepEqual(desk.sent(), [])
    desk.reply(message(1, 4, ''))
    assert.equal(desk.sentOne().reasonCode, 0x93)
  })

  it('an answer gives its place back', () => {
    const { desk, tokens } = manual({ receiveMaximum: 2 })
    desk.connect()
    for (let id = 1; id < 200; id++) {
      desk.reply(message(1, id, ''))
      if (id > 1) desk.client.acknowledge(tokens.at(-2)!)
    }
    assert.equal(words(desk.sent()).length, 198)
    assert.ok(desk.client.isConnected)
  })

  it('a 3.1.1 broker that sends more gets no answer for it, and nothing grows', () => {
    const { desk, tokens } = manual({ protocol: 4, receiveMaximum: 3 })
    desk.connect()
    for (let id = 1; id <= 100; id++) desk.reply(message(1 + (id % 2), id, ''))
    assert.equal(tokens.length, 3)
    assert.ok(desk.client.isConnected)
    for (const token of tokens) desk.client.acknowledge(token)
    assert.deepEqual(words(desk.sent()), ['pubrec 1', 'puback 2', 'pubrec 3'])
  })

  it('one ManualAck serves one client', () => {
    const manualAck = new ManualAck()
    new Desk({ manualAck })
    assert.throws(() => new Desk({ manualAck }), /"manualAck" is in use/)
  })
})
