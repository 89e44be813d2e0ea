import { ERR_CORRUPT, ERR_HOOK, ERR_NOT_READY, ERR_STORAGE, OK, type Status } from '../status.js'
import { readUint32, writeUint32 } from '../codec/bytes.js'
import { CONTEXT_CLEAR } from './context-layout.js'
import {
  CONTEXT,
  FRAGMENT,
  FRAGMENT_HEAD,
  FRAGMENT_LAST,
  LAST_TYPE,
  MESSAGE,
  RECORD_HEADER,
  recordLength,
  recordType,
} from './flash-record.js'
import type { FlashReader } from './flash-reader.js'
import { READ_TRIES, type FlashRegion } from './flash-region.js'
import type { FlashRing } from './flash-ring.js'
import type { FlashWriter } from './flash-writer.js'
import { HEADER_VALID } from './flash-sector.js'
import { WINDOW_BYTES } from './exchange-window.js'
import type { Fragments } from './outgoing-log.js'
import type { SectorScan } from './sector-scan.js'

/** Payload for which the rest of a sector is used, in bytes; less is not worth its header. */
const LEAST_FRAGMENT = 64
/** Words of a position before its salts. */
const HELD_SALTS = 6

/**
 * FlashFragments: writes and reads the FRAGMENT records of a message: docs/FLASH-FORMAT.md, section
 * 4.5. They stand behind the message's own record, so the sectors that hold them stay as long as
 * the message does. Whether all are there is known when the last one is met.
 */
export class FlashFragments implements Fragments {
  readonly capacity: number
  readonly loadedAt: number
  private readonly region: FlashRegion
  private readonly ring: FlashRing
  private readonly writer: FlashWriter
  private readonly reader: FlashReader
  private readonly scan: SectorScan
  private readonly buffer: Uint8Array
  /** Where the next record to look at stands, and with hooks the salt in force there. */
  private sequence: number
  private at: number
  private readonly salt: Uint32Array
  private number: number
  private isDone: boolean
  /** What a payload is that has no end. */
  private unfinished: Status
  /** The fragment that `next` returned last. */
  private lastSequence: number
  private lastAt: number
  private readonly lastSalt: Uint32Array
  /** Where a check interrupted the payload that is being sent, and the salts there. */
  private readonly held: Uint32Array

  constructor(
    region: FlashRegion,
    ring: FlashRing,
    writer: FlashWriter,
    reader: FlashReader,
    scan: SectorScan,
    buffer: Uint8Array,
  ) {
    this.capacity = writer.maxBody - FRAGMENT_HEAD
    this.loadedAt = RECORD_HEADER + FRAGMENT_HEAD
    this.region = region
    this.ring = ring
    this.writer = writer
    this.reader = reader
    this.scan = scan
    this.buffer = buffer
    this.sequence = 0
    this.at = 0
    this.salt = region.makeSalts(1)
    this.number = 0
    this.isDone = false
    this.unfinished = ERR_NOT_READY
    this.lastSequence = 0
    this.lastAt = 0
    this.lastSalt = region.makeSalts(1)
    this.held = new Uint32Array(HELD_SALTS + 2 * this.salt.length)
  }

  cost(length: number): number {
    const region = this.region
    const sectorSize = region.sectorSize
    const overhead = region.recordSize(FRAGMENT_HEAD + region.growth) + region.storage.writeSize
    // Behind header, CONTEXT and a MARK; what is left of a sector takes a short fragment.
    const mark = region.recordSize(WINDOW_BYTES + region.growth)
    const taken = region.headerSize + region.contextSize + mark
    const room = sectorSize - taken - LEAST_FRAGMENT - overhead
    const count = Math.ceil(room / (this.capacity + overhead))
    return (1 + Math.ceil(length / (room - count * overhead))) * sectorSize
  }

  fit(length: number): number {
    const room = this.writer.room - FRAGMENT_HEAD
    const most = room < LEAST_FRAGMENT || room > this.capacity ? this.capacity : room
    return length < most ? length : most
  }

  append(
    number: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
    isLast: boolean,
  ): Status {
    const buffer = this.buffer
    const bodyLength = FRAGMENT_HEAD + length
    const status = this.writer.reserve(bodyLength)
    if (status !== OK) return status
    writeUint32(buffer, RECORD_HEADER, number)
    buffer[RECORD_HEADER + 4] = isLast ? FRAGMENT_LAST : 0
    this.region.system.copy(buffer, this.loadedAt, source, sourceAt, length)
    return this.writer.appendFragment(bodyLength)
  }

  rewind(): void {
    const reader = this.reader
    this.sequence = reader.sequence
    this.at = reader.recordEnd
    const salt = reader.context.salt
    this.salt.set(salt)
    this.unfinished = ERR_NOT_READY
    // This boot knows what it gave up. Of an earlier one the end may have been deleted.
    if (this.region.seal !== null && salt[0] !== this.region.salt[0]) this.unfinished = ERR_CORRUPT
    this.number = reader.recordNumber
    this.isDone = false
  }

  check(length: number): Status {
    // A publish that makes room looks at other messages while one is being sent.
    this.hold()
    this.rewind()
    let left = length
    let found = this.next()
    for (; found > 0; found = this.next()) left -= found
    this.resume()
    if (found < 0) return found
    return left === 0 ? OK : ERR_CORRUPT
  }

