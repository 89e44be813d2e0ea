/**
 * Outbox: what the small client must not forget of its session: the messages of QoS 1 and 2 that
 * are not complete, how far each exchange has come, and the Packet Identifiers of inbound QoS 2.
 * `RamOutbox` and `FlashOutbox` implement it. Neither knows packets or the connection.
 */
import { writeUint16 } from '../codec/bytes.js'
import { utf8Size, writeUtf8 } from '../codec/utf8.js'
import { ERR_ARGUMENT, ERR_TOPIC, type Status } from '../status.js'
import type { ExchangeWindow } from '../store/exchange-window.js'

export interface Outbox {
  /** A power loss changes nothing. */
  readonly isDurable: boolean
  readonly window: ExchangeWindow
  /** Identifiers of inbound QoS 2 for which PUBREC was sent and PUBREL has not come. */
  readonly inbound: number[]
  /** The number of the message that is added next. */
  readonly nextNumber: number
  /** A CONNACK came, and nothing has ended the session since. */
  sessionMayExist: boolean
  /** `flush` has something to make durable. */
  readonly isDirty: boolean
  /** Messages that are not complete, and those completed behind one that is not. */
  readonly count: number
  /** How far the messages may have been sent that were here before this boot; else the base. */
  readonly sentEnd: number

  /** Opens the outbox for a client. Throws an Error that says what to do. */
  mount(clientId: string, broker: string): void

  /**
   * Keeps a message whose body has `size` bytes, as `bodySize` said: its number, or ERR_FULL,
   * ERR_TOO_LARGE, ERR_STORAGE.
   */
  add(flags: number, topic: string, payload: string | Uint8Array, size: number): number

  /**
   * Copies a message's body to `target`, where it must end before `end`. Returns its bytes; 0: it
   * is damaged; ERR_TOO_LARGE, ERR_STORAGE.
   */
  load(number: number, target: Uint8Array, at: number, end: number): number

  /** The exchange of a message has come to a state. */
  settle(number: number, state: number): void

  /** Makes the session durable, beside the messages. */
  save(): Status

  /** Makes durable how far the exchanges have come. */
  flush(): Status
}

/** Inbound identifiers that are kept at the most: what a broker can make us remember. */
export const INBOUND_LIMIT = 64
/** Bytes of a body in front of its topic: flags and the topic's length. */
export const BODY_HEAD = 3
/** Flag of a body, for those who read the flash: the topic is not a number. */
const INLINE_TOPIC = 0x08

/**
 * Bytes of a text as UTF-8; negative where it cannot be sent. The pattern is native code; a loop
 * over the characters takes Espruino most of the time of a publish.
 */
function textSize(text: string): number {
  return /[^ -~]/.test(text) ? utf8Size(text) : text.length
}

/** Bytes of a message's body; negative where topic or payload cannot be sent. */
export function bodySize(topic: string, payload: string | Uint8Array): number {
  const size = textSize(topic)
  const more = typeof payload === 'string' ? textSize(payload) : payload.length
  if (size < 1 || size > 65535 || /[+#]/.test(topic)) return ERR_TOPIC // [MQTT-3.3.2-2]
  return more < 0 ? ERR_ARGUMENT : BODY_HEAD + size + more
}

/**
 * Writes a body that `bodySize` has accepted: docs/FLASH-FORMAT.md, section 4.1, with the topic
 * inline.
 *
 *   +-------+--------------+- - - -+- - - - - +
 *   | flags | topic length | topic | payload  |
 *   +-------+--------------+- - - -+- - - - - +
 *     1       2
 */
export function writeBody(
  target: Uint8Array,
  at: number,
  flags: number,
  topic: string,
  payload: string | Uint8Array,
): void {
  const topicAt = at + BODY_HEAD
  const end = writeUtf8(target, topicAt, topic)
  target[at] = flags | INLINE_TOPIC
  writeUint16(target, at + 1, end - topicAt)
  if (typeof payload === 'string') writeUtf8(target, end, payload)
  else target.set(payload, end)
}
