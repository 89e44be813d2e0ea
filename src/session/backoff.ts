/**
 * Backoff: how long to wait before the next attempt to connect.
 *
 * The limit doubles with each failure, from `retryMinMs` up to `retryMaxMs`; the pause is a random
 * part of it (full jitter), so that a fleet that lost its broker does not come back as one.
 */
import type { System } from '../../hal/system.js'

export class Backoff {
  private readonly system: System
  private readonly minMs: number
  private readonly maxMs: number
  private limitMs: number

  constructor(minMs: number, maxMs: number, system: System) {
    this.system = system
    this.minMs = minMs
    this.maxMs = maxMs
    this.limitMs = minMs
  }

  /** A connection was established: the next pause is short again. */
  reset(): void {
    this.limitMs = this.minMs
  }

  /** Milliseconds to wait now, 0 to the limit. */
  next(): number {
    const pauseMs = Math.floor((this.system.random() / 4294967296) * (this.limitMs + 1))
    this.limitMs = Math.min(this.limitMs * 2, this.maxMs)
    return pauseMs
  }
}
