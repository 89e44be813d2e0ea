import type { RecordPosition, StorageHooks } from '../../hal/storage.js'
import { readUint32, writeUint32 } from '../codec/bytes.js'
import { CBOR_BYTES, CBOR_UNSIGNED, type CborCursor, writeCborHead } from '../codec/cbor.js'
import { ERR_HOOK, OK, type Status } from '../status.js'
import { CONTEXT_CLEAR, KEY_ENDS, SALT_WORDS, SEAL_BYTES } from './context-layout.js'
import { type ExchangeWindow, WINDOW_BYTES, isBefore } from './exchange-window.js'
import { CONTEXT, MESSAGE, RECORD_HEADER, recordLength } from './flash-record.js'
import { checkRange } from './geometry.js'
import type {
  ContextFace,
  LogEnd,
  LogFace,
  RegionFace,
  RingFace,
  SealedHooks,
  Sealing,
  StatesFace,
} from './sealing.js'
import { type LaneState, STORED_LANES, type SessionState } from './session-state.js'

/**
 * Seal: what a region of the flash does with hooks, and what tells of changes that are not ours.
 * With hooks the first record of a sector is a CONTEXT, its seal: without one that the hooks accept
 * a sector is not believed. `context-layout.ts` has the bytes. It knows nothing of ciphers.
 */

/** Bytes of a log's end: number of its next message, base. */
const END_BYTES = 8

export class Seal implements Sealing {
  readonly hooks: SealedHooks
  readonly growth: number
  readonly contextBytes: number
  readonly salt: Uint32Array
  private readonly region: RegionFace
  private readonly position: RecordPosition
  /** Where the newest STATE stands; a CONTEXT notes it. null: there is none. */
  private states: StatesFace | null
  /** What the CONTEXT opened last says of that, and where its MARK stands in the buffer. */
  private stateSequence: number
  private stateAt: number
  private markAt: number
  private markLength: number

  constructor(hooks: SealedHooks, region: RegionFace) {
    checkRange('hooks.growth', hooks.growth, 0, 64)
    checkRange('hooks.keyId', hooks.keyId, 1, 255)
    this.hooks = hooks
    this.growth = hooks.growth
    this.contextBytes = region.region === 0 ? CONTEXT_CLEAR : SEAL_BYTES + WINDOW_BYTES
    this.salt = new Uint32Array(SALT_WORDS)
    this.region = region
    this.position = noPosition(region.region)
    this.states = null
    this.stateSequence = 0
    this.stateAt = 0
    this.markAt = 0
    this.markLength = 0
  }

  begin(bootSalt: number): void {
    this.salt[0] = bootSalt
    this.salt[1] = this.region.system.random()
    this.salt[2] = this.hooks.keyId
  }

  lacksKey(keyId: number): boolean {
    return keyId !== 0 && !this.hooks.knowsKey(keyId)
  }

  prepare(type: number, sequence: number, offset: number, number: number): number {
    return this.place(type, sequence, offset, number, this.salt, 0)
  }

  /** The last thing it does is the call, so it takes no room on the stack meanwhile. */
  close(buffer: Uint8Array, at: number, length: number): number {
    return this.hooks.before_write(buffer, at, length, this.position)
  }

  open(
    buffer: Uint8Array,
    at: number,
    type: number,
    stored: number,
    sequence: number,
    offset: number,
    number: number,
    salts: Uint32Array,
    saltAt: number,
  ): number {
    const clear = this.place(type, sequence, offset, number, salts, saltAt)
    const bodyAt = at + RECORD_HEADER + clear
    const length = this.hooks.after_read(buffer, bodyAt, stored - clear, this.position)
    if (length >= 0) return length + clear
    this.region.refused++
    return ERR_HOOK
  }

  /** Fills the position and returns the bytes of the body that stay in the clear. */
  private place(
    type: number,
    sequence: number,
    offset: number,
    number: number,
    salts: Uint32Array,
    saltAt: number,
  ): number {
    const position = this.position
    position.storeId = this.region.storeId
    position.saltHigh = salts[saltAt]!
    position.saltLow = salts[saltAt + 1]!
    position.keyId = salts[saltAt + 2]!
    position.sectorSequence = sequence
    position.offset = offset
    position.type = type
    position.number = type === MESSAGE || type === CONTEXT ? number : 0
    return type === CONTEXT ? CONTEXT_CLEAR : 0
  }

  encodeContext(
    target: Uint8Array,
    at: number,
    timeBase: number,
    next: number,
    window: ExchangeWindow | null,
  ): number {
    // Records behind another CONTEXT have another salt: none of them survives the loss of theirs.
    const salt = this.salt
    salt[1] = salt[1]! + 1
    writeUint32(target, at, salt[0]!)
    writeUint32(target, at + 4, salt[1]!)
    target[at + 8] = salt[2]!
    writeUint32(target, at + 9, next)
    if (window === null) return CONTEXT_CLEAR
    const states = this.states
    writeUint32(target, at + 13, timeBase)
    writeUint32(target, at + 17, states === null ? 0 : states.stateSequence)
    target[at + 21] = states === null ? 0 : states.stateAt >> 8
    target[at + 22] = states === null ? 0 : states.stateAt
    return SEAL_BYTES + window.encode(target, at + SEAL_BYTES, next)
  }

