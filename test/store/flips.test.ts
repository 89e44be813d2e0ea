/**
 * Every bit of a small image flipped, one at a time: nothing false is delivered, nothing hangs, and
 * no more than one sector's messages are lost.
 *
 * HOLDFAST_FLIP_STEP (default 3): every so many-th bit; 1 takes all of them.
 */
import { PLAIN_BYTES } from '../../src/store/context-layout.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPLETE, isBefore } from '../../src/store/exchange-window.js'
import { OK } from '../../src/status.js'
import { CONTEXT, RECORD_HEADER } from '../../src/store/flash-record.js'
import { Attacker } from './attacker.js'
import { MessageSource } from '../../src/store/message-record.js'
import { Rig, type RigOptions } from './log-rig.js'
import { XorHooks } from './xor-hooks.js'

const STEP = Number(process.env.HOLDFAST_FLIP_STEP ?? 3)

/** Messages in several sectors, some complete, some released, with topics, times and marks. */
function fill(rig: Rig): void {
  for (let i = 0; i < 14; i++) rig.publishOn('old', 60)
  rig.complete(14)
  rig.mark()
  rig.log.maintain()
  for (let i = 0; i < 44; i++) {
    rig.publish(i % 3 === 0 ? 'flip/a' : i % 3 === 1 ? 'flip/b' : '', 16 + (i % 5) * 6, i % 4 === 0)
    if (i === 6) rig.completeAt(2)
    if (i === 9) rig.release(3)
    if (i === 20) rig.complete(2)
    if (i % 12 === 11) rig.mark()
  }
}

/** Reads everything there is; returns how many messages came. Every one must be the right one. */
function readAll(rig: Rig): number {
  const { log, window } = rig
  let found = 0
  log.rewind(window.base)
  for (let number = log.advance(); number !== 0; number = log.advance()) {
    assert.ok(number > 0)
    if (isBefore(number, window.base) || window.state(number) === COMPLETE) continue
    const status = log.load()
    if (status !== OK) continue
    const kept = rig.kept.get(number)
    // A MARK that is lost lets a complete message come again.
    if (!kept) {
      assert.ok(rig.completed.has(number), `message ${number} was never accepted`)
      continue
    }
    const topicNumber = log.buffer[log.loadedAt] & 0x7f
    if (topicNumber > 0 && log.loadTopic(topicNumber) !== OK) continue
    log.stepBack()
    assert.equal(log.advance(), number)
    rig.compare(number, kept)
    found++
  }
  return found
}

function flipAll(options: RigOptions): void {
  const rig = new Rig({ ...options, sectors: 8 })
  fill(rig)
  rig.mayLoseTime = true
  const expected = rig.kept.size
  const image = rig.flash.snapshot()
  const most = Math.max(...rig.perSector.values())
  assert.ok(expected > 2 * most, 'the image spans sectors')
  let damaged = 0
  for (let bit = 0; bit < rig.flash.capacity * 8; bit += STEP) {
    rig.flash.restore(image)
    rig.flash.flipBit(bit >> 3, bit & 7)
    rig.boot()
    try {
      const found = readAll(rig)
      assert.ok(expected - found <= most, `${expected - found} messages are lost`)
      if (found < expected) damaged++
      const bodyAt = rig.log.bodyAt
      rig.log.buffer.fill(7, bodyAt, bodyAt + 20)
      if (bit % 8 === 0) {
        const topic = new TextEncoder().encode('flip/new')
        if (rig.log.reserve(30) === OK) {
          const number = rig.log.topicNumber(new MessageSource(topic, new Uint8Array(0)))
          assert.ok(number >= 0)
          rig.log.buffer.fill(7, bodyAt, bodyAt + 20)
          assert.ok(rig.log.append(20) > 0)
          rig.log.rewind(rig.window.base)
          // The old messages still have their old topics.
          for (let next = rig.log.advance(); next > 0; next = rig.log.advance()) {
            const kept = rig.kept.get(next)
            if (!kept || rig.window.state(next) === COMPLETE || rig.log.load() !== OK) continue
            if (rig.log.buffer[rig.log.bodyAt] === 7) continue
            const named = rig.log.buffer[rig.log.loadedAt] & 0x7f
            if (named === 0 || rig.log.loadTopic(named) !== OK) continue
            rig.log.stepBack()
            assert.equal(rig.log.advance(), next)
            rig.compare(next, kept)
          }
        }
      }
    } catch (error) {
      console.error(`bit ${bit & 7} of byte ${bit >> 3}, write size ${options.writeSize}`)
      throw error
    }
  }
  assert.ok(damaged > 0, 'some flips do harm')
}

test('no single flipped bit delivers anything false or loses more than a sector', () => {
  flipAll({ writeSize: 4 })
})

test('the same where records are not padded', () => {
  flipAll({ writeSize: 1 })
})

test('the same behind hooks', () => {
  flipAll({ writeSize: 4, hooks: new XorHooks() })
})

test('a flipped length that names the place of a later MARK costs one message, counted', () => {
  // Records of 64 bytes: 128 more in the first one's length, and it names the MARK behind two more.
  for (const isNewest of [true, false]) {
    const rig = new Rig({ sectors: 8, eraseSize: 1024 })
    for (let i = 0; i < 3; i++) rig.publish('', 56)
    rig.mark()
    for (let i = 0; i < (isNewest ? 4 : 40); i++) rig.publish('', 56)
    const count = rig.kept.size
    const next = rig.log.nextNumber
    rig.flash.flipBit(rig.log.region.headerSize + 5, 7)
    for (const isBooted of [true, false]) {
      if (isBooted) rig.boot()
      else rig.log.rewind(1)
      assert.equal(readAll(rig), count - 1)
      assert.equal(rig.log.skippedCount, 1)
      assert.equal(rig.log.nextNumber, next, 'no number is given twice')
    }
  }
})

