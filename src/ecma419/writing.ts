/**
 * Writing: `write` of clause 25. A PUBLISH goes to the queue of the client, whole.
 *
 * A message that is written in parts is collected in one buffer until its last byte is there, so
 * it can be no larger than what the client sends (`sendBufferSize`, and the buffer of the storage);
 * its first part throws when it is. What does not fit the queue now throws as well, and nothing of
 * it was taken.
 */
import type { MqttClient } from '../client.js'
import { publishSize } from '../codec/encode-publish.js'
import { fail, integer, topicBytes } from '../checks.js'
import { laneOf } from '../lanes.js'
import { OVERFLOW_DROP_NEWEST, OVERFLOW_REJECT } from '../queue/lane.js'
import { ACK_ROOM } from '../session/outbound.js'
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
    if (total === bytes.length) {
      this.send(topic, bytes, id)
      return
    }
    // To walk a string makes garbage on XS, and a device often writes to one topic.
    if (topic !== this.topic) {
      this.topicBytes = topicBytes(topic, 'topic')
      this.topic = topic
    }
    refuse(this.fits(this.topicBytes, total))
    // Messages of one size are the rule where there are many: the buffer is used again.
    if (this.parts.length !== total) this.parts = new Uint8Array(total)
    this.system.copy(this.parts, 0, bytes, 0, bytes.length)
    this.partsLength = bytes.length
    this.id = id
    this.isPartial = true
  }

  /** The next part of a message. */
  continue(data: unknown): void {
    const bytes = dataBytes(data)
    if (!this.isPartial) throw new Error('write: options are missing, and no message is begun')
    const length = this.partsLength + bytes.length
    if (length > this.parts.length) {
      throw new Error('write: ' + (length - this.parts.length) + ' bytes more than byteLength')
    }
    this.system.copy(this.parts, this.partsLength, bytes, 0, bytes.length)
    // When the queue refuses the message, the last part was not taken and may come again.
    if (length === this.parts.length) {
      this.send(this.topic, this.parts, this.id)
      this.isPartial = false
    }
    this.partsLength = length
  }

  /** Bytes that may be written: the packet of a PUBLISH, or what is missing of a message. */
  room(): number {
    if (this.isPartial) return this.parts.length - this.partsLength
    if (this.ids.isFull) return 0
    const connection = this.client.session.connection
    let room = connection.sendBuffer.bytes.length - ACK_ROOM
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

  private send(topic: string, bytes: Uint8Array, id: number): void {
    const ticket = this.client.publish(topic, bytes, this.asked)
    if (ticket < 0) refuse(ticket)
    if (id === 0 || ticket === 0) return
    const lane = Math.floor(ticket / LANE_TICKETS)
    const lanes = this.client.session.connection.lanes
    this.ids.add(ticket, lanes[lane]!.packetIdOf(ticket - lane * LANE_TICKETS), id)
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
