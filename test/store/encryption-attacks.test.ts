/**
 * A store behind encrypting hooks against someone who rewrites the chip: deletion, splice, replay,
 * forged headers and marks. What is found is what is true, or it is counted and reported.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERR_HOOK, OK } from '../../src/status.js'
import { Attacker, type FoundRecord } from './attacker.js'
import { BROKERS, CLIENT, SECTOR, append, find, flashOf } from './encryption-rig.js'
import { judge, makePast, makeStore, mounted } from './encryption-rig.js'

const { images } = makePast()
const present = images[images.length - 1]
const truth = find(present)
const TYPES = [1, 2, 3, 4, 5, 6]

function attacker(): Attacker {
  return new Attacker(present, SECTOR)
}

/** Mounts what the attacker left, and judges it. True when something was noticed. */
function check(attack: string, image: Attacker): boolean {
  const found = find(image.bytes)
  judge(found, truth, attack)
  return found.status !== OK || found.faults > 0 || found.lost.length > 0
}

function noticed(attack: string, image: Attacker): void {
  assert.ok(check(attack, image), `${attack} is not noticed`)
}

test('the untouched image is found whole, without a fault', () => {
  assert.equal(truth.status, OK)
  assert.equal(truth.faults, 0)
  assert.deepEqual(truth.lost, [])
  assert.ok(truth.delivered.size > 60, `${truth.delivered.size} messages`)
  assert.ok([...truth.states.values()].includes(2), 'one is released')
})

test('a changed byte of any record is noticed', () => {
  const image = attacker()
  const sectors = image.logSectors()
  let count = 0
  for (const sector of sectors.slice(-6)) {
    for (const record of image.records(sector)) {
      const stored = record.stored.slice()
      stored[stored.length >> 1] ^= 0x10
      const changed = attacker()
      changed.put(sector, record.at, record.type, stored, record.number)
      const isNeeded = record.type !== 1 || truth.delivered.has(record.number)
      const isSeen = check(`a changed byte at ${record.at} of ${sector}`, changed)
      // In older sectors only messages are read again; the newest sector is read whole.
      if (sector === sectors[sectors.length - 1] || (record.type === 1 && isNeeded)) {
        assert.ok(isSeen, `type ${record.type} at ${record.at} of ${sector}`)
      }
      count++
    }
  }
  assert.ok(count > 60, `${count} records`)
})

test('a record that is deleted from the middle of a sector is noticed', () => {
  const image = attacker()
  const sectors = image.logSectors()
  for (const sector of sectors.slice(-5)) {
    const records = image.records(sector)
    const isNewest = sector === sectors[sectors.length - 1]
    for (let index = 0; index < records.length - 1; index++) {
      const record = records[index]
      const isNeeded = record.type === 1 && truth.delivered.has(record.number)
      const attack = `record ${index} of sector ${sector}, type ${record.type}`
      const closed = attacker()
      closed.rewrite(
        sector,
        records.filter((one) => one !== record),
      )
      const isSeen = check(`${attack}, gap closed`, closed)
      if (isNeeded || isNewest) assert.ok(isSeen, attack)
      // In its place something that carries its check and stands for nothing.
      for (const type of TYPES) {
        const hidden = attacker()
        const changed = records.map((one) => (one === record ? { ...one, type } : one))
        hidden.rewrite(sector, changed)
        const isFound = check(`${attack}, hidden as type ${type}`, hidden)
        if (type !== record.type && (isNeeded || isNewest)) assert.ok(isFound, `${attack} ${type}`)
      }
    }
  }
})

test('a sector that is deleted is noticed, each one that is needed', () => {
  for (const sector of attacker().logSectors()) {
    const image = attacker()
    const isNeeded = image
      .records(sector)
      .some(({ type, number }) => type === 1 && truth.delivered.has(number))
    image.blank(sector)
    const isSeen = check(`sector ${sector} deleted`, image)
    if (isNeeded) assert.ok(isSeen, `sector ${sector}`)
  }
  // All that is older than the newest one, and all there is.
  for (const left of [1, 0]) {
    const image = attacker()
    const sectors = image.logSectors()
    for (const sector of sectors.slice(0, sectors.length - left)) image.blank(sector)
    noticed(`all but ${left} sectors deleted`, image)
  }
})

