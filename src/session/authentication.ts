/**
 * Authentication: an option for the AUTH exchange of MQTT 5, section 4.12, with any method.
 *
 *   authentication: new Authentication(method)
 *
 *   connect          CONNECT(start) ... AUTH(step) ... CONNACK(step, isLast)
 *   reauthenticate   AUTH 0x19(start) ... AUTH 0x18(step) ... AUTH 0x00(step, isLast)
 *
 * It carries the method's bytes and keeps the rules of the packets; what the bytes mean is the
 * method's. Before CONNACK nothing else leaves [MQTT-3.1.2-30]; afterwards everything goes on.
 */
import { readUint16 } from '../codec/bytes.js'
import type { ReceivedPacket } from '../codec/decode.js'
import { writeAuth, writeConnect } from '../codec/encode.js'
import { findProperty, type MqttProperties } from '../codec/properties.js'
import {
  ERR_SPACE,
  PROPERTY_AUTHENTICATION_DATA,
  PROPERTY_AUTHENTICATION_METHOD,
  REASON_CONTINUE_AUTHENTICATION,
  REASON_IMPLEMENTATION_SPECIFIC_ERROR,
  REASON_PROTOCOL_ERROR,
  REASON_REAUTHENTICATE,
  REASON_SUCCESS,
  REASON_UNSPECIFIED_ERROR,
} from '../codec/protocol.js'
import { readUtf8 } from '../codec/utf8.js'
import { CLIENT_AUTHENTICATED } from '../events.js'
import type { Authenticating, ConnectionFace } from '../extensions.js'
import { ERR_BUSY, ERR_OFFLINE, OK, type Status } from '../status.js'

/** One way to authenticate, e.g. SCRAM. Used for one exchange at a time, again and again. */
export interface AuthenticationMethod {
  /** Its name for the broker: the Authentication Method property. */
  readonly name: string
  /** A new exchange: the data it begins with, or null when it begins without. */
  start(): Uint8Array | null
  /**
   * The broker's data, empty when it sent none; valid during the call. Returns the data of the
   * answer or null for none. A negative number refuses the broker and ends the connection. With
   * `isLast` the broker has accepted us: data returned then goes nowhere, but it can be refused.
   */
  step(data: Uint8Array, isLast: boolean): Uint8Array | null | Status
}

const IDLE = 0
/** An exchange goes on; the broker is to answer. */
const AWAITING = 1
/** An AUTH is to be sent when there is room. */
const DUE = 2

export class Authentication implements Authenticating {
  readonly method: string
  private readonly steps: AuthenticationMethod
  private connection: ConnectionFace | null
  /** The exchange of the connection `epoch`. */
  private stage: number
  private epoch: number
  private startedAt: number
  private dueReason: number
  private dueData: Uint8Array | null

  constructor(method: AuthenticationMethod) {
    this.method = method.name
    this.steps = method
    this.connection = null
    this.stage = IDLE
    this.epoch = 0
    this.startedAt = 0
    this.dueReason = 0
    this.dueData = null
  }

  bind(connection: ConnectionFace): void {
    if (this.connection !== null) {
      throw new Error('option "authentication" is in use; it must be new for each client')
    }
    this.connection = connection
  }

  writeConnect(isClean: boolean): number {
    const connection = this.connection!
    const buffer = connection.sendBuffer
    const connect = connection.settings.connect!
    this.begin()
    connect.cleanStart = isClean
    addData(connect.properties!, this.steps.start())
    const end = writeConnect(buffer.bytes, buffer.end, connect, connection.settings.version)
    addData(connect.properties!, null) // it may be a secret
    return end
  }

  onAuth(packet: ReceivedPacket): void {
    const connection = this.connection!
    const isLast = packet.reasonCode === REASON_SUCCESS
    // Before CONNACK only CONNACK ends the exchange; afterwards only we begin one.
    const isExpected =
      this.isAwaiting() && (connection.isConnected || !isLast) && this.hasOurMethod(packet)
    if (!isExpected) {
      connection.fail(-REASON_PROTOCOL_ERROR)
      return
    }
    const answer = this.step(packet, isLast)
    if (typeof answer === 'number') return
    if (!isLast)
      this.due(REASON_CONTINUE_AUTHENTICATION, answer) // [MQTT-4.12.0-3]
    else this.done()
  }

