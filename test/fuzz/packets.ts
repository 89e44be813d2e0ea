/**
 * What the fuzzer feeds: every packet a broker may send, made once by mqtt-packet, and ways to
 * spoil it. And what it reads: frames and PUBLISH packets, by a reader of its own that shares
 * nothing with src.
 */
import mqttPacket from 'mqtt-packet'
import type { Random } from '../../hal/memory/index.js'
import { readPublished } from '../codec/published.js'

export interface Template {
  bytes: Uint8Array
  /** Where the Packet Identifier is, or 0. */
  idAt: number
}

const ID = 0x1234

function template(packet: Record<string, any>, version: number): Template {
  const bytes = mqttPacket.generate(packet as mqttPacket.Packet, { protocolVersion: version })
  const idAt = bytes.indexOf(Buffer.from([ID >> 8, ID & 255]))
  return { bytes: Uint8Array.from(bytes), idAt: idAt < 0 ? 0 : idAt }
}

const publish = (qos: number, topic: string, payload: string, more: object = {}) => ({
  cmd: 'publish',
  messageId: ID,
  dup: false,
  retain: false,
  qos,
  topic,
  payload,
  ...more,
})

/** Packets a broker may send once connected, several of a kind where kinds differ. */
export function corpusOf(version: number): Template[] {
  const v5 = version === 5
  const acks = ['puback', 'pubrec', 'pubrel', 'pubcomp']
  const packets: Record<string, any>[] = [
    ...acks.map((cmd) => ({ cmd, messageId: ID })),
    ...acks.map((cmd) => ({ cmd, messageId: ID })),
    publish(0, 'in/0', 'zero'),
    publish(1, 'in/1', 'one', { retain: true }),
    publish(2, 'in/2', 'two'),
    publish(2, 'in/2', 'two', { dup: true }),
    publish(1, 'in/long/' + 'x'.repeat(60), 'y'.repeat(200), { dup: true }),
    publish(0, 'in/empty', ''),
    { cmd: 'suback', messageId: ID, granted: [0] },
    { cmd: 'suback', messageId: ID, granted: [1, 2, 0x80] },
    { cmd: 'unsuback', messageId: ID, granted: [0] },
    { cmd: 'pingresp' },
  ]
  if (v5) {
    const properties = {
      payloadFormatIndicator: true,
      messageExpiryInterval: 7,
      responseTopic: 'answers/here',
      correlationData: Buffer.from([1, 2, 3]),
      userProperties: { a: 'b', c: 'd' },
      subscriptionIdentifier: [9],
      contentType: 'text/plain',
    }
    packets.push(
      publish(1, 'in/properties', 'with all', { properties }),
      publish(0, '', 'alias', { properties: { topicAlias: 1 } }),
      { cmd: 'puback', messageId: ID, reasonCode: 0x10 },
      { cmd: 'puback', messageId: ID, reasonCode: 0x97 },
      { cmd: 'pubrec', messageId: ID, reasonCode: 0x87, properties: { reasonString: 'no' } },
      { cmd: 'pubrel', messageId: ID, reasonCode: 0x92 },
      { cmd: 'pubcomp', messageId: ID, reasonCode: 0x92 },
      { cmd: 'disconnect', reasonCode: 0x8b, properties: { serverReference: 'elsewhere' } },
      { cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'm' } },
    )
  }
  return [...packets.map((packet) => template(packet, version)), ...publishedOf(version)]
}

/** The packets of mqtt-packet's own test suite, good and bad, that a broker may send or try to. */
function publishedOf(version: number): Template[] {
  const seen = new Set<string>()
  const templates: Template[] = []
  for (const { bytes, version: its } of readPublished().reads) {
    const text = Buffer.from(bytes).toString('hex')
    const isCommon = its === version || (its !== 5 && version !== 5)
    if (!isCommon || bytes.length === 0 || bytes.length > 300 || seen.has(text)) continue
    seen.add(text)
    // PUBACK to PUBCOMP, SUBACK and UNSUBACK have the identifier behind the header.
    const hasId = [4, 5, 6, 7, 9, 11].includes(bytes[0]! >> 4) && bytes.length >= 4
    templates.push({ bytes: Uint8Array.from(bytes), idAt: hasId ? 2 : 0 })
  }
  return templates
}

