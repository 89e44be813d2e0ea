/**
 * Firmware that measures what MQTTClient allocates for a message, on a device's heap: `write` with
 * options that the application keeps, its answers with `onControl` and `onWritable`, and a message
 * that is read into a buffer, whole and in parts. Knows the class, not the host.
 */
import type { MQTTClient as Pattern, Polled } from '../../src/ecma419/mqtt-client.js'
import { type CountingDevice, type Library, Meter } from '../bench/firmware-meter.js'
import { Wire } from '../bench/firmware-wire.js'

declare const device: CountingDevice
declare const holdfast: Library & { MQTTClient: typeof Pattern }

const ROUNDS = 100
const ROUND = 10
const payload = new Uint8Array(64)
const target = new Uint8Array(64)
let now = device.system.now()

class Rig {
  readonly wire = new Wire(device)
  readonly client: Pattern
  controls = 0
  writables = 0
  readables = 0
  private polled: Polled | null = null

  constructor(isDurable: boolean) {
    const rig = this
    const own: Record<string, unknown> = {}
    if (isDurable) {
      const store = new holdfast.FlashStore(device.storage, device.system)
      store.format()
      own['storage'] = store
    }
    this.client = new holdfast.MQTTClient({
      host: 'broker.local',
      id: 'bench',
      onControl(): void {
        rig.controls++
      },
      onWritable(): void {
        rig.writables++
      },
      onReadable(): void {
        rig.readables++
        this.read(target)
      },
      holdfast: {
        system: device.system,
        transport: this.wire,
        protocol: 5, // what the wire speaks
        run: (polled: Polled) => {
          rig.polled = polled
          return { stop(): void {} }
        },
        ...own,
      },
    })
    for (let step = 0; step < 10 && this.controls === 0; step++) {
      now += 60001
      this.turn()
    }
    if (this.controls === 0) throw new Error('not connected')
    this.turn()
  }

  turn(): void {
    for (let step = 0; step < 3; step++) this.polled!.poll(now)
  }
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error('the bench does not measure what it should: ' + what)
}

function writing(QoS: number, id: number, isDurable: boolean, name: string): void {
  const rig = new Rig(isDurable)
  const options: { topic: string; QoS: number; id?: number } = { topic: 'sensors/kitchen', QoS }
  if (id !== 0) options.id = id
  const meter = new Meter(device)
  for (let round = -1; round < ROUNDS; round++) {
    meter.begin()
    for (let index = 0; index < ROUND; index++) {
      rig.client.write(payload, options)
      rig.turn()
    }
    rig.wire.answer()
    rig.turn()
    rig.wire.answer()
    rig.turn()
    if (round >= 0) meter.end(ROUND)
  }
  const count = (ROUNDS + 1) * ROUND
  check(rig.wire.counts[3] === count, 'a PUBLISH for each')
  check(rig.controls === 1 + count * QoS, 'onControl for each answer')
  check(rig.writables > count, 'onWritable for each write')
  meter.report(name)
}

function inParts(name: string): void {
  const rig = new Rig(false)
  const options = { topic: 'sensors/kitchen', byteLength: 128 }
  const meter = new Meter(device)
  for (let round = -1; round < ROUNDS; round++) {
    meter.begin()
    rig.client.write(payload, options)
    rig.client.write(payload)
    rig.turn()
    if (round >= 0) meter.end(1)
  }
  check(rig.wire.counts[3] === ROUNDS + 1, 'a PUBLISH for each')
  meter.report(name)
}

function reading(name: string): void {
  const rig = new Rig(false)
  const packet = new Uint8Array([0x30, 10, 0, 3, 97, 47, 98, 0, 1, 2, 3, 4])
  const meter = new Meter(device)
  for (let round = -1; round < ROUNDS; round++) {
    rig.wire.deliver(packet)
    meter.begin()
    rig.turn()
    if (round >= 0) meter.end(1)
  }
  check(rig.readables === ROUNDS + 1, 'onReadable for each')
  meter.report(name)
}

/** Of a message of a million bytes, what comes after its first part. */
function readingParts(name: string): void {
  const rig = new Rig(false)
  rig.wire.deliver(new Uint8Array([0x30, 0xc0, 0x84, 0x3d, 0, 3, 97, 47, 98, 0, 1]))
  rig.turn()
  const before = rig.readables
  const meter = new Meter(device)
  for (let round = -1; round < ROUNDS; round++) {
    rig.wire.deliver(payload)
    meter.begin()
    rig.turn()
    if (round >= 0) meter.end(1)
  }
  check(before === 1 && rig.readables === before + ROUNDS + 1, 'onReadable for each')
  meter.report(name)
}

writing(0, 0, false, 'writeQos0')
writing(1, 0, false, 'writeQos1')
writing(2, 0, false, 'writeQos2')
writing(1, 7, false, 'writeQos1Id')
writing(1, 7, true, 'writeQos1Flash')
inParts('writeParts')
reading('read')
readingParts('readParts')
device.exit(0)
