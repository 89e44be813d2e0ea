/**
 * Writing: `write` of clause 25. A PUBLISH goes to the queue of the client.
 *
 * A message that is written in parts is collected in one buffer until its last byte is there. One
 * that is larger than what the client sends in one piece (`sendBufferSize`, and the buffer of the
 * storage) goes to the storage as it comes; where there is none, its first part throws. What does
 * not fit the queue now throws as well, and nothing of it was taken.
 */
import type { MqttClient } from '../client.js'
import { publishSize } from '../codec/encode-publish.js'
import { fail, integer, topicBytes } from '../checks.js'
import { laneOf } from '../lanes.js'
import { OVERFLOW_DROP_NEWEST, OVERFLOW_REJECT } from '../queue/lane.js'
import { ACK_ROOM } from '../session/outbound.js'
import type { PayloadStream } from '../payload-stream.js'
import { ERR_FULL, ERR_TOO_LARGE, OK, type Status, statusText } from '../status.js'
import type { InFlight } from '../session/in-flight.js'
import type { System } from '../../hal/system.js'
import type { MessageIds } from './message-ids.js'
import { bytesOf, type WriteOptions } from './pattern.js'
import { textOf } from './requests.js'

/** What a record of the queue takes beside topic and payload, at the most. */
const RECORD_ROOM = 64
/** A ticket is the number of a record, and this for each lane before its own. */
const LANE_TICKETS = 4294967296
/** The head of a record: flags, length of the topic. */
const HEAD_SIZE = 3

export class Writing {
  private readonly client: MqttClient
  private readonly system: System
  private readonly ids: MessageIds
  /** What `publish` is asked for; used again. */
  private readonly asked: { qos: number; retain: boolean }
  /** A message written in parts: all its bytes, how many are there, its topic and its `id`. */
  private parts: Uint8Array
  private partsLength: number
  private isPartial: boolean
  /** Takes a message that `parts` would be too large for. */
  private stream: PayloadStream | null
  /** All bytes of the message in parts. */
  private total: number
  private topic: string
  private topicBytes: Uint8Array
  private id: number

  constructor(client: MqttClient, system: System, ids: MessageIds) {
    this.client = client
    this.system = system
    this.ids = ids
    this.asked = { qos: 0, retain: false }
    this.parts = new Uint8Array(0)
    this.partsLength = 0
    this.isPartial = false
    this.stream = null
    this.total = 0
    this.topic = ''
    this.topicBytes = this.parts
    this.id = 0
  }

  /** True while parts of a message are missing: nothing else may be written. */
  get isMidway(): boolean {
    return this.isPartial
  }

  /** A PUBLISH, or the first part of one. */
  publish(data: unknown, options: WriteOptions): void {
    const bytes = dataBytes(data)
    const topic = textOf(options.topic, 'topic')
    const qos = integer(options.QoS, 'QoS', 0, 0, 2)
    const id = qos === 0 ? 0 : integer(options.id, 'id', 0, 1, 65535)
    const total = integer(options.byteLength, 'byteLength', bytes.length, bytes.length, 0xfffffff)
    // What is still ours to deliver the session repeats itself, when it may.
    if (options.duplicate === true && id !== 0 && this.ids.has(id)) return
    if (id !== 0 && this.ids.isFull) refuse(ERR_FULL)
    this.asked.qos = qos
    this.asked.retain = options.retain ? true : false
    this.total = total
    this.id = id
    if (total === bytes.length) {
      const ticket = this.client.publish(topic, bytes, this.asked)
      if (ticket !== ERR_TOO_LARGE) {
        this.queued(ticket)
        return
      }
    }
    // To walk a string makes garbage on XS, and a device often writes to one topic.
    if (topic !== this.topic) {
      this.topicBytes = topicBytes(topic, 'topic')
      this.topic = topic
    }
    const status = this.fits(this.topicBytes, total)
    if (status === ERR_TOO_LARGE || total === bytes.length) {
      this.begin(bytes)
      return
    }
    refuse(status)
    // Messages of one size are the rule where there are many: the buffer is used again.
    if (this.parts.length !== total) this.parts = new Uint8Array(total)
    this.system.copy(this.parts, 0, bytes, 0, bytes.length)
    this.partsLength = bytes.length
    this.isPartial = true
  }

