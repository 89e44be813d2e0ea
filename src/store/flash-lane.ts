import type { System } from '../../hal/system.js'
import { ExchangeWindow, isBefore } from './exchange-window.js'
import type { FlashLog } from './flash-log.js'
import { GroupLog } from './group-log.js'
import type { GroupControl, OutgoingLog } from './outgoing-log.js'
import type { LaneState } from './session-state.js'
import type { LaneSpace, LaneStore } from './storage-face.js'

/**
 * FlashLane: one lane's log and window, and what the session store knows better than its log. It
 * does not know where the lane lies.
 */

export class FlashLane implements LaneStore {
  readonly flash: FlashLog
  readonly window: ExchangeWindow
  log: OutgoingLog
  group: GroupControl | null

  constructor(flash: FlashLog) {
    this.flash = flash
    this.window = new ExchangeWindow()
    this.log = flash
    this.group = null
  }

  /** After the log was recovered: what is appended waits in RAM first. */
  setGroup(space: LaneSpace, system: System): void {
    const bytes = space.groupBytes
    this.log = this.flash
    this.group = null
    if (bytes === 0) return
    const log = new GroupLog(this.flash, this.window, bytes, space.isForOffline, system)
    this.log = log
    this.group = log
  }
}

/** A mark in the session store counts until the log has one that was written later. */
export function applyMark(lane: FlashLane, state: LaneState): void {
  if (state.markLength === 0) return
  const log = lane.flash
  const window = lane.window
  const base = window.base
  const found = log.recovery
  const isNewest =
    state.markSector === found.markSector
      ? found.markOffset < state.markOffset
      : isBefore(found.markSector, state.markSector)
  if (!isNewest || !window.decode(state.markBytes(), 0, state.markLength)) {
    state.markLength = 0
    return
  }
  if (isBefore(window.base, base)) window.moveBase(base)
  if (isBefore(log.nextNumber, window.base)) log.skipTo(window.base)
  log.release(window.base)
  log.rewind(window.base)
}
