import type { Status } from '../status.js'
import type { ExchangeWindow } from './exchange-window.js'
import type { OutgoingLog } from './outgoing-log.js'
import type { SessionState } from './session-state.js'

/**
 * Storage: what the option `storage` must offer. `FlashStore` is the one implementation; the core
 * knows this face only, so that a bundle without storage holds no flash code.
 */
export interface Storage {
  readonly log: OutgoingLog
  readonly state: SessionState
  readonly window: ExchangeWindow
  /** Whom the store belongs to, in words: client identifier and brokers. */
  readonly identity: string
  /**
   * Opens the store for this client and recovers what a power loss left. OK, or ERR_IDENTITY,
   * ERR_FOREIGN, ERR_FORMAT, ERR_STORAGE, ERR_BUSY: then nothing was written.
   */
  mount(clientId: string, brokers: string): Status
}
