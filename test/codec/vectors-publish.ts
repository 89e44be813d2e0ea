/** PUBLISH and its acknowledgements, byte by byte. */
import { writeAck } from '../../src/codec/encode.js'
import { V311, V5 } from '../../src/codec/protocol.js'
import { bytes, writePublish, type Vector } from './support.js'

const data = Uint8Array.of(0xde, 0xad)

export const publishVectors: Vector[] = [
  {
    name: 'PUBLISH of 3.1.1, QoS 0, empty payload',
    version: V311,
    bytes: bytes(`
      30 05           ; PUBLISH, Remaining Length 5
      00 03 "a/b"     ; topic
    `),
    write: (target, at) =>
      writePublish(target, at, { topic: 'a/b', payload: new Uint8Array(0) }, V311),
    received: { type: 3, topic: 'a/b', payload: '' },
  },
  {
    name: 'PUBLISH of 3.1.1, QoS 2, DUP, RETAIN, packet identifier 65535',
    version: V311,
    bytes: bytes(`
      3d 0b                 ; PUBLISH, DUP, QoS 2, RETAIN, Remaining Length 11
      00 05 "a" c3 a9 "/b"  ; topic with U+00E9
      ff ff                 ; Packet Identifier 65535
      de ad                 ; payload
    `),
    write: (target, at) =>
      writePublish(
        target,
        at,
        { topic: 'aé/b', payload: data, qos: 2, dup: true, retain: true, packetId: 65535 },
        V311,
      ),
    received: {
      type: 3,
      dup: 1,
      qos: 2,
      retain: 1,
      packetId: 65535,
      topic: 'aé/b',
      payload: 'dead',
    },
  },
  {
    name: 'PUBLISH of 5, QoS 1, packet identifier 1, no properties',
    version: V5,
    bytes: bytes(`
      32 08           ; PUBLISH, QoS 1, Remaining Length 8
      00 01 "t"       ; topic
      00 01           ; Packet Identifier 1
      00              ; Property Length
      de ad           ; payload
    `),
    write: (target, at) =>
      writePublish(target, at, { topic: 't', payload: data, qos: 1, packetId: 1 }, V5),
    received: { type: 3, qos: 1, packetId: 1, topic: 't', payload: 'dead' },
  },
  {
    name: 'PUBLISH of 5 with every property a client may send, no topic but an alias',
    version: V5,
    bytes: bytes(`
      30 27                 ; PUBLISH, Remaining Length 39
      00 00                 ; no topic
      22                    ; Property Length 34
      01 01                 ; Payload Format Indicator
      02 00 00 00 3c        ; Message Expiry Interval 60 s
      03 00 04 "json"       ; Content Type
      08 00 01 "r"          ; Response Topic
      09 00 02 de ad        ; Correlation Data
      23 00 07              ; Topic Alias 7
      26 00 01 "k" 00 02 "vv"   ; User Property
      de ad                 ; payload
    `),
    write: (target, at) =>
      writePublish(
        target,
        at,
        {
          topic: '',
          payload: data,
          properties: {
            payloadFormatIndicator: 1,
            messageExpiryInterval: 60,
            contentType: 'json',
            responseTopic: 'r',
            correlationData: data,
            topicAlias: 7,
            userProperties: [['k', 'vv']],
          },
        },
        V5,
      ),
    received: {
      type: 3,
      topic: '',
      payload: 'dead',
      properties: {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 60,
        contentType: 'json',
        responseTopic: 'r',
        correlationData: data,
        topicAlias: 7,
        userProperties: [['k', 'vv']],
      },
    },
  },
  {
    name: 'PUBLISH of 5 with Subscription Identifiers of one to four bytes',
    version: V5,
    bytes: bytes(`
      31 14                 ; PUBLISH, RETAIN, Remaining Length 20
      00 01 "t"             ; topic
      0e                    ; Property Length 14
      0b 01                 ; Subscription Identifier 1
      0b 80 01              ; Subscription Identifier 128
      0b 80 80 01           ; Subscription Identifier 16384
      0b ff ff ff 7f        ; Subscription Identifier 268435455
      de ad                 ; payload
    `),
    received: {
      type: 3,
      retain: 1,
      topic: 't',
      payload: 'dead',
      properties: { subscriptionIdentifiers: [1, 128, 16384, 268435455] },
    },
  },
]

/** The four acknowledgements of PUBLISH differ in the first byte alone. */
export const ackVectors: Vector[] = (
  [
    ['PUBACK', 4, '40', '87'],
    ['PUBREC', 5, '50', '87'],
    ['PUBREL', 6, '62', '92'],
    ['PUBCOMP', 7, '70', '92'],
  ] as const
).flatMap(([name, type, first, reason]): Vector[] => [
  {
    name: `${name} of 3.1.1`,
    version: V311,
    bytes: bytes(`
      ${first} 02     ; ${name}, Remaining Length 2
      12 34           ; Packet Identifier
    `),
    write: (target, at) => writeAck(target, at, type, 0x1234, 0, V311),
    received: { type, packetId: 0x1234 },
  },
  {
    name: `${name} of 5, success in the short form`,
    version: V5,
    bytes: bytes(`
      ${first} 02     ; ${name}, Remaining Length 2
      00 01           ; Packet Identifier
    `),
    write: (target, at) => writeAck(target, at, type, 1, 0, V5),
    received: { type, packetId: 1 },
  },
  {
    name: `${name} of 5 with a Reason Code`,
    version: V5,
    bytes: bytes(`
      ${first} 03     ; ${name}, Remaining Length 3
      ff ff           ; Packet Identifier
      ${reason}       ; Reason Code
    `),
    write: (target, at) => writeAck(target, at, type, 65535, parseInt(reason, 16), V5),
    received: { type, packetId: 65535, reasonCode: parseInt(reason, 16) },
  },
  {
    name: `${name} of 5 with properties`,
    version: V5,
    bytes: bytes(`
      ${first} 10               ; ${name}, Remaining Length 16
      00 02                     ; Packet Identifier
      00                        ; success
      0c                        ; Property Length 12
      1f 00 02 "no"             ; Reason String
      26 00 01 "k" 00 01 "v"    ; User Property
    `),
    received: {
      type,
      packetId: 2,
      properties: { reasonString: 'no', userProperties: [['k', 'v']] },
    },
  },
])
