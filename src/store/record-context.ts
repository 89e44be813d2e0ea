import { readUint32, writeUint32 } from '../codec/bytes.js'
import { ERR_HOOK, OK, type Status } from '../status.js'
import {
  CONTEXT_CLEAR,
  PLAIN_BYTES,
  SALT_WORDS,
  SEAL_BYTES,
  type StatePlace,
} from './context-layout.js'
import type { ExchangeWindow } from './exchange-window.js'
import { CONTEXT, RECORD_HEADER } from './flash-record.js'
import type { FlashRegion } from './flash-region.js'

/**
 * RecordContext: what the records behind a CONTEXT record have in common: the time base, and with
 * hooks salt and key. `context-layout.ts` has the bytes.
 *
 * With hooks the first record of a sector is a CONTEXT, its seal: without one that the hooks accept
 * a sector is not believed.
 */

/**
 * Writes the body of a CONTEXT at `at`, with hooks with the region's next salt, and returns its
 * bytes. `next` is the number of the message behind it, and `isJump` says that it does not follow
 * from those before. `window` null: the CONTEXT of the session store.
 */
export function encodeContext(
  region: FlashRegion,
  target: Uint8Array,
  at: number,
  timeBase: number,
  next: number,
  isJump: boolean,
  window: ExchangeWindow | null,
): number {
  if (region.hooks === null) {
    writeUint32(target, at, timeBase)
    if (isJump) writeUint32(target, at + PLAIN_BYTES, next)
    return isJump ? PLAIN_BYTES + 4 : PLAIN_BYTES
  }
  // Records behind another CONTEXT have another salt: none of them survives the loss of theirs.
  const salt = region.salt
  salt[1] = salt[1]! + 1
  writeUint32(target, at, salt[0]!)
  writeUint32(target, at + 4, salt[1]!)
  target[at + 8] = salt[2]!
  writeUint32(target, at + 9, next)
  if (window === null) return CONTEXT_CLEAR
  const state = region.statePlace
  writeUint32(target, at + 13, timeBase)
  writeUint32(target, at + 17, state === null ? 0 : state.stateSequence)
  target[at + 21] = state === null ? 0 : state.stateAt >> 8
  target[at + 22] = state === null ? 0 : state.stateAt
  return SEAL_BYTES + window.encode(target, at + SEAL_BYTES, next)
}

/** Takes the salt and the key of the CONTEXT body at `at`. */
export function readSalt(salt: Uint32Array, buffer: Uint8Array, at: number): void {
  salt[0] = readUint32(buffer, at)
  salt[1] = readUint32(buffer, at + 4)
  salt[2] = buffer[at + 8]!
}

export class RecordContext implements StatePlace {
  private readonly region: FlashRegion
  /** High and low half, key; all 0: none is in force, and the hooks accept nothing. */
  readonly salt: Uint32Array
  /** Seconds; 0: none. */
  timeBase: number
  /** Of the CONTEXT taken last: the number of the next message; 0: it follows from those before. */
  next: number
  // The same, with hooks only.
  stateSequence: number
  stateAt: number
  /** Where its MARK stands in the buffer, and its bytes. */
  markAt: number
  markLength: number

  constructor(region: FlashRegion) {
    this.region = region
    this.salt = new Uint32Array(SALT_WORDS)
    this.timeBase = 0
    this.next = 0
    this.stateSequence = 0
    this.stateAt = 0
    this.markAt = 0
    this.markLength = 0
  }

  /** A sector begins: nothing is in force. */
  reset(): void {
    this.salt.fill(0)
    this.timeBase = 0
  }

  /**
   * Puts the checked CONTEXT record at `at` into force and opens it in place: OK or ERR_HOOK. When
   * it is refused, its salt counts all the same: what stands behind it is authentic or is not.
   */
  take(buffer: Uint8Array, at: number, sequence: number, offset: number, stored: number): Status {
    const body = at + RECORD_HEADER
    const salt = this.salt
    this.timeBase = 0
    this.next = 0
    if (this.region.hooks === null) {
      if (stored > PLAIN_BYTES + 4 || stored < PLAIN_BYTES) return ERR_HOOK
      this.timeBase = readUint32(buffer, body)
      if (stored > PLAIN_BYTES) this.next = readUint32(buffer, body + PLAIN_BYTES)
      return OK
    }
    if (stored < CONTEXT_CLEAR) return ERR_HOOK
    readSalt(salt, buffer, body)
    const next = readUint32(buffer, body + 9)
    const region = this.region
    // The number is in the clear for whoever scans, and authentic as a part of the position.
    const length = region.openRecord(buffer, at, sequence, offset, CONTEXT, stored, next, salt, 0)
    if (length < SEAL_BYTES) return length < 0 ? length : OK
    this.next = next
    this.timeBase = readUint32(buffer, body + 13)
    this.stateSequence = readUint32(buffer, body + 17)
    this.stateAt = (buffer[body + 21]! << 8) | buffer[body + 22]!
    this.markAt = body + SEAL_BYTES
    this.markLength = length - SEAL_BYTES
    return OK
  }
}
