/** The public names of the small client's durable storage. */
export { FlashOutbox } from './flash-outbox.js'
export type { FlashOutboxOptions } from './flash-outbox.js'
