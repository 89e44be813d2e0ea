/**
 * Packets: the packets of MQTT 3.1.1 that the small client sends, as bytes. Knows no connection.
 *
 * All begin at an offset and return the one behind them; that there is room, the caller has seen.
 */
import type { System } from '../../hal/system.js'
import { readUint16, writeUint16, writeVarint, varintSize } from '../codec/bytes.js'
import { CONNECT, SUBSCRIBE, V311 } from '../codec/protocol.js'
import { utf8Size, writeUtf8 } from '../codec/utf8.js'
import { BODY_HEAD } from './outbox.js'

/** Room in front of a body, for the fixed header of its PUBLISH and for the Packet Identifier. */
export const PUBLISH_HEAD = 6
const RETAIN = 0x04
const DUP = 0x08

export interface SmallWill {
  topic: string
  payload: string | Uint8Array
  /** 0, 1 or 2. Default 0. */
  qos?: number
  retain?: boolean
}

/** What CONNECT says, beside Clean Session. */
export interface Greeting {
  readonly clientId: string
  readonly username?: string
  readonly password?: string | Uint8Array
  readonly will?: SmallWill
}

/** Writes CONNECT (section 3.1), or with no target counts its bytes. */
export function writeConnect(
  target: Uint8Array,
  greeting: Greeting,
  isClean: boolean,
  keepAliveSeconds: number,
): number {
  const will = greeting.will
  const fields: (string | Uint8Array)[] = [greeting.clientId]
  let flags = isClean ? 2 : 0
  if (will) {
    flags |= 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0)
    fields.push(will.topic, will.payload)
  }
  if (greeting.username !== undefined) {
    flags |= 128
    fields.push(greeting.username)
  }
  if (greeting.password !== undefined) {
    flags |= 64
    fields.push(greeting.password)
  }
  let size = 10
  for (let index = 0; index < fields.length; index++) size += sizeOf(fields[index]!)
  if (size + 4 > target.length) return size + 4
  target[0] = CONNECT << 4
  let at = writeField(target, writeVarint(target, 1, size), 'MQTT')
  target[at] = V311
  target[at + 1] = flags
  at = writeUint16(target, at + 2, keepAliveSeconds)
  for (let index = 0; index < fields.length; index++) at = writeField(target, at, fields[index]!)
  return at
}

/** Writes SUBSCRIBE, or UNSUBSCRIBE where `qos` is negative (sections 3.8 and 3.10). */
export function writeSubscribe(
  target: Uint8Array,
  at: number,
  packetId: number,
  filter: string,
  qos: number,
): number {
  const isUnsubscribe = qos < 0
  // Behind SUBSCRIBE comes SUBACK; the low bits are 2 in both [MQTT-3.8.1-1].
  target[at] = ((isUnsubscribe ? SUBSCRIBE + 2 : SUBSCRIBE) << 4) | 2
  at = writeVarint(target, at + 1, 2 + sizeOf(filter) + (isUnsubscribe ? 0 : 1))
  at = writeField(target, writeUint16(target, at, packetId), filter)
  if (!isUnsubscribe) target[at++] = qos
  return at
}

/** Bytes of a SUBSCRIBE beside its filter, at the most. */
export const SUBSCRIBE_SIZE = 10

/**
 * Makes a PUBLISH of a body (`writeBody`), in place. Returns where it begins; it ends with the
 * body. Topic and its length move 2 bytes to the left, the Packet Identifier stands in their place.
 *
 *         bodyAt
 *   +- - -+-------+--------+- - - -+- - - - -+
 *   |     | flags | length | topic | payload |
 *   +- - -+-------+--------+- - - -+- - - - -+
 */
export function framePublish(
  system: System,
  target: Uint8Array,
  bodyAt: number,
  bodyLength: number,
  packetId: number,
  isDup: boolean,
): number {
  const flags = target[bodyAt]!
  const qos = flags & 3
  let at = bodyAt + 1
  if (qos > 0) {
    const topicEnd = bodyAt + BODY_HEAD + readUint16(target, at)
    at -= 2
    system.copy(target, at, target, at + 2, topicEnd - 2 - at)
    writeUint16(target, topicEnd - 2, packetId)
  }
  const size = bodyAt + bodyLength - at
  at -= varintSize(size)
  writeVarint(target, at, size)
  const first = 0x30 | (qos << 1) | ((flags & RETAIN) >> 2) | (isDup ? DUP : 0)
  target[--at] = first
  return at
}

/** Bytes of a string or of binary data, with its length in front. */
function sizeOf(value: string | Uint8Array): number {
  return 2 + (typeof value === 'string' ? utf8Size(value) : value.length)
}

function writeField(target: Uint8Array, at: number, value: string | Uint8Array): number {
  const size = sizeOf(value) - 2
  at = writeUint16(target, at, size)
  if (typeof value === 'string') writeUtf8(target, at, value)
  else target.set(value, at)
  return at + size
}
