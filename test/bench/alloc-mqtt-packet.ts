/**
 * Firmware that measures what npm's `mqtt-packet` allocates to generate the PUBLISH of
 * alloc-firmware.ts. It needs a larger heap than a board has. Knows nothing of Holdfast.
 */
import { Buffer } from 'buffer'
import type { Packet } from 'mqtt-packet'
import * as mqttPacket from 'mqtt-packet'
import { type CountingDevice, Meter } from './firmware-meter.js'

declare const device: CountingDevice

const OPERATIONS = 100
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
const meter = new Meter(device)
meter.begin()
for (let index = 0; index < OPERATIONS; index++) mqttPacket.generate(packet, options)
meter.end(OPERATIONS)
meter.report('mqttPacketGenerate')
device.exit(0)
