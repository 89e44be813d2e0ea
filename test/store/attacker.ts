/**
 * Someone with a soldering iron: takes a flash image, knows the format and not the key, and puts
 * another image back. Every check that needs no key comes out right.
 */
import { crc32 } from './crc32-oracle.js'

const HEADER = 24
const RECORD_HEADER = 6

export interface Header {
  region: number
  flags: number
  storeId: number
  sequence: number
  firstNumber: number
  base: number
}

export interface FoundRecord {
  readonly at: number
  readonly type: number
  readonly stored: Uint8Array
  /** Of a message; that of the next one otherwise. */
  readonly number: number
}

export class Attacker {
  readonly bytes: Uint8Array
  readonly sectorSize: number
  private readonly view: DataView

  constructor(image: Uint8Array, sectorSize: number) {
    this.bytes = Uint8Array.from(image)
    this.view = new DataView(this.bytes.buffer)
    this.sectorSize = sectorSize
  }

  get sectorCount(): number {
    return this.bytes.length / this.sectorSize
  }

  /** null: blank. */
  header(sector: number): Header | null {
    const at = sector * this.sectorSize
    if (this.bytes[at] === 0xff) return null
    return {
      region: this.bytes[at + 3] & 15,
      flags: this.bytes[at + 3] & 0xf0,
      storeId: this.view.getUint32(at + 4),
      sequence: this.view.getUint32(at + 8),
      firstNumber: this.view.getUint32(at + 12),
      base: this.view.getUint32(at + 16),
    }
  }

  writeHeader(sector: number, header: Header): void {
    const at = sector * this.sectorSize
    this.bytes.set([0x48, 0x46, 1, header.region | header.flags], at)
    this.view.setUint32(at + 4, header.storeId)
    this.view.setUint32(at + 8, header.sequence)
    this.view.setUint32(at + 12, header.firstNumber)
    this.view.setUint32(at + 16, header.base)
    this.view.setUint32(at + 20, crc32(this.bytes.subarray(at, at + 20)))
  }

  records(sector: number): FoundRecord[] {
    const found: FoundRecord[] = []
    const start = sector * this.sectorSize
    let number = this.header(sector)!.firstNumber
    for (let at = HEADER; at + RECORD_HEADER <= this.sectorSize;) {
      const head = this.view.getUint16(start + at + 4)
      const type = head >> 13
      const length = head & 0x1fff
      if (type === 7) break
      const bodyAt = start + at + RECORD_HEADER
      found.push({ at, type, stored: this.bytes.slice(bodyAt, bodyAt + length), number })
      if (type === 1) number++
      at += (RECORD_HEADER + length + 3) & ~3
    }
    return found
  }

  /** Sectors of the log, oldest first. */
  logSectors(): number[] {
    const all = Array.from({ length: this.sectorCount }, (_, sector) => sector)
    const ours = all.filter((sector) => (this.header(sector)?.region ?? 0) > 0)
    return ours.sort((a, b) => this.header(a)!.sequence - this.header(b)!.sequence)
  }

  /** Puts a record at `at`, sealed for that place and number. Returns the offset behind it. */
  put(sector: number, at: number, type: number, stored: Uint8Array, number = 0): number {
    const start = sector * this.sectorSize + at
    const header = this.header(sector)!
    this.view.setUint16(start + 4, (type << 13) | stored.length)
    this.bytes.set(stored, start + RECORD_HEADER)
    let key = header.storeId ^ (header.region << 28) ^ (header.sequence << 12) ^ at
    if (type === 1) key ^= Number((BigInt(number) * 1540483n) & 0xffffffffn)
    const sealed = this.bytes.subarray(start + 4, start + RECORD_HEADER + stored.length)
    this.view.setUint32(start, (crc32(sealed) ^ key) >>> 0)
    const size = (RECORD_HEADER + stored.length + 3) & ~3
    this.bytes.fill(0xff, start + RECORD_HEADER + stored.length, start + size)
    return at + size
  }

  /** Blanks a sector from `at` on. */
  blank(sector: number, at = 0): void {
    this.bytes.fill(0xff, sector * this.sectorSize + at, (sector + 1) * this.sectorSize)
  }

  /** Writes the records of a sector anew, one behind the other, under its present header. */
  rewrite(sector: number, records: FoundRecord[]): void {
    this.blank(sector, HEADER)
    let number = this.header(sector)!.firstNumber
    let at = HEADER
    for (const { type, stored } of records) {
      if (at + RECORD_HEADER + stored.length > this.sectorSize) break
      at = this.put(sector, at, type, stored, number)
      if (type === 1) number++
    }
  }

  /** Copies a sector as it is. */
  copy(from: Uint8Array, fromSector: number, sector: number): void {
    const at = fromSector * this.sectorSize
    this.bytes.set(from.subarray(at, at + this.sectorSize), sector * this.sectorSize)
  }
}
