/**
 * The night of the device: joins broker, network, witness and device, boots it as planned, and
 * gathers what there is to judge. Knows no flash format, no packets and no engine's inside.
 */
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FlashStatistics } from '../../hal/node/index.js'
import { parseBroker } from '../../src/broker-url.js'
import { type EmbeddedBroker, startBroker } from './broker.js'
import { type Board, DeviceProcess } from './device-process.js'
import type { SensorConfig } from './firmware/sensor.js'
import { type Findings, judge, Ledger } from './ledger.js'
import { lastWords } from './last-words.js'
import type { SimulatorOptions } from './options.js'
import { planBoots, type PlannedBoot } from './plan.js'
import { Proxy } from './proxy.js'
import { forgetSession, Subscriber } from './subscriber.js'

/** Without any sign of life for so long, the run has failed. */
const STALL_MS = 20_000
/** For the last deliveries; and then for what should not come. */
const ARRIVAL_MS = 5000
const SETTLE_MS = 400
const TELL_MS = 500
const TICK_MS = 4
/** Larger runs publish faster: all readings in about so many ticks. */
const TICKS = 600

export interface PowerCut {
  readonly operation: number
  readonly isNetworkUp: boolean
  /** Accepted and not acknowledged when the power went; and found on flash at the next boot. */
  readonly waiting: number
  readonly accepted: number
  /** -1: none has come up since. */
  found: number
}

export interface Outcome {
  readonly findings: Findings
  readonly ledger: Ledger
  readonly cuts: readonly PowerCut[]
  /** Times the network went away, and attempts to connect meanwhile. */
  readonly networkCuts: number
  readonly refused: number
  readonly flash: FlashStatistics
  readonly payloadBytes: number
  /** What was broken beside the findings, in words. */
  readonly troubles: readonly string[]
}

/** Ends a run early; what happened so far is judged all the same. */
class Broken extends Error {}

export class Scenario {
  private readonly options: SimulatorOptions
  private readonly board: Board
  private readonly tell: (line: string) => void
  private readonly ledger = new Ledger()
  private readonly cuts: PowerCut[] = []
  private readonly runId = randomBytes(6).toString('hex')
  private readonly deviceId: string
  private readonly topicPrefix: string
  private embedded: EmbeddedBroker | null = null
  private proxy: Proxy | null = null
  private subscriber: Subscriber | null = null
  private device: DeviceProcess | null = null
  private isNetworkUp = true
  private toldAt = 0

  constructor(options: SimulatorOptions, board: Board, tell: (line: string) => void) {
    this.options = options
    this.board = board
    this.tell = tell
    // Its own for each run: what an earlier run left on a real broker is none of our business.
    this.deviceId = `holdfast-device-${this.runId}`
    this.topicPrefix = `holdfast/${this.runId}`
  }

  /** For when the harness has to end at once. */
  abort(): void {
    this.device?.kill()
  }

  /** Throws BrokerError when there is no broker to begin with. */
  async run(): Promise<Outcome> {
    const troubles: string[] = []
    try {
      await this.open()
      try {
        await this.night()
      } catch (error) {
        if (!(error instanceof Broken)) throw error
        troubles.push(error.message)
      }
      return this.outcome(troubles)
    } finally {
      await this.close()
    }
  }

  private async open(): Promise<void> {
    const { broker, protocol } = this.options
    if (broker === '') this.embedded = await startBroker()
    const url = this.embedded?.url ?? broker
    const filter = this.topicPrefix + '/#'
    const witness = `holdfast-witness-${this.runId}`
    this.subscriber = await Subscriber.start(url, witness, protocol, filter)
    this.proxy = new Proxy(parseBroker(url))
    await this.proxy.listen()
    this.tell(`${this.embedded ? 'embedded broker' : 'broker'} ${url}: subscriber is ready`)
  }

  private async close(): Promise<void> {
    this.abort()
    await this.device?.ended
    await this.subscriber?.stop()
    await this.proxy?.close()
    await this.embedded?.close()
    const { broker, protocol } = this.options
    if (broker === '' || this.subscriber === null) return
    // A broker that went away meanwhile has been told of already.
    await forgetSession(broker, this.deviceId, protocol).catch(() => {})
  }

  private async night(): Promise<void> {
    const { messages, powerCuts, seed, cutAt } = this.options
    const boots = planBoots(messages, powerCuts, seed, cutAt)
    for (const [index, boot] of boots.entries()) {
      await this.boot(boot, `boot ${index + 1} of ${boots.length}`)
    }
    const subscriber = this.subscriber!
    await this.until('waiting for the last deliveries', ARRIVAL_MS, () => {
      return subscriber.distinct.size >= this.ledger.accepted.size
    }).catch((error: unknown) => {
      // Then they are lost, which the judgement says better.
      if (!(error instanceof Broken) || subscriber.trouble !== '') throw error
    })
    // An empty queue stays empty: what were still on flash now would be sent again.
    const check = { title: 'to see that nothing is left', network: [{ accepted: 0, isUp: true }] }
    await this.boot({ ...check, cutAt: 0, cutSeed: 0, waitsForBroker: false }, 'one more boot')
    if (this.ledger.queuedAtBoot > 0) {
      throw new Broken(`${this.ledger.queuedAtBoot} messages came back after the queue was empty`)
    }
    await sleep(SETTLE_MS)
    this.tellState('all is quiet')
  }

