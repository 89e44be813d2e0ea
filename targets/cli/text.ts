/** Lines for people, made of what `view.ts` shows. */
import type { LaneView, MessageView, SectorView, View } from './view.js'

const number = (value: number) => value.toLocaleString('en-US')
const hex32 = (value: number) => '0x' + value.toString(16).padStart(8, '0')
const plural = (count: number, noun: string) => `${number(count)} ${noun}${count === 1 ? '' : 's'}`
const PREVIEW = 60

export function textOf(path: string, view: View): string {
  const lines = [
    `${path}: ${number(view.capacity)} bytes, ${view.capacity / view.eraseSize} sectors of ` +
      `${number(view.eraseSize)} bytes, write unit ${view.writeSizes.join(' or ')}`,
    `store ${hex32(view.storeId)}`,
  ]
  if (view.eraseSizeIs === 'assumed') {
    lines.push('the erase size is assumed: other sizes explain the image too (--erase-size)')
  }
  if (view.isEncrypted) {
    lines.push(
      'encrypted: bodies cannot be read without the key. Shown are sectors, records, lengths and',
      '  numbers; which messages are complete is known as far as sector headers say it.',
    )
  }
  lines.push('', ...sessionLines(view))
  for (const lane of view.lanes) {
    lines.push('', ...laneLines(lane))
    for (const message of lane.messages ?? []) lines.push(messageLine(message))
  }
  if (view.sectors) lines.push('', ...view.sectors.flatMap(sectorLines))
  if (view.problems.length > 0) lines.push('')
  for (const problem of view.problems) lines.push('problem: ' + problem)
  return lines.join('\n')
}

function sessionLines({ session }: View): string[] {
  const wear = `erased ${session.wear.toFixed(1)} times`
  if (session.state === null) {
    return [`session store: sectors 0 and 1, ${wear}; ${session.kind}`]
  }
  const { clientId, owner, sector, offset, brokers, dropped, marks, home } = session.state
  const lines = [
    `session store: sectors 0 and 1, ${wear}; state at sector ${sector}, offset ${offset}`,
    `  client "${clientId}", owner ${hex32(owner)}`,
  ]
  brokers.forEach((one, index) => {
    const list = (ids: number[]) => ids.join(' ') || 'none'
    const ids = `inbound QoS 2: ${list(one.inbound)}, owed PUBREL: ${list(one.owed)}`
    const state = one.mayExist ? 'a session may exist' : 'no session'
    lines.push(`  broker ${one.broker}${index === home ? ' (home)' : ''}: ${state}; ${ids}`)
  })
  dropped.forEach((counts, lane) => {
    const some = Object.entries(counts).filter(([, count]) => count > 0)
    const text = some.map(([reason, count]) => `${count} ${reason}`).join(', ')
    if (some.length > 0) lines.push(`  lane ${lane + 1} dropped: ${text}`)
    const mark = marks[lane]
    if (!mark) return
    const place = `sequence ${mark.sequence}, offset ${mark.offset}`
    lines.push(`  lane ${lane + 1} mark, taken when the log ended at ${place}: ${mark.mark}`)
  })
  return lines
}

function laneLines(lane: LaneView): string[] {
  const name = lane.name === '' ? '' : ` "${lane.name}"`
  const last = lane.firstSector + lane.sectorCount - 1
  const end = lane.writeSector < 0 ? 'nothing written' : `ends in sector ${lane.writeSector}`
  const lines = [
    `lane ${lane.index + 1}${name}: sectors ${lane.firstSector} to ${last}, ` +
      `${number(lane.usedSectors)} in use, ${end}; erased ${lane.wear.toFixed(1)} times each`,
    `  ${plural(lane.records, 'record')}, ${lane.damaged} damaged, ${lane.torn} torn`,
  ]
  const known = lane.isEncrypted ? ' or complete' : ''
  lines.push(
    `  numbers ${lane.base} to before ${lane.nextNumber}: ${plural(lane.queued, 'message')} to ` +
      `deliver${known}, ${lane.released} waiting for PUBCOMP, ${lane.lost} lost`,
  )
  return lines
}

function messageLine(message: MessageView): string {
  const { state, packetId } = message
  const head = `  ${message.number} at sector ${message.sector}, offset ${message.offset}`
  if ('unreadable' in message) return `${head}: ${message.unreadable}`
  const { packet } = message
  if (!('topic' in packet)) return `${head}: PUBREL ${packetId}`
  const payload = Buffer.from(packet.payload!, 'base64')
  const retain = packet.retain ? ' retain' : ''
  const flags = `QoS ${packet.qos}${retain}${state === 'sent' ? ' sent' : ''}`
  const id = packetId > 0 ? ` id ${packetId}` : ''
  const properties =
    packet.properties && Object.keys(packet.properties).length > 0
      ? ' ' + JSON.stringify(packet.properties)
      : ''
  return (
    `${head}: PUBLISH ${JSON.stringify(packet.topic)} ${flags}${id}${properties} ` +
    `${plural(payload.length, 'byte')} ${preview(payload)}`
  )
}

/** The beginning of a payload: as text where it is text, else in hexadecimal. */
function preview(payload: Buffer): string {
  const text = payload.toString()
  const isText = Buffer.from(text).equals(payload) && !/[\u0000-\u001f\u007f]/.test(text)
  const shown = isText ? JSON.stringify(text.slice(0, PREVIEW)) : payload.toString('hex', 0, 24)
  return shown + ((isText ? text.length > PREVIEW : payload.length > 24) ? '…' : '')
}

function sectorLines(sector: SectorView): string[] {
  if (!('sequence' in sector)) {
    const what = sector.kind === 'valid' ? 'of another store' : sector.kind
    return [`sector ${sector.index}: ${what}`]
  }
  const { region, sequence, firstNumber, base, used, damages } = sector
  const kind = region === 0 ? 'session' : `lane ${region}`
  const marks = [
    sector.markFollows ? ', a MARK follows' : '',
    sector.isRepaired ? ', header repaired' : '',
  ]
  const lines = [
    `sector ${sector.index}: ${kind}, sequence ${sequence}, first number ${firstNumber}, ` +
      `base ${base}, ${number(used!)} bytes used${marks.join('')}`,
  ]
  const rows = sector.records.map(({ offset, type, length, ...rest }) => ({
    offset,
    text: `${type.padEnd(8)} ${length} bytes${details(rest)}`,
  }))
  for (const { offset, isTorn } of damages!)
    rows.push({ offset, text: isTorn ? 'torn' : 'damaged' })
  rows.sort((a, b) => a.offset - b.offset)
  for (const { offset, text } of rows) lines.push(`  ${String(offset).padStart(5)} ${text}`)
  return lines
}

function details(rest: object): string {
  const parts = Object.entries(rest).map(([key, value]) => `${key} ${JSON.stringify(value)}`)
  return parts.length === 0 ? '' : ', ' + parts.join(', ')
}
