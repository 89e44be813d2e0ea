/**
 * The application of a simulated device: publishes messages, some of them in parts, and tells the
 * ledger what it was told. One payload in parts is open at a time; between its parts the world goes
 * on: other messages, lost connections, power cuts.
 */
import type { MqttClient, PayloadStream, PublishOptions } from '../../src/index.js'
import { ERR_DROPPED, ERR_FULL, ERR_TOO_LARGE } from '../../src/status.js'
import type { Chance, EventQueue } from './world-clock.js'
import { violate } from './world-clock.js'
import type { DeviceConfig } from './world-config.js'
import type { Ledger } from './world-ledger.js'
import type { OutMessage } from './world-message.js'
import type { Monitor } from './world-monitor.js'
import type { Watch } from './world-watch.js'

/** What a publisher needs of its device. */
export interface PublisherHost {
  readonly config: DeviceConfig
  readonly ledger: Ledger
  readonly monitor: Monitor
  readonly watch: Watch
  readonly client: MqttClient | null
  /** The wall clock of the device is set. */
  readonly hasWall: boolean
  /** False when the power was cut in it. */
  run(action: () => void): boolean
}

interface OpenStream {
  message: OutMessage
  stream: PayloadStream
  ticket: number
  /** Bytes handed over. */
  at: number
}

export class WorldPublisher {
  /** The message that `publish` was called with and has not returned from. */
  current: OutMessage | null = null
  /** It was reported as kept before `publish` returned. */
  isKeptNow = false
  private readonly host: PublisherHost
  private readonly clock: EventQueue
  private readonly chance: Chance
  private open: OpenStream | null = null

  constructor(host: PublisherHost, clock: EventQueue, chance: Chance) {
    this.host = host
    this.clock = clock
    this.chance = chance
  }

  /** Does what the application does next. */
  act(): void {
    const { streamOneIn } = this.host.config
    if (this.open && this.chance.oneIn(2)) this.goOn(this.open)
    else if (!this.open && streamOneIn > 0 && this.chance.oneIn(streamOneIn)) this.beginStream()
    else this.publish()
  }

  /** The power has gone: of a message that is not whole nothing remains. */
  powerLost(): void {
    if (this.open) this.giveUp(this.open)
  }

  /** The application ends what it has begun. */
  comeToRest(): void {
    const { open } = this
    if (!open) return
    open.stream.abort()
    this.giveUp(open)
  }

  private giveUp({ message, ticket }: OpenStream): void {
    this.open = null
    if (message.fate !== 'pending') return
    message.fate = 'refused'
    message.lane.givenUp(message)
    this.mayCountAsDamaged(message, ticket)
  }

  /** Behind hooks a later boot cannot tell it from a payload whose end was deleted. */
  private mayCountAsDamaged(message: OutMessage, ticket: number): void {
    const { config, ledger, monitor } = this.host
    if (config.hasHooks) ledger.neverWhole(message, ticket, monitor.boot)
  }

  private publish(): void {
    const { chance } = this
    const qos = chance.oneIn(12) ? 0 : chance.between(1, 2)
    const { largestPayload, lanes } = this.host.config
    const size = chance.oneIn(lanes ? 4 : 8) ? chance.between(4, largestPayload) : chance.below(24)
    const { message, options } = this.begin(qos, size)
    const { watch, ledger, monitor, client } = this.host
    const nextTicket = watch.nextTicket(message.lane)
    let ticket = 0
    watch.beforePublish(message)
    const isAlive = this.call(message, () => {
      ticket = client!.publish(message.topic, message.payload, options)
    })
    if (!isAlive) {
      ledger.undecided(message, nextTicket, monitor.boot, this.clock.now)
      return
    }
    watch.published(message, ticket)
    this.settle(message, ticket)
  }

  private begin(qos: number, size: number): { message: OutMessage; options: PublishOptions } {
    const { chance } = this
    const { expiringOneIn, wallAfterMs } = this.host.config
    const expirySeconds =
      qos > 0 && expiringOneIn > 0 && chance.oneIn(expiringOneIn) ? chance.between(2, 60) : 0
    const message = this.host.ledger.begin(qos, chance.oneIn(20), size, expirySeconds)
    message.isAgeKnown = wallAfterMs <= 0 || this.host.hasWall
    const options: PublishOptions = { qos, retain: message.retain }
    if (expirySeconds > 0) options.properties = { messageExpiryInterval: expirySeconds }
    return { message, options }
  }

  /** A call of the client for this message. */
  private call(message: OutMessage, action: () => void): boolean {
    this.current = message
    this.isKeptNow = false
    const isAlive = this.host.run(action)
    this.current = null
    return isAlive
  }

  private settle(message: OutMessage, ticket: number): void {
    const { ledger, monitor } = this.host
    message.isKept = this.isKeptNow
    if (ticket < 0) message.fate = 'refused'
    else ledger.accepted(message, ticket, monitor.boot, this.clock.now)
  }

  private beginStream(): void {
    const { watch, ledger, monitor, client, config } = this.host
    const { message, options } = this.begin(
      this.chance.between(1, 2),
      this.chance.between(4, config.largestStream),
    )
    const ticket = watch.nextTicket(message.lane)
    watch.beforePublish(message)
    let stream: PayloadStream | undefined
    const isAlive = this.call(message, () => {
      stream = client!.stream(message.topic, message.payload.length, options)
    })
    if (isAlive && stream!.status === 0) {
      // It has its place in the lane, and its time, before it has a ticket.
      message.acceptedAt = this.clock.now
      message.lane.begun(message)
      this.open = { message, stream: stream!, ticket, at: 0 }
      return
    }
    if (!isAlive) {
      ledger.neverWhole(message, ticket, monitor.boot)
      return
    }
    message.fate = 'refused'
    const { status } = stream!
    if (status !== ERR_FULL && status !== ERR_TOO_LARGE && status !== ERR_DROPPED) {
      violate('a stream cannot begin, with status ' + status)
    }
  }

  /** Hands the next part over. */
  private goOn(open: OpenStream): void {
    const { message, stream, at } = open
    const { ledger, monitor } = this.host
    const left = message.payload.length - at
    const length = this.chance.oneIn(3) ? left : this.chance.between(1, left)
    let result = 0
    const isAlive = this.call(message, () => (result = stream.write(message.payload, at, length)))
    if (!isAlive) {
      // `powerLost` has been here. The last part may be stored; those before make no message.
      if (length === left) ledger.undecided(message, open.ticket, monitor.boot, this.clock.now)
      return
    }
    open.at += length
    if (result === 0 && open.at < message.payload.length) return
    this.open = null
    if (result === 0) violate('the last part of a payload returned no ticket')
    if (result > 0 && open.at < message.payload.length) violate('a ticket comes too early')
    if (result > 0 && result !== open.ticket) violate(`ticket ${result}, not ${open.ticket}`)
    if (result < 0 && result !== ERR_FULL && result !== ERR_DROPPED) {
      violate('a part of a payload is refused with status ' + result)
    }
    this.settle(message, result)
    if (result >= 0) return
    message.lane.givenUp(message)
    this.mayCountAsDamaged(message, open.ticket)
  }
}
