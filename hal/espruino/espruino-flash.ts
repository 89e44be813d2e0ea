/**
 * ReadWriteStorage over areas of flash that Espruino's module `Flash` can reach. It erases and
 * writes nothing outside the areas it is given: `Flash.getFree` names areas that others use (on an
 * ESP32 those of Wi-Fi calibration and of Storage), so it is not asked.
 *
 * `Flash` reports no trouble: what the chip refused just is not there. So each write and each erase
 * is read back. Knows nothing of records.
 */
import { ERR_STORAGE, OK, type Status } from '../../src/status.js'
import type { ReadWriteStorage } from '../storage.js'

/** What is used of `require('Flash')`. */
export interface FlashModule {
  getPage(address: number): FlashArea | undefined
  erasePage(address: number): void
  read(length: number, address: number): Uint8Array
  write(data: Uint8Array, address: number): void
}

/** A range of the chip that is set aside for Holdfast; whole pages. */
export interface FlashArea {
  readonly addr: number
  readonly length: number
}

export interface EspruinoFlashOptions {
  /** The unit of a write: 8 on boards with a 64-bit flash (STM32L4), default 4. */
  readonly writeSize?: number
}

/** Bytes that pass through the heap at a time; `Flash.write` needs as many on the C stack. */
const PIECE = 256

export class EspruinoFlash implements ReadWriteStorage {
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  private readonly flash: FlashModule
  private readonly areas: FlashArea[]
  /** CRC-32 of a blank piece. */
  private readonly blankCrc: number

  /** Throws, and says what to do, for areas that are not whole pages of one size. */
  constructor(flash: FlashModule, areas: FlashArea[], options?: EspruinoFlashOptions) {
    this.flash = flash
    this.areas = areas
    let eraseSize = 0
    let capacity = 0
    for (let index = 0; index < areas.length; index++) {
      const area = areas[index]!
      const last = area.addr + area.length - 1
      const page = flash.getPage(area.addr)
      if (!(area.length > 0) || page === undefined || flash.getPage(last) === undefined) {
        throw areaError(index, area, 'is not in flash that Flash.getPage knows')
      }
      if (eraseSize === 0) eraseSize = page.length
      if (page.length !== eraseSize || page.addr !== area.addr || area.length % eraseSize !== 0) {
        throw areaError(index, area, 'is not made of whole pages of ' + eraseSize + ' bytes')
      }
      for (let other = 0; other < index; other++) {
        if (last >= areas[other]!.addr && area.addr < areas[other]!.addr + areas[other]!.length) {
          throw areaError(index, area, 'overlaps areas[' + other + ']')
        }
      }
      capacity += area.length
    }
    if (capacity === 0) throw new Error('areas is empty')
    const unit = (options && options.writeSize) ?? 4
    if (!(unit > 0 && unit < 33 && (unit & (unit - 1)) === 0)) {
      throw new Error('writeSize is ' + unit + ', not a power of two up to 32')
    }
    this.capacity = capacity
    this.eraseSize = eraseSize
    this.eraseBlockSize = eraseSize
    this.writeSize = unit
    this.blankCrc = E.CRC32(new Uint8Array(PIECE).fill(255))
  }

  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    assertRange(this, address, length, 1)
    assertBuffer(target, targetAt, length)
    for (let done = 0; done < length;) {
      const size = pieceSize(address + done, length - done)
      target.set(this.flash.read(size, placeOf(this.areas, address + done)), targetAt + done)
      done += size
    }
    return OK
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status {
    assertRange(this, address, length, this.writeSize)
    assertBuffer(source, sourceAt, length)
    for (let done = 0; done < length;) {
      const size = pieceSize(address + done, length - done)
      const place = placeOf(this.areas, address + done)
      const piece = new Uint8Array(source.buffer, source.byteOffset + sourceAt + done, size)
      this.flash.write(piece, place)
      if (E.CRC32(this.flash.read(size, place)) !== E.CRC32(piece)) return ERR_STORAGE
      done += size
    }
    return OK
  }

  erase(address: number, length: number): Status {
    assertRange(this, address, length, this.eraseSize)
    for (let done = 0; done < length; done += this.eraseSize) {
      const place = placeOf(this.areas, address + done)
      this.flash.erasePage(place)
      for (let at = 0; at < this.eraseSize; at += PIECE) {
        if (E.CRC32(this.flash.read(PIECE, place + at)) !== this.blankCrc) return ERR_STORAGE
      }
    }
    return OK
  }
}

/** The address on the chip. */
function placeOf(areas: FlashArea[], address: number): number {
  let index = 0
  let rest = address
  while (rest >= areas[index]!.length) rest -= areas[index++]!.length
  // `erasePage` refuses a number that is stored as a fraction, as what came of a division is.
  return (areas[index]!.addr + rest) | 0
}

/** Bytes that can move at once: a piece ends at the latest with its page, so with its area. */
function pieceSize(address: number, length: number): number {
  const size = PIECE - (address % PIECE)
  return size < length ? size : length
}

// What a caller must not do; a build without assertions leaves these calls out.

function assertRange(flash: ReadWriteStorage, address: number, length: number, unit: number): void {
  if (!(address >= 0 && length >= 0 && address + length <= flash.capacity)) {
    throw new Error('range outside the areas: ' + length + ' bytes at ' + address)
  }
  if (address % 1 !== 0 || length % 1 !== 0) {
    throw new Error('not whole numbers: ' + length + ' bytes at ' + address)
  }
  if (address % unit !== 0 || length % unit !== 0) {
    throw new Error('not aligned to ' + unit + ': ' + length + ' bytes at ' + address)
  }
}

function assertBuffer(buffer: Uint8Array, at: number, length: number): void {
  if (at >= 0 && at + length <= buffer.length) return
  throw new Error(length + ' bytes at ' + at + ' are outside a buffer of ' + buffer.length)
}

function areaError(index: number, area: FlashArea, what: string): Error {
  return new Error('areas[' + index + '] (' + area.length + ' bytes at ' + area.addr + ') ' + what)
}
