/** Planted faults of lanes, groups, counters and sleep; see `faults.ts`. */
import { MessageMaker } from '../../src/message-maker.js'
import { Held } from '../../src/queue/held.js'
import { LatestTopics } from '../../src/queue/latest-topics.js'
import { LoadedMessage } from '../../src/queue/loaded-message.js'
import { Marks } from '../../src/queue/marks.js'
import { OutgoingQueue } from '../../src/queue/outgoing-queue.js'
import { Overflow } from '../../src/queue/overflow.js'
import { Connection } from '../../src/session/connection.js'
import { InFlight } from '../../src/session/in-flight.js'
import { Outbound } from '../../src/session/outbound.js'
import { ResendOrder } from '../../src/session/resend-order.js'
import { Sleep } from '../../src/sleep.js'
import { FlashLog } from '../../src/store/flash-log.js'
import { GroupLog } from '../../src/store/group-log.js'
import { RamLog } from '../../src/store/ram-log.js'
import { LaneState } from '../../src/store/session-state.js'
import { type Fault, fault, faultyGetter } from './fault.js'

export const LANE_FAULTS: Fault[] = [
  // Which lane, which identifier, which ticket.
  fault('the identifiers of lanes overlap', InFlight, 'packetIdOf', (_, _right, [number]) => {
    return 1 + (number & 4095)
  }),
  fault('a ticket does not tell the lane', InFlight, 'ticketOf', (_, _right, [number]) => number),
  fault('a message goes to the wrong lane', MessageMaker, 'chooseLane', (self, right, [source]) => {
    right(source)
    if (source.payloadLength % 7 === 3) source.lane = self.settings.lanes.length - 1
  }),
  fault('the priority of lanes is ignored', Outbound, 'sendNext', (self, right) => {
    self.connection.lanesByPriority.reverse()
    const result = right()
    self.connection.lanesByPriority.reverse()
    return result
  }),
  fault('lanes send again one after the other', ResendOrder, 'next', () => null),
  fault('lanes send again in the reverse order', ResendOrder, 'connected', (self, right) => {
    right()
    self.packetIds.subarray(0, self.count).reverse()
  }),
  fault(
    'a small message overtakes one of a higher lane',
    Outbound,
    'sendFrom',
    (self, right, given) => {
      const result = right(...given)
      self.lacksRoom = false
      return result
    },
  ),
  // Records in RAM.
  fault(
    'a group is not written when the link drops',
    Connection,
    'setOnline',
    (self, _, [isOnline]) => {
      for (const { queue } of self.lanes) if (queue.group) queue.group.isOnline = isOnline
    },
  ),
  fault('a group is not written when its time is over', Held, 'tend', () => Infinity),
  fault('message.persisted comes too early', Held, 'report', (self, right) => {
    const { log } = self
    self.log = { storedEnd: log.nextNumber }
    right(0)
    self.log = log
  }),
  fault('message.persisted is not sent', Held, 'report', () => {}),
  faultyGetter('a record in RAM counts as kept', GroupLog, 'storedEnd', (self) => self.nextNumber),
  fault('numbers of what was never written are not passed over', FlashLog, 'jumpTo', () => 0),
  fault('QoS 2 leaves before it is on flash', GroupLog, 'reserve', (self, right, given) => {
    self.mustKeep = false
    return right(...given)
  }),
  fault('what was written stays in RAM too', RamLog, 'release', (_, right, [base]) => {
    if (base % 5 !== 0) right(base)
  }),
  fault('a record moved to flash loses its time', GroupLog, 'move', (self, right, given) => {
    const { record } = self
    const { parse } = record
    record.parse = (...args: any[]) => {
      const status = parse.apply(record, args)
      record.timeDelta = -1
      return status
    }
    const status = right(...given)
    delete record.parse
    return status
  }),
  fault('marks of what was in RAM are forgotten', GroupLog, 'move', (_, right) => right(0)),
  fault('writes are saved that were not', GroupLog, 'freeRam', (self, right) => {
    self.savedCount++
    right()
  }),
  // What gives way.
  faultyGetter('what has expired is sent', LoadedMessage, 'isExpired', () => false),
  faultyGetter('everything with a time has expired', LoadedMessage, 'isExpired', (self) => {
    return self.record.timeDelta >= 0
  }),
  fault('the newest message of a topic is replaced', LatestTopics, 'hasNewer', () => true),
  fault('the oldest messages are dropped whatever the policy', Overflow, 'giveUp', (self) => {
    return self.dropOldest()
  }),
  fault('a new message is given up and not counted', Marks, 'countNewest', () => {}),
  fault(
    'a new message is given up, and only its count is kept',
    Overflow,
    'makeRoom',
    (_, right, given) => {
      const status = right(...given)
      return status === -3001 ? -3003 : status
    },
  ),
  fault('a counter is durable without the mark', LaneState, 'takeMark', () => {}),
  fault('a dropped message is counted twice', OutgoingQueue, 'drop', (self, right, given) => {
    right(...given)
    self.marks.count(given[2])
  }),
  // Sleep.
  fault('a sleep leaves messages in RAM', Connection, 'flushQueues', () => 0),
  fault('a sleep comes late', Sleep, 'poll', (self, right, [now]) => {
    if (now < self.deadline + 2000 && !self.session.isStopped) return 1000
    return right(now)
  }),
  fault('a sleep does not wait for what is under way', Sleep, 'poll', (self, right) => {
    return right(self.deadline)
  }),
]
