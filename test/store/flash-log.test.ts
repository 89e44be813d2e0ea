/** The flash log where nothing, or something other than the power, fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { COMPLETE, QUEUED, RELEASED } from '../../src/store/exchange-window.js'
import {
  ERR_CORRUPT,
  ERR_FULL,
  ERR_HOOK,
  ERR_STORAGE,
  ERR_TOO_LARGE,
  OK,
} from '../../src/status.js'
import { Rig } from './log-rig.js'
import { scenarios } from './scenarios.js'
import { XorHooks } from './xor-hooks.js'

for (const [firstNumber, firstSequence] of [
  [1, 1],
  [0xfff0, 0xfffb],
  [0x7ffffff0, 0x7ffffffb],
  [0xffffffd0, 0xfffffffa],
]) {
  const counters = `${firstNumber.toString(16)} and ${firstSequence.toString(16)}`
  test(`order holds where the counters start at ${counters}`, () => {
    for (const scenario of scenarios) {
      const rig = new Rig({ firstNumber, firstSequence })
      scenario.run(rig)
      rig.goOn(120)
      rig.settleRunning()
      rig.boot()
      rig.settle()
      rig.goOn(60)
      rig.settleRunning()
    }
  })
}

test('no number is 0, and sectors go around the ring many times', () => {
  const rig = new Rig({ firstNumber: 0xffffffff - 30, sectors: 6 })
  for (let i = 0; i < 600; i++) {
    const number = rig.publishOn('ring', 40)
    assert.ok(number > 0)
    if (i % 8 === 7) rig.complete(8)
    if (i % 16 === 15) rig.mark()
    rig.log.maintain()
  }
  rig.settleRunning()
  const wear = [...rig.flash.wear]
  assert.ok(Math.min(...wear) > 10, 'every sector was used many times')
  assert.ok(Math.max(...wear) - Math.min(...wear) <= 1, `wear is even: ${wear.join()}`)
})

test('no erase delays an append while maintain has time', () => {
  const rig = new Rig({ sectors: 24 })
  rig.publish('', 20)
  const before = rig.log.hotErases
  for (let i = 0; i < 300; i++) {
    rig.publishOn('', 40)
    rig.complete(1)
    if (i % 16 === 15) rig.mark()
    rig.log.maintain()
  }
  assert.equal(rig.log.hotErases, before)
})

test('a push and a pop cost 2.3 reads and 1.6 page programs at most, a boot 80 reads', () => {
  const rig = new Rig({ eraseSize: 4096, sectors: 256, bufferSize: 1024 })
  const { log, flash } = rig
  const push = (): void => {
    log.buffer.fill(7, log.bodyAt, log.bodyAt + 128)
    assert.ok(log.append(128) > 0)
  }
  for (let i = 0; i < 64; i++) push()
  const counters = { ...flash.counters }
  const rounds = 6400
  for (let i = 0; i < rounds; i++) {
    push()
    const number = log.advance()
    assert.equal(log.load(), OK)
    rig.window.setState(number, COMPLETE)
    if (rig.window.slide(log.nextNumber)) log.release(rig.window.base)
    if (i % 16 === 15) assert.equal(log.writeMark(rig.window), OK)
    log.maintain()
  }
  const reads = (flash.counters.reads - counters.reads) / rounds
  const programs = (flash.counters.pagePrograms - counters.pagePrograms) / rounds
  const amplification = (flash.counters.programmedBytes - counters.programmedBytes) / rounds / 128
  assert.ok(reads <= 2.3, `${reads} reads`)
  assert.ok(programs <= 1.6 + 0.1, `${programs} page programs, marks included`)
  assert.ok(amplification <= 1.075 + 0.01, `write amplification ${amplification}`)
  const readsBefore = flash.counters.reads
  rig.boot()
  assert.ok(log.advance() > 0)
  assert.equal(log.load(), OK)
  const bootReads = flash.counters.reads - readsBefore
  assert.ok(bootReads <= 80, `${bootReads} reads to boot`)
})

test('a body of maxBody fits, one more byte is refused', () => {
  for (const writeSize of [1, 4, 16, 32]) {
    for (const hooks of [null, new XorHooks()]) {
      for (const bufferSize of [100, 256, 4096]) {
        const rig = new Rig({ writeSize, hooks, bufferSize })
        const { log } = rig
        assert.equal(log.reserve(log.maxBody + 1), ERR_TOO_LARGE)
        assert.equal(log.append(log.maxBody + 1), ERR_TOO_LARGE)
        for (let i = 0; i < 3; i++) {
          rig.seconds += 100000
          log.reserve(log.maxBody)
          assert.ok(log.timeDelta(rig.seconds) >= 0)
          assert.equal(log.reserve(log.maxBody), OK)
          log.buffer.fill(i + 1, log.bodyAt, log.bodyAt + log.maxBody)
          assert.ok(log.append(log.maxBody) > 0)
        }
        rig.boot()
        for (let i = 0; i < 3; i++) {
          assert.equal(rig.log.advance(), i + 1)
          assert.equal(rig.log.load(), OK)
          assert.equal(rig.log.loadedLength, log.maxBody)
          assert.equal(rig.log.buffer[rig.log.loadedAt + log.maxBody - 1], i + 1)
        }
      }
    }
  }
})

test('stepBack returns the same message again, also across sectors', () => {
  const rig = new Rig({})
  for (let i = 0; i < 40; i++) rig.publish('s', 30)
  for (let i = 1; i <= 40; i++) {
    assert.equal(rig.log.advance(), i)
    rig.log.stepBack()
    assert.equal(rig.log.advance(), i)
    rig.compare(i, rig.kept.get(i)!)
  }
  assert.equal(rig.log.advance(), 0)
  rig.log.rewind(17)
  assert.equal(rig.log.advance(), 17)
  rig.publish('s', 10)
  rig.log.rewind(41)
  assert.equal(rig.log.advance(), 41)
})

test('a full log keeps room for marks and changes nothing when it refuses', () => {
  const rig = new Rig({})
  while (rig.publish('', 60) > 0) continue
  const image = Buffer.from(rig.flash.bytes)
  assert.equal(rig.publish('', 60), ERR_FULL)
  assert.deepEqual(Buffer.from(rig.flash.bytes), image)
  for (let i = 0; i < 20; i++) assert.equal(rig.release(i % 5), OK, `mark ${i}`)
})

test('a MARK stays in force where the one of the next sector is missing', () => {
  // The power goes between a sector header and its MARK; no further MARK is written afterwards.
  for (let operation = 1; operation < 60; operation++) {
    const rig = new Rig({ sectors: 6 })
    for (let i = 0; i < 8; i++) rig.publish('', 50)
    rig.release(1)
    rig.complete(1)
    rig.flash.cutAt(operation, 'noop', 1)
    if (
      !rig.loses(() => {
        for (let i = 0; i < 30; i++) rig.publish('', 50)
      })
    )
      return
    rig.boot()
    rig.settle()
    assert.equal(rig.window.state(2), RELEASED)
    for (let i = 0; i < 30; i++) {
      rig.publish('', 30)
      rig.log.maintain()
    }
    rig.boot()
    assert.equal(rig.window.state(2), RELEASED, `cut at ${operation}`)
  }
})

test('a stuck sector is passed over, and the ring stays in order', () => {
  for (const how of ['reports', 'silent'] as const) {
    for (const places of [[2], [0], [4, 5], [7]]) {
      const rig = new Rig({ sectors: 12 })
      for (const place of places) rig.flash.stickSector(place * 512, how)
      for (let i = 0; i < 200; i++) {
        const number = rig.publishOn('stuck', 40)
        assert.ok(number > 0, `${how} ${places.join()}: ${number}`)
        rig.complete(1)
        if (i % 8 === 7) rig.mark()
        if (i % 3 === 0) rig.log.maintain()
        if (i % 20 === 19) {
          rig.mark()
          rig.boot()
          rig.settle()
        }
      }
      for (let i = 0; i < 20; i++) rig.publishOn('', 60)
      rig.settleRunning()
    }
  }
})

test('a write that fails closes the sector, and the next append goes on in the next', () => {
  const rig = new Rig({ sectors: 12 })
  for (let i = 0; i < 3; i++) rig.publish('w', 40)
  const write = rig.flash.write.bind(rig.flash)
  const sector = rig.log.writeSector
  // Half of the record gets there.
  rig.flash.write = (address, source, sourceAt) => {
    write(address, source, sourceAt, 20)
    return ERR_STORAGE
  }
  assert.equal(rig.publish('w', 40), ERR_STORAGE)
  rig.flash.write = write
  assert.ok(rig.publish('w', 40) > 0)
  assert.equal(rig.log.writeSector, sector + 1)
  rig.settleRunning()
  rig.boot()
  rig.settle()
})

test('a read that fails is reported and loses nothing', () => {
  const rig = new Rig({})
  for (let i = 0; i < 10; i++) rig.publish('r', 40)
  const read = rig.flash.read.bind(rig.flash)
  rig.flash.read = () => ERR_STORAGE
  assert.equal(rig.log.advance(), ERR_STORAGE)
  rig.flash.read = read
  assert.equal(rig.log.advance(), 1)
  rig.flash.read = () => ERR_STORAGE
  assert.equal(rig.log.load(), ERR_STORAGE)
  rig.flash.read = read
  assert.equal(rig.log.load(), OK)
  rig.settleRunning()
  assert.equal(rig.log.skippedCount, 0)
})

test('a damaged message is passed over and counted once, also after rewinding', () => {
  const rig = new Rig({})
  for (let i = 0; i < 6; i++) rig.publish('', 30)
  // Each record takes 40 bytes behind a header of 24; the third message's payload is hit.
  rig.flash.flipBit(24 + 2 * 40 + 20, 3)
  for (let round = 0; round < 3; round++) {
    rig.log.rewind(1)
    const seen: number[] = []
    for (let number = rig.log.advance(); number > 0; number = rig.log.advance()) {
      if (rig.log.load() === OK) seen.push(number)
    }
    assert.deepEqual(seen, [1, 2, 4, 5, 6])
    assert.equal(rig.log.skippedCount, 1)
  }
  rig.log.rewind(3)
  assert.equal(rig.log.advance(), 3)
  assert.equal(rig.log.load(), ERR_CORRUPT)
  assert.equal(rig.log.advance(), 4)
})

test('a flipped length in the sector being written costs one message at a boot, counted', () => {
  for (const bit of [0, 3, 4, 7]) {
    for (const byte of [4, 5]) {
      const rig = new Rig({})
      for (let i = 0; i < 12; i++) rig.publish('', 30)
      rig.flash.flipBit(24 + 4 * 40 + byte, bit) // type and length of the fifth message
      rig.boot()
      const seen: number[] = []
      for (let number = rig.log.advance(); number > 0; number = rig.log.advance()) {
        if (rig.log.load() === OK) seen.push(number)
      }
      assert.deepEqual(seen, [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12], `byte ${byte}, bit ${bit}`)
      assert.equal(rig.log.skippedCount, 1)
      assert.equal(rig.log.nextNumber, 13)
    }
  }
})

test('a hash that two topics share mixes nothing up', () => {
  const rig = new Rig({})
  // CRC-32 of "plumless" and "buckeroo" is the same, 0x4DDB0C25.
  assert.equal(
    rig.system.crc32(Buffer.from('plumless'), 0, 8),
    rig.system.crc32(Buffer.from('buckeroo'), 0, 8),
  )
  for (let i = 0; i < 6; i++) rig.publish(i % 2 === 0 ? 'plumless' : 'buckeroo', 5)
  rig.settleRunning()
  rig.boot()
  rig.publish('buckeroo', 5)
  rig.publish('plumless', 5)
  rig.settle()
})

test('a topic is stored once a sector, and its number is found again after a boot', () => {
  const rig = new Rig({ eraseSize: 4096 })
  for (let i = 0; i < 10; i++) rig.publish('a/long/name/of/a/topic', 4)
  // A sector's header, the topic, and ten messages.
  assert.equal(rig.flash.counters.writes, 12)
  rig.boot()
  const { writes } = rig.flash.counters
  rig.publish('a/long/name/of/a/topic', 4)
  assert.equal(rig.flash.counters.writes - writes, 1)
  for (let i = 0; i < 30; i++) rig.publish(`number/${i}`, 1)
  rig.settleRunning()
})

test('the number of a damaged topic is not given to another one', () => {
  const rig = new Rig({ eraseSize: 1024 })
  rig.publish('first', 6)
  rig.publish('second', 6)
  rig.publish('second', 6)
  // Header 24, TOPIC 12, MESSAGE 16, and then the TOPIC record of the second one.
  rig.flash.flipBit(24 + 12 + 16 + 8, 1)
  rig.boot()
  rig.publish('third', 6)
  rig.log.rewind(1)
  const statuses: number[] = []
  for (let number = rig.log.advance(); number > 0; number = rig.log.advance()) {
    assert.equal(rig.log.load(), OK)
    const named = rig.log.buffer[rig.log.loadedAt] & 0x7f
    statuses.push(named === 0 ? 1 : rig.log.loadTopic(named))
  }
  assert.deepEqual(statuses, [OK, ERR_CORRUPT, ERR_CORRUPT, 1])
})

test('a hook that fails leaves no byte, and the log goes on', () => {
  const hooks = new XorHooks()
  const rig = new Rig({ hooks })
  for (let i = 0; i < 5; i++) rig.publish('h', 20)
  const sector = rig.log.writeSector
  hooks.fails = true
  const image = Buffer.from(rig.flash.bytes)
  assert.equal(rig.publish('h', 20), ERR_HOOK)
  assert.equal(rig.publish('new/topic', 20), ERR_HOOK)
  assert.equal(rig.mark(), ERR_HOOK)
  assert.deepEqual(Buffer.from(rig.flash.bytes), image)
  hooks.fails = false
  assert.ok(rig.publish('h', 20) > 0)
  assert.equal(rig.log.writeSector, sector)
  rig.boot()
  rig.settle()
})

test('behind ChaCha20-Poly1305 all is restored, and no plain text is on the flash', () => {
  const hooks = chacha20poly1305Hooks(Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1))
  const rig = new Rig({ eraseSize: 1024, hooks })
  const topic = 'secret/topic/name'
  for (let i = 0; i < 60; i++) {
    rig.publishOn(topic, 40, i % 4 === 0)
    if (i % 9 === 8) rig.boot()
    if (i % 9 === 8) rig.settle()
  }
  rig.release(2)
  rig.boot()
  rig.settle()
  const image = Buffer.from(rig.flash.bytes)
  assert.equal(image.indexOf(topic), -1)
  for (const kept of rig.kept.values()) {
    const body = Buffer.from(Array.from({ length: 8 }, (_, i) => (kept.serial * 31 + i * 7) & 0xff))
    assert.equal(image.indexOf(body), -1)
  }
  // Another key reads nothing, and nothing false.
  const other = new Rig({ eraseSize: 1024, hooks: chacha20poly1305Hooks(new Uint8Array(32)) })
  other.flash.restore(rig.flash.snapshot())
  other.boot()
  while (other.log.advance() > 0) assert.equal(other.log.load(), ERR_HOOK)
  assert.equal(other.window.state(3), QUEUED)
})
