/** Random packets against mqtt-packet, both ways and both versions; random damage. */
import assert from 'node:assert/strict'
import * as encode from '../../src/codec/encode.js'
import { decode, ReceivedPacket } from '../../src/codec/decode.js'
import { isPropertyAllowed, propertyKind, propertyName } from '../../src/codec/property-table.js'
import * as protocol from '../../src/codec/protocol.js'
import type { MqttProperties } from '../../src/codec/properties.js'
import { randomTest, type Chance } from './chance.js'
import { fromOracle, oracleMeaning, oracleRead, oracleWrite, toOracle } from './oracle.js'
import { assertInside, assertStatus, decodeSurrounded, meaningOf } from './support.js'
import { writePublish, type Meaning } from './support.js'
import { vectors } from './vectors.js'

const { V5, V311 } = protocol
const PACKETS = 10_000
const packet = new ReceivedPacket()
/** Made by the tests: on XS what is made as this file loads is ROM. */
let target = new Uint8Array(0)
const hex = (part: Uint8Array): string => Buffer.from(part).toString('hex')

/** Some of the properties a packet may have, from a broker or from a client. */
function randomProperties(chance: Chance, type: number, isFromBroker: boolean): MqttProperties {
  const result: Record<string, unknown> = {}
  for (let id = 1; id <= protocol.PROPERTY_LAST; id++) {
    let isAllowed = isPropertyAllowed(id, type)
    if (!isFromBroker && type === protocol.DISCONNECT) isAllowed = id === 17 || id === 31
    if (!isFromBroker && type === protocol.PUBLISH && id === 11) isAllowed = false
    if (!isAllowed || !chance.happens(3)) continue
    const name = propertyName(id)
    switch (propertyKind(id)) {
      case 1:
        result[name] = chance.below(2)
        break
      case 2:
        result[name] = chance.between(1, 0xffff)
        break
      case 3:
        if (type === protocol.PUBLISH) {
          const count = chance.between(1, 4)
          const values = Array.from({ length: count }, () => chance.between(1, 268435455))
          result.subscriptionIdentifiers = values
        } else result[name] = chance.between(1, 268435455)
        break
      case 4:
        result[name] = chance.between(1, 0xffffffff)
        break
      case 5:
        result[name] = chance.text(20).replace(/[+#]/g, '_')
        break
      case 6:
        result[name] = chance.bytes(20)
        break
      default: {
        // Equal names together, no empty values: mqtt-packet keeps the order only within a name,
        // and drops an empty value before another of the same name.
        const names = [...new Set(Array.from({ length: 3 }, () => `n${chance.text(5)}`))]
        const pairs = names.flatMap((one) =>
          Array.from({ length: chance.between(1, 2) }, () => [one, `v${chance.text(10)}`]),
        )
        result[name] = pairs
      }
    }
  }
  return result as MqttProperties
}

const isEmpty = (block: MqttProperties): boolean => Object.keys(block).length === 0

/** Without the order of keys and user properties, which mqtt-packet changes. */
function sorted(meaning: Meaning): Meaning {
  const users = meaning.properties?.userProperties
  if (!users) return meaning
  return {
    ...meaning,
    properties: { ...meaning.properties, userProperties: [...users].sort() },
  }
}

function randomTopic(chance: Chance): string {
  return `t${chance.text(30).replace(/[+#]/g, '_')}`
}

/** A packet as a broker would send it, in the words of mqtt-packet. */
function brokerPacket(chance: Chance, version: number): Record<string, unknown> {
  const isV5 = version === V5
  const of = (type: number): Record<string, unknown> =>
    isV5 ? { properties: toOracle(randomProperties(chance, type, true)) } : {}
  const messageId = chance.between(1, 65535)
  switch (chance.below(isV5 ? 8 : 6)) {
    case 0: {
      const code = chance.happens() ? 0 : chance.of(isV5 ? [0x87, 0x95, 0x9f] : [1, 5])
      const common = { cmd: 'connack', sessionPresent: code === 0 && chance.happens() }
      return isV5 ? { ...common, reasonCode: code, ...of(2) } : { ...common, returnCode: code }
    }
    case 1: {
      const qos = chance.below(3)
      return {
        cmd: 'publish',
        topic: randomTopic(chance),
        payload: Buffer.from(chance.bytes(chance.of([0, 10, 200, 5000]))),
        qos,
        dup: qos > 0 && chance.happens(),
        retain: chance.happens(),
        ...(qos > 0 && { messageId }),
        ...of(3),
      }
    }
    case 2: {
      const type = chance.between(4, 7)
      const cmd = ['puback', 'pubrec', 'pubrel', 'pubcomp'][type - 4]
      const code = chance.happens() ? 0 : type < 6 ? 0x97 : 0x92
      return { cmd, messageId, ...(isV5 && { reasonCode: code }), ...of(type) }
    }
    case 3: {
      const codes = isV5 ? [0, 1, 2, 0x80, 0x87, 0xa2] : [0, 1, 2, 0x80]
      const granted = Array.from({ length: chance.between(1, 5) }, () => chance.of(codes))
      return { cmd: 'suback', messageId, granted, ...of(9) }
    }
    case 4: {
      const granted = Array.from({ length: chance.between(1, 5) }, () => chance.of([0, 0x11, 0x87]))
      return { cmd: 'unsuback', messageId, ...(isV5 && { granted }), ...of(11) }
    }
    case 5:
      return { cmd: 'pingresp' }
    case 6:
      return { cmd: 'disconnect', reasonCode: chance.of([0, 0x82, 0x8b, 0x9d]), ...of(14) }
    default: {
      const block = { ...randomProperties(chance, 15, true), authenticationMethod: 'm' }
      return { cmd: 'auth', reasonCode: chance.of([0, 0x18]), properties: toOracle(block) }
    }
  }
}

for (const version of [V311, V5]) {
  randomTest(
    `reads ${PACKETS / 2} random packets of mqtt-packet as it does (version ${version})`,
    'random.test.js',
    (chance) => {
      for (let run = 0; run < PACKETS / 2; run++) {
        const written = oracleWrite(brokerPacket(chance, version), version)
        const { status, source } = decodeSurrounded(packet, written, version)
        assert.equal(status, 0, hex(written))
        assertInside(packet, 5, 5 + written.length)
        const expected = sorted(oracleMeaning(oracleRead(written, version)))
        assert.deepEqual(sorted(meaningOf(packet, source)), expected, hex(written))
      }
    },
  )
}

/** Writes a random packet of a client and returns its end and what mqtt-packet is to read. */
function clientPacket(chance: Chance, version: number): [number, Record<string, unknown>] {
  const isV5 = version === V5
  const block = (type: number): MqttProperties | null => {
    const result = isV5 ? randomProperties(chance, type, false) : {}
    return isEmpty(result) ? null : result
  }
  const messageId = chance.between(1, 65535)
  switch (chance.below(isV5 ? 7 : 5)) {
    case 0: {
      const username = chance.happens() ? chance.text(10) : null
      const password = username !== null && chance.happens() ? chance.bytes(20) : null
      const properties = block(1)
      const will = chance.happens()
        ? {
            topic: randomTopic(chance),
            payload: chance.bytes(300),
            qos: chance.below(3),
            retain: chance.happens(),
            properties: block(0),
          }
        : null
      const connect = {
        clientId: `c${chance.text(20)}`,
        cleanStart: chance.happens(),
        keepAliveSeconds: chance.below(65536),
        username,
        password,
        will,
        properties,
      }
      return [
        encode.writeConnect(target, 0, connect, version),
        {
          cmd: 'connect',
          clientId: connect.clientId,
          clean: connect.cleanStart,
          keepalive: connect.keepAliveSeconds,
          username: username ?? undefined,
          password: password === null ? undefined : hex(password),
          properties,
          will: will === null ? undefined : { ...will, payload: hex(will.payload) },
        },
      ]
    }
    case 1: {
      const properties = block(8)
      const filters = Array.from({ length: chance.between(1, 5) }, () => ({
        filter: chance.text(60),
        qos: chance.below(3),
        noLocal: isV5 && chance.happens(),
        retainAsPublished: isV5 && chance.happens(),
        retainHandling: isV5 ? chance.below(3) : 0,
      }))
      const subscriptions = filters.map((one) => ({
        topic: one.filter,
        qos: one.qos,
        ...(isV5 && { nl: one.noLocal, rap: one.retainAsPublished, rh: one.retainHandling }),
      }))
      const end = encode.writeSubscribe(target, 0, messageId, filters, properties, version)
      return [end, { cmd: 'subscribe', messageId, subscriptions, properties }]
    }
    case 2: {
      const properties = block(10)
      const filters = Array.from({ length: chance.between(1, 5) }, () => chance.text(60))
      const end = encode.writeUnsubscribe(target, 0, messageId, filters, properties, version)
      return [end, { cmd: 'unsubscribe', messageId, unsubscriptions: filters, properties }]
    }
    case 3: {
      const type = chance.between(4, 7)
      const reasonCode = isV5 && chance.happens() ? (type < 6 ? 0x97 : 0x92) : 0
      const cmd = ['puback', 'pubrec', 'pubrel', 'pubcomp'][type - 4]
      const end = encode.writeAck(target, 0, type, messageId, reasonCode, version)
      return [end, { cmd, messageId, reasonCode: isV5 ? reasonCode : undefined }]
    }
    case 4: {
      const qos = chance.below(3)
      const fields = {
        topic: randomTopic(chance),
        payload: chance.bytes(chance.of([0, 10, 200, 5000])),
        qos,
        dup: qos > 0 && chance.happens(),
        retain: chance.happens(),
        packetId: messageId,
      }
      const properties = block(3)
      const end = writePublish(
        target,
        0,
        properties === null ? fields : { ...fields, properties },
        version,
      )
      const { packetId: _, ...same } = fields
      return [
        end,
        {
          ...same,
          cmd: 'publish',
          payload: hex(fields.payload),
          messageId: qos > 0 ? messageId : undefined,
          properties,
        },
      ]
    }
    case 5: {
      const properties = block(14)
      const reasonCode = chance.of([0, 4, 0x81, 0x95])
      const end = encode.writeDisconnect(target, 0, reasonCode, properties, version)
      return [end, { cmd: 'disconnect', reasonCode, properties }]
    }
    default: {
      const properties = block(15)
      const end = encode.writeAuth(target, 0, 0x19, properties)
      return [end, { cmd: 'auth', reasonCode: 0x19, properties }]
    }
  }
}

/** Both forms of properties into one: ours, user properties sorted, identifiers in the plural. */
function oneForm(properties: unknown): MqttProperties | undefined {
  if (properties === null || properties === undefined) return undefined
  const block = { ...(properties as MqttProperties) }
  if (block.userProperties) block.userProperties = [...block.userProperties].sort()
  if (block.subscriptionIdentifier !== undefined) {
    block.subscriptionIdentifiers = [block.subscriptionIdentifier]
    delete block.subscriptionIdentifier
  }
  return block
}

for (const version of [V311, V5]) {
  randomTest(
    `writes ${PACKETS / 2} random packets that mqtt-packet reads alike (version ${version})`,
    'random.test.js',
    (chance) => {
      target = new Uint8Array(20_000)
      for (let run = 0; run < PACKETS / 2; run++) {
        const [end, { properties, will, ...rest }] = clientPacket(chance, version)
        assert(end > 0, `result ${end}`)
        const read = oracleRead(target.subarray(0, end), version)
        for (const [key, value] of Object.entries(rest)) {
          assert.deepEqual(read[key], value, `${key} of ${hex(target.subarray(0, end))}`)
        }
        const readForm = (block: object | undefined): MqttProperties | undefined =>
          oneForm(block && fromOracle(block))
        assert.deepEqual(readForm(read.properties), oneForm(properties))
        if (will) {
          const { properties: willProperties, ...fields } = will as Record<string, unknown>
          const { properties: readProperties, ...readFields } = read.will
          assert.deepEqual(readFields, fields)
          assert.deepEqual(readForm(readProperties), oneForm(willProperties))
        }
      }
    },
  )
}

randomTest('survives damaged packets of both versions', 'random.test.js', (chance) => {
  const seeds = vectors.filter((vector) => vector.received)
  for (let run = 0; run < 40_000; run++) {
    const source = Uint8Array.from(chance.of(seeds).bytes)
    for (let count = chance.between(1, 4); count > 0; count--) {
      source[chance.below(source.length)] = chance.happens() ? chance.below(256) : chance.below(8)
    }
    const size = chance.happens(4) ? chance.below(source.length + 1) : source.length
    if (chance.happens() && size >= 2) source[1] = size - 2
    const status = decode(packet, source, 0, size, chance.of([V311, V5]))
    assertStatus(status)
    if (status === 0) {
      assertInside(packet, 0, size)
      meaningOf(packet, source)
    }
  }
})

randomTest('survives bytes that are pure chance', 'random.test.js', (chance) => {
  for (let run = 0; run < 40_000; run++) {
    const source = chance.bytes(40)
    if (source.length >= 2) source[1] = source.length - 2
    const status = decode(packet, source, 0, source.length, chance.of([V311, V5]))
    assertStatus(status)
    if (status === 0) assertInside(packet, 0, source.length)
  }
})
