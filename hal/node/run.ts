/**
 * Turns a client on Node: calls `poll` when the transport is ready and when the time `poll` asked
 * for has come. Knows nothing of what `poll` does.
 */
import type { Transport } from '../transport.js'

/** What `run` needs of a client. */
export interface Polled {
  /** `now` is `performance.now()`, as in NodeSystem. Returns milliseconds to the next call. */
  poll(now: number): number
}

export interface Running {
  /** Calls `poll` soon, once for any number of wakes: after a publish, for instance. */
  wake(): void
  /** No `poll` any more; the transport's `onReady` is the client's own again. */
  stop(): void
}

/** The longest wait of setTimeout; it takes longer ones for 1 ms. */
const MAX_TIMEOUT_MS = 0x7fffffff

/**
 * Call it after the client was constructed, as that sets the transport's `onReady`, which is
 * chained here. An exception of `poll` is not caught: it reaches the process as uncaught, and the
 * client is not polled again, since its state is unknown then.
 */
export function run(client: Polled, transport: Transport): Running {
  const note = transport.onReady
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

  const ready = (): void => {
    note()
    wake()
  }

  const stop = (): void => {
    isStopped = true
    clearImmediate(immediate)
    clearTimeout(timer)
    if (transport.onReady === ready) transport.onReady = note
  }

  transport.onReady = ready
  wake()
  return { wake, stop }
}
