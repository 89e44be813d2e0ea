/**
 * How long flash operations take in the model, in microseconds. Two chips whose numbers are known;
 * the results are speeds in this model, not on a board. Knows nothing of what is stored.
 */

/** The program page of SPI flash: a write is carried out page by page. */
export const PROGRAM_PAGE_SIZE = 256

export class FlashTiming {
  /** To send a command and its address. */
  command: number
  /** To move one byte over the bus, either way. */
  busByte: number
  /** To program the first byte of a page, and each further byte. */
  firstByte: number
  nextByte: number
  /** To erase one sector. */
  sectorErase: number
  /** To erase one whole block of `eraseBlockSize`; 0 where that saves nothing. */
  blockErase: number

  constructor(
    command: number,
    busByte: number,
    firstByte: number,
    nextByte: number,
    sectorErase: number,
    blockErase: number,
  ) {
    this.command = command
    this.busByte = busByte
    this.firstByte = firstByte
    this.nextByte = nextByte
    this.sectorErase = sectorErase
    this.blockErase = blockErase
  }

  read(length: number): number {
    return this.command + length * this.busByte
  }

  /** For one program page or a part of it. */
  programPage(length: number): number {
    return this.command + length * this.busByte + this.firstByte + (length - 1) * this.nextByte
  }
}

/** Winbond W25Q, typical values, at 80 MHz over one data line. */
export function w25qTiming(): FlashTiming {
  return new FlashTiming(0.5, 0.1, 30, 2.5, 45000, 150000)
}

/**
 * ESP32 through esp_partition, after the table of its flash emulator: 205 us for 128 bytes and
 * 417 us for 256 are 1.63 us a byte, bus included; reading 4 KB takes 459 us; a sector erase takes
 * 37.1 ms. It has no number for larger erases, so none is assumed to be faster.
 */
export function esp32Timing(): FlashTiming {
  return new FlashTiming(0, 0.112, 1.518, 1.518, 37100, 0)
}
