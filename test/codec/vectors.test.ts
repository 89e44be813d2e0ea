/** The table of packets through encoder, decoder and mqtt-packet; cut short and cramped. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, ReceivedPacket } from '../../src/codec/decode.js'
import { ERR_SPACE } from '../../src/codec/protocol.js'
import { oracleMeaning, oracleRead } from './oracle.js'
import { assertInside, assertStatus, decodeSurrounded, meaningOf } from './support.js'
import { vectors } from './vectors.js'

const packet = new ReceivedPacket()

for (const vector of vectors) {
  const { name, version, bytes, write, received, oracle } = vector

  if (write) {
    test(`writes ${name}`, () => {
      const target = new Uint8Array(bytes.length + 8).fill(0xa5)
      assert.equal(write(target, 3), 3 + bytes.length)
      assert.deepEqual(target.subarray(3, 3 + bytes.length), bytes)
      assert.deepEqual([...target.subarray(0, 3)], [0xa5, 0xa5, 0xa5])
      assert.deepEqual([...target.subarray(3 + bytes.length)], [0xa5, 0xa5, 0xa5, 0xa5, 0xa5])
    })

    test(`writes nothing outside a target too small for ${name}`, () => {
      for (let size = 0; size < bytes.length; size++) {
        // A view into a larger buffer: what is written beyond it would be seen.
        const memory = new Uint8Array(bytes.length + 8).fill(0xa5)
        const target = memory.subarray(4, 4 + size)
        assert.equal(write(target, 0), ERR_SPACE, `size ${size}`)
        assert(memory.subarray(4 + size).every((byte) => byte === 0xa5))
        assert(memory.subarray(0, 4).every((byte) => byte === 0xa5))
      }
      const target = new Uint8Array(bytes.length)
      assert.equal(write(target, 1), ERR_SPACE)
      assert.equal(write(target, 0), bytes.length)
    })
  }

  if (received) {
    test(`reads ${name}`, () => {
      const { status, source } = decodeSurrounded(packet, bytes, version)
      assert.equal(status, 0)
      assertInside(packet, 5, 5 + bytes.length)
      assert.deepEqual(meaningOf(packet, source), received)
    })

    test(`does not take the beginning for the whole of ${name}`, () => {
      for (let size = 0; size < bytes.length; size++) {
        assert.equal(decode(packet, bytes, 0, size, version), -0x81, `size ${size}`)
        // The same with a Remaining Length that fits: legal at times, but never out of bounds.
        const short = bytes.slice(0, size)
        if (size >= 2) short[1] = size - 2
        const { status } = decodeSurrounded(packet, short, version)
        assertStatus(status)
        if (status === 0) assertInside(packet, 5, 5 + size)
      }
    })
  }

  // It cannot read an AUTH without a body.
  if (name !== 'AUTH, success in the short form') {
    test(`mqtt-packet agrees about ${name}`, () => {
      const read = oracleRead(bytes, version)
      if (received) {
        assert.deepEqual(oracleMeaning(read), received)
      }
      if (oracle) {
        for (const [key, value] of Object.entries(oracle)) assert.deepEqual(read[key], value, key)
      }
    })
  }
}
