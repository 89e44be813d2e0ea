/** The public names of durable storage. Imported only where messages are to survive power loss. */
export { FlashStore } from './store/flash-store.js'
export type { FlashStoreOptions } from './store/flash-store.js'
export type { SealedHooks } from './store/sealing.js'