test('a sector of an older image is noticed, under its own header and under a forged one', () => {
  for (const [age, old] of images.slice(0, -1).entries()) {
    for (const sector of attacker().logSectors()) {
      const image = attacker()
      const header = image.header(sector)!
      const isSame = Buffer.compare(
        old.subarray(sector * SECTOR, (sector + 1) * SECTOR),
        present.subarray(sector * SECTOR, (sector + 1) * SECTOR),
      )
      if (isSame === 0) continue
      image.copy(old, sector, sector)
      const before = image.header(sector)
      check(`sector ${sector} of image ${age}`, image)
      if (before === null || before.sequence === header.sequence) continue
      const records = image.records(sector)
      image.writeHeader(sector, header)
      image.rewrite(sector, records)
      check(`sector ${sector} of image ${age}, header forged`, image)
      // Messages of the present are gone, and those of the past must not take their place.
      const isNeeded = attacker()
        .records(sector)
        .some(({ type, number }) => type === 1 && truth.delivered.has(number))
      if (isNeeded) noticed(`sector ${sector} of image ${age}, header forged`, image)
    }
  }
})

test('two sectors that change places are noticed, headers as they were or forged to fit', () => {
  const sectors = attacker().logSectors().slice(-6)
  for (const first of sectors) {
    for (const second of sectors) {
      if (first >= second) continue
      const image = attacker()
      image.copy(present, first, second)
      image.copy(present, second, first)
      noticed(`sectors ${first} and ${second}`, image)
      for (const [to, from] of [
        [first, second],
        [second, first],
      ]) {
        const records = attacker().records(from)
        image.writeHeader(to, attacker().header(to)!)
        image.rewrite(to, records)
      }
      noticed(`sectors ${first} and ${second}, forged`, image)
    }
  }
})

test('a forged header deletes nothing in silence', () => {
  const sectors = attacker().logSectors()
  const newest = sectors[sectors.length - 1]
  const next = 2 + ((newest - 2 + 1) % (attacker().sectorCount - 2))
  // A new sector behind the newest one, which says that all is complete.
  for (const number of [truth.nextNumber, truth.nextNumber + 1, truth.nextNumber - 40]) {
    const image = attacker()
    const header = image.header(newest)!
    const base = number
    image.blank(next)
    image.writeHeader(next, { ...header, sequence: header.sequence + 1, firstNumber: number, base })
    check(`a new sector from ${number}`, image)
    assert.equal(find(image.bytes).delivered.size, truth.delivered.size)
    // The same with records that carry their checks.
    const context = new Uint8Array(50)
    context[8] = 1
    const mark = new Uint8Array(20)
    new DataView(mark.buffer).setUint32(0, number)
    for (const type of TYPES) {
      image.blank(next, 24)
      image.put(next, image.put(next, 24, 4, context, 0), type, mark, number)
      noticed(`a new sector from ${number} with type ${type}`, image)
      assert.equal(find(image.bytes).delivered.size, truth.delivered.size)
    }
  }
  for (const sector of sectors) {
    for (const change of [-50, -1, 1, 50, 0x40000000]) {
      for (const field of ['base', 'firstNumber', 'sequence', 'storeId'] as const) {
        const image = attacker()
        const header = image.header(sector)!
        const records = image.records(sector)
        image.writeHeader(sector, { ...header, [field]: (header[field] + change) >>> 0 })
        image.rewrite(sector, records)
        check(`${field} of sector ${sector} changed by ${change}`, image)
      }
    }
  }
})

test('an old MARK in a new place, and one made without the key, complete nothing', () => {
  const sectors = attacker().logSectors()
  const newest = sectors[sectors.length - 1]
  const marks: FoundRecord[] = []
  for (const sector of sectors) {
    marks.push(
      ...attacker()
        .records(sector)
        .filter(({ type }) => type === 2),
    )
  }
  const forged = new Uint8Array(20)
  new DataView(forged.buffer).setUint32(0, truth.nextNumber)
  marks.push({ at: 0, type: 2, stored: forged.subarray(0, 4), number: 0 })
  marks.push({ at: 0, type: 2, stored: forged, number: 0 })
  for (const mark of marks) {
    const image = attacker()
    const records = image.records(newest)
    const last = records[records.length - 1]
    const end = last.at + ((6 + last.stored.length + 3) & ~3)
    if (end + 6 + mark.stored.length > SECTOR) continue
    image.put(newest, end, 2, mark.stored, 0)
    noticed(`a MARK from ${mark.at}`, image)
    assert.equal(find(image.bytes).delivered.size, truth.delivered.size)
  }
})

