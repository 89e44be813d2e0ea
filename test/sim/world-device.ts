/**
 * A device of the simulated world: a flash chip that outlives its power cuts, and at each boot a
 * new client on it. It drives the client as a target does, publishes, and tells the ledger.
 */
import { ManualSystem, NorFlash, PowerCut, type Tear } from '../../hal/memory/index.js'
import { MqttClient } from '../../src/index.js'
import { makeLanes } from '../../src/lanes.js'
import { FlashStore } from '../../src/storage.js'
import { XorHooks } from '../store/xor-hooks.js'
import type { BrokerWitness, WorldBroker } from './world-broker.js'
import { type Chance, type EventQueue, violate } from './world-clock.js'
import type { DeviceConfig } from './world-config.js'
import { lanesOf } from './world-lanes.js'
import { Ledger } from './world-ledger.js'
import { type InMessage, payloadOf, seqOf } from './world-message.js'
import { Monitor } from './world-monitor.js'
import { WorldTransport } from './world-network.js'
import { type PublisherHost, WorldPublisher } from './world-publisher.js'
import { BUSY_MS, Watch } from './world-watch.js'
import type { WirePacket } from './world-wire.js'

/** The time a poll takes, milliseconds. */
const STEP_MS = 0.01
/** Polls that may follow each other at once. */
const SPIN_LIMIT = 3000
/** Flash reads in one poll or publish. */
const READ_LIMIT = 20000
const TEARS: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']

export class Device implements BrokerWitness, PublisherHost {
  readonly name: string
  readonly ledger: Ledger
  readonly monitor: Monitor
  watch: Watch
  readonly flash: NorFlash
  readonly config: DeviceConfig
  client: MqttClient | null = null
  boots = 0
  protected readonly clock: EventQueue
  protected readonly chance: Chance
  protected readonly broker: WorldBroker
  private readonly hooks = new XorHooks()
  protected readonly publisher: WorldPublisher
  protected system = new ManualSystem(1)
  protected transport: WorldTransport | null = null
  private bootedAt = 0
  private busyUntil = 0
  private pollAt = Infinity
  private pollTurn = 0
  private spins = 0
  protected handedOverNow: InMessage[] = []
  private downMs = 0
  /** The application has asked for a sleep; and it had stopped the client, or has since. */
  private isSleepy = false
  private wasStopped = false

  constructor(
    name: string,
    config: DeviceConfig,
    clock: EventQueue,
    chance: Chance,
    broker: WorldBroker,
  ) {
    const options = config.client
    this.name = name
    this.config = config
    this.clock = clock
    this.chance = chance
    this.broker = broker
    this.flash = new NorFlash({
      capacity: config.sectorCount * config.eraseSize,
      eraseSize: config.eraseSize,
      writeSize: config.writeSize,
      eraseBlockSize: config.eraseSize * (chance.oneIn(2) ? 1 : 4),
    })
    const lanes = lanesOf(config.lanes, options)
    const rules = {
      // A broker that keeps no session promises nothing beyond the connection: it may repeat.
      mayRepeat: options.sessionLost !== 'discard' || broker.config.sessionExpirySeconds === 0,
      isRepublishing: options.sessionLost !== 'discard',
      markDelayMs: options.ackDelayMs! + 4 * BUSY_MS,
      repeatLimit: lanes.length * options.ackBatch! + 128,
    }
    this.ledger = new Ledger(rules, lanes)
    this.watch = new Watch(config, this.ledger)
    this.monitor = new Monitor(this.ledger, config.protocol, options.inFlightLimit!)
    this.publisher = new WorldPublisher(this, clock, chance)
    broker.witnesses.set(name, this)
  }

  get isOn(): boolean {
    return this.client !== null
  }

  /** Power comes: mount, and start as the firmware does. Mounting must always succeed. */
  boot(): void {
    this.flash.powerOn()
    this.monitor.boot = this.boots++
    this.bootedAt = this.clock.now
    this.busyUntil = 0
    this.spins = 0
    this.isSleepy = false
    this.wasStopped = false
    this.system = new ManualSystem(this.chance.next())
    this.tick()
    if (!this.broker.isCalm && this.chance.oneIn(6)) this.armCut(this.chance.between(1, 4))
    this.run(() => {
      const { clock, chance, broker, monitor, config } = this
      const client = this.makeClient(() => {
        this.transport = new WorldTransport(clock, chance, broker, monitor, config.latencyMs)
        return this.transport
      })
      this.client = client
      client.onWork = () => this.wake(this.chance.oneIn(4) ? this.chance.below(5) : 0)
      this.listen(client)
      client.subscribe('in/#', { qos: 2 }, (message) => {
        const entry = this.ledger.handedOver(message.payload, message.dup)
        this.handedOverNow.push(entry)
      })
      client.start()
    })
  }

