/**
 * Firmware that takes the time of encoding one PUBLISH with the client's own codec. Its twin is
 * peers-encode-packet.ts. Knows the codec, not the client.
 */
import { writePublishHeader } from '../../src/codec/encode-publish.js'
import type { Device } from '../../targets/simulator/device.js'

declare const device: Device

const OPERATIONS = 20_000
const topic = new Uint8Array(32)
const payload = new Uint8Array(64)
const target = new Uint8Array(128)
const system = device.system

function encode(): number {
  const at = writePublishHeader(
    target,
    0,
    5,
    2,
    topic,
    0,
    topic.length,
    7,
    0,
    payload.length,
    system,
  )
  system.copy(target, at, payload, 0, payload.length)
  return at + payload.length
}

if (encode() !== 2 + 34 + 2 + 1 + 64) throw new Error('the codec encodes something else')
const startedAt = system.now()
for (let index = 0; index < OPERATIONS; index++) encode()
const microseconds = ((system.now() - startedAt) * 1000) / OPERATIONS
device.report(JSON.stringify({ microseconds }))
device.exit(0)
