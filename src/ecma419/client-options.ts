/**
 * ClientOptions of the options of clause 25. A mistake throws an Error that names the option as
 * the standard has it; what is unknown is passed over (clause 8), but for what is in `holdfast`.
 */
import { MAX_REMAINING_LENGTH, V311 } from '../codec/protocol.js'
import { fail, integer, toBytes, topicBytes } from '../checks.js'
import type { ClientOptions } from '../options.js'
import type { Transport } from '../../hal/transport.js'
import { bytesOf, type HoldfastOptions, type MQTTClientOptions } from './pattern.js'

/** Names in `holdfast` that are not ClientOptions. */
const OWN = ' transport run secure messageOnly idLimit maximumPacketSize '
/** ClientOptions that are made of those of the standard. */
const OF_THE_PATTERN = ' broker clientId username password will keepAliveMs cleanStart '
const DEFAULT_PORT = 1883
const LARGEST_KEEP_ALIVE_MS = 65535000
/** Fixed header and MAX_REMAINING_LENGTH, section 2.1.4. */
const LARGEST_PACKET = 5 + MAX_REMAINING_LENGTH

interface Loose {
  [name: string]: unknown
}

/** What stands in `options.holdfast`, and what the platform has beside it. */
export function ownOptions(
  options: MQTTClientOptions,
  platform: Partial<HoldfastOptions> | undefined,
): HoldfastOptions {
  if (typeof options !== 'object' || options === null) fail('options', options, 'an object')
  const own: Loose = {}
  take(own, platform, 'platform')
  take(own, options.holdfast, 'holdfast')
  if (typeof own.run !== 'function') fail('holdfast.run', own.run, 'a function, e.g. run')
  own.idLimit = integer(own.idLimit as number, 'holdfast.idLimit', 128, 1, 65535)
  return own as unknown as HoldfastOptions
}

function take(own: Loose, given: unknown, name: string): void {
  if (given === undefined) return
  if (typeof given !== 'object' || given === null) fail(name, given, 'an object')
  const names = Object.keys(given as object)
  for (let index = 0; index < names.length; index++) {
    own[names[index]!] = (given as Loose)[names[index]!]
  }
}

export function transportOf(options: MQTTClientOptions, own: HoldfastOptions): Transport {
  const given = own.transport
  const transport = typeof given === 'function' ? given(options) : given
  if (typeof transport !== 'object' || transport === null) {
    fail('holdfast.transport', transport, 'a Transport or a function that makes one')
  }
  return transport
}

/** `receiveBufferSize`, checked before anything is made of it. */
export function receiveBufferSize(own: HoldfastOptions): number {
  return integer(own.receiveBufferSize, 'receiveBufferSize', 1024, 64, 1048576)
}

/** The largest packet that is received. */
export function largestPacket(own: HoldfastOptions): number {
  const least = receiveBufferSize(own)
  // What the application acknowledges is handed over whole: it keeps the order of the answers.
  const most = own.manualAck ? least : LARGEST_PACKET
  return integer(own.maximumPacketSize, 'holdfast.maximumPacketSize', most, least, most)
}

/** A callback, or null. */
export function callback<T>(value: T, name: string): NonNullable<T> | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'function') fail(name, value, 'a function')
  return value as NonNullable<T>
}

export function clientOptions(
  options: MQTTClientOptions,
  own: HoldfastOptions,
  transport: Transport,
): ClientOptions {
  const storage = own.storage
  const result: Loose = {
    // The standard speaks of version 3 of MQTT.
    protocol: V311,
    // What is written is sent in that order, and waits while there is no connection.
    queueQos0: true,
  }
  const names = Object.keys(own)
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!
    if (OF_THE_PATTERN.indexOf(' ' + name + ' ') >= 0) {
      fail('holdfast.' + name, '', 'left to the option of the standard')
    }
    if (OWN.indexOf(' ' + name + ' ') < 0) result[name] = (own as unknown as Loose)[name]
  }
  const id = string(options.id, 'id')
  if (id === '' && storage) fail('id', '""', 'a name: with storage a session must be found again')
  result.transport = transport
  result.broker = brokerOf(options, own.secure)
  result.clientId = id
  result.cleanStart = options.clean === undefined ? !storage : options.clean ? true : false
  if (id === '' && result.cleanStart === false) fail('id', '""', 'a name, or clean: true')
  // Without Clean Session the broker is to keep the session; in MQTT 5 that takes a time.
  if (result.cleanStart === false && result.sessionExpirySeconds === undefined) {
    result.sessionExpirySeconds = 86400
  }
  credentials(options, result)
  // `keepalive` is how the class of the Moddable SDK spells it.
  const keepAlive = options.keepAlive ?? ((options as unknown as Loose).keepalive as number)
  result.keepAliveMs =
    Math.ceil(integer(keepAlive, 'keepAlive', 0, 0, LARGEST_KEEP_ALIVE_MS) / 1000) * 1000
  const will = options.will
  if (will !== undefined && will !== null) {
    topicBytes(will.topic, 'will.topic')
    result.will = {
      topic: will.topic,
      payload: textOrBytes(will.message, 'will.message'),
      qos: integer(will.QoS, 'will.QoS', 0, 0, 2),
      retain: will.retain ? true : false,
    }
  }
  return result as unknown as ClientOptions
}

function credentials(options: MQTTClientOptions, result: Loose): void {
  const user = string(options.user, 'user')
  const password = textOrBytes(options.password, 'password')
  if (user !== '') result.username = user
  if (password.length === 0) return
  if (user === '' && result.protocol === V311) fail('user', '""', 'given with a password')
  result.password = password
}

/** `mqtt://host:port`: without credentials, so the store may be named after it. */
function brokerOf(options: MQTTClientOptions, asked: boolean | undefined): string {
  // `address` is how the class of the Moddable SDK takes a host that needs no resolver.
  let host = options.host ?? ((options as unknown as Loose).address as string)
  if (typeof host !== 'string' || host === '') fail('host', host, 'the name of the broker')
  if (host.indexOf(':') >= 0 && host.charAt(0) !== '[') host = '[' + host + ']'
  const port = integer(options.port, 'port', DEFAULT_PORT, 1, 65535)
  const socket = options.socket as Loose | undefined
  const secure =
    asked ??
    (socket !== undefined &&
      socket !== null &&
      (socket.tls !== undefined || socket.secure !== undefined))
  return (secure ? 'mqtts://' : 'mqtt://') + host + ':' + port
}

function string(value: string | undefined, name: string): string {
  const text = value ?? ''
  if (typeof text !== 'string') fail(name, value, 'a string')
  toBytes(text, name)
  return text
}

function textOrBytes(value: unknown, name: string): string | Uint8Array {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return string(value, name)
  const bytes = bytesOf(value)
  if (bytes === null) fail(name, '(value)', 'a string or a byte buffer')
  return bytes!
}
