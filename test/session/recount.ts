/** What the count of exchanges must be: every lane counted anew from its window. */
import type { Connection } from '../../src/session/connection.js'

export function recount({ lanes, exchanges }: Connection): number {
  return lanes.reduce((sum, lane) => sum + lane.recount(), exchanges.abandoned.count)
}
