/**
 * A full flash of a small client in the midst of exchanges, whose single bits are flipped: what was
 * written where, what the broker holds, and what may come of it.
 */
import assert from 'node:assert/strict'
import { NorFlash, type NorSnapshot } from '../../hal/memory/index.js'
import type { SmallEvent } from '../../src/small/index.js'
import { ERR_FULL } from '../../src/status.js'
import { isBefore } from '../../src/store/exchange-window.js'
import { MARK, MESSAGE, recordLength, recordType, STATE } from '../../src/store/flash-record.js'
import { ModelBroker } from '../session/model-broker.js'
import { Device } from './small-device.js'

const SECTOR = 512
const SECTORS = 8
export const IMAGE_BITS = SECTORS * SECTOR * 8
/** Messages that are complete before the image is made: the ring has turned. */
const OLD = 30
const HEADER = 0

/** What stands at some place: a header, or a record of this type and, of a message, its text. */
interface Span {
  readonly type: number
  readonly text: string
}

export interface Harm {
  /** Messages that never arrived. */
  readonly lost: number
  /** QoS 2 that arrived again, or was handed over again. */
  readonly again: number
}

type Filter = (answer: Uint8Array) => boolean
const all: Filter = () => true

function textOf(number: number): string {
  return `m${number}${' '.padEnd(30 + ((number * 37) % 90), '.')}`
}

function qosOf(number: number): number {
  return number % 3 === 0 ? 1 : 2
}

/** Bytes to and fro; `filter` says which packets of the broker get through. */
function exchange(device: Device, broker: ModelBroker, filter: Filter): void {
  const { transport } = device
  for (let round = 0; round < 400; round++) {
    device.poll()
    if (transport.state === 1) {
      broker.connectionLost()
      transport.accept()
      continue
    }
    const sent = transport.takeSent()
    if (sent.length === 0 && device.client.isConnected) return
    if (sent.length === 0) device.system.advance(Math.max(1, device.waitMs))
    for (const answer of broker.receive(sent)) {
      if (transport.state === 2 && filter(answer)) transport.deliver(answer)
    }
  }
  assert.fail('the exchange does not come to rest')
}

export class FlipImage {
  readonly flash: NorFlash
  private readonly snapshot: NorSnapshot
  private readonly broker: ModelBroker
  private readonly tickets: number[] = []
  /** For each byte the record that it belongs to. */
  private readonly spans: (Span | null)[] = Array.from({ length: SECTORS * SECTOR }, () => null)
  private readonly before: string[]

  constructor(writeSize: number) {
    this.flash = new NorFlash({ capacity: SECTORS * SECTOR, eraseSize: SECTOR, writeSize })
    this.broker = new ModelBroker(4)
    this.noteWrites()
    const handedOver: string[] = []
    const device = this.boot(handedOver)
    this.makeHistory(device)
    this.snapshot = this.flash.snapshot()
    assert.deepEqual(handedOver, ['in1', 'in2'])
    this.before = this.broker.delivered.map(({ text }) => text)
    assert.deepEqual(this.run(-1), { lost: 0, again: 0 }, 'nothing is wrong without a flip')
  }

  private boot(handedOver: string[]): Device {
    const device = new Device(this.flash, 5)
    device.client.on('message.received', (event: SmallEvent) =>
      handedOver.push(event.message!.text),
    )
    device.client.start()
    return device
  }

  /** Remembers what is written where, until it is erased. */
  private noteWrites(): void {
    const { flash, spans } = this
    const write = flash.write.bind(flash)
    const erase = flash.erase.bind(flash)
    flash.write = (address, source, at, length) => {
      const isHeader = address % SECTOR === 0
      const type = isHeader ? HEADER : recordType(source, at)
      const size = isHeader ? 24 : 6 + recordLength(source, at)
      const padding = source.subarray(at + size, at + length)
      assert.ok(
        padding.every((byte) => byte === 0xff),
        'padding is blank',
      )
      const body = Buffer.from(source.subarray(at + 6, at + size)).toString('latin1')
      const text = type === MESSAGE ? body.slice(body.indexOf('m')) : ''
      spans.fill({ type, text }, address, address + size)
      return write(address, source, at, length)
    }
    flash.erase = (address, length) => {
      spans.fill(null, address, address + length)
      return erase(address, length)
    }
  }

  private publish({ client }: Device): number {
    const number = this.tickets.length
    const ticket = client.publish('o', textOf(number), { qos: qosOf(number) })
    if (ticket > 0) this.tickets.push(ticket)
    return ticket
  }