  onConnack(packet: ReceivedPacket): boolean {
    if (!this.hasOurMethod(packet)) {
      this.connection!.fail(-REASON_PROTOCOL_ERROR) // [MQTT-4.12.0-5]
      return false
    }
    if (typeof this.step(packet, true) === 'number') return false
    this.stage = IDLE
    return true
  }

  send(): void {
    if (this.stage === DUE && this.epoch === this.connection!.epoch) this.sendAuth()
  }

  leftMs(): number {
    const connection = this.connection!
    if (this.epoch !== connection.epoch || this.stage === IDLE) return Infinity
    if (this.startedAt < 0) this.startedAt = connection.now
    const leftMs = this.startedAt + connection.settings.connectTimeoutMs - connection.now
    if (leftMs <= 0) connection.fail(-REASON_UNSPECIFIED_ERROR) // [MQTT-4.12.1-2]
    return leftMs
  }

  reauthenticate(): Status {
    const connection = this.connection!
    if (!connection.isConnected) return ERR_OFFLINE
    if (this.epoch === connection.epoch && this.stage !== IDLE) return ERR_BUSY
    this.begin()
    this.due(REASON_REAUTHENTICATE, this.steps.start()) // [MQTT-4.12.1-1]
    return OK
  }

  private begin(): void {
    const connection = this.connection!
    this.epoch = connection.epoch
    this.startedAt = -1
    this.stage = AWAITING
  }

  private due(reason: number, data: Uint8Array | null): void {
    this.dueReason = reason
    this.dueData = data
    this.stage = DUE
  }

  private done(): void {
    const events = this.connection!.events
    this.stage = IDLE
    if (!events.has(CLIENT_AUTHENTICATED)) return
    events.event.text = this.method
    events.emit(CLIENT_AUTHENTICATED)
  }

  private isAwaiting(): boolean {
    return this.stage === AWAITING && this.epoch === this.connection!.epoch
  }

  /** Asks the method; a number, when it refused: then the connection is to end. */
  private step(packet: ReceivedPacket, isLast: boolean): Uint8Array | null | Status {
    const bytes = this.connection!.reader.bytes
    const at = dataAt(packet, bytes, PROPERTY_AUTHENTICATION_DATA)
    const data = at < 0 ? new Uint8Array(0) : bytes.subarray(at + 2, at + 2 + readUint16(bytes, at))
    const answer = this.steps.step(data, isLast)
    if (typeof answer === 'number') this.connection!.fail(-REASON_UNSPECIFIED_ERROR)
    return answer
  }

  private hasOurMethod(packet: ReceivedPacket): boolean {
    const bytes = this.connection!.reader.bytes
    const at = dataAt(packet, bytes, PROPERTY_AUTHENTICATION_METHOD)
    return at >= 0 && readUtf8(bytes, at + 2, readUint16(bytes, at)) === this.method
  }

  private sendAuth(): void {
    const connection = this.connection!
    const buffer = connection.sendBuffer
    const properties: MqttProperties = { authenticationMethod: this.method }
    addData(properties, this.dueData)
    if (!buffer.hasRoom(0)) return // within a payload that is being streamed
    buffer.hasRoom(buffer.bytes.length >> 1) // moves what is there to the front
    const end = writeAuth(buffer.bytes, buffer.end, this.dueReason, properties)
    if (end === ERR_SPACE && buffer.end > 0) return // later
    if (end < 0 || end - buffer.end > connection.limits.maximumPacketSize) {
      connection.fail(-REASON_IMPLEMENTATION_SPECIFIC_ERROR)
      return
    }
    buffer.added(end)
    this.stage = AWAITING
    this.dueData = null
  }
}

/** null is the same as no property. */
function addData(properties: MqttProperties, data: Uint8Array | null): void {
  ;(properties as { authenticationData: Uint8Array | null }).authenticationData = data
}

function dataAt(packet: ReceivedPacket, bytes: Uint8Array, id: number): number {
  return findProperty(bytes, packet.propertiesAt, packet.propertiesEnd, id)
}
