/**
 * Options: what an application asks for, checked once, at construction.
 *
 * A mistake throws an Error that names the option, says what was given and what would be right.
 * After this file no value is checked again: `Settings` holds numbers and bytes, ready to use.
 */
import { brokerUrls, parseBrokers } from './broker-url.js'
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
import type { Acknowledging, Authenticating, TopicAliasing } from './extensions.js'
import { type LaneOptions, makeLanes, OVERFLOWS } from './lanes.js'
import { type Lane, onlyLane } from './queue/lane.js'
import { WINDOW_SPAN } from './store/exchange-window.js'
import { PACKET_ID_SET_LIMIT } from './store/session-state.js'
import type { System } from '../hal/system.js'
import type { BrokerAddress, Transport } from '../hal/transport.js'
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
   * Several brokers instead of one, 2 to 4, the preferred one first: the client goes to the next
   * when one cannot be reached, and comes back. One queue, a session with each.
   */
  brokers?: string[]
  /**
   * `mqtt://host[:port]` (1883), `mqtts://host[:port]` (8883); over a transport that has WebSocket
   * `ws://host[:port][/path]` (80), `wss://host[:port][/path]` (443).
   */
  broker?: string
  /**
   * 1 to 65,535 bytes; with `storage` it must not be empty. '': the broker chooses (MQTT 5), and
   * `client.clientId` tells.
   */
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
  /**
   * With `brokers`, MQTT 5: the user property that carries a message's key, the same at each
   * broker, so that consumers can drop repeats. Default 'holdfast-key'; '' for none.
   */
  duplicateKey?: string
  /**
   * With `brokers`: send again at another broker what was in flight at the last. Default true with
   * MQTT 5. Without it, the default with MQTT 3.1.1, where no key can tell a repeat, the client
   * stays with its broker while messages are in flight there.
   */
  roamInFlight?: boolean
  /** With `brokers`: after so long elsewhere the first one is tried again. Default 300,000. */
  homeAfterMs?: number
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
  /** More properties for CONNECT, MQTT 5: user properties, for instance. */
  connectProperties?: MqttProperties
  /** `new TopicAliases(8, 0)` of holdfast/aliases: MQTT 5, numbers instead of topics. */
  aliases?: TopicAliasing
  /** `new ManualAck()` of holdfast/manual-ack: the application acknowledges what arrives. */
  manualAck?: Acknowledging
  /** `new Authentication(method)` of holdfast/authentication: MQTT 5, the exchange of AUTH. */
  authentication?: Authenticating
}

const NAMES =
  ' system transport broker brokers duplicateKey roamInFlight homeAfterMs clientId storage' +
  ' protocol username password will keepAliveMs' +
  ' cleanStart sessionExpirySeconds sessionLost overflow lanes queueQos0 inFlightLimit' +
  ' drainPerSecond queueSize' +
  ' sendBufferSize receiveBufferSize receiveMaximum connectTimeoutMs pingTimeoutMs' +
  ' ackTimeoutMs retryMinMs retryMaxMs ackBatch ackDelayMs connectProperties aliases manualAck' +
  ' authentication '

const DAY_SECONDS = 86400

