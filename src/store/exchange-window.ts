/**
 * ExchangeWindow: how far each outgoing record has come, for the records from `base` on.
 *
 * `base` is the oldest record that is not complete. The window spans WINDOW_SPAN numbers from
 * there; whatever lies beyond is queued. It is a table of states, one byte a record, and knows
 * nothing of packets, sectors or quotas.
 *
 * On flash (a MARK record, docs/FLASH-FORMAT.md) it is `base` and two bits a record, the lowest
 * bits of a byte first, as many bytes as are needed to reach the last mark:
 *
 *   0        4                        4+n
 *   +--------+- - - - - - - - - - - - -+
 *   |  base  | 2 bits for base, base+1 |    00 open       01 complete
 *   +--------+- - - - - - - - - - - - -+
 *
 *                                         10 released   11 sent
 *
 * Sent is stored only if `keepsSent` is set; else after a power loss each open record may have
 * been sent.
 */

import { readUint32, writeUint32 } from '../codec/bytes.js'

/** Numbers the window spans; a power of two. Bounds the in-flight limit and a MARK's size. */
export const WINDOW_SPAN = 64
/** The largest stored form, in bytes. */
export const WINDOW_BYTES = 20

/** Not sent on any connection as far as is known. */
export const QUEUED = 0
/** Complete: acknowledged, refused, expired or dropped. It will never be sent again. */
export const COMPLETE = 1
/** QoS 2: PUBREC received. From here on only PUBREL is sent. */
export const RELEASED = 2
/** PUBLISH sent, or perhaps sent, and neither acknowledged nor released. */
export const SENT = 3

/** The number after `number`: 0 is left out because it means "no record". */
export function numberAfter(number: number): number {
  return number === 0xffffffff ? 1 : number + 1
}

/** Records from `first` to before `end`. */
export function countBetween(first: number, end: number): number {
  const count = (end - first) >>> 0
  return count > 0 && end < first ? count - 1 : count
}

/** True when `a` is older than `b`, also where the numbers wrap around. */
export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}

export class ExchangeWindow {
  /** The oldest record that is not complete: equal to the next number when all are. */
  base: number
  /** SENT is a mark too. */
  keepsSent: boolean
  private readonly states: Uint8Array

  constructor() {
    this.base = 1
    this.keepsSent = false
    this.states = new Uint8Array(WINDOW_SPAN)
  }

  /** Empties the window: nothing is known of any record from `base` on. */
  reset(base: number): void {
    this.base = base
    this.states.fill(QUEUED)
  }

  /** True when `number` is one of the WINDOW_SPAN numbers from `base` on. */
  spans(number: number): boolean {
    return (number - this.base) >>> 0 < WINDOW_SPAN
  }

  /** The state of a record; older than the window is COMPLETE, beyond it is QUEUED. */
  state(number: number): number {
    if (!this.spans(number)) return isBefore(number, this.base) ? COMPLETE : QUEUED
    return this.states[number & (WINDOW_SPAN - 1)]!
  }

  /** Sets the state of a record that the window spans. */
  setState(number: number, state: number): void {
    this.states[number & (WINDOW_SPAN - 1)] = state
  }

  /** Moves `base` over complete records, at most to `nextNumber`. True when it moved. */
  slide(nextNumber: number): boolean {
    const before = this.base
    while (this.base !== nextNumber && this.states[this.base & (WINDOW_SPAN - 1)] === COMPLETE) {
      this.states[this.base & (WINDOW_SPAN - 1)] = QUEUED
      this.base = numberAfter(this.base)
    }
    return this.base !== before
  }

  /** Moves `base` to `number` whatever the states between are: those records are gone. */
  moveBase(number: number): void {
    if (!this.spans(number)) {
      this.reset(number)
      return
    }
    while (this.base !== number) {
      this.states[this.base & (WINDOW_SPAN - 1)] = QUEUED
      this.base = numberAfter(this.base)
    }
  }

  /** True when a record beyond `base` carries a mark that a bare base could not express. */
  hasMarks(): boolean {
    for (let index = 0; index < WINDOW_SPAN; index++) {
      const state = this.states[index]!
      if (this.isMark(state)) return true
    }
    return false
  }

  /**
   * Writes the stored form at `targetAt` and returns its bytes, 4 to WINDOW_BYTES. It says nothing
   * of records from `end` on: those are not on flash, and their numbers may be given again.
   */
  encode(target: Uint8Array, targetAt: number, end: number): number {
    const base = this.storedBase(end)
    writeUint32(target, targetAt, base)
    let length = 4
    const count = Math.min((end - base) >>> 0, WINDOW_SPAN)
    for (let index = 0; index < count; index++) {
      const at = targetAt + 4 + (index >> 2)
      if ((index & 3) === 0) target[at] = 0
      const state = this.states[(this.base + index) & (WINDOW_SPAN - 1)]!
      if (this.isMark(state)) {
        target[at] = target[at]! | (state << ((index & 3) * 2))
        length = 5 + (index >> 2)
      }
    }
    return length
  }

  /** Reads the stored form. False when its length is impossible; the window is then unchanged. */
  decode(source: Uint8Array, sourceAt: number, length: number): boolean {
    if (length < 4 || length > WINDOW_BYTES) return false
    const base = readUint32(source, sourceAt)
    this.reset(base)
    for (let index = 0; index < (length - 4) * 4; index++) {
      const bits = (source[sourceAt + 4 + (index >> 2)]! >> ((index & 3) * 2)) & 3
      if (bits !== QUEUED) this.setState(base + index, bits)
    }
    return true
  }

  /** The base as it may be stored beside a log that ends before `end`. */
  storedBase(end: number): number {
    return isBefore(end, this.base) ? end : this.base
  }

  private isMark(state: number): boolean {
    return state === COMPLETE || state === RELEASED || (state === SENT && this.keepsSent)
  }
}