test('no flipped bit of a jump over numbers loses a message or gives a number twice', () => {
  const rig = new Rig({ sectors: 8, eraseSize: 1024 })
  for (let i = 0; i < 3; i++) rig.publish('', 40)
  rig.complete(3)
  const at = rig.log.writeOffset
  const to = rig.log.nextNumber + 20
  assert.equal(rig.log.jumpTo(to), OK)
  rig.window.moveBase(to)
  const end = rig.log.writeOffset
  for (let i = 0; i < 5; i++) assert.equal(rig.publish('', 40), to + i)
  for (let bit = at * 8; bit < end * 8; bit++) {
    rig.flash.flipBit(bit >> 3, bit & 7)
    rig.boot()
    assert.equal(readAll(rig), 5, `bit ${bit}`)
    assert.equal(rig.window.base, to)
    assert.equal(rig.log.nextNumber, to + 5)
    assert.equal(rig.log.skippedCount, 0)
    rig.flash.flipBit(bit >> 3, bit & 7)
  }
})

test('no flipped bit of a time base gives a message another time', () => {
  const rig = new Rig({ sectors: 8, eraseSize: 1024 })
  rig.mayLoseTime = true
  rig.publish('', 20, true)
  const at = rig.log.writeOffset
  // Too far for the two bytes of a message: a new base.
  rig.seconds += 100_000
  for (let i = 0; i < 4; i++) rig.publish('', 20, true)
  for (let bit = at * 8; bit < (at + rig.log.region.recordSize(PLAIN_BYTES)) * 8; bit++) {
    rig.flash.flipBit(bit >> 3, bit & 7)
    for (const isBooted of [true, false]) {
      if (isBooted) rig.boot()
      else rig.log.rewind(1)
      assert.equal(readAll(rig), 5, `bit ${bit}`)
    }
    rig.flash.flipBit(bit >> 3, bit & 7)
  }
})

/**
 * Behind hooks a CONTEXT is not put right: it has the salt, the key and the time of what stands
 * behind it, and only its tag says that they are true.
 */
test('no flipped bit of a CONTEXT behind hooks is silent or costs more than its sector', () => {
  const rig = new Rig({ sectors: 8, eraseSize: 1024, hooks: new XorHooks() })
  for (let i = 0; i < 50; i++) {
    // Too far for the two bytes of a message: a new base, in the middle of a sector.
    if (i % 6 === 5) rig.seconds += 100_000
    rig.publish('', 20, true)
  }
  rig.complete(3)
  rig.mark()
  const next = rig.log.nextNumber
  const image = new Attacker(rig.flash.bytes, 1024)
  const sectors = image.logSectors()
  let harmful = 0
  let contexts = 0
  const flipAndRead = (bit: number, sector: number): void => {
    rig.flash.flipBit(bit >> 3, bit & 7)
    const most = rig.perSector.get(image.header(sector)!.sequence)!
    for (const isBooted of [true, false]) {
      if (isBooted) rig.boot()
      const { log, window } = rig
      if (!isBooted) log.rewind(window.base)
      // Each that comes is compared, its time too: none is taken for one of another base.
      const lost = rig.kept.size - readAll(rig)
      assert.ok(lost <= most, `${lost} of ${most} messages are lost`)
      // What was complete may come again, or be counted, where its MARK is lost: that is told.
      assert.ok(log.skippedCount >= lost, `${lost} lost, ${log.skippedCount} counted`)
      assert.ok(log.skippedCount <= most)
      if (lost > 0 || sector === sectors[sectors.length - 1]) assert.ok(log.region.refused > 0)
      assert.equal(log.nextNumber, next, 'no number is given twice')
      if (lost > 0) harmful++
    }
    rig.flash.flipBit(bit >> 3, bit & 7)
  }
  for (const sector of sectors) {
    for (const { at, type, stored } of image.records(sector)) {
      if (type !== CONTEXT) continue
      contexts++
      const first = (sector * 1024 + at) * 8
      for (let bit = 0; bit < (RECORD_HEADER + stored.length) * 8; bit++) {
        try {
          flipAndRead(first + bit, sector)
        } catch (error) {
          console.error(`bit ${bit} of the CONTEXT at ${at} of sector ${sector}`)
          throw error
        }
      }
    }
  }
  assert.ok(contexts > 10 && harmful > 4000, `${contexts} records, ${harmful} harmful flips`)
})

test('bits that flip while they are read lose nothing', () => {
  const rig = new Rig({ sectors: 8, eraseSize: 1024 })
  for (let i = 0; i < 40; i++) rig.publish(i % 2 === 0 ? 'read/flip' : '', 60)
  for (let seed = 1; seed < 300; seed++) {
    rig.boot()
    rig.flash.flipOnRead(2e-5, seed)
    assert.equal(readAll(rig), 40, `seed ${seed}`)
    assert.equal(rig.log.skippedCount, 0)
    rig.flash.flipOnRead(0, 1)
  }
})
