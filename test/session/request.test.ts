/** Requests with their answers, and the properties of messages read in place. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  ERR_ARGUMENT,
  ERR_EXPIRED,
  ERR_FULL,
  ERR_NOT_AVAILABLE,
  ERR_REFUSED,
  OK,
} from '../../src/index.js'
import * as read from '../../src/message-properties.js'
import { Requester, respond } from '../../src/request.js'
import { ManualAck } from '../../src/session/manual-ack.js'
import { Desk, type Packet, words } from './desk.js'
import { kept, message } from './failures-rig.js'

function rig(more: object = {}, options: object = {}) {
  const desk = new Desk({ ...kept, ...options })
  const requester = new Requester(desk.client, desk.system, { responseTopic: 'answers/1', ...more })
  const seen: string[] = []
  const ask = (text: string) =>
    requester.request('ask', text, (status, answer) =>
      seen.push(`${text}: ${status} ${answer?.text ?? '-'}`),
    )
  return { desk, requester, seen, ask }
}

function connect(desk: Desk): void {
  desk.connect()
  const { messageId, subscriptions } = desk.sentOne()
  assert.equal(subscriptions![0]!.topic, 'answers/1')
  desk.reply({ cmd: 'suback', messageId, granted: [1] })
}

const answer = ({ properties }: Packet, text: string, more = {}) => ({
  ...message(0, 0, text),
  topic: properties!.responseTopic,
  properties: { correlationData: properties!.correlationData },
  ...more,
})

describe('requests', () => {
  it('a request names where its answer goes, and the answer finds its request', () => {
    const { desk, seen, ask, requester } = rig()
    connect(desk)
    for (const text of ['one', 'two', 'three']) assert.equal(ask(text), OK)
    const packets = desk.sent()
    for (const { topic, qos, properties } of packets) {
      assert.deepEqual([topic, qos, properties!.responseTopic], ['ask', 1, 'answers/1'])
      assert.equal(properties!.messageExpiryInterval, 10)
    }
    assert.equal(requester.count, 3)
    desk.reply(answer(packets[1]!, 'TWO'), answer(packets[0]!, 'ONE'))
    desk.reply(answer(packets[1]!, 'TWO again'), message(0, 0, 'no correlation'))
    assert.deepEqual(seen, [`two: ${OK} TWO`, `one: ${OK} ONE`])
    assert.equal(requester.count, 1)
  })

  it('an answer of an earlier boot, or of a wrong size, is nobody’s', () => {
    const { desk, seen, ask } = rig()
    connect(desk)
    ask('one')
    const [packet] = desk.sent()
    const data = Buffer.from(packet!.properties!.correlationData as Buffer)
    const other = Buffer.from(data)
    other[0]! ^= 1
    for (const correlationData of [other, data.subarray(0, 7), Buffer.alloc(0)]) {
      desk.reply(answer(packet!, 'x', { properties: { correlationData } }))
    }
    assert.deepEqual(seen, [])
    desk.reply(answer(packet!, 'ours'))
    assert.deepEqual(seen, [`one: ${OK} ours`])
  })

  it('what is not answered in time is settled once, and a late answer changes nothing', () => {
    const { desk, seen, ask } = rig({ timeoutMs: 3000 })
    connect(desk)
    desk.after(1000000) // the clock of the last poll is not that of the request
    ask('one')
    const packet = desk.sent().find(({ cmd }) => cmd === 'publish')!
    assert.ok(desk.waitMs <= 3000)
    desk.after(2999)
    assert.deepEqual(seen, [])
    desk.after(1)
    desk.reply(answer(packet, 'late'))
    desk.after(10000)
    assert.deepEqual(seen, [`one: ${ERR_EXPIRED} -`])
  })

  it('requests wait in the queue without a connection, and expire there', () => {
    const { desk, seen, ask } = rig({ timeoutMs: 5000 })
    assert.equal(ask('early'), OK)
    desk.poll()
    desk.after(6000)
    assert.deepEqual(seen, [`early: ${ERR_EXPIRED} -`])
    desk.connect()
    assert.deepEqual(words(desk.sent()), ['subscribe 32769'], 'it is not sent any more')
    assert.equal(desk.of('message.dropped')[0]!.status, ERR_EXPIRED)
    assert.equal(seen.length, 1)
  })

  it('nobody listens, or the broker refuses: told at once', () => {
    const { desk, seen, ask } = rig()
    connect(desk)
    ask('one')
    ask('two')
    const [one, two] = desk.sent()
    desk.reply({ cmd: 'puback', messageId: one!.messageId, reasonCode: 0x10 })
    desk.reply({ cmd: 'puback', messageId: two!.messageId, reasonCode: 0x87 })
    assert.deepEqual(seen, [`one: ${ERR_NOT_AVAILABLE} -`, `two: ${ERR_REFUSED} -`])
  })

  it('the table is bounded, and a handler may ask again', () => {
    const { desk, requester, seen } = rig({ limit: 2 })
    connect(desk)
    const again = (text: string) =>
      requester.request('ask', text, (status) => {
        seen.push(`${text} ${status}`)
        if (text !== 'again') assert.equal(again('again'), OK)
      })
    assert.deepEqual([again('a'), again('b'), again('c')], [OK, OK, ERR_FULL])
    const [a, b] = desk.sent()
    desk.reply(answer(a!, ''), answer(b!, ''))
    assert.deepEqual(seen.splice(0), [`a ${OK}`, `b ${OK}`])
    for (const packet of desk.sent()) desk.reply(answer(packet, ''))
    assert.deepEqual(seen, [`again ${OK}`, `again ${OK}`])
    assert.equal(requester.count, 0)
  })

  it('what cannot be published leaves nothing behind', () => {
    const { requester } = rig()
    const status = requester.request('bad/#', '', () => assert.fail('never called'))
    assert.ok(status < 0)
    assert.equal(requester.count, 0)
  })

  it('without the subscription to the answers there are no requests', () => {
    const { desk, ask } = rig()
    desk.connect()
    desk.reply({ cmd: 'suback', messageId: desk.sentOne().messageId!, granted: [0x87] })
    assert.equal(ask('one'), ERR_REFUSED)
  })

  it('with manual acknowledgement the answers are acknowledged', () => {
    const { desk, seen, ask } = rig({}, { manualAck: new ManualAck() })
    connect(desk)
    ask('one')
    const [packet] = desk.sent()
    desk.reply(answer(packet!, 'yes', { qos: 1, messageId: 9 }))
    assert.deepEqual(seen, [`one: ${OK} yes`])
    assert.deepEqual(words(desk.sent()), ['puback 9'])
  })

  it('is for MQTT 5, with a topic of its own', () => {
    assert.throws(() => rig({}, { protocol: 4 }), /"protocol" is 4/)
    assert.throws(() => rig({ responseTopic: 'a/#' }), /"responseTopic"/)
    assert.throws(() => rig({ limit: 65 }), /"limit" is 65/)
    assert.throws(() => rig({ timeoutMs: 0 }), /"timeoutMs" is 0/)
  })
})

describe('answers', () => {
  it('go where the request says, with its correlation and QoS', () => {
    const desk = new Desk()
    const results: number[] = []
    desk.client.subscribe('ask', { qos: 2 }, (request) =>
      results.push(respond(desk.client, request, 'yes ' + request.text)),
    )
    desk.connect()
    desk.sent()
    const ask = (qos: number, properties: object) =>
      desk.reply({ ...message(qos, 7, 'who'), topic: 'ask', properties })
    ask(1, { responseTopic: 'to/them', correlationData: Buffer.from([0, 1, 255]) })
    const first = desk.sent().find(({ cmd }) => cmd === 'publish')!
    assert.deepEqual([first.topic, first.qos, String(first.payload)], ['to/them', 1, 'yes who'])
    assert.deepEqual([...(first.properties!.correlationData as Buffer)], [0, 1, 255])
    ask(0, { responseTopic: 'to/them' })
    assert.equal(desk.sentOne().properties?.correlationData, undefined)
    ask(0, {})
    assert.equal(results[2], ERR_ARGUMENT)
    assert.deepEqual(desk.sent(), [])
  })
})

describe('properties of a message', () => {
  it('are read in place: numbers, strings, bytes and user properties in order', () => {
    const desk = new Desk()
    const seen: unknown[] = []
    desk.client.on('message.received', (event) => {
      const it = event.message!
      const text = (id: number) => read.textAt(it, read.propertyAt(it, id))
      seen.push(text(read.PROPERTY_CONTENT_TYPE), text(read.PROPERTY_RESPONSE_TOPIC))
      const expiryAt = read.propertyAt(it, read.PROPERTY_MESSAGE_EXPIRY_INTERVAL)
      seen.push(read.propertyNumber(it.bytes, expiryAt, read.PROPERTY_MESSAGE_EXPIRY_INTERVAL))
      seen.push([...read.dataAt(it, read.propertyAt(it, read.PROPERTY_CORRELATION_DATA))])
      seen.push(read.propertyAt(it, read.PROPERTY_PAYLOAD_FORMAT_INDICATOR))
      for (let at = read.nextUserProperty(it, 0); at >= 0; at = read.nextUserProperty(it, at)) {
        seen.push(`${read.textAt(it, at)}=${read.textAt(it, read.valueOf(it, at))}`)
      }
      const valueAt = (name: string) => read.userPropertyAt(it, Buffer.from(name))
      seen.push(read.textAt(it, valueAt('b')), valueAt('c'), valueAt(''))
    })
    desk.connect()
    const userProperties = { a: ['1', '2'], b: 'né', bb: '' }
    const more = { responseTopic: 'r', correlationData: Buffer.from([9]) }
    const properties = { contentType: 'text/ü', messageExpiryInterval: 70000, ...more }
    desk.reply({ ...message(0, 0, 'x'), properties: { ...properties, userProperties } })
    desk.reply({ ...message(1, 3, 'x'), properties: { ...properties, userProperties } })
    const once = ['text/ü', 'r', 70000, [9], -1, 'a=1', 'a=2', 'b=né', 'bb=', 'né', -1, -1]
    assert.deepEqual(seen, [...once, ...once])
  })

  it('a message without any has none, also in 3.1.1', () => {
    for (const protocol of [4, 5]) {
      const desk = new Desk({ protocol })
      const seen: number[] = []
      desk.client.on('message.received', (event) => {
        seen.push(read.propertyAt(event.message!, read.PROPERTY_CONTENT_TYPE))
        seen.push(read.nextUserProperty(event.message!, 0))
        seen.push(read.userPropertyAt(event.message!, Buffer.from('a')))
      })
      desk.connect()
      desk.reply(message(0, 0, 'x'))
      assert.deepEqual(seen, [-1, -1, -1])
    }
  })
})
