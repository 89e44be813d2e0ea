/** Packets that must be refused: name, version, bytes, Reason Code, the statement that says so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReceivedPacket } from '../../src/codec/decode.js'
import { bytes, decodeSurrounded } from './support.js'

type Case = readonly [name: string, version: 3 | 4 | 5, notation: string, code: number, why: string]

const MALFORMED = 0x81
const PROTOCOL_ERROR = 0x82

/**
 * Version 3 in this table: the same in 3.1.1 and in 5. The statement is that of 5; where 3.1.1
 * numbers it differently, its number stands behind the slash.
 */
const cases: readonly Case[] = [
  ['nothing', 3, '', MALFORMED, '2.1'],
  ['one byte', 3, 'd0', MALFORMED, '2.1.4'],
  ['a Remaining Length of five bytes', 3, '30 80 80 80 80 01', MALFORMED, '1.5.5'],
  ['a Remaining Length longer than needed', 5, 'd0 80 00', MALFORMED, 'MQTT-1.5.5-1'],
  ['more bytes than the Remaining Length', 3, '40 02 00 01 00', MALFORMED, '2.1.4'],
  ['fewer bytes than the Remaining Length', 3, '40 03 00 01', MALFORMED, '2.1.4'],
  ['packet type 0', 3, '00 00', MALFORMED, '2.1.2'],
  ['packet type 15 in 3.1.1', 4, 'f0 00', MALFORMED, '2.2.1'],
  ['CONNECT', 4, '10 0c 00 04 "MQTT" 04 02 00 00 00 00', PROTOCOL_ERROR, '2.1.2'],
  ['SUBSCRIBE', 4, '82 06 00 01 00 01 "a" 00', PROTOCOL_ERROR, '2.1.2'],
  ['UNSUBSCRIBE', 4, 'a2 05 00 01 00 01 "a"', PROTOCOL_ERROR, '2.1.2'],
  ['PINGREQ', 3, 'c0 00', PROTOCOL_ERROR, '2.1.2'],
  ['DISCONNECT in 3.1.1', 4, 'e0 00', PROTOCOL_ERROR, '2.2.1'],

  ['CONNACK with a header flag', 3, '21 02 00 00', MALFORMED, 'MQTT-2.1.3-1 / MQTT-2.2.2-2'],
  ['CONNACK cut after the flags', 3, '20 01 00', MALFORMED, '3.2.2'],
  ['CONNACK without a Property Length', 5, '20 02 00 00', MALFORMED, '3.2.2.3'],
  ['CONNACK with a reserved flag', 5, '20 03 02 00 00', MALFORMED, 'MQTT-3.2.2-1'],
  ['CONNACK with a reserved flag in 3.1.1', 4, '20 02 80 00', MALFORMED, '3.2.2.1'],
  ['Session Present with an error', 5, '20 03 01 87 00', PROTOCOL_ERROR, 'MQTT-3.2.2-6'],
  ['Session Present with an error in 3.1.1', 4, '20 02 01 02', PROTOCOL_ERROR, 'MQTT-3.2.2-4'],
  ['return code 6 of 3.1.1', 4, '20 02 00 06', PROTOCOL_ERROR, '3.2.2.3'],
  ['Reason Code 0x92 in CONNACK', 5, '20 03 00 92 00', PROTOCOL_ERROR, 'MQTT-3.2.2-8'],
  ['Reason Code 1 in CONNACK', 5, '20 03 00 01 00', PROTOCOL_ERROR, 'MQTT-3.2.2-8'],
  ['Reason Code 0xA0 in CONNACK', 5, '20 03 00 a0 00', PROTOCOL_ERROR, 'MQTT-3.2.2-8'],
  ['CONNACK of 3.1.1 with bytes behind', 4, '20 03 00 00 00', MALFORMED, '3.2.1'],
  ['CONNACK of 5 with bytes behind', 5, '20 04 00 00 00 00', MALFORMED, '3.2.2.3'],
  ['CONNACK with Receive Maximum 0', 5, '20 06 00 00 03 21 00 00', PROTOCOL_ERROR, '3.2.2.3.3'],
  ['CONNACK with Maximum QoS 2', 5, '20 05 00 00 02 24 02', PROTOCOL_ERROR, '3.2.2.3.4'],
  ['Retain Available 2', 5, '20 05 00 00 02 25 02', PROTOCOL_ERROR, '3.2.2.3.5'],
  ['Maximum Packet Size 0', 5, '20 08 00 00 05 27 00 00 00 00', PROTOCOL_ERROR, '3.2.2.3.6'],
  ['Wildcard Available 2', 5, '20 05 00 00 02 28 02', PROTOCOL_ERROR, '3.2.2.3.11'],
  ['Identifiers Available 255', 5, '20 05 00 00 02 29 ff', PROTOCOL_ERROR, '3.2.2.3.12'],
  ['Shared Available 2', 5, '20 05 00 00 02 2a 02', PROTOCOL_ERROR, '3.2.2.3.13'],
  ['a property twice', 5, '20 09 00 00 06 13 00 01 13 00 01', PROTOCOL_ERROR, '3.2.2.3.14'],
  ['one above 31 twice', 5, '20 07 00 00 04 24 01 24 01', PROTOCOL_ERROR, '3.2.2.3.4'],
  ['reason 31 twice', 5, '20 09 00 00 06 1f 00 00 1f 00 00', PROTOCOL_ERROR, '3.2.2.3.9'],
  ['a Topic Alias in CONNACK', 5, '20 06 00 00 03 23 00 01', MALFORMED, '2.2.2.2'],
  ['an unknown property', 5, '20 05 00 00 02 04 00', MALFORMED, '2.2.2.2'],
  ['property 0', 5, '20 05 00 00 02 00 00', MALFORMED, '2.2.2.2'],
  ['property 43', 5, '20 05 00 00 02 2b 00', MALFORMED, '2.2.2.2'],
  ['a property identifier of two bytes', 5, '20 06 00 00 03 a4 00 01', MALFORMED, '2.2.2.2'],
  ['a property cut off', 5, '20 05 00 00 02 13 00', MALFORMED, '2.2.2'],
  ['a string longer than the properties', 5, '20 06 00 00 03 1f 00 01', MALFORMED, '2.2.2'],
  ['a pair without value', 5, '20 08 00 00 05 26 00 01 "a" 00', MALFORMED, '1.5.7'],
  ['a length cut in half', 5, '20 05 00 00 02 1f 00', MALFORMED, '1.5.4'],
  ['properties longer than the packet', 5, '20 04 00 00 02 24', MALFORMED, '2.2.2.1'],
  ['a Property Length longer than needed', 5, '20 04 00 00 80 00', MALFORMED, 'MQTT-1.5.5-1'],
  ['a Property Length cut off', 5, '20 03 00 00 80', MALFORMED, '1.5.5'],
  ['a string without a length', 5, '20 04 00 00 01 1f', MALFORMED, '1.5.4'],
  ['a string with U+0000', 5, '20 07 00 00 04 1f 00 01 00', MALFORMED, 'MQTT-1.5.4-2'],
  ['a pair with a bad name', 5, '20 09 00 00 06 26 00 01 ff 00 00', MALFORMED, 'MQTT-1.5.7-1'],
  ['a pair with a bad value', 5, '20 09 00 00 06 26 00 00 00 01 ff', MALFORMED, 'MQTT-1.5.7-1'],

  ['PUBLISH with QoS 3', 3, '36 05 00 01 "t" 00 01', MALFORMED, 'MQTT-3.3.1-4'],
  ['PUBLISH with DUP and QoS 0', 3, '38 04 00 01 "t" 00', MALFORMED, 'MQTT-3.3.1-2'],
  ['PUBLISH without a topic length', 3, '30 01 00', MALFORMED, '3.3.2.1'],
  ['PUBLISH with the topic cut off', 3, '30 03 00 02 "t"', MALFORMED, '3.3.2.1'],
  ['PUBLISH to a/#', 3, '30 06 00 03 "a/#" 00', MALFORMED, 'MQTT-3.3.2-2'],
  ['PUBLISH to +', 3, '30 04 00 01 "+" 00', MALFORMED, 'MQTT-3.3.2-2'],
  [
    'PUBLISH with U+0000 in the topic',
    3,
    '30 04 00 01 00 00',
    MALFORMED,
    'MQTT-1.5.4-2 / MQTT-1.5.3-2',
  ],
  [
    'PUBLISH with half a surrogate pair',
    3,
    '30 06 00 03 ed a0 80 00',
    MALFORMED,
    'MQTT-1.5.4-1 / MQTT-1.5.3-1',
  ],
  [
    'PUBLISH with an over-long form',
    3,
    '30 05 00 02 c0 af 00',
    MALFORMED,
    'MQTT-1.5.4-1 / MQTT-1.5.3-1',
  ],
  ['PUBLISH without topic in 3.1.1', 4, '30 02 00 00', PROTOCOL_ERROR, 'MQTT-4.7.3-1'],
  ['PUBLISH without topic and alias', 5, '30 03 00 00 00', PROTOCOL_ERROR, '3.3.2.1'],
  ['PUBLISH with Topic Alias 0', 5, '30 06 00 00 03 23 00 00', 0x94, 'MQTT-3.3.2-8'],
  ['PUBLISH with identifier 0', 4, '32 05 00 01 "t" 00 00', PROTOCOL_ERROR, 'MQTT-2.3.1-1'],
  ['PUBLISH with identifier 0 in 5', 5, '32 06 00 01 "t" 00 00 00', PROTOCOL_ERROR, 'MQTT-2.2.1-4'],
  ['PUBLISH, half a packet identifier', 3, '32 04 00 01 "t" 00', MALFORMED, '3.3.2.2'],
  ['PUBLISH without Property Length', 5, '30 03 00 01 "t"', MALFORMED, '3.3.2.3.1'],
  ['payload format 2', 5, '30 06 00 01 "t" 02 01 02', PROTOCOL_ERROR, '3.3.2.3.2'],
  ['payload format twice', 5, '30 08 00 01 "t" 04 01 00 01 00', PROTOCOL_ERROR, '3.3.2.3.2'],
  ['Subscription Identifier 0', 5, '30 06 00 01 "t" 02 0b 00', PROTOCOL_ERROR, '3.3.2.3.8'],
  ['Subscription Identifier, long', 5, '30 07 00 01 "t" 03 0b 81 00', MALFORMED, 'MQTT-1.5.5-1'],
  [
    'Response Topic with a wildcard',
    5,
    '30 08 00 01 "t" 04 08 00 01 "#"',
    MALFORMED,
    'MQTT-3.3.2-14',
  ],
  ['Session Expiry in PUBLISH', 5, '30 09 00 01 "t" 05 11 00 00 00 00', MALFORMED, '2.2.2.2'],
  ['Will Delay in PUBLISH', 5, '30 09 00 01 "t" 05 18 00 00 00 00', MALFORMED, '2.2.2.2'],

  ['PUBACK with a header flag', 3, '42 02 00 01', MALFORMED, 'MQTT-2.1.3-1 / MQTT-2.2.2-2'],
  ['PUBREL without its header flag', 3, '60 02 00 01', MALFORMED, 'MQTT-3.6.1-1'],
  ['PUBREL with another header flag', 3, '63 02 00 01', MALFORMED, 'MQTT-3.6.1-1'],
  ['PUBACK with identifier 0', 3, '40 02 00 00', PROTOCOL_ERROR, 'MQTT-2.2.1-5 / MQTT-2.3.1-6'],
  ['PUBACK with half an identifier', 3, '40 01 00', MALFORMED, '3.4.2'],
  ['PUBACK of 3.1.1 with a Reason Code', 4, '40 03 00 01 00', MALFORMED, '3.4.1'],
  ['PUBACK with Reason Code 0x92', 5, '40 03 00 01 92', PROTOCOL_ERROR, 'MQTT-3.4.2-1'],
  ['PUBREC with Reason Code 0x11', 5, '50 03 00 01 11', PROTOCOL_ERROR, 'MQTT-3.5.2-1'],
  ['PUBREL with Reason Code 0x91', 5, '62 03 00 01 91', PROTOCOL_ERROR, 'MQTT-3.6.2-1'],
  ['PUBCOMP with Reason Code 0x10', 5, '70 03 00 01 10', PROTOCOL_ERROR, 'MQTT-3.7.2-1'],
  ['PUBACK with bytes behind', 5, '40 05 00 01 00 00 00', MALFORMED, '3.4.2.2'],
  ['Server Reference in PUBACK', 5, '40 07 00 01 00 03 1c 00 00', MALFORMED, '2.2.2.2'],

  ['SUBACK without codes', 4, '90 02 00 01', MALFORMED, '3.9.3'],
  ['SUBACK of 5 without codes', 5, '90 03 00 01 00', MALFORMED, '3.9.3'],
  ['SUBACK of 5 without Property Length', 5, '90 02 00 01', MALFORMED, '3.9.2.1.1'],
  ['SUBACK of 3.1.1 with code 3', 4, '90 04 00 01 00 03', PROTOCOL_ERROR, 'MQTT-3.9.3-2'],
  ['SUBACK of 3.1.1 with code 0x87', 4, '90 03 00 01 87', PROTOCOL_ERROR, 'MQTT-3.9.3-2'],
  ['SUBACK of 5 with code 3', 5, '90 04 00 01 00 03', PROTOCOL_ERROR, 'MQTT-3.9.3-2'],
  ['SUBACK of 5 with code 0xA0', 5, '90 04 00 01 00 a0', PROTOCOL_ERROR, 'MQTT-3.9.3-2'],
  ['SUBACK of 5 with code 0xA3', 5, '90 04 00 01 00 a3', PROTOCOL_ERROR, 'MQTT-3.9.3-2'],
  ['SUBACK with identifier 0', 4, '90 03 00 00 00', PROTOCOL_ERROR, 'MQTT-2.3.1-7'],
  ['UNSUBACK of 3.1.1 with a payload', 4, 'b0 03 00 01 00', MALFORMED, '3.11.3'],
  ['UNSUBACK of 5 without codes', 5, 'b0 03 00 01 00', MALFORMED, '3.11.3'],
  ['UNSUBACK of 5 with code 1', 5, 'b0 04 00 01 00 01', PROTOCOL_ERROR, 'MQTT-3.11.3-2'],

  ['PINGRESP with a body', 3, 'd0 01 00', MALFORMED, '3.13.2'],
  ['PINGRESP with a header flag', 3, 'd1 00', MALFORMED, 'MQTT-2.1.3-1 / MQTT-2.2.2-2'],
  ['DISCONNECT with a header flag', 5, 'e1 00', MALFORMED, 'MQTT-3.14.1-1'],
  ['DISCONNECT with Will, from a broker', 5, 'e0 01 04', PROTOCOL_ERROR, 'MQTT-3.14.2-1'],
  ['DISCONNECT with code 0x91', 5, 'e0 01 91', PROTOCOL_ERROR, 'MQTT-3.14.2-1'],
  ['DISCONNECT with code 0xA3', 5, 'e0 01 a3', PROTOCOL_ERROR, 'MQTT-3.14.2-1'],
  ['Session Expiry from a broker', 5, 'e0 07 00 05 11 00 00 00 00', MALFORMED, 'MQTT-3.14.2-2'],
  ['DISCONNECT with bytes behind', 5, 'e0 03 00 00 00', MALFORMED, '3.14.2.2'],
  ['AUTH with a header flag', 5, 'f1 00', MALFORMED, 'MQTT-3.15.1-1'],
  ['AUTH with a Reason Code alone', 5, 'f0 01 18', MALFORMED, '3.15.2.1'],
  ['AUTH without a method', 5, 'f0 02 18 00', PROTOCOL_ERROR, '3.15.2.2.2'],
  ['AUTH with Re-authenticate', 5, 'f0 06 19 04 15 00 01 "m"', PROTOCOL_ERROR, 'MQTT-3.15.2-1'],
]

