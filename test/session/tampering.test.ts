/** What an attacker did to the chip is told at the first poll; an old chip whole is not noticed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chacha20poly1305Hooks } from '../../hal/encryption.js'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { ERR_CORRUPT, statusText } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { Attacker } from '../store/attacker.js'
import { Desk } from './desk.js'

const KEY = new Uint8Array(32).fill(7)
const SECTOR = 1024
let boots = 0

function boot(flash: NorFlash, key = KEY): Desk {
  const system = new ManualSystem(++boots)
  const storage = new FlashStore(flash, system, { hooks: chacha20poly1305Hooks(key) })
  return new Desk({ storage, inFlightLimit: 64 }, system)
}

function board(image: Uint8Array | null = null): NorFlash {
  const enforceWriteOnce = image === null
  const flash = new NorFlash({
    capacity: 16 * SECTOR,
    eraseSize: SECTOR,
    writeSize: 4,
    enforceWriteOnce,
  })
  if (image !== null) flash.bytes.set(image)
  return flash
}

function fill(count: number): NorFlash {
  const flash = board()
  const desk = boot(flash)
  for (let n = 0; n < count; n++) assert.ok(desk.client.publish('t', `${n}`, { qos: 1 }) > 0)
  boot(flash)
  return flash
}

test('a sector that was deleted: its messages are dropped one by one, the others sent', () => {
  const flash = fill(50)
  const attacker = new Attacker(flash.bytes, SECTOR)
  const sector = attacker.logSectors()[1]
  const gone = attacker.records(sector).filter(({ type }) => type === 1).length
  attacker.blank(sector)
  const desk = boot(board(attacker.bytes))
  desk.connect()
  assert.ok(gone > 5)
  assert.equal(desk.sent().length, 50 - gone)
  const drops = desk.of('message.dropped')
  assert.equal(drops.length, gone)
  assert.ok(drops.every(({ status }) => status === ERR_CORRUPT))
  assert.equal(desk.client.stats.dropped.damaged, gone)
})

test('a log that lost its end, and a forged mark, are told at the first poll', () => {
  const flash = fill(30)
  for (const attack of ['end', 'mark'] as const) {
    const attacker = new Attacker(flash.bytes, SECTOR)
    const sector = attacker.logSectors()[attacker.logSectors().length - 1]
    const records = attacker.records(sector)
    const last = records[records.length - 1]
    if (attack === 'end') attacker.blank(sector, last.at)
    else {
      const mark = new Uint8Array(20)
      new DataView(mark.buffer).setUint32(0, 31)
      attacker.put(sector, last.at + ((6 + last.stored.length + 3) & ~3), 2, mark)
    }
    const desk = boot(board(attacker.bytes))
    desk.connect()
    const told = desk.of('storage.failed')
    assert.equal(told.length, 1, attack)
    assert.equal(told[0].status, ERR_CORRUPT)
    const missing = attack === 'end' ? 1 : 0
    assert.equal(desk.sent().length, 30 - missing)
    assert.equal(desk.of('message.dropped').length, missing)
  }
})

test('an untouched store tells nothing', () => {
  const desk = boot(fill(30))
  desk.connect()
  assert.equal(desk.sent().length, 30)
  assert.equal(desk.of('storage.failed').length + desk.of('message.dropped').length, 0)
})

test('a lost key is named by the exception, and a store of another key', () => {
  const flash = fill(3)
  const hooks = chacha20poly1305Hooks({ keys: { 2: KEY }, current: 2 })
  const system = new ManualSystem(++boots)
  const storage = new FlashStore(flash, system, { hooks })
  assert.throws(() => new Desk({ storage }, system), /lack a key the store was written with/)
  assert.throws(
    () =>
      boot(
        flash,
        KEY.map(() => 9),
      ),
    new RegExp(statusText(-5008)),
  )
})
