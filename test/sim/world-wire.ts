/**
 * MQTT on the wire as the simulated world needs it: packets cut out of a byte stream and taken
 * apart, and the packets a broker sends. Written for speed and independent of src/codec, so that a
 * mistake there cannot hide here. `--trace` and the tests of the codec use mqtt-packet instead.
 */
import { violate } from './world-clock.js'

export const CONNECT = 1
export const CONNACK = 2
export const PUBLISH = 3
export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7
export const SUBSCRIBE = 8
export const SUBACK = 9
export const UNSUBSCRIBE = 10
export const UNSUBACK = 11
export const PINGREQ = 12
export const PINGRESP = 13
export const DISCONNECT = 14

export interface WirePacket {
  type: number
  /** The low four bits of the first byte. */
  flags: number
  dup: boolean
  qos: number
  retain: boolean
  packetId: number
  /** Reason Code of an acknowledgement, a CONNACK or a DISCONNECT. */
  code: number
  sessionPresent: boolean
  topic: string
  payload: Uint8Array
  bytes: Uint8Array
  /** Where the variable header begins. */
  bodyAt: number
}

/** Cuts packets out of the bytes of one direction of one connection. */
export class PacketStream {
  private rest: Uint8Array = new Uint8Array(0)
  private readonly version: () => number

  constructor(version: () => number) {
    this.version = version
  }

  push(bytes: Uint8Array, take: (packet: WirePacket) => void): void {
    let all = bytes
    if (this.rest.length > 0) {
      all = new Uint8Array(this.rest.length + bytes.length)
      all.set(this.rest)
      all.set(bytes, this.rest.length)
    }
    let at = 0
    for (;;) {
      let size = 0
      let bodyAt = at + 1
      let shift = 0
      for (; bodyAt < all.length; bodyAt++, shift += 7) {
        if (shift > 21) violate('a Remaining Length of more than four bytes')
        size |= (all[bodyAt]! & 127) << shift
        if (all[bodyAt]! < 128) break
      }
      const end = bodyAt + 1 + size
      if (bodyAt >= all.length || end > all.length) break
      take(parsePacket(all.slice(at, end), bodyAt + 1 - at, this.version()))
      at = end
    }
    this.rest = at === 0 ? all : all.slice(at)
  }
}

function parsePacket(bytes: Uint8Array, bodyAt: number, version: number): WirePacket {
  const type = bytes[0]! >> 4
  const packet: WirePacket = {
    type,
    flags: bytes[0]! & 15,
    dup: false,
    qos: 0,
    retain: false,
    packetId: 0,
    code: 0,
    sessionPresent: false,
    topic: '',
    payload: bytes,
    bytes,
    bodyAt,
  }
  const u16 = (at: number): number => (bytes[at]! << 8) | bytes[at + 1]!
  if (type === PUBLISH) {
    packet.dup = (packet.flags & 8) !== 0
    packet.qos = (packet.flags >> 1) & 3
    packet.retain = (packet.flags & 1) !== 0
    let at = bodyAt + 2 + u16(bodyAt)
    for (let index = bodyAt + 2; index < at; index++) {
      packet.topic += String.fromCharCode(bytes[index]!)
    }
    if (packet.qos > 0) {
      packet.packetId = u16(at)
      at += 2
    }
    if (version === 5) at = skipProperties(bytes, at)
    packet.payload = bytes.subarray(at)
  } else if (type === CONNACK) {
    packet.sessionPresent = bytes[bodyAt] === 1
    packet.code = bytes[bodyAt + 1]!
  } else if (type === DISCONNECT) {
    packet.code = bytes.length > bodyAt ? bytes[bodyAt]! : 0
  } else if (type >= PUBACK && type <= UNSUBACK) {
    packet.packetId = u16(bodyAt)
    if (type <= PUBCOMP && bytes.length > bodyAt + 2) packet.code = bytes[bodyAt + 2]!
  }
  return packet
}

/** The offset after the property length at `at` and the properties it counts. */
export function skipProperties(bytes: Uint8Array, at: number): number {
  let length = 0
  let shift = 0
  let next = at
  do {
    length |= (bytes[next]! & 127) << shift
    shift += 7
  } while (bytes[next++]! >= 128)
  return next + length
}

export interface ConnectFields {
  version: number
  clientId: string
  isClean: boolean
  keepAliveSeconds: number
  sessionExpirySeconds: number
  receiveMaximum: number
}

