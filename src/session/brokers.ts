/**
 * Brokers: which one of the list is tried next.
 *
 * A connection that broke is made again to the same broker; an attempt that fails moves on to the
 * next. Only when the whole list has failed there is a pause. It opens no connections.
 */
export class Brokers {
  /** The place in the list of the broker of this connection, or of the next attempt. */
  index: number
  private readonly count: number
  /** Attempts that failed in a row. */
  private failures: number

  constructor(count: number, index: number) {
    this.index = index < count ? index : 0
    this.count = count
    this.failures = 0
  }

  /** The connection is established. */
  connected(): void {
    this.failures = 0
  }

  /** An attempt failed: true when it is time for a pause. With `mayMove` the next one is tried. */
  failed(mayMove: boolean): boolean {
    if (!mayMove) return true
    this.failures++
    this.index = (this.index + 1) % this.count
    return this.failures % this.count === 0
  }

  /** The first of the list is tried next. */
  goHome(): void {
    this.index = 0
  }
}
