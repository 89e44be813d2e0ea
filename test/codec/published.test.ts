/** The packets of mqtt-packet's own test suite through our decoder and our encoder. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReceivedPacket } from '../../src/codec/decode.js'
import { fromOracle, oracleMeaning, oracleRead, plain } from './oracle.js'
import { writeAck, writeAuth, writeConnect, writeDisconnect } from '../../src/codec/encode.js'
import { writePingreq, writeSubscribe, writeUnsubscribe } from '../../src/codec/encode.js'
import { readPublished, type PublishedRead } from './published.js'
import { decodeSurrounded, meaningOf, writePublish } from './support.js'

const { reads, writes, compared, failed } = readPublished()
const packet = new ReceivedPacket()

/** Packets that mqtt-packet reads and a client must not accept. */
const STRICTER: Record<string, string> = {
  'Version 4 CONACK in Version 5 mode': 'a CONNACK of 3.1.1 on a connection of 5',
  'Version 5 CONNACK test 1': 'no Reason Code, section 3.2.2.2',
  'Version 5 CONNACK test 2': 'no Property Length, section 3.2.2.3.1',
  'connack MQTT 5 with properties': 'Maximum QoS 2, section 3.2.2.3.4',
  'connack MQTT 5 with properties and doubled user properties': 'the same',
  'disconnect MQTT 5': 'a Session Expiry Interval of the broker, [MQTT-3.14.2-2]',
}

/** Packet types that only a client sends, and 0, of both versions; DISCONNECT and AUTH are of 5. */
const isOfBroker = ({ bytes, version }: PublishedRead) => {
  const type = bytes[0]! >> 4
  return ![0, 1, 8, 10, 12].includes(type) && (version === 5 || type < 14)
}

test('the suite of mqtt-packet is there, and mqtt-packet passes it', () => {
  assert.ok(reads.length > 150 && writes.length > 100, `${reads.length} and ${writes.length}`)
  assert.ok(compared > 400, `${compared} comparisons`)
  assert.deepEqual(failed, [])
})

test('what the suite reads we read the same, and what it refuses we refuse', () => {
  const differences: string[] = []
  let read = 0
  for (const one of reads.filter(isOfBroker)) {
    const { status, source } = decodeSurrounded(packet, one.bytes, one.version)
    const hex = Buffer.from(one.bytes.subarray(0, 40)).toString('hex')
    const title = `${one.name} (version ${one.version}): ${hex}`
    if (one.error !== null || one.packets.length !== 1) {
      if (status === 0) differences.push(`accepted: ${title}; ${one.error}`)
      continue
    }
    if (one.name.replace(/ (parse|mirror)$/, '') in STRICTER) {
      assert.ok(status < 0, title)
      continue
    }
    if (status !== 0) {
      differences.push(`refused with ${status}: ${title}`)
      continue
    }
    const expected = oracleMeaning(plain(one.packets[0]))
    assert.deepEqual(meaningOf(packet, source), expected, title)
    read++
  }
  assert.deepEqual(differences, [])
  assert.ok(read > 40, `${read} packets`)
})

const bytesOf = (value: any) => new Uint8Array(Buffer.from(value ?? ''))
const propertiesOf = (value: any) => {
  const given = Object.entries(plain(value ?? {})).filter(([, part]) => part !== undefined)
  return value ? fromOracle(Object.fromEntries(given)) : null
}
/** Made by the test: on XS what is made as this file loads is ROM. */
let target = new Uint8Array(0)

