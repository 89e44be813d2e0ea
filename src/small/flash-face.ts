import type { Outbox } from './outbox.js'
import type { Sector, Sectors } from './sectors.js'

/** FlashFace: what mounting and the session record know of a FlashOutbox. */
export interface FlashFace extends Outbox {
  readonly sectors: Sectors
  /** The sector of the session store that is written. */
  readonly state: Sector
  /** Where messages are written. */
  readonly log: Sector
  /** Where the message `walkNumber` is, or the first behind it that is there. */
  readonly walk: Sector
  walkNumber: number
  nextNumber: number
  readonly clientId: string
  readonly broker: string
  /** Moves the walk to the first message from `number` on: its number, 0 where there is none. */
  find(number: number): number
}
