import type { System } from '../../hal/system.js'
import type { StorageHooks } from '../../hal/storage.js'
import type { CborCursor } from '../codec/cbor.js'
import type { Status } from '../status.js'
import type { ExchangeWindow } from './exchange-window.js'
import type { LaneState, SessionState } from './session-state.js'

/**
 * What the store knows of sealing: its records go through hooks, and it is told of changes that are
 * not ours. The code is in `Seal`, which comes with the hooks: a store without them has none of it
 * (docs/FLASH-FORMAT.md, sections 4.3 and 8). The faces are what a Seal knows of the store.
 */

/** Hooks that bring the code along: see `sealed`. */
export interface SealedHooks extends StorageHooks {
  /** Each region has a seal of its own. */
  makeSeal(region: RegionFace): Sealing
}

/** `FlashRegion`. */
export interface RegionFace {
  readonly system: System
  readonly region: number
  readonly headerSize: number
  readonly contextSize: number
  storeId: number
  refused: number
  address(sector: number): number
  read(address: number, target: Uint8Array, targetAt: number, length: number): Status
  forgetTopic(): void
  isRecord(
    buffer: Uint8Array,
    type: number,
    sequence: number,
    offset: number,
    number: number,
  ): boolean
}

/** `RecordContext`. */
export interface ContextFace {
  readonly salt: Uint32Array
  timeBase: number
  next: number
}

/** `FlashRing`. */
export interface RingFace {
  readonly sequence: number
  readonly baseSequence: number
  placeOf(sequence: number): number
}

/** How far a log has come. */
export interface LogEnd {
  readonly nextNumber: number
  readonly markedBase: number
}

/** `FlashLog`, just mounted. */
export interface LogFace extends LogEnd {
  readonly window: ExchangeWindow
  skipTo(number: number): void
  release(base: number): void
  rewind(number: number): void
}

/** `StateSectors`: the place of the newest STATE of the session store. */
export interface StatesFace {
  sequence: number
  readonly stateSequence: number
  readonly stateAt: number
  close(): void
}

export interface Sealing {
  readonly hooks: SealedHooks
  /** The most bytes the hooks add to a body. */
  readonly growth: number
  /** The largest body of a CONTEXT, the growth not counted. */
  readonly contextBytes: number
  /** The salt records are written with: high half, low half, key. */
  readonly salt: Uint32Array

  /** Takes the identity of this boot. */
  begin(bootSalt: number): void

  /** The hooks do not have this key. 0 is no key: what says so was never hooked. */
  lacksKey(keyId: number): boolean

  /** Says which record is written next, and returns how much of its body stays in the clear. */
  prepare(type: number, sequence: number, offset: number, number: number): number

  /** Calls `before_write` for the record that was prepared. */
  close(buffer: Uint8Array, at: number, length: number): number

  /**
   * Undoes the hooks on the stored body behind the header at `at`, in place. Returns the length of
   * the body or ERR_HOOK. `salts` has the salt in force at that place from `saltAt` on.
   */
  open(
    buffer: Uint8Array,
    at: number,
    type: number,
    stored: number,
    sequence: number,
    offset: number,
    number: number,
    salts: Uint32Array,
    saltAt: number,
  ): number

  /**
   * Writes the body of a CONTEXT with the next salt and returns its bytes. `next` is the number of
   * the message behind it; `window` null: that of the session store.
   */
  encodeContext(
    target: Uint8Array,
    at: number,
    timeBase: number,
    next: number,
    window: ExchangeWindow | null,
  ): number

  /** Takes salt and key of the CONTEXT whose header is at `at`; one that is too short has none. */
  readSalt(salt: Uint32Array, buffer: Uint8Array, at: number, stored: number): boolean

  /** As `RecordContext.take`, of which it does the part with hooks. */
  take(
    context: ContextFace,
    buffer: Uint8Array,
    at: number,
    sequence: number,
    offset: number,
    stored: number,
  ): Status

  /** Takes the marks of the CONTEXT that `take` opened last. False: it has none. */
  decodeMarks(window: ExchangeWindow, buffer: Uint8Array): boolean

  /** False when a needed sector was written with a key that the hooks do not know. */
  knowsKeys(ring: RingFace, scratch: Uint8Array): boolean

  /**
   * Log and session state of a mount have found each other: what one knows better counts, and is
   * reported. `isSealed`: the log has a CONTEXT that the hooks accept.
   */
  join(log: LogFace, state: LaneState, states: StatesFace, isSealed: boolean): void

  /** How far the logs have come, as the last entry of the session store's map. */
  writeEnds(target: Uint8Array, at: number, logs: LogEnd[]): number
  /** Takes that entry's value; false where it is none. */
  readEnds(cursor: CborCursor, source: Uint8Array, state: SessionState): boolean
}
