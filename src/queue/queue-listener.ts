import type { Status } from '../status.js'

/**
 * QueueListener: what the queue tells the session. A message was settled without the broker.
 */
export interface QueueListener {
  /**
   * `number` is leaving the queue because of `status`; `state` is how far it had come (QUEUED, SENT
   * or RELEASED); `qos` is 2 where it is not known.
   */
  onDropping(number: number, state: number, status: Status, qos: number): void
  /** True when the broker may know the message although its state does not say so. */
  mayBeKnown(number: number): boolean
  /** True when the broker may hold the identifier of the message, if it is one of QoS 2. */
  mayBeHeld(number: number): boolean
  /** How many of those can be given up now. */
  readonly placesLeft: number
  /** It has left, or will before `publish` returns; `reasonCode` is the broker's, or 0. */
  onDropped(number: number, status: Status, reasonCode: number): void
  /** A message that was in RAM only is on flash from now on. */
  onPersisted(number: number): void
  /** A mark or a counter could not be made durable. */
  onStorageFailed(status: Status): void
}
