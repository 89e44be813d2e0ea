/**
 * One lane of a store: its sectors in the order they were written, how far its messages have come,
 * and the messages that are left, as docs/FLASH-FORMAT.md says in sections 3, 4 and 6. Knows
 * nothing of packets.
 */
import { type Body, readBody } from './message.js'
import type { Image, Sector } from './image.js'
import {
  CONTEXT,
  FRAGMENT,
  MARK,
  MESSAGE,
  type StoredRecord,
  TOPIC,
  isBefore,
  numberAfter,
  readContext,
  uint32,
} from './sector.js'
import { type StoredMark, isHookedAt } from './session.js'
import { type MessageState, Window } from './window.js'

export interface Message {
  readonly number: number
  readonly sector: number
  readonly offset: number
  readonly state: MessageState
  /** null: behind hooks. */
  readonly content: Content | null
}

export interface Content {
  /** null: its TOPIC record is damaged. */
  readonly topic: Uint8Array | null
  readonly qos: number
  readonly retain: boolean
  /** Seconds, as the log counts them, at which it was queued; -1: not noted. */
  readonly seconds: number
  readonly properties: Uint8Array
  /** null: parts of it are missing. */
  readonly payload: Uint8Array | null
  readonly payloadLength: number
}

export interface Lane {
  readonly index: number
  readonly name: string
  readonly firstSector: number
  readonly sectorCount: number
  /** With a header of this store, oldest first. */
  readonly sectors: Sector[]
  readonly isEncrypted: boolean
  readonly base: number
  readonly nextNumber: number
  /** Erases of each sector so far, on average. */
  readonly wear: number
  /** Intact messages that are not complete, oldest first. */
  readonly messages: Message[]
  /** Numbers that are not complete and of which nothing intact is left. */
  readonly lost: number
}

/** Where a lane lies, and what the session store says of it. */
export interface LanePlace {
  readonly index: number
  readonly name: string
  readonly firstSector: number
  readonly sectorCount: number
  readonly mark: StoredMark | null
}

export function readLane(image: Image, place: LanePlace): Lane {
  const { index, name, firstSector, sectorCount } = place
  const own = image.sectors
    .slice(firstSector, firstSector + sectorCount)
    .filter(({ scan, header }) => scan !== null && header.region === index + 1)
  const newest = own.reduce<Sector | undefined>(
    (a, b) => (a === undefined || isBefore(a.header.sequence, b.header.sequence) ? b : a),
    undefined,
  )
  const summary = { index, name, firstSector, sectorCount }
  if (newest === undefined) {
    const empty = { sectors: [], isEncrypted: false, base: 1, nextNumber: 1, wear: 0 }
    return { ...summary, ...empty, messages: [], lost: 0 }
  }
  const sequence = newest.header.sequence
  const inRing = (sector: Sector) => (sequence - sector.header.sequence) >>> 0 < sectorCount
  const sectors = own
    .filter(inRing)
    .sort((a, b) => (isBefore(a.header.sequence, b.header.sequence) ? -1 : 1))
  const window = findWindow(sectors, place.mark)
  let nextNumber = newest.scan!.endNumber
  if (isBefore(nextNumber, window.base)) nextNumber = window.base
  const from = startOf(sectors, window.base)
  const messages = readMessages(sectors.slice(from), window)
  // An empty body: complete before it was written.
  const empty = new Set(
    sectors.flatMap(({ scan }) =>
      scan!.records
        .filter(({ type, body }) => type === MESSAGE && body.length === 0)
        .map(({ number }) => number),
    ),
  )
  let open = 0
  for (let number = window.base; number !== nextNumber; number = numberAfter(number)) {
    if (window.state(number) !== 'complete' && !empty.has(number)) open++
  }
  const isEncrypted = sectors.some((sector) => isHookedAt(sector, Infinity))
  return {
    ...summary,
    sectors,
    isEncrypted,
    base: window.base,
    nextNumber,
    wear: sequence / sectorCount,
    messages,
    lost: open - messages.length,
  }
}

/** The newest sector that can hold `base`, or else the oldest one. */
function startOf(sectors: Sector[], base: number): number {
  for (let index = sectors.length - 1; index > 0; index--) {
    if (!isBefore(base, sectors[index]!.header.firstNumber)) return index
  }
  return 0
}

