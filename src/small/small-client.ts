/**
 * MqttClient, the small one: the public face. What it has, it has under the names of the full
 * client (`src/client.ts`), and it keeps the same promises: a message of QoS 1 or 2 that `publish`
 * took is sent until the broker has it, and with storage a power loss does not change that.
 *
 * It leaves out MQTT 5, lanes, streams, several brokers, times to live, hooks, and every overflow
 * policy but the refusal. Whoever drives it calls `poll(now)`, as with the full client.
 */
import { fail, integer } from '../checks.js'
import { ERR_ARGUMENT, ERR_TOO_LARGE, type Status } from '../status.js'
import { bodySize, type Outbox } from './outbox.js'
import { PUBLISH_HEAD, SUBSCRIBE_SIZE } from './packets.js'
import { type SmallEventHandler, type SmallEventName, SmallEvents } from './small-events.js'
import { check, type SmallOptions, SmallSettings } from './small-options.js'
import { SmallSession } from './small-session.js'
import { isFilter, type SmallMessageHandler } from './small-subscriptions.js'

export interface SmallPublishOptions {
  /** 0, 1 or 2. Default 0. */
  qos?: number
  retain?: boolean
}

/** Figures of one moment, made new at each call of `stats`. */
export interface SmallStats {
  /** Messages accepted and not complete, and those complete behind one that is not. */
  queued: number
  /** PUBLISH packets of QoS 1 and 2 that wait for their answer. */
  inFlight: number
}

const RETAIN = 0x04

export class MqttClient {
  /**
   * Called when `poll` is due: something was published, or the transport has news. Set it to a
   * function that notes so; it must not call `poll` itself.
   */
  onWork: () => void
  private readonly settings: SmallSettings
  private readonly outbox: Outbox
  private readonly events: SmallEvents
  private readonly session: SmallSession

  /**
   * Throws an Error that names the option when one is wrong or the storage cannot be used. `more`:
   * names that the options may have too, each with a space behind it.
   */
  constructor(options: SmallOptions, more?: string) {
    const settings = new SmallSettings(options, more ?? '')
    this.settings = settings
    this.outbox = settings.storage
    this.outbox.mount(settings.greeting.clientId, settings.url)
    this.events = new SmallEvents()
    this.session = new SmallSession(settings, this.outbox, this.events)
    this.onWork = nothing
    settings.transport.onReady = (): void => this.onWork()
  }

  /** True between CONNACK and the end of the connection. */
  get isConnected(): boolean {
    return this.session.isConnected
  }

  /** True before `start`, and after `stop` once DISCONNECT has left. */
  get isStopped(): boolean {
    return this.session.isStopped
  }

  get stats(): SmallStats {
    return { queued: this.outbox.count, inFlight: this.session.exchanges.inFlight }
  }

  /** Connects at the next `poll`, and again after each loss until `stop`. */
  start(): void {
    this.session.start(this.settings.system.now())
    this.onWork()
  }

  /** Sends DISCONNECT and stays away. Publishing goes on working. */
  stop(): void {
    this.session.stop()
    this.onWork()
  }

  /**
   * Does what is due at `now` (milliseconds, the clock of `system.now`) in a bounded number of
   * steps. Returns the milliseconds after which it wants to be called again, 0 for at once and
   * Infinity for not before `onWork`. Handlers must not call it.
   */
  poll(now: number): number {
    return this.session.poll(now)
  }

  /** Calls `handler` at each event of this name; throws for a name that is none. */
  on(name: SmallEventName, handler: SmallEventHandler): void {
    this.events.on(name, handler)
  }

  off(name: SmallEventName, handler: SmallEventHandler): void {
    this.events.off(name, handler)
  }

  /**
   * Publishes a message. Returns a ticket above 0 once the message is kept (with `storage`: on
   * flash); events about it carry it. 0: QoS 0, handed to the connection. Negative: not accepted:
   * ERR_TOPIC, ERR_ARGUMENT, ERR_TOO_LARGE, ERR_FULL, ERR_OFFLINE (QoS 0), ERR_STORAGE.
   */
  publish(topic: string, payload: string | Uint8Array, options?: SmallPublishOptions): number {
    const qos = (options && options.qos) ?? 0
    if (qos !== 0 && qos !== 1 && qos !== 2) return ERR_ARGUMENT
    const flags = qos | (options && options.retain ? RETAIN : 0)
    const size = bodySize(topic, payload)
    if (size < 0) return size
    // What could never be sent is not kept.
    if (size + PUBLISH_HEAD > this.settings.sendBufferSize) return ERR_TOO_LARGE
    const result =
      qos > 0
        ? this.outbox.add(flags, topic, payload, size)
        : this.session.putNow(flags, topic, payload, size)
    if (result >= 0) this.onWork()
    return result
  }

  /**
   * Adds a filter to the table of subscriptions; the broker is asked now or when there is one, and
   * again when it lost the session. Throws for what is no filter.
   */
  subscribe(filter: string, options?: { qos?: number }, handler?: SmallMessageHandler): void {
    const qos = integer(options && options.qos, 'qos', 0, 0, 2)
    if (
      check(filter, 'filter') + SUBSCRIBE_SIZE > this.settings.sendBufferSize ||
      !isFilter(filter)
    ) {
      fail('filter', filter, 'a topic filter')
    }
    this.session.subscriptions.add(filter, qos, handler ?? null)
    this.onWork()
  }

  /** Takes a filter out of the table. False when it is not in it. */
  unsubscribe(filter: string): boolean {
    const isKnown = this.session.subscriptions.remove(filter)
    this.onWork()
    return isKnown
  }

  /** Makes durable what waits to be (acknowledgements): before a sleep or a planned power-off. */
  flush(): Status {
    return this.outbox.flush()
  }
}

function nothing(): void {}
