/** What a broker's CONNACK offers for subscriptions, names and sessions. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERR_NOT_AVAILABLE, ERR_REFUSED, OK } from '../../src/index.js'
import { Desk, type Packet, words } from './desk.js'
import { board, boot, comeBack, kept, message } from './failures-rig.js'

const filtersOf = (packets: Packet[]) =>
  packets.flatMap(({ subscriptions }) => (subscriptions ?? []).map(({ topic }: any) => topic))

/** Answers each SUBSCRIBE and gives back the filters and identifiers asked for. */
function asked(desk: Desk): string[] {
  const filters: string[] = []
  for (let packets = desk.sent(); packets.length > 0; packets = desk.sent()) {
    for (const packet of packets) {
      if (packet.cmd !== 'subscribe') continue
      const identifier = packet.properties?.subscriptionIdentifier
      const mark = identifier === undefined ? '' : ` #${identifier}`
      const names = filtersOf([packet])
      filters.push(...names.map((name) => name + mark))
      const granted = names.map(() => 0)
      desk.reply({ cmd: 'suback', messageId: packet.messageId, granted })
    }
  }
  return filters
}

describe('subscriptions the broker does not offer', () => {
  const all = ['plain', 'a/+', 'b/#', '$share/g/plain', '$share/g/c/+']
  const cases: [string, object, string[], [string, number][]][] = [
    [
      'no wildcards',
      { wildcardSubscriptionAvailable: false },
      ['plain', '$share/g/plain', 'known #7'],
      [
        ['a/+', 0xa2],
        ['b/#', 0xa2],
        ['$share/g/c/+', 0xa2],
      ],
    ],
    [
      'no shared ones',
      { sharedSubscriptionAvailable: false },
      ['plain', 'a/+', 'b/#', 'known #7'],
      [
        ['$share/g/plain', 0x9e],
        ['$share/g/c/+', 0x9e],
      ],
    ],
    ['no identifiers', { subscriptionIdentifiersAvailable: false }, all, [['known', 0xa1]]],
  ]
  for (const [what, properties, sent, refused] of cases) {
    it(`${what}: they are not asked for, and an event says so`, () => {
      const desk = new Desk({ ...kept })
      for (const filter of all) desk.client.subscribe(filter)
      desk.client.subscribe('known', { identifier: 7 })
      desk.connect({ properties })
      assert.deepEqual(asked(desk), sent)
      const seen = desk.of('session.subscribed')
      assert.deepEqual(
        seen
          .filter(({ status }) => status === ERR_NOT_AVAILABLE)
          .map((e) => [e.text, e.reasonCode]),
        refused,
      )
      assert.equal(seen.filter(({ status }) => status === OK).length, sent.length)
      desk.after(30000)
      assert.equal(desk.of('session.subscribed').length, all.length + 1, 'told once')
      // The next connection may be to another broker: what this one refused is asked for again.
      desk.reconnect({ sessionPresent: true })
      assert.deepEqual(
        asked(desk).map((filter) => filter.split(' ')[0]),
        refused.map(([filter]) => filter),
      )
    })
  }

  it('subscribing again from the event of the refusal does not go on for ever', () => {
    const desk = new Desk()
    let count = 0
    desk.client.on('session.subscribed', ({ text }) => {
      if (count++ < 1000) desk.client.subscribe(text)
    })
    desk.client.subscribe('a/#')
    desk.client.subscribe('b')
    desk.connect({ properties: { wildcardSubscriptionAvailable: false } })
    for (let n = 0; n < 5; n++) desk.client.poll(desk.system.now())
    assert.ok(count < 20, `${count} events in five polls`)
  })

  it('a refusal of the broker has status and code', () => {
    const desk = new Desk()
    desk.client.subscribe('secret')
    desk.connect()
    desk.reply({ cmd: 'suback', messageId: desk.sentOne().messageId!, granted: [0x87] })
    const event = desk.of('session.subscribed')[0]!
    assert.deepEqual([event.status, event.reasonCode], [ERR_REFUSED, 0x87])
  })
})

