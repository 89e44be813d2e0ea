/**
 * Firmware that measures what npm's `mqtt-packet` allocates to generate the PUBLISH of
 * alloc-firmware.ts. It needs a larger heap than a board has. Knows nothing of Holdfast.
 */
import { type CountingDevice, Meter } from './firmware-meter.js'
import { generateMany } from './mqtt-packet-publish.js'

declare const device: CountingDevice

const OPERATIONS = 100

const meter = new Meter(device)
meter.begin()
generateMany(OPERATIONS)
meter.end(OPERATIONS)
meter.report('mqttPacketGenerate')
device.exit(0)
