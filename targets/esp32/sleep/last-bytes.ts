/**
 * Between the client's last word and the end of the power: a closed connection may still be handing
 * over its DISCONNECT. Knows nothing of sleep, nor of the client.
 */

/** What is used of a SocketTransport. */
export interface Finishing {
  readonly isFinishing: boolean
}

/** Calls back once, later. */
export type After = (ms: number, callback: () => void) => unknown

const LOOK_MS = 20

/** Calls `onDone`, later, when the last bytes have left, but after `limitMs` at the latest. */
export function afterLastBytes(
  transport: Finishing,
  after: After,
  limitMs: number,
  onDone: () => void,
): void {
  after(LOOK_MS, () => {
    if (!transport.isFinishing || limitMs <= LOOK_MS) onDone()
    else afterLastBytes(transport, after, limitMs - LOOK_MS, onDone)
  })
}
