import type { ReadWriteStorage, StorageHooks } from '../../hal/storage.js'
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
import { WINDOW_BYTES } from './exchange-window.js'
import { readUint32, writeUint32 } from '../codec/bytes.js'
import { RECORD_HEADER, STATE } from './flash-record.js'
import type { SectorScan } from './sector-scan.js'
import { type PacketIdSet, SessionState } from './session-state.js'
import { StateSectors } from './state-sectors.js'

/**
 * SessionStore: the SessionState that survives a power loss. Its whole content is one CBOR map with
 * small integer keys (docs/FLASH-FORMAT.md, section 5), written anew by each `save`; the newest
 * valid one wins. Where the maps stand is the business of `StateSectors`.
 */

const KEY_CLIENT = 1
const KEY_BROKERS = 2
const KEY_OWNER = 3
const KEY_INBOUND = 4
const KEY_OWED = 5
const KEY_DROPPED = 6
const KEY_DROPPED_THROUGH = 7
const KEY_MAY_EXIST = 8
const KEY_MARK = 9
/** Bytes of the map beside its strings and tables: heads, keys and numbers at their largest. */
const FIXED_BYTES = 72 + 4 + 4 + WINDOW_BYTES

export class SessionStore extends SessionState {
  /** Who the store belongs to, as found by `load` or given to `take`. */
  clientId: string
  brokers: string
  /** Random number of the boot that opened the store last. */
  owner: number
  /** True when the session state was unreadable and was made anew around the messages. */
  recovered: boolean
  readonly sectors: StateSectors
  private readonly cursor: CborCursor
  private clientBytes: Uint8Array
  private brokersBytes: Uint8Array

  constructor(
    storage: ReadWriteStorage,
    system: System,
    hooks: StorageHooks | null,
    buffer: Uint8Array,
  ) {
    super()
    this.clientId = ''
    this.brokers = ''
    this.owner = 0
    this.recovered = false
    this.sectors = new StateSectors(storage, system, hooks, buffer)
    this.cursor = new CborCursor(buffer)
    this.clientBytes = new Uint8Array(0)
    this.brokersBytes = new Uint8Array(0)
  }

  /** Reads the newest state: OK, ERR_CORRUPT when there is none, ERR_HOOK when it is refused. */
  load(): Status {
    const length = this.sectors.findState()
    if (length < 0) return length
    return this.decode(this.sectors.scan, length) ? OK : ERR_CORRUPT
  }

  /** Sets the identity and gets the buffer its records need. ERR_TOO_LARGE: no sector takes it. */
  take(clientId: string, brokers: string, owner: number): Status {
    const clientSize = utf8Size(clientId)
    const brokersSize = utf8Size(brokers)
    const tables = 2 * (this.inbound.packetIds.length + this.owed.packetIds.length)
    const most = FIXED_BYTES + clientSize + brokersSize + tables
    if (clientSize < 0 || brokersSize < 0 || !this.sectors.holdsState(most)) return ERR_TOO_LARGE
    this.clientId = clientId
    this.brokers = brokers
    this.owner = owner
    this.clientBytes = new Uint8Array(clientSize)
    writeUtf8(this.clientBytes, 0, clientId)
    this.brokersBytes = new Uint8Array(brokersSize)
    writeUtf8(this.brokersBytes, 0, brokers)
    return OK
  }

  /** Forgets all but the identity: the state of a client that was never connected. */
  clear(): void {
    this.inbound.clear()
    this.owed.clear()
    this.dropped.fill(0)
    this.droppedThrough = 0
    this.markLength = 0
    this.sessionMayExist = false
  }

  /** Makes all fields durable. ERR_BUSY: another opener has written since. */
  override save(): Status {
    const sectors = this.sectors
    if (!sectors.isNewestOurs()) return ERR_BUSY
    const status = sectors.makeRoom(this.encode(sectors.record, RECORD_HEADER))
    if (status < 0) return status
    // Making room may have used the buffer.
    return sectors.writeState(STATE, this.encode(sectors.record, RECORD_HEADER))
  }

