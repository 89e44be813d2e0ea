import type { Status } from '../status.js'

/**
 * QueueListener: what the queue tells the session. A message was settled without the broker.
 */
export interface QueueListener {
  /**
   * `number` is leaving the queue because of `status`; `state` is how far it had come (QUEUED, SENT
   * or RELEASED).
   */
  onDropping(number: number, state: number, status: Status): void
  /** True when the broker may know the message although its state does not say so. */
  mayBeKnown(number: number): boolean
  /** False when not all messages before `stays` can be given up now. */
  mayDropBefore(stays: number): boolean
  /** It has left, or will before `publish` returns; `reasonCode` is the broker's, or 0. */
  onDropped(number: number, status: Status, reasonCode: number): void
  /** A message that was in RAM only is on flash from now on. */
  onPersisted(number: number): void
  /** A mark or a counter could not be made durable. */
  onStorageFailed(status: Status): void
}
