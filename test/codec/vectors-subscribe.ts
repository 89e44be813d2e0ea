/** SUBSCRIBE, UNSUBSCRIBE and their answers, byte by byte. */
import { writeSubscribe, writeUnsubscribe } from '../../src/codec/encode.js'
import { V311, V5 } from '../../src/codec/protocol.js'
import { bytes, type Vector } from './support.js'

export const subscribeVectors: Vector[] = [
  {
    name: 'SUBSCRIBE of 3.1.1 leaves out the options of 5',
    version: V311,
    bytes: bytes(`
      82 0c           ; SUBSCRIBE, Remaining Length 12
      00 01           ; Packet Identifier
      00 01 "#"       ; filter
      02              ; QoS 2
      00 03 "a/+"     ; filter
      00              ; QoS 0
    `),
    write: (target, at) =>
      writeSubscribe(
        target,
        at,
        1,
        [
          { filter: '#', qos: 2, noLocal: true, retainHandling: 2 },
          { filter: 'a/+', qos: 0 },
        ],
        null,
        V311,
      ),
    oracle: {
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [
        { topic: '#', qos: 2 },
        { topic: 'a/+', qos: 0 },
      ],
    },
  },
  {
    name: 'SUBSCRIBE of 5 with every option and property',
    version: V5,
    bytes: bytes(`
      82 19                     ; SUBSCRIBE, Remaining Length 25
      ff ff                     ; Packet Identifier 65535
      0a                        ; Property Length 10
      0b 80 01                  ; Subscription Identifier 128
      26 00 01 "k" 00 01 "v"    ; User Property
      00 03 "a/b"               ; filter
      2d                        ; Retain Handling 2, Retain As Published, No Local, QoS 1
      00 03 "c/#"               ; filter
      00                        ; nothing set, QoS 0
    `),
    write: (target, at) =>
      writeSubscribe(
        target,
        at,
        65535,
        [
          { filter: 'a/b', qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 },
          { filter: 'c/#', qos: 0 },
        ],
        { subscriptionIdentifier: 128, userProperties: [['k', 'v']] },
        V5,
      ),
    oracle: {
      cmd: 'subscribe',
      messageId: 65535,
      subscriptions: [
        { topic: 'a/b', qos: 1, nl: true, rap: true, rh: 2 },
        { topic: 'c/#', qos: 0, nl: false, rap: false, rh: 0 },
      ],
      properties: { subscriptionIdentifier: 128, userProperties: { k: 'v' } },
    },
  },
  {
    name: 'UNSUBSCRIBE of 3.1.1',
    version: V311,
    bytes: bytes(`
      a2 08           ; UNSUBSCRIBE, Remaining Length 8
      00 02           ; Packet Identifier
      00 01 "a"       ; filter
      00 01 "b"       ; filter
    `),
    write: (target, at) => writeUnsubscribe(target, at, 2, ['a', 'b'], null, V311),
    oracle: { cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a', 'b'] },
  },
  {
    name: 'UNSUBSCRIBE of 5',
    version: V5,
    bytes: bytes(`
      a2 0d                     ; UNSUBSCRIBE, Remaining Length 13
      00 02                     ; Packet Identifier
      07                        ; Property Length 7
      26 00 01 "k" 00 01 "v"    ; User Property
      00 01 "a"                 ; filter
    `),
    write: (target, at) =>
      writeUnsubscribe(target, at, 2, ['a'], { userProperties: [['k', 'v']] }, V5),
    oracle: {
      cmd: 'unsubscribe',
      messageId: 2,
      unsubscriptions: ['a'],
      properties: { userProperties: { k: 'v' } },
    },
  },
  {
    name: 'SUBACK of 3.1.1 with all its return codes',
    version: V311,
    bytes: bytes(`
      90 06           ; SUBACK, Remaining Length 6
      00 01           ; Packet Identifier
      00 01 02 80     ; QoS 0, 1, 2, failure
    `),
    received: { type: 9, packetId: 1, codes: [0, 1, 2, 0x80] },
  },
  {
    name: 'SUBACK of 5 with all its Reason Codes',
    version: V5,
    bytes: bytes(`
      90 20                     ; SUBACK, Remaining Length 32
      00 01                     ; Packet Identifier
      11                        ; Property Length 17
      1f 00 07 "partial"        ; Reason String
      26 00 01 "k" 00 01 "v"    ; User Property
      00 01 02 80 83 87         ; QoS 0, 1, 2, unspecified, implementation, not authorized
      8f 91 97 9e a1 a2         ; filter, identifier, quota, shared, identifiers, wildcards
    `),
    received: {
      type: 9,
      packetId: 1,
      codes: [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
      properties: { reasonString: 'partial', userProperties: [['k', 'v']] },
    },
  },
  {
    name: 'UNSUBACK of 3.1.1',
    version: V311,
    bytes: bytes(`
      b0 02           ; UNSUBACK, Remaining Length 2
      00 02           ; Packet Identifier
    `),
    received: { type: 11, packetId: 2 },
  },
  {
    name: 'UNSUBACK of 5 with all its Reason Codes',
    version: V5,
    bytes: bytes(`
      b0 16                     ; UNSUBACK, Remaining Length 22
      00 02                     ; Packet Identifier
      0c                        ; Property Length 12
      1f 00 02 "no"             ; Reason String
      26 00 01 "k" 00 01 "v"    ; User Property
      00 11 80 83 87 8f 91      ; success, none existed, errors
    `),
    received: {
      type: 11,
      packetId: 2,
      codes: [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
      properties: { reasonString: 'no', userProperties: [['k', 'v']] },
    },
  },
]
