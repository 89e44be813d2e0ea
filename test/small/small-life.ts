/**
 * The life of a device with the small client, a flash, a model broker, and a network that can break
 * after any packet. The device publishes while offline until its queue is full, connects, drains,
 * receives QoS 2 and goes on publishing; it lives on through power cuts and failing flash. `check`
 * says whether subscribers and the application saw what was promised.
 */
import assert from 'node:assert/strict'
import { ManualSystem, NorFlash, PowerCut } from '../../hal/memory/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { bodySize } from '../../src/small/outbox.js'
import { ERR_FULL, ERR_STORAGE, OK, statusText } from '../../src/status.js'
import { COMPLETE, isBefore } from '../../src/store/exchange-window.js'
import type { Cut } from '../session/cut-life.js'
import { ModelBroker } from '../session/model-broker.js'
import { type Failure, FaultyFlash } from './faulty-flash.js'
import { type Booted, BROKER, CLIENT, Device, IN_FLIGHT } from './small-device.js'

export interface Plan {
  readonly writeSize: number
  /** Power cuts, each counted from the boot before it. */
  readonly cuts: readonly Cut[]
  /** Bits that a cut with the tear `bits` lets through. */
  readonly bits?: number
  /** Packets that get through before the network breaks; 0: it does not. */
  readonly breakAfter: number
  readonly how: 'reset' | 'silent'
  /**
   * `tiny`: many small messages, each answer in a poll of its own. `lazy`: QoS 1, whose
   * acknowledgements wait long for their mark.
   */
  readonly load: 'mixed' | 'tiny' | 'lazy'
  readonly failure?: Failure
  /** The number of the first message; about to wrap around, for instance. */
  readonly firstNumber?: number
}

export const QUIET = { writeSize: 4, cuts: [], breakAfter: 0, how: 'reset', load: 'mixed' } as const

const SECTOR = 512
const SECTORS = 8
const OPEN = 2

interface Message {
  readonly text: string
  readonly qos: number
}

export class SmallLife {
  readonly flash: FaultyFlash
  readonly broker = new ModelBroker(4)
  readonly accepted: Message[] = []
  readonly handedOver: string[] = []
  /** Tickets of messages that were given up. */
  readonly dropped: number[] = []
  /** Packets that passed the network, both ways. */
  steps = 0
  /** Flash operations when the network broke; -1: it has not. */
  operationsAtBreak = -1
  operationsAtBoot = 0
  /** Reads of the flash when the device booted last. */
  readsAtBoot = 0
  boots = 0
  /** `publish` found the queue full, or the flash failing. */
  fulls = 0
  refusals = 0
  device!: Booted
  readonly plan: Plan
  private readonly count: number
  private readonly operationsBefore: number
  /** Of these `publish` did not return, or with ERR_STORAGE. */
  private readonly undecided = new Set<string>()
  private begun: Message | null = null
  private lastTicket = 0
  private readonly tickets = new Set<number>()
  private next = 0
  private inbound = 0
  private unread: Uint8Array = new Uint8Array(0)
  private breakAfter: number
  private isSilent = false

  constructor(plan: Plan) {
    this.plan = plan
    this.count = plan.load === 'tiny' ? 150 : 48
    this.breakAfter = plan.breakAfter
    const { writeSize } = plan
    this.flash = new FaultyFlash(
      new NorFlash({ capacity: SECTORS * SECTOR, eraseSize: SECTOR, writeSize }),
    )
    if (plan.firstNumber !== undefined) this.age(plan.firstNumber)
    this.operationsBefore = this.nor.counters.writes + this.nor.counters.eraseCalls
    this.flash.failure = plan.failure ?? null
  }

  /** As if so many messages had been sent long ago. */
  private age(number: number): void {
    const box = new FlashOutbox(this.flash, new ManualSystem(1), { bufferSize: 400 })
    box.mount(CLIENT, BROKER)
    box.nextNumber = number
    box.window.reset(number)
    assert.equal(box.add(1, 'o', 'old', bodySize('o', 'old')), number)
    box.settle(number, COMPLETE)
    assert.equal(box.flush(), OK)
    this.lastTicket = number
  }

  get nor(): NorFlash {
    return this.flash.nor
  }

  /** Bits that the operation had to change that was cut last. */
  get pendingBits(): number {
    return this.nor.torn.pendingBits
  }

  get operations(): number {
    const { writes, eraseCalls } = this.nor.counters
    return writes + eraseCalls - this.operationsBefore
  }

  /** Those when the flash failed first. */
  get operationsAtRefusal(): number {
    return this.flash.operationsAtRefusal - this.operationsBefore
  }

