/**
 * One measurement of `npm run bench:peers`: what a child process is told and what it answers.
 * Knows no client.
 */

/** One row for one client, as JSON in the child's first argument. */
export interface Job {
  /** `ours`, `mqtt` or `mqtt-level`. */
  client: string
  host: string
  port: number
  qos: 0 | 1 | 2
  /** Messages published and not yet complete; 0 for all of them in one turn of the event loop. */
  window: number
  /** Messages measured, and messages sent before that to warm the engine. */
  count: number
  warmUp: number
  /** Where a durable client keeps its messages; '' for a client that keeps them in memory. */
  folder: string
}

/** What one client took for `count` messages. */
export interface Measured {
  /** From the first publish until the broker has answered the last message. */
  ms: number
  /** Processor time of the whole process in that time, garbage collection included. */
  cpuMs: number
  /** From the first publish until the last publish call has returned. */
  returnedMs: number
}

export const TOPIC = 'sensors/kitchen/temperature/main'
export const PAYLOAD_SIZE = 64

/** Counts of messages, and the promise that all of them are complete. */
export class Progress {
  private readonly count: number
  private readonly window: number
  private started = 0
  private finished = 0
  private isAdvancing = false
  private begin: () => boolean
  private resolve: () => void = () => {}
  readonly done: Promise<void>

  /** `begin` publishes one message, or returns false when there is no room for it now. */
  constructor(count: number, window: number, begin: () => boolean) {
    this.count = count
    this.window = window === 0 ? count : window
    this.begin = begin
    this.done = new Promise((resolve) => (this.resolve = resolve))
  }

  get isStarted(): boolean {
    return this.started === this.count
  }

  /** Publishes as many as the window allows. */
  advance(): void {
    // A message may be complete before its publish call returns.
    if (this.isAdvancing) return
    this.isAdvancing = true
    while (this.started < this.count && this.started - this.finished < this.window) {
      if (!this.begin()) break
      this.started++
    }
    this.isAdvancing = false
  }

  /** One message is complete. */
  finish(): void {
    this.finished++
    if (this.finished === this.count) this.resolve()
    else this.advance()
  }
}

/** Runs `send` twice, first to warm up, and measures the second time. */
export async function measure(
  job: Job,
  send: (count: number, returned: () => void) => Promise<void>,
): Promise<Measured> {
  await send(job.warmUp, () => {})
  // What the warm-up left behind is not the measurement's garbage.
  globalThis.gc?.()
  let returnedMs = 0
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  await send(job.count, () => (returnedMs = performance.now() - startedAt))
  const ms = performance.now() - startedAt
  const { user, system } = process.cpuUsage(cpu)
  return { ms, cpuMs: (user + system) / 1000, returnedMs }
}
