/**
 * One table of packets, byte by byte: the encoder writes them, the decoder reads them, mqtt-packet
 * judges both. Here the small packets; the others stand in the files named after them.
 */
import { writeAuth, writeDisconnect, writePingreq } from '../../src/codec/encode.js'
import { V311, V5 } from '../../src/codec/protocol.js'
import { bytes, type Vector } from './support.js'
import { connackVectors, connectVectors } from './vectors-connect.js'
import { ackVectors, publishVectors } from './vectors-publish.js'
import { subscribeVectors } from './vectors-subscribe.js'

const data = Uint8Array.of(0xde, 0xad)

const otherVectors: Vector[] = [
  ...[V311, V5].flatMap((version): Vector[] => [
    {
      name: `PINGREQ of version ${version}`,
      version,
      bytes: bytes('c0 00 ; PINGREQ, Remaining Length 0'),
      write: (target, at) => writePingreq(target, at),
      oracle: { cmd: 'pingreq' },
    },
    {
      name: `PINGRESP of version ${version}`,
      version,
      bytes: bytes('d0 00 ; PINGRESP, Remaining Length 0'),
      received: { type: 13 },
    },
  ]),
  {
    name: 'DISCONNECT of 3.1.1 has no place for the reason',
    version: V311,
    bytes: bytes('e0 00 ; DISCONNECT, Remaining Length 0'),
    write: (target, at) => writeDisconnect(target, at, 0x82, { reasonString: 'why' }, V311),
    oracle: { cmd: 'disconnect' },
  },
  {
    name: 'DISCONNECT of 5, normal, in the short form',
    version: V5,
    bytes: bytes('e0 00 ; DISCONNECT, Remaining Length 0'),
    write: (target, at) => writeDisconnect(target, at, 0, null, V5),
    received: { type: 14 },
    oracle: { cmd: 'disconnect', reasonCode: 0 },
  },
  {
    name: 'DISCONNECT of 5 with a Reason Code alone',
    version: V5,
    bytes: bytes(`
      e0 01           ; DISCONNECT, Remaining Length 1
      82              ; Protocol Error
    `),
    write: (target, at) => writeDisconnect(target, at, 0x82, null, V5),
    received: { type: 14, reasonCode: 0x82 },
    oracle: { cmd: 'disconnect', reasonCode: 0x82 },
  },
  {
    name: 'DISCONNECT of 5 from a client with every property',
    version: V5,
    bytes: bytes(`
      e0 13                     ; DISCONNECT, Remaining Length 19
      04                        ; Disconnect with Will Message
      11                        ; Property Length 17
      11 00 00 00 00            ; Session Expiry Interval 0
      1f 00 02 "by"             ; Reason String
      26 00 01 "k" 00 01 "v"    ; User Property
    `),
    write: (target, at) =>
      writeDisconnect(
        target,
        at,
        4,
        { sessionExpiryInterval: 0, reasonString: 'by', userProperties: [['k', 'v']] },
        V5,
      ),
    oracle: {
      cmd: 'disconnect',
      reasonCode: 4,
      properties: { sessionExpiryInterval: 0, reasonString: 'by', userProperties: { k: 'v' } },
    },
  },
  {
    name: 'DISCONNECT of 5 from a broker with every property',
    version: V5,
    bytes: bytes(`
      e0 13                     ; DISCONNECT, Remaining Length 19
      9d                        ; Server Moved
      11                        ; Property Length 17
      1c 00 02 "b2"             ; Server Reference
      1f 00 02 "by"             ; Reason String
      26 00 01 "k" 00 01 "v"    ; User Property
    `),
    received: {
      type: 14,
      reasonCode: 0x9d,
      properties: { serverReference: 'b2', reasonString: 'by', userProperties: [['k', 'v']] },
    },
  },
  {
    name: 'AUTH with every property',
    version: V5,
    bytes: bytes(`
      f0 17                     ; AUTH, Remaining Length 23
      18                        ; Continue authentication
      15                        ; Property Length 21
      15 00 01 "m"              ; Authentication Method
      16 00 02 de ad            ; Authentication Data
      1f 00 02 "go"             ; Reason String
      26 00 01 "k" 00 01 "v"    ; User Property
    `),
    write: (target, at) =>
      writeAuth(target, at, 0x18, {
        authenticationMethod: 'm',
        authenticationData: data,
        reasonString: 'go',
        userProperties: [['k', 'v']],
      }),
    received: {
      type: 15,
      reasonCode: 0x18,
      properties: {
        authenticationMethod: 'm',
        authenticationData: data,
        reasonString: 'go',
        userProperties: [['k', 'v']],
      },
    },
  },
  {
    name: 'AUTH, success in the short form',
    version: V5,
    bytes: bytes('f0 00 ; AUTH, Remaining Length 0'),
    write: (target, at) => writeAuth(target, at, 0, null),
    received: { type: 15 },
  },
]

export const vectors: readonly Vector[] = [
  ...connectVectors,
  ...connackVectors,
  ...publishVectors,
  ...ackVectors,
  ...subscribeVectors,
  ...otherVectors,
]
