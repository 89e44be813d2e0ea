/**
 * LatestTopics: which message of a topic is the newest, for lanes where a newer message replaces
 * an older one. A topic is known by two hashes and its length; the table is bounded, and forgets
 * the topic that was used least lately. What it has forgotten is not replaced.
 */
import type { System } from '../../hal/system.js'
import { isBefore } from '../store/exchange-window.js'

const LATEST_LIMIT = 32

export class LatestTopics {
  private readonly system: System
  private readonly checks: Uint32Array
  private readonly hashes: Int32Array
  private readonly lengths: Uint16Array
  private readonly numbers: Uint32Array

  constructor(system: System) {
    this.system = system
    this.checks = new Uint32Array(LATEST_LIMIT)
    this.hashes = new Int32Array(LATEST_LIMIT)
    this.lengths = new Uint16Array(LATEST_LIMIT)
    this.numbers = new Uint32Array(LATEST_LIMIT)
  }

  /** The message `number` of this topic was accepted. */
  note(number: number, topic: Uint8Array, at: number, length: number): void {
    let index = this.find(topic, at, length)
    if (index < 0) {
      index = 0
      for (let other = 1; other < LATEST_LIMIT; other++) {
        if (isBefore(this.numbers[other]!, this.numbers[index]!)) index = other
      }
    }
    this.checks[index] = this.system.crc32(topic, at, length)
    this.hashes[index] = hash(topic, at, length)
    this.lengths[index] = length
    this.numbers[index] = number
  }

  /** True when a message of this topic is known that is newer than `number`. */
  hasNewer(number: number, topic: Uint8Array, at: number, length: number): boolean {
    const index = this.find(topic, at, length)
    return index >= 0 && isBefore(number, this.numbers[index]!)
  }

  private find(topic: Uint8Array, at: number, length: number): number {
    const check = this.system.crc32(topic, at, length)
    for (let index = 0; index < LATEST_LIMIT; index++) {
      if (this.lengths[index] !== length || this.checks[index] !== check >>> 0) continue
      if (this.hashes[index] === hash(topic, at, length)) return index
    }
    return -1
  }
}

/** Independent of CRC-32, so that both agree by accident for no two topics of one device. */
function hash(bytes: Uint8Array, at: number, length: number): number {
  let value = length
  for (let index = at; index < at + length; index++) value = (value * 31 + bytes[index]!) | 0
  return value
}