  /** Writes the map and returns its bytes. */
  private encode(target: Uint8Array, targetAt: number): number {
    let at = writeCborHead(target, targetAt, CBOR_MAP, 9)
    at = this.writeString(target, at, KEY_CLIENT, this.clientBytes)
    at = this.writeString(target, at, KEY_BROKERS, this.brokersBytes)
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_OWNER)
    at = writeCborHead(target, at, CBOR_UNSIGNED, this.owner)
    at = this.writeSet(target, at, KEY_INBOUND, this.inbound)
    at = this.writeSet(target, at, KEY_OWED, this.owed)
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_DROPPED)
    at = writeCborHead(target, at, CBOR_ARRAY, this.dropped.length)
    for (let reason = 0; reason < this.dropped.length; reason++) {
      at = writeCborHead(target, at, CBOR_UNSIGNED, this.dropped[reason]!)
    }
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_DROPPED_THROUGH)
    at = writeCborHead(target, at, CBOR_UNSIGNED, this.droppedThrough)
    at = writeCborHead(target, at, CBOR_UNSIGNED, KEY_MAY_EXIST)
    at = writeCborHead(target, at, CBOR_UNSIGNED, this.sessionMayExist ? 1 : 0)
    return this.writeMark(target, at) - targetAt
  }

  private writeMark(target: Uint8Array, at: number): number {
    const length = this.markLength
    let next = writeCborHead(target, at, CBOR_UNSIGNED, KEY_MARK)
    next = writeCborHead(target, next, CBOR_BYTES, length === 0 ? 0 : 4 + length)
    if (length === 0) return next
    writeUint32(target, next, this.markSector)
    for (let index = 0; index < length; index++) target[next + 4 + index] = this.mark[index]!
    return next + 4 + length
  }

  private writeString(target: Uint8Array, at: number, key: number, bytes: Uint8Array): number {
    let next = writeCborHead(target, at, CBOR_UNSIGNED, key)
    next = writeCborHead(target, next, CBOR_TEXT, bytes.length)
    target.set(bytes, next)
    return next + bytes.length
  }

  private writeSet(target: Uint8Array, at: number, key: number, set: PacketIdSet): number {
    let next = writeCborHead(target, at, CBOR_UNSIGNED, key)
    next = writeCborHead(target, next, CBOR_BYTES, set.count * 2)
    for (let index = 0; index < set.count; index++) {
      const packetId = set.packetIds[index]!
      target[next++] = packetId >> 8
      target[next++] = packetId & 0xff
    }
    return next
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
    if (key < KEY_CLIENT || key > KEY_MARK) return cursor.skip()
    if (!cursor.next()) return false
    const major = cursor.major
    const value = cursor.value
    if (key === KEY_CLIENT || key === KEY_BROKERS) {
      if (major !== CBOR_TEXT) return false
      const text = readUtf8(source, cursor.at, value)
      if (key === KEY_CLIENT) this.clientId = text
      else this.brokers = text
      cursor.at += value
      return true
    }
    if (key === KEY_INBOUND) return major === CBOR_BYTES && readSet(cursor, source, this.inbound)
    if (key === KEY_OWED) return major === CBOR_BYTES && readSet(cursor, source, this.owed)
    if (key === KEY_MARK) return major === CBOR_BYTES && this.readMark(cursor, source)
    if (key === KEY_DROPPED) {
      if (major !== CBOR_ARRAY) return false
      for (let reason = 0; reason < value; reason++) {
        if (!cursor.next() || cursor.major !== CBOR_UNSIGNED) return false
        if (reason < this.dropped.length) this.dropped[reason] = cursor.value
      }
      return true
    }
    if (major !== CBOR_UNSIGNED) return false
    if (key === KEY_OWNER) this.owner = value
    else if (key === KEY_DROPPED_THROUGH) this.droppedThrough = value
    else this.sessionMayExist = value === 1
    return true
  }

  private readMark(cursor: CborCursor, source: Uint8Array): boolean {
    const stored = cursor.value
    if (stored !== 0 && (stored < 8 || stored > 4 + WINDOW_BYTES)) return false
    this.markLength = stored === 0 ? 0 : stored - 4
    if (stored > 0) this.markSector = readUint32(source, cursor.at)
    for (let index = 0; index < this.markLength; index++) {
      this.mark[index] = source[cursor.at + 4 + index]!
    }
    cursor.at += stored
    return true
  }
}

function readSet(cursor: CborCursor, source: Uint8Array, set: PacketIdSet): boolean {
  const end = cursor.at + cursor.value
  for (; cursor.at + 2 <= end; cursor.at += 2) {
    if (!set.add((source[cursor.at]! << 8) | source[cursor.at + 1]!)) return false
  }
  return cursor.at === end
}
