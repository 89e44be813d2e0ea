/**
 * Firmware that takes the time `mqtt-packet` needs to generate the PUBLISH of
 * peers-encode-ours.ts. Knows nothing of Holdfast.
 */
import { Buffer } from 'buffer'
import type { Packet } from 'mqtt-packet'
import * as mqttPacket from 'mqtt-packet'
import type { Device } from '../../targets/simulator/device.js'

declare const device: Device

const OPERATIONS = 2000
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
if (mqttPacket.generate(packet, options).length !== 2 + 34 + 2 + 1 + 64) {
  throw new Error('mqtt-packet generates something else')
}
const startedAt = device.system.now()
for (let index = 0; index < OPERATIONS; index++) mqttPacket.generate(packet, options)
const microseconds = ((device.system.now() - startedAt) * 1000) / OPERATIONS
device.report(JSON.stringify({ microseconds }))
device.exit(0)
