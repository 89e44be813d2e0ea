/**
 * The table of properties of MQTT 5, section 2.2.2.2: kind, packets and name of each identifier.
 *
 * Functions over numbers instead of arrays, because module constants are numbers. Knows nothing of
 * values.
 */
import { AUTH, CONNACK, CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE } from './protocol.js'
import { WILL } from './protocol.js'

/**
 * The kind of a property's value (`fields.ts`), 0 when the identifier is unknown. An octal digit
 * is one kind; the rightmost is that of identifier 0, 10, 20, 30 or 40.
 */
export function propertyKind(id: number): number {
  if (id >= 50) return 0
  const kinds =
    id < 10
      ? 0o6500005410 // 9 binary; 8, 3 string; 2 four bytes; 1 byte
      : id < 20
        ? 0o2540000030 // 19 two bytes; 18 string; 17 four bytes; 11 Variable Byte Integer
        : id < 30
          ? 0o0505141650 // 28, 26, 21 string; 25, 23 byte; 24 four bytes; 22 binary
          : id < 40
            ? 0o4711222050 // 39 four bytes; 38 pair; 37, 36 byte; 35, 34, 33 two bytes; 31 string
            : 0o0000000111 // 42, 41, 40 byte
  return (kinds >> ((id % 10) * 3)) & 7
}

/** The properties below 32 of a packet that a broker sends, or of the other packets and WILL. */
function allowedBelow32(packetType: number): number {
  switch (packetType) {
    case WILL: // 1 2 3 8 9 24
      return 0x0100030e
    case CONNECT: // 17 21 22 23 25
      return 0x02e20000
    case CONNACK: // 17 18 19 21 22 26 28 31
      return 0x946e0000
    case PUBLISH: // 1 2 3 8 9 11
      return 0x00000b0e
    case SUBSCRIBE: // 11
      return 0x00000800
    case UNSUBSCRIBE:
      return 0
    case DISCONNECT: // 28 31
      return 0x90000000
    case AUTH: // 21 22 31
      return 0x80600000
    default: // 31, in all acknowledgements
      return 0x80000000
  }
}

/** The properties from 32 on: User Property (38) everywhere. */
function allowedFrom32(packetType: number): number {
  switch (packetType) {
    case CONNECT: // 33 34 38 39
      return 0xc6
    case CONNACK: // 33 34 36-42
      return 0x7f6
    case PUBLISH: // 35 38
      return 0x48
    default:
      return 0x40
  }
}

/**
 * Whether the property has a place in the packet. PUBLISH, DISCONNECT and AUTH go both ways; for
 * them this is what a broker may send. `id` is one that `propertyKind` knows.
 */
export function isPropertyAllowed(id: number, packetType: number): boolean {
  const allowed = id < 32 ? allowedBelow32(packetType) : allowedFrom32(packetType)
  return ((allowed >> (id & 31)) & 1) !== 0
}

/** The property's name in an `MqttProperties` object, '' when the identifier is unknown. */
export function propertyName(id: number): string {
  switch (id) {
    case 1:
      return 'payloadFormatIndicator'
    case 2:
      return 'messageExpiryInterval'
    case 3:
      return 'contentType'
    case 8:
      return 'responseTopic'
    case 9:
      return 'correlationData'
    case 11:
      return 'subscriptionIdentifier'
    case 17:
      return 'sessionExpiryInterval'
    case 18:
      return 'assignedClientIdentifier'
    case 19:
      return 'serverKeepAlive'
    case 21:
      return 'authenticationMethod'
    case 22:
      return 'authenticationData'
    case 23:
      return 'requestProblemInformation'
    case 24:
      return 'willDelayInterval'
    case 25:
      return 'requestResponseInformation'
    case 26:
      return 'responseInformation'
    case 28:
      return 'serverReference'
    case 31:
      return 'reasonString'
    case 33:
      return 'receiveMaximum'
    case 34:
      return 'topicAliasMaximum'
    case 35:
      return 'topicAlias'
    case 36:
      return 'maximumQoS'
    case 37:
      return 'retainAvailable'
    case 38:
      return 'userProperties'
    case 39:
      return 'maximumPacketSize'
    case 40:
      return 'wildcardSubscriptionAvailable'
    case 41:
      return 'subscriptionIdentifiersAvailable'
    case 42:
      return 'sharedSubscriptionAvailable'
    default:
      return ''
  }
}
