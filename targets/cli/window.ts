/**
 * How far the messages of a lane have come, as a MARK tells it: docs/FLASH-FORMAT.md, section 4.2.
 * Knows nothing of where marks stand.
 */
import { isBefore, uint32 } from './sector.js'

const SPAN = 64
const STATES = ['open', 'complete', 'released', 'sent'] as const
export type MessageState = (typeof STATES)[number]

export class Window {
  /** Every message before it is complete. */
  base: number
  private states = new Map<number, MessageState>()

  constructor(base: number) {
    this.base = base
  }

  state(number: number): MessageState {
    return isBefore(number, this.base) ? 'complete' : (this.states.get(number) ?? 'open')
  }

  /** Takes over a MARK; false when it is none. */
  read(mark: Uint8Array): boolean {
    if (mark.length < 4 || mark.length > 4 + SPAN / 4) return false
    this.base = uint32(mark, 0)
    this.states = new Map()
    for (let index = 0; index < (mark.length - 4) * 4; index++) {
      const bits = (mark[4 + (index >> 2)]! >> ((index & 3) * 2)) & 3
      if (bits !== 0) this.states.set((this.base + index) >>> 0, STATES[bits]!)
    }
    return true
  }

  /** The larger of the present base and `base` holds. */
  raise(base: number): void {
    if (isBefore(this.base, base)) this.base = base
  }
}
