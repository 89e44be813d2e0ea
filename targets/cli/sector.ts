/**
 * One sector of an image: its header and its records, read as docs/FLASH-FORMAT.md says in sections
 * 2 and 3. It shares no code with src/store, so that it checks the document. Knows what a record is
 * worth, not what its body means.
 */
import { correctedBit, crc32, isOneBitOff } from './crc32.js'

export const MESSAGE = 1
export const MARK = 2
export const TOPIC = 3
export const CONTEXT = 4
export const STATE = 5
export const FRAGMENT = 6
export const TYPE_NAMES = ['', 'MESSAGE', 'MARK', 'TOPIC', 'CONTEXT', 'STATE', 'FRAGMENT']

const HEADER = 24
const RECORD_HEADER = 6
const FORMAT = 1
const NUMBER_FACTOR = 1540483n

export type HeaderKind = 'valid' | 'blank' | 'damaged' | 'format'

export interface Header {
  readonly kind: HeaderKind
  /** One flipped bit of it was put right. */
  readonly isRepaired: boolean
  readonly format: number
  readonly region: number
  readonly markFollows: boolean
  /** The store was given up. */
  readonly isForgotten: boolean
  readonly storeId: number
  readonly sequence: number
  readonly firstNumber: number
  readonly base: number
}

export interface StoredRecord {
  readonly offset: number
  readonly type: number
  /** The stored body; behind hooks it cannot be read. */
  readonly body: Uint8Array
  /** Its number, for a MESSAGE; else 0. */
  readonly number: number
  /** A damaged record was passed over right before it. */
  readonly isAfterDamage: boolean
}

/** Where a record was that does not carry its check. */
export interface Damage {
  readonly offset: number
  /** It is what an interrupted write leaves at the end of a sector. */
  readonly isTorn: boolean
}

export interface Scan {
  readonly records: StoredRecord[]
  readonly damages: Damage[]
  /** Bytes up to the end of the last record, padding included. */
  readonly used: number
  /** The number after the newest message of the sector. */
  readonly endNumber: number
  /** What follows is blank, so records can be appended. */
  readonly isOpen: boolean
}

export const padded = (length: number, unit: number) => Math.ceil(length / unit) * unit
export const isBefore = (a: number, b: number) => ((a - b) | 0) < 0
export const numberAfter = (number: number) => (number === 0xffffffff ? 1 : number + 1)

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
export const uint16 = (bytes: Uint8Array, at: number) => view(bytes).getUint16(at)
export const uint32 = (bytes: Uint8Array, at: number) => view(bytes).getUint32(at)
export const isBlank = (bytes: Uint8Array) => bytes.every((byte) => byte === 0xff)

export interface Context {
  /** Through the hooks go bodies and the time base. */
  readonly isHooked: boolean
  readonly keyId: number
  /** Seconds; 0: none, or not to be read. */
  readonly timeBase: number
  /** 0: it follows from the messages before. */
  readonly nextNumber: number
}

/** Reads the body of a CONTEXT: docs/FLASH-FORMAT.md, section 4.3. */
export function readContext(body: Uint8Array): Context {
  const isHooked = body.length >= 13
  if (isHooked) return { isHooked, keyId: body[8]!, timeBase: 0, nextNumber: uint32(body, 9) }
  const timeBase = body.length >= 4 ? uint32(body, 0) : 0
  return { isHooked, keyId: 0, timeBase, nextNumber: body.length === 8 ? uint32(body, 4) : 0 }
}

/** Reads the header at the start of `sector`. */
export function readHeader(sector: Uint8Array): Header {
  const bytes = sector.slice(0, HEADER)
  let kind: HeaderKind = isBlank(bytes) ? 'blank' : 'valid'
  let isRepaired = false
  const check = uint32(bytes, 20)
  if (kind !== 'blank' && crc32(bytes.subarray(0, 20)) !== check) {
    const bit = correctedBit(bytes.subarray(0, 20), check)
    if (bit === null) kind = 'damaged'
    else if (bit >= 0) bytes[bit >> 3]! ^= 1 << (bit & 7)
    isRepaired = bit !== null
  }
  if (kind === 'valid' && (bytes[0] !== 0x48 || bytes[1] !== 0x46)) kind = 'damaged'
  if (kind === 'valid' && bytes[2] !== FORMAT) kind = 'format'
  return {
    kind,
    isRepaired,
    format: bytes[2]!,
    region: bytes[3]! & 15,
    markFollows: (bytes[3]! & 16) !== 0,
    isForgotten: (bytes[3]! & 32) !== 0,
    storeId: uint32(bytes, 4),
    sequence: uint32(bytes, 8),
    firstNumber: uint32(bytes, 12),
    base: uint32(bytes, 16),
  }
}

/** Numbers a message may have: those from the first to the second. */
type Numbers = [number, number]

class Scanner {
  readonly records: StoredRecord[] = []
  readonly damages: Damage[] = []
  private readonly bytes: Uint8Array
  private readonly header: Header
  private readonly unit: number
  private at: number
  private numbers: Numbers

  constructor(sector: Uint8Array, header: Header, unit: number) {
    this.bytes = sector
    this.header = header
    this.unit = unit
    this.at = padded(HEADER, unit)
    this.numbers = [header.firstNumber, header.firstNumber]
  }

