/**
 * A flash image: where its sectors begin, in what unit it was written, and what each sector holds.
 * Refuses with a reason what no Holdfast store is in. Knows nothing of lanes or of messages.
 */
import { type Header, type Scan, isBlank, padded, readHeader, scanSector } from './sector.js'

const ERASE_SIZES = [4096, 65536, 32768, 16384, 8192, 2048, 1024, 512]
const WRITE_SIZES = [1, 2, 4, 8, 16, 32]
const LEAST_SECTORS = 8

export class NoImage extends Error {}

export interface Sector {
  readonly index: number
  readonly header: Header
  /** Its records; null for a sector without a header of this store. */
  readonly scan: Scan | null
  readonly isBlank: boolean
}

export interface Image {
  readonly capacity: number
  readonly eraseSize: number
  /** The smallest unit that explains the image, and larger ones that explain it as well. */
  readonly writeSize: number
  readonly writeSizes: number[]
  /** Assumed: several sizes explain the image as well. */
  readonly eraseSizeIs: 'given' | 'found' | 'assumed'
  readonly storeId: number
  readonly sectors: Sector[]
}

export interface Geometry {
  readonly eraseSize?: number | undefined
  readonly writeSize?: number | undefined
}

interface Found {
  readonly at: number
  readonly header: Header
}

/** Reads an image. Throws NoImage with a reason when it is none. */
export function readImage(file: Uint8Array, given: Geometry = {}): Image {
  // A copy, and no Buffer: the slices of a Buffer are not copies.
  const bytes = new Uint8Array(file)
  refuseImpossible(bytes, given)
  const found: Found[] = []
  let isKeyValue = false
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const header = readHeader(bytes.subarray(at, at + 512))
    if (header.kind === 'valid' && header.region <= 8) found.push({ at, header })
    if (header.kind === 'valid' && header.region === 9) isKeyValue = true
    if (header.kind === 'format') refuseFormat(header, at)
  }
  if (found.length === 0 && isKeyValue) {
    throw new NoImage('a key-value store (holdfast/persistence), not a store of messages')
  }
  if (found.length === 0) refuseForeign(bytes)
  const guess = given.eraseSize === undefined ? findEraseSize(bytes, found) : null
  const eraseSize = given.eraseSize ?? guess!.size
  if (guess !== null) refuseParts(found, eraseSize)
  if (bytes.length % eraseSize !== 0) {
    const rest = bytes.length % eraseSize
    throw new NoImage(
      `${bytes.length} bytes are no whole number of ${eraseSize}-byte sectors ` +
        `(${rest} are left over): the image is truncated, or give --erase-size`,
    )
  }
  if (bytes.length / eraseSize < LEAST_SECTORS) {
    throw new NoImage(
      `${bytes.length} bytes are ${bytes.length / eraseSize} sectors of ${eraseSize}; ` +
        `a store has ${LEAST_SECTORS} at least: the image is truncated, or give --erase-size`,
    )
  }
  const sectorAt = (index: number) => bytes.subarray(index * eraseSize, (index + 1) * eraseSize)
  const count = bytes.length / eraseSize
  const headers = Array.from({ length: count }, (_, index) => readHeader(sectorAt(index)))
  const storeId = findStoreId(headers)
  if (storeId === null) {
    throw new NoImage(`no sector of ${eraseSize} bytes begins with a header: see --erase-size`)
  }
  const isOwn = (header: Header, index: number) =>
    header.kind === 'valid' && header.storeId === storeId && (header.region === 0) === index < 2
  const scans = (unit: number) =>
    headers.map((header, index) =>
      isOwn(header, index) ? scanSector(sectorAt(index), header, unit) : null,
    )
  const writeSizes = given.writeSize ? [given.writeSize] : findWriteSizes(scans)
  const chosen = scans(writeSizes[0]!)
  return {
    capacity: bytes.length,
    eraseSize,
    writeSize: writeSizes[0]!,
    writeSizes,
    eraseSizeIs: guess === null ? 'given' : guess.isSure ? 'found' : 'assumed',
    storeId,
    sectors: headers.map((header, index) => ({
      index,
      header,
      scan: chosen[index]!,
      isBlank: isBlank(sectorAt(index)),
    })),
  }
}

function refuseImpossible(bytes: Uint8Array, given: Geometry): void {
  if (bytes.length === 0) throw new NoImage('the file is empty')
  const { eraseSize, writeSize } = given
  if (eraseSize !== undefined && !ERASE_SIZES.includes(eraseSize)) {
    throw new NoImage(`--erase-size ${eraseSize} is no power of two from 512 to 65536`)
  }
  if (writeSize !== undefined && !WRITE_SIZES.includes(writeSize)) {
    throw new NoImage(`--write-size ${writeSize} is no power of two from 1 to 32`)
  }
}

