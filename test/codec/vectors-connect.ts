/** CONNECT and CONNACK, byte by byte. */
import { writeConnect } from '../../src/codec/encode.js'
import { V311, V5 } from '../../src/codec/protocol.js'
import { bytes, type Vector } from './support.js'

const data = Uint8Array.of(0xde, 0xad)

const connect = {
  clientId: 'a',
  cleanStart: true,
  keepAliveSeconds: 60,
  username: null,
  password: null,
  will: null,
  properties: null,
}

export const connectVectors: Vector[] = [
  {
    name: 'CONNECT of 3.1.1 with nothing optional',
    version: V311,
    bytes: bytes(`
      10 0d           ; CONNECT, Remaining Length 13
      00 04 "MQTT"    ; Protocol Name
      04              ; Protocol Version
      02              ; Clean Session
      00 3c           ; Keep Alive 60 s
      00 01 "a"       ; Client Identifier
    `),
    write: (target, at) => writeConnect(target, at, connect, V311),
    oracle: { cmd: 'connect', clientId: 'a', clean: true, keepalive: 60, protocolVersion: 4 },
  },
  {
    name: 'CONNECT of 3.1.1 with everything',
    version: V311,
    bytes: bytes(`
      10 21           ; CONNECT, Remaining Length 33
      00 04 "MQTT"    ; Protocol Name
      04              ; Protocol Version
      ec              ; User Name, Password, Will Retain, Will QoS 1, Will, no Clean Session
      ff ff           ; Keep Alive 65535 s
      00 04 "dev1"    ; Client Identifier
      00 03 "w/t"     ; Will Topic
      00 02 de ad     ; Will Message
      00 02 "me"      ; User Name
      00 02 de ad     ; Password
    `),
    write: (target, at) =>
      writeConnect(
        target,
        at,
        {
          clientId: 'dev1',
          cleanStart: false,
          keepAliveSeconds: 65535,
          username: 'me',
          password: data,
          will: { topic: 'w/t', payload: data, qos: 1, retain: true, properties: null },
          properties: null,
        },
        V311,
      ),
    oracle: {
      cmd: 'connect',
      clientId: 'dev1',
      clean: false,
      keepalive: 65535,
      username: 'me',
      password: 'dead',
      will: { retain: true, qos: 1, topic: 'w/t', payload: 'dead' },
    },
  },
  {
    name: 'CONNECT of 5 with nothing optional',
    version: V5,
    bytes: bytes(`
      10 0d           ; CONNECT, Remaining Length 13
      00 04 "MQTT"    ; Protocol Name
      05              ; Protocol Version
      00              ; no Clean Start
      00 00           ; Keep Alive off
      00              ; Property Length
      00 00           ; Client Identifier, the broker is to assign one
    `),
    write: (target, at) =>
      writeConnect(
        target,
        at,
        { ...connect, clientId: '', cleanStart: false, keepAliveSeconds: 0 },
        V5,
      ),
    oracle: { cmd: 'connect', clientId: '', clean: false, keepalive: 0, protocolVersion: 5 },
  },
  {
    name: 'CONNECT of 5 with every property',
    version: V5,
    bytes: bytes(`
      10 6a                 ; CONNECT, Remaining Length 106
      00 04 "MQTT"          ; Protocol Name
      05                    ; Protocol Version
      d6                    ; User Name, Password, Will QoS 2, Will, Clean Start
      00 0a                 ; Keep Alive 10 s
      2c                    ; Property Length 44
      11 ff ff ff ff        ; Session Expiry Interval: never
      15 00 01 "m"          ; Authentication Method
      16 00 02 de ad        ; Authentication Data
      17 00                 ; Request Problem Information
      19 01                 ; Request Response Information
      21 ff ff              ; Receive Maximum 65535
      22 00 08              ; Topic Alias Maximum 8
      26 00 01 "k" 00 01 "v"    ; User Property
      26 00 01 "k" 00 02 "v2"   ; User Property, the same name again
      27 00 00 10 00        ; Maximum Packet Size 4096
      00 01 "a"             ; Client Identifier
      25                    ; Will Property Length 37
      01 01                 ; Payload Format Indicator: UTF-8
      02 00 00 00 05        ; Message Expiry Interval 5 s
      03 00 01 "c"          ; Content Type
      08 00 01 "r"          ; Response Topic
      09 00 02 de ad        ; Correlation Data
      18 80 00 00 00        ; Will Delay Interval, the highest bit set
      26 00 01 "k" 00 06 f0 9f 8c 8a c3 a9  ; User Property "k" with U+1F30A and U+00E9
      00 01 "w"             ; Will Topic
      00 00                 ; Will Payload, empty
      00 00                 ; User Name, empty
      00 01 2a              ; Password
    `),
    write: (target, at) =>
      writeConnect(
        target,
        at,
        {
          clientId: 'a',
          cleanStart: true,
          keepAliveSeconds: 10,
          username: '',
          password: Uint8Array.of(42),
          will: {
            topic: 'w',
            payload: new Uint8Array(0),
            qos: 2,
            retain: false,
            properties: {
              payloadFormatIndicator: 1,
              messageExpiryInterval: 5,
              contentType: 'c',
              responseTopic: 'r',
              correlationData: data,
              willDelayInterval: 0x80000000,
              userProperties: [['k', '\u{1f30a}é']],
            },
          },
          properties: {
            sessionExpiryInterval: 0xffffffff,
            authenticationMethod: 'm',
            authenticationData: data,
            requestProblemInformation: 0,
            requestResponseInformation: 1,
            receiveMaximum: 65535,
            topicAliasMaximum: 8,
            userProperties: [
              ['k', 'v'],
              ['k', 'v2'],
            ],
            maximumPacketSize: 4096,
          },
        },
        V5,
      ),
    oracle: {
      cmd: 'connect',
      clean: true,
      keepalive: 10,
      clientId: 'a',
      username: '',
      password: '2a',
      will: {
        qos: 2,
        retain: false,
        topic: 'w',
        payload: '',
        properties: {
          payloadFormatIndicator: true,
          messageExpiryInterval: 5,
          contentType: 'c',
          responseTopic: 'r',
          correlationData: 'dead',
          willDelayInterval: 0x80000000,
          userProperties: { k: '\u{1f30a}é' },
        },
      },
      properties: {
        sessionExpiryInterval: 0xffffffff,
        authenticationMethod: 'm',
        authenticationData: 'dead',
        requestProblemInformation: false,
        requestResponseInformation: true,
        receiveMaximum: 65535,
        topicAliasMaximum: 8,
        userProperties: { k: ['v', 'v2'] },
        maximumPacketSize: 4096,
      },
    },
  },
]

