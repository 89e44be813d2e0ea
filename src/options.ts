/**
 * Options: what an application asks for, checked once, at construction.
 *
 * A mistake throws an Error that names the option, says what was given and what would be right.
 * After this file no value is checked again: `Settings` holds numbers and bytes, ready to use.
 */
import {
  checkNames,
  choice,
  fail,
  flag,
  integer,
  required,
  text,
  time,
  toBytes,
  topicBytes,
} from './checks.js'
import { varintEnd } from './codec/bytes.js'
import { type ConnectOptions, writeConnect } from './codec/encode.js'
import type { MqttProperties } from './codec/properties.js'
import { ERR_SPACE, V311, V5 } from './codec/protocol.js'
import { type LaneOptions, makeLanes, OVERFLOWS } from './lanes.js'
import { type Lane, onlyLane } from './queue/lane.js'
import { WINDOW_SPAN } from './store/exchange-window.js'
import { PACKET_ID_SET_LIMIT } from './store/session-state.js'
import type { System } from '../hal/system.js'
import { TCP_SCHEMES, type BrokerAddress, type Transport } from '../hal/transport.js'
import type { Storage } from './store/storage-face.js'

export interface WillOptions {
  topic: string
  payload: string | Uint8Array
  /** 0, 1 or 2. Default 0. */
  qos?: number
  retain?: boolean
  /** MQTT 5, e.g. `{ willDelayInterval: 30 }`. */
  properties?: MqttProperties
}

export interface ClientOptions {
  /** The clock, chance and bulk moves of the runtime, e.g. `new NodeSystem()`. */
  system: System
  /** The connection, e.g. `new TcpTransport()`. */
  transport: Transport
  /**
   * `mqtt://host[:port]` (1883), `mqtts://host[:port]` (8883); over a transport that has WebSocket
   * `ws://host[:port][/path]` (80), `wss://host[:port][/path]` (443).
   */
  broker: string
  /** 1 to 65,535 bytes; with `storage` it must not be empty. */
  clientId: string
  /** `new FlashStore(...)`: messages survive a power loss. Without it they wait in RAM. */
  storage?: Storage
  /** 4 for MQTT 3.1.1, 5 for MQTT 5. Default 5. */
  protocol?: number
  username?: string
  password?: string | Uint8Array
  will?: WillOptions
  /** Default 60,000; 0 for none; whole seconds. */
  keepAliveMs?: number
  /** Forget the session at every connection. Default: true without `storage`, else false. */
  cleanStart?: boolean
  /** How long the broker keeps the session. Default: a day with `storage`, else 0. */
  sessionExpirySeconds?: number
  /** The session is gone at the broker: send again what was in flight, or drop it. */
  sessionLost?: 'republish' | 'discard'
  /**
   * The queue is full: refuse the new message (default), give up the oldest ones, the new one, or
   * the oldest ones that have a newer message of the same topic behind them.
   */
  overflow?: 'reject' | 'drop-oldest' | 'drop-newest' | 'replace-same-topic'
  /** Queues of their own for alarms, telemetry and the like: see `LaneOptions`. 1 to 8. */
  lanes?: LaneOptions[]
  /**
   * Let messages of QoS 0 wait in the queue too. Default false: they are sent at once or refused
   * with ERR_OFFLINE.
   */
  queueQos0?: boolean
  /** PUBLISH packets in flight at a time, 1 to 64. Default 20. */
  inFlightLimit?: number
  /**
   * After a connection is made, so many of the messages that waited are sent a second, so that a
   * fleet that comes back does not overrun its broker. Default 0: as fast as it takes them.
   */
  drainPerSecond?: number
  /** Bytes of RAM for waiting messages, without `storage`. Default 4,096. */
  queueSize?: number
  /** Bytes of the largest packet that is sent. Default 1,536. */
  sendBufferSize?: number
  /** Bytes of the largest packet that is received. Default 1,024. */
  receiveBufferSize?: number
  /** Inbound PUBLISH packets of QoS 1 and 2 at a time, 1 to 64. Default 16. */
  receiveMaximum?: number
  /** For TCP, TLS and CONNACK together. Default 30,000. */
  connectTimeoutMs?: number
  /** For the answer to PINGREQ. Default 10,000. */
  pingTimeoutMs?: number
  /** For the answer to PUBLISH; then the connection is made anew. Default 60,000; 0: for ever. */
  ackTimeoutMs?: number
  /** The first pause before a new attempt, doubled at each, with full jitter. Default 1,000. */
  retryMinMs?: number
  /** The longest pause. Default 60,000. */
  retryMaxMs?: number
  /** Acknowledgements that share one mark on flash, 1 to 64. Default 16. */
  ackBatch?: number
  /** The longest an acknowledgement waits for the others. Default 1,000. */
  ackDelayMs?: number
  /** More properties for CONNECT, MQTT 5: user properties, authentication. */
  connectProperties?: MqttProperties
}