function refuseFormat(header: Header, at: number): void {
  // A header whose one bit was put right may as well be something else.
  if (header.isRepaired) return
  throw new NoImage(
    `a Holdfast store of format ${header.format} (header at ${at}); this program reads format 1`,
  )
}

function refuseForeign(bytes: Uint8Array): never {
  if (isBlank(bytes)) throw new NoImage('blank: every byte is 0xFF, no store was made here yet')
  throw new NoImage('not a Holdfast store: no sector header (0x48 0x46, format 1) that is whole')
}

/** A session store in the middle is that of another store. */
function refuseParts(found: Found[], eraseSize: number): void {
  const inside = found.find(({ at, header }) => header.region === 0 && at >= 2 * eraseSize)
  if (inside === undefined) return
  const own = found[0]!.header.region === 0 ? `, at ${found[0]!.at} another` : ''
  throw new NoImage(
    `a store begins at ${inside.at} or a sector before it${own}: ` +
      'give --at, and --bytes where it ends before the file does',
  )
}

/** The session store's newer header tells, or without it the first of a lane. */
function findStoreId(headers: Header[]): number | null {
  const valid = headers.map((header, index) => ({ header, index }))
  const own = valid.filter(({ header }) => header.kind === 'valid')
  const session = own.filter(({ header, index }) => header.region === 0 && index < 2)
  if (session.length > 0) {
    const newest = session.reduce((a, b) =>
      ((a.header.sequence - b.header.sequence) | 0) < 0 ? b : a,
    )
    if (newest.header.isForgotten) {
      throw new NoImage('a store that was given up (forget): the next mount erases what is left')
    }
    return newest.header.storeId
  }
  const lane = own.find(({ header, index }) => header.region > 0 && index >= 2)
  return lane?.header.storeId ?? null
}

/** The size by which all headers stand where they may; the usual 4,096 where several do. */
function findEraseSize(bytes: Uint8Array, found: Found[]): { size: number; isSure: boolean } {
  const penalty = (size: number) =>
    countMisfits(size, found) +
    (bytes.length % size === 0 ? 0 : 0.5) +
    (bytes.length / size >= LEAST_SECTORS ? 0 : 0.25)
  const scored = ERASE_SIZES.map((size) => ({ size, misfits: penalty(size) })).sort(
    (a, b) => a.misfits - b.misfits,
  )
  const best = scored[0]
  if (best === undefined || best.misfits >= found.length) {
    throw new NoImage(
      `${bytes.length} bytes hold ${found.length} sector header(s), but not as a store of 8 or ` +
        'more sectors has them: the image is truncated, or give --erase-size',
    )
  }
  return { size: best.size, isSure: (scored[1]?.misfits ?? Infinity) > best.misfits }
}

/** Headers that stand at no sector, in the wrong part, or out of step with the one before. */
function countMisfits(size: number, found: Found[]): number {
  let misfits = 0
  const last = new Map<number, { place: number; sequence: number; first: boolean }>()
  for (const { at, header } of found) {
    const place = at / size
    const isSession = header.region === 0
    if (place % 1 !== 0 || isSession !== place < 2) {
      misfits++
      continue
    }
    const before = last.get(header.region)
    const step = before === undefined ? 0 : (header.sequence - before.sequence) | 0
    // Sequence numbers rise with the address, but for the one place where the ring closes.
    if (before !== undefined && !isSession && step > 0 && step !== place - before.place) misfits++
    // The first sector of the first lane is the third one.
    const isFirst = header.region === 1 && before === undefined && header.sequence === 1
    if (isFirst && place !== 2) misfits++
    last.set(header.region, { place, sequence: header.sequence, first: false })
  }
  return misfits
}

/** The units by which the most records are intact. */
function findWriteSizes(scans: (unit: number) => (Scan | null)[]): number[] {
  const counted = WRITE_SIZES.map((unit) => {
    let records = 0
    let damages = 0
    for (const scan of scans(unit)) {
      records += scan?.records.length ?? 0
      damages += scan?.damages.length ?? 0
    }
    return { unit, worth: records * 1000 - damages }
  })
  const most = Math.max(...counted.map(({ worth }) => worth))
  const best = counted.filter(({ worth }) => worth === most).map(({ unit }) => unit)
  // Behind a padded header the first record tells of itself whether the header was padded.
  return best.filter((unit) => padded(24, unit) === padded(24, best[0]!))
}