  /** Mounts the storage; then the transport is made, and the client. */
  protected makeClient(makeTransport: () => WorldTransport): MqttClient {
    const store = this.makeStore()
    const { config } = this
    const client = new MqttClient({
      system: this.system,
      transport: makeTransport(),
      broker: 'mqtt://broker.test',
      clientId: this.name,
      protocol: config.protocol,
      storage: store,
      ...(config.lanes ? { lanes: config.lanes } : {}),
      ...config.client,
    })
    this.watch.booted(client, store)
    return client
  }

  protected makeStore(): FlashStore {
    const store = new FlashStore(this.flash, this.system, {
      bufferSize: this.config.bufferSize,
      ...(this.config.hasHooks ? { hooks: this.hooks } : {}),
    })
    const { lanes, firstNumber, firstSequence } = this.config
    // The same lanes as at mount, so that their first numbers can be set.
    if (lanes) store['layOut'](makeLanes(lanes, 0, true))
    for (const { flash } of store.lanes) {
      flash.firstNumber = firstNumber
      flash.firstSequence = firstSequence
    }
    return store
  }

  protected listen(client: MqttClient): void {
    const { ledger, clock, monitor, watch } = this
    const boot = monitor.boot
    client.on('message.persisted', (event) => {
      if (ledger.byTicket.get(event.ticket)?.boot === boot) ledger.kept(event.ticket, boot)
      else this.publisher.isKeptNow = true
    })
    client.on('message.sent', (event) => {
      if (event.ticket === 0) return
      const message = ledger.sent(event.ticket, boot, monitor.connections, clock.now)
      watch.checkPriority(message, monitor.connections)
    })
    client.on('session.lost', () => void watch.sessions++)
    client.on('message.acked', (event) => {
      ledger.acked(event.ticket, event.reasonCode, boot, clock.now)
    })
    client.on('message.dropped', (event) => {
      if (event.ticket === 0) watch.newestDropped(event.status, this.publisher.current, clock.now)
      else ledger.dropped(event.ticket, event.status, boot, clock.now)
    })
    client.on('storage.failed', (event) => violate('storage failed with status ' + event.status))
  }

  /** The power goes between two operations of the flash. */
  cutPower(downMs: number): void {
    if (!this.client) return
    this.downMs = downMs
    this.flash.powerOff()
    this.die()
  }

  /** The power will go in one of the next operations of the flash, and tear it. */
  armCut(operation: number): void {
    this.downMs = this.chance.oneIn(4) ? this.chance.below(90000) : this.chance.below(3000)
    this.flash.cutAt(operation, this.chance.pick(TEARS), this.chance.next())
  }

  private die(): void {
    this.transport?.powerLost()
    this.publisher.powerLost()
    this.ledger.powerCut(this.clock.now)
    this.monitor.interrupted()
    for (const entry of this.handedOverNow) entry.mayRepeat = true
    this.handedOverNow = []
    this.client = null
    this.transport = null
    this.pollAt = Infinity
    this.pollTurn++
    this.clock.after(this.downMs, () => this.boot())
  }

  /** Lets the device do something. A power cut inside ends this boot: then false. */
  run(action: () => void): boolean {
    const reads = this.flash.counters.reads
    try {
      action()
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      this.die()
      return false
    }
    if (this.flash.counters.reads - reads > READ_LIMIT) violate('a step reads flash for ever')
    return true
  }

  /** Moves the clocks of the device to the time of the world. */
  private tick(): void {
    const upMs = this.clock.now - this.bootedAt
    const { wallAfterMs } = this.config
    if (wallAfterMs >= 0 && upMs >= wallAfterMs && this.system.wall === 0) {
      this.system.wall = 1700000000 + Math.floor(this.clock.now / 1000)
    }
    this.system.time = upMs
    if (this.system.wall > 0) this.system.wall = 1700000000 + Math.floor(this.clock.now / 1000)
  }

  private wake(delayMs: number): void {
    const at = Math.max(this.clock.now + delayMs, this.busyUntil)
    if (at >= this.pollAt || at === Infinity) return
    this.pollAt = at
    const turn = ++this.pollTurn
    this.clock.after(at - this.clock.now, () => {
      if (turn !== this.pollTurn || !this.client) return
      this.pollAt = Infinity
      this.poll(this.client)
    })
  }

  private poll(client: MqttClient): void {
    this.tick()
    this.handedOverNow = []
    let waitMs = 0
    if (!this.run(() => (waitMs = client.poll(this.system.now())))) return
    this.monitor.stepped()
    this.watch.polled(this.clock.now)
    if (!(waitMs >= 0)) violate('poll returned ' + waitMs)
    this.spins = waitMs >= STEP_MS ? 0 : this.spins + 1
    if (this.spins > SPIN_LIMIT) violate('poll asks to be called at once for ever')
    this.check()
    this.wake(Math.max(waitMs, STEP_MS))
  }

