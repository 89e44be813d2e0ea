import { readUint32, writeUint32 } from '../codec/bytes.js'
import { ERR_HOOK, OK, type Status } from '../status.js'
import { PLAIN_BYTES } from './context-layout.js'
import type { ExchangeWindow } from './exchange-window.js'
import { RECORD_HEADER } from './flash-record.js'
import type { FlashRegion } from './flash-region.js'

/**
 * RecordContext: what the records behind a CONTEXT record have in common: the time base, and with
 * hooks salt and key. `context-layout.ts` has the bytes.
 */

/**
 * Writes the body of a CONTEXT at `at` and returns its bytes. `next` is the number of the message
 * behind it, and `isJump` says that it does not follow from those before.
 */
export function encodeContext(
  region: FlashRegion,
  target: Uint8Array,
  at: number,
  timeBase: number,
  next: number,
  isJump: boolean,
  window: ExchangeWindow,
): number {
  if (region.seal !== null) return region.seal.encodeContext(target, at, timeBase, next, window)
  writeUint32(target, at, timeBase)
  if (!isJump) return PLAIN_BYTES
  writeUint32(target, at + PLAIN_BYTES, next)
  return PLAIN_BYTES + 4
}

export class RecordContext {
  private readonly region: FlashRegion
  /** With hooks: both halves, key; all 0: none is in force, and the hooks accept nothing. */
  readonly salt: Uint32Array
  /** Seconds; 0: none. */
  timeBase: number
  /** Of the CONTEXT taken last: the number of the next message; 0: it follows from those before. */
  next: number

  constructor(region: FlashRegion) {
    this.region = region
    this.salt = region.makeSalts(1)
    this.timeBase = 0
    this.next = 0
  }

  /** A sector begins: nothing is in force. */
  reset(): void {
    this.salt.fill(0)
    this.timeBase = 0
  }

  /** Puts the checked CONTEXT record at `at` into force and opens it in place: OK or ERR_HOOK. */
  take(buffer: Uint8Array, at: number, sequence: number, offset: number, stored: number): Status {
    const body = at + RECORD_HEADER
    const seal = this.region.seal
    this.timeBase = 0
    this.next = 0
    if (seal !== null) return seal.take(this, buffer, at, sequence, offset, stored)
    if (stored > PLAIN_BYTES + 4 || stored < PLAIN_BYTES) return ERR_HOOK
    this.timeBase = readUint32(buffer, body)
    if (stored > PLAIN_BYTES) this.next = readUint32(buffer, body + PLAIN_BYTES)
    return OK
  }
}
