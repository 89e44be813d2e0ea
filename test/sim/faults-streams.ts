/** Planted faults of payloads in parts; see `faults.ts`. */
import { OutgoingQueue } from '../../src/queue/outgoing-queue.js'
import { Held } from '../../src/queue/held.js'
import { PayloadPump } from '../../src/session/payload-pump.js'
import { FlashFragments } from '../../src/store/flash-fragments.js'
import { type Fault, fault } from './fault.js'

export const STREAM_FAULTS: Fault[] = [
  fault(
    'a payload is looked at before its last part is there',
    OutgoingQueue,
    'next',
    (self, right) => {
      const { stream } = self
      const open = stream === null ? 0 : stream.number
      if (stream !== null) stream.number = 0
      const number = right()
      if (stream !== null) stream.number = open
      return number
    },
  ),
  fault('a payload is sent unchecked', FlashFragments, 'check', () => 0),
  fault('the last part is not marked', FlashFragments, 'append', (_, right, given) => {
    return right(...given.slice(0, 4), false)
  }),
  fault(
    'a payload that waits for room goes on one byte late',
    PayloadPump,
    'pump',
    (self, right) => {
      if (self.taken > 0 && self.taken < self.size && self.left > 1) self.taken++
      right()
    },
  ),
  fault('message.persisted tells of an open payload', Held, 'appended', (_, right, [number]) => {
    const isOpening = new Error().stack!.includes('StreamWriter.begin')
    if (!isOpening) right(number)
  }),
]
