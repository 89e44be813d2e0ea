/**
 * The network of the simulated world: links that behave as TCP does. Bytes arrive in order, late,
 * sliced at random, or not at all: a link can break at any byte, with a reset that each side hears
 * of at a time of its own, or silently (half-open). Knows nothing of MQTT.
 */
import { ERR_CLOSED, OK, type Status } from '../../src/status.js'
import {
  TRANSPORT_CLOSED,
  TRANSPORT_CONNECTING,
  TRANSPORT_OPEN,
  type BrokerAddress,
  type Transport,
} from '../../hal/transport.js'
import type { Chance, EventQueue } from './world-clock.js'

/** The broker's end of a link. */
export interface BrokerEnd {
  received(bytes: Uint8Array): void
  /** The link is gone: reset, or closed by the client after its last byte. */
  lost(): void
}

/** Where new links lead to. */
export interface Listener {
  /** The broker's end of a new link, or null when nobody listens. */
  accept(link: Link): BrokerEnd | null
}

/** What looks at every byte that crosses the client's side of a link. */
export interface Tap {
  opened(link: Link): void
  sentBytes(bytes: Uint8Array): void
  receivedBytes(bytes: Uint8Array): void
}

class Direction {
  /** Bytes on their way. */
  pending = 0
  /** Bytes that still get through before the link breaks. */
  budget = Infinity
  arrivesAt = 0
}

export class Link {
  readonly toBroker = new Direction()
  readonly toClient = new Direction()
  /** Bytes that may be on their way to the broker before writes are held back. */
  readonly windowSize: number
  /** Receive Maximum of the CONNACK the broker sent here; the taps check against it. */
  receiveMaximum = 65535
  /** The session that the CONNACK sent here belongs to. */
  generation = 0
  broker: BrokerEnd | null = null
  /** Null once the client has closed it or lost its power. */
  client: WorldTransport | null
  /** True after a break: what is on its way never arrives. */
  isBroken = false
  private readonly clock: EventQueue
  private readonly chance: Chance
  private readonly latencyMs: number
  private isSilent = false

  constructor(clock: EventQueue, chance: Chance, latencyMs: number, client: WorldTransport) {
    this.clock = clock
    this.chance = chance
    this.latencyMs = latencyMs
    this.client = client
    this.windowSize = chance.oneIn(3) ? chance.between(16, 300) : 4096
  }

  get delayMs(): number {
    return this.latencyMs * (0.5 + this.chance.fraction())
  }

  sendToBroker(bytes: Uint8Array): void {
    this.send(this.toBroker, bytes, (part) => {
      this.broker?.received(part)
      if (this.client?.link === this) this.client.roomCame()
    })
  }

  sendToClient(bytes: Uint8Array): void {
    this.send(this.toClient, bytes, (part) => {
      if (this.client?.link === this) this.client.arrived(part)
    })
  }

  /** Breaks after `byteCount` more bytes in one direction. */
  breakAfter(byteCount: number, isToBroker: boolean, isSilent: boolean): void {
    const direction = isToBroker ? this.toBroker : this.toClient
    direction.budget = byteCount
    this.isSilent = isSilent
    if (byteCount === 0) this.break()
  }

  /** The client closes: what it wrote still arrives, then the broker hears of the end. */
  closeByClient(): void {
    this.client = null
    const leftMs = Math.max(this.toBroker.arrivesAt - this.clock.now, 0) + this.delayMs
    if (!this.isBroken) this.clock.after(leftMs, () => this.endBroker())
  }

  /** The broker closes: what it wrote still arrives, then the client hears of the end. */
  closeByBroker(): void {
    this.broker = null
    const leftMs = Math.max(this.toClient.arrivesAt - this.clock.now, 0) + this.delayMs
    if (!this.isBroken) this.clock.after(leftMs, () => this.endClient('closed by the broker'))
  }

  /** The device behind it is gone: nobody reads, and the broker may hear of it late or never. */
  powerLost(): void {
    this.client = null
    if (this.chance.oneIn(2)) this.clock.after(this.delayMs * 8, () => this.endBroker())
    // What the radio had not sent yet is gone as well.
    if (this.chance.oneIn(2)) {
      this.toBroker.budget = this.chance.below(this.toBroker.pending + 1)
      if (this.toBroker.budget === 0) this.isBroken = true
    }
  }

  endBroker(): void {
    const broker = this.broker
    this.broker = null
    this.isBroken = true
    broker?.lost()
  }

  endClient(reason: string): void {
    if (this.client?.link === this) this.client.ended(reason)
  }