  private makeHistory(device: Device): void {
    const { broker } = this
    while (this.tickets.length < OLD) {
      assert.ok(this.publish(device) > 0)
      exchange(device, broker, all)
    }
    // in1: PUBREL does not come. in2: PUBREC does not reach the broker.
    device.transport.deliver(broker.send(1, 'in1'))
    exchange(device, broker, (answer) => answer[0] !== 0x62)
    const packet = broker.send(2, 'in2')
    device.transport.deliver(packet)
    device.poll()
    device.transport.takeSent()
    // Base: PUBACK is lost. Then: PUBCOMP is lost, PUBREC is lost, complete, complete.
    for (let count = 0; count < 5; count++) assert.ok(this.publish(device) > 0)
    const [first, released, held] = this.tickets.slice(OLD)
    const lost = [`64 ${first}`, `112 ${released}`, `80 ${held}`]
    exchange(device, broker, (answer) => {
      const packetId = (answer[2]! << 8) + answer[3]!
      return !lost.includes(`${answer[0]} ${packetId - 1}`)
    })
    assert.equal(device.client.flush(), 0)
    device.transport.drop('network')
    device.poll()
    while (this.publish(device) !== ERR_FULL) continue
    assert.ok(this.tickets.length > OLD + 12, `${this.tickets.length} messages`)
    assert.ok(this.flash.wear[2]! > 1, 'the ring has turned')
  }

  /** The flash with a bit inverted (-1: none), a boot, and all of it to the broker. */
  run(bit: number): Harm {
    this.flash.restore(this.snapshot)
    const span = bit < 0 ? null : this.spans[bit >> 3]!
    if (bit >= 0) this.flash.flipBit(bit >> 3, bit & 7)
    const broker = Object.assign(new ModelBroker(4), structuredClone({ ...this.broker }))
    broker.connectionLost()
    const handedOver: string[] = []
    const device = this.boot(handedOver)
    const { client, system } = device
    exchange(device, broker, all)
    for (let round = 0; round < 20 && client.stats.queued > 0; round++) {
      system.advance(5000)
      exchange(device, broker, all)
    }
    assert.equal(client.stats.queued, 0, 'the queue drains')
    const { held } = broker as unknown as { held: Map<number, string> }
    assert.equal(held.size, 0, 'the broker has each identifier back')
    const arrived = broker.delivered.map(({ text }) => text)
    const again = this.checkArrived(arrived, span) + handedOver.length
    if (handedOver.length > 0) assert.equal(span?.type, STATE, `${handedOver} came again`)
    const lost = this.checkLost(arrived, span, device.dropped)
    this.checkGoesOn(device, broker)
    return { lost, again }
  }

  /** Nothing false and nothing out of order. Returns how often QoS 2 came again. */
  private checkArrived(arrived: string[], span: Span | null): number {
    const sent = this.tickets.map((_, number) => textOf(number))
    for (const text of arrived) assert.ok(sent.includes(text), `${text} was never published`)
    const fresh = arrived.slice(this.before.length)
    const places = fresh.map((text) => sent.indexOf(text))
    assert.deepEqual(
      places,
      [...places].sort((a, b) => a - b),
      'messages come in order',
    )
    assert.equal(new Set(places).size, places.length, 'a message came twice in one boot')
    const again = places.filter((place) => qosOf(place) === 2 && this.before.includes(sent[place]!))
    // What a mark or a state said of them is what was damaged.
    const allowed = [MARK, STATE]
    if (again.length > 0) assert.ok(span && allowed.includes(span.type), `${again} came again`)
    return again.length
  }

  /** Only the message that was hit is lost, and it is told by its ticket. */
  private checkLost(arrived: string[], span: Span | null, dropped: number[]): number {
    const lost = this.tickets.map((_, number) => textOf(number)).filter((t) => !arrived.includes(t))
    assert.ok(lost.length <= 1, `${lost.length} messages are lost`)
    for (const text of lost) assert.equal(span?.text, text, `${text} is lost`)
    // A message that arrived before its record was damaged is given up too, as is one torn.
    const told = span?.type === MESSAGE ? this.ticketOf(span.text) : -1
    for (const ticket of dropped) assert.equal(ticket, told, `${ticket} was dropped`)
    if (lost.length > 0) assert.deepEqual(dropped, [told], `${lost} is lost and nobody is told`)
    return lost.length
  }

  private ticketOf(text: string): number {
    return this.tickets.find((_, number) => textOf(number) === text) ?? 0
  }

  /** New messages get new numbers and arrive. */
  private checkGoesOn(device: Device, broker: ModelBroker): void {
    const newest = this.tickets.at(-1)!
    for (let count = 0; count < 3; count++) {
      const ticket = device.client.publish('o', `new${count}`, { qos: 2 })
      assert.ok(ticket > 0 && isBefore(newest, ticket), `ticket ${ticket} after ${newest}`)
    }
    exchange(device, broker, all)
    const texts = broker.delivered.slice(-3).map(({ text }) => text)
    assert.deepEqual(texts, ['new0', 'new1', 'new2'])
  }

  /** True where a bit is part of something that was written. */
  isUsed(bit: number): boolean {
    return this.spans[bit >> 3] !== null
  }

  /** True where it is part of a header, of a sector or a record. */
  isHead(bit: number): boolean {
    const at = bit >> 3
    const span = this.spans[at]!
    return span !== null && (span.type === HEADER || this.spans[at - 6] !== span)
  }
}
