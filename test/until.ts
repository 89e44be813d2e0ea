/** Waiting in tests that have a real clock. How long never decides: the limit only ends a hang. */

const LIMIT_MS = 60_000

/** Waits until `holds`; fails with `what` it waited for. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const limit = Date.now() + LIMIT_MS
  while (!holds()) {
    if (Date.now() > limit) throw new Error(`waited ${LIMIT_MS / 1000} s in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** What a test started, to be ended after it, also where it failed; the last one first. */
export class Started {
  private readonly ends: (() => unknown)[] = []

  push(end: () => unknown): void {
    this.ends.push(end)
  }

  readonly endAll = async (): Promise<void> => {
    while (this.ends.length > 0) await this.ends.pop()!()
  }
}