  /** Lives through the cuts of the plan to the end. False when one did not come. */
  run(): boolean {
    for (const [operation, tear, seed] of this.plan.cuts) {
      this.nor.cutAt(operation, tear, seed, this.plan.bits)
      if (!this.losesPower()) return false
      this.nor.powerOn()
      this.isSilent = false
    }
    this.live()
    return true
  }

  /** Lives until the power goes. False when it does not. */
  losesPower(): boolean {
    try {
      this.live()
      return false
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      if (this.begun) {
        this.undecided.add(this.begun.text)
        this.next++
      }
      this.begun = null
      return true
    }
  }

  private boot(): void {
    this.operationsAtBoot = this.operations
    this.readsAtBoot = this.flash.seen.read
    this.linkLost()
    for (let tries = 0; ; tries++) {
      try {
        this.device = this.makeDevice(1000 + this.boots++)
        break
      } catch (error) {
        // A flash that fails while it is mounted may be tried again.
        if (error instanceof PowerCut || tries > 9 || this.flash.refused === 0) throw error
        assert.match(String(error), /option "storage"/)
      }
    }
    const { client } = this.device
    client.on('message.received', ({ message }) => this.handedOver.push(message.text))
    client.on('message.dropped', ({ ticket }) => this.dropped.push(ticket))
  }

  protected makeDevice(seed: number): Booted {
    const lazily = { ackBatch: 64, ackDelayMs: 1e6 }
    return new Device(this.flash, seed, this.plan.load === 'lazy' ? lazily : {})
  }

  private linkLost(): void {
    this.broker.connectionLost()
    this.unread = new Uint8Array(0)
  }

  /** The next message: false when the queue is full. */
  private publish(): boolean {
    const number = this.next
    const qos = number % 3 === 0 || this.plan.load === 'lazy' ? 1 : 2
    const padding = this.plan.load === 'tiny' ? '' : ' '.padEnd(60 + ((number * 37) % 220), '.')
    // A cut inside publish may have kept the message or not.
    this.begun = { text: `m${number}${padding}`, qos }
    const ticket = this.device.client.publish('o/' + (number % 2), this.begun.text, { qos })
    if (ticket === ERR_FULL) {
      this.begun = null
      this.fulls++
      return false
    }
    this.next++
    if (ticket === ERR_STORAGE && this.flash.refused > 0) {
      this.refusals++
      this.undecided.add(this.begun.text)
    } else {
      assert.ok(ticket > 0, `publish returns ${statusText(ticket)}`)
      assert.ok(isBefore(this.lastTicket, ticket), `ticket ${ticket} after ${this.lastTicket}`)
      this.lastTicket = ticket
      this.tickets.add(ticket)
      this.accepted.push(this.begun)
    }
    this.begun = null
    return true
  }

  private live(): void {
    this.boot()
    const { device } = this
    while (this.next < this.count / 2 && this.publish()) continue
    device.client.start()
    this.exchange()
    for (let round = 0; this.next < this.count; round++) {
      assert.ok(round < 10 * this.count, 'a full queue drains')
      if (!this.publish()) this.pass(1000)
      else if (this.next % 3 > 0) this.exchange()
      if (this.next % 3 === 0 && this.inbound < 9) this.receive()
    }
    this.finish()
  }

  /** The broker sends a message of QoS 2, under an identifier that was in use before. */
  private receive(): void {
    const packetId = 1 + (this.inbound % 2)
    if (this.broker.outgoing.has(packetId)) return this.exchange()
    this.inbound++
    this.toClient(this.broker.send(packetId, `in${this.inbound}`))
    this.exchange()
  }

  private pass(milliseconds: number): void {
    this.device.system.advance(milliseconds)
    this.exchange()
  }

  /** Time passes until all is complete: the client finds a silent link dead by its limits. */
  private finish(): void {
    for (let round = 0; round < 100; round++) {
      this.pass(5000)
      const isEmpty = this.device.client.stats.queued === 0 && this.broker.outgoing.size === 0
      if (isEmpty && round > 0) return
    }
    assert.fail(`${this.device.client.stats.queued} messages stay queued`)
  }

