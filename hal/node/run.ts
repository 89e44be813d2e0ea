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

/**
 * Runs the client until `stop`. An exception of `poll` is not caught: it reaches the process as
 * uncaught, and the client is not polled again, since its state is unknown then.
 */
export function run(client: Polled): Running {
  let isStopped = false
  let immediate: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined

  const turn = (): void => {
    immediate = undefined
    clearTimeout(timer)
    timer = undefined
    if (isStopped) return
    let waitMs: number
    try {
      waitMs = client.poll(performance.now())
    } catch (error) {
      stop()
      throw error
    }
    if (Number.isNaN(waitMs)) throw new Error('poll() returned NaN for its next time')
    // poll() may have stopped or woken the client itself; the wake comes first anyway.
    if (isStopped || immediate !== undefined || waitMs === Infinity) return
    if (waitMs <= 0) wake()
    else timer = setTimeout(turn, Math.min(Math.ceil(waitMs), MAX_TIMEOUT_MS))
  }

  const wake = (): void => {
    if (!isStopped && immediate === undefined) immediate = setImmediate(turn)
  }

  const stop = (): void => {
    isStopped = true
    clearImmediate(immediate)
    clearTimeout(timer)
    client.onWork = doNothing
  }

  client.onWork = wake
  wake()
  return { wake, stop }
}

function doNothing(): void {}
