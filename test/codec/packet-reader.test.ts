/** PacketReader: the same packets come out however the bytes come in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PacketReader } from '../../src/codec/packet-reader.js'
import { V311, V5 } from '../../src/codec/protocol.js'
import { randomTest } from './chance.js'
import { bytes, system } from './support.js'
import { vectors } from './vectors.js'

/** Feeds all of `stream` in slices of the sizes `sliceSize` gives; returns the packets read. */
function readAll(
  reader: PacketReader,
  stream: Uint8Array,
  sliceSize: () => number,
  isHeld: () => boolean = () => false,
): string[] {
  const packets: string[] = []
  for (let fed = 0; fed < stream.length || reader.next() > 0;) {
    const room = reader.room()
    assert(room >= 0 && reader.readAt + room <= reader.bytes.length)
    const count = Math.min(room, sliceSize(), stream.length - fed)
    reader.bytes.set(stream.subarray(fed, fed + count), reader.readAt)
    reader.received(count)
    fed += count
    for (;;) {
      const size = reader.next()
      assert(size >= 0, `result ${size}`)
      if (size === 0) {
        // What is not complete must be able to become so.
        assert(fed === stream.length || reader.room() > 0, 'stuck')
        break
      }
      assert.equal(reader.next(), size, 'next may be asked again')
      const at = reader.packetAt
      if (isHeld() && fed < stream.length) {
        reader.room()
        assert.equal(reader.packetAt, at, 'a held packet does not move')
        break
      }
      packets.push(Buffer.from(reader.bytes.subarray(at, at + size)).toString('hex'))
      reader.consume()
    }
  }
  return packets
}

for (const version of [V311, V5]) {
  const parts = vectors.filter((vector) => vector.version === version).map(({ bytes }) => bytes)
  const stream = Buffer.concat([...parts, ...parts])
  const expected = [...parts, ...parts].map((part) => Buffer.from(part).toString('hex'))
  const largest = Math.max(...parts.map((part) => part.length))

  test(`reads all packets of version ${version} from slices of every size`, () => {
    for (let size = 1; size <= largest + 5; size++) {
      for (const capacity of [largest, largest + 1, largest * 2, stream.length]) {
        const reader = new PacketReader(new Uint8Array(capacity), version, system)
        assert.deepEqual(
          readAll(reader, stream, () => size),
          expected,
        )
      }
    }
  })

  randomTest(
    `reads all packets of version ${version} from random slices, some packets held`,
    'packet-reader.test.js',
    (chance) => {
      for (let run = 0; run < 200; run++) {
        const capacity = largest + chance.below(2 * largest)
        const reader = new PacketReader(new Uint8Array(capacity), version, system)
        const read = readAll(
          reader,
          stream,
          () => chance.between(1, capacity),
          () => chance.happens(4),
        )
        assert.deepEqual(read, expected)
      }
    },
  )
}

function feed(notation: string, capacity: number, version: number): number {
  const reader = new PacketReader(new Uint8Array(capacity), version, system)
  let result = 0
  for (const byte of bytes(notation)) {
    if (reader.room() === 0 || result !== 0) return result
    reader.bytes[reader.readAt] = byte
    reader.received(1)
    result = reader.next()
  }
  return result
}

test('a packet is refused as soon as its header shows that it is too large', () => {
  assert.equal(feed('30 0e', 16, V5), 0)
  assert.equal(feed('30 0f', 16, V5), -0x95)
  assert.equal(feed('30 ff ff ff 7f', 16, V5), -0x95)
  assert.equal(feed('30 7e', 128, V311), 0)
  assert.equal(feed('30 7f', 128, V311), -0x95)
})

test('a packet exactly as large as the buffer is read', () => {
  assert.equal(feed('30 0e 00 01 "t" 00 "0123456789"', 16, V5), 16)
})

test('a Remaining Length is refused with the byte that spoils it', () => {
  assert.equal(feed('30 80 80 80', 16, V5), 0)
  assert.equal(feed('30 80 80 80 80', 16, V5), -0x81)
  assert.equal(feed('d0 80 00', 16, V5), -0x81) // [MQTT-1.5.5-1]
  assert.equal(feed('d0 80 00', 16, V311), 3)
})

test('a reserved packet type is refused with its first byte', () => {
  assert.equal(feed('00', 16, V5), -0x81)
  assert.equal(feed('0f', 16, V311), -0x81)
  assert.equal(feed('f0', 16, V311), -0x81)
  assert.equal(feed('f0', 16, V5), 0)
})

test('reset forgets half a packet and a held one', () => {
  const reader = new PacketReader(new Uint8Array(8), V5, system)
  reader.bytes.set(bytes('d0 00 30 05'), 0)
  reader.received(4)
  assert.equal(reader.next(), 2)
  reader.reset()
  assert.equal(reader.room(), 8)
  assert.equal(reader.next(), 0)
  assert.equal(reader.readAt, 0)
})
