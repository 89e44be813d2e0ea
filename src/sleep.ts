/**
 * Sleep: a device that is about to sleep or to lose its power sends what it can until a deadline,
 * and makes the rest durable.
 */
import type { OutgoingQueue } from './queue/outgoing-queue.js'
import type { Session } from './session/session.js'
import type { Status } from './status.js'

/** What `prepareForSleep` reports. */
export interface SleepReport {
  /** Messages that remain in the queue. */
  queued: number
  /** OK: they survive the sleep. Without storage, or after trouble, a reason why not. */
  status: Status
}

export type SleepHandler = (report: SleepReport) => void

export class Sleep {
  private readonly session: Session
  private readonly queues: OutgoingQueue[]
  private readonly done: SleepHandler
  private readonly deadline: number
  private isLeaving: boolean

  constructor(session: Session, queues: OutgoingQueue[], deadline: number, done: SleepHandler) {
    this.session = session
    this.queues = queues
    this.done = done
    this.deadline = deadline
    this.isLeaving = false
  }

  /** Milliseconds until it wants to be called again; -1 when all is said and done. */
  poll(now: number): number {
    const session = this.session
    if (now < this.deadline && !session.isStopped) {
      if (!this.isLeaving && session.isIdle && this.isEmpty) {
        this.isLeaving = true
        session.stop()
        return 0
      }
      return this.deadline - now
    }
    session.halt()
    const status = session.connection.flushQueues()
    this.done({ queued: this.queued, status })
    return -1
  }

  private get isEmpty(): boolean {
    for (let index = 0; index < this.queues.length; index++) {
      if (!this.queues[index]!.isEmpty) return false
    }
    return true
  }

  private get queued(): number {
    let count = 0
    for (let index = 0; index < this.queues.length; index++) count += this.queues[index]!.depth
    return count
  }
}
