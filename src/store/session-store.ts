import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import {
  CBOR_ARRAY,
  CBOR_BYTES,
  CBOR_MAP,
  CBOR_TEXT,
  CBOR_UNSIGNED,
  CborCursor,
  writeCborHead,
} from '../codec/cbor.js'
import { readUtf8, utf8Size, writeUtf8 } from '../codec/utf8.js'
import { OK, ERR_BUSY, ERR_CORRUPT, ERR_TOO_LARGE, type Status } from '../status.js'
import { KEY_ENDS } from './context-layout.js'
import { WINDOW_BYTES } from './exchange-window.js'
import { readUint32, writeUint16, writeUint32 } from '../codec/bytes.js'
import { RECORD_HEADER, STATE } from './flash-record.js'
import type { LogEnd, SealedHooks } from './sealing.js'
import type { SectorScan } from './sector-scan.js'
import {
  DROPPED_REASONS,
  type LaneState,
  PACKET_ID_SET_LIMIT,
  type PacketIdSet,
  STORED_LANES,
  SessionState,
} from './session-state.js'
import { StateSectors } from './state-sectors.js'

/**
 * SessionStore: the SessionState that survives a power loss. Its whole content is one CBOR map with
 * small integer keys (docs/FLASH-FORMAT.md, section 5), written anew by each `save`; the newest
 * valid one wins. Where the maps stand is the business of `StateSectors`.
 */

/** Bytes in front of a mark: sequence number and offset of the log's end. */
const MARK_PLACE = 8
const KEY_CLIENT = 1
const KEY_BROKERS = 2
const KEY_OWNER = 3
/** For each broker: 1 when a session may exist there, inbound QoS 2 identifiers, owed ones. */
const KEY_SESSIONS = 4
const KEY_HOME = 5
const KEY_DROPPED = 6
const KEY_LANES = 7
const KEY_MARKS = 8
/** Items of a session in its array. */
const SESSION_ITEMS = 3
/** More than a store can have are not read. */
const STORED_BROKERS = 4
/** Bytes of the map beside its strings and tables: heads, keys and numbers at their largest. */
const FIXED_BYTES = 32
/** The same for each lane: counters, the mark with its head and place, the log's end. */
const LANE_BYTES = 5 * DROPPED_REASONS + 2 + MARK_PLACE + WINDOW_BYTES + 8

export class SessionStore extends SessionState {
  /** Who the store belongs to, as found by `load` or given to `take`. */
  clientId: string
  brokers: string
  /** Names and sizes of the lanes, as text; '' for a log without lanes. */
  layout: string
  /** Random number of the boot that opened the store last. */
  owner: number
  /** True when the session state was unreadable and was made anew around the messages. */
  recovered: boolean
  readonly sectors: StateSectors
  /** With hooks each state notes how far the logs of the lanes have come. Set by `FlashStore`. */
  logs: LogEnd[]
  private readonly cursor: CborCursor
  private clientBytes: Uint8Array
  private brokersBytes: Uint8Array
  private layoutBytes: Uint8Array

  constructor(
    storage: ReadWriteStorage,
    system: System,
    hooks: SealedHooks | null,
    buffer: Uint8Array,
  ) {
    super()
    this.clientId = ''
    this.brokers = ''
    this.layout = ''
    this.owner = 0
    this.recovered = false
    this.sectors = new StateSectors(storage, system, hooks, buffer)
    this.logs = []
    this.cursor = new CborCursor(buffer)
    this.clientBytes = new Uint8Array(0)
    this.brokersBytes = new Uint8Array(0)
    this.layoutBytes = new Uint8Array(0)
  }

  /** Reads the newest state: OK, ERR_CORRUPT when there is none, ERR_HOOK when it is refused. */
  load(): Status {
    const length = this.sectors.findState()
    if (length < 0) return length
    return this.decode(this.sectors.scan, length) ? OK : ERR_CORRUPT
  }

  /** Sets the identity and gets the buffer its records need. ERR_TOO_LARGE: no sector takes it. */
  take(clientId: string, brokers: string, layout: string, owner: number): Status {
    const client = bytesOf(clientId)
    const broker = bytesOf(brokers)
    const lanes = bytesOf(layout)
    const tables = this.sessions.length * (5 + 4 * PACKET_ID_SET_LIMIT)
    const text = client.length + broker.length + lanes.length
    const most = FIXED_BYTES + this.lanes.length * LANE_BYTES + text + tables
    if (!this.sectors.holdsState(most)) return ERR_TOO_LARGE
    this.clientId = clientId
    this.brokers = brokers
    this.layout = layout
    this.owner = owner
    this.clientBytes = client
    this.brokersBytes = broker
    this.layoutBytes = lanes
    return OK
  }

