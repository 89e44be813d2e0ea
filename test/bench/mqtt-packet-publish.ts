/**
 * The PUBLISH that npm's `mqtt-packet` generates on XS beside ours, the same bytes as those of
 * alloc-firmware.ts and peers-encode-ours.ts. Knows nothing of Holdfast.
 */
import { Buffer } from 'buffer'
import type { Packet } from 'mqtt-packet'
import * as mqttPacket from 'mqtt-packet'

const packet: Packet = {
  cmd: 'publish',
  topic: 'sensors/kitchen/temperature/main',
  payload: Buffer.alloc(64),
  qos: 1,
  dup: false,
  retain: false,
  messageId: 7,
}
const options = { protocolVersion: 5 }

// Its cache of numbers is 65,536 buffers: 459,000 slots.
;(mqttPacket.writeToStream as unknown as { cacheNumbers: boolean }).cacheNumbers = false
// Type, length, topic with its length, identifier, no properties, payload.
if (mqttPacket.generate(packet, options).length !== 2 + 34 + 2 + 1 + 64) {
  throw new Error('mqtt-packet generates something else')
}

export function generateMany(count: number): void {
  for (let index = 0; index < count; index++) mqttPacket.generate(packet, options)
}