  readSalt(salt: Uint32Array, buffer: Uint8Array, at: number, stored: number): boolean {
    const body = at + RECORD_HEADER
    if (stored < CONTEXT_CLEAR) return false
    salt[0] = readUint32(buffer, body)
    salt[1] = readUint32(buffer, body + 4)
    salt[2] = buffer[body + 8]!
    return true
  }

  take(
    context: ContextFace,
    buffer: Uint8Array,
    at: number,
    sequence: number,
    offset: number,
    stored: number,
  ): Status {
    const body = at + RECORD_HEADER
    const salt = context.salt
    // When it is refused, its salt counts all the same: what stands behind is authentic or is not.
    if (!this.readSalt(salt, buffer, at, stored)) return ERR_HOOK
    // The number is in the clear for whoever scans, and authentic as a part of the position.
    const next = readUint32(buffer, body + 9)
    const length = this.open(buffer, at, CONTEXT, stored, sequence, offset, next, salt, 0)
    if (length < SEAL_BYTES) return length < 0 ? length : OK
    context.next = next
    context.timeBase = readUint32(buffer, body + 13)
    this.stateSequence = readUint32(buffer, body + 17)
    this.stateAt = (buffer[body + 21]! << 8) | buffer[body + 22]!
    this.markAt = body + SEAL_BYTES
    this.markLength = length - SEAL_BYTES
    return OK
  }

  decodeMarks(window: ExchangeWindow, buffer: Uint8Array): boolean {
    return window.decode(buffer, this.markAt, this.markLength)
  }

  knowsKeys(ring: RingFace, scratch: Uint8Array): boolean {
    const region = this.region
    region.forgetTopic()
    let sequence = ring.baseSequence
    for (; !isBefore(ring.sequence, sequence); sequence = (sequence + 1) >>> 0) {
      const address = region.address(ring.placeOf(sequence)) + region.headerSize
      if (region.read(address, scratch, 0, region.contextSize) < 0) continue
      const stored = recordLength(scratch, 0)
      if (stored < CONTEXT_CLEAR || RECORD_HEADER + stored > region.contextSize) continue
      if (!region.isRecord(scratch, CONTEXT, sequence, region.headerSize, 0)) continue
      if (this.lacksKey(scratch[RECORD_HEADER + 8]!)) return false
    }
    return true
  }

  join(log: LogFace, state: LaneState, states: StatesFace, isSealed: boolean): void {
    const region = this.region
    this.states = states
    // The session state knows how far the log had come: one that ends before has lost its end.
    if (state.endNumber !== 0) {
      if (isBefore(log.nextNumber, state.endNumber)) {
        region.refused++
        log.skipTo(state.endNumber)
      }
      if (isBefore(log.window.base, state.endBase)) {
        region.refused++
        log.window.moveBase(state.endBase)
        log.release(state.endBase)
        log.rewind(state.endBase)
      }
    }
    // What follows must be newer than both.
    if (isSealed && this.hasNewerState(states)) {
      region.refused++
      states.close()
      if (isBefore(states.sequence, this.stateSequence)) states.sequence = this.stateSequence
    }
  }

  /** The log has seen a newer state than there is. */
  private hasNewerState(states: StatesFace): boolean {
    if (this.stateSequence === states.stateSequence) return this.stateAt > states.stateAt
    return !isBefore(this.stateSequence, states.stateSequence)
  }

  writeEnds(target: Uint8Array, targetAt: number, logs: LogEnd[]): number {
    let at = writeCborHead(target, targetAt, CBOR_UNSIGNED, KEY_ENDS)
    at = writeCborHead(target, at, CBOR_BYTES, logs.length * END_BYTES)
    for (let lane = 0; lane < logs.length; lane++) {
      writeUint32(target, at, logs[lane]!.nextNumber)
      writeUint32(target, at + 4, logs[lane]!.markedBase)
      at += END_BYTES
    }
    return at
  }

  readEnds(cursor: CborCursor, source: Uint8Array, state: SessionState): boolean {
    if (!cursor.next() || cursor.major !== CBOR_BYTES) return false
    const end = cursor.at + cursor.value
    state.setCounts(Math.min(STORED_LANES, Math.floor(cursor.value / END_BYTES)), 0)
    for (let lane = 0; cursor.at + END_BYTES <= end; lane++) {
      const found = state.lanes[lane]
      if (found !== undefined) {
        found.endNumber = readUint32(source, cursor.at)
        found.endBase = readUint32(source, cursor.at + 4)
      }
      cursor.at += END_BYTES
    }
    return cursor.at === end
  }
}

function noPosition(region: number): RecordPosition {
  return {
    storeId: 0,
    saltHigh: 0,
    saltLow: 0,
    region,
    sectorSequence: 0,
    offset: 0,
    type: 0,
    number: 0,
    keyId: 0,
  }
}

/**
 * Makes hooks of your own fit for the option `hooks`: the same object, which now brings along what
 * the store needs for them. Those of holdfast/encryption and holdfast/encrypt-then-mac are.
 */
export function sealed(hooks: StorageHooks): SealedHooks {
  const made = hooks as SealedHooks
  made.makeSeal = makeSeal
  return made
}

function makeSeal(this: SealedHooks, region: RegionFace): Sealing {
  return new Seal(this, region)
}
