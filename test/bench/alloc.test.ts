/**
 * Holds the counts of `npm run bench:alloc`. Counts are exact: one slot more is a change that
 * somebody made, for better or worse. Needs the XS host, so a C compiler.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Allocation, measureAllocations } from './alloc.js'
import { benchTest } from './bench-test.js'

const NOTHING: Allocation = { slots: 0, chunks: 0, bytes: 0 }
/** `message.payload` is a view of the receive buffer. */
const ONE_VIEW: Allocation = { slots: 4, chunks: 0, bytes: 0 }

const rows = benchTest(measureAllocations)

const STEADY = [
  'publishQos0',
  'publishQos1',
  'publishQos1Flash',
  'resendFromFlash',
  'puback',
  'pubackFlash',
  'maintain',
  'recover',
  'pingreq',
  'inboundQos0Offsets',
  'inboundQos1Offsets',
  'publishQos2',
  'publishQos2Flash',
  'publishAliased',
  'inboundByHand',
  'reconnectAliased',
]

for (const name of STEADY) {
  test(`${name} allocates nothing`, async (context) => {
    const all = await rows(context)
    if (all) assert.deepEqual(all[name], NOTHING)
  })
}

test('a message received costs one view where the handler takes one', async (context) => {
  const all = await rows(context)
  if (!all) return
  assert.deepEqual(all['inboundQos0'], ONE_VIEW)
  assert.deepEqual(all['inboundQos1'], ONE_VIEW)
})

test('publishing strings costs two slots for each character that is encoded', async (context) => {
  const all = await rows(context)
  if (!all) return
  // The payload is walked twice, for its size and its bytes, each time with one `length`.
  assert.deepEqual(all['publishStrings'], { slots: 2 * 2 * (16 + 1), chunks: 0, bytes: 0 })
  const slots = 2 * 2 * (16 + 1) + 2 * (32 + 1)
  assert.deepEqual(all['publishStringsNew'], { slots, chunks: 0, bytes: 0 })
})

test('a reconnect costs what SUBSCRIBE costs, and nothing without it', async (context) => {
  const all = await rows(context)
  if (!all) return
  assert.deepEqual(all['reconnect'], NOTHING)
  assert.deepEqual(all['reconnectSubscribed'], { slots: 24, chunks: 3, bytes: 144 })
})

test('10,000 reconnects leave the heap as it was', async (context) => {
  const all = await rows(context)
  if (all) assert.deepEqual(all['liveGrowth'], NOTHING)
})

test('the host counts what mqtt-packet allocates for the same packet', async (context) => {
  const all = await rows(context)
  if (!all) return
  const { slots, bytes } = all['mqttPacketGenerate']!
  assert.ok(slots > 100 && bytes > 1000, `${slots} slots, ${bytes} bytes`)
})

test('the small client makes garbage for a publish, and none for its answer', async (context) => {
  const all = await rows(context)
  if (!all) return
  for (const name of ['smallPuback', 'smallPubackFlash']) {
    assert.deepEqual(all[name], { slots: 0, chunks: 0, bytes: 0 }, name)
  }
  // Patterns, and a topic that is text each time: docs/PERFORMANCE.md.
  assert.ok(all['smallPublish']!.slots <= 85, String(all['smallPublish']!.slots))
  assert.ok(all['smallPublishFlash']!.slots <= 78, String(all['smallPublishFlash']!.slots))
})