/** The options with their defaults, in the form the session uses. */
export class Settings {
  readonly system: System
  readonly transport: Transport
  readonly storage: Storage | null
  readonly version: number
  readonly brokers: BrokerAddress[]
  /** As given, for events: they hold no credentials. */
  readonly brokerUrls: string[]
  /** All of them, for the store's identity. */
  readonly brokerUrl: string
  /** '': none. */
  readonly duplicateKey: string
  readonly roamsInFlight: boolean
  readonly homeAfterMs: number
  /** As given, or as the broker assigned it. */
  clientId: string
  /**
   * CONNECT, encoded once, so that a reconnect walks no strings. Only Clean Start is decided at
   * each connection: its bit is in the byte at `connectFlagsAt`.
   */
  connectPacket!: Uint8Array
  connectFlagsAt!: number
  /** What it was made of, where it can change: an empty `clientId`, or authentication. */
  readonly connect: ConnectOptions | null
  readonly aliases: TopicAliasing | null
  readonly manualAck: Acknowledging | null
  readonly authentication: Authenticating | null
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
    this.brokerUrls = brokerUrls(options.broker, options.brokers)
    this.brokerUrl = this.brokerUrls.join(' ')
    this.brokers = parseBrokers(this.brokerUrls, this.transport)
    const isRoaming = this.brokers.length > 1
    const key = text(options.duplicateKey ?? 'holdfast-key', 'duplicateKey')
    toBytes(key, 'duplicateKey')
    this.duplicateKey = isRoaming && this.version === V5 ? key : ''
    this.roamsInFlight = flag(options.roamInFlight, 'roamInFlight', this.version === V5)
    this.homeAfterMs = time(options.homeAfterMs, 'homeAfterMs', 300000, 1000)
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
    const receive = options.receiveBufferSize
    this.receiveBufferSize = integer(receive, 'receiveBufferSize', 1024, 64, 1048576)
    const maximum = options.receiveMaximum
    this.receiveMaximum = integer(maximum, 'receiveMaximum', 16, 1, PACKET_ID_SET_LIMIT)
    this.connectTimeoutMs = time(options.connectTimeoutMs, 'connectTimeoutMs', 30000, 1)
    this.pingTimeoutMs = time(options.pingTimeoutMs, 'pingTimeoutMs', 10000, 1)
    this.ackTimeoutMs = time(options.ackTimeoutMs, 'ackTimeoutMs', 60000, 0)
    this.retryMinMs = time(options.retryMinMs, 'retryMinMs', 1000, 1)
    this.retryMaxMs = time(options.retryMaxMs, 'retryMaxMs', 60000, this.retryMinMs)
    this.ackBatch = integer(options.ackBatch, 'ackBatch', 16, 1, WINDOW_SPAN)
    this.ackDelayMs = time(options.ackDelayMs, 'ackDelayMs', 1000, 0)
    this.clientId = text(options.clientId, 'clientId')
    this.aliases = options.aliases ?? null
    this.manualAck = options.manualAck ?? null
    this.authentication = options.authentication ?? null
    if (this.authentication !== null && this.version !== V5) {
      fail('authentication', '(given)', 'left out: MQTT 3.1.1 has none')
    }
    const connect = this.checkConnect(options)
    this.connect = this.clientId === '' || this.authentication !== null ? connect : null
    const end = this.encodeConnect(connect)
    if (end === ERR_SPACE) {
      fail('sendBufferSize', this.sendBufferSize, 'large enough for CONNECT with its will')
    }
    if (end < 0) fail('will or connectProperties', '', 'what MQTT allows in CONNECT')
  }

  /** The broker has given us a name: the next connection finds the session under it. */
  takeClientId(clientId: string): void {
    const connect = this.connect!
    connect.clientId = clientId
    if (this.encodeConnect(connect) < 0) connect.clientId = this.clientId
    else this.clientId = clientId
  }

  private checkConnect(options: ClientOptions): ConnectOptions {
    const clientId = this.clientId
    toBytes(clientId, 'clientId')
    if (clientId === '' && this.storage) {
      fail('clientId', '""', 'a name of its own: with storage a session must be found again')
    }
    if (clientId === '' && !this.cleanStart && this.version === V311) {
      fail('clientId', '""', 'a name, or cleanStart: true') // [MQTT-3.1.3-7]
    }
    if (options.password !== undefined && options.username === undefined && this.version === V311) {
      fail('username', undefined, 'given with a password in MQTT 3.1.1') // [MQTT-3.1.2-22]
    }
    if (options.username !== undefined) toBytes(text(options.username, 'username'), 'username')
    return {
      clientId,
      cleanStart: this.cleanStart,
      keepAliveSeconds: this.keepAliveMs / 1000,
      username: options.username === undefined ? null : text(options.username, 'username'),
      password: options.password === undefined ? null : toBytes(options.password, 'password'),
      will: options.will === undefined ? null : checkWill(options.will),
      properties: this.version === V5 ? this.connectProperties(options.connectProperties) : null,
    }
  }

  /** Makes `connectPacket`; negative when that cannot be. */
  private encodeConnect(connect: ConnectOptions): number {
    const bytes = new Uint8Array(this.sendBufferSize)
    const end = writeConnect(bytes, 0, connect, this.version)
    if (end < 0) return end
    this.connectPacket = new Uint8Array(end)
    this.system.copy(this.connectPacket, 0, bytes, 0, end)
    // Behind the fixed header: "MQTT" with its length, the version, the flags.
    this.connectFlagsAt = varintEnd(bytes, 1) + 7
    return end
  }

  private connectProperties(asked: MqttProperties | undefined): MqttProperties {
    const properties: MqttProperties = {
      receiveMaximum: this.receiveMaximum,
      maximumPacketSize: this.receiveBufferSize,
    }
    if (this.sessionExpirySeconds > 0) properties.sessionExpiryInterval = this.sessionExpirySeconds
    const aliases = this.aliases === null ? 0 : this.aliases.receiveLimit
    if (aliases > 0) properties.topicAliasMaximum = aliases
    if (this.authentication) properties.authenticationMethod = this.authentication.method
    if (asked !== undefined) {
      const names = Object.keys(asked)
      for (let index = 0; index < names.length; index++) {
        const name = names[index]!
        if (
          (properties as { [name: string]: unknown })[name] !== undefined ||
          name === 'topicAliasMaximum' ||
          name.indexOf('authentication') === 0
        ) {
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