  private hold(): void {
    const held = this.held
    held[0] = this.sequence
    held[1] = this.at
    held[2] = this.number
    held[3] = this.isDone ? 1 : 0
    held[4] = this.lastSequence
    held[5] = this.lastAt
    held.set(this.salt, HELD_SALTS)
    held.set(this.lastSalt, HELD_SALTS + this.salt.length)
  }

  private resume(): void {
    const held = this.held
    const salt = this.salt
    this.sequence = held[0]!
    this.at = held[1]!
    this.number = held[2]!
    this.isDone = held[3] === 1
    this.lastSequence = held[4]!
    this.lastAt = held[5]!
    for (let index = 0; index < salt.length; index++) {
      salt[index] = held[HELD_SALTS + index]!
      this.lastSalt[index] = held[HELD_SALTS + salt.length + index]!
    }
  }

  next(): number {
    if (this.isDone) return 0
    const region = this.region
    // Each round moves on by a record or a sector, so this ends.
    for (;;) {
      const isNewest = this.sequence === this.ring.sequence
      const end = isNewest ? this.writer.writeOffset : region.sectorSize
      let type = this.at + RECORD_HEADER > end ? 7 : this.peek(end)
      if (type === ERR_CORRUPT && this.isTorn()) type = 7
      if (type < 0) return type
      if (type > LAST_TYPE) {
        if (isNewest) return this.unfinished
        const status = this.enterNext()
        if (status < 0) return status
        continue
      }
      const at = this.at
      this.at += region.recordSize(recordLength(region.header.bytes, 0))
      if (type !== FRAGMENT) continue
      this.lastSequence = this.sequence
      this.lastAt = at
      this.lastSalt.set(this.salt)
      const length = this.again()
      // A torn record is the last of its sector; what follows stands in the next.
      if (length === ERR_CORRUPT && this.isTorn()) this.at = region.sectorSize
      else if (length !== 0) return length
    }
  }

  again(): number {
    let length = ERR_CORRUPT
    for (let tries = 0; tries < READ_TRIES && length === ERR_CORRUPT; tries++) {
      length = this.readFragment()
    }
    return length
  }

  /** Looks at the record at `at`: its type, 7 for blank, or a negative status. */
  private peek(end: number): number {
    const region = this.region
    const peek = region.header.bytes
    const left = end - this.at
    const most = RECORD_HEADER + CONTEXT_CLEAR
    const count = left < most ? left : most
    const address = region.address(this.ring.placeOf(this.sequence)) + this.at
    if (region.read(address, peek, 0, count) < 0) return ERR_STORAGE
    const type = recordType(peek, 0)
    if (type > LAST_TYPE) return type
    const stored = recordLength(peek, 0)
    if (type < MESSAGE || this.at + region.recordSize(stored) > end) return ERR_CORRUPT
    // Whether it is authentic does not matter: the fragment is, under the right salt alone.
    if (type === CONTEXT && region.seal !== null) region.seal.readSalt(this.salt, peek, 0, stored)
    return type
  }

  /** True when no intact record stands behind the last one that was looked at in its sector. */
  private isTorn(): boolean {
    const region = this.region
    const sector = this.ring.placeOf(this.sequence)
    const header = region.readOwnHeader(sector)
    const isNewest = this.sequence === this.ring.sequence
    const end = isNewest ? this.writer.writeOffset : region.sectorSize
    if (header !== HEADER_VALID) return false
    this.scan.start(sector, this.sequence, region.header.firstNumber, end)
    let last = 0
    while (this.scan.next() > 0) last = this.scan.offset
    return last < this.at
  }

  private enterNext(): Status {
    const failedReads = this.region.failedReads
    this.sequence = this.ring.following(this.sequence)
    if (this.region.failedReads !== failedReads) return ERR_STORAGE
    this.at = this.region.headerSize
    this.salt.fill(0)
    return OK
  }

  /** Bytes of payload; 0: the fragment belongs to an older message, whose payload ended early. */
  private readFragment(): number {
    const region = this.region
    const buffer = this.buffer
    const sequence = this.lastSequence
    const address = region.address(this.ring.placeOf(sequence)) + this.lastAt
    if (region.read(address, buffer, 0, RECORD_HEADER) < 0) return ERR_STORAGE
    const stored = recordLength(buffer, 0)
    if (stored <= FRAGMENT_HEAD || RECORD_HEADER + stored > buffer.length) return ERR_CORRUPT
    if (region.read(address, buffer, 0, RECORD_HEADER + stored) < 0) return ERR_STORAGE
    if (!region.isRecord(buffer, FRAGMENT, sequence, this.lastAt, 0)) return ERR_CORRUPT
    const at = this.lastAt
    let length = stored
    if (region.seal !== null) {
      length = region.seal.open(buffer, 0, FRAGMENT, stored, sequence, at, 0, this.lastSalt, 0)
    }
    if (length < 0) return ERR_HOOK
    if (length <= FRAGMENT_HEAD) return ERR_CORRUPT
    const number = readUint32(buffer, RECORD_HEADER)
    if (number !== this.number) {
      // One stream at a time: fragments of a later message mean that ours was given up.
      return ((number - this.number) | 0) > 0 ? this.unfinished : 0
    }
    this.isDone = (buffer[RECORD_HEADER + 4]! & FRAGMENT_LAST) !== 0
    return length - FRAGMENT_HEAD
  }
}
