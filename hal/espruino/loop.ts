/**
 * Turns a client on Espruino: calls `poll` when the client says that it has work, and when the time
 * `poll` asked for has come. Knows nothing of what `poll` does.
 */
import type { System } from '../system.js'

/** What `run` needs of a client. */
export interface Polled {
  poll(now: number): number
  onWork: () => void
}

/** The longest wait: an hour costs one `poll` that has nothing to do. */
const IDLE_MS = 3600000

export class Loop {
  private readonly client: Polled
  private readonly system: System
  private readonly turn: () => void
  /** 0 for none: Espruino throws when a timer that is not there is cleared. */
  private timer: number
  private isDue: boolean
  private isPolling: boolean
  private isStopped: boolean

  /** An exception of `poll` reaches the console, and the client is not polled again. */
  constructor(client: Polled, system: System) {
    this.client = client
    this.system = system
    this.turn = (): void => this.poll()
    this.timer = 0
    this.isDue = false
    this.isPolling = false
    this.isStopped = false
    client.onWork = (): void => this.wake()
    this.wake()
  }

  /** Calls `poll` soon, once for any number of wakes. */
  wake(): void {
    if (this.isDue || this.isStopped) return
    this.isDue = true
    if (!this.isPolling) this.arm(0)
  }

  /** No `poll` any more. */
  stop(): void {
    this.isStopped = true
    if (this.timer > 0) clearTimeout(this.timer)
    this.timer = 0
  }

  private arm(ms: number): void {
    if (this.timer > 0) clearTimeout(this.timer)
    this.timer = setTimeout(this.turn, ms)
  }

  private poll(): void {
    this.timer = 0
    if (this.isStopped) return
    this.isDue = false
    this.isPolling = true
    const waitMs = this.client.poll(this.system.now())
    this.isPolling = false
    if (this.isStopped) return
    if (!(waitMs > 0)) this.isDue = true
    this.arm(this.isDue ? 0 : waitMs < IDLE_MS ? Math.ceil(waitMs) : IDLE_MS)
  }
}