const NAMES =
  ' system transport broker clientId storage protocol username password will keepAliveMs' +
  ' cleanStart sessionExpirySeconds sessionLost overflow lanes queueQos0 inFlightLimit' +
  ' drainPerSecond queueSize' +
  ' sendBufferSize receiveBufferSize receiveMaximum connectTimeoutMs pingTimeoutMs' +
  ' ackTimeoutMs retryMinMs retryMaxMs ackBatch ackDelayMs connectProperties '

const DAY_SECONDS = 86400

/** The options with their defaults, in the form the session uses. */
export class Settings {
  readonly system: System
  readonly transport: Transport
  readonly storage: Storage | null
  readonly version: number
  readonly broker: BrokerAddress
  /** `broker` as given, for events and for the store's identity: it holds no credentials. */
  readonly brokerUrl: string
  readonly clientId: string
  /**
   * CONNECT, encoded once, so that a reconnect walks no strings. Only Clean Start is decided at
   * each connection: its bit is in the byte at `connectFlagsAt`.
   */
  readonly connectPacket: Uint8Array
  readonly connectFlagsAt: number
  readonly keepAliveMs: number
  /** Clean Start at every connection. */
  readonly cleanStart: boolean
  /** 0: the session ends with the connection. */
  readonly sessionExpirySeconds: number
  readonly isRepublishing: boolean
  readonly lanes: Lane[]
  readonly queueQos0: boolean
  readonly inFlightLimit: number
  /** Milliseconds between two messages of the backlog; 0: none. */
  readonly drainMs: number
  readonly queueSize: number
  readonly sendBufferSize: number
  readonly receiveBufferSize: number
  readonly receiveMaximum: number
  readonly connectTimeoutMs: number
  readonly pingTimeoutMs: number
  readonly ackTimeoutMs: number
  readonly retryMinMs: number
  readonly retryMaxMs: number
  readonly ackBatch: number
  readonly ackDelayMs: number