  /** Forgets all but the identity: the state of a client that was never connected. */
  clear(): void {
    for (let index = 0; index < this.sessions.length; index++) this.sessions[index]!.forget()
    for (let lane = 0; lane < this.lanes.length; lane++) this.lanes[lane]!.clear()
    this.home = 0
  }

  /** Makes all fields durable. ERR_BUSY: another opener has written since. */
  override save(): Status {
    const sectors = this.sectors
    if (!sectors.isNewestOurs()) return ERR_BUSY
    // A counter never becomes durable without the mark: a power loss would count a message twice.
    for (let lane = 0; lane < this.lanes.length; lane++) {
      if (this.lanes[lane]!.isUnsaved) this.lanes[lane]!.takeMark()
    }
    let status = sectors.makeRoom(this.encode(sectors.record, RECORD_HEADER))
    if (status < 0) return status
    // Making room may have used the buffer.
    status = sectors.writeState(STATE, this.encode(sectors.record, RECORD_HEADER))
    return status < 0 ? status : super.save()
  }

  /** Writes the map and returns its bytes. */
  private encode(target: Uint8Array, targetAt: number): number {
    const seal = this.logs.length > 0 ? this.sectors.region.seal : null
    let at = writeCborHead(target, targetAt, CBOR_MAP, seal === null ? 8 : 9)
    at = this.writeString(target, at, KEY_CLIENT, this.clientBytes)
    at = this.writeString(target, at, KEY_BROKERS, this.brokersBytes)
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_OWNER)
    at = writeCborHead(target, at, CBOR_UNSIGNED, this.owner)
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_HOME)
    at = writeCborHead(target, at, CBOR_UNSIGNED, this.home)
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_SESSIONS)
    at = writeCborHead(target, at, CBOR_ARRAY, this.sessions.length * SESSION_ITEMS)
    for (let index = 0; index < this.sessions.length; index++) {
      const session = this.sessions[index]!
      at = writeCborHead(target, at, CBOR_UNSIGNED, session.mayExist ? 1 : 0)
      at = writeSet(target, at, session.inbound)
      at = writeSet(target, at, session.owed)
    }
    at = this.writeLanes(target, at)
    return (seal === null ? at : seal.writeEnds(target, at, this.logs)) - targetAt
  }

  private writeLanes(target: Uint8Array, targetAt: number): number {
    const lanes = this.lanes
    let at = this.writeString(target, targetAt, KEY_LANES, this.layoutBytes)
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_DROPPED)
    at = writeCborHead(target, at, CBOR_ARRAY, lanes.length * DROPPED_REASONS)
    for (let index = 0; index < lanes.length * DROPPED_REASONS; index++) {
      const dropped = lanes[Math.floor(index / DROPPED_REASONS)]!.dropped
      at = writeCborHead(target, at, CBOR_UNSIGNED, dropped[index % DROPPED_REASONS]!)
    }
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_MARKS)
    at = writeCborHead(target, at, CBOR_ARRAY, lanes.length)
    for (let lane = 0; lane < lanes.length; lane++) at = writeMark(target, at, lanes[lane]!)
    return at
  }

  private writeString(target: Uint8Array, at: number, key: number, bytes: Uint8Array): number {
    let next = writeCborHead(target, at, CBOR_UNSIGNED, key)
    next = writeCborHead(target, next, CBOR_TEXT, bytes.length)
    target.set(bytes, next)
    return next + bytes.length
  }

  /** Takes the map apart that the scan is at. Unknown keys are passed over. */
  private decode(scan: SectorScan, length: number): boolean {
    const cursor = this.cursor
    this.clear()
    cursor.start(scan.buffer, scan.at + RECORD_HEADER, length)
    const isMap = cursor.next() && cursor.major === CBOR_MAP
    if (!isMap) return false
    for (let left = cursor.value; left > 0; left--) {
      if (!cursor.next() || cursor.major !== CBOR_UNSIGNED) return false
      if (!this.readValue(cursor, cursor.value, scan.buffer)) return false
    }
    return true
  }

  private readValue(cursor: CborCursor, key: number, source: Uint8Array): boolean {
    const seal = this.sectors.region.seal
    if (key === KEY_ENDS && seal !== null) return seal.readEnds(cursor, source, this)
    if (key < KEY_CLIENT || key > KEY_MARKS) return cursor.skip()
    if (!cursor.next()) return false
    const major = cursor.major
    const value = cursor.value
    if (key === KEY_CLIENT || key === KEY_BROKERS || key === KEY_LANES) {
      if (major !== CBOR_TEXT) return false
      const text = readUtf8(source, cursor.at, value)
      if (key === KEY_CLIENT) this.clientId = text
      else if (key === KEY_BROKERS) this.brokers = text
      else this.layout = text
      cursor.at += value
      return true
    }
    if (key === KEY_SESSIONS)
      return major === CBOR_ARRAY && this.readSessions(cursor, value, source)
    if (key === KEY_MARKS) return major === CBOR_ARRAY && this.readMarks(cursor, value, source)
    if (key === KEY_DROPPED) return major === CBOR_ARRAY && this.readDropped(cursor, value)
    if (major !== CBOR_UNSIGNED) return false
    if (key === KEY_OWNER) this.owner = value
    else this.home = value
    return this.home < STORED_BROKERS
  }

  private readSessions(cursor: CborCursor, count: number, source: Uint8Array): boolean {
    if (count > STORED_BROKERS * SESSION_ITEMS) return false
    this.setCounts(0, Math.ceil(count / SESSION_ITEMS))
    for (let index = 0; index < count; index++) {
      if (!cursor.next()) return false
      const session = this.sessions[Math.floor(index / SESSION_ITEMS)]!
      const item = index % SESSION_ITEMS
      if (item === 0) session.mayExist = cursor.value === 1
      else if (cursor.major !== CBOR_BYTES) return false
      else if (!readSet(cursor, source, item === 1 ? session.inbound : session.owed)) return false
    }
    return true
  }

  private readDropped(cursor: CborCursor, count: number): boolean {
    this.setCounts(Math.min(STORED_LANES, Math.floor(count / DROPPED_REASONS)), 0)
    for (let index = 0; index < count; index++) {
      if (!cursor.next() || cursor.major !== CBOR_UNSIGNED) return false
      const lane = this.lanes[Math.floor(index / DROPPED_REASONS)]
      if (lane !== undefined) lane.dropped[index % DROPPED_REASONS] = cursor.value
    }
    return true
  }

  private readMarks(cursor: CborCursor, count: number, source: Uint8Array): boolean {
    this.setCounts(Math.min(STORED_LANES, count), 0)
    for (let index = 0; index < count; index++) {
      if (!cursor.next() || cursor.major !== CBOR_BYTES) return false
      const lane = this.lanes[index]
      if (lane !== undefined && !readMark(cursor, source, lane)) return false
    }
    return true
  }
}