const packet = new ReceivedPacket()

for (const [name, version, notation, code, why] of cases) {
  for (const tried of version === 3 ? [4, 5] : [version]) {
    const [five, three] = why.split(' / ')
    test(`refuses ${name} (version ${tried}; ${tried === 4 ? (three ?? five) : five})`, () => {
      const { status } = decodeSurrounded(packet, bytes(notation), tried)
      assert.equal(status, -code)
    })
  }
}

test('accepts a Remaining Length longer than needed in 3.1.1, which allows it', () => {
  assert.equal(decodeSurrounded(packet, bytes('d0 80 00'), 4).status, 0)
  assert.equal(decodeSurrounded(packet, bytes('40 82 80 00 00 07'), 4).status, 0)
  assert.equal(packet.packetId, 7)
})

test('accepts every Reason Code of the tables of MQTT 5, and no other', () => {
  const range = (low: number, high: number): number[] =>
    Array.from({ length: high - low + 1 }, (_, index) => low + index)
  const tables: [notation: string, codes: number[]][] = [
    [
      '20 03 00 CC 00',
      [0, ...range(0x80, 0x8a), 0x8c, 0x90, 0x95, 0x97, ...range(0x99, 0x9d), 0x9f],
    ],
    ['40 03 00 01 CC', [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]],
    ['50 03 00 01 CC', [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]],
    ['62 03 00 01 CC', [0, 0x92]],
    ['70 03 00 01 CC', [0, 0x92]],
    ['90 04 00 01 00 CC', [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]],
    ['b0 04 00 01 00 CC', [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]],
    [
      'e0 01 CC',
      [0, ...range(0x80, 0x83), 0x87, 0x89, 0x8b, ...range(0x8d, 0x90), ...range(0x93, 0xa2)],
    ],
    ['f0 06 CC 04 15 00 01 "m"', [0, 0x18]],
  ]
  for (const [notation, codes] of tables) {
    const accepted = range(0, 255).filter((code) => {
      const text = notation.replace('CC', code.toString(16).padStart(2, '0'))
      return decodeSurrounded(packet, bytes(text), 5).status === 0
    })
    assert.deepEqual(accepted, codes, notation)
  }
})
