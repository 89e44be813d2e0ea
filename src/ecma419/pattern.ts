/**
 * The words of ECMA-419, clause 25: what the MQTT Client Class Pattern gives and takes, as types.
 *
 * The clause has the same text in the second and the third edition; clauses 8 (Base Class Pattern)
 * and 9 (IO Class Pattern) stand behind it. Everything that is Holdfast's own is under the one name
 * `holdfast`, since clause 2 permits further properties. Knows nothing of sessions.
 */
import type { ClientOptions } from '../options.js'
import type { System } from '../../hal/system.js'
import type { Transport } from '../../hal/transport.js'

/** "Byte Buffer" of clause 6; any other view of a buffer is taken as well. */
export type ByteBuffer = ArrayBufferLike | ArrayBufferView

/** What a callback has as `this`. */
export interface MQTTClientFace {
  target: unknown
  format: string
  read(): ArrayBuffer | undefined
  read(byteLength: number): ArrayBuffer | undefined
  read(buffer: ByteBuffer): number | undefined
  write(data: ByteBuffer | null, options?: WriteOptions): number
  close(): void
}

/**
 * The second argument of `onReadable`. All but `more` are there at the first part of a message
 * only; the later parts of a message share one object.
 */
export interface ReadableOptions {
  /** False: these bytes are the last of the message. */
  more: boolean
  topic?: string
  QoS?: number
  /** Bytes of the whole message. */
  byteLength?: number
  /** Not of the standard: the message is one the broker had kept. */
  retain?: boolean
}

/** The second argument of `onControl`. PUBACK, PUBREC, PUBREL and PUBCOMP share one object. */
export interface ControlMessage {
  operation: number
  /** Where the packet has one: that of `write`, or else the Packet Identifier. */
  id?: number
  /** SUBACK: a code for each item of `write`. UNSUBACK of MQTT 5: likewise. */
  payload?: number[]
  /** Not of the standard. CONNACK: the broker still has the session. */
  sessionPresent?: boolean
  /** Not of the standard. CONNACK of an accepted connection: 0. */
  returnCode?: number
  /** Not of the standard. PUBACK, PUBREC, PUBREL, PUBCOMP: that of MQTT 5, else 0. */
  reasonCode?: number
}

export interface ItemOptions {
  topic: string | ByteBuffer
  QoS?: number
}

export interface WriteOptions {
  operation?: number
  id?: number
  topic?: string | ByteBuffer
  QoS?: number
  retain?: boolean
  duplicate?: boolean
  byteLength?: number
  items?: readonly ItemOptions[]
}

export interface WillPattern {
  topic: string
  message?: string | ByteBuffer
  QoS?: number
  retain?: boolean
}

/** What turns the client: `run` of `holdfast/node`, or one over the timer of the board. */
export interface Polled {
  poll(now: number): number
  onWork: () => void
}

export interface Running {
  stop(): void
}

/** Options that the clause leaves to others, or has under another name. */
type OfThePattern =
  | 'transport'
  | 'broker'
  | 'clientId'
  | 'username'
  | 'password'
  | 'will'
  | 'keepAliveMs'
  | 'cleanStart'

/** `ClientOptions` without what the pattern has, and what the platform must bring. */
export interface HoldfastOptions extends Omit<ClientOptions, OfThePattern> {
  /** The connection; or a function that makes one of `socket` and `dns`. */
  transport: Transport | ((options: MQTTClientOptions) => Transport)
  /** Begins to call `poll`, and not before it returned. Gets `system` too. */
  run: (polled: Polled, system: System) => Running
  /** TLS. Default: true where `socket` has a property `tls` or `secure`. */
  secure?: boolean
  /** Call `onControl(message)`, as the class of the Moddable SDK does. Default false. */
  messageOnly?: boolean
  /**
   * Bytes of the largest packet that is received, in parts where it is larger than
   * `receiveBufferSize`. Default: what MQTT allows, 268,435,460; `receiveBufferSize` where
   * `manualAck` is given.
   */
  maximumPacketSize?: number
  /** Messages with an `id` of their own that wait for an answer at a time. Default 128. */
  idLimit?: number
}

export interface MQTTClientOptions {
  target?: unknown
  socket?: object
  dns?: object
  host?: string
  /** Default 1883. */
  port?: number
  id?: string
  user?: string
  password?: string | ByteBuffer
  /** Milliseconds. Default 0: none. */
  keepAlive?: number
  /** Default true; false where `holdfast.storage` is given. */
  clean?: boolean
  will?: WillPattern | null
  onReadable?: ((this: MQTTClientFace, count: number, options: ReadableOptions) => void) | null
  onWritable?: ((this: MQTTClientFace, count: number) => void) | null
  onControl?: ((this: MQTTClientFace, opcode: any, message: any) => void) | null
  onError?: ((this: MQTTClientFace, error: Error) => void) | null
  /** What the second argument of the constructor has not, or has otherwise. */
  holdfast?: Partial<HoldfastOptions>
}

/** The bytes of a Byte Buffer, without a copy; null for what is none. */
export function bytesOf(data: unknown): Uint8Array | null {
  if (data instanceof Uint8Array) return data
  if (typeof data !== 'object' || data === null) return null
  const view = data as ArrayBufferView
  const byteLength = view.byteLength
  if (typeof byteLength !== 'number') return null
  const bytes =
    view.buffer === undefined
      ? new Uint8Array(data as ArrayBuffer)
      : new Uint8Array(view.buffer, view.byteOffset, byteLength)
  return bytes.length === byteLength ? bytes : null
}
