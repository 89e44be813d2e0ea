/**
 * What the inspector shows of a store, as plain values that JSON takes. `text.ts` makes lines of
 * the same values for people.
 */
import type { Image, Sector } from './image.js'
import type { Lane, Message } from './lane.js'
import { packetIdOf, publishOf } from './packet.js'
import type { Session, SessionFound } from './session.js'
import {
  CONTEXT,
  FRAGMENT,
  MARK,
  MESSAGE,
  STATE,
  type StoredRecord,
  TOPIC,
  TYPE_NAMES,
  readContext,
  uint32,
} from './sector.js'
import { isHookedAt } from './session.js'
import type { Store } from './store.js'

export interface Wanted {
  readonly records: boolean
  readonly messages: boolean
}

export type View = ReturnType<typeof viewOf>
export type LaneView = View['lanes'][number]
export type MessageView = ReturnType<typeof messageView>
export type SectorView = ReturnType<typeof sectorView>

export function viewOf(store: Store, wanted: Wanted) {
  const { image, session, lanes } = store
  return {
    capacity: image.capacity,
    eraseSize: image.eraseSize,
    eraseSizeIs: image.eraseSizeIs,
    writeSize: image.writeSize,
    writeSizes: image.writeSizes,
    storeId: image.storeId,
    isEncrypted: store.isEncrypted,
    session: sessionView(image, session),
    lanes: lanes.map((lane) => laneView(lane, wanted.messages)),
    problems: store.problems,
    ...(wanted.records ? { sectors: image.sectors.map(sectorView) } : {}),
  }
}

function sessionView(image: Image, found: SessionFound) {
  const sequences = image.sectors
    .slice(0, 2)
    .filter(({ scan }) => scan !== null)
    .map(({ header }) => header.sequence)
  return {
    kind: found.kind,
    wear: sequences.length === 0 ? 0 : Math.max(...sequences) / 2,
    state: found.kind === 'read' ? readable(found.session) : null,
  }
}

function readable(session: Session) {
  return {
    ...session,
    marks: session.marks.map((mark) => (mark ? { ...mark, mark: hex(mark.mark) } : null)),
  }
}

function laneView(lane: Lane, withMessages: boolean) {
  const { index, name, firstSector, sectorCount, base, nextNumber, wear, lost, messages } = lane
  const scans = lane.sectors.map(({ scan }) => scan!)
  const damages = scans.flatMap((scan) => scan.damages)
  const queued = messages.filter(({ state }) => state === 'open' || state === 'sent')
  return {
    index,
    name,
    firstSector,
    sectorCount,
    usedSectors: lane.sectors.length,
    writeSector: lane.sectors.at(-1)?.index ?? -1,
    usedBytes: scans.at(-1)?.used ?? 0,
    isEncrypted: lane.isEncrypted,
    base,
    nextNumber,
    wear,
    records: scans.reduce((sum, { records }) => sum + records.length, 0),
    torn: damages.filter(({ isTorn }) => isTorn).length,
    damaged: damages.filter(({ isTorn }) => !isTorn).length,
    messageCount: messages.length,
    queued: queued.length,
    released: messages.length - queued.length,
    lost,
    ...(withMessages ? { messages: messages.map((message) => messageView(lane, message)) } : {}),
  }
}

function messageView(lane: Lane, message: Message) {
  const { number, sector, offset, state, content } = message
  const where = { number, sector, offset, state, packetId: 0 }
  if (content === null) return { ...where, unreadable: 'encrypted' }
  if (content.qos > 0) where.packetId = packetIdOf(lane, message)
  const { topic, payload, payloadLength, seconds } = content
  const details = { seconds, payloadLength }
  if (topic === null) return { ...where, ...details, unreadable: 'its topic record is damaged' }
  if (payload === null)
    return { ...where, ...details, unreadable: 'parts of its payload are missing' }
  // PUBREC was received: only PUBREL is sent.
  if (state === 'released') {
    return { ...where, ...details, packet: { cmd: 'pubrel', messageId: where.packetId } }
  }
  const packet = publishOf(lane, message)
  if (packet instanceof Error || packet === null) {
    const unreadable = 'no valid PUBLISH: ' + (packet?.message ?? 'nothing')
    return { ...where, ...details, unreadable }
  }
  const { cmd, qos, retain, properties } = packet
  return {
    ...where,
    ...details,
    packet: {
      cmd,
      topic: packet.topic,
      qos,
      retain,
      messageId: packet.messageId,
      size: packet.length === undefined ? 0 : packet.length,
      properties,
      payload: Buffer.from(payload).toString('base64'),
    },
  }
}

function sectorView(sector: Sector) {
  const { index, header, scan, isBlank } = sector
  if (scan === null) return { index, kind: isBlank ? 'blank' : header.kind, records: [] }
  const { region, sequence, firstNumber, base, markFollows, isRepaired } = header
  const torn = scan.damages.map(({ offset, isTorn }) => ({ offset, isTorn }))
  return {
    index,
    kind: header.kind,
    region,
    sequence,
    firstNumber,
    base,
    markFollows,
    isRepaired,
    used: scan.used,
    damages: torn,
    records: scan.records.map((record) => recordView(sector, record)),
  }
}

function recordView(sector: Sector, record: StoredRecord) {
  const { offset, type, body, number } = record
  const shown = { offset, type: TYPE_NAMES[type]!, length: body.length }
  if (type === CONTEXT) {
    const { isHooked, keyId, timeBase, nextNumber } = readContext(body)
    const next = nextNumber !== 0 ? { nextNumber } : {}
    return { ...shown, ...(isHooked ? { key: keyId } : { timeBase }), ...next }
  }
  const isOpaque = isHookedAt(sector, offset)
  if (type === MESSAGE) return { ...shown, number }
  if (isOpaque || type === STATE) return shown
  if (type === TOPIC) {
    return { ...shown, topicNumber: body[0], topic: Buffer.from(body.subarray(1)).toString() }
  }
  if (type === FRAGMENT && body.length >= 5) {
    return { ...shown, of: uint32(body, 0), isLast: (body[4]! & 1) !== 0 }
  }
  if (type === MARK && body.length >= 4) {
    return { ...shown, base: uint32(body, 0), states: hex(body.subarray(4)) }
  }
  return shown
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
