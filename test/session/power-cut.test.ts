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
import { NorFlash, PowerCut, ManualSystem, type Tear } from '../../hal/memory/index.js'
import { FlashStore } from '../../src/storage.js'
import { Desk } from './desk.js'
import { ModelBroker } from './model-broker.js'

const GEOMETRY = { capacity: 16 * 512, eraseSize: 512 }
const TEARS: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']
const MESSAGES = 24

class World {
  readonly flash: NorFlash
  readonly broker: ModelBroker
  readonly accepted: { text: string; qos: number }[] = []
  readonly handedOver: string[] = []
  private readonly protocol: number
  private desk: Desk | null = null
  private boots = 0
  private next = 0
  private inbound = 0

  constructor(protocol: number, writeSize: number) {
    this.protocol = protocol
    this.flash = new NorFlash({ ...GEOMETRY, writeSize })
    this.broker = new ModelBroker(protocol)
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
  readonly undecided = new Set<string>()

  /** One exchange of bytes in both directions. */
  private exchange(): void {
    const desk = this.desk!
    for (let round = 0; round < 200; round++) {
      desk.poll()
      if (desk.transport.state === 1) desk.transport.accept()
      const sent = desk.transport.takeSent()
      if (sent.length === 0 && desk.waitMs > 0) {
        if (desk.client.isConnected) return
        desk.system.advance(desk.waitMs) // the pause before the next attempt
      }
      for (const answer of this.broker.receive(sent)) {
        if (desk.transport.state === 2) desk.transport.deliver(answer)
      }
    }
    assert.fail('the exchange does not come to rest')
  }

  /** The whole life of the device from where it stands; throws PowerCut when the power goes. */
  live(): void {
    this.boot()
    const desk = this.desk!
    while (this.next < MESSAGES / 2) this.publish()
    desk.client.start()
    this.exchange()
    while (this.next < MESSAGES) {
      this.publish()
      this.exchange()
      if (this.next % 4 === 0 && this.inbound < 4) {
        this.inbound++
        desk.transport.deliver(this.broker.send(this.inbound, `in${this.inbound}`))
        this.exchange()
      }
    }
    desk.after(5000)
    this.exchange()
    assert.equal(desk.client.stats.queued, 0)
  }

  /** Lives on through power cuts until the work is done. False when a cut did not happen. */
  run(cuts: [number, Tear, number][]): boolean {
    for (const [operation, tear, seed] of cuts) {
      this.flash.cutAt(operation, tear, seed)
      try {
        this.live()
        return false
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error
        if (this.begun) this.undecided.add(this.begun.text)
        this.begun = null
      }
      this.flash.powerOn()
    }
    this.live()
    return true
  }

  check(): void {
    const delivered = this.broker.delivered
    const counts = new Map<string, number>()
    for (const { text } of delivered) counts.set(text, (counts.get(text) ?? 0) + 1)
    for (const { text, qos } of this.accepted) {
      const count = counts.get(text) ?? 0
      assert.ok(count >= 1, `${text} was accepted and is lost`)
      if (qos === 2) assert.equal(count, 1, `${text} (QoS 2) arrived ${count} times`)
      counts.delete(text)
    }
    for (const [text, count] of counts) {
      assert.ok(this.undecided.has(text), `${text} was never accepted and arrived`)
      assert.ok(count === 1 || Number(text.slice(1)) % 3 === 0, `${text} arrived ${count} times`)
    }
    const firsts = [...new Set(delivered.map(({ text }) => text))].map((t) => Number(t.slice(1)))
    assert.deepEqual(
      firsts,
      [...firsts].sort((a, b) => a - b),
      'order of first arrivals',
    )
    assert.equal(this.flash.counters.doubleProgrammedBytes, 0)
    for (let n = 1; n <= this.inbound; n++) {
      const count = this.handedOver.filter((text) => text === `in${n}`).length
      assert.ok(count >= 1, `in${n} was never handed over`)
    }
  }
}

/** Power cuts between handing a message over and remembering it repeat that message: see README. */
function checkInboundRepeats(world: World, cuts: number): void {
  assert.ok(world.handedOver.length - new Set(world.handedOver).size <= cuts)
}

for (const protocol of [4, 5]) {
  describe(`power cuts in the life of a device, protocol ${protocol}`, () => {
    for (const writeSize of [1, 16]) {
      it(`one cut at every flash operation, writes of ${writeSize} bytes`, () => {
        let operations = 0
        for (const tear of TEARS) {
          for (let operation = 1; ; operation++) {
            const world = new World(protocol, writeSize)
            const wasCut = world.run([[operation, tear, operation * 7 + 1]])
            try {
              world.check()
              checkInboundRepeats(world, 1)
            } catch (error) {
              ;(error as Error).message += ` (cut at ${operation}, ${tear})`
              throw error
            }
            operations = operation
            if (!wasCut) break
          }
        }
        assert.ok(operations > 30, `only ${operations} flash operations`)
      })
    }

    it('a second cut while the first is being recovered', () => {
      for (const tear of TEARS) {
        for (let operation = 2; operation < 60; operation += 3) {
          for (let second = 1; second <= 6; second++) {
            const world = new World(protocol, 4)
            world.run([
              [operation, tear, operation],
              [second, 'random', second],
            ])
            try {
              world.check()
              checkInboundRepeats(world, 2)
            } catch (error) {
              ;(error as Error).message += ` (cuts at ${operation} ${tear}, ${second})`
              throw error
            }
          }
        }
      }
    })
  })
}
