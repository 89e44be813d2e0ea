import type { Status } from '../status.js'
import type { ExchangeWindow } from './exchange-window.js'
import type { MessageSource } from './message-record.js'

/**
 * OutgoingLog: what the queue assumes about the place that holds its records.
 *
 * A log is a sequence of records with numbers that rise by one (1 to 0xFFFFFFFF, then 1 again; 0
 * is no number). Appending happens at the end, reading runs from the oldest live record to the
 * end, and the marks of the window say which records are complete. Two implementations exist:
 * `FlashLog` (src/store) and `RamLog` (src/queue). Neither knows what a body means.
 *
 * There is one buffer. A body to be appended is built in it at `bodyAt`; a loaded body is found
 * in it at `loadedAt`. append, load, rewind, maintain and (where it meets damage) advance overwrite
 * what was there; reserve, topicNumber, timeDelta, writeMark and loadTopic leave it alone.
 */
export interface OutgoingLog {
  /** The buffer bodies are built and loaded in. */
  readonly buffer: Uint8Array
  /** Where the body of a record to be appended begins in `buffer`. Constant. */
  readonly bodyAt: number
  /** The largest body `append` takes, in bytes. Constant after `mount`. */
  readonly maxBody: number
  /** The number that the next appended record will get. */
  readonly nextNumber: number
  /** Records before this number are kept where the log keeps them; `nextNumber` but for a group. */
  readonly storedEnd: number

  /**
   * Makes sure that a body of `length` bytes has room in the sector being written, and begins the
   * next sector if not. Topic numbers and times belong to a sector, so this is called before
   * `topicNumber` and `timeDelta`, which are called before `append`.
   * Returns OK, ERR_TOO_LARGE, ERR_FULL, ERR_STORAGE or ERR_HOOK.
   */
  reserve(length: number): Status

  /**
   * The number by which records of the sector being written can name this topic: 1 to 255. Stores
   * the topic on its first use in the sector. 0: name it inline (the table is full, or the topic
   * too long). Negative: storage failed. `message.topicHint` is the number this topic had last, and
   * `hintSector` the `writeSector` at that time: a prepared publisher has them to skip the search.
   */
  topicNumber(message: MessageSource): number
  /** Sequence number of the sector being written, and where in it the next record begins. */
  readonly writeSector: number
  readonly writeOffset: number
  /** What was reserved is for a record that a group will hold in RAM. */
  readonly holdsNext: boolean

  /**
   * Seconds between the time base of the sector being written and `seconds`, 0 to 65,535. Stores a
   * new time base where there is none or where the difference is out of range. Negative: failed.
   */
  timeDelta(seconds: number): number

  /**
   * Appends the body of `length` bytes at `bodyAt` and returns its number. When this returns, the
   * record is whole where the log keeps its records. Negative: ERR_TOO_LARGE, ERR_FULL (no room,
   * nothing changed), ERR_STORAGE, ERR_HOOK (nothing is stored).
   */
  append(length: number): number

  /**
   * Puts the reader before the record `number`, or before the oldest record left if that one is
   * gone already.
   */
  rewind(number: number): void
  /**
   * Moves the reader to the next record and returns its number, 0 at the end of the log, or
   * ERR_STORAGE when the storage cannot be read: the reader then stays where it is. Reads
   * headers only, so a complete record costs little. Records that are damaged are skipped and
   * counted in `skippedCount`; numbers may therefore have gaps.
   */
  advance(): number
  /**
   * Moves the reader back by the one record that the last `advance` returned, so that the next
   * `advance` returns it again.
   */
  stepBack(): void
  /**
   * Loads the body of the record the reader is at: OK, ERR_CORRUPT (counted, gone), ERR_HOOK
   * (counted), or ERR_STORAGE: the record may be there when it is tried again.
   */
  load(): Status
  /** Where the loaded body begins in `buffer`, and its bytes, until something overwrites it. */
  readonly loadedAt: number
  readonly loadedLength: number
  /** Time base that is in force at the record the reader is at, in seconds; 0: none. */
  readonly loadedTimeBase: number

