/**
 * A payload in parts behind encrypting hooks against someone who rewrites the chip: parts that are
 * deleted, hidden, exchanged, or taken from another message, sector or device. What is sent is what
 * was accepted, and what is missing is dropped by name.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { ERR_CORRUPT, ERR_HOOK } from '../../src/index.js'
import { FRAGMENT, MESSAGE } from '../../src/store/flash-record.js'
import { FlashStore } from '../../src/storage.js'
import { Attacker, type FoundRecord } from '../store/attacker.js'
import { Desk } from './desk.js'

const SECTOR = 1024
const KEY = new Uint8Array(32).fill(7)
const TYPES = [1, 2, 3, 4, 5, 6]
let boots = 0

function boot(flash: NorFlash): Desk {
  const system = new ManualSystem(++boots)
  const hooks = chacha20poly1305Hooks(KEY)
  const storage = new FlashStore(flash, system, { hooks, bufferSize: 512 })
  return new Desk({ storage, inFlightLimit: 64 }, system)
}

function board(image: Uint8Array | null = null): NorFlash {
  const enforceWriteOnce = image === null
  const size = { capacity: 32 * SECTOR, eraseSize: SECTOR, writeSize: 4 }
  const flash = new NorFlash({ ...size, enforceWriteOnce })
  if (image !== null) flash.bytes.set(image)
  return flash
}

const payloadOf = (size: number, seed: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: size }, (_, at) => at * 31 + (at >> 8) * 7 + seed))

/** What was accepted, in order. Streams of several sectors, with messages between their parts. */
interface Written {
  readonly image: Uint8Array
  readonly payloads: Buffer[]
}

function write(): Written {
  const flash = board()
  const payloads: Buffer[] = []
  const keep = (ticket: number, payload: Buffer): void => {
    assert.ok(ticket > 0)
    payloads.push(payload)
  }
  for (const sizes of [[2500, 700], [3100], []]) {
    const desk = boot(flash)
    const say = (n: number): void => {
      const payload = payloadOf(40, n)
      keep(desk.client.publish('small', payload, { qos: 1 }), payload)
    }
    say(1)
    for (const size of sizes) {
      const payload = payloadOf(size, size)
      const stream = desk.client.stream('big', size, { qos: 1 })
      const place = payloads.length
      let ticket = 0
      for (let at = 0; at < size; at += 400) {
        ticket = stream.write(payload, at, Math.min(400, size - at))
        if (at === 800) say(2)
      }
      assert.ok(ticket > 0)
      payloads.splice(place, 0, payload)
      say(3)
    }
  }
  // What was there before this boot cannot lose its end any more.
  boot(flash)
  return { image: Uint8Array.from(flash.bytes), payloads }
}

/** Boots what the attacker left, sends all, and judges: the number of messages that are missing. */
function check(attack: string, { payloads }: Written, image: Uint8Array): number {
  const desk = boot(board(image))
  desk.connect()
  const sent = desk.sent().filter(({ cmd }) => cmd === 'publish')
  let next = 0
  for (const { payload } of sent) {
    const found = payloads.findIndex((one, at) => at >= next && one.equals(payload as Buffer))
    assert.ok(found >= 0, `${attack}: a payload of ${(payload as Buffer).length} is false`)
    next = found + 1
  }
  const missing = payloads.length - sent.length
  const drops = desk.of('message.dropped')
  assert.equal(drops.length, missing, `${attack}: ${missing} missing, ${drops.length} told`)
  assert.ok(drops.every(({ status }) => status === ERR_CORRUPT || status === ERR_HOOK))
  assert.equal(desk.client.stats.dropped.damaged, missing, attack)
  return missing
}

interface Place {
  readonly sector: number
  readonly index: number
  readonly record: FoundRecord
}

/** The FRAGMENT records, and what deletes or replaces one. */
function fragmentsOf(image: Uint8Array): Place[] {
  const attacker = new Attacker(image, SECTOR)
  return attacker.logSectors().flatMap((sector) =>
    attacker
      .records(sector)
      .map((record, index) => ({ sector, index, record }))
      .filter(({ record }) => record.type === FRAGMENT),
  )
}

const written = write()
const places = fragmentsOf(written.image)
const attacker = (): Attacker => new Attacker(written.image, SECTOR)

test('the untouched image is sent whole, and tells nothing', () => {
  assert.equal(check('none', written, written.image), 0)
  assert.ok(places.length > 15, `${places.length} fragments`)
  assert.ok(new Set(places.map(({ sector }) => sector)).size > 6)
})

test('a part that is hidden behind another type is noticed, and its message dropped', () => {
  for (const { sector, record } of places) {
    for (const type of TYPES) {
      if (type === FRAGMENT) continue
      const image = attacker()
      image.put(sector, record.at, type, record.stored, type === MESSAGE ? record.number : 0)
      const attack = `${sector}:${record.at} as type ${type}`
      assert.ok(check(attack, written, image.bytes) > 0, attack)
    }
  }
})

test('parts that are deleted are noticed: one, and all to the end of the sector', () => {
  for (const { sector, index, record } of places) {
    const closed = attacker()
    const records = closed.records(sector)
    closed.rewrite(
      sector,
      records.filter((_, at) => at !== index),
    )
    assert.ok(check(`${sector}:${record.at} deleted`, written, closed.bytes) > 0)
    const blanked = attacker()
    blanked.blank(sector, record.at)
    assert.ok(check(`${sector} blank from ${record.at}`, written, blanked.bytes) > 0)
  }
})

test('the last part of each payload, deleted with every part before it that is', () => {
  const sectors = attacker().logSectors()
  for (const { sector, record } of places) {
    // Nothing of any stream from here on, its sectors hidden behind harmless types.
    const image = attacker()
    for (const other of places) {
      const isBehind = sectors.indexOf(other.sector) > sectors.indexOf(sector)
      if (!isBehind && (other.sector !== sector || other.record.at < record.at)) continue
      image.put(other.sector, other.record.at, 2, other.record.stored)
    }
    assert.ok(check(`no part from ${sector}:${record.at} on`, written, image.bytes) > 0)
  }
})

test('two parts that change places are noticed, of one message or of two', () => {
  for (const [at, first] of places.entries()) {
    for (const second of places.slice(at + 1)) {
      const image = attacker()
      const isSame = first.record.stored.length === second.record.stored.length
      if (isSame) {
        image.put(first.sector, first.record.at, FRAGMENT, second.record.stored)
        image.put(second.sector, second.record.at, FRAGMENT, first.record.stored)
      } else {
        const length = Math.min(first.record.stored.length, second.record.stored.length)
        image.put(first.sector, first.record.at, FRAGMENT, second.record.stored.slice(0, length))
      }
      const attack = `${first.sector}:${first.record.at} and ${second.sector}:${second.record.at}`
      assert.ok(check(attack, written, image.bytes) > 0, attack)
    }
  }
})

test('a part of another device with the same key, and of an older life, is refused', () => {
  const other = write()
  const theirs = new Attacker(other.image, SECTOR)
  for (const { sector, record } of places) {
    const [match] = theirs.records(sector).filter(({ at }) => at === record.at)
    assert.equal(match!.stored.length, record.stored.length)
    const image = attacker()
    image.put(sector, record.at, FRAGMENT, match!.stored)
    assert.ok(check(`${sector}:${record.at} of another device`, written, image.bytes) > 0)
  }
})