function findWindow(sectors: Sector[], stored: StoredMark | null): Window {
  const newest = sectors.at(-1)!
  const window = new Window(newest.header.base)
  let sequence = newest.header.sequence
  let offset = 0
  // Where a header announces a MARK that is not there, the one before it is in force.
  for (let round = 0; round < sectors.length; round++) {
    const sector = sectors.find(({ header }) => header.sequence === sequence)
    const mark = sector && lastOf(sector, MARK)
    offset = mark?.offset ?? 0
    // Behind hooks the mark cannot be read: then the header's base is all there is.
    if (mark && !isHookedAt(sector, mark.offset) && window.read(mark.body)) break
    offset = 0
    if (sector && !sector.header.markFollows) break
    sequence = (sequence - 1) >>> 0
  }
  window.raise(newest.header.base)
  for (const { type, body } of newest.scan!.records) {
    if (type !== CONTEXT) continue
    const { isHooked, nextNumber } = readContext(body)
    if (!isHooked && nextNumber !== 0) window.raise(nextNumber)
  }
  if (stored === null) return window
  const isLater =
    stored.sequence === sequence ? offset < stored.offset : isBefore(sequence, stored.sequence)
  const base = window.base
  if (isLater && window.read(stored.mark)) window.raise(base)
  return window
}

function lastOf(sector: Sector, type: number): StoredRecord | undefined {
  return sector.scan!.records.filter((record) => record.type === type).at(-1)
}

/** Walks the sectors once; the payload of a message may go on for many records. */
function readMessages(sectors: Sector[], window: Window): Message[] {
  const messages: Message[] = []
  const parts = new Map<number, Uint8Array[]>()
  const whole = new Set<number>()
  const pending: (() => Message)[] = []
  sectors.forEach((sector, place) => {
    const limit = sectors[place + 1]?.header.firstNumber
    const topics = new Map<number, Uint8Array>()
    let isOpaque = false
    let timeBase = 0
    for (const { offset, type, body, number, isAfterDamage } of sector.scan!.records) {
      if (isAfterDamage) timeBase = 0
      if (type === CONTEXT) {
        const context = readContext(body)
        isOpaque = context.isHooked
        timeBase = context.timeBase
      }
      if (type === TOPIC && !isOpaque) topics.set(body[0]!, body.subarray(1))
      if (type === FRAGMENT && !isOpaque) takeFragment(body, parts, whole)
      if (type !== MESSAGE || window.state(number) === 'complete') continue
      if (limit !== undefined && !isBefore(number, limit)) continue
      const base = timeBase
      const read = isOpaque ? null : readBody(body)
      if (!isOpaque && read === null) continue
      const where = { number, sector: sector.index, offset, state: window.state(number) }
      pending.push(() => ({
        ...where,
        content: read && contentOf(read, topics, base, whole.has(number) && parts.get(number)),
      }))
    }
  })
  // Only now all fragments are known.
  for (const make of pending) messages.push(make())
  return messages
}

function takeFragment(
  body: Uint8Array,
  parts: Map<number, Uint8Array[]>,
  whole: Set<number>,
): void {
  if (body.length < 5) return
  const number = uint32(body, 0)
  if (whole.has(number)) return
  const list = parts.get(number) ?? []
  list.push(body.subarray(5))
  parts.set(number, list)
  if ((body[4]! & 1) !== 0) whole.add(number)
}

function contentOf(
  body: Body,
  topics: Map<number, Uint8Array>,
  timeBase: number,
  fragments: Uint8Array[] | undefined | false,
): Content {
  let payload: Uint8Array | null = body.payload
  if (body.fragmentsLength >= 0) {
    payload = fragments ? Buffer.concat(fragments) : null
    if (payload !== null && payload.length !== body.fragmentsLength) payload = null
  }
  return {
    topic: body.topic ?? topics.get(body.topicNumber) ?? null,
    qos: body.qos,
    retain: body.retain,
    seconds: body.timeDelta < 0 || timeBase === 0 ? -1 : timeBase + body.timeDelta,
    properties: body.properties,
    payload,
    payloadLength: body.fragmentsLength >= 0 ? body.fragmentsLength : body.payload.length,
  }
}
