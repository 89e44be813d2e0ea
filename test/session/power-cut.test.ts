/**
 * A client on flash, a model broker, and the power cut at every flash operation of the whole
 * exchange, in every way an operation can tear, once more during the recovery.
 *
 * The client publishes while offline, connects, drains, receives a message of QoS 2, and goes on
 * publishing. However often the power goes: what `publish` accepted is delivered, QoS 2 exactly
 * once, in order, and nothing else is.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { FlashStore } from '../../src/storage.js'
import { CutLife, tryEveryCut, trySecondCuts } from './cut-life.js'
import { Desk } from './desk.js'

const GEOMETRY = { capacity: 16 * 512, eraseSize: 512 }
const MESSAGES = 24

class World extends CutLife {
  private readonly accepted: { text: string; qos: number }[] = []
  private readonly handedOver: string[] = []
  private desk: Desk | null = null
  private next = 0
  private inbound = 0

  constructor(protocol: number, writeSize: number) {
    super(protocol, new NorFlash({ ...GEOMETRY, writeSize }))
  }

  /** The device starts: mounts, publishes nothing yet. */
  private boot(): void {
    const system = new ManualSystem(1000 + this.boots++)
    this.desk = null
    const desk = new Desk(
      {
        protocol: this.protocol,
        storage: new FlashStore(this.flash, system, { bufferSize: 512 }),
        ackBatch: 3,
        inFlightLimit: 5,
      },
      system,
    )
    this.broker.connectionLost()
    this.desk = desk
    desk.client.on('message.received', (event) => this.handedOver.push(event.message!.text))
  }

  private publish(): void {
    const qos = this.next % 3 === 0 ? 1 : 2
    const text = `m${this.next++}`
    // Counted only after publish returned; a cut inside may have kept the message or not.
    this.begun = { text, qos }
    assert.ok(this.desk!.client.publish('out/' + (this.next % 2), text, { qos }) > 0)
    this.accepted.push(this.begun)
    this.begun = null
  }

  /** The message whose publish the power cut interrupted. */
  private begun: { text: string; qos: number } | null = null
  private readonly undecided = new Set<string>()

  protected live(): void {
    this.boot()
    const desk = this.desk!
    while (this.next < MESSAGES / 2) this.publish()
    desk.client.start()
    this.exchange(desk)
    while (this.next < MESSAGES) {
      this.publish()
      this.exchange(desk)
      if (this.next % 4 === 0 && this.inbound < 4) {
        this.inbound++
        desk.transport.deliver(this.broker.send(this.inbound, `in${this.inbound}`))
        this.exchange(desk)
      }
    }
    desk.after(5000)
    this.exchange(desk)
    assert.equal(desk.client.stats.queued, 0)
  }

  protected noteCut(): void {
    if (this.begun) this.undecided.add(this.begun.text)
    this.begun = null
  }

  check(): void {
    const delivered = this.broker.delivered
    const counts = this.checkKept(this.accepted)
    for (const [text, count] of counts) {
      assert.ok(this.undecided.has(text), `${text} was never accepted and arrived`)
      assert.ok(count === 1 || Number(text.slice(1)) % 3 === 0, `${text} arrived ${count} times`)
    }
    this.checkOrder(
      delivered.map(({ text }) => text),
      'order of first arrivals',
    )
    assert.equal(this.flash.counters.doubleProgrammedBytes, 0)
    for (let n = 1; n <= this.inbound; n++) {
      const count = this.handedOver.filter((text) => text === `in${n}`).length
      assert.ok(count >= 1, `in${n} was never handed over`)
    }
    // A power cut between handing a message over and remembering it repeats it: see README.
    const repeats = this.handedOver.length - new Set(this.handedOver).size
    assert.ok(repeats < this.boots, `${repeats} repeats in ${this.boots} boots`)
  }
}

for (const protocol of [4, 5]) {
  describe(`power cuts in the life of a device, protocol ${protocol}`, () => {
    for (const writeSize of [1, 16]) {
      it(`one cut at every flash operation, writes of ${writeSize} bytes`, () => {
        const operations = tryEveryCut(() => new World(protocol, writeSize))
        assert.ok(operations > 30, `only ${operations} flash operations`)
      })
    }

    it('a second cut while the first is being recovered', () => {
      trySecondCuts(() => new World(protocol, 4), 60, 3)
    })
  })
}
