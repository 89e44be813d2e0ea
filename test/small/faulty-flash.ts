/**
 * A flash whose chip answers ERR_STORAGE when it is told to, with or without having done what it
 * was asked for. What it stores is a NorFlash's, with its power cuts and its checks.
 */
import type { NorFlash } from '../../hal/memory/index.js'
import type { ReadWriteStorage } from '../../hal/storage.js'
import { ERR_STORAGE, type Status } from '../../src/status.js'

/** The first operation that fails, counted over reads, writes and erases, and how many do. */
export interface Failure {
  readonly kind: 'read' | 'write' | 'erase'
  readonly first: number
  readonly count: number
  /** It says that it failed, and did it all the same. */
  readonly isDone: boolean
}

export class FaultyFlash implements ReadWriteStorage {
  readonly nor: NorFlash
  readonly capacity: number
  readonly eraseSize: number
  readonly writeSize: number
  readonly eraseBlockSize: number
  /** Operations of each kind so far, and those that were refused. */
  readonly seen = { read: 0, write: 0, erase: 0 }
  refused = 0
  /** What the chip had done when it refused first. */
  operationsAtRefusal = 0
  failure: Failure | null = null

  constructor(nor: NorFlash) {
    this.nor = nor
    this.capacity = nor.capacity
    this.eraseSize = nor.eraseSize
    this.writeSize = nor.writeSize
    this.eraseBlockSize = nor.eraseBlockSize
  }

  read(address: number, target: Uint8Array, targetAt: number, length: number): Status {
    return this.attempt('read', () => this.nor.read(address, target, targetAt, length))
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): Status {
    return this.attempt('write', () => this.nor.write(address, source, sourceAt, length))
  }

  erase(address: number, length: number): Status {
    return this.attempt('erase', () => this.nor.erase(address, length))
  }

  private attempt(kind: Failure['kind'], act: () => Status): Status {
    const { failure } = this
    const place = ++this.seen[kind]
    const isHit =
      failure !== null &&
      failure.kind === kind &&
      place >= failure.first &&
      place < failure.first + failure.count
    if (!isHit) return act()
    const { writes, eraseCalls } = this.nor.counters
    if (this.refused++ === 0) this.operationsAtRefusal = writes + eraseCalls
    if (failure.isDone) act()
    return ERR_STORAGE
  }
}