describe('subscription identifiers', () => {
  it('each has a SUBSCRIBE of its own, and messages carry what the broker says', () => {
    const desk = new Desk()
    desk.client.subscribe('a', { identifier: 5 })
    desk.client.subscribe('b')
    desk.client.subscribe('c', { identifier: 268435455 })
    desk.client.subscribe('d', { identifier: 5 })
    const seen: unknown[] = []
    desk.client.on('message.received', ({ message }) =>
      seen.push(message!.properties.subscriptionIdentifiers),
    )
    desk.connect()
    assert.deepEqual(asked(desk), ['a #5', 'd #5', 'b', 'c #268435455'])
    desk.reply({ ...message(0, 0, 'x'), properties: { subscriptionIdentifier: [5, 268435455] } })
    assert.deepEqual(seen, [[5, 268435455]])
    assert.throws(() => desk.client.subscribe('e', { identifier: 0 }), /"identifier" is 0/)
  })

  it('an UNSUBSCRIBE takes filters with and without', () => {
    const desk = new Desk()
    desk.client.subscribe('a', { identifier: 5 })
    desk.client.subscribe('b')
    desk.connect()
    asked(desk)
    desk.client.unsubscribe('b')
    desk.client.unsubscribe('a')
    assert.deepEqual(desk.sentOne().unsubscriptions, ['a', 'b'])
  })
})

describe('the Assigned Client Identifier', () => {
  const assigned = { properties: { assignedClientIdentifier: 'chosen-7é' } }

  it('is visible, and finds the session on the next connection', () => {
    const desk = new Desk({ clientId: '', cleanStart: false, sessionExpirySeconds: 60 })
    assert.equal(desk.client.clientId, '')
    const first = desk.connect(assigned)
    assert.deepEqual([first.clientId, first.clean], ['', true])
    assert.equal(desk.client.clientId, 'chosen-7é')
    desk.client.publish('t', 'x', { qos: 1 })
    desk.sent()
    const second = desk.reconnect({ sessionPresent: true })
    assert.deepEqual([second.clientId, second.clean], ['chosen-7é', false])
    assert.equal(second.properties!.sessionExpiryInterval, 60)
    assert.deepEqual(words(desk.sent()), ['publish 2 dup'])
  })

  it('one that is larger than a CONNECT can be is not taken', () => {
    const desk = new Desk({ clientId: '', sendBufferSize: 128 })
    desk.connect({ properties: { assignedClientIdentifier: 'i'.repeat(200) } })
    assert.ok(desk.client.isConnected)
    assert.equal(desk.client.clientId, '')
    assert.equal(desk.reconnect().clientId, '')
  })

  it('a client with a name of its own keeps it', () => {
    const desk = new Desk({ clientId: 'mine' })
    desk.connect(assigned)
    assert.equal(desk.client.clientId, 'mine')
    assert.equal(desk.reconnect().clientId, 'mine')
  })
})

describe('Session Expiry Interval of the CONNACK has the last word', () => {
  for (const [ours, theirs, isKept] of [
    [3600, 0, false],
    [3600, 60, true],
    [0, 60, true],
    [3600, undefined, true],
    [0, undefined, false],
  ] as const) {
    it(`${ours} asked, ${theirs ?? 'nothing'} answered: ${isKept ? 'kept' : 'ended'}`, () => {
      const desk = new Desk({ cleanStart: false, sessionExpirySeconds: ours })
      const properties = theirs === undefined ? {} : { sessionExpiryInterval: theirs }
      assert.equal(desk.connect({ properties }).clean, true)
      assert.equal(desk.reconnect({ sessionPresent: isKept }).clean, !isKept)
      assert.ok(desk.client.isConnected)
    })
  }

  it('a session that ends with its connection is over after a reboot too', () => {
    const flash = board()
    const first = boot(flash)
    first.connect({ properties: { sessionExpiryInterval: 0 } })
    first.client.publish('t', 'x', { qos: 1 })
    assert.equal(first.sentOne().dup, false)
    const second = boot(flash)
    assert.equal(comeBack(second, {}).clean, true)
    const [publish] = second.sent()
    assert.deepEqual([publish!.cmd, publish!.dup], ['publish', false])
  })
})
