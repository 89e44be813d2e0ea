/**
 * Writes PUBLISH, section 3.3, out of bytes and without allocation. The payload is the caller's,
 * so that one larger than the buffer can be streamed behind the header.
 *
 *   0x30 + flags | Remaining Length | topic | Packet Identifier (QoS 1, 2) | Property Length (5)
 *   - - - - up to here by `writePublishHeader`, from here on by the caller - - - -
 *   properties (5) | payload
 *
 * Does not look into topic, properties or payload.
 */
import { varintSize, writeUint16, writeVarint } from './bytes.js'
import { ERR_SPACE, MAX_REMAINING_LENGTH, PUBLISH } from './protocol.js'
import { REASON_PACKET_TOO_LARGE, V5 } from './protocol.js'

/** What the codec needs of `System`. Ranges may overlap when both arrays are the same. */
export interface Copier {
  copy(
    target: Uint8Array,
    targetAt: number,
    source: Uint8Array,
    sourceAt: number,
    length: number,
  ): void
}

function remainingLength(
  topicLength: number,
  qos: number,
  propertiesLength: number,
  payloadLength: number,
  version: number,
): number {
  const properties = version === V5 ? varintSize(propertiesLength) + propertiesLength : 0
  return 2 + topicLength + (qos > 0 ? 2 : 0) + properties + payloadLength
}

/** Bytes of the whole packet, or Packet too large when no PUBLISH can be that long. */
export function publishSize(
  topicLength: number,
  qos: number,
  propertiesLength: number,
  payloadLength: number,
  version: number,
): number {
  const remaining = remainingLength(topicLength, qos, propertiesLength, payloadLength, version)
  if (remaining > MAX_REMAINING_LENGTH) return -REASON_PACKET_TOO_LARGE
  return 1 + varintSize(remaining) + remaining
}

/**
 * Writes the packet up to the Property Length, in 3.1.1 up to the payload, and returns the offset
 * after that, or ERR_SPACE with nothing written. `flags` is DUP << 3 | QoS << 1 | RETAIN. In
 * 3.1.1 `propertiesLength` is ignored; with QoS 0 `packetId` is. `publishSize` has accepted the
 * lengths.
 */
export function writePublishHeader(
  target: Uint8Array,
  at: number,
  version: number,
  flags: number,
  topicSource: Uint8Array,
  topicAt: number,
  topicLength: number,
  packetId: number,
  propertiesLength: number,
  payloadLength: number,
  system: Copier,
): number {
  const qos = flags & 6
  const remaining = remainingLength(topicLength, qos, propertiesLength, payloadLength, version)
  const rest = payloadLength + (version === V5 ? propertiesLength : 0)
  if (at + 1 + varintSize(remaining) + remaining - rest > target.length) return ERR_SPACE
  target[at] = (PUBLISH << 4) | flags
  at = writeVarint(target, at + 1, remaining)
  at = writeUint16(target, at, topicLength)
  system.copy(target, at, topicSource, topicAt, topicLength)
  at += topicLength
  if (qos > 0) at = writeUint16(target, at, packetId)
  return version === V5 ? writeVarint(target, at, propertiesLength) : at
}
