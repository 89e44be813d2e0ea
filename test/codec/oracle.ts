/** mqtt-packet as a second opinion: what it reads, in forms to compare. */
import assert from 'node:assert/strict'
import { generate, parser, type Packet } from 'mqtt-packet'
import type { MqttProperties } from '../../src/codec/properties.js'
import type { Meaning } from './support.js'

type Json = Record<string, any>

/** The properties that mqtt-packet makes booleans of. */
const BOOLEANS = [
  'payloadFormatIndicator',
  'requestProblemInformation',
  'requestResponseInformation',
  'retainAvailable',
  'wildcardSubscriptionAvailable',
  'subscriptionIdentifiersAvailable',
  'sharedSubscriptionAvailable',
]

/** Plain objects, bytes as hexadecimal text. */
export function plain(value: any): any {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
  }
  return value
}

function readRaw(bytes: Uint8Array, version: number): Json {
  const packets: Json[] = []
  const reader = parser({ protocolVersion: version })
  reader.on('packet', (packet: Packet) => packets.push(packet))
  reader.on('error', (error: Error) => {
    throw error
  })
  assert.equal(reader.parse(Buffer.from(bytes)), 0, 'mqtt-packet has bytes left')
  assert.equal(packets.length, 1)
  return packets[0]
}

export function oracleRead(bytes: Uint8Array, version: number): Json {
  return plain(readRaw(bytes, version))
}

export function oracleWrite(packet: Json, version: number): Uint8Array {
  return new Uint8Array(generate(packet as Packet, { protocolVersion: version }))
}

/** Our names and forms for the properties mqtt-packet has read (bytes in hex). */
export function fromOracle(properties: Json): MqttProperties {
  const result: Json = {}
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'userProperties') {
      result[name] = Object.entries(value as Json).flatMap(([key, values]) =>
        [values].flat().map((one) => [key, one]),
      )
    } else if (name === 'subscriptionIdentifier') result.subscriptionIdentifiers = [value].flat()
    else if (BOOLEANS.includes(name)) result[name] = value ? 1 : 0
    else if (name === 'correlationData' || name === 'authenticationData') {
      result[name] = new Uint8Array(Buffer.from(value as string, 'hex'))
    } else result[name] = value
  }
  return result
}

/** The forms mqtt-packet wants for our properties. */
export function toOracle(properties: MqttProperties): Json {
  const result: Json = {}
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'userProperties') {
      const users: Json = Object.create(null)
      for (const [key, one] of value as string[][]) (users[key] ??= []).push(one)
      result[name] = users
    } else if (name === 'subscriptionIdentifiers') result.subscriptionIdentifier = value
    else if (BOOLEANS.includes(name)) result[name] = value === 1
    else result[name] = value instanceof Uint8Array ? Buffer.from(value) : value
  }
  return result
}

const TYPES = [
  '',
  'connect',
  'connack',
  'publish',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'subscribe',
  'suback',
  'unsubscribe',
  'unsuback',
  'pingreq',
  'pingresp',
  'disconnect',
  'auth',
]

/** What `meaningOf` gives, from a packet mqtt-packet has read. */
export function oracleMeaning(read: Json): Meaning {
  const result: Meaning = { type: TYPES.indexOf(read.cmd) }
  if (read.cmd === 'publish') {
    if (read.dup) result.dup = 1
    if (read.qos) result.qos = read.qos
    if (read.retain) result.retain = 1
    result.topic = read.topic
    result.payload = read.payload
  }
  if (read.messageId) result.packetId = read.messageId
  if (read.sessionPresent) result.sessionPresent = 1
  if (read.reasonCode || read.returnCode) result.reasonCode = read.reasonCode || read.returnCode
  if (read.granted?.length) result.codes = read.granted
  if (read.properties) result.properties = fromOracle(read.properties)
  return result
}
