/**
 * The session store: the newest STATE of region 0, a CBOR map (docs/FLASH-FORMAT.md, section 5)
 * read by cbor-x.
 */
import { Decoder } from 'cbor-x'
import type { Image, Sector } from './image.js'
import { CONTEXT, STATE, isBefore, readContext, uint16, uint32 } from './sector.js'

export const REASONS = ['full', 'expired', 'sessionLost', 'refused', 'damaged', 'replaced']

export interface BrokerSession {
  readonly broker: string
  readonly mayExist: boolean
  /** Inbound QoS 2 identifiers that wait for PUBREL. */
  readonly inbound: number[]
  /** Outgoing QoS 2 identifiers that are owed a PUBREL. */
  readonly owed: number[]
}

export interface StoredMark {
  /** Where the log ended when it was taken. */
  readonly sequence: number
  readonly offset: number
  readonly mark: Uint8Array
}

export interface Session {
  readonly clientId: string
  readonly owner: number
  readonly home: number
  readonly brokers: BrokerSession[]
  readonly dropped: Record<string, number>[]
  readonly marks: (StoredMark | null)[]
  /** Names of the lanes and their sectors; empty for one lane without a name. */
  readonly layout: { name: string; sectorCount: number }[]
  readonly sector: number
  readonly offset: number
}

export type SessionFound =
  | { readonly kind: 'read'; readonly session: Session }
  | { readonly kind: 'encrypted' | 'none' }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** Finds and reads the newest state. */
export function readSession(image: Image): SessionFound {
  const newestFirst = image.sectors
    .slice(0, 2)
    .filter((sector) => sector.scan !== null)
    .sort((a, b) => (isBefore(a.header.sequence, b.header.sequence) ? 1 : -1))
  for (const sector of newestFirst) {
    const state = sector.scan!.records.filter(({ type }) => type === STATE).at(-1)
    if (state === undefined) continue
    if (isHookedAt(sector, state.offset)) return { kind: 'encrypted' }
    try {
      return { kind: 'read', session: readState(state.body, sector.index, state.offset) }
    } catch (error) {
      return { kind: 'unreadable', reason: (error as Error).message }
    }
  }
  return { kind: 'none' }
}

/** True when bodies at a place of a sector went through hooks. */
export function isHookedAt(sector: Sector, offset: number): boolean {
  return sector.scan!.records.some(
    ({ type, body, offset: at }) => type === CONTEXT && at < offset && readContext(body).isHooked,
  )
}

function readState(body: Uint8Array, sector: number, offset: number): Session {
  const map: unknown = new Decoder({ mapsAsObjects: false }).decode(body)
  if (!(map instanceof Map)) throw new Error('the state is no CBOR map')
  const get = <T>(key: number, isRight: (value: unknown) => boolean, what: string): T => {
    const value: unknown = map.get(key)
    if (!isRight(value)) throw new Error(`key ${key} of the state is no ${what}`)
    return value as T
  }
  const isText = (value: unknown) => typeof value === 'string'
  const isNumber = (value: unknown) => typeof value === 'number'
  const clientId = get<string>(1, isText, 'text')
  const urls = get<string>(2, isText, 'text').split(' ')
  const items = get<unknown[]>(4, Array.isArray, 'array')
  const counters = get<number[]>(6, Array.isArray, 'array')
  const layout = get<string>(7, isText, 'text')
  const marks = get<Uint8Array[]>(8, Array.isArray, 'array')
  return {
    clientId,
    owner: get<number>(3, isNumber, 'number'),
    home: get<number>(5, isNumber, 'number'),
    brokers: urls.map((broker, index) => ({
      broker,
      mayExist: items[index * 3] === 1,
      inbound: packetIds(items[index * 3 + 1]),
      owed: packetIds(items[index * 3 + 2]),
    })),
    dropped: marks.map((_, lane) =>
      Object.fromEntries(
        REASONS.map((reason, index) => [reason, counters[lane * REASONS.length + index] ?? 0]),
      ),
    ),
    marks: marks.map(readMark),
    layout: layout === '' ? [] : layout.split(' ').map(readLane),
    sector,
    offset,
  }
}

function readLane(text: string): { name: string; sectorCount: number } {
  const at = text.lastIndexOf(':')
  const sectorCount = Number(text.slice(at + 1))
  if (at < 1 || !(sectorCount > 0)) throw new Error(`"${text}" is no name and sector count`)
  return { name: text.slice(0, at), sectorCount }
}

function packetIds(item: unknown): number[] {
  if (item === undefined) return []
  if (!(item instanceof Uint8Array)) throw new Error('a set of identifiers is no byte string')
  return Array.from({ length: item.length >> 1 }, (_, index) => uint16(item, index * 2))
}

function readMark(bytes: Uint8Array): StoredMark | null {
  if (!(bytes instanceof Uint8Array)) throw new Error('a mark is no byte string')
  if (bytes.length < 12) return null
  return { sequence: uint32(bytes, 0), offset: uint32(bytes, 4), mark: bytes.slice(8) }
}