export function connacksOf(version: number): Template[] {
  const v5 = version === 5
  const code = (reason: number) => (v5 ? { reasonCode: reason } : { returnCode: reason })
  const packets: Record<string, any>[] = [
    { cmd: 'connack', sessionPresent: false, ...code(0) },
    { cmd: 'connack', sessionPresent: true, ...code(0) },
    { cmd: 'connack', sessionPresent: false, ...code(v5 ? 0x87 : 5) },
  ]
  if (v5) {
    const properties = {
      sessionExpiryInterval: 60,
      receiveMaximum: 2,
      maximumQoS: 1,
      retainAvailable: false,
      maximumPacketSize: 60,
      assignedClientIdentifier: 'given',
      topicAliasMaximum: 3,
      reasonString: 'well',
      userProperties: { x: 'y' },
      wildcardSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
      serverKeepAlive: 5,
      responseInformation: 'r',
      serverReference: 's',
    }
    packets.push(
      { cmd: 'connack', sessionPresent: true, reasonCode: 0, properties },
      { cmd: 'connack', sessionPresent: true, reasonCode: 0, properties: { receiveMaximum: 1 } },
    )
  }
  return packets.map((packet) => template(packet, version))
}

/** The packet with this identifier. */
export function fill({ bytes, idAt }: Template, packetId: number): Uint8Array {
  const copy = bytes.slice()
  if (idAt > 0) {
    copy[idAt] = packetId >> 8
    copy[idAt + 1] = packetId
  }
  return copy
}

/** The same packet, spoiled once or a few times. */
export function mutate(bytes: Uint8Array, chance: Random): Uint8Array {
  let copy = Uint8Array.from(bytes)
  for (let times = 1 + chance.below(3); times > 0 && copy.length > 0; times--) {
    const at = chance.below(copy.length)
    switch (chance.below(7)) {
      case 0:
        copy[at]! ^= 1 << chance.below(8)
        break
      case 1:
        copy[at] = chance.below(256)
        break
      case 2:
        copy[at] = [0, 1, 0x7f, 0x80, 0xff][chance.below(5)]!
        break
      case 3:
        copy = copy.slice(0, at)
        break
      case 4: // a byte more, and the length says so
        copy = Uint8Array.from([...copy, chance.below(256)])
        if (copy[1]! < 127) copy[1]!++
        break
      case 5: // a byte less, and the length says so
        copy = Uint8Array.from([...copy.slice(0, at), ...copy.slice(at + 1)])
        if (copy.length > 1 && copy[1]! > 0 && copy[1]! < 128) copy[1]!--
        break
      default: // the header of another packet
        copy[0] = chance.below(256)
    }
  }
  return copy
}

export function randomBytes(chance: Random): Uint8Array {
  const bytes = new Uint8Array(1 + chance.below(40))
  for (let at = 0; at < bytes.length; at++) bytes[at] = chance.below(256)
  return bytes
}

export interface Frame {
  first: number
  bodyAt: number
  end: number
}

/** The frame at `at`, or null when it is not whole (or has no length that can be). */
export function frameAt(bytes: Uint8Array, at: number, limit: number): Frame | null {
  let length = 0
  for (let index = 0; index < 4; index++) {
    const place = at + 1 + index
    if (place >= limit) return null
    length += (bytes[place]! & 127) * 128 ** index
    if (bytes[place]! < 128) {
      const end = place + 1 + length
      return end <= limit ? { first: bytes[at]!, bodyAt: place + 1, end } : null
    }
  }
  return null
}

export interface Published {
  qos: number
  packetId: number
  topic: string
  payload: string
}

/** Takes a PUBLISH apart without asking whether it is allowed; null when it makes no sense. */
export function readPublish(bytes: Uint8Array, frame: Frame, version: number): Published | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, frame.end)
  const qos = (frame.first >> 1) & 3
  let at = frame.bodyAt
  if (at + 2 > frame.end) return null
  const topicAt = at + 2
  at = topicAt + view.readUInt16BE(at)
  const topicEnd = at
  let packetId = 0
  if (qos > 0) {
    if (at + 2 > frame.end) return null
    packetId = view.readUInt16BE(at)
    at += 2
  }
  if (version === 5) {
    let size = 0
    let shift = 1
    for (;;) {
      if (at >= frame.end || shift > 128 ** 3) return null
      const byte = view[at++]!
      size += (byte & 127) * shift
      shift *= 128
      if (byte < 128) break
    }
    at += size
  }
  if (topicEnd > frame.end || at > frame.end) return null
  return {
    qos,
    packetId,
    topic: view.toString('hex', topicAt, topicEnd),
    payload: view.toString('hex', at, frame.end),
  }
}