  /** The next part of a message. */
  continue(data: unknown): void {
    const bytes = dataBytes(data)
    if (!this.isPartial) throw new Error('write: options are missing, and no message is begun')
    const length = this.partsLength + bytes.length
    if (length > this.total) {
      throw new Error('write: ' + (length - this.total) + ' bytes more than byteLength')
    }
    if (this.stream !== null) {
      this.append(bytes)
      return
    }
    this.system.copy(this.parts, this.partsLength, bytes, 0, bytes.length)
    // When the queue refuses the message, the last part was not taken and may come again.
    if (length === this.total) {
      this.queued(this.client.publish(this.topic, this.parts, this.asked))
      this.isPartial = false
    }
    this.partsLength = length
  }

  /** `close` before the last part: the message was never there. */
  abort(): void {
    if (this.stream !== null) this.stream.abort()
    this.stream = null
    this.isPartial = false
  }

  /** Bytes that may be written: the packet of a PUBLISH, or what is missing of a message. */
  room(): number {
    const connection = this.client.session.connection
    let room = connection.sendBuffer.bytes.length - ACK_ROOM
    // An application that makes as many bytes as it may write should not run out of memory.
    if (this.isPartial) return Math.min(this.total - this.partsLength, room)
    if (this.ids.isFull) return 0
    // Which lane the next message goes to is not known: each must have room.
    for (let index = 0; index < connection.lanes.length; index++) {
      const lane = connection.lanes[index]!
      const log = lane.queue.log
      room = Math.min(room, log.maxBody - HEAD_SIZE)
      if (!isRefusing(lane)) continue
      // Room of what is complete comes back with a mark; `publish` would write one as well.
      if (log.freeBytes >> 1 <= RECORD_ROOM) lane.queue.flush()
      // A record is in one piece, so of two ends of a ring only the larger one counts.
      room = Math.min(room, (log.freeBytes >> 1) - RECORD_ROOM)
    }
    return room > 0 ? room : 0
  }

  private queued(ticket: number): void {
    if (ticket < 0) refuse(ticket)
    const id = this.id
    if (id === 0 || ticket === 0) return
    const lane = Math.floor(ticket / LANE_TICKETS)
    const lanes = this.client.session.connection.lanes
    this.ids.add(ticket, lanes[lane]!.packetIdOf(ticket - lane * LANE_TICKETS), id)
  }

  /** The first part of a message for the storage. */
  private begin(bytes: Uint8Array): void {
    // What is not queued is sent at once, from the buffer.
    const isQueued = this.asked.qos > 0 || this.client.session.connection.settings.queueQos0
    if (!isQueued) refuse(ERR_TOO_LARGE)
    const stream = this.client.stream(this.topic, this.total, this.asked)
    refuse(stream.status)
    this.stream = stream
    this.partsLength = 0
    this.isPartial = true
    this.append(bytes)
  }

  private append(bytes: Uint8Array): void {
    const result = this.stream!.write(bytes, 0, bytes.length)
    this.partsLength += bytes.length
    if (result === 0) return
    // The last part; or what was stored is given up, and the next `write` begins another message.
    this.stream = null
    this.isPartial = false
    this.queued(result)
  }

  private fits(topic: Uint8Array, length: number): Status {
    const connection = this.client.session.connection
    const settings = connection.settings
    const qos = this.asked.qos
    const lane = connection.lanes[laneOf(settings.lanes, topic, topic.length, qos)]!
    const log = lane.queue.log
    const size = publishSize(topic.length, qos, 0, length, settings.version) + ACK_ROOM
    const body = HEAD_SIZE + topic.length + length
    if (size < ACK_ROOM || size > connection.sendBuffer.bytes.length || body > log.maxBody) {
      return ERR_TOO_LARGE
    }
    return isRefusing(lane) && body + RECORD_ROOM > log.freeBytes ? ERR_FULL : OK
  }
}

/** True for a lane that takes no new message when it is full. */
function isRefusing(lane: InFlight): boolean {
  const overflow = lane.queue.lane.overflow
  return overflow === OVERFLOW_REJECT || overflow === OVERFLOW_DROP_NEWEST
}

function dataBytes(data: unknown): Uint8Array {
  const bytes = bytesOf(data)
  if (bytes === null) fail('data', data, 'a byte buffer, e.g. an ArrayBuffer')
  return bytes!
}

/** The standard's way of a negative status. */
function refuse(status: Status): void {
  if (status < 0) throw new Error('write: ' + statusText(status))
}