  constructor(options: ClientOptions) {
    checkNames(options, 'options', NAMES)
    this.system = required(options.system, 'system', 'a System, e.g. new NodeSystem()')
    this.transport = required(options.transport, 'transport', 'e.g. new TcpTransport()')
    this.storage = options.storage ?? null
    this.version = options.protocol ?? V5
    if (this.version !== V311 && this.version !== V5) {
      fail('protocol', this.version, '4 (MQTT 3.1.1) or 5')
    }
    this.brokerUrl = text(options.broker, 'broker')
    this.broker = parseBroker(this.brokerUrl)
    const schemes = this.transport.schemes ?? TCP_SCHEMES
    if (schemes.indexOf(' ' + schemeOf(this.brokerUrl) + ' ') < 0) {
      fail('broker', this.brokerUrl, 'of a scheme that this transport opens:' + schemes)
    }
    const isDurable = this.storage !== null
    this.cleanStart = flag(options.cleanStart, 'cleanStart', !isDurable)
    this.sessionExpirySeconds = integer(
      options.sessionExpirySeconds,
      'sessionExpirySeconds',
      isDurable ? DAY_SECONDS : 0,
      0,
      0xffffffff,
    )
    this.keepAliveMs = integer(options.keepAliveMs, 'keepAliveMs', 60000, 0, 65535000)
    if (this.keepAliveMs % 1000 !== 0) fail('keepAliveMs', this.keepAliveMs, 'whole seconds')
    this.isRepublishing = choice(options.sessionLost, 'sessionLost', 'republish discard') === 0
    const overflow = choice(options.overflow, 'overflow', OVERFLOWS)
    this.lanes =
      options.lanes === undefined
        ? [onlyLane(overflow)]
        : makeLanes(options.lanes, overflow, isDurable)
    this.queueQos0 = flag(options.queueQos0, 'queueQos0', false)
    this.inFlightLimit = integer(options.inFlightLimit, 'inFlightLimit', 20, 1, WINDOW_SPAN)
    const drain = integer(options.drainPerSecond, 'drainPerSecond', 0, 0, 1000000)
    this.drainMs = drain === 0 ? 0 : 1000 / drain
    this.queueSize = integer(options.queueSize, 'queueSize', 4096, 64, 16777216)
    this.sendBufferSize = integer(options.sendBufferSize, 'sendBufferSize', 1536, 64, 1048576)
    this.receiveBufferSize = integer(
      options.receiveBufferSize,
      'receiveBufferSize',
      1024,
      64,
      1048576,
    )
    this.receiveMaximum = integer(
      options.receiveMaximum,
      'receiveMaximum',
      16,
      1,
      PACKET_ID_SET_LIMIT,
    )
    this.connectTimeoutMs = time(options.connectTimeoutMs, 'connectTimeoutMs', 30000, 1)
    this.pingTimeoutMs = time(options.pingTimeoutMs, 'pingTimeoutMs', 10000, 1)
    this.ackTimeoutMs = time(options.ackTimeoutMs, 'ackTimeoutMs', 60000, 0)
    this.retryMinMs = time(options.retryMinMs, 'retryMinMs', 1000, 1)
    this.retryMaxMs = time(options.retryMaxMs, 'retryMaxMs', 60000, this.retryMinMs)
    this.ackBatch = integer(options.ackBatch, 'ackBatch', 16, 1, WINDOW_SPAN)
    this.ackDelayMs = time(options.ackDelayMs, 'ackDelayMs', 1000, 0)
    this.clientId = text(options.clientId, 'clientId')
    this.connectPacket = this.encodeConnect(options)
    // Behind the fixed header: "MQTT" with its length, the version, the flags.
    this.connectFlagsAt = varintEnd(this.connectPacket, 1) + 7
  }

  private encodeConnect(options: ClientOptions): Uint8Array {
    const clientId = this.clientId
    toBytes(clientId, 'clientId')
    if (clientId === '' && this.storage) {
      fail('clientId', '""', 'a name of its own: with storage a session must be found again')
    }
    if (clientId === '' && !this.cleanStart) {
      fail('clientId', '""', 'a name, or cleanStart: true') // [MQTT-3.1.3-7]
    }
    if (options.password !== undefined && options.username === undefined && this.version === V311) {
      fail('username', undefined, 'given with a password in MQTT 3.1.1') // [MQTT-3.1.2-22]
    }
    if (options.username !== undefined) toBytes(text(options.username, 'username'), 'username')
    const connect: ConnectOptions = {
      clientId,
      cleanStart: this.cleanStart,
      keepAliveSeconds: this.keepAliveMs / 1000,
      username: options.username === undefined ? null : text(options.username, 'username'),
      password: options.password === undefined ? null : toBytes(options.password, 'password'),
      will: options.will === undefined ? null : checkWill(options.will),
      properties: this.version === V5 ? this.connectProperties(options.connectProperties) : null,
    }
    const bytes = new Uint8Array(this.sendBufferSize)
    const end = writeConnect(bytes, 0, connect, this.version)
    if (end === ERR_SPACE) {
      fail('sendBufferSize', this.sendBufferSize, 'large enough for CONNECT with its will')
    }
    if (end < 0) fail('will or connectProperties', '', 'what MQTT allows in CONNECT')
    const packet = new Uint8Array(end)
    this.system.copy(packet, 0, bytes, 0, end)
    return packet
  }

