/**
 * A device of the simulated world with the small client: MQTT 3.1.1 and one queue. The world, the
 * broker, the ledger and the monitor are those of the full client; only what looks into the client
 * is different.
 */
import type { MqttClient } from '../../src/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { MqttClient as SmallClient, type SmallEvent } from '../../src/small/index.js'
import { ERR_CORRUPT, ERR_TOO_LARGE, OK } from '../../src/status.js'
import { FlashStore } from '../../src/storage.js'
import { type Chance, violate } from './world-clock.js'
import type { DeviceConfig } from './world-config.js'
import { Device } from './world-device.js'
import type { WorldTransport } from './world-network.js'
import { SmallWatch } from './small-watch.js'

const BROKER = 'mqtt://broker.test'

export function smallConfig(chance: Chance): DeviceConfig {
  const isWrapping = chance.oneIn(4)
  const isLong = chance.oneIn(3)
  const eraseSize = chance.pick([512, 1024, 4096])
  return {
    protocol: 4,
    eraseSize,
    sectorCount: chance.between(8, eraseSize === 512 ? 40 : 16),
    writeSize: chance.pick([1, 4, 16, 32]),
    bufferSize: chance.pick([256, 512]),
    hasHooks: false,
    firstNumber: isWrapping ? 0xffffffff - chance.below(250) : 1,
    firstSequence: isWrapping ? 0xffffffff - chance.below(20) : 1,
    wallAfterMs: -1,
    largestPayload: chance.between(8, 180),
    streamOneIn: 0,
    largestStream: 0,
    expiringOneIn: 0,
    publishEveryMs: chance.pick([50, 200, 400]),
    latencyMs: chance.pick([1, 20, 150]),
    lanes: null,
    client: {
      keepAliveMs: 1000 * chance.pick([5, 20, 60]),
      cleanStart: chance.oneIn(12),
      inFlightLimit: chance.pick([1, 5, 20, 64]),
      sendBufferSize: chance.pick([256, 512, 1536]),
      receiveBufferSize: chance.pick([64, 64, 256, 1024]),
      connectTimeoutMs: 5000,
      pingTimeoutMs: 3000,
      ackTimeoutMs: isLong ? 30000 : 8000,
      retryMinMs: chance.pick([50, 1000]),
      retryMaxMs: chance.pick([1000, 8000]),
      ackBatch: chance.pick([1, 3, 16, 64]),
      ackDelayMs: chance.pick([0, 200, 1000, 5000]),
    },
  }
}

export class SmallDevice extends Device {
  override watch: SmallWatch = new SmallWatch(this.config, this.ledger)
  /** Messages for the device of which it was told that they are larger than its buffer. */
  private toldCount = 0

  /** The outbox of this boot. */
  private makeOutbox(): FlashOutbox {
    const { bufferSize, firstNumber, firstSequence } = this.config
    const outbox = new FlashOutbox(this.flash, this.system, { bufferSize })
    // What a blank flash begins with; one that was written has its own.
    outbox.nextNumber = firstNumber
    outbox.walkNumber = firstNumber
    outbox.window.reset(firstNumber)
    outbox['resumeEnd'] = firstNumber
    outbox.log.sequence = (firstSequence - 1) >>> 0
    outbox.state.sequence = (firstSequence - 1) >>> 0
    return outbox
  }

  protected override makeClient(makeTransport: () => WorldTransport): MqttClient {
    const { ledger, clock, monitor } = this
    const boot = monitor.boot
    const outbox = this.makeOutbox()
    const client = new SmallClient({
      system: this.system,
      transport: makeTransport(),
      broker: BROKER,
      clientId: this.name,
      storage: outbox,
      ...this.config.client,
    } as ConstructorParameters<typeof SmallClient>[0])
    this.watch.begun(client, outbox)
    // There is no event for them: a message that is loaded leaves, one that has a ticket is kept.
    const load = outbox.load.bind(outbox)
    outbox.load = (number, target, at, end) => {
      const length = load(number, target, at, end)
      if (length > 0) ledger.sent(number, boot, monitor.connections, clock.now)
      return length
    }
    const publish = client.publish.bind(client)
    client.publish = (topic, payload, options) => {
      const ticket = publish(topic, payload, options)
      this.publisher.isKeptNow = ticket > 0
      return ticket
    }
    // The part of the full client's face that a world uses.
    return client as unknown as MqttClient
  }

  protected override listen(full: MqttClient): void {
    const client = full as unknown as SmallClient
    const { ledger, clock, monitor } = this
    const boot = monitor.boot
    client.on('message.acked', ({ ticket, reasonCode }: SmallEvent) => {
      ledger.acked(ticket, reasonCode, boot, clock.now)
    })
    client.on('message.dropped', ({ ticket, status, text }: SmallEvent) => {
      if (ticket === 0) {
        if (status !== ERR_TOO_LARGE || text !== 'in/x') violate('a message for it: ' + status)
        this.toldCount++
        return
      }
      if (status !== ERR_CORRUPT) violate('a message is dropped with status ' + status)
      ledger.dropped(ticket, status, boot, clock.now)
    })
    client.on('storage.failed', ({ status }: SmallEvent) => violate('storage failed: ' + status))
  }

  /** There is no sleep; the application makes all durable, stops, and is gone for a while. */
  override sleep(_deadlineMs: number, downMs: number): void {
    const client = this.client as unknown as SmallClient | null
    if (!client) return
    const isAlive = this.run(() => {
      const status = client.flush()
      if (status === OK) this.ledger.slept(this.clock.now)
      else violate('flush returned ' + status)
    })
    if (!isAlive) return
    this.stopOrStart(false)
    this.clock.after(downMs, () => {
      if ((this.client as unknown) !== client) return
      if (this.broker.isCalm || this.chance.oneIn(2)) this.stopOrStart(true)
      else this.cutPower(downMs)
    })
  }

  /** After the rest both clients find on flash that nothing is left. */
  override checkAtRest(): void {
    const { ledger } = this
    this.checkLarge()
    ledger.checkAtRest()
    if (this.flash.counters.doubleProgrammedBytes > 0) violate('flash was programmed twice')
    this.transport?.powerLost()
    this.flash.powerOn()
    const outbox = this.makeOutbox()
    outbox.mount(this.name, BROKER)
    if (outbox.count !== 0) violate(`${outbox.count} complete messages come back after a reboot`)
    this.watch.checkFull(new FlashStore(this.flash, this.system), this.name, BROKER)
  }

  /** What is larger than the receive buffer is told of, at least once, and not handed over. */
  private checkLarge(): void {
    const { receiveBufferSize } = this.config.client
    let largeCount = 0
    for (const message of this.ledger.in) {
      const { seq, qos, size } = message
      const remaining = 2 + 'in/x'.length + (qos > 0 ? 2 : 0) + size
      if ((remaining < 128 ? 2 : 3) + remaining <= receiveBufferSize!) continue
      if (message.handedOver > 0) violate(`message ${seq} for the device is handed over, in part`)
      if (qos > 0 && !message.wasLost && !this.ledger.isBlurred) largeCount++
      message.wasLost = true
    }
    if (this.toldCount >= largeCount) return
    violate(`${largeCount} messages larger than the buffer, ${this.toldCount} told of`)
  }
}
