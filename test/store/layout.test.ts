/** The bytes of sector headers and records, as docs/FLASH-FORMAT.md draws them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from './crc32-oracle.js'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { COMPLETE, ExchangeWindow, RELEASED } from '../../src/store/exchange-window.js'
import { FlashLog } from '../../src/store/flash-log.js'
import { MessageSource } from '../../src/store/message-record.js'
import {
  HEADER_BLANK,
  HEADER_DAMAGED,
  HEADER_FORMAT,
  HEADER_VALID,
  SectorHeader,
} from '../../src/store/flash-sector.js'

const STORE_ID = 0xa1b2c3d4

function makeLog(writeSize: number): { log: FlashLog; flash: NorFlash; window: ExchangeWindow } {
  const flash = new NorFlash({ capacity: 8192, eraseSize: 1024, writeSize })
  const log = new FlashLog(flash, 0, 8, 1, new ManualSystem(1), new Uint8Array(256), null, 32)
  const window = new ExchangeWindow()
  log.mount(STORE_ID, 5, window)
  return { log, flash, window }
}

function hex(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString('hex')
}

function uint32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0')
}

/** A sealed record in hex: the check over type, length and body, and the key of its place. */
function record(
  type: number,
  body: string,
  sequence: number,
  offset: number,
  number: number,
): string {
  const head = ((type << 13) | (body.length / 2)).toString(16).padStart(4, '0')
  const key =
    STORE_ID ^
    (1 << 28) ^
    (sequence << 12) ^
    offset ^
    Number((BigInt(number) * 1540483n) & 0xffffffffn)
  return uint32(crc32(Buffer.from(head + body, 'hex')) ^ key) + head + body
}

test('a sector header has the fields of section 2, and a check over them', () => {
  const { log, flash } = makeLog(16)
  log.buffer.set([1, 2, 3], log.bodyAt)
  assert.equal(log.append(3), 1)
  const fields = '4846' + '01' + '01' + uint32(STORE_ID) + '00000001' + '00000001' + '00000001'
  const check = uint32(crc32(Buffer.from(fields, 'hex')))
  assert.equal(hex(flash.bytes, 0, 32), fields + check + 'ff'.repeat(8))
  assert.equal(hex(flash.bytes, 32, 48), record(1, '010203', 1, 32, 1) + 'ff'.repeat(7))
  assert.equal(hex(flash.bytes, 48, 64), 'ff'.repeat(16))
})

test('TOPIC, CONTEXT, MESSAGE and MARK stand one behind the other as section 4 has them', () => {
  const { log, flash, window } = makeLog(4)
  assert.equal(log.reserve(40), 0)
  const topic = Buffer.from('a/b')
  assert.equal(log.topicNumber(new MessageSource(topic, new Uint8Array(0))), 1)
  assert.equal(log.timeDelta(1700000000), 0)
  assert.equal(log.timeDelta(1700000009), 9)
  log.buffer.set([0x51, 0x52], log.bodyAt)
  assert.equal(log.append(2), 1)
  assert.equal(log.append(0), 2)
  window.setState(1, RELEASED)
  window.setState(2, COMPLETE)
  assert.equal(log.writeMark(window), 0)
  let expected = ''
  const add = (type: number, body: string, number: number): void => {
    const bytes = record(type, body, 1, 24 + expected.length / 2, number)
    expected += bytes + 'ff'.repeat((4 - ((bytes.length / 2) & 3)) & 3)
  }
  add(3, '01' + topic.toString('hex'), 0)
  add(4, uint32(1700000000), 0)
  add(1, '5152', 1)
  add(1, '', 2)
  add(2, '00000001' + '06', 0)
  assert.equal(hex(flash.bytes, 24, 24 + expected.length / 2), expected)
  assert.equal(flash.bytes[24 + expected.length / 2], 0xff)
})

test('a header place is told blank, valid, damaged or foreign, a flipped bit or not', () => {
  const system = new ManualSystem(1)
  const header = new SectorHeader()
  header.region = 1
  header.flags = 0x10
  header.storeId = STORE_ID
  header.sequence = 0xffffffff
  header.firstNumber = 0x80000001
  header.base = 7
  header.encode(system)
  const kept = header.bytes.slice()
  const read = new SectorHeader()
  const decode = (bytes: Uint8Array): number => {
    read.bytes.set(bytes)
    return read.decode(system)
  }
  assert.equal(decode(kept), HEADER_VALID)
  assert.deepEqual(
    [read.region, read.flags, read.storeId, read.sequence, read.firstNumber, read.base],
    [1, 0x10, STORE_ID, 0xffffffff, 0x80000001, 7],
  )
  assert.equal(decode(new Uint8Array(32).fill(0xff)), HEADER_BLANK)
  assert.equal(decode(new Uint8Array(32)), HEADER_DAMAGED)
  for (let bit = 0; bit < 24 * 8; bit++) {
    const flipped = kept.slice()
    flipped[bit >> 3] ^= 1 << (bit & 7)
    // One flipped bit is put right.
    assert.equal(decode(flipped), HEADER_VALID, `bit ${bit}`)
    assert.deepEqual([read.flags, read.sequence, read.base], [0x10, 0xffffffff, 7], `bit ${bit}`)
    flipped[(bit >> 3) ^ 1] ^= 1 << (bit & 7)
    assert.equal(decode(flipped), HEADER_DAMAGED, `bit ${bit} and its neighbour's`)
  }
  const newer = kept.slice()
  newer[2] = 2
  Buffer.from(newer.buffer).writeUInt32BE(crc32(newer.subarray(0, 20)), 20)
  assert.equal(decode(newer), HEADER_FORMAT)
})