  private connectProperties(asked: MqttProperties | undefined): MqttProperties {
    const properties: MqttProperties = {
      receiveMaximum: this.receiveMaximum,
      maximumPacketSize: this.receiveBufferSize,
    }
    if (this.sessionExpirySeconds > 0) properties.sessionExpiryInterval = this.sessionExpirySeconds
    if (asked !== undefined) {
      const names = Object.keys(asked)
      for (let index = 0; index < names.length; index++) {
        const name = names[index]!
        if ((properties as { [name: string]: unknown })[name] !== undefined) {
          fail('connectProperties.' + name, '', 'left to the option of its own')
        }
        ;(properties as { [name: string]: unknown })[name] = (asked as { [name: string]: unknown })[
          name
        ]
      }
    }
    return properties
  }
}

/**
 * Takes `mqtt://host:port` or `ws://host:port/path` apart, and the same with an s for TLS. Throws
 * for anything else, and for what may hold a secret: a URL is shown, and kept on flash.
 */
export function parseBroker(url: string): BrokerAddress {
  if (/[@?#]/.test(url)) {
    fail('broker', '(not shown)', 'without @, ? and #: credentials are options of their own')
  }
  if (!/^(mqtt|ws)s?:\/\//.test(url)) {
    fail('broker', url, 'a URL such as mqtt://host:1883, mqtts://host:8883 or wss://host/mqtt')
  }
  const scheme = schemeOf(url)
  const isWeb = scheme === 'ws' || scheme === 'wss'
  const secure = scheme === 'wss' || scheme === 'mqtts'
  let host = url.slice(scheme.length + 3)
  const slash = host.indexOf('/')
  let path = isWeb ? '/' : ''
  if (slash >= 0) {
    if (isWeb) path = host.slice(slash)
    else if (slash < host.length - 1) fail('broker', url, 'a URL of a host and a port only')
    host = host.slice(0, slash)
  }
  let port = isWeb ? (secure ? 443 : 80) : secure ? 8883 : 1883
  const bracket = host.indexOf(']')
  const portAt = host.indexOf(':', bracket < 0 ? 0 : bracket)
  if (portAt >= 0) {
    const digits = host.slice(portAt + 1)
    port = Number(digits)
    if (digits === '' || !(port >= 1 && port <= 65535) || port !== Math.floor(port)) {
      fail('broker', url, 'a URL with a port from 1 to 65535')
    }
    host = host.slice(0, portAt)
  }
  if (bracket > 0 && host.charAt(0) === '[') host = host.slice(1, bracket)
  // A path goes into an HTTP request: a blank or a line end in it would be a header of its own.
  if (host === '' || /[^!-~]/.test(path) || host.indexOf(' ') >= 0) {
    fail('broker', url, 'a URL with a host and without blanks')
  }
  return { host, port, secure, path }
}

function schemeOf(url: string): string {
  return url.slice(0, url.indexOf(':'))
}

function checkWill(will: WillOptions): ConnectOptions['will'] {
  topicBytes(will.topic, 'will.topic')
  return {
    topic: will.topic,
    payload: toBytes(will.payload, 'will.payload'),
    qos: integer(will.qos, 'will.qos', 0, 0, 2),
    retain: flag(will.retain, 'will.retain', false),
    properties: will.properties ?? null,
  }
}