  /** Bytes go to and fro until both sides are at rest. */
  private exchange(): void {
    const { device } = this
    const { transport } = device
    for (let round = 0; round < 1000; round++) {
      device.poll()
      if (transport.state === 1) {
        this.linkLost()
        this.isSilent = false
        transport.accept()
        continue
      }
      const sent = transport.takeSent()
      if (sent.length === 0) {
        if (device.client.isConnected) return
        device.system.advance(Math.max(1, device.waitMs)) // the pause before the next attempt
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
    if (!this.passes() || this.device.transport.state !== OPEN) return
    this.device.transport.deliver(packet)
    if (this.plan.load === 'tiny') this.device.poll()
  }

  /** Counts a packet; false when the network loses it. */
  private passes(): boolean {
    if (this.device.transport.state !== OPEN || this.isSilent) return false
    this.steps++
    if (this.breakAfter === 0 || this.steps <= this.breakAfter) return true
    this.breakAfter = 0
    this.operationsAtBreak = this.operations
    if (this.plan.how === 'silent') this.isSilent = true
    else this.device.transport.drop('network')
    this.linkLost()
    return false
  }

  check(): void {
    const { delivered } = this.broker
    const counts = new Map<string, number>()
    for (const { text } of delivered) counts.set(text, (counts.get(text) ?? 0) + 1)
    for (const { text, qos } of this.accepted) {
      const count = counts.get(text) ?? 0
      assert.ok(count > 0, `${text} was accepted and is lost`)
      if (qos === 2) assert.equal(count, 1, `${text} (QoS 2) arrived ${count} times`)
      counts.delete(text)
    }
    for (const [text, count] of counts) {
      assert.ok(this.undecided.has(text), `${text} was never accepted and arrived`)
      assert.ok(this.mayArrive, `${text} was refused and arrived`)
      const isOnce = Number.parseInt(text.slice(1)) % 3 > 0 && this.plan.load !== 'lazy'
      assert.ok(count === 1 || !isOnce, `${text} (QoS 2) arrived ${count} times`)
    }
    const firsts = [...new Set(delivered.map(({ text }) => Number.parseInt(text.slice(1))))]
    const inOrder = [...firsts].sort((a, b) => a - b)
    assert.deepEqual(firsts, inOrder, 'messages come in order')
    const repeats = delivered.length - new Set(delivered.map(({ text }) => text)).size
    assert.ok(repeats <= this.mostRepeats, `${repeats} messages of QoS 1 arrived again`)
    this.checkInbound()
    const mostDropped = this.plan.cuts.length // torn one bit short of whole
    const isTold = this.dropped.length <= mostDropped + (this.mayArrive ? this.refusals : 0)
    assert.ok(isTold, `${this.dropped} were given up`)
    for (const ticket of this.dropped) assert.ok(!this.tickets.has(ticket), `${ticket} is given up`)
    const sent = new Set<string>()
    for (const { text, dup } of this.broker.arrived) {
      assert.ok(dup || !sent.has(text), `${text} was sent again without DUP`)
      sent.add(text)
    }
  }

  /**
   * A message that `publish` refused with ERR_STORAGE, and that the chip wrote all the same, is not
   * sent by the boot that refused it, if it is one of the 64 numbers whose state is known.
   */
  private get mayArrive(): boolean {
    return this.plan.cuts.length > 0 || this.plan.load === 'tiny'
  }

  /** With each cut: acknowledgements without a mark, and what is in flight; so with each break. */
  private get mostRepeats(): number {
    const { cuts, breakAfter } = this.plan
    const unmarked = this.plan.load === 'lazy' ? 63 : 2
    return (
      cuts.length * (unmarked + IN_FLIGHT) +
      (breakAfter > 0 ? IN_FLIGHT : 0) +
      this.flash.refused * 7
    )
  }

  private checkInbound(): void {
    const kinds = new Set(this.handedOver)
    assert.equal(kinds.size, this.inbound, 'every inbound message is handed over')
    // Between handing a message over and remembering it, a power cut repeats that message.
    const again = this.handedOver.length - kinds.size
    assert.ok(again <= this.plan.cuts.length, `${again} inbound messages came again`)
  }
}

/** Bytes of the first whole packet of `bytes`, or 0. */
function packetSize(bytes: Uint8Array): number {
  let remaining = 0
  for (let at = 1; at < bytes.length && at < 5; at++) {
    remaining += (bytes[at]! & 127) << (7 * (at - 1))
    if (bytes[at]! < 128) return at + 1 + remaining <= bytes.length ? at + 1 + remaining : 0
  }
  return 0
}

/**
 * A whole life with its check, of the file `test`; a failure says what to run again. Null: a cut
 * did not come.
 */
export function lead(plan: Plan, test = 'power-cut'): SmallLife | null {
  const life = new SmallLife(plan)
  try {
    const isWhole = life.run()
    life.check()
    if (!isWhole) return null
  } catch (error) {
    const repeat = `HOLDFAST_LIFE='${JSON.stringify(plan)}' npm test -- small/${test}`
    ;(error as Error).message += `; repeat: ${repeat}`
    throw error
  }
  return life
}
