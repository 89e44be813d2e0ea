import { toBytes } from './checks.js'
import { readUtf8 } from './codec/utf8.js'
import { ERR_CORRUPT, ERR_STORAGE, OK } from './status.js'
import { COMPLETE, ExchangeWindow, WINDOW_BYTES, isBefore } from './store/exchange-window.js'
import { FlashFragments } from './store/flash-fragments.js'
import { FlashReader } from './store/flash-reader.js'
import { FlashRecovery } from './store/flash-recovery.js'
import { BlankCheck, FlashRegion } from './store/flash-region.js'
import { FlashRing } from './store/flash-ring.js'
import type { FlashStore } from './store/flash-store.js'
import { FlashWriter } from './store/flash-writer.js'
import { MessageRecord } from './store/message-record.js'
import type { Fragments } from './store/outgoing-log.js'
import { SectorScan } from './store/sector-scan.js'
import { isTopicFilter, matches } from './topic.js'

/**
 * Replay: walks over what still stands on flash of a lane, acknowledged or not, by topic filter.
 *
 * It reads with a region, a reader and buffers of its own, so the client does not notice, and it
 * writes nothing. It sees the log as it was when `walk` began. Sectors that are erased while it
 * walks, because its visitor publishes, count as damaged. It costs two buffers of the store's size.
 */

/** A message as a visitor sees it; valid until the visitor returns. */
export interface ReplayedMessage {
  readonly number: number
  /** The broker has it, or it was dropped: it will not be sent any more. */
  readonly isComplete: boolean
  readonly qos: number
  readonly retain: boolean
  /** Seconds, as the log counts them, when it was queued; -1: not noted. */
  readonly seconds: number
  /** Made when it is asked for. */
  readonly topic: string
  /** The payload: `payloadLength` bytes of `bytes` from `payloadAt` on; 0 when it is in parts. */
  readonly bytes: Uint8Array
  readonly payloadAt: number
  readonly payloadLength: number
  /**
   * Loads the next part of a payload that is larger than a record into `bytes` at `payloadAt`: its
   * length, 0 at the end, negative: damaged or never finished.
   */
  nextPart(): number
}

/** Returning false ends the walk; the next one goes on behind this message. */
export type ReplayVisitor = (message: ReplayedMessage) => unknown

class Replayed implements ReplayedMessage {
  number: number
  isComplete: boolean
  qos: number
  retain: boolean
  seconds: number
  readonly bytes: Uint8Array
  payloadAt: number
  payloadLength: number
  topicBytes: Uint8Array
  topicLength: number
  parts: Fragments | null

  constructor(bytes: Uint8Array) {
    this.number = 0
    this.isComplete = false
    this.qos = 0
    this.retain = false
    this.seconds = -1
    this.bytes = bytes
    this.payloadAt = 0
    this.payloadLength = 0
    this.topicBytes = new Uint8Array(bytes.length)
    this.topicLength = 0
    this.parts = null
  }

  get topic(): string {
    return readUtf8(this.topicBytes, 0, this.topicLength)
  }

  nextPart(): number {
    const parts = this.parts
    if (parts === null) return 0
    this.payloadAt = parts.loadedAt
    return parts.next()
  }
}

export class Replay {
  /** Numbers of the last walk's range of which no intact message was found. */
  skippedCount: number
  private readonly store: FlashStore
  private readonly lane: number
  private isWalking: boolean

  /** `lane`: the place of the lane in the options. The store is mounted when `walk` is called. */
  constructor(store: FlashStore, lane: number) {
    this.skippedCount = 0
    this.store = store
    this.lane = lane
    this.isWalking = false
  }

  /**
   * Calls `visitor` for each message from number `from` on (0: from the oldest there is) whose
   * topic matches. Returns the number to go on from: every message that comes later has it or a
   * larger one. ERR_STORAGE: the flash could not be read. Throws an Error where filter or lane are
   * wrong.
   */
  walk(filter: string, from: number, visitor: ReplayVisitor): number {
    const wanted = toBytes(filter, 'filter')
    if (!isTopicFilter(wanted, 0, wanted.length))
      throw new Error('replay: "' + filter + '" is no topic filter')
    const lane = this.store.lanes[this.lane]
    if (lane === undefined) throw new Error('replay: the store has no lane ' + this.lane)
    if (this.isWalking) throw new Error('replay: a visitor needs a Replay of its own for a walk')
    this.isWalking = true
    const cursor = new Cursor(
      lane.flash.region,
      lane.flash.buffer.length,
      lane.flash.topicBuffer.length,
    )
    let next = ERR_STORAGE
    try {
      if (cursor.start(from)) next = cursor.run(wanted, lane.window, visitor)
    } finally {
      this.isWalking = false
    }
    this.skippedCount = cursor.damaged + cursor.reader.skippedCount
    return next
  }
}

