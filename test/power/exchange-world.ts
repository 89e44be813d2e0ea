/**
 * A device with a flash, a broker and a network that can break after any packet. The device
 * publishes while offline, connects, drains, receives QoS 2 and goes on publishing; it lives on
 * through power cuts. `check` says whether subscribers saw what was promised.
 */
import assert from 'node:assert/strict'
import { ManualSystem, NorFlash, PowerCut } from '../../hal/memory/index.js'
import { FlashStore } from '../../src/storage.js'
import { Desk } from '../session/desk.js'
import { ModelBroker } from '../session/model-broker.js'
import type { ExchangeCase } from './cases.js'

const SECTORS = 16
/** Two lanes' session state does not fit a sector of 512 bytes. */
const SECTOR_SIZES = [0, 512, 1024]
const OPEN = 2
const IN_FLIGHT = 5
const TOPICS = ['out/0', 'out/1']
const LANES = TOPICS.map((topic, index) => ({ name: `lane${index}`, filters: [topic] }))

interface Message {
  readonly text: string
  readonly qos: number
}

/** Bytes of the first whole packet of `bytes`, or 0. */
function packetSize(bytes: Uint8Array): number {
  let remaining = 0
  for (let at = 1; at < bytes.length && at < 5; at++) {
    remaining += (bytes[at] & 127) << (7 * (at - 1))
    if (bytes[at] < 128) return at + 1 + remaining <= bytes.length ? at + 1 + remaining : 0
  }
  return 0
}

export class ExchangeWorld {
  readonly flash: NorFlash
  readonly broker: ModelBroker
  /** Packets that passed the network, both ways. */
  steps = 0
  /** Flash operations when the network broke; -1: it has not. */
  operationsAtBreak = -1
  /** Flash operations when the device booted last. */
  operationsAtBoot = 0
  private readonly plan: ExchangeCase
  private readonly count: number
  private readonly ackBatch: number
  private readonly sectorSize: number
  private readonly accepted: Message[] = []
  private readonly undecided = new Set<string>()
  private readonly handedOver: string[] = []
  private begun: Message | null = null
  private desk!: Desk
  private unread: Uint8Array = new Uint8Array(0)
  private breakAfter: number
  private isSilent = false
  private boots = 0
  private next = 0
  private inbound = 0

  constructor(plan: ExchangeCase) {
    this.plan = plan
    this.count = plan.load === 'mixed' ? 24 : 60
    this.ackBatch = plan.load === 'mixed' ? 3 : 16
    this.breakAfter = plan.breakAfter
    this.sectorSize = SECTOR_SIZES[plan.lanes]
    const capacity = SECTORS * this.sectorSize
    this.flash = new NorFlash({
      capacity,
      eraseSize: this.sectorSize,
      writeSize: plan.writeSize,
    })
    this.broker = new ModelBroker(plan.protocol)
  }

  get operations(): number {
    return this.flash.counters.writes + this.flash.counters.eraseCalls
  }

  /** Lives through all cuts of the plan to the end. */
  run(): void {
    for (const [operation, tear, seed] of this.plan.cuts) {
      this.flash.cutAt(operation, tear, seed)
      assert.ok(this.losesPower(), `the cut at ${operation} did not come`)
      this.flash.powerOn()
      // A new connection is a new path through the network.
      this.isSilent = false
    }
    this.live()
  }

  private losesPower(): boolean {
    try {
      this.live()
      return false
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      if (this.begun) this.undecided.add(this.begun.text)
      this.begun = null
      return true
    }
  }

  private boot(): void {
    const { protocol } = this.plan
    const system = new ManualSystem(1000 + this.boots++)
    const storage = new FlashStore(this.flash, system, { bufferSize: this.sectorSize })
    const { ackBatch } = this
    this.operationsAtBoot = this.operations
    const options = { protocol, storage, ackBatch, inFlightLimit: IN_FLIGHT }
    this.desk = new Desk(this.plan.lanes === 2 ? { ...options, lanes: LANES } : options, system)
    this.linkLost()
    this.desk.client.on('message.received', (event) => this.handedOver.push(event.message!.text))
  }

  private linkLost(): void {
    this.broker.connectionLost()
    this.unread = new Uint8Array(0)
  }

  private publish(): void {
    const qos = this.plan.load === 'qos1' || this.next % 3 === 0 ? 1 : 2
    // A cut inside publish may have kept the message or not.
    this.begun = { text: `m${this.next++}`, qos }
    const topic = TOPICS[this.next % 2]
    assert.ok(this.desk.client.publish(topic, this.begun.text, { qos }) > 0)
    this.accepted.push(this.begun)
    this.begun = null
  }

