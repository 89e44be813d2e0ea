/**
 * Planted faults of the small client: mistakes it could make, switched on one at a time, to prove
 * that the simulated world sees them there too.
 */
import { Exchanges } from '../../src/small/exchanges.js'
import { FlashOutbox } from '../../src/small/flash-outbox.js'
import { Mount } from '../../src/small/mount.js'
import { Sectors } from '../../src/small/sectors.js'
import { SmallInbound } from '../../src/small/small-inbound.js'
import { SmallSession } from '../../src/small/small-session.js'
import { SmallSubscriptions } from '../../src/small/small-subscriptions.js'
import { Wire } from '../../src/small/wire.js'
import { ExchangeWindow } from '../../src/store/exchange-window.js'
import { fault, faultyGetter, type Fault } from './fault.js'

const QUEUED = 0
const COMPLETE = 1
const RELEASED = 2
const MESSAGE = 1

export const SMALL_FAULTS: Fault[] = [
  fault('DUP is left out after a reconnect', Exchanges, 'reset', (self, right, [now]) => {
    right(now)
    self.sentEnd = self.cursor
  }),
  faultyGetter(
    'DUP is left out after a reboot',
    FlashOutbox,
    'sentEnd',
    (self) => self.window.base,
  ),
  faultyGetter(
    'DUP is set at the first sending',
    FlashOutbox,
    'sentEnd',
    (self) => (self.nextNumber + 1000) >>> 0,
  ),
  fault('PUBREL leaves before its mark is written', Exchanges, 'release', (self, _, given) => {
    self.sent[given[0] & 63] = 3
    self.wire.put(0x62, given[1])
    return 0
  }),
  fault('PUBREC ends an exchange', Exchanges, 'onPubrec', (self, _, [packetId, now]) => {
    const number = self.numberOf(packetId)
    return number === 0 ? 0 : self.complete(number, now)
  }),
  fault('acknowledgements are never marked on flash', Exchanges, 'tend', () => Infinity),
  fault('an answer ends the next exchange', Exchanges, 'numberOf', (self, right, given) => {
    const number = right(...given)
    return number !== 0 && self.sent[(number + 1) & 63] > 0 ? number + 1 : number
  }),
  fault('the limit on what is in flight is ignored', Exchanges, 'send', (self, right, [now]) => {
    const { inFlight } = self
    if (self.settings.inFlightLimit >= 64) return right(now)
    self.inFlight = 0
    const result = right(now)
    self.inFlight += inFlight
    return result
  }),
  fault('an exchange that ended still counts', Exchanges, 'complete', (self, right, given) => {
    const status = right(...given)
    self.inFlight++
    return status
  }),
  fault('what was released is sent as new', Exchanges, 'send', (self, right, [now]) => {
    const { window } = self.outbox
    if (window.state(self.cursor) === RELEASED) window.setState(self.cursor, QUEUED)
    return right(now)
  }),
  fault('an inbound QoS 2 identifier is not saved', SmallInbound, 'onPublish', (self, right) => {
    const { save } = self.outbox
    self.outbox.save = () => 0
    const status = right()
    self.outbox.save = save
    return status
  }),
  fault('an inbound identifier is never released', SmallInbound, 'onPubrel', (self, _, [id]) => {
    self.wire.put(0x70, id)
    return 0
  }),
  fault('a repeat of QoS 2 is handed over again', SmallInbound, 'onPublish', (self, right) => {
    self.outbox.inbound.splice(0, 64)
    return right()
  }),
  fault('PUBLISH is not answered now and then', SmallInbound, 'onPublish', (self, right) => {
    const { outEnd } = self.wire
    const status = right()
    if (self.wire.rx[self.wire.bodyEnd - 1] % 16 === 3) self.wire.outEnd = outEnd
    return status
  }),
  fault('a message larger than the buffer has no answer', SmallInbound, 'onSkipped', () => {}),
  fault(
    'a message larger than the buffer is not told of',
    SmallInbound,
    'deliver',
    (self, right) => (self.wire.isCut ? undefined : right()),
  ),
  fault(
    'a message larger than the buffer is handed over',
    SmallInbound,
    'deliver',
    (self, right) => {
      self.wire.isCut = false
      right()
    },
  ),
  fault('a lost session goes unnoticed', SmallSession, 'begin', () => {}),
  fault('a half-open connection is never given up', SmallSession, 'keepAlive', () => Infinity),
  fault('a stop does not wait for DISCONNECT', SmallSession, 'leave', (self, right) => {
    right()
    if (self.phase === 5) self.wire.put(0xc0, 0)
  }),
  fault('filters are not asked for again', SmallSubscriptions, 'connected', (_, right) =>
    right(true),
  ),
  fault('bytes the transport did not take are lost', Wire, 'drain', (self, right) => {
    const status = right()
    self.outEnd = 0
    return status
  }),
  fault('a packet in two reads is cut', Wire, 'next', (self, right) => {
    const found = right()
    if (found === 0) self.rxEnd = self.rxAt
    return found
  }),
  fault('a full queue erases its oldest sector', FlashOutbox, 'oldestAddress', (self) => {
    return self.log.address
  }),
  fault(
    'publish returns before the record is written',
    FlashOutbox,
    'add',
    (self, right, given) => {
      const number = self.nextNumber
      if (number % 40 !== 7 || self.count === 0) return right(...given)
      self.nextNumber = number + 1
      return number
    },
  ),
  fault('behind a released message nothing is found', FlashOutbox, 'load', (self, right, given) => {
    if (self.window.state(self.walkNumber) === RELEASED && given[0] !== self.walkNumber) return 0
    return right(...given)
  }),
  fault('what is not marked is erased', FlashOutbox, 'marked', (self) => {
    self.isDirty = false
    return 0
  }),
  fault('a record without its check is believed', Sectors, 'read', (self, right, given) => {
    const type = right(...given)
    if (type !== 0 || self.status !== 0 || self.bodyLength <= 0) return type
    self.number = given[2]
    return MESSAGE
  }),
  fault('records are written behind a torn one', Mount, 'scan', (_, right, [sector, number]) => {
    const next = right(sector, number)
    if (sector.end === 4096 || sector.end === 1024 || sector.end === 512) sector.end -= 64
    return next
  }),
  fault('released marks are not read back', ExchangeWindow, 'decode', (self, right, given) => {
    const isWhole = right(...given)
    self.states.forEach((state: number, at: number) => {
      if (state === RELEASED) self.states[at] = QUEUED
    })
    return isWhole
  }),
  fault('the mark in the session state is not read', Mount, 'takeMark', (self) => {
    const { window } = self.box
    if (window.state(window.base) === COMPLETE) window.slide(self.box.nextNumber)
  }),
]