  private check(): void {
    this.watch.check()
    if (this.hooks.repeated > 0) violate('a position was used twice: the nonce repeats')
  }

  /** The application is busy and polls late. */
  beBusy(): void {
    this.busyUntil = this.clock.now + this.chance.below(BUSY_MS)
  }

  /** The application goes offline or comes back. */
  stopOrStart(isStart: boolean): void {
    const client = this.client
    if (!client) return
    this.tick()
    if (!isStart || !this.isSleepy) this.wasStopped = !isStart
    this.run(() => (isStart ? client.start() : client.stop()))
  }

  get hasWall(): boolean {
    return this.system.wall > 0
  }

  publish(): void {
    if (!this.client || this.clock.now < this.busyUntil) return
    this.tick()
    this.publisher.act()
    if (this.client) this.check()
  }

  /** The application has no more to say. */
  comeToRest(): void {
    this.flash.cutAt(0, 'noop', 1)
    if (this.client) this.publisher.comeToRest()
    this.stopOrStart(true)
  }

  /** The application asks for a sleep; after it the device starts again, or is without power. */
  sleep(deadlineMs: number, downMs: number): void {
    const client = this.client
    if (!client) return
    this.tick()
    this.isSleepy = true
    const askedAt = this.clock.now
    const deadline = askedAt + deadlineMs
    client.prepareForSleep(deadlineMs, (report) => {
      this.isSleepy = false
      this.watch.slept(report, this.clock.now, askedAt, deadline, this.wasStopped)
      this.wasStopped = true
      const isWaking = this.broker.isCalm || this.chance.oneIn(2)
      this.clock.after(this.broker.isCalm ? 0 : downMs, () => {
        if (this.client !== client) return
        if (isWaking || this.broker.isCalm) this.stopOrStart(true)
        else this.cutPower(downMs)
      })
    })
  }

  /** The broker is given a message for this device. */
  sendToDevice(): void {
    const seq = this.ledger.in.length
    const qos = this.chance.between(0, 2)
    const payload = payloadOf(seq, this.chance.below(this.chance.oneIn(4) ? 200 : 20))
    const size = payload.length
    const entry = { seq, qos, size, handedOver: 0, mayRepeat: false, wasLost: false }
    this.ledger.in.push(entry)
    if (!this.broker.send(this.name, payload, qos)) entry.wasLost = true
  }

  /** Breaks the connection as the world likes. */
  breakLink(): void {
    const link = this.transport?.link
    if (!link) return
    const isSilent = this.chance.oneIn(3)
    const byteCount = this.chance.oneIn(3) ? 0 : this.chance.below(400)
    link.breakAfter(byteCount, this.chance.oneIn(2), isSilent)
  }

  // BrokerWitness

  arrived(packet: WirePacket): boolean {
    const message = this.ledger.find(packet)
    const isRefused =
      packet.qos > 0 && this.config.protocol === 5 && this.isRefusing && this.chance.oneIn(40)
    if (isRefused) message.wasRefused = true
    this.ledger.arrived(message)
    return !isRefused
  }

  isRefusing = false

  delivered(packet: WirePacket, generation: number): void {
    this.ledger.delivered(this.ledger.find(packet), generation)
  }

  isSame(a: WirePacket, b: WirePacket): boolean {
    return seqOf(a.payload) === seqOf(b.payload)
  }

  sessionLost(payloads: Uint8Array[]): void {
    for (const payload of payloads) this.ledger.in[seqOf(payload)]!.wasLost = true
  }

  /** True when nothing of this device is on its way in either direction. */
  get isAtRest(): boolean {
    const client = this.client
    return (
      client !== null &&
      client.isConnected &&
      client.stats.queued === 0 &&
      this.broker.isDone(this.name)
    )
  }

  /** After the rest: the marks are on flash, and the counters have survived. */
  checkAtRest(): void {
    const { ledger, client } = this
    ledger.checkAtRest()
    this.watch.checkSaved()
    if (this.flash.counters.doubleProgrammedBytes > 0) violate('flash was programmed twice')
    const { lanes } = client!['settings']
    this.transport?.powerLost()
    for (const lane of ledger.lanes) lane.powerCut(this.clock.now)
    this.flash.powerOn()
    const store = this.makeStore()
    const status = store.mount(this.name, 'mqtt://broker.test', lanes)
    if (status !== 0) violate('the last mount returns ' + status)
    for (const lane of ledger.lanes) {
      const { log, window } = store.lanes[lane.index]!
      const left = (log.nextNumber - window.base) >>> 0
      if (left !== 0) violate(`${left} complete messages come back after the last reboot`)
      lane.checkCounters(store.state.lanes[lane.index]!.dropped, ledger.out)
    }
  }
}