  /**
   * Finds the topic `number` of the sector the reader is in: OK, ERR_CORRUPT or ERR_STORAGE. The
   * topic is then in `topicBuffer` from `topicAt` on, `topicLength` bytes, until the next call that
   * stores or loads anything. Does not touch `buffer`.
   */
  loadTopic(number: number): Status
  readonly topicBuffer: Uint8Array
  readonly topicAt: number
  readonly topicLength: number

  /** Makes the marks of the window durable in one record. OK, ERR_FULL, ERR_STORAGE, ERR_HOOK. */
  writeMark(window: ExchangeWindow): Status
  /** Every record before `base` is complete: the log may reuse their place. Writes nothing. */
  release(base: number): void

  /**
   * Gives up the oldest sector's worth of records although they are not complete: returns the
   * number of the oldest record that stays. The caller moves the window there, counts, reports,
   * and calls `release`. Returns 0 when there is nothing that could be given up.
   */
  oldestAfterDrop(): number

  /** The newest time base the log knows, in seconds; 0: none. Read once, after `mount`. */
  readonly timeBase: number

  /** Work that may take long (erasing ahead): true when something was done. Called when idle. */
  maintain(): boolean

  /** Damaged records passed over since mount, each counted once. */
  readonly skippedCount: number
  /** Parts of payloads that are too large for a record; null where the log has none. */
  readonly fragments: Fragments | null

  /** How often a sector was erased on average since the store was formatted; 0 in RAM. */
  readonly wear: number
  /** Bytes of the place where the log keeps its records. */
  readonly capacity: number
  /** Bytes that further records may take before ERR_FULL, headers and padding included. */
  readonly freeBytes: number
}

/**
 * GroupControl: what the queue asks of a log that holds records in RAM before it writes them.
 */
export interface GroupControl {
  /** Set it before `reserve`: the record must be kept at once, as one of QoS 2. */
  mustKeep: boolean
  /** There is a connection: messages that are acknowledged soon need not be kept at all. */
  isOnline: boolean
  /** Records that are in RAM only. */
  readonly heldCount: number
  /** Records that were complete before they were written. */
  readonly savedCount: number
  /** Writes all records that are in RAM only: OK, ERR_FULL, ERR_STORAGE or ERR_HOOK. */
  keep(): Status
}

/**
 * Fragments: the payload of a message that is too large for one record. Its record comes first, its
 * fragments follow, other records between them. It is whole when the last one is there.
 */
export interface Fragments {
  /** Bytes of payload that one fragment takes at the most. */
  readonly capacity: number
  /** How many of `length` bytes the next fragment best takes. */
  fit(length: number): number
  /** Bytes of log that a payload of `length` bytes takes, roughly: records, headers, padding. */
  cost(length: number): number
  /**
   * Appends `length` bytes of payload of message `number`: OK, ERR_FULL, ERR_STORAGE, ERR_HOOK.
   * Uses the log's buffer.
   */
  append(
    number: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
    isLast: boolean,
  ): Status
  /**
   * Reads all fragments of the message that the log's reader is at: OK when they are whole and hold
   * `length` bytes, so that sending can begin; else as `next`. Overwrites the log's buffer; what is
   * being read is read on afterwards.
   */
  check(length: number): Status
  /** Starts reading the fragments of the message that the log's reader is at. */
  rewind(): void
  /**
   * Loads the next fragment into the log's buffer, at `loadedAt`: its bytes of payload; 0 after the
   * last; ERR_CORRUPT when it is damaged, or its end may have been deleted; ERR_NOT_READY when the
   * rest was never written; ERR_STORAGE, ERR_HOOK.
   */
  next(): number
  /** Loads the fragment again that `next` returned last: its bytes, or as `next`. */
  again(): number
  readonly loadedAt: number
}
