/**
 * Turns a client on Node: calls `poll` when the client says that it has work and when the time
 * `poll` asked for has come. Knows nothing of what `poll` does.
 */

/** What `run` needs of a client. */
export interface Polled {
  /** `now` is `performance.now()`, as in NodeSystem. Returns milliseconds to the next call. */
  poll(now: number): number
  /** Set by `run`: the client calls it when `poll` is due earlier than it asked for. */
  onWork: () => void
}

export interface Running {
  /** Calls `poll` soon, once for any number of wakes. */
  wake(): void
  /** No `poll` any more. */
  stop(): void
}

/** The longest wait of setTimeout; it takes longer ones for 1 ms. */
const MAX_TIMEOUT_MS = 0x7fffffff
/** Calls of `poll` before others have their turn. */
const POLLS_PER_TURN = 4

/**
 * Runs the client until `stop`. An exception of `poll` is not caught: it reaches the process as
 * uncaught, and the client is not polled again, since its state is unknown then.
 */
export function run(client: Polled): Running {
  return new Loop(client)
}

class Loop implements Running {
  private readonly client: Polled
  private isStopped = false
  private isPolling = false
  private isWoken = false
  private immediate: NodeJS.Immediate | undefined
  private timer: NodeJS.Timeout | undefined
  private timerAt = Infinity

  constructor(client: Polled) {
    this.client = client
    client.onWork = this.wake
    this.wake()
  }

  readonly wake = (): void => {
    if (this.isPolling) this.isWoken = true
    else if (!this.isStopped && this.immediate === undefined) {
      this.immediate = setImmediate(this.turn)
    }
  }

  readonly stop = (): void => {
    this.isStopped = true
    clearImmediate(this.immediate)
    this.disarm()
    this.client.onWork = doNothing
  }

  private readonly turn = (): void => {
    this.immediate = undefined
    let waitMs = 0
    // Handlers that publish wake the client in the middle of poll, which mostly has sent what they
    // published when it returns. A second call costs 1 us, another turn of the event loop 5 us.
    for (let count = 0; count < POLLS_PER_TURN && waitMs <= 0 && !this.isStopped; count += 1) {
      waitMs = this.poll()
    }
    if (this.isStopped) return
    if (waitMs <= 0) this.wake()
    else this.arm(waitMs)
  }

  private poll(): number {
    this.isWoken = false
    this.isPolling = true
    let waitMs: number
    try {
      waitMs = this.client.poll(performance.now())
    } catch (error) {
      this.stop()
      throw error
    }
    this.isPolling = false
    if (Number.isNaN(waitMs)) throw new Error('poll() returned NaN for its next time')
    return this.isWoken ? 0 : waitMs
  }

  /** A timer that is early stays: one poll too many costs less than a new timer at each turn. */
  private arm(waitMs: number): void {
    const dueAt = performance.now() + waitMs
    if (this.timer !== undefined && this.timerAt <= dueAt && dueAt !== Infinity) return
    this.disarm()
    if (dueAt === Infinity) return
    this.timerAt = dueAt
    this.timer = setTimeout(this.onTimer, Math.min(Math.ceil(waitMs), MAX_TIMEOUT_MS))
  }

  private disarm(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private readonly onTimer = (): void => {
    this.timer = undefined
    this.wake()
  }
}

function doNothing(): void {}
