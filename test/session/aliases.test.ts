/** Topic Aliases of MQTT 5, both ways, against the scripted broker. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TopicAliases } from '../../src/session/topic-aliases.js'
import { Desk, type Packet, words } from './desk.js'
import { board, boot, kept, message, RETURNS, comeBack, withSeed } from './failures-rig.js'

const take = (topicAliasMaximum: number, more = {}) => ({
  properties: { topicAliasMaximum },
  ...more,
})
const topicOf = ({ topic, properties }: Packet) => `${topic}=${properties?.topicAlias ?? '-'}`

describe('aliases for what is published', () => {
  it('the first PUBLISH has topic and alias, later ones the alias alone', () => {
    const desk = new Desk({ aliases: new TopicAliases(4, 0) })
    assert.equal(desk.connect(take(10)).properties!.topicAliasMaximum, undefined)
    const publisher = desk.client.publisher('from/a', { qos: 1 })
    publisher.publish(new Uint8Array(3), 0, 3)
    desk.client.publish('from/b', 'x', { properties: { contentType: 'text' } })
    publisher.publish(new Uint8Array(3), 0, 3)
    desk.client.publish('from/b', 'y', { qos: 2, properties: { contentType: 'text' } })
    desk.client.publish('from/a', 'z')
    const packets = desk.sent().sort((a, b) => a.qos! - b.qos!)
    assert.deepEqual(packets.map(topicOf).sort(), ['=1', '=2', '=2', 'from/a=2', 'from/b=1'])
    for (const { properties, qos } of packets) {
      if (properties!.contentType !== undefined) assert.ok(qos !== 1)
    }
    assert.equal(packets.filter(({ properties }) => properties!.contentType === 'text').length, 2)
    assert.deepEqual(
      packets
        .map(({ payload }) => String(payload))
        .sort()
        .slice(2),
      ['x', 'y', 'z'],
    )
  })

  it('never more aliases than the broker takes, nor than were asked for', () => {
    for (const [asked, offered, used] of [
      [4, 10, 4],
      [4, 2, 2],
      [4, 0, 0],
      [0, 10, 0],
    ] as const) {
      const desk = new Desk({ aliases: new TopicAliases(asked, 0) })
      desk.connect(take(offered))
      for (let round = 0; round < 2; round++) {
        for (let n = 0; n < 6; n++) desk.client.publish(`topic/${n}`, 'x', { qos: 1 })
      }
      const aliases = desk.sent().map(({ properties }) => properties?.topicAlias ?? 0)
      assert.equal(Math.max(...aliases), used)
      assert.equal(aliases.filter((alias) => alias > 0).length, used * 2)
    }
  })

  it('a broker that says nothing about aliases gets none, and a 3.1.1 broker neither', () => {
    for (const protocol of [4, 5]) {
      const desk = new Desk({ protocol, aliases: new TopicAliases(4, 4) })
      desk.connect()
      for (let n = 0; n < 3; n++) desk.client.publish('a/topic', 'x', { qos: 1 })
      assert.deepEqual(desk.sent().map(topicOf), ['a/topic=-', 'a/topic=-', 'a/topic=-'])
    }
  })

  for (const [how, back] of RETURNS) {
    it(`what is sent again has the aliases of its own connection, ${how}`, () => {
      const flash = board()
      const options = () => ({ aliases: new TopicAliases(2, 0) })
      let desk = boot(flash, options())
      desk.connect(take(5))
      for (const topic of ['one/x', 'two/x', 'two/x', 'one/x']) {
        desk.client.publish(topic, 'p', { qos: 1 })
      }
      assert.deepEqual(desk.sent().map(topicOf), ['one/x=1', 'two/x=2', '=2', '=1'])
      desk = back(desk, flash, options())
      comeBack(desk, take(1, { sessionPresent: true }))
      const packets = desk.sent()
      assert.ok(packets.every(({ dup }) => dup))
      assert.deepEqual(packets.map(topicOf), ['one/x=1', 'two/x=-', 'two/x=-', '=1'])
      desk = back(desk, flash, options())
      comeBack(desk, { sessionPresent: true })
      assert.deepEqual(desk.sent().map(topicOf), ['one/x=-', 'two/x=-', 'two/x=-', 'one/x=-'])
    })
  }

  it('Maximum Packet Size holds for the packet with its alias, and nothing is lost for it', () => {
    // Topic 7, payload 40: without alias the packet has 2 + 2 + 7 + 2 + 1 + 40 bytes.
    for (let maximumPacketSize = 53; maximumPacketSize < 62; maximumPacketSize++) {
      const desk = new Desk({ aliases: new TopicAliases(4, 0) })
      desk.connect({ properties: { topicAliasMaximum: 4, maximumPacketSize } })
      for (let n = 0; n < 3; n++) desk.client.publish('a/topic', 'p'.repeat(40), { qos: 1 })
      desk.poll()
      let bytes = desk.transport.sent.length
      const packets = desk.sent()
      if (maximumPacketSize < 54) {
        assert.equal(packets.length, 0)
        assert.equal(desk.of('message.dropped').length, 3)
        continue
      }
      assert.equal(packets.length, 3)
      for (const packet of packets) assert.ok(packet.length! + 2 <= maximumPacketSize)
      assert.ok(bytes > 0)
    }
  })

  it('a full send buffer costs no alias: what the broker was not told is not used', () => {
    withSeed('aliases.test.js', (chance) => {
      for (let run = 0; run < 40; run++) {
        const desk = new Desk({
          aliases: new TopicAliases(3, 0),
          sendBufferSize: 128,
          inFlightLimit: 64,
          cleanStart: true,
        })
        desk.connect(take(3))
        desk.transport.room = 0
        const wanted: string[] = []
        const packets: Packet[] = []
        for (let step = 0; step < 200; step++) {
          const topic = 'topic/' + chance.below(5)
          const text = `${step} ${'x'.repeat(chance.below(60))}`
          const qos = chance.below(2)
          if (desk.client.publish(topic, text, { qos }) >= 0) wanted.push(`${topic} ${text}`)
          desk.transport.giveRoom(chance.below(90))
          desk.poll()
          if (chance.below(4) === 0) {
            desk.transport.room = Infinity
            for (const packet of desk.sent()) {
              packets.push(packet)
              if (packet.qos! > 0) desk.reply({ cmd: 'puback', messageId: packet.messageId })
            }
            desk.transport.room = 0
          }
        }
        desk.transport.room = Infinity
        for (let rest = desk.sent(); rest.length > 0; rest = desk.sent()) {
          for (const packet of rest) {
            packets.push(packet)
            if (packet.qos! > 0) desk.reply({ cmd: 'puback', messageId: packet.messageId })
          }
        }
        const table: string[] = []
        const got = packets.map(({ topic, payload, properties }) => {
          const alias = properties?.topicAlias ?? 0
          assert.ok(alias <= 3)
          if (topic !== '' && alias > 0) table[alias] = topic!
          return `${topic === '' ? table[alias] : topic} ${payload}`
        })
        assert.deepEqual(got.sort(), wanted.sort())
      }
    })
  })

  it('a topic that is not longer than its alias would be stays as it is', () => {
    const desk = new Desk({ aliases: new TopicAliases(4, 0) })
    desk.connect(take(4))
    for (let n = 0; n < 2; n++) desk.client.publish('a/b', 'x', { qos: 1 })
    assert.deepEqual(desk.sent().map(topicOf), ['a/b=-', 'a/b=-'])
  })
})

describe('aliases of the broker', () => {
  const publish = (topic: string, topicAlias?: number, text = 'x') => ({
    ...message(0, 0, text),
    topic,
    properties: topicAlias === undefined ? {} : { topicAlias },
  })

  it('an alias stands for the topic it was last given with', () => {
    const desk = new Desk({ aliases: new TopicAliases(0, 3) })
    const seen: string[] = []
    desk.client.subscribe('a/+', {}, ({ topic }) => seen.push(topic))
    assert.equal(desk.connect().properties!.topicAliasMaximum, 3)
    desk.reply(publish('a/one', 1), publish('', 1), publish('b/two', 3), publish('', 3))
    desk.reply(
      publish('a/longer than before', 1),
      publish('', 1),
      publish('a/s', 1),
      publish('', 1),
    )
    assert.deepEqual(
      desk.received.map(({ topic }) => topic),
      ['a/one', 'a/one', 'b/two', 'b/two']
        .concat(['a/longer than before', 'a/longer than before'])
        .concat(['a/s', 'a/s']),
    )
    assert.equal(seen.length, 6)
  })

  it('QoS 2: a repeat that is not handed over tells its alias all the same', () => {
    const desk = new Desk({ aliases: new TopicAliases(0, 3) })
    desk.connect()
    const qos2 = { ...message(2, 7, 'x'), properties: { topicAlias: 2 } }
    desk.reply({ ...qos2, topic: 'old/one' }, { ...qos2, topic: 'new/one', dup: true })
    desk.reply(publish('', 2))
    assert.deepEqual(
      desk.received.map(({ topic }) => topic),
      ['old/one', 'new/one'],
    )
  })

  const wrong: [string, Record<string, any>, number][] = [
    ['above our Topic Alias Maximum', publish('a/topic', 4), 0x94],
    ['that was never given a topic', publish('', 2), 0x82],
    ['0', publish('a/topic', 0), 0x94],
  ]
  for (const [what, packet, reason] of wrong) {
    it(`an alias ${what} ends the connection with 0x${reason.toString(16)}`, () => {
      const desk = new Desk({ aliases: new TopicAliases(0, 3) })
      desk.connect()
      desk.reply(packet)
      assert.deepEqual(
        desk.sent().map(({ cmd, reasonCode }) => [cmd, reasonCode]),
        [['disconnect', reason]],
      )
      assert.equal(desk.received.length, 0)
    })
  }

  it('an alias of an earlier connection means nothing', () => {
    const desk = new Desk({ aliases: new TopicAliases(0, 3), ...kept })
    desk.connect()
    desk.reply(publish('a/one', 1))
    desk.reconnect({ sessionPresent: true })
    desk.reply(publish('', 1))
    assert.deepEqual(words(desk.sent()), ['disconnect'])
  })

  it('a table of impossible size is refused by name', () => {
    assert.throws(() => new TopicAliases(65, 0), /"sendLimit" is 65/)
    assert.throws(() => new TopicAliases(0, -1), /"receiveLimit" is -1/)
  })
})
