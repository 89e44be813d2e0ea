import type { Status } from '../src/status.js'

/**
 * ReadWriteStorage: everything the store assumes about a flash chip.
 *
 * The storage is a NOR flash partition. Erasing sets every bit of a sector to 1; writing can only
 * clear bits. Nothing here erases behind the caller's back.
 *
 * Calls are synchronous and are never re-entered. An implementation reports hardware trouble by
 * its return value (`OK` or `ERR_STORAGE`); it throws only for a programming error: an address or
 * length out of range or not aligned.
 *
 * What survives power loss, and what recovery relies on:
 *   during write: bits being cleared may read 0 or 1; every other bit is unchanged
 *   during erase: that sector may hold anything, and what reads 0xFF may not hold; every other
 *                 sector is unchanged
 *
 * What the caller promises: `address` and `length` of a write are multiples of `writeSize`, and
 * each write unit is written at most once between two erases of its sector. ECMA-419 promises no
 * more than that, and flash with error correction or encryption refuses more.
 */
export interface ReadWriteStorage {
  /** Bytes in the partition, a whole number of sectors. */
  readonly capacity: number
  /** Bytes in a sector, the smallest range `erase` takes: a power of two, 512 to 65,536. */
  readonly eraseSize: number
  /** The unit and the alignment of `write`, in bytes: a power of two, at most 32. */
  readonly writeSize: number
  /** The largest range the chip erases at one go (often 65,536), or `eraseSize`. */
  readonly eraseBlockSize: number

  /** Copies `length` bytes at `address` into `target` from `targetAt` on. Any alignment. */
  read(address: number, target: Uint8Array, targetAt: number, length: number): Status

  /** Clears bits: each stored byte becomes `stored & source`. See the promises above. */
  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status

  /**
   * Sets whole sectors to 0xFF, `address` and `length` multiples of `eraseSize`. Slow: 45 ms a
   * sector is typical. One call may use the chip's larger erases where the range allows it.
   */
  erase(address: number, length: number): Status
}

/**
 * Where a record stands. `storeId`, the salt, `region`, `sectorSequence` and `offset` together
 * never repeat: docs/FLASH-FORMAT.md, section 8.
 */
export interface RecordPosition {
  /** Random number drawn when the store was formatted; unsigned, 32 bits. */
  storeId: number
  /** Boot salt, drawn at the boot that wrote the record: two halves, unsigned, 32 bits each. */
  saltHigh: number
  /** One more for each CONTEXT record of that boot. */
  saltLow: number
  /** The part of the partition: 0 is the session store, 1 and up are lanes. */
  region: number
  /** Sequence number of the sector; unsigned, 32 bits. */
  sectorSequence: number
  /** Byte offset of the record in its sector. */
  offset: number
  /** Record type (docs/FLASH-FORMAT.md): a type is never taken for another. */
  type: number
  /** Number of a message, or of the one behind a CONTEXT, so that none passes for another; or 0. */
  number: number
  /** The key the record is, or was, written with: 1 to 255. */
  keyId: number
}

/**
 * Hooks between the store and the flash, for encryption. They are given to the constructor of the
 * store as `sealed(hooks)`, so they are there before recovery reads the first record.
 *
 * Both transform `length` bytes of `buffer` from `at` on, in place, and return the new length or a
 * negative status. The buffer is scratch: it never goes to a socket. `position` is one object that
 * is used again for the next call; its values are the nonce and the associated data.
 */
export interface StorageHooks {
  /** The most bytes `before_write` adds to a body, e.g. 16 for an authentication tag. */
  readonly growth: number
  /** The key new sectors are written with, 1 to 255. It stands in the clear in each sector. */
  readonly keyId: number
  /** False: records of this key cannot be read. `mount` then refuses and leaves all as it is. */
  knowsKey(keyId: number): boolean
  /** A negative result fails the operation: nothing is written, `publish` returns ERR_HOOK. */
  before_write(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number
  /** Undoes `before_write`. A negative result makes the record count as damaged. */
  after_read(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number
}
