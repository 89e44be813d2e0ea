/** A store behind ChaCha20-Poly1305 with a past, and what a mount makes of an image of it. */
import assert from 'node:assert/strict'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import { OK } from '../../src/status.js'
import { COMPLETE, RELEASED, isBefore, numberAfter } from '../../src/store/exchange-window.js'
import { FlashStore } from '../../src/store/flash-store.js'
import { MessageSource } from '../../src/store/message-record.js'

export const CLIENT = 'sensor-17'
export const BROKERS = 'mqtts://broker.example'
export const SECTOR = 1024
export const SECTORS = 16
export const KEY = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1)
/** Stands in each body and in no ciphertext. */
export const CANARY = 'CANARY-in-plain-text'

export function makeHooks(): SealedHooks {
  return chacha20poly1305Hooks(KEY)
}

/** The attacker writes as he likes, so this flash does not watch who writes twice. */
export function flashOf(image: Uint8Array | null): NorFlash {
  const flash = new NorFlash({
    capacity: SECTOR * SECTORS,
    eraseSize: SECTOR,
    writeSize: 4,
    enforceWriteOnce: image === null,
  })
  if (image !== null) flash.bytes.set(image)
  return flash
}

let seed = 1
export function makeStore(flash: NorFlash, hooks: SealedHooks | null = makeHooks()): FlashStore {
  return new FlashStore(flash, new ManualSystem(++seed * 7919), hooks === null ? {} : { hooks })
}

export function mounted(flash: NorFlash, hooks: SealedHooks | null = makeHooks()): FlashStore {
  const store = makeStore(flash, hooks)
  assert.equal(store.mount(CLIENT, BROKERS), OK)
  return store
}

export function bodyOf(number: number): string {
  return `${CANARY} ${number}`.padEnd(40, '.')
}

/** Appends the message whose body names its number. */
export function append(store: FlashStore): number {
  const { log } = store
  assert.equal(log.reserve(60), OK)
  const topic = new TextEncoder().encode(`topic/${CANARY}/${log.nextNumber % 3}`)
  const topicNumber = log.topicNumber(new MessageSource(topic, new Uint8Array(0)))
  assert.ok(topicNumber >= 0)
  log.timeDelta(1_700_000_000 + log.nextNumber)
  const text = new TextEncoder().encode(bodyOf(log.nextNumber))
  log.buffer.set(text, log.bodyAt)
  return log.append(text.length)
}

/** Completes all before `number`, as a queue does: the mark first, then the sectors. */
export function completeBefore(store: FlashStore, number: number): void {
  const { window, log } = store
  while (isBefore(window.base, number)) {
    const stop = Math.min(number, window.base + 60)
    for (let each = window.base; each < stop; each++) window.setState(each, COMPLETE)
    window.slide(log.nextNumber)
    assert.equal(log.writeMark(window), OK)
    log.release(window.base)
  }
}

export interface Past {
  /** Images of one device, oldest first; the last one is its present. */
  readonly images: Uint8Array[]
  readonly store: FlashStore
}

/** One device: around the ring once, then three boots with messages, marks and releases. */
export function makePast(): Past {
  const flash = flashOf(null)
  const images: Uint8Array[] = []
  let store = mounted(flash)
  const take = (): void => void images.push(Uint8Array.from(flash.bytes))
  for (let index = 0; index < 180; index++) {
    append(store)
    if (index % 20 === 19) completeBefore(store, store.log.nextNumber - 5)
    store.log.maintain()
    if (index === 90) take()
  }
  completeBefore(store, store.log.nextNumber)
  for (let boot = 0; boot < 3; boot++) {
    take()
    store = mounted(flash)
    assert.equal(store.faults, 0)
    const first = store.log.nextNumber
    for (let index = 0; index < 24; index++) {
      append(store)
      store.log.maintain()
      if (index === 12) {
        store.window.setState(store.window.base + 1, COMPLETE)
        store.window.setState(store.window.base + 4, RELEASED)
        assert.equal(store.log.writeMark(store.window), OK)
      }
    }
    if (boot === 0) completeBefore(store, first + 9)
    assert.equal(store.state.save(), OK)
    if (boot < 2) for (let index = 0; index < 7; index++) append(store)
    assert.equal(store.log.writeMark(store.window), OK)
  }
  take()
  return { images, store }
}

/** What a mount finds. */
export interface Found {
  readonly status: number
  readonly faults: number
  /** Bodies that would be sent, by number. */
  readonly delivered: Map<number, string>
  /** Numbers that a queue counts and reports as damaged. */
  readonly lost: number[]
  readonly states: Map<number, number>
  readonly nextNumber: number
}

export function find(image: Uint8Array, hooks: SealedHooks | null = makeHooks()): Found {
  const store = makeStore(flashOf(image), hooks)
  const status = store.mount(CLIENT, BROKERS)
  const delivered = new Map<number, string>()
  const states = new Map<number, number>()
  const lost: number[] = []
  if (status !== OK) return { status, faults: 0, delivered, lost, states, nextNumber: 0 }
  const { log, window } = store
  log.rewind(window.base)
  let expected = window.base
  const decoder = new TextDecoder()
  for (let rounds = 0; rounds < 10_000; rounds++) {
    const number = log.advance()
    assert.ok(number >= 0)
    const end = number === 0 ? log.nextNumber : number
    for (; isBefore(expected, end) && lost.length < 2000; expected = numberAfter(expected)) {
      if (window.state(expected) !== COMPLETE) lost.push(expected)
    }
    if (number === 0) break
    if (isBefore(number, window.base)) continue
    expected = numberAfter(number)
    states.set(number, window.state(number))
    if (window.state(number) === COMPLETE) continue
    if (log.load() !== OK) lost.push(number)
    else {
      const { loadedAt, loadedLength } = log
      delivered.set(number, decoder.decode(log.buffer.subarray(loadedAt, loadedAt + loadedLength)))
    }
  }
  const { faults } = store
  return { status, faults, delivered, lost, states, nextNumber: log.nextNumber }
}

/**
 * Holds what was found against the truth. Nothing false is delivered, no message is missing without
 * being counted or the store being refused, and what comes a second time is told by a fault.
 */
export function judge(found: Found, truth: Found, attack: string): void {
  for (const [number, body] of found.delivered) {
    assert.equal(body, bodyOf(number), `${attack}: ${number} is false`)
  }
  if (found.status !== OK) return
  for (const number of truth.delivered.keys()) {
    const isTold = found.delivered.has(number) || found.lost.includes(number)
    assert.ok(isTold, `${attack}: ${number} is gone in silence`)
  }
  if (found.faults > 0) return
  for (const number of found.delivered.keys()) {
    assert.ok(truth.delivered.has(number), `${attack}: ${number} comes again in silence`)
    assert.equal(
      found.states.get(number),
      truth.states.get(number),
      `${attack}: state of ${number}`,
    )
  }
}
