/**
 * SessionState: what a client must remember of its session beside the messages.
 *
 * This class holds it in RAM and forgets it at power-off; `SessionStore` extends it with two
 * sectors of flash. Whoever changes a field calls `save()` before the broker can learn of it.
 */
import { OK, type Status } from '../status.js'
import { type ExchangeWindow, WINDOW_BYTES } from './exchange-window.js'
import type { OutgoingLog } from './outgoing-log.js'

/** Why a message left the queue without reaching the broker: indexes of `SessionState.dropped`. */
export const DROPPED_FULL = 0
export const DROPPED_EXPIRED = 1
export const DROPPED_SESSION_LOST = 2
export const DROPPED_REFUSED = 3
export const DROPPED_DAMAGED = 4
export const DROPPED_REPLACED = 5
export const DROPPED_REASONS = 6
/** Lanes a store can have; further ones are not read. */
export const STORED_LANES = 8

/** A small set of Packet Identifiers, in the order they were added. */
export class PacketIdSet {
  readonly packetIds: Uint16Array
  count: number

  constructor(limit: number) {
    this.packetIds = new Uint16Array(limit)
    this.count = 0
  }

  has(packetId: number): boolean {
    return this.indexOf(packetId) >= 0
  }

  /** Its place in the order, or -1. */
  indexOf(packetId: number): number {
    for (let index = 0; index < this.count; index++) {
      if (this.packetIds[index] === packetId) return index
    }
    return -1
  }

  /** False when the set is full. Adding what is there already changes nothing. */
  add(packetId: number): boolean {
    if (this.has(packetId)) return true
    if (this.count === this.packetIds.length) return false
    this.packetIds[this.count++] = packetId
    return true
  }

  /** False when it was not there. */
  remove(packetId: number): boolean {
    const index = this.indexOf(packetId)
    if (index < 0) return false
    this.count--
    for (let next = index; next < this.count; next++) {
      this.packetIds[next] = this.packetIds[next + 1]!
    }
    return true
  }

  clear(): void {
    this.count = 0
  }
}

/** Packet Identifiers a set may hold; a limit on what a broker can make us remember. */
export const PACKET_ID_SET_LIMIT = 64

/** What must survive of one lane beside its log. */
export class LaneState {
  /** Messages dropped, by DROPPED_ reason, since the store was formatted. */
  readonly dropped: Uint32Array
  /**
   * The window's stored form as it was when a counter changed or the log had no room for a MARK, so
   * that both become durable in one record; and where the log ended then: a MARK further on is
   * newer.
   */
  mark: Uint8Array | null
  /** Bytes of it; 0: none. */
  markLength: number
  markSector: number
  markOffset: number
  /** A counter has changed: the next `save` takes the mark along, which says what is gone. */
  isUnsaved: boolean
  /** Where the mark comes from; null before the lane is in use. */
  private window: ExchangeWindow | null
  private log: OutgoingLog | null
  /**
   * With hooks: how far the log had come when the state was stored, the number of its next message
   * and the base it had on flash. A log that says less has lost its end. 0: not known.
   */
  endNumber: number
  endBase: number

  constructor() {
    this.dropped = new Uint32Array(DROPPED_REASONS)
    this.mark = null // in RAM it is never needed
    this.markLength = 0
    this.markSector = 0
    this.markOffset = 0
    this.endNumber = 0
    this.endBase = 0
    this.isUnsaved = false
    this.window = null
    this.log = null
  }

  /** The lane in use has this window and this log. */
  attach(window: ExchangeWindow, log: OutgoingLog): void {
    this.window = window
    this.log = log
    this.isUnsaved = false
  }

  /** `mark`, made when it is first needed. */
  markBytes(): Uint8Array {
    const mark = this.mark ?? new Uint8Array(WINDOW_BYTES)
    this.mark = mark
    return mark
  }

  /** Takes over how far the records of the log have come. */
  takeMark(): void {
    const window = this.window
    const log = this.log
    if (window === null || log === null) return
    this.markLength = window.encode(this.markBytes(), 0, log.storedEnd)
    this.markSector = log.writeSector
    this.markOffset = log.writeOffset
  }

  clear(): void {
    this.dropped.fill(0)
    this.markLength = 0
    this.endNumber = 0
    this.endBase = 0
  }
}

/** What one broker and we know of each other. */
export class BrokerSession {
  /** Inbound QoS 2 messages handed over and not yet released by PUBREL. */
  readonly inbound: PacketIdSet
  /** Outgoing QoS 2 exchanges whose message was dropped and that are still owed a PUBREL. */
  readonly owed: PacketIdSet
  /** True from a CONNACK on, until the session was ended by us or lost by the broker. */
  mayExist: boolean

  constructor() {
    this.inbound = new PacketIdSet(PACKET_ID_SET_LIMIT)
    this.owed = new PacketIdSet(PACKET_ID_SET_LIMIT)
    this.mayExist = false
  }

  /** What the broker may have is not wanted any more: the next connection starts clean. */
  forget(): void {
    this.inbound.clear()
    this.owed.clear()
    this.mayExist = false
  }
}

export class SessionState {
  /** One for each broker, in the order of the options. */
  sessions: BrokerSession[]
  /** The place in the list of the broker to which went what is in flight. */
  home: number
  /** One for each lane, in the order of the options. */
  lanes: LaneState[]

  constructor() {
    this.sessions = [new BrokerSession()]
    this.home = 0
    this.lanes = [new LaneState()]
  }

  setCounts(lanes: number, brokers: number): void {
    while (this.lanes.length < lanes) this.lanes.push(new LaneState())
    while (this.sessions.length < brokers) this.sessions.push(new BrokerSession())
  }

  // The session at `home`

  get inbound(): PacketIdSet {
    return this.sessions[this.home]!.inbound
  }

  get owed(): PacketIdSet {
    return this.sessions[this.home]!.owed
  }

  get sessionMayExist(): boolean {
    return this.sessions[this.home]!.mayExist
  }

  set sessionMayExist(mayExist: boolean) {
    this.sessions[this.home]!.mayExist = mayExist
  }

  /** Makes all fields durable at once: OK, ERR_STORAGE, ERR_BUSY or ERR_HOOK. */
  save(): Status {
    for (let index = 0; index < this.lanes.length; index++) this.lanes[index]!.isUnsaved = false
    return OK
  }
}