export const connackVectors: Vector[] = [
  {
    name: 'CONNACK of 3.1.1, session present',
    version: V311,
    bytes: bytes(`
      20 02     ; CONNACK, Remaining Length 2
      01        ; Session Present
      00        ; accepted
    `),
    received: { type: 2, sessionPresent: 1 },
  },
  {
    name: 'CONNACK of 3.1.1, not authorized',
    version: V311,
    bytes: bytes(`
      20 02     ; CONNACK, Remaining Length 2
      00        ; no session
      05        ; not authorized
    `),
    received: { type: 2, reasonCode: 5 },
  },
  {
    name: 'CONNACK of 5 without properties',
    version: V5,
    bytes: bytes(`
      20 03     ; CONNACK, Remaining Length 3
      00        ; no session
      87        ; not authorized
      00        ; Property Length
    `),
    received: { type: 2, reasonCode: 0x87 },
  },
  {
    name: 'CONNACK of 5 with every property',
    version: V5,
    bytes: bytes(`
      20 4b                 ; CONNACK, Remaining Length 75
      01                    ; Session Present
      00                    ; success
      48                    ; Property Length 72
      11 00 01 51 80        ; Session Expiry Interval, a day
      12 00 02 "id"         ; Assigned Client Identifier
      13 00 1e              ; Server Keep Alive 30 s
      15 00 01 "m"          ; Authentication Method
      16 00 02 de ad        ; Authentication Data
      1a 00 02 "ri"         ; Response Information
      1c 00 02 "sr"         ; Server Reference
      1f 00 02 "ok"         ; Reason String
      21 00 14              ; Receive Maximum 20
      22 00 0a              ; Topic Alias Maximum 10
      24 01                 ; Maximum QoS 1
      25 00                 ; Retain Available: no
      26 00 01 "k" 00 01 "v"    ; User Property
      26 00 01 "k" 00 01 "w"    ; User Property
      27 10 00 00 00        ; Maximum Packet Size 256 MB
      28 01                 ; Wildcard Subscription Available
      29 00                 ; Subscription Identifiers Available: no
      2a 01                 ; Shared Subscription Available
    `),
    received: {
      type: 2,
      sessionPresent: 1,
      properties: {
        sessionExpiryInterval: 86400,
        assignedClientIdentifier: 'id',
        serverKeepAlive: 30,
        authenticationMethod: 'm',
        authenticationData: data,
        responseInformation: 'ri',
        serverReference: 'sr',
        reasonString: 'ok',
        receiveMaximum: 20,
        topicAliasMaximum: 10,
        maximumQoS: 1,
        retainAvailable: 0,
        userProperties: [
          ['k', 'v'],
          ['k', 'w'],
        ],
        maximumPacketSize: 0x10000000,
        wildcardSubscriptionAvailable: 1,
        subscriptionIdentifiersAvailable: 0,
        sharedSubscriptionAvailable: 1,
      },
    },
  },
]
