/**
 * Worlds in which a lane has few Packet Identifiers: each is used again after 256 messages and not
 * after 4,096, so that a short run sees what an exchange left behind long ago does to a new one.
 * It replaces two methods of the client; a reboot may ask about 209 numbers at once, so 256 it is.
 */
import { InFlight } from '../../src/session/in-flight.js'
import { ResendOrder } from '../../src/session/resend-order.js'
import { fault } from './fault.js'

export const FEW = 256

const firstIdOf = (lane: InFlight) => 1 + 4096 * lane.queue.lane.index

let count = 4096

/** Packet Identifiers of one lane. */
export const perLane = (): number => count

/** Runs `action` with FEW identifiers a lane. */
export function withFewIdentifiers<T>(action: () => T): T {
  const number = fault('few', InFlight, 'packetIdOf', (self, _, [number]) => {
    return firstIdOf(self) + (number & (FEW - 1))
  }).plant()
  const back = fault('few', InFlight, 'numberOf', (self, right, [packetId]) => {
    const index = packetId - firstIdOf(self)
    const offset = (index - self.window.base) & (FEW - 1)
    // Right takes what belongs to the record's number with all identifiers.
    return index < 0 || index >= FEW
      ? 0
      : right(firstIdOf(self) + ((self.window.base + offset) & 4095))
  }).plant()
  // Its list is shorter than 4,096: an identifier is gone from it before it is used again.
  const order = fault('few', ResendOrder, 'firstSent', (self, right, given) => {
    self.compact()
    right(...given)
  }).plant()
  count = FEW
  try {
    return action()
  } finally {
    count = 4096
    order()
    back()
    number()
  }
}
