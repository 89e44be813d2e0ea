import type { Status } from '../status.js'
import type { ExchangeWindow } from './exchange-window.js'
import type { GroupControl, OutgoingLog } from './outgoing-log.js'
import type { SessionState } from './session-state.js'

/**
 * Storage: what the option `storage` must offer. `FlashStore` is the one implementation; the core
 * knows this face only, so that a bundle without storage holds no flash code.
 */
export interface LaneSpace {
  readonly name: string
  /** Its part of the storage in bytes, rounded up to sectors; 0: an equal share of the rest. */
  readonly bytes: number
  /** Bytes of RAM for messages that are not on flash; 0: all are written at once. */
  readonly groupBytes: number
  /** They are held only while there is a connection. */
  readonly isForOffline: boolean
}

/** Where one lane keeps its messages, and how far the oldest have come. */
export interface LaneStore {
  readonly log: OutgoingLog
  /** Set for a lane that holds messages in RAM for a while: the same log. */
  readonly group: GroupControl | null
  readonly window: ExchangeWindow
}

export interface Storage {
  /** One for each lane, from `mount` on. */
  readonly lanes: LaneStore[]
  readonly state: SessionState
  /** A random number that the store has from its first mount on. */
  readonly storeId: number
  /** Whom the store belongs to, in words: client identifier and brokers. */
  readonly identity: string
  /** Signs of damage, or of a change that is not ours, since `mount`. 0 without hooks. */
  readonly faults: number
  /** The lanes the store was made for, in words. */
  readonly layout: string
  /**
   * Opens the store for this client and these brokers (their URLs, a space between) and recovers
   * what a power loss left. OK, or ERR_IDENTITY, ERR_LANES, ERR_FOREIGN, ERR_FORMAT, ERR_STORAGE,
   * ERR_BUSY: then nothing was written. Throws an Error when the lanes do not fit the storage.
   */
  mount(clientId: string, brokers: string, lanes: LaneSpace[]): Status

  /**
   * Seconds until the first sector has been erased `eraseCycles` times, if things go on as since
   * `mount`; Infinity while nothing was erased. It gets better the longer it has watched.
   */
  estimateLifetime(eraseCycles: number): number
}
