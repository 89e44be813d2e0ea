/**
 * SmallOptions: what an application asks of the small client, checked once, at construction. Names
 * and defaults are those of the full client.
 */
import type { System } from '../../hal/system.js'
import type { BrokerAddress, Transport } from '../../hal/transport.js'
import { fail, integer, time } from '../checks.js'
import { V311 } from '../codec/protocol.js'
import { utf8Size } from '../codec/utf8.js'
import { WINDOW_SPAN } from '../store/exchange-window.js'
import type { Outbox } from './outbox.js'
import { type Greeting, type SmallWill, writeConnect } from './packets.js'

export interface SmallOptions {
  /** The clock, chance and bulk moves of the runtime. */
  system: System
  /** The connection. */
  transport: Transport
  /** `new FlashOutbox(...)`: messages survive a power loss; `new RamOutbox(...)`: they do not. */
  storage: Outbox
  /** `mqtt://host[:port]` (1883), `mqtts://host[:port]` (8883); a name or an IPv4 address. */
  broker: string
  /** 1 to 65,535 bytes. */
  clientId: string
  username?: string
  password?: string | Uint8Array
  will?: SmallWill
  /** 4: the small client speaks MQTT 3.1.1. */
  protocol?: number
  /** Default 60,000; 0 for none. The broker is told whole seconds, rounded up. */
  keepAliveMs?: number
  /** Forget the session at every connection. Default false. */
  cleanStart?: boolean
  /** PUBLISH packets in flight at a time, 1 to 64. Default 20. */
  inFlightLimit?: number
  /** Bytes of the largest packet that is sent. Default 1,056. */
  sendBufferSize?: number
  /** Bytes of the largest packet that is received whole. Default 1,024. */
  receiveBufferSize?: number
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
}

const NAMES =
  ' system transport storage broker clientId username password will protocol keepAliveMs' +
  ' cleanStart inFlightLimit sendBufferSize receiveBufferSize connectTimeoutMs' +
  ' pingTimeoutMs ackTimeoutMs retryMinMs retryMaxMs ackBatch ackDelayMs '

/** The options with their defaults. */
export class SmallSettings {
  readonly system: System
  readonly transport: Transport
  readonly storage: Outbox
  readonly broker: BrokerAddress
  readonly url: string
  readonly greeting: Greeting
  readonly keepAliveMs: number
  readonly cleanStart: boolean
  readonly inFlightLimit: number
  readonly sendBufferSize: number
  readonly receiveBufferSize: number
  readonly connectTimeoutMs: number
  readonly pingTimeoutMs: number
  readonly ackTimeoutMs: number
  readonly retryMinMs: number
  readonly retryMaxMs: number
  readonly ackBatch: number
  readonly ackDelayMs: number

  constructor(options: SmallOptions, more: string) {
    checkNames(options, NAMES + more)
    assertGiven(options)
    this.system = options.system
    this.transport = options.transport
    this.storage = options.storage
    this.url = options.broker
    this.broker = parseBroker(this.url)
    integer(options.protocol, 'protocol', V311, V311, V311)
    this.keepAliveMs = integer(options.keepAliveMs, 'keepAliveMs', 60000, 0, 65535000)
    this.cleanStart = options.cleanStart ?? !this.storage.isDurable
    this.inFlightLimit = integer(options.inFlightLimit, 'inFlightLimit', 20, 1, WINDOW_SPAN)
    this.sendBufferSize = integer(options.sendBufferSize, 'sendBufferSize', 1056, 64, 65535)
    const receive = options.receiveBufferSize
    this.receiveBufferSize = integer(receive, 'receiveBufferSize', 1024, 64, 65535)
    this.connectTimeoutMs = time(options.connectTimeoutMs, 'connectTimeoutMs', 30000, 1)
    this.pingTimeoutMs = time(options.pingTimeoutMs, 'pingTimeoutMs', 10000, 1)
    this.ackTimeoutMs = time(options.ackTimeoutMs, 'ackTimeoutMs', 60000, 0)
    this.retryMinMs = time(options.retryMinMs, 'retryMinMs', 1000, 1)
    this.retryMaxMs = time(options.retryMaxMs, 'retryMaxMs', 60000, this.retryMinMs)
    this.ackBatch = integer(options.ackBatch, 'ackBatch', 16, 1, WINDOW_SPAN)
    this.ackDelayMs = time(options.ackDelayMs, 'ackDelayMs', 1000, 0)
    this.greeting = options
    checkGreeting(options)
    const size = writeConnect(new Uint8Array(0), options, false, 0)
    if (size > this.sendBufferSize) {
      fail('sendBufferSize', this.sendBufferSize, size + ' or more for CONNECT')
    }
  }
}

/** For applications that no compiler has seen; a board's own build leaves it out. */
function assertGiven(options: SmallOptions): void {
  if (!options.system || !options.transport || !options.storage) {
    fail('system, transport or storage', 'absent', 'given')
  }
}

/** Throws for a name that is not among `names`. */
function checkNames(options: SmallOptions, names: string): void {
  const known = names.split(' ')
  Object.keys(options).forEach((name) => {
    if (known.indexOf(name) < 0) fail(name, 'unknown', 'one of' + names)
  })
}

/** Takes `mqtt://host:port` apart. What may hold a secret is not shown. */
function parseBroker(url: string): BrokerAddress {
  check(url, 'broker')
  const secure = url.slice(0, 8) === 'mqtts://'
  let host = url.slice(secure ? 8 : 7)
  const colon = host.indexOf(':')
  const port = colon < 0 ? (secure ? 8883 : 1883) : Number(host.slice(colon + 1))
  if (colon >= 0) host = host.slice(0, colon)
  if (
    (!secure && url.slice(0, 7) !== 'mqtt://') ||
    /[@?#\/ ]/.test(host) ||
    host === '' ||
    !(port > 0 && port < 65536 && port % 1 === 0)
  ) {
    fail('broker', '(not shown)', 'mqtt://host:port or mqtts://host:port')
  }
  return { host, port, secure }
}

/** What CONNECT says can be written at any time. */
function checkGreeting(options: SmallOptions): void {
  const will = options.will
  if (check(options.clientId, 'clientId') < 1) fail('clientId', '""', 'a name') // [MQTT-3.1.3-7]
  if (options.username !== undefined) check(options.username, 'username')
  else if (options.password !== undefined) fail('username', 'absent', 'given with a password')
  if (options.password !== undefined) check(options.password, 'password') // [MQTT-3.1.2-22]
  if (will === undefined) return
  check(will.payload, 'will.payload')
  integer(will.qos, 'will.qos', 0, 0, 2)
  if (check(will.topic, 'will.topic') < 1 || /[+#]/.test(will.topic)) {
    fail('will.topic', will.topic, 'a topic name')
  }
}

/** Bytes of a text or of bytes; throws for anything else, and never shows it. */
export function check(value: string | Uint8Array, name: string): number {
  const size =
    typeof value === 'string' ? utf8Size(value) : value instanceof Uint8Array ? value.length : -1
  if (size < 0 || size > 65535) fail(name, typeof value, 'text of up to 65535 bytes')
  return size
}