  private async boot(boot: PlannedBoot, name: string): Promise<void> {
    this.setNetwork(boot)
    this.tell(`${name}: ${boot.title}`)
    const onReport = (line: string): void => {
      this.ledger.note(line)
      this.setNetwork(boot)
      const cut = this.cuts.at(-1)
      // Of several boots after a cut the first one that came up tells what it found.
      if (line.startsWith('booted') && cut && cut.found < 0) cut.found = this.ledger.queuedAtBoot
    }
    const device = new DeviceProcess(
      this.board,
      { config: this.config(boot), cutAt: boot.cutAt, cutSeed: boot.cutSeed },
      onReport,
      (line) => this.tell('device: ' + line),
    )
    this.device = device
    await this.until(name, STALL_MS, () => {
      this.tellSometimes(name)
      return device.end !== null
    })
    if (device.end === 'failed') {
      const words = lastWords(device.code, device.errorText, null)
      throw new Broken(`${name}: the device failed: ${words}`)
    }
    if (device.end === 'power cut') this.noteCut(boot)
    else if (boot.cutAt > 0) throw new Broken(`${name}: the planned power cut did not come`)
    else if (!this.ledger.isDrained) throw new Broken(`${name}: the device stopped by itself`)
  }

  private noteCut(boot: PlannedBoot): void {
    const { waitingCount: waiting, accepted } = this.ledger
    const network = this.isNetworkUp ? 'up' : 'down'
    this.tell(
      `power cut in flash operation ${boot.cutAt}, network ${network}: ` +
        `${accepted.size} accepted, ${waiting} of them only on flash`,
    )
    this.cuts.push({
      operation: boot.cutAt,
      isNetworkUp: this.isNetworkUp,
      waiting,
      accepted: accepted.size,
      found: -1,
    })
  }

  private config(boot: PlannedBoot): string {
    const { messages, protocol, seed, encrypt } = this.options
    const config: SensorConfig = {
      broker: this.proxy!.url,
      clientId: this.deviceId,
      protocol,
      topicPrefix: this.topicPrefix,
      seed,
      next: this.ledger.nextNumber,
      count: messages - this.ledger.accepted.size,
      burst: Math.ceil(messages / TICKS),
      tickMs: TICK_MS,
      waitsForBroker: boot.waitsForBroker,
      encrypt,
    }
    return JSON.stringify(config)
  }

  /** Puts the network into the state that the plan wants now. */
  private setNetwork(boot: PlannedBoot): void {
    let isUp = this.isNetworkUp
    for (const change of boot.network) {
      if (this.ledger.accepted.size >= change.accepted) isUp = change.isUp
    }
    if (isUp === this.isNetworkUp) return
    this.isNetworkUp = isUp
    if (isUp) this.proxy!.restore()
    else this.proxy!.cut()
    this.tellState(isUp ? 'the network is back' : 'the network is gone')
  }

  /** Waits; throws Broken when nothing at all happens for `limitMs`, or the witness is gone. */
  private async until(what: string, limitMs: number, isDone: () => boolean): Promise<void> {
    const subscriber = this.subscriber!
    let activity = -1
    let since = 0
    while (!isDone()) {
      if (subscriber.trouble !== '') throw new Broken(`the subscriber: ${subscriber.trouble}`)
      const now = this.ledger.lineCount + subscriber.deliveries.length
      if (now !== activity) since = performance.now()
      activity = now
      if (performance.now() - since > limitMs) {
        throw new Broken(`${what}: nothing happened for ${limitMs / 1000} s`)
      }
      await sleep(5)
    }
  }

  private tellSometimes(name: string): void {
    if (performance.now() - this.toldAt >= TELL_MS) this.tellState(name)
  }

  private tellState(what: string): void {
    this.toldAt = performance.now()
    const { messages } = this.options
    const { accepted, waitingCount } = this.ledger
    const arrived = this.subscriber!.distinct.size
    this.tell(
      `${what}: ${accepted.size} of ${messages} accepted, ${waitingCount} waiting, ` +
        `${arrived} delivered (${Math.floor((arrived / messages) * 100)} %)`,
    )
  }

  private outcome(troubles: string[]): Outcome {
    const { seed } = this.options
    const statsFile = this.board.image + '.stats'
    // A device that failed at its first boot has none.
    const stats = fs.existsSync(statsFile) ? fs.readFileSync(statsFile, 'utf8') : '{}'
    const zeros = { programmedBytes: 0, erases: 0, doubleProgrammedBytes: 0 }
    return {
      findings: judge(this.ledger, this.subscriber!.deliveries, this.topicPrefix, seed),
      ledger: this.ledger,
      cuts: this.cuts,
      networkCuts: this.proxy!.cutCount,
      refused: this.proxy!.refusedCount,
      flash: { ...zeros, ...(JSON.parse(stats) as Partial<FlashStatistics>) },
      payloadBytes: this.ledger.payloadBytes(seed),
      troubles: [...this.ledger.troubles, ...troubles],
    }
  }
}