/** Writes with our encoder what the suite wrote; null: no client of ours sends that packet. */
function writeOurs(sent: Record<string, any>, version: number): number | null {
  const { cmd, messageId = 0, properties } = sent
  const block = version === 5 ? propertiesOf(properties) : null
  const ack = ['puback', 'pubrec', 'pubrel', 'pubcomp'].indexOf(cmd)
  // Ours have no properties.
  if (ack >= 0) {
    return block ? null : writeAck(target, 0, 4 + ack, messageId, sent.reasonCode ?? 0, version)
  }
  switch (cmd) {
    case 'connect': {
      if (sent.protocolId === 'MQIsdp' || sent.bridgeMode || ![4, 5].includes(version)) return null
      const { will, username, password } = sent
      const connect = {
        clientId: String(sent.clientId ?? ''),
        cleanStart: sent.clean ?? true,
        keepAliveSeconds: sent.keepalive ?? 0,
        username: username === undefined ? null : String(username),
        password: password === undefined ? null : bytesOf(password),
        will: will && {
          topic: String(will.topic),
          payload: bytesOf(will.payload),
          qos: will.qos ?? 0,
          retain: will.retain ?? false,
          properties: version === 5 ? propertiesOf(will.properties) : null,
        },
        properties: block,
      }
      return writeConnect(target, 0, { ...connect, will: connect.will ?? null }, version)
    }
    case 'publish': {
      const { qos = 0, dup = false, retain = false } = sent
      if (block?.subscriptionIdentifiers || String(sent.payload ?? '').length > 60000) return null
      const fields = { topic: String(sent.topic), payload: bytesOf(sent.payload), qos, dup, retain }
      const more = { packetId: messageId, ...(block ? { properties: block } : {}) }
      return writePublish(target, 0, { ...fields, ...more }, version)
    }
    case 'subscribe': {
      const filters = sent.subscriptions.map(
        ({ topic, qos, nl, rap, rh }: Record<string, any>) => ({
          filter: topic,
          qos,
          noLocal: nl ?? false,
          retainAsPublished: rap ?? false,
          retainHandling: rh ?? 0,
        }),
      )
      const { subscriptionIdentifiers, ...rest } = block ?? {}
      const [identifier] = subscriptionIdentifiers ?? []
      const own = identifier === undefined ? rest : { ...rest, subscriptionIdentifier: identifier }
      return writeSubscribe(target, 0, messageId, filters, block && own, version)
    }
    case 'unsubscribe':
      return writeUnsubscribe(target, 0, messageId, sent.unsubscriptions, block, version)
    case 'pingreq':
      return writePingreq(target, 0)
    case 'disconnect':
      if (block?.serverReference !== undefined) return null // a broker's
      return writeDisconnect(target, 0, sent.reasonCode ?? 0, block, version)
    case 'auth':
      return writeAuth(target, 0, sent.reasonCode ?? 0, block)
    default:
      return null
  }
}

/** Packets of 5 that may leave out a Reason Code of 0 and an empty Property Length. */
const SHORT = ['puback', 'pubrec', 'pubrel', 'pubcomp', 'disconnect', 'auth']

test('what the suite writes we write the same', () => {
  const kinds = new Set<string>()
  target = new Uint8Array(70_000)
  let written = 0
  for (const { name, version, packet: sent, bytes } of writes) {
    const end = writeOurs(sent, version)
    if (end === null) continue
    const title = `${name} (version ${version})`
    assert.ok(end > 0, `refused with ${end}: ${title}`)
    // Properties may stand in another order, and packets with a Reason Code have short forms: what
    // is compared is how mqtt-packet reads both.
    const { length: ours, ...read } = oracleRead(target.slice(0, end), version)
    const { length: theirs, ...expected } = oracleRead(bytes, version)
    assert.deepEqual(read, expected, title)
    if (SHORT.includes(sent.cmd) && version === 5) assert.ok(ours <= theirs, title)
    else if (sent.properties) assert.equal(ours, theirs, title)
    else assert.deepEqual(Buffer.from(target.subarray(0, end)), Buffer.from(bytes), title)
    kinds.add(sent.cmd)
    written++
  }
  assert.ok(written > 40, `${written} packets`)
  for (const cmd of ['connect', 'publish', 'puback', 'subscribe', 'unsubscribe', 'pingreq']) {
    assert.ok(kinds.has(cmd), `no ${cmd}`)
  }
})
