/**
 * MqttClient: the public face. It joins options, storage, queue and session.
 *
 * Whoever drives it calls `poll(now)`: after `onWork` was called, and when the milliseconds are
 * over that the last `poll` returned. `run` of holdfast/node does that on Node; the targets do it
 * on the boards.
 */
import { integer } from './checks.js'
import { utf8Size, writeUtf8 } from './codec/utf8.js'
import { type EventHandler, type EventName, Events, type ListenOptions } from './events.js'
import { MESSAGE_PERSISTED, MESSAGE_QUEUED } from './events.js'
import type { Task } from './extensions.js'
import { MessageMaker } from './message-maker.js'
import { mountState } from './mount.js'
import { PayloadStream } from './payload-stream.js'
import { type ClientOptions, Settings } from './options.js'
import { expires, type PublishOptions } from './publish-options.js'
import { type PayloadSink, Publisher } from './publisher.js'
import type { Lane } from './queue/lane.js'
import { OutgoingQueue } from './queue/outgoing-queue.js'
import { RamLog } from './store/ram-log.js'
import { Session } from './session/session.js'
import type { MessageHandler } from './session/subscriptions.js'
import { Sleep, type SleepHandler } from './sleep.js'
import { type ClientStats, makeStats } from './stats.js'
import { ERR_ARGUMENT, ERR_BUSY, ERR_TOO_LARGE, OK, type Status } from './status.js'
import { ExchangeWindow } from './store/exchange-window.js'
import { MESSAGE_QOS, type MessageSource } from './store/message-record.js'
import type { SessionState } from './store/session-state.js'
import { type SubscribeOptions, subscribeFilter, subscriptionBytes } from './subscribe-options.js'

export class MqttClient implements PayloadSink {
  /**
   * Called when `poll` is due: something was published, or the transport has news. Set it to a
   * function that notes so; it must not call `poll` itself.
   */
  onWork: () => void
  private readonly settings: Settings
  private readonly events: Events
  private readonly queues: OutgoingQueue[]
  readonly session: Session // public for the layers of this package above the client
  private readonly state: SessionState
  private readonly maker: MessageMaker
  private tasks: Task[] | null
  private isPublishing: boolean
  private isPolling: boolean
  private sleep: Sleep | null

  /** Throws an Error that names the option when one is wrong or the storage cannot be used. */
  constructor(options: ClientOptions) {
    const settings = new Settings(options)
    this.settings = settings
    this.events = new Events()
    this.state = mountState(settings)
    this.queues = []
    for (let index = 0; index < settings.lanes.length; index++) {
      this.queues.push(this.makeQueue(settings.lanes[index]!))
    }
    this.session = new Session(settings, this.events, this.queues)
    this.maker = new MessageMaker(settings)
    this.tasks = null
    this.isPublishing = false
    this.isPolling = false
    this.sleep = null
    this.onWork = nothing
    settings.transport.onReady = (): void => this.onWork()
  }

  private makeQueue(lane: Lane): OutgoingQueue {
    const settings = this.settings
    const system = settings.system
    const kept = settings.storage ? settings.storage.lanes[lane.index]! : null
    const share = Math.floor(settings.queueSize / settings.lanes.length)
    return new OutgoingQueue(
      kept
        ? kept.log
        : new RamLog(lane.bytes || share, new Uint8Array(settings.sendBufferSize), 0, system),
      kept ? kept.window : new ExchangeWindow(),
      this.state,
      system,
      lane,
      kept ? kept.group : null,
      settings.ackBatch,
      settings.ackDelayMs,
      !settings.isRepublishing,
    )
  }

  /** True between CONNACK and the end of the connection. */
  get isConnected(): boolean {
    return this.session.isConnected
  }

  /** The Client Identifier: as given, or as the broker assigned it to ''. */
  get clientId(): string {
    return this.settings.clientId
  }

  /** 4 for MQTT 3.1.1, 5 for MQTT 5. */
  get protocol(): number {
    return this.settings.version
  }

  /** True before `start`, and after `stop` once DISCONNECT has left. */
  get isStopped(): boolean {
    return this.session.isStopped
  }

  /** Connects at the next `poll`, and again after each loss until `stop`. */
  start(): void {
    this.session.start(this.settings.system.now())
    this.onWork()
  }

  /** Sends DISCONNECT and stays away. The queue keeps what it has; publishing goes on working. */
  stop(): void {
    this.session.stop()
    this.onWork()
  }

  /**
   * Does what is due at `now` (milliseconds, the clock of `system.now`) in a bounded number of
   * steps. Returns the milliseconds after which it wants to be called again, 0 for at once and
   * Infinity for not before `onWork`.
   */
  poll(now: number): number {
    if (this.isPolling) throw new Error('poll was called from a handler; note and return instead')
    this.isPolling = true
    try {
      let waitMs = this.session.poll(now)
      const tasks = this.tasks
      for (let index = 0; tasks !== null && index < tasks.length; index++) {
        waitMs = Math.min(waitMs, tasks[index]!.poll(now))
      }
      return this.sleep === null ? waitMs : this.pollSleep(waitMs, now)
    } finally {
      this.isPolling = false
    }
  }

