/** What the tests of the codec share: byte notation, `system.copy`, PUBLISH in one call. */
import assert from 'node:assert/strict'
import { writePublishHeader } from '../../src/codec/encode-publish.js'
import { decode, ReceivedPacket } from '../../src/codec/decode.js'
import { ERR_SPACE, PUBLISH, V5 } from '../../src/codec/protocol.js'
import { readProperties, writeProperties, type MqttProperties } from '../../src/codec/properties.js'
import { readUtf8 } from '../../src/codec/utf8.js'

export const system = {
  copy(
    target: Uint8Array,
    targetAt: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
  ): void {
    assert(targetAt + length <= target.length && sourceAt + length <= source.length)
    target.set(source.subarray(sourceAt, sourceAt + length), targetAt)
  },
}

/** Bytes in hexadecimal and "text", to the end of the line a comment after `;`. */
export function bytes(notation: string): Uint8Array {
  const result: number[] = []
  for (const line of notation.split('\n')) {
    for (const [token] of line.replace(/;.*$/, '').matchAll(/"[^"]*"|\S+/g)) {
      if (token.startsWith('"')) result.push(...Buffer.from(token.slice(1, -1)))
      else {
        assert.match(token, /^[0-9a-f]{2}$/)
        result.push(parseInt(token, 16))
      }
    }
  }
  return Uint8Array.from(result)
}

export interface PublishFields {
  topic: string
  payload: Uint8Array
  qos?: number
  dup?: boolean
  retain?: boolean
  packetId?: number
  properties?: MqttProperties
}

/** Writes a whole PUBLISH as the session does: header, properties, payload. */
export function writePublish(
  target: Uint8Array,
  at: number,
  fields: PublishFields,
  version: number,
): number {
  const topic = Buffer.from(fields.topic)
  const block = new Uint8Array(70_000)
  const blockLength =
    version === V5 ? writeProperties(block, 0, block.length, PUBLISH, fields.properties ?? null) : 0
  if (blockLength < 0) return blockLength
  const flags = (fields.dup ? 8 : 0) | ((fields.qos ?? 0) << 1) | (fields.retain ? 1 : 0)
  const next = writePublishHeader(
    target,
    at,
    version,
    flags,
    topic,
    0,
    topic.length,
    fields.packetId ?? 0,
    blockLength,
    fields.payload.length,
    system,
  )
  if (next < 0) return next
  const end = next + blockLength + fields.payload.length
  if (end > target.length) return ERR_SPACE
  target.set(block.subarray(0, blockLength), next)
  target.set(fields.payload, next + blockLength)
  return end
}

/** `received` is there for what a broker may send, `write` for what a client may send. */
export interface Vector {
  name: string
  version: number
  bytes: Uint8Array
  write?: (target: Uint8Array, at: number) => number
  received?: Meaning
  /** For packets only a client sends: what mqtt-packet reads, as JSON with bytes in hex. */
  oracle?: object
}

/** A received packet in a form to compare: what is absent was 0, empty or not there. */
export interface Meaning {
  type: number
  dup?: number
  qos?: number
  retain?: number
  packetId?: number
  sessionPresent?: number
  reasonCode?: number
  topic?: string
  payload?: string
  codes?: number[]
  properties?: MqttProperties
}

const hex = (part: Uint8Array): string => Buffer.from(part).toString('hex')

export function meaningOf(packet: ReceivedPacket, source: Uint8Array): Meaning {
  const result: Meaning = { type: packet.type }
  for (const name of [
    'dup',
    'qos',
    'retain',
    'packetId',
    'sessionPresent',
    'reasonCode',
  ] as const) {
    if (packet[name] !== 0) result[name] = packet[name]
  }
  if (packet.topicAt > 0) result.topic = readUtf8(source, packet.topicAt, packet.topicLength)
  if (packet.payloadAt > 0) {
    const end = packet.payloadAt + packet.payloadLength
    result.payload = hex(source.subarray(packet.payloadAt, end))
  }
  if (packet.codesCount > 0) {
    result.codes = [...source.subarray(packet.codesAt, packet.codesAt + packet.codesCount)]
  }
  if (packet.propertiesEnd > packet.propertiesAt) {
    result.properties = readProperties(source, packet.propertiesAt, packet.propertiesEnd)
  }
  return result
}

/** Decodes at an offset, between bytes that are none of its business. */
export function decodeSurrounded(packet: ReceivedPacket, part: Uint8Array, version: number) {
  const source = new Uint8Array(part.length + 12).fill(0xff)
  source.set(part, 5)
  const status = decode(packet, source, 5, part.length, version)
  return { status, source }
}

/** Whether a result is 0 or one of the Reason Codes with which a client may close. */
export function assertStatus(status: number): void {
  assert([0, -0x81, -0x82, -0x94].includes(status), `status ${status}`)
}

/** Offsets of a packet decoded from `at` to `end` point into it. */
export function assertInside(packet: ReceivedPacket, at: number, end: number): void {
  const ranges = [
    [packet.topicAt, packet.topicAt + packet.topicLength],
    [packet.propertiesAt, packet.propertiesEnd],
    [packet.payloadAt, packet.payloadAt + packet.payloadLength],
    [packet.codesAt, packet.codesAt + packet.codesCount],
  ]
  for (const [from, to] of ranges) {
    if (from === 0 && to === 0) continue
    assert(from >= at + 2 && from <= to && to <= end, `${from}..${to} in ${at}..${end}`)
  }
}
