/** Boundaries: integers, strings, packet lengths, and what an encoder refuses to send. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as integers from '../../src/codec/bytes.js'
import { ReceivedPacket } from '../../src/codec/decode.js'
import { publishSize, writePublishHeader } from '../../src/codec/encode-publish.js'
import { writeConnect, writeSubscribe, writeUnsubscribe } from '../../src/codec/encode.js'
import * as properties from '../../src/codec/properties.js'
import { ERR_SPACE, MAX_REMAINING_LENGTH, V311, V5 } from '../../src/codec/protocol.js'
import { checkUtf8, readUtf8, utf8Size, writeUtf8 } from '../../src/codec/utf8.js'
import { bytes, decodeSurrounded, system, writePublish } from './support.js'

const packet = new ReceivedPacket()

test('a Variable Byte Integer has the sizes of table 1-1 at each boundary', () => {
  const rows: [value: number, encoded: string][] = [
    [0, '00'],
    [127, '7f'],
    [128, '80 01'],
    [16383, 'ff 7f'],
    [16384, '80 80 01'],
    [2097151, 'ff ff 7f'],
    [2097152, '80 80 80 01'],
    [268435455, 'ff ff ff 7f'],
  ]
  for (const [value, notation] of rows) {
    const encoded = bytes(notation)
    const target = new Uint8Array(4)
    assert.equal(integers.varintSize(value), encoded.length)
    assert.equal(integers.writeVarint(target, 0, value), encoded.length)
    assert.deepEqual(target.subarray(0, encoded.length), encoded)
    assert.equal(integers.readVarint(encoded, 0, encoded.length, true), value)
    assert.equal(integers.varintEnd(encoded, 0), encoded.length)
    for (let end = 0; end < encoded.length; end++) {
      assert.equal(integers.readVarint(encoded, 0, end, true), ERR_SPACE)
    }
  }
  assert.equal(integers.readVarint(bytes('80 80 80 80'), 0, 4, true), -0x81)
  assert.equal(integers.readVarint(bytes('ff ff 00'), 0, 3, true), -0x81)
  assert.equal(integers.readVarint(bytes('ff ff 00'), 0, 3, false), 16383)
})

test('integers of two and four bytes are big endian and unsigned', () => {
  const target = new Uint8Array(8)
  assert.equal(integers.writeUint16(target, 1, 0xfedc), 3)
  assert.equal(integers.writeUint32(target, 3, 0xfedcba98), 7)
  assert.deepEqual(target, bytes('00 fe dc fe dc ba 98 00'))
  assert.equal(integers.readUint16(target, 1), 0xfedc)
  assert.equal(integers.readUint32(target, 3), 0xfedcba98)
})

for (const version of [V311, V5]) {
  test(`PUBLISH at each size of the Remaining Length (version ${version})`, () => {
    const overhead = version === V5 ? 6 : 5
    for (const remaining of [127, 128, 16383, 16384, 2097151, 2097152]) {
      const payload = new Uint8Array(remaining - overhead).fill(7)
      const size = publishSize(1, 1, 0, payload.length, version)
      const target = new Uint8Array(size)
      const fields = { topic: 't', payload, qos: 1, packetId: 1 }
      assert.equal(writePublish(target, 0, fields, version), size)
      assert.equal(size, 1 + integers.varintSize(remaining) + remaining)
      assert.equal(integers.readVarint(target, 1, size, true), remaining)
      assert.equal(decodeSurrounded(packet, target, version).status, 0)
      assert.equal(packet.payloadLength, payload.length)
    }
  })

  test(`the longest PUBLISH there can be, and one byte more (version ${version})`, () => {
    const payloadLength = MAX_REMAINING_LENGTH - (version === V5 ? 4 : 3)
    assert.equal(publishSize(1, 0, 0, payloadLength, version), MAX_REMAINING_LENGTH + 5)
    assert.equal(publishSize(1, 0, 0, payloadLength + 1, version), -0x95)
    const target = new Uint8Array(16)
    const topic = Uint8Array.of(0x74)
    const end = writePublishHeader(target, 0, version, 0, topic, 0, 1, 0, 0, payloadLength, system)
    const header = bytes(`30 ff ff ff 7f 00 01 "t" ${version === V5 ? '00' : ''}`)
    assert.deepEqual(target.subarray(0, end), header)
  })

  test(`a topic of 65535 bytes and the packet identifier 65535 (version ${version})`, () => {
    const topic = 'x'.repeat(65535)
    const target = new Uint8Array(65600)
    const fields = { topic, payload: new Uint8Array(0), qos: 2, packetId: 65535 }
    const end = writePublish(target, 0, fields, version)
    assert.equal(end, publishSize(65535, 2, 0, 0, version))
    const { status, source } = decodeSurrounded(packet, target.slice(0, end), version)
    assert.equal(status, 0)
    assert.equal(packet.packetId, 65535)
    assert.equal(readUtf8(source, packet.topicAt, packet.topicLength), topic)
  })
}

test('a PUBLISH header that does not fit is not begun', () => {
  const topic = Buffer.from('abc')
  for (let size = 0; size < 11; size++) {
    const target = new Uint8Array(size)
    const end = writePublishHeader(target, 0, V5, 2, topic, 0, 3, 9, 200, 10_000, system)
    assert.equal(end, ERR_SPACE)
    assert(target.every((byte) => byte === 0))
  }
  const target = new Uint8Array(12)
  assert.equal(writePublishHeader(target, 0, V5, 2, topic, 0, 3, 9, 200, 10_000, system), 12)
})

test('SUBSCRIBE grows over each size of its Remaining Length without damage', () => {
  for (const length of [110, 118, 119, 120, 121, 16373, 16374, 16375, 16376, 16377]) {
    const filter = 'f'.repeat(length)
    const target = new Uint8Array(17000).fill(0xa5)
    const end = writeSubscribe(target, 0, 1, [{ filter, qos: 1 }], null, V5)
    const remaining = length + 6
    const headerSize = 1 + integers.varintSize(remaining)
    assert.equal(end, headerSize + remaining)
    assert.equal(integers.readVarint(target, 1, end, true), remaining)
    assert.equal(readUtf8(target, headerSize + 5, length), filter)
    assert.equal(target[end], 0xa5)
    const cramped = new Uint8Array(end - 1)
    assert.equal(writeSubscribe(cramped, 0, 1, [{ filter, qos: 1 }], null, V5), ERR_SPACE)
  }
})

test('an encoder refuses what the specification forbids to send', () => {
  const target = new Uint8Array(70_000)
  const connect = {
    clientId: 'a',
    cleanStart: true,
    keepAliveSeconds: 60,
    username: null as string | null,
    password: null as Uint8Array | null,
    will: null,
    properties: null as properties.MqttProperties | null,
  }
  const write = (changes: Partial<typeof connect>, version: number): number =>
    writeConnect(target, 0, { ...connect, ...changes }, version)

  assert.equal(write({ clientId: '', cleanStart: false }, V311), -0x82) // [MQTT-3.1.3-7]
  assert.equal(write({ password: new Uint8Array(1) }, V311), -0x82) // [MQTT-3.1.2-22]
  assert(write({ password: new Uint8Array(1) }, V5) > 0)
  assert.equal(write({ keepAliveSeconds: 65536 }, V5), -0x81)
  assert.equal(write({ keepAliveSeconds: 1.5 }, V5), -0x81)
  assert.equal(write({ keepAliveSeconds: NaN }, V5), -0x81)
  assert.equal(write({ clientId: 'x\u0000' }, V5), -0x81) // [MQTT-1.5.4-2]
  assert.equal(write({ clientId: '\ud800' }, V5), -0x81) // [MQTT-1.5.4-1]
  assert.equal(write({ clientId: '\udc00\ud800' }, V5), -0x81)
  assert.equal(write({ clientId: 'x'.repeat(65536) }, V5), -0x81)
  assert.equal(write({ password: new Uint8Array(65536) }, V5), -0x81)
  assert.equal(write({ properties: { receiveMaximum: 0 } }, V5), -0x82)
  assert.equal(write({ properties: { receiveMaximum: 65536 } }, V5), -0x81)
  assert.equal(write({ properties: { maximumPacketSize: 0 } }, V5), -0x82)
  assert.equal(write({ properties: { requestProblemInformation: 2 } }, V5), -0x82)
  assert.equal(write({ properties: { sessionExpiryInterval: -1 } }, V5), -0x81)
  assert.equal(write({ properties: { sessionExpiryInterval: 0x100000000 } }, V5), -0x81)
  assert.equal(write({ properties: { serverKeepAlive: 1 } }, V5), -0x82) // not in CONNECT
  assert.equal(write({ properties: { userProperties: [['k']] } }, V5), -0x81)
  assert.equal(writeSubscribe(target, 0, 1, [], null, V5), -0x82) // [MQTT-3.8.3-2]
  assert.equal(writeUnsubscribe(target, 0, 1, [], null, V311), -0x82) // [MQTT-3.10.3-2]
  const filters = [{ filter: 'a', qos: 0 }]
  assert.equal(writeSubscribe(target, 0, 1, filters, { subscriptionIdentifier: 0 }, V5), -0x82)
  assert.equal(writeSubscribe(target, 0, 1, filters, { reasonString: 'x' }, V5), -0x82)

  const message = { topic: 't', payload: new Uint8Array(0) }
  const publish = (block: properties.MqttProperties): number =>
    writePublish(target, 0, { ...message, properties: block }, V5)
  assert.equal(publish({ subscriptionIdentifier: 1 }), -0x82) // [MQTT-3.3.4-6]
  assert.equal(publish({ topicAlias: 0 }), -0x94) // [MQTT-3.3.2-8]
  assert.equal(publish({ responseTopic: 'a/#' }), -0x81) // [MQTT-3.3.2-14]
  assert.equal(publish({ willDelayInterval: 1 }), -0x82)
  assert.equal(publish({ subscriptionIdentifiers: [1] }), 6) // received ones are not sent
  const block = new Uint8Array(20)
  const moved = { serverReference: 'b' }
  assert.equal(properties.writeProperties(block, 0, 20, 14, moved), -0x82) // a broker's
})

test('properties are found, stepped through and read without a copy', () => {
  const block = bytes('13 00 1e 1f 00 02 "ok" 27 10 00 00 01 24 01 26 00 01 "k" 00 01 "v"')
  const end = block.length
  assert.equal(properties.checkProperties(block, 0, end, 2), 0)
  const at = properties.findProperty(block, 0, end, 39)
  assert.equal(at, 9)
  assert.equal(properties.propertyNumber(block, at, 39), 0x10000001)
  assert.equal(properties.propertyNumber(block, 1, 19), 30)
  assert.equal(properties.propertyNumber(block, 4, 31), 2, 'the length of a string')
  assert.equal(properties.findProperty(block, 0, end, 33), -1)
  const steps: number[] = []
  for (let at = 0; at < end; at = properties.nextProperty(block, at, end)) steps.push(at)
  assert.deepEqual(steps, [0, 3, 8, 13, 15])
})

test('writeProperties stays before its limit, also where the target goes on', () => {
  const wanted = { contentType: 'abc', userProperties: [['k', 'v']] }
  const block = new Uint8Array(64)
  const end = properties.writeProperties(block, 0, 64, 3, wanted)
  assert.equal(end, 13)
  for (let limit = 0; limit < end; limit++) {
    const target = new Uint8Array(64).fill(0xa5)
    assert.equal(properties.writeProperties(target, 0, limit, 3, wanted), ERR_SPACE)
    assert(target.subarray(limit).every((byte) => byte === 0xa5))
  }
})

test('UTF-8 agrees with Node for every character, and about what is no UTF-8', () => {
  const target = new Uint8Array(4)
  for (let point = 1; point <= 0x10ffff; point += point < 0x11000 ? 1 : 97) {
    if (point >= 0xd800 && point <= 0xdfff) continue
    const text = String.fromCodePoint(point)
    const expected = Buffer.from(text)
    assert.equal(utf8Size(text), expected.length)
    assert.equal(writeUtf8(target, 0, text), expected.length)
    assert(expected.equals(target.subarray(0, expected.length)), point.toString(16))
    assert.equal(checkUtf8(target, 0, expected.length), 0)
    if (readUtf8(target, 0, expected.length) !== text) assert.fail(point.toString(16))
  }
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  // The bytes where the rules change.
  const edges = [0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf]
  edges.push(0xe0, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff)
  for (const first of edges) {
    for (const second of edges) {
      for (const third of edges) {
        for (const fourth of edges) {
          const part = Uint8Array.of(first, second, third, fourth)
          let expected = 0
          try {
            decoder.decode(part)
          } catch {
            expected = -0x81
          }
          if (checkUtf8(part, 0, 4) !== expected) assert.fail(Buffer.from(part).toString('hex'))
        }
      }
    }
  }
})

test('half a surrogate pair has no size, wherever it lies', () => {
  for (const unit of [0xd800, 0xdbff, 0xdc00, 0xdfff]) {
    const half = String.fromCharCode(unit)
    for (const text of [half, `${half}a`, `a${half}`]) assert.equal(utf8Size(text), -0x81)
  }
  assert.equal(utf8Size('\ud7ff\ue000'), 6)
})

test('a character that goes on behind the end of its string is not UTF-8', () => {
  const source = bytes('c3 a9 e2 82 ac f0 9f 8c 8a')
  assert.equal(checkUtf8(source, 0, source.length), 0)
  for (const [at, size] of [
    [0, 2],
    [2, 3],
    [5, 4],
  ]) {
    for (let length = 1; length < size; length++) assert.equal(checkUtf8(source, at, length), -0x81)
  }
})

test('a runtime whose charCodeAt gives whole code points is understood', () => {
  // As on XS: one index, one character.
  const points = [0x61, 0x1f30a, 0x10ffff]
  const text = { length: 3, charCodeAt: (index: number) => points[index] } as unknown as string
  assert.equal(utf8Size(text), 9)
  const target = new Uint8Array(9)
  writeUtf8(target, 0, text)
  assert.equal(Buffer.from(target).toString(), 'a\u{1f30a}\u{10ffff}')
})

test('long strings are read in parts that never split a pair', () => {
  for (let length = 28; length < 70; length++) {
    const text = 'x'.repeat(length) + '\u{1f30a}'.repeat(40)
    const source = Buffer.from(text)
    assert.equal(readUtf8(source, 0, source.length), text)
  }
})
