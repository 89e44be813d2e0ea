/**
 * Turns a client on Moddable: calls `poll` when the client says that it has work, and when the time
 * `poll` asked for has come. One timer for good, rescheduled: that makes no garbage. Knows nothing
 * of what `poll` does.
 */

/** What `run` needs of a client. */
export interface Polled {
  poll(now: number): number
  onWork: () => void
}

/** What is used of the module `timer`. `schedule` keeps the timer, `clear` ends it. */
export interface Timers<T> {
  set(callback: () => void, interval: number, repeat: number): T
  schedule(timer: T, interval: number, repeat: number): void
  clear(timer: T): void
}

/** Not a wish of the client but of the runtime's timers, which drop a timer without a repeat. */
const IDLE_MS = 3600000

export class Loop<T> {
  private readonly client: Polled
  private readonly now: () => number
  private readonly timers: Timers<T>
  private readonly timer: T
  private isPolling: boolean
  private isWoken: boolean
  private isStopped: boolean

  constructor(client: Polled, now: () => number, timers: Timers<T>) {
    this.client = client
    this.now = now
    this.timers = timers
    this.isPolling = false
    // The timer below is the first call.
    this.isWoken = true
    this.isStopped = false
    this.timer = timers.set(() => this.turn(), 0, IDLE_MS)
    client.onWork = (): void => this.wake()
  }

  /** Calls `poll` soon, once for any number of wakes. */
  wake(): void {
    if (this.isPolling || this.isWoken || this.isStopped) {
      this.isWoken = true
      return
    }
    this.isWoken = true
    this.timers.schedule(this.timer, 0, IDLE_MS)
  }

  /** No `poll` any more. */
  stop(): void {
    if (this.isStopped) return
    this.isStopped = true
    this.timers.clear(this.timer)
  }

  private turn(): void {
    if (this.isStopped) return
    this.isWoken = false
    this.isPolling = true
    const waitMs = this.client.poll(this.now())
    this.isPolling = false
    if (this.isStopped) return
    let ms = waitMs < IDLE_MS ? Math.ceil(waitMs) : IDLE_MS
    if (this.isWoken || !(ms > 0)) {
      this.isWoken = true
      ms = 0
    }
    this.timers.schedule(this.timer, ms, IDLE_MS)
  }
}
