/**
 * Planted faults: mistakes a client could make, switched on one at a time, to prove that the
 * simulated world sees them. Those of lanes stand in `faults-lanes.ts`, those of payloads in
 * parts in `faults-streams.ts`.
 */
import { Marks } from '../../src/queue/marks.js'
import { OutgoingQueue } from '../../src/queue/outgoing-queue.js'
import { Handshake } from '../../src/session/handshake.js'
import { Exchanges } from '../../src/session/exchanges.js'
import { InFlight } from '../../src/session/in-flight.js'
import { Inbound } from '../../src/session/inbound.js'
import { Outbound } from '../../src/session/outbound.js'
import { Timing } from '../../src/session/timing.js'
import { Drops } from '../../src/session/drops.js'
import { Subscriptions } from '../../src/session/subscriptions.js'
import { ExchangeWindow } from '../../src/store/exchange-window.js'
import { FlashRing } from '../../src/store/flash-ring.js'
import { FlashWriter } from '../../src/store/flash-writer.js'
import { MessageRecord } from '../../src/store/message-record.js'
import { SectorScan } from '../../src/store/sector-scan.js'
import { PacketIdSet } from '../../src/store/session-state.js'
import { fault, type Fault } from './fault.js'
import { LANE_FAULTS } from './faults-lanes.js'
import { STREAM_FAULTS } from './faults-streams.js'

const QUEUED = 0
const RELEASED = 2
const SENT = 3
const MESSAGE = 1

export const FAULTS: Fault[] = [
  fault(
    'DUP is left out after a reconnect',
    Outbound,
    'sendPublish',
    (_, right, [lane, number, state]) => right(lane, number, state === SENT ? QUEUED : state),
  ),
  fault('DUP is left out after a reboot', InFlight, 'mayHaveBeenSent', () => false),
  fault('DUP is set at the first sending', Outbound, 'sendPublish', (_, right, [lane, number]) =>
    right(lane, number, SENT),
  ),
  fault('Receive Maximum is ignored', Outbound, 'isHeldBack', () => false),
  fault(
    'the quota of a finished exchange is not returned',
    InFlight,
    'ended',
    (self, right, given) => {
      const { count } = self.exchanges
      right(...given)
      self.exchanges.count = count
    },
  ),
  fault('PUBREL leaves before its mark is written', Marks, 'makeReleasesDurable', () => 0),
  fault('acknowledgements are never marked on flash', Marks, 'tend', () => Infinity),
  fault('acknowledgements are marked a minute late', Marks, 'tend', (self, right, [now]) => {
    self.ackDelayMs = 60000
    self.ackBatch = 100000
    return right(now)
  }),
  fault('an inbound QoS 2 identifier is not saved', Inbound, 'save', () => true),
  fault('a repeat of QoS 2 is handed over again', PacketIdSet, 'has', () => false),
  fault('an inbound identifier is never released', PacketIdSet, 'remove', () => true),
  fault('a record without its check is believed', SectorScan, 'isIntact', (self, _, [, type]) => {
    if (type === MESSAGE) self.number = self.nextNumber
    return true
  }),
  fault('records are written behind a torn one', SectorScan, 'finish', (_, right, [offset]) =>
    right(offset, true),
  ),
  fault(
    'what was erased before a boot counts as erased',
    FlashWriter,
    'start',
    (self, right, given) => {
      right(...given)
      self.erasedAhead = 1
    },
  ),
  fault('sectors are freed before their messages are complete', FlashRing, 'release', (self) => {
    self.baseSequence = self.sequence
    self.baseFirst = self.firstNumber
  }),
  fault('released marks are not read back', ExchangeWindow, 'decode', (self, right, given) => {
    const isWhole = right(...given)
    self.states.forEach((state: number, at: number) => {
      if (state === RELEASED) self.states[at] = QUEUED
    })
    return isWhole
  }),
  fault('a lost session goes unnoticed', Handshake, 'begin', () => {}),
  fault('filters are not asked for again', Subscriptions, 'connected', (_, right) =>
    right(true, true),
  ),
  fault('the queue is not read again after a reconnect', OutgoingQueue, 'rewind', () => {}),
  fault('an answer ends the next exchange', InFlight, 'numberOf', (self, right, given) => {
    const number = right(...given)
    return number !== 0 && self.window.state(number + 1) === SENT ? number + 1 : number
  }),
  fault('PUBREC ends an exchange', Inbound, 'onPubrec', (self, _, [packet]) => {
    const lane = self.connection.laneOf(packet.packetId)
    const number = lane.numberOf(packet.packetId)
    if (number !== 0) self.acknowledged(lane, number, 0)
  }),
  fault('PUBRELs leave in the wrong order', Exchanges, 'firstDue', (self, right) => {
    const { packetIds, count } = self.due
    if (count < self.sentCount + 2) return right()
    packetIds.subarray(self.sentCount, count).reverse()
    return packetIds[self.sentCount]
  }),
  fault('PUBRELs come again in the order of their numbers', Exchanges, 'reset', (self, right) => {
    right()
    self.due.clear()
  }),
  fault('a half-open connection is never given up', Timing, 'keep', () => Infinity),
  fault(
    'publish returns before the record is written',
    FlashWriter,
    'append',
    (self, right, given) => {
      const number = self.nextNumber
      if (number % 40 !== 7) return right(...given)
      self.nextNumber = number + 1
      return number
    },
  ),
  fault('the payload begins a byte late', MessageRecord, 'parse', (self, right, given) => {
    const status = right(...given)
    self.payloadAt++
    self.payloadLength--
    return status
  }),
  fault('a message is dropped without a word', Drops, 'onDropped', () => {}),
  fault('drop counters are not saved', Marks, 'count', () => {}),
  fault('a refused message is sent again', Inbound, 'refused', (_self, _, [lane, number]) => {
    lane.ended(number, lane.queue.window.state(number))
    lane.queue.window.setState(number, QUEUED)
  }),
  fault('PUBREC is sent twice', Inbound, 'answer', (_, right, given) => {
    right(...given)
    if (given[0] === 5 && given[1] % 3 === 0) right(...given)
  }),
  ...LANE_FAULTS,
  ...STREAM_FAULTS,
]