  private break(): void {
    if (this.isBroken) return
    this.isBroken = true
    if (this.isSilent) return
    this.clock.after(this.delayMs, () => this.endClient('connection reset'))
    this.clock.after(this.delayMs, () => this.endBroker())
  }

  private send(direction: Direction, bytes: Uint8Array, deliver: (part: Uint8Array) => void): void {
    if (this.isBroken) {
      direction.pending += bytes.length // swallowed: the sender's buffer fills up
      return
    }
    for (let at = 0; at < bytes.length;) {
      const isSliced = bytes.length - at > 1 && this.chance.oneIn(4)
      const size = isSliced ? this.chance.between(1, bytes.length - at) : bytes.length - at
      const part = bytes.slice(at, at + size)
      at += size
      direction.pending += size
      direction.arrivesAt = Math.max(direction.arrivesAt, this.clock.now + this.delayMs)
      this.clock.after(direction.arrivesAt - this.clock.now, () => {
        if (this.isBroken) return
        direction.pending -= size
        const passed = Math.min(size, direction.budget)
        direction.budget -= passed
        if (passed > 0) deliver(passed === size ? part : part.slice(0, passed))
        if (direction.budget === 0) this.break()
      })
    }
  }
}

export class WorldTransport implements Transport {
  state = TRANSPORT_CLOSED
  reason = ''
  onReady: () => void = () => {}
  link: Link | null = null
  private readonly clock: EventQueue
  private readonly chance: Chance
  private readonly listener: Listener
  private readonly tap: Tap
  private readonly latencyMs: number
  private waiting: Uint8Array[] = []

  constructor(clock: EventQueue, chance: Chance, listener: Listener, tap: Tap, latencyMs: number) {
    this.clock = clock
    this.chance = chance
    this.listener = listener
    this.tap = tap
    this.latencyMs = latencyMs
  }

  open(_broker: BrokerAddress): Status {
    this.close()
    const link = new Link(this.clock, this.chance, this.latencyMs, this)
    this.link = link
    this.state = TRANSPORT_CONNECTING
    if (this.chance.oneIn(24)) return OK // a SYN that nobody answers
    this.clock.after(2 * link.delayMs, () => {
      if (link.client !== this || this.link !== link) return
      const broker = this.listener.accept(link)
      if (broker === null) {
        this.ended('connection refused')
        return
      }
      link.broker = broker
      this.state = TRANSPORT_OPEN
      this.tap.opened(link)
      this.onReady()
    })
    return OK
  }

  write(source: Uint8Array, sourceAt: number, length: number): number {
    const link = this.link
    if (this.state === TRANSPORT_CLOSED || link === null) return ERR_CLOSED
    if (this.state !== TRANSPORT_OPEN) return 0
    let taken = Math.min(length, Math.max(link.windowSize - link.toBroker.pending, 0))
    if (taken > 1 && this.chance.oneIn(8)) taken = this.chance.between(1, taken)
    if (taken === 0) return 0
    const bytes = source.slice(sourceAt, sourceAt + taken)
    this.tap.sentBytes(bytes)
    link.sendToBroker(bytes)
    return taken
  }

  read(target: Uint8Array, targetAt: number, length: number): number {
    const first = this.waiting[0]
    if (first === undefined) return this.state === TRANSPORT_CLOSED ? ERR_CLOSED : 0
    let taken = Math.min(length, first.length)
    if (taken > 1 && this.chance.oneIn(16)) taken = this.chance.between(1, taken)
    const part = first.slice(0, taken)
    target.set(part, targetAt)
    if (taken === first.length) this.waiting.shift()
    else this.waiting[0] = first.slice(taken)
    this.tap.receivedBytes(part)
    return taken
  }

  close(): void {
    this.link?.closeByClient()
    this.link = null
    this.waiting = []
    this.state = TRANSPORT_CLOSED
    this.reason = ''
  }

  /** The device lost its power: this object is never used again. */
  powerLost(): void {
    this.link?.powerLost()
    this.link = null
    this.state = TRANSPORT_CLOSED
    this.onReady = () => {}
  }

  arrived(bytes: Uint8Array): void {
    if (this.state !== TRANSPORT_OPEN) return
    this.waiting.push(bytes)
    this.onReady()
  }

  roomCame(): void {
    if (this.state === TRANSPORT_OPEN) this.onReady()
  }

  ended(reason: string): void {
    if (this.state === TRANSPORT_CLOSED) return
    this.state = TRANSPORT_CLOSED
    this.reason = reason
    this.onReady()
  }
}