test('a log that lost its end, with all that came after the last boot, is noticed', () => {
  // Image 3 was taken before the last boot: the log goes back there, the session state does not.
  for (const [age, old] of images.slice(0, -1).entries()) {
    const image = attacker()
    for (let sector = 2; sector < image.sectorCount; sector++) image.copy(old, sector, sector)
    noticed(`the log of image ${age}`, image)
  }
  // The newest sectors one after the other, each up to a record of it.
  const image = attacker()
  const sectors = image.logSectors()
  const saved = find(present).nextNumber
  for (const sector of sectors.slice(-3).reverse()) {
    for (const record of image.records(sector).reverse()) {
      image.blank(sector, record.at)
      const found = find(image.bytes)
      judge({ ...found, faults: 1, lost: [...found.lost, ...truth.delivered.keys()] }, truth, 'end')
      // What was accepted before the state was saved last is missed.
      if (found.nextNumber < saved) assert.equal(found.lost.length, 0)
    }
    image.blank(sector)
  }
  noticed('three sectors of the end', image)
})

test('a session state that went back behind the log is noticed', () => {
  for (const [age, old] of images.slice(0, -1).entries()) {
    const image = attacker()
    image.copy(old, 0, 0)
    image.copy(old, 1, 1)
    noticed(`the session state of image ${age}`, image)
  }
  const image = attacker()
  image.blank(0)
  image.blank(1)
  const found = find(image.bytes)
  assert.equal(found.status, OK)
  assert.ok(found.faults > 0)
  assert.equal(found.delivered.size, truth.delivered.size)
  // It is told once: what is stored from then on is newer than both.
  const flash = flashOf(image.bytes)
  assert.ok(mounted(flash).faults > 0)
  const again = mounted(flash)
  assert.equal(again.faults, 0)
  append(again)
  assert.equal(mounted(flash).faults, 0)
})

test('sectors of another device with the same key are refused, store id forged or not', () => {
  const other = new Attacker(makePast().images[4], SECTOR)
  for (const sector of attacker().logSectors().slice(-5)) {
    const image = attacker()
    const header = image.header(sector)!
    image.copy(other.bytes, sector, sector)
    noticed(`sector ${sector} of another device`, image)
    image.writeHeader(sector, header)
    image.rewrite(sector, other.records(sector))
    noticed(`sector ${sector} of another device, forged`, image)
  }
})

test('a store without hooks does not pass for one with them, nor the other way round', () => {
  const plainFlash = flashOf(null)
  const plain = mounted(plainFlash, null)
  for (let index = 0; index < 40; index++) append(plain)
  assert.equal(makeStore(plainFlash).mount(CLIENT, BROKERS), ERR_HOOK)
  assert.equal(find(present, null).status, ERR_HOOK)
  // Without the session state too: nothing hooked is delivered, and nothing is written.
  const image = attacker()
  image.blank(0)
  image.blank(1)
  const flash = flashOf(image.bytes)
  assert.equal(makeStore(flash, null).mount(CLIENT, BROKERS), ERR_HOOK)
  assert.deepEqual(Buffer.from(flash.bytes), Buffer.from(image.bytes))
  // Sectors in the clear between the others.
  for (const sector of image.logSectors().slice(-4)) {
    const mixed = attacker()
    const header = mixed.header(sector)!
    mixed.copy(plainFlash.bytes, 2, sector)
    const records = mixed.records(sector)
    mixed.writeHeader(sector, header)
    mixed.rewrite(sector, records)
    noticed(`a plain sector at ${sector}`, mixed)
  }
})

test('a time base that is hidden takes its messages along: none gets another time', () => {
  const flash = flashOf(null)
  const store = mounted(flash)
  const { log } = store
  for (const seconds of [1_700_000_000, 1_700_100_000]) {
    assert.equal(log.reserve(40), OK)
    assert.equal(log.timeDelta(seconds), 0)
    log.buffer.fill(7, log.bodyAt, log.bodyAt + 20)
    assert.ok(log.append(20) > 0)
  }
  const image = new Attacker(flash.bytes, SECTOR)
  const [sector] = image.logSectors()
  const records = image.records(sector)
  assert.deepEqual(
    records.map(({ type }) => type),
    [4, 4, 1, 4, 1],
  )
  for (const type of [2, 3, 5]) {
    const hidden = new Attacker(flash.bytes, SECTOR)
    hidden.put(sector, records[3].at, type, records[3].stored)
    const again = mounted(flashOf(hidden.bytes))
    assert.ok(again.faults > 0)
    assert.equal(again.log.advance(), 1)
    assert.equal(again.log.load(), OK)
    assert.equal(again.log.loadedTimeBase, 1_700_000_000)
    assert.equal(again.log.advance(), 2)
    assert.equal(again.log.load(), ERR_HOOK)
  }
})