/** UTF-8 of a text that the options have checked. */
function bytesOf(text: string): Uint8Array {
  const size = utf8Size(text)
  const bytes = new Uint8Array(size < 0 ? 65536 : size)
  writeUtf8(bytes, 0, text)
  return bytes
}

function writeSet(target: Uint8Array, targetAt: number, set: PacketIdSet): number {
  let at = writeCborHead(target, targetAt, CBOR_BYTES, set.count * 2)
  for (let index = 0; index < set.count; index++) {
    at = writeUint16(target, at, set.packetIds[index]!)
  }
  return at
}

function writeMark(target: Uint8Array, targetAt: number, lane: LaneState): number {
  const length = lane.markLength
  let at = writeCborHead(target, targetAt, CBOR_BYTES, length === 0 ? 0 : MARK_PLACE + length)
  if (length === 0) return at
  writeUint32(target, at, lane.markSector)
  writeUint32(target, at + 4, lane.markOffset)
  at += MARK_PLACE
  const mark = lane.markBytes()
  for (let index = 0; index < length; index++) target[at + index] = mark[index]!
  return at + length
}

function readMark(cursor: CborCursor, source: Uint8Array, lane: LaneState): boolean {
  const stored = cursor.value
  if (stored !== 0 && (stored < MARK_PLACE + 4 || stored > MARK_PLACE + WINDOW_BYTES)) return false
  lane.markLength = stored === 0 ? 0 : stored - MARK_PLACE
  if (stored > 0) {
    lane.markSector = readUint32(source, cursor.at)
    lane.markOffset = readUint32(source, cursor.at + 4)
  }
  const mark = lane.markBytes()
  for (let index = 0; index < lane.markLength; index++) {
    mark[index] = source[cursor.at + MARK_PLACE + index]!
  }
  cursor.at += stored
  return true
}

function readSet(cursor: CborCursor, source: Uint8Array, set: PacketIdSet): boolean {
  const end = cursor.at + cursor.value
  for (; cursor.at + 2 <= end; cursor.at += 2) {
    if (!set.add((source[cursor.at]! << 8) | source[cursor.at + 1]!)) return false
  }
  return cursor.at === end
}
