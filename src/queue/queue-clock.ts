/**
 * QueueClock: the seconds that records carry. Wall time where known; else a count that goes on
 * where the log stopped, so that over a reboot only time known to have passed is counted.
 */
import type { System } from '../../hal/system.js'

/** Times below this were taken without a wall clock (docs/FLASH-FORMAT.md, section 4.1). */
const FIRST_WALL_SECONDS = 1000000000

export class QueueClock {
  private readonly system: System
  private readonly offset: number

  /** `newest` is the newest time the log knows; 0: none. */
  constructor(system: System, newest: number) {
    this.system = system
    // After a time with a wall clock a new count begins: it must not be taken for the wall clock.
    const last = newest < FIRST_WALL_SECONDS ? newest : 0
    // Not a second is added for the reboot itself: a device may reboot often. 0 is no time.
    this.offset = (last > 0 ? last : 1) - Math.floor(system.now() / 1000)
  }

  get seconds(): number {
    const wall = this.system.wallSeconds()
    return wall > 0 ? wall : Math.floor(this.system.now() / 1000) + this.offset
  }

  /** Seconds since `queuedAt`, as far as is known. */
  age(queuedAt: number): number {
    const seconds = this.seconds
    // A time with the wall clock and one without it have nothing in common.
    if (queuedAt < FIRST_WALL_SECONDS !== seconds < FIRST_WALL_SECONDS) return 0
    return seconds > queuedAt ? seconds - queuedAt : 0
  }
}
