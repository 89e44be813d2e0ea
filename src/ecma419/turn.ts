/**
 * Turn: one client in the hands of the pattern. It turns the client, and calls the callbacks of
 * the application from `poll` only, in the order in which things happened on the wire.
 *
 *   CONNACK      onControl, then onWritable        again after each reconnect
 *   PUBLISH      onReadable, before its answer leaves
 *   others       onControl, before the session acts on them; SUBACK and UNSUBACK after
 *   a `write`    onWritable, as soon as there is room
 *   connection   nothing when it breaks: the session makes the next one. onError when there is
 *                none to be had: DISCONNECT has left, or the broker refuses for good
 */
import { MqttClient } from '../client.js'
import type { ReceivedPacket } from '../codec/decode.js'
import { writePingreq } from '../codec/encode.js'
import {
  CONNACK,
  DISCONNECT,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  REASON_CONNECTION_RATE_EXCEEDED,
  REASON_IMPLEMENTATION_SPECIFIC_ERROR,
  REASON_QUOTA_EXCEEDED,
  REASON_SERVER_BUSY,
  REASON_SERVER_UNAVAILABLE,
  REASON_UNSPECIFIED_ERROR,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from '../codec/protocol.js'
import type { ClientEvent } from '../events.js'
import { fail, integer } from '../checks.js'
import { ERR_REFUSED } from '../status.js'
import { callback, clientOptions, largestPacket, ownOptions } from './client-options.js'
import { transportOf } from './client-options.js'
import { CLOSED, Farewell } from './farewell.js'
import { HeldTransport } from './held-transport.js'
import { MessageIds } from './message-ids.js'
import type {
  ControlMessage,
  HoldfastOptions,
  MQTTClientFace,
  MQTTClientOptions,
} from './pattern.js'
import type { Polled, ReadableOptions, Running, WriteOptions } from './pattern.js'
import { PartsReader } from './parts-reader.js'
import { Reading, type ReadableListener } from './reading.js'
import { Requests } from './requests.js'
import { Writing } from './writing.js'

export class Turn implements Polled, ReadableListener {
  readonly client: MqttClient
  readonly reading: Reading
  onWork: () => void
  private readonly owner: MQTTClientFace
  private readonly isMessageOnly: boolean
  private readonly onReadableOf: NonNullable<MQTTClientOptions['onReadable']> | null
  private readonly onWritableOf: NonNullable<MQTTClientOptions['onWritable']> | null
  private readonly onControlOf: NonNullable<MQTTClientOptions['onControl']> | null
  private readonly onErrorOf: NonNullable<MQTTClientOptions['onError']> | null
  private readonly parts: PartsReader
  private readonly farewell: Farewell
  private readonly writing: Writing
  private readonly requests: Requests
  private readonly ids: MessageIds
  private readonly storage: { unmount?: () => void } | null
  /** For PUBACK, PUBREC, PUBREL and PUBCOMP: used again. */
  private readonly ack: { operation: number; id: number; reasonCode: number }
  private running: Running | null
  private isClosed: boolean
  private isReleased: boolean
  private isPolling: boolean
  /** A CONNACK came: `write` is legal from now on. */
  private isWelcome: boolean
  /** Between CONNACK and the end of the connection. */
  private isUp: boolean
  /** No connection is wanted any more: DISCONNECT was written, or onError is due or over. */
  private isLeaving: boolean
  private isConnackDue: boolean
  private isSessionPresent: boolean
  private isWritableDue: boolean
  private isPingDue: boolean
  /** onError was called, or is not wanted any more. */
  private isOver: boolean
  /** What onError says. */
  private failure: string

  constructor(
    owner: MQTTClientFace,
    options: MQTTClientOptions,
    platform: Partial<HoldfastOptions> | undefined,
  ) {
    const own = ownOptions(options, platform)
    this.isMessageOnly = own.messageOnly === true
    this.owner = owner
    this.onWork = nothing
    this.onReadableOf = callback(options.onReadable, 'onReadable')
    this.onWritableOf = callback(options.onWritable, 'onWritable')
    this.onControlOf = callback(options.onControl, 'onControl')
    this.onErrorOf = callback(options.onError, 'onError')
    const inner = transportOf(options, own)
    const settings = clientOptions(options, own, inner)
    const limit = largestPacket(own)
    this.reading = new Reading(settings.system, this)
    const transport = new HeldTransport(inner)
    settings.transport = transport
    this.storage = (settings.storage ?? null) as { unmount?: () => void } | null
    this.client = new MqttClient(settings)
    const session = this.client.session
    this.parts = new PartsReader(session, transport, settings.system, this.reading, limit)
    this.farewell = new Farewell(this.client, transport, this.parts, settings.system)
    this.ids = new MessageIds(own.idLimit!)
    this.writing = new Writing(this.client, settings.system, this.ids)
    this.requests = new Requests(this.client)
    this.ack = { operation: 0, id: 0, reasonCode: 0 }
    this.running = null
    this.isClosed = false
    this.isReleased = false
    this.isPolling = false
    this.isWelcome = false
    this.isUp = false
    this.isLeaving = false
    this.isConnackDue = false
    this.isSessionPresent = false
    this.isWritableDue = false
    this.isPingDue = false
    this.isOver = false
    this.failure = 'disconnected'
    this.listen()
    this.client.start()
    try {
      this.running = own.run(this, own.system)
    } catch (error) {
      this.close() // clause 8: a constructor that fails leaves nothing taken
      throw error
    }
  }

  // The methods of the pattern

  /** Throws after `close`, as clause 8 has it. */
  check(): void {
    if (this.isClosed) throw new Error('this MQTTClient was closed')
  }

  write(data: unknown, options: WriteOptions | null | undefined): number {
    this.check()
    if (!this.isWelcome) throw new Error('write: no CONNACK was received yet')
    if (this.isLeaving) throw new Error('write: the connection has ended; make a new MQTTClient')
    if (options === undefined || options === null) {
      this.writing.continue(data)
    } else {
      if (this.writing.isMidway) throw new Error('write: parts of the message before are missing')
      this.writeOperation(options.operation ?? PUBLISH, data, options)
    }
    this.isWritableDue = true
    this.onWork()
    return this.writing.room()
  }

  /** The application took bytes: what waits behind them may come. */
  taken(): void {
    if (!this.isPolling && !this.reading.isUnread) this.onWork()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    if (!this.isPolling) this.release()
  }

  /** See Polled. */
  poll(now: number): number {
    if (this.isClosed) return Infinity
    this.isPolling = true
    try {
      const waitMs = this.client.poll(now)
      this.ping()
      this.announce()
      this.offerRoom()
      this.end()
      return Math.min(this.parts.takeDue() ? 0 : waitMs, this.farewell.poll(now))
    } catch (error) {
      if (error !== CLOSED) throw error
      return Infinity
    } finally {
      this.isPolling = false
      if (this.isClosed) this.release()
    }
  }

  /** See ReadableListener. */
  onReadable(count: number, options: ReadableOptions): void {
    this.announce()
    if (this.onReadableOf === null) {
      this.reading.skip() // nobody to tell, and unread it would hold up the connection
      return
    }
    this.onReadableOf.call(this.owner, count, options)
    if (this.isClosed && this.reading.isUnread) throw CLOSED
  }

  // What the client tells

  private listen(): void {
    const client = this.client
    client.onWork = (): void => this.onWork()
    client.session.onPacket = (packet): void => this.onPacket(packet)
    client.on('client.connected', (event) => this.onConnected(event))
    client.on('client.disconnected', (event) => this.onDisconnected(event))
    client.on('message.received', (event) => this.reading.take(event.message!))
    client.on('session.subscribed', (event) => {
      this.requests.answered(SUBSCRIBE, event.text, event.reasonCode)
    })
    client.on('session.unsubscribed', (event) => {
      this.requests.answered(UNSUBSCRIBE, event.text, event.reasonCode)
    })
    const settled = (event: ClientEvent): void => {
      if (!this.ids.isUnused) this.ids.remove(event.ticket)
    }
    client.on('message.acked', settled)
    client.on('message.dropped', settled)
  }

  private onConnected(event: ClientEvent): void {
    this.isWelcome = true
    this.isUp = true
    this.isConnackDue = true
    this.isSessionPresent = event.sessionPresent
  }

  private onDisconnected(event: ClientEvent): void {
    const wasUp = this.isUp
    this.isUp = false
    this.isConnackDue = false
    this.requests.lost()
    if (event.status !== ERR_REFUSED || wasUp || !isFinal(event.reasonCode)) return
    this.isLeaving = true
    this.failure = 'the broker refused the connection, code ' + event.reasonCode
    this.client.stop()
  }

  private onPacket(packet: ReceivedPacket): void {
    const type = packet.type
    if (type === PUBLISH) return // see Reading
    this.announce()
    if (type === SUBACK || type === UNSUBACK) {
      this.requests.packetId = packet.packetId // reported when all items have their answer
    } else if (type === PUBACK || type === PUBREC || type === PUBREL || type === PUBCOMP) {
      const ack = this.ack
      ack.operation = type
      ack.id = type === PUBREL ? packet.packetId : this.ids.idOf(packet.packetId)
      ack.reasonCode = packet.reasonCode
      this.control(type, ack)
    } else if (type === PINGRESP || type === DISCONNECT) {
      this.control(type, { operation: type })
    }
  }

  // What the application is told

  /** Reports what happened before the thing that is going to be reported. */
  private announce(): void {
    if (this.isClosed) throw CLOSED
    if (this.isConnackDue) {
      this.isConnackDue = false
      this.isWritableDue = true
      const sessionPresent = this.isSessionPresent
      this.control(CONNACK, { operation: CONNACK, returnCode: 0, sessionPresent })
    }
    const done = this.requests.takeDone()
    if (done !== null) {
      const operation = done.operation === SUBSCRIBE ? SUBACK : UNSUBACK
      const message: ControlMessage = { operation, id: done.id }
      if (operation === SUBACK) message.payload = done.codes
      this.control(operation, message)
    }
    if (this.isUp) this.requests.start()
  }

  private control(operation: number, message: ControlMessage): void {
    if (this.onControlOf === null) return
    if (this.isMessageOnly) this.onControlOf.call(this.owner, message, message)
    else this.onControlOf.call(this.owner, operation, message)
    if (this.isClosed) throw CLOSED
  }

  private offerRoom(): void {
    if (!this.isWritableDue || !this.isUp || this.isLeaving) return
    const room = this.writing.room()
    if (room === 0) return
    this.isWritableDue = false
    if (this.onWritableOf !== null) this.onWritableOf.call(this.owner, room)
  }

  /** The connection that DISCONNECT ended, or that the broker refused, is not made again. */
  private end(): void {
    if (!this.isLeaving || this.isOver || !this.client.isStopped) return
    this.isOver = true
    if (this.onErrorOf !== null) this.onErrorOf.call(this.owner, new Error(this.failure))
  }

  // What the application asks for

  private writeOperation(operation: number, data: unknown, options: WriteOptions): void {
    switch (operation) {
      case PUBLISH:
        this.writing.publish(data, options)
        return
      case SUBSCRIBE:
      case UNSUBSCRIBE:
        this.requests.add(operation, integer(options.id, 'id', 0, 1, 65535), options.items)
        if (this.isUp) this.requests.start()
        return
      case PINGREQ:
        this.isPingDue = true
        return
      case DISCONNECT:
        this.isLeaving = true
        this.farewell.begin()
        return
      case PUBACK:
      case PUBREC:
      case PUBREL:
      case PUBCOMP:
        return // the session sends them itself; a second one would be an error
      default:
        fail('operation', operation, 'that of a packet which an application may send')
    }
  }

  /** PINGREQ is sent when the connection has room for it; one that waits for its answer will do. */
  private ping(): void {
    const connection = this.client.session.connection
    const buffer = connection.sendBuffer
    if (!this.isPingDue || !connection.isConnected) return
    if (connection.pingSentAt < 0) {
      if (!buffer.hasRoom(2)) return
      buffer.added(writePingreq(buffer.bytes, buffer.end))
      connection.pingSentAt = connection.now
      this.onWork()
    }
    this.isPingDue = false
  }

  private release(): void {
    if (this.isReleased) return
    this.isReleased = true
    this.writing.abort()
    this.farewell.end(this.isLeaving)
    if (this.storage !== null && this.storage.unmount !== undefined) this.storage.unmount()
    if (this.running !== null) this.running.stop()
  }
}

/** True for a refusal that the next attempt would meet again. Codes of 3.1.1 and of MQTT 5. */
function isFinal(code: number): boolean {
  switch (code) {
    case 3: // 3.1.1: server unavailable
    case REASON_UNSPECIFIED_ERROR:
    case REASON_IMPLEMENTATION_SPECIFIC_ERROR:
    case REASON_SERVER_UNAVAILABLE:
    case REASON_SERVER_BUSY:
    case REASON_QUOTA_EXCEEDED:
    case REASON_CONNECTION_RATE_EXCEEDED:
      return false
    default:
      return true
  }
}

function nothing(): void {}
