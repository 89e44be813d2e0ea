/**
 * The caller's side of the ReadWriteStorage contract, as checks that throw: NorFlash and FileFlash
 * share them, so that they refuse the same calls in the same words. Knows ranges and alignment,
 * nothing of contents.
 */
import type { ReadWriteStorage } from '../storage.js'

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0
}

/** Throws a breach of the contract. The words are made here only, on the way out. */
export function breach(what: string, address: number, length: number): never {
  throw new Error('storage contract: ' + what + ', at ' + address + ' for ' + length + ' bytes')
}

/** Throws unless the four numbers can describe a flash chip. For constructors. */
export function checkGeometry(storage: ReadWriteStorage): void {
  const erase = storage.eraseSize
  const unit = storage.writeSize
  const block = storage.eraseBlockSize
  if (!isPowerOfTwo(erase) || erase < 512 || erase > 65536) {
    throw new Error('eraseSize ' + erase + ' is not a power of two from 512 to 65536')
  }
  if (!isPowerOfTwo(unit) || unit > 32) {
    throw new Error('writeSize ' + unit + ' is not a power of two up to 32')
  }
  if (!isPowerOfTwo(block) || block < erase) {
    throw new Error('eraseBlockSize ' + block + ' is not a power of two from eraseSize up')
  }
  const capacity = storage.capacity
  if (!(capacity > 0) || capacity % erase !== 0) {
    throw new Error('capacity ' + capacity + ' is not a whole number of sectors of ' + erase)
  }
}

/** Throws unless the storage has the range. Written so that NaN and fractions are refused too. */
function checkRange(capacity: number, address: number, length: number): void {
  if (!(address >= 0 && length >= 0 && address + length <= capacity)) {
    breach('range outside the capacity of ' + capacity, address, length)
  }
  if (address % 1 !== 0 || length % 1 !== 0) breach('not whole numbers', address, length)
}

function checkBuffer(buffer: Uint8Array, at: number, address: number, length: number): void {
  if (!(at >= 0 && at % 1 === 0 && at + length <= buffer.length)) {
    breach('range at ' + at + ' outside a buffer of ' + buffer.length, address, length)
  }
}

export function checkRead(
  storage: ReadWriteStorage,
  address: number,
  target: Uint8Array,
  targetAt: number,
  length: number,
): void {
  checkRange(storage.capacity, address, length)
  checkBuffer(target, targetAt, address, length)
}

export function checkWrite(
  storage: ReadWriteStorage,
  address: number,
  source: Uint8Array,
  sourceAt: number,
  length: number,
): void {
  checkRange(storage.capacity, address, length)
  checkBuffer(source, sourceAt, address, length)
  const rest = storage.writeSize - 1
  if ((address & rest) !== 0 || (length & rest) !== 0) {
    breach('write not aligned to writeSize ' + storage.writeSize, address, length)
  }
}

export function checkErase(storage: ReadWriteStorage, address: number, length: number): void {
  checkRange(storage.capacity, address, length)
  const rest = storage.eraseSize - 1
  if ((address & rest) !== 0 || (length & rest) !== 0) {
    breach('erase not aligned to eraseSize ' + storage.eraseSize, address, length)
  }
}
