/**
 * The world that can be replayed: devices on flash, a network and a broker in one process, in
 * virtual time, all chance from one seed. It makes trouble until there was enough of it, then lets
 * everything come to rest and looks at the ledger. A broken promise ends the run.
 */
import { Device } from './world-device.js'
import { WorldBroker } from './world-broker.js'
import { Chance, EventQueue, Violation, violate } from './world-clock.js'
import { brokerConfig, deviceConfig } from './world-config.js'
import { smallConfig, SmallDevice } from './small-device.js'
import type { WirePacket } from './world-wire.js'

/** What each run has at the least. */
export const LEAST_MESSAGES = 300
export const LEAST_DISCONNECTS = 5
export const LEAST_CUTS = 3
/** Limits of one run: a world that needs more has come to a standstill. */
const EVENT_LIMIT = 400000
const QUEUE_LIMIT = 20000
const REST_LIMIT_MS = 30 * 60 * 1000

export interface WorldResult {
  seed: number
  events: number
  virtualMs: number
  messages: number
  deliveries: number
  disconnects: number
  cuts: number
  /** What was broken, in words; null for a run in which all promises held. */
  violation: string | null
}

export type Trace = (device: string, now: number, packet: WirePacket, isSent: boolean) => void

export class World {
  readonly clock = new EventQueue()
  readonly chance: Chance
  readonly broker: WorldBroker
  readonly devices: Device[] = []
  private readonly seed: number
  private isCalm = false

  /** `isSmall`: the devices have the small client. */
  constructor(seed: number, trace: Trace | null, isSmall = false) {
    this.seed = seed
    this.chance = new Chance(seed)
    // The small client sends PUBRELs again in the order of its messages.
    const config = { ...brokerConfig(this.chance), keepsPubrecs: isSmall }
    this.broker = new WorldBroker(this.clock, this.chance, config)
    const deviceCount = this.chance.oneIn(10) ? 2 : 1
    for (let index = 0; index < deviceCount; index++) {
      const config = isSmall ? smallConfig(this.chance) : deviceConfig(this.chance)
      const name = 'device' + index
      const Kind = isSmall ? SmallDevice : Device
      const device = new Kind(name, config, this.clock, this.chance, this.broker)
      device.isRefusing = this.chance.oneIn(5)
      if (trace) {
        device.monitor.trace = (packet, isSent) => trace(name, this.clock.now, packet, isSent)
      }
      this.devices.push(device)
    }
  }

  /** The whole run; never throws. */
  run(): WorldResult {
    let violation: string | null = null
    try {
      this.live()
    } catch (error) {
      const words = error instanceof Violation ? error.message : String((error as Error).stack)
      violation = `${words} (at ${Math.round(this.clock.now)} ms, event ${this.clock.count})`
    }
    const sum = (of: (device: Device) => number) =>
      this.devices.reduce((total, device) => total + of(device), 0)
    return {
      seed: this.seed,
      events: this.clock.count,
      virtualMs: this.clock.now,
      messages: sum(({ ledger }) => ledger.acceptedCount),
      deliveries: sum(({ ledger }) => ledger.deliveredCount),
      disconnects: sum(({ monitor }) => monitor.connections - 1),
      cuts: sum(({ ledger }) => ledger.cuts.length),
      violation,
    }
  }

  private live(): void {
    for (const device of this.devices) {
      device.boot()
      this.publishAgain(device)
      this.sendAgain(device)
    }
    this.troubleAgain()
    while (!this.isCalm) this.step()
    this.comeToRest()
    for (const device of this.devices) device.checkAtRest()
  }

  private step(): void {
    if (!this.clock.step()) violate('nothing happens any more')
    if (this.clock.count > EVENT_LIMIT) violate('the run has no end')
    if (this.clock.size > QUEUE_LIMIT) violate('events pile up')
  }

  private hasHadEnough(): boolean {
    return this.devices.every(
      ({ ledger, monitor }) =>
        ledger.acceptedCount >= LEAST_MESSAGES &&
        ledger.cuts.length >= LEAST_CUTS &&
        monitor.connections > LEAST_DISCONNECTS,
    )
  }

  private publishAgain(device: Device): void {
    if (this.isCalm) return
    const every = device.config.publishEveryMs
    const count = this.chance.oneIn(30) ? this.chance.between(10, 60) : 1
    for (let index = 0; index < count; index++) device.publish()
    this.clock.after(every * 2 * this.chance.fraction(), () => this.publishAgain(device))
  }

  private sendAgain(device: Device): void {
    if (this.isCalm) return
    device.sendToDevice()
    this.clock.after(this.chance.below(3000), () => this.sendAgain(device))
  }

  private troubleAgain(): void {
    if (this.hasHadEnough()) {
      this.isCalm = true
      return
    }
    this.trouble(this.chance.pick(this.devices))
    this.clock.after(100 + this.chance.below(6000), () => this.troubleAgain())
  }

  private trouble(device: Device): void {
    const chance = this.chance
    const downMs = chance.oneIn(4) ? chance.below(120000) : chance.below(5000)
    const kind = chance.below(14)
    if (kind < 4) device.breakLink()
    else if (kind < 6) device.armCut(chance.between(1, 40))
    else if (kind === 6) device.cutPower(downMs)
    else if (kind === 7) this.broker.restart(downMs, true, chance.oneIn(3))
    else if (kind === 8 && chance.oneIn(2)) this.broker.restart(downMs, false, chance.oneIn(3))
    else if (kind === 9) {
      for (const connection of [...this.broker.connections]) connection.close(0x8b)
    } else if (kind === 10) {
      device.stopOrStart(false)
      this.clock.after(downMs, () => device.stopOrStart(true))
    } else if (kind === 11) device.beBusy()
    else if (kind === 12) device.sleep(chance.below(8000), downMs)
  }

  /** No more trouble: whatever is on its way must arrive. */
  private comeToRest(): void {
    const began = this.clock.now
    this.broker.isCalm = true
    for (const device of this.devices) device.comeToRest()
    let restedAt = -1
    // The marks of the last acknowledgements need their time.
    const marksMs = 2000 + Math.max(...this.devices.map(({ config }) => config.client.ackDelayMs!))
    while (restedAt < 0 || this.clock.now < restedAt + marksMs) {
      this.step()
      if (!this.devices.every((device) => device.isAtRest)) restedAt = -1
      else if (restedAt < 0) {
        restedAt = this.clock.now
        this.clock.after(marksMs + 1, () => {})
      }
      if (this.clock.now - began > REST_LIMIT_MS) violate(this.whyNoRest())
    }
  }

  private whyNoRest(): string {
    const words = this.devices.map((device) => {
      const stats = device.client?.stats
      const { isOn, name, client } = device
      const waits = this.broker.describe(name)
      const state = `on ${isOn}, connected ${client?.isConnected}, queued ${stats?.queued}`
      return `${name} ${state}, ${waits}`
    })
    return 'the world does not come to rest: ' + words.join('; ')
  }
}
