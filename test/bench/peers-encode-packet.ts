/**
 * Firmware that takes the time `mqtt-packet` needs to generate the PUBLISH of
 * peers-encode-ours.ts. Knows nothing of Holdfast.
 */
import type { Device } from '../../targets/simulator/device.js'
import { generateMany } from './mqtt-packet-publish.js'

declare const device: Device

const OPERATIONS = 2000

const startedAt = device.system.now()
generateMany(OPERATIONS)
const microseconds = ((device.system.now() - startedAt) * 1000) / OPERATIONS
device.report(JSON.stringify({ microseconds }))
device.exit(0)