export function parseConnect(packet: WirePacket): ConnectFields {
  const bytes = packet.bytes
  let at = packet.bodyAt + 6
  const u16 = (from: number): number => (bytes[from]! << 8) | bytes[from + 1]!
  const fields = {
    version: bytes[at]!,
    clientId: '',
    isClean: (bytes[at + 1]! & 2) !== 0,
    keepAliveSeconds: u16(at + 2),
    sessionExpirySeconds: 0,
    receiveMaximum: 65535,
  }
  at += 4
  if (fields.version === 5) {
    const end = skipProperties(bytes, at)
    for (at++; at < end;) {
      const property = bytes[at++]!
      if (property === 0x21) {
        fields.receiveMaximum = u16(at)
        at += 2
      } else if (property === 0x11 || property === 0x27) {
        const value = u16(at) * 65536 + u16(at + 2)
        if (property === 0x11) fields.sessionExpirySeconds = value
        at += 4
      } else violate('CONNECT has a property the world does not know: ' + property)
    }
  } else if (!fields.isClean) {
    fields.sessionExpirySeconds = Infinity
  }
  fields.clientId = String.fromCharCode(...bytes.subarray(at + 2, at + 2 + u16(at)))
  return fields
}

export interface ConnackFields {
  receiveMaximum: number
  keepAliveSeconds: number
  sessionExpirySeconds: number
}

/** CONNACK; a field below 0 is left out. */
export function connack(
  version: number,
  isPresent: boolean,
  code: number,
  fields: ConnackFields,
): Uint8Array {
  const head = [isPresent ? 1 : 0, code]
  if (version !== 5) return packetOf(CONNACK, 0, head)
  const properties: number[] = []
  if (fields.receiveMaximum >= 0) properties.push(0x21, ...two(fields.receiveMaximum))
  if (fields.keepAliveSeconds >= 0) properties.push(0x13, ...two(fields.keepAliveSeconds))
  if (fields.sessionExpirySeconds >= 0) {
    const seconds = fields.sessionExpirySeconds
    properties.push(0x11, ...two(seconds >>> 16), ...two(seconds))
  }
  return packetOf(CONNACK, 0, [...head, properties.length, ...properties])
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function ack(version: number, type: number, packetId: number, code: number): Uint8Array {
  const flags = type === PUBREL ? 2 : 0
  const tail = version === 5 && code !== 0 ? [code] : []
  return packetOf(type, flags, [...two(packetId), ...tail])
}

export function publish(
  version: number,
  qos: number,
  dup: boolean,
  packetId: number,
  topic: string,
  payload: Uint8Array,
): Uint8Array {
  const body = [...two(topic.length)]
  for (let index = 0; index < topic.length; index++) body.push(topic.charCodeAt(index))
  if (qos > 0) body.push(...two(packetId))
  if (version === 5) body.push(0)
  return packetOf(PUBLISH, (dup ? 8 : 0) | (qos << 1), [...body, ...payload])
}

/** SUBACK or UNSUBACK with one code for each filter of the request. */
export function subscribed(version: number, request: WirePacket): Uint8Array {
  const bytes = request.bytes
  const isSubscribe = request.type === SUBSCRIBE
  let at = request.bodyAt + 2
  if (version === 5) at = skipProperties(bytes, at)
  const codes: number[] = []
  while (at < bytes.length) {
    at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
    codes.push(isSubscribe ? bytes[at++]! & 3 : 0)
  }
  const body = version === 5 ? [...two(request.packetId), 0] : two(request.packetId)
  const hasCodes = isSubscribe || version === 5
  return packetOf(isSubscribe ? SUBACK : UNSUBACK, 0, hasCodes ? [...body, ...codes] : body)
}

export function disconnect(code: number): Uint8Array {
  return packetOf(DISCONNECT, 0, [code, 0])
}

export function pingresp(): Uint8Array {
  return packetOf(PINGRESP, 0, [])
}

function two(value: number): number[] {
  return [(value >> 8) & 255, value & 255]
}

function packetOf(type: number, flags: number, body: number[]): Uint8Array {
  const size = body.length
  const head = size < 128 ? [size] : [(size & 127) | 128, size >> 7]
  if (size >= 16384) violate('the model broker sends no packet of ' + size + ' bytes')
  return Uint8Array.from([(type << 4) | flags, ...head, ...body])
}
