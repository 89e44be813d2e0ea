/**
 * Waits until a client has handed over all that is queued, but no longer than a deadline, and makes
 * it ready for the power to go. What is left stays on flash. Knows nothing of sleep or of Wi-Fi.
 */

/** What is used of a client. */
export interface Drained {
  readonly stats: { readonly queued: number }
  readonly isConnected: boolean
  readonly isStopped: boolean
  flush(): number
  stop(): void
}

export interface DrainParts {
  readonly client: Drained
  /** True while a closed connection still hands over its last bytes. */
  isFinishing(): boolean
  now(): number
  /** Calls back once, later. */
  after(ms: number, callback: () => void): unknown
}

const LOOK_MS = 20
/** For DISCONNECT, and the end of TCP. */
const STOP_MS = 2000

/**
 * Calls `onDone` with the number of messages that are left: at the deadline, or as soon as there are
 * none and the broker has had its DISCONNECT.
 *
 * This is the one place that changes when the client has `prepareForSleep(deadlineMs)`: it replaces
 * the body, the signature stays.
 */
export function drain(
  parts: DrainParts,
  deadlineMs: number,
  onDone: (leftCount: number) => void,
): void {
  const { client } = parts
  const deadline = parts.now() + deadlineMs
  let stopBy = Infinity
  const look = (): void => {
    const now = parts.now()
    const isDrained = client.isConnected && client.stats.queued === 0
    if (stopBy === Infinity && (isDrained || now >= deadline)) {
      stopBy = now + STOP_MS
      client.stop()
    }
    const isOver = client.isStopped && !parts.isFinishing()
    if (stopBy === Infinity || (!isOver && now < stopBy)) {
      parts.after(LOOK_MS, look)
      return
    }
    // What was acknowledged is marked so on flash: the next boot does not send it again.
    client.flush()
    onDone(client.stats.queued)
  }
  look()
}