  private pollSleep(waitMs: number, now: number): number {
    const sleep = this.sleep!
    const sleepMs = sleep.poll(now)
    if (sleepMs >= 0) return Math.min(waitMs, sleepMs)
    // `done` may have asked for the next one.
    if (this.sleep === sleep) this.sleep = null
    return this.session.isStopped ? Infinity : 0
  }

  /** Calls `handler` at each event of this name; throws for a name or an option that is none. */
  on(name: EventName, handler: EventHandler, options?: ListenOptions): void {
    this.events.on(name, handler, options ?? {})
  }

  off(name: EventName, handler: EventHandler): void {
    this.events.off(name, handler)
  }

  /**
   * Publishes a message. Legal in every state, before the first connection too.
   *
   * Returns a ticket above 0 once the message is kept (with `storage`: whole on flash); events
   * about the message carry it. 0: QoS 0, handed to the connection. Negative: not accepted, and
   * nothing was kept: ERR_TOPIC, ERR_ARGUMENT, ERR_TOO_LARGE, ERR_FULL, ERR_OFFLINE (QoS 0),
   * ERR_STORAGE, ERR_HOOK, ERR_BUSY (from a handler of message.dropped).
   */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): number {
    // Before `source` changes: a message may be half written out of it.
    if (this.isPublishing) return ERR_BUSY
    const status = this.maker.fill(topic, options, this.events.isEmitting)
    if (status !== OK) return status
    const source = this.maker.adHoc
    const isTimed = this.maker.isTimed
    if (typeof payload !== 'string') {
      return this.publishSource(source, isTimed, payload, 0, payload.length)
    }
    const length = utf8Size(payload)
    if (length < 0) return ERR_ARGUMENT
    source.payloadLength = length
    const payloadAt = this.begin(source, isTimed)
    if (payloadAt < 0) return payloadAt
    writeUtf8(this.payloadTarget(source), payloadAt, payload)
    return this.commit(source, payloadAt + length)
  }

  /** Prepares a topic. Throws for a topic or an option that can never be published. */
  publisher(topic: string, options?: PublishOptions): Publisher {
    const source = this.maker.prepare(topic, options ?? {})
    return new Publisher(this, source, expires(source))
  }

  /**
   * Begins a message whose payload of `length` bytes is handed over in parts, because it is larger
   * than the buffers: up to half of its lane's storage. Messages of the lane that are published
   * meanwhile leave behind it. `status` of the stream tells when it could not begin: as `publish`,
   * ERR_TOO_LARGE also without storage, ERR_BUSY while the lane has another stream open.
   */
  stream(topic: string, length: number, options?: PublishOptions): PayloadStream {
    const size = integer(length, 'length', 0, 1, 0x0fffffff)
    const source = this.maker.prepare(topic, options ?? {})
    const queue = this.queueOf(source)
    source.payloadLength = 0
    let status: Status = this.isQueued(source) ? OK : ERR_ARGUMENT
    if (status === OK && !this.session.outbound.fits(source)) status = ERR_TOO_LARGE
    if (status === OK && this.isPublishing) status = ERR_BUSY
    const writer = queue.stream
    if (writer === null) status = ERR_TOO_LARGE
    else if (status === OK) status = writer.begin(source, expires(source), size)
    return new PayloadStream(writer, this.settings.system, size, status, (number) => {
      const ticket = this.session.connection.lanes[source.lane]!.ticketOf(number)
      this.events.emitTopic(MESSAGE_QUEUED, ticket, source.topic, 0, source.topicLength)
      this.events.emitTopic(MESSAGE_PERSISTED, ticket, source.topic, 0, source.topicLength)
      this.onWork()
      return ticket
    })
  }

  /** What `Publisher.publish` calls. */
  publishSource(
    source: MessageSource,
    isTimed: boolean,
    payload: Uint8Array,
    at: number,
    length: number,
  ): number {
    if (this.isPublishing) return ERR_BUSY // the source may be the one that is half written
    if (at < 0 || length < 0 || at + length > payload.length) return ERR_ARGUMENT
    source.payloadLength = length
    const payloadAt = this.begin(source, isTimed)
    if (payloadAt < 0) return payloadAt
    this.settings.system.copy(this.payloadTarget(source), payloadAt, payload, at, length)
    return this.commit(source, payloadAt + length)
  }

  /**
   * Adds a filter to the table of subscriptions; the broker is asked now or when there is one, and
   * again when it lost the session. Throws for what is no filter.
   */
  subscribe(filter: string, options?: SubscribeOptions, handler?: MessageHandler): void {
    const bytes = subscriptionBytes(filter, this.settings.sendBufferSize)
    this.session.connection.subscriptions.add(
      subscribeFilter(filter, bytes, options ?? {}),
      bytes,
      handler ?? null,
    )
    this.onWork()
  }

  /** Takes a filter out of the table. False when it is not in it. */
  unsubscribe(filter: string): boolean {
    const isKnown = this.session.connection.subscriptions.remove(filter)
    this.onWork()
    return isKnown
  }

  /** The network is another one (Wi-Fi roamed, modem dialled): looks at once what still stands. */
  networkChanged(): void {
    this.session.networkChanged(this.settings.system.now())
    this.onWork()
  }

  /**
   * Before a sleep or a planned power-off: goes on sending until all is acknowledged or
   * `deadlineMs` are over, says DISCONNECT, makes the rest durable and calls `done` from `poll`
   * with what remains. The client is stopped then; `start` goes on. A second call replaces the
   * first.
   */
  prepareForSleep(deadlineMs: number, done: SleepHandler): void {
    const now = this.settings.system.now()
    integer(deadlineMs, 'deadlineMs', 0, 0, 0x7fffffff)
    this.sleep = new Sleep(this.session, this.queues, now + deadlineMs, done)
    this.onWork()
  }

  /**
   * Seconds until the first sector of the storage has been erased `eraseCycles` times (100,000 for
   * common chips), if things go on as since start; Infinity without storage.
   */
  estimateLifetime(eraseCycles: number): number {
    const storage = this.settings.storage
    return storage === null ? Infinity : storage.estimateLifetime(eraseCycles)
  }

  /**
   * With `manualAck`: acknowledges the message with this token (its `acknowledgement`). ERR_STALE:
   * it came on an earlier connection and comes again. ERR_ARGUMENT: no such message waits.
   */
  acknowledge(token: number): Status {
    this.onWork()
    const manualAck = this.settings.manualAck
    return manualAck === null ? ERR_ARGUMENT : manualAck.acknowledge(token)
  }

  /**
   * With `authentication`: authenticates again. The event client.authenticated tells of success, a
   * failure ends the connection. ERR_OFFLINE; ERR_BUSY while an exchange goes on; ERR_ARGUMENT.
   */
  reauthenticate(): Status {
    this.onWork()
    const authentication = this.settings.authentication
    return authentication === null ? ERR_ARGUMENT : authentication.reauthenticate()
  }

  /** Adds a helper that `poll` calls at its end. */
  attach(task: Task): void {
    if (this.tasks === null) this.tasks = [task]
    else this.tasks.push(task)
    this.onWork()
  }

  /** Makes durable what waits to be (acknowledgements): before a sleep or a planned power-off. */
  flush(): Status {
    return this.session.connection.flushQueues()
  }

  /** Figures of this moment. */
  get stats(): ClientStats {
    return makeStats(this.settings, this.queues, this.session.connection.exchanges.count)
  }

  // A message of QoS 0 goes to the send buffer, every other to the queue.

  private isQueued(source: MessageSource): boolean {
    return (source.flags & MESSAGE_QOS) !== 0 || this.settings.queueQos0
  }

  private queueOf(source: MessageSource): OutgoingQueue {
    return this.queues[source.lane]!
  }

  private payloadTarget(source: MessageSource): Uint8Array {
    return this.isQueued(source)
      ? this.queueOf(source).log.buffer
      : this.session.connection.sendBuffer.bytes
  }

  private begin(source: MessageSource, isTimed: boolean): number {
    if (!this.isQueued(source)) return this.session.outbound.beginNow(source)
    if (!this.session.outbound.fits(source)) return ERR_TOO_LARGE
    this.isPublishing = true
    let at = 0
    try {
      at = this.queueOf(source).begin(source, isTimed)
    } finally {
      this.isPublishing = false // also after a handler of message.dropped threw
    }
    if (at < 0) this.onWork() // counters may wait to be durable
    return at
  }

  private commit(source: MessageSource, end: number): number {
    let ticket = 0
    if (this.isQueued(source)) {
      const queue = this.queueOf(source)
      ticket = queue.commit()
      if (ticket < 0) return ticket
      const topic = source.topic
      const length = source.topicLength
      const isKept = this.settings.storage !== null && queue.isKept(ticket)
      ticket = this.session.connection.lanes[source.lane]!.ticketOf(ticket)
      this.events.emitTopic(MESSAGE_QUEUED, ticket, topic, 0, length)
      if (isKept) this.events.emitTopic(MESSAGE_PERSISTED, ticket, topic, 0, length)
    } else {
      this.session.connection.sendBuffer.added(end)
    }
    this.onWork()
    return ticket
  }
}

function nothing(): void {}