  run(): Scan {
    let isOpen = false
    let isAfterDamage = false
    while (this.at + RECORD_HEADER <= this.bytes.length) {
      const at = this.at
      if (isBlank(this.bytes.subarray(at, at + RECORD_HEADER))) {
        isOpen = !isAfterDamage && isBlank(this.bytes.subarray(at))
        break
      }
      const record = this.intactAt(at, this.numbers, isAfterDamage)
      if (record !== null) {
        this.accept(record)
        isAfterDamage = false
        continue
      }
      isAfterDamage = true
      const next = this.behindDamage(at)
      this.damages.push({ offset: at, isTorn: next === 0 })
      if (next === 0) break
      this.at = next
    }
    const { records, damages, at: used, numbers } = this
    return { records, damages, used, endNumber: numbers[1], isOpen }
  }

  private accept(record: StoredRecord): void {
    this.records.push(record)
    this.at = record.offset + this.sizeOf(record.body.length)
    if (record.type === MESSAGE) this.passNumber(record.number)
    if (record.type !== CONTEXT) return
    const next = readContext(record.body).nextNumber
    // Numbers never go back; only the first record of a sector knows better than the header.
    const isFirst = record.offset === padded(HEADER, this.unit)
    if (next !== 0 && (isFirst || !isBefore(next, this.numbers[0]))) this.numbers = [next, next]
  }

  private passNumber(number: number): void {
    const next = numberAfter(number)
    this.numbers = [next, next]
  }

  private sizeOf(length: number): number {
    return padded(RECORD_HEADER + length, this.unit)
  }

  /** CRC that the record at `at` should have over type, length and body, if its number is this. */
  private wantedCheck(at: number, type: number, number: number): number {
    const { storeId, region, sequence } = this.header
    const key = storeId ^ (region << 28) ^ (sequence << 12) ^ at
    const numberKey = type === MESSAGE ? Number((BigInt(number) * NUMBER_FACTOR) & 0xffffffffn) : 0
    return (uint32(this.bytes, at) ^ key ^ numberKey) >>> 0
  }

  private *each(numbers: Numbers): Generator<number> {
    for (let number = numbers[0]; ; number = numberAfter(number)) {
      yield number
      if (number === numbers[1]) return
    }
  }

  private intactAt(at: number, numbers: Numbers, isAfterDamage: boolean): StoredRecord | null {
    if (at + RECORD_HEADER > this.bytes.length) return null
    const word = uint16(this.bytes, at + 4)
    const type = word >> 13
    const end = at + RECORD_HEADER + (word & 0x1fff)
    if (type < MESSAGE || type > FRAGMENT || end > this.bytes.length) return null
    const crc = crc32(this.bytes.subarray(at + 4, end))
    const body = this.bytes.slice(at + RECORD_HEADER, end)
    if (type !== MESSAGE) {
      if (this.wantedCheck(at, type, 0) !== crc) return null
      return { offset: at, type, body, number: 0, isAfterDamage }
    }
    for (const number of this.each(numbers)) {
      if (this.wantedCheck(at, type, number) === crc) {
        return { offset: at, type, body, number, isAfterDamage }
      }
    }
    return null
  }

  /** Where reading goes on behind the damaged record at `at`; 0: it was the last one. */
  private behindDamage(at: number): number {
    const [first, last] = this.numbers
    const more: Numbers = [first, numberAfter(last)]
    const behind = this.behindFlipped(at)
    if (behind !== 0) return behind
    const named = at + this.sizeOf(uint16(this.bytes, at + 4) & 0x1fff)
    if (this.intactAt(named, more, true) !== null) {
      this.numbers = more
      return named
    }
    const least = at + this.sizeOf(0)
    for (let next = least; next + RECORD_HEADER <= this.bytes.length; next += this.unit) {
      if (this.intactAt(next, more, true) === null) continue
      this.numbers = more
      return next
    }
    return 0
  }

  /** The end of the record at `at` if one flipped bit explains its check, else 0. */
  private behindFlipped(at: number): number {
    const word = uint16(this.bytes, at + 4)
    for (let bit = 0; bit <= 16; bit++) {
      // Bit 16: the flip is not in type and length.
      const fixed = bit < 16 ? word ^ (1 << bit) : word
      const type = fixed >> 13
      const end = at + RECORD_HEADER + (fixed & 0x1fff)
      if (type < MESSAGE || type > FRAGMENT || end > this.bytes.length) continue
      const covered = this.bytes.slice(at + 4, end)
      covered[0] = fixed >> 8
      covered[1] = fixed & 0xff
      const crc = crc32(covered)
      for (const number of type === MESSAGE ? this.each(this.numbers) : [0]) {
        const wanted = this.wantedCheck(at, type, number)
        const explains = bit < 16 ? wanted === crc : isOneBitOff(covered, wanted)
        if (!explains) continue
        if (type === MESSAGE) this.passNumber(number)
        // It has the number of all behind it: the only record that is put right.
        if (type === CONTEXT && (fixed & 0x1fff) === 8) {
          const bit = correctedBit(covered, wanted) ?? -1
          if (bit >= 0) covered[bit >> 3]! ^= 1 << (bit & 7)
          const body = covered.slice(2)
          this.accept({ offset: at, type, body, number: 0, isAfterDamage: true })
          return this.at
        }
        return at + this.sizeOf(fixed & 0x1fff)
      }
    }
    return 0
  }
}

/** Reads the records behind a valid header. `unit` is the flash's write size. */
export function scanSector(sector: Uint8Array, header: Header, unit: number): Scan {
  return new Scanner(sector, header, unit).run()
}
