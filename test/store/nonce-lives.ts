/**
 * The life of a device with many power cuts, and a log of every nonce that went over the bus. The
 * cipher is a fake one: it is fast, and whether a nonce repeats is a matter of positions alone.
 */
import { ManualSystem, NorFlash, PowerCut, Random, type Tear } from '../../hal/memory/index.js'
import { NONCE_SIZE, writeNonce } from '../../hal/key-ring.js'
import type { RecordPosition } from '../../hal/storage.js'
import { sealed } from '../../src/store/seal.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import { OK } from '../../src/status.js'
import { COMPLETE } from '../../src/store/exchange-window.js'
import { FlashStore } from '../../src/store/flash-store.js'

const TEARS: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']
const SECTOR = 512
const SECTORS = 12

export interface NonceSum {
  cuts: number
  /** Records that were encrypted, and those whose write began on the bus. */
  nonces: number
  onBus: number
  repeatedNonces: number
  /** The same key stream used for different bytes: what a repeated nonce gives away. */
  repeatedStreams: number
  /** Places (region, sector sequence, offset) used by more than one record. */
  placesAgain: number
  /** Accepted messages that were gone after a cut. */
  lost: number
  /** Faults that were counted, though nobody but the power cuts touched the flash. */
  falseAlarms: number
}

/** Notes each nonce, and what it was used for. Encrypts by nothing but a tag of four bytes. */
class NonceLog implements SealedHooks {
  readonly growth = 4
  readonly keyId = 1
  readonly sum: NonceSum
  private readonly nonces = new Map<string, number>()
  private readonly places = new Set<string>()
  private readonly nonce = new Uint8Array(NONCE_SIZE)
  private readonly text = Buffer.from(this.nonce.buffer)

  makeSeal!: SealedHooks['makeSeal']

  constructor(sum: NonceSum) {
    this.sum = sum
    sealed(this)
  }

  knowsKey(keyId: number): boolean {
    return keyId === 1
  }

  before_write(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    writeNonce(this.nonce, position)
    const name = this.text.toString('latin1')
    const sum = hash(buffer, at, length, position.type)
    const before = this.nonces.get(name)
    if (before !== undefined) {
      this.sum.repeatedNonces++
      if (before !== sum) this.sum.repeatedStreams++
    }
    this.nonces.set(name, sum)
    this.sum.nonces++
    const place = this.text.toString('latin1', 12, 20)
    if (this.places.has(place)) this.sum.placesAgain++
    this.places.add(place)
    putTag(buffer, at + length, sum ^ hash(this.nonce, 0, NONCE_SIZE, 0))
    return length + 4
  }

  after_read(buffer: Uint8Array, at: number, length: number, position: RecordPosition): number {
    if (length < 4) return -1
    writeNonce(this.nonce, position)
    const sum = hash(buffer, at, length - 4, position.type) ^ hash(this.nonce, 0, NONCE_SIZE, 0)
    const tag = new Uint8Array(4)
    putTag(tag, 0, sum)
    for (let index = 0; index < 4; index++) {
      if (tag[index] !== buffer[at + length - 4 + index]) return -1
    }
    return length - 4
  }
}

function putTag(target: Uint8Array, at: number, sum: number): void {
  for (let index = 0; index < 4; index++) target[at + index] = sum >>> (index * 8)
}

function hash(bytes: Uint8Array, at: number, length: number, start: number): number {
  let sum = start + 17
  for (let index = at; index < at + length; index++) sum = Math.imul(sum ^ bytes[index], 0x01000193)
  return sum
}

/** One device, from its first boot on, through `cutCount` power cuts. */
class Life {
  private readonly flash: NorFlash
  private readonly hooks: NonceLog
  private readonly chance: Random
  private readonly sum: NonceSum
  private readonly system: ManualSystem
  /** Accepted and not complete, oldest first. */
  private kept: number[] = []

  constructor(seed: number, sum: NonceSum) {
    this.chance = new Random(seed)
    this.sum = sum
    this.hooks = new NonceLog(sum)
    this.system = new ManualSystem(seed)
    this.flash = new NorFlash({
      capacity: SECTOR * SECTORS,
      eraseSize: SECTOR,
      writeSize: 4,
      eraseBlockSize: SECTOR,
    })
  }

  run(cutCount: number): void {
    for (let cut = 0; cut < cutCount;) {
      // Often so early that the same boot, and the same first record, is cut again and again.
      const most = this.chance.below(3) === 0 ? 60 : 6
      const tear = this.chance.below(2) === 0 ? 'noop' : TEARS[this.chance.below(5)]
      this.flash.cutAt(1 + this.chance.below(most), tear, this.chance.next())
      const writes = this.flash.counters.writes
      try {
        this.boot()
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error
        cut++
        this.sum.cuts++
      }
      this.sum.onBus += this.flash.counters.writes - writes
      this.flash.powerOn()
    }
    this.flash.cutAt(0, 'noop', 0)
    this.boot()
  }

  private boot(): void {
    const options = { hooks: this.hooks, bufferSize: 512, maxTopic: 16 }
    const store = new FlashStore(this.flash, this.system, options)
    const status = store.mount('lives', 'mqtt://broker.example')
    if (status !== OK) throw new Error(`mount: ${status}`)
    this.compare(store)
    this.sum.falseAlarms += store.faults
    for (let step = 0; step < 30; step++) this.step(store)
  }

  private step(store: FlashStore): void {
    const { log, window } = store
    const dice = this.chance.below(20)
    if (dice < 13) {
      const length = 8 + this.chance.below(60)
      if (log.reserve(length) !== OK) return this.complete(store, 1 + this.kept.length / 2)
      if (dice < 3) log.timeDelta(1_700_000_000 + this.chance.below(200_000))
      if (log.reserve(length) !== OK) return
      log.buffer.fill(this.chance.below(256), log.bodyAt, log.bodyAt + length)
      const number = log.append(length)
      if (number > 0) this.kept.push(number)
    } else if (dice < 16) this.complete(store, 1 + this.chance.below(4))
    else if (dice < 18) log.maintain()
    else if (dice < 19) log.writeMark(window)
    else store.state.save()
  }

  private complete(store: FlashStore, count: number): void {
    const { log, window } = store
    for (const number of this.kept.splice(0, count)) {
      if (!window.spans(number)) {
        this.kept.unshift(number)
        break
      }
      window.setState(number, COMPLETE)
      window.slide(log.nextNumber)
    }
    if (log.writeMark(window) === OK) log.release(window.base)
  }

  /** What was accepted is there. An append that was cut may have happened: it is taken over. */
  private compare(store: FlashStore): void {
    const { log, window } = store
    const found: number[] = []
    log.rewind(window.base)
    for (let number = log.advance(); number > 0; number = log.advance()) {
      if (number >= window.base && window.state(number) !== COMPLETE) {
        if (log.load() === OK) found.push(number)
      }
    }
    const present = new Set(found)
    for (const number of this.kept) if (!present.has(number)) this.sum.lost++
    this.kept = found
  }
}

/** So many devices, each with so many cuts. */
export function liveLives(lives: number, cuts: number, seed: number): NonceSum {
  const sum: NonceSum = {
    cuts: 0,
    nonces: 0,
    onBus: 0,
    repeatedNonces: 0,
    repeatedStreams: 0,
    placesAgain: 0,
    lost: 0,
    falseAlarms: 0,
  }
  const chance = new Random(seed)
  for (let life = 0; life < lives; life++) new Life(chance.next(), sum).run(cuts)
  return sum
}