  private live(): void {
    this.boot()
    const { desk } = this
    const isMixed = this.plan.load === 'mixed'
    while (this.next < this.count / 2) this.publish()
    desk.client.start()
    this.exchange()
    while (this.next < this.count) {
      this.publish()
      this.exchange()
      if (isMixed && this.next % 4 === 0 && this.inbound < 4) {
        this.inbound++
        this.toClient(this.broker.send(this.inbound, `in${this.inbound}`))
        this.exchange()
      }
    }
    this.finish()
  }

  /** Time passes until all is complete: the client finds a silent link dead by its limits. */
  private finish(): void {
    const { desk } = this
    for (let round = 0; round < 100; round++) {
      desk.after(5000)
      this.exchange()
      if (desk.client.stats.queued === 0 && this.broker.outgoing.size === 0 && round > 0) return
    }
    assert.fail(`${desk.client.stats.queued} messages stay queued`)
  }

  /** Bytes go to and fro until both sides are at rest. */
  private exchange(): void {
    const { desk } = this
    for (let round = 0; round < 300; round++) {
      desk.poll()
      const { transport } = desk
      if (transport.state === 1) {
        this.linkLost()
        this.isSilent = false
        transport.accept()
      }
      const sent = transport.takeSent()
      if (sent.length === 0 && desk.waitMs > 0) {
        if (desk.client.isConnected) return
        desk.system.advance(desk.waitMs) // the pause before the next attempt
      }
      this.toBroker(sent)
    }
    assert.fail('the exchange does not come to rest')
  }

  private toBroker(bytes: Uint8Array): void {
    this.unread = Buffer.concat([this.unread, bytes])
    for (let size = packetSize(this.unread); size > 0; size = packetSize(this.unread)) {
      const packet = this.unread.subarray(0, size)
      this.unread = this.unread.subarray(size)
      if (!this.passes()) continue
      for (const answer of this.broker.receive(packet)) this.toClient(answer)
    }
  }

  private toClient(packet: Uint8Array): void {
    if (this.passes() && this.desk.transport.state === OPEN) this.desk.transport.deliver(packet)
  }

  /** Counts a packet; false when the network loses it. */
  private passes(): boolean {
    if (this.desk.transport.state !== OPEN || this.isSilent) return false
    this.steps++
    if (this.breakAfter === 0 || this.steps <= this.breakAfter) return true
    this.breakAfter = 0
    this.operationsAtBreak = this.operations
    if (this.plan.how === 'silent') this.isSilent = true
    else this.desk.transport.drop('network')
    this.linkLost()
    return false
  }

  /** Messages of QoS 1 that arrived again. */
  get repeats(): number {
    const delivered = this.broker.delivered.filter(({ qos }) => qos === 1)
    return delivered.length - new Set(delivered.map(({ text }) => text)).size
  }

  /**
   * The most that may: with each power cut the acknowledgements without a mark yet, and what is in
   * flight then or when the network breaks.
   */
  private get mostRepeats(): number {
    const { cuts, breakAfter, lanes } = this.plan
    return (
      cuts.length * (lanes * (this.ackBatch - 1) + IN_FLIGHT) + (breakAfter > 0 ? IN_FLIGHT : 0)
    )
  }

  /** Messages of QoS 2 that arrived again. */
  get duplicates(): number {
    const delivered = this.broker.delivered.filter(({ qos }) => qos === 2)
    return delivered.length - new Set(delivered.map(({ text }) => text)).size
  }

  check(): void {
    const { delivered } = this.broker
    const arrived = new Set(delivered.map(({ text }) => text))
    for (const { text } of this.accepted) {
      assert.ok(arrived.has(text), `${text} was accepted and is lost`)
      arrived.delete(text)
    }
    for (const text of arrived) {
      assert.ok(this.undecided.has(text), `${text} was never accepted and arrived`)
    }
    assert.equal(this.duplicates, 0, 'messages of QoS 2 arrived again')
    assert.ok(this.repeats <= this.mostRepeats, `${this.repeats} messages of QoS 1 arrived again`)
    const lanes =
      this.plan.lanes === 1
        ? [delivered]
        : TOPICS.map((lane) => delivered.filter(({ topic }) => topic === lane))
    for (const lane of lanes) {
      const firsts = [...new Set(lane.map(({ text }) => Number(text.slice(1))))]
      const inOrder = [...firsts].sort((a, b) => a - b)
      assert.deepEqual(firsts, inOrder, 'messages come in order')
    }
    const inbound = new Set(this.handedOver)
    assert.equal(inbound.size, this.inbound, 'every inbound message is handed over')
    // Between handing a message over and remembering it, a power cut repeats that message.
    assert.ok(this.handedOver.length - inbound.size <= this.plan.cuts.length, 'inbound repeats')
  }
}