/** The parts of one walk: a log of its own over the same sectors. */
class Cursor {
  readonly reader: FlashReader
  damaged: number
  private readonly region: FlashRegion
  private readonly ring: FlashRing
  private readonly writer: FlashWriter
  private readonly recovery: FlashRecovery
  private readonly window: ExchangeWindow
  private readonly fragments: FlashFragments
  private readonly message: Replayed
  private readonly record: MessageRecord
  private readonly scratch: Uint8Array

  constructor(live: FlashRegion, bufferSize: number, scratchSize: number) {
    const region = new FlashRegion(
      live.storage,
      live.system,
      live.seal === null ? null : live.seal.hooks,
      live.region,
      live.firstSector,
      live.sectorCount,
    )
    const buffer = new Uint8Array(bufferSize)
    const scratch = new Uint8Array(scratchSize)
    const ring = new FlashRing(region)
    const scan = new SectorScan(region, buffer, new BlankCheck(region, buffer))
    const maxTopic = scratchSize - WINDOW_BYTES
    const writer = new FlashWriter(region, ring, buffer, scratch, maxTopic)
    const reader = new FlashReader(region, ring, writer, scan, scratch, maxTopic)
    region.begin(live.storeId, live.system.random())
    this.region = region
    this.ring = ring
    this.writer = writer
    this.reader = reader
    this.recovery = new FlashRecovery(region, ring, scan, writer, reader, scratch)
    this.window = new ExchangeWindow()
    this.fragments = new FlashFragments(region, ring, writer, reader, scan, buffer)
    this.message = new Replayed(buffer)
    this.record = new MessageRecord()
    this.scratch = scratch
    this.damaged = 0
  }

  /** Finds the log's end and its oldest sector, and goes to `from`. False: it cannot be read. */
  start(from: number): boolean {
    const region = this.region
    const ring = this.ring
    const window = this.window
    if (this.recovery.recover(window, 1, 1) !== OK) return false
    const failedReads = region.failedReads
    // Sectors that are free hold messages too, until they are erased.
    const oldest = (ring.sequence - region.sectorCount + 1) >>> 0
    if (isBefore(ring.baseSequence, ring.sequence + 1)) {
      ring.baseSequence = ring.following((oldest - 1) >>> 0)
      ring.baseFirst = ring.foundFirst
    }
    // To this window nothing is complete, so that the reader counts all that is damaged.
    window.reset(ring.baseFirst)
    this.reader.countedTo = ring.baseFirst
    this.reader.rewind(from === 0 || isBefore(from, ring.baseFirst) ? ring.baseFirst : from)
    return region.failedReads === failedReads
  }

  run(filter: Uint8Array, live: ExchangeWindow, visitor: ReplayVisitor): number {
    const reader = this.reader
    const message = this.message
    for (;;) {
      const number = reader.advance()
      if (number < 0) return ERR_STORAGE
      if (number === 0) return this.writer.nextNumber
      const status = this.read(number, live)
      if (status === ERR_STORAGE) return status
      if (status !== OK) this.damaged++
      else if (matches(filter, 0, message.topicBytes, 0, message.topicLength)) {
        const next = number === 0xffffffff ? 1 : number + 1
        if (visitor(message) === false) return next
      }
    }
  }

  /** Loads the message the reader is at. */
  private read(number: number, live: ExchangeWindow): number {
    const reader = this.reader
    const message = this.message
    const record = this.record
    const system = this.region.system
    const bytes = message.bytes
    const skipped = reader.skippedCount
    const loaded = reader.load()
    if (loaded !== OK) {
      // The reader has counted it.
      if (reader.skippedCount > skipped) this.damaged--
      return loaded
    }
    if (record.parse(bytes, this.fragments.loadedAt - 5, reader.loadedLength) !== OK)
      return ERR_CORRUPT
    message.topicLength = record.topicLength
    if (record.topicNumber === 0) {
      system.copy(message.topicBytes, 0, bytes, record.topicAt, record.topicLength)
    } else {
      const status = reader.loadTopic(record.topicNumber)
      if (status !== OK) return status
      const topics = reader.topics
      message.topicLength = topics.topicLength
      system.copy(message.topicBytes, 0, this.scratch, topics.topicAt, topics.topicLength)
    }
    message.number = number
    message.isComplete = live.state(number) === COMPLETE
    message.qos = record.qos
    message.retain = record.retain === 1
    const isTimed = record.timeDelta >= 0 && reader.timeBase !== 0
    message.seconds = isTimed ? reader.timeBase + record.timeDelta : -1
    message.payloadAt = record.payloadAt
    message.payloadLength = record.payloadLength
    message.parts = null
    if (!record.isFragmented) return OK
    this.fragments.rewind()
    message.parts = this.fragments
    return OK
  }
}
