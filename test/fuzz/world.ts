/**
 * One client among hostile bytes: its transport is the fuzzer's, its life is drawn from one seed.
 * After each packet the promises are checked that hold whatever a broker sends.
 */
import assert from 'node:assert/strict'
import { ManualSystem, NorFlash, Random, ScriptedTransport } from '../../hal/memory/index.js'
import { MqttClient } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { COMPLETE, numberAfter } from '../../src/store/exchange-window.js'
import { recount } from '../session/recount.js'
import { emptyRecords } from './empty-records.js'
import { NO_FIGURES, type Figures } from './figures.js'
import { connacksOf, corpusOf, fill, frameAt, mutate, randomBytes } from './packets.js'
import { readPublish, type Template } from './packets.js'
import { SentReader } from './sent-reader.js'

/** Polls at one moment after which the client must have come to rest. */
const MOST_POLLS = 300
const CLOSED = 0
const CONNECTING = 1
const OPEN = 2
/** Which CONNACK of MQTT 5 has Session Present and Receive Maximum 1. */
const TIGHT = 4
/** A ticket is the number of its lane times this, and the number of its record. */
const LANE = 4294967296
/** Half of the worlds have these lanes, with every durability; the others have one. */
const LANES = [
  { name: 'alarm', filters: ['out/0'], minQos: 1, priority: 10 },
  { name: 'group', filters: ['out/1'], durability: 'group', groupBytes: 256, groupMs: 300 },
  { name: 'rest', overflow: 'drop-oldest' },
] as const

const corpora = new Map(
  [4, 5].map((version) => [version, { packets: corpusOf(version), connacks: connacksOf(version) }]),
)

export class World {
  readonly figures: Figures = { ...NO_FIGURES }
  /** What was fed last, for the report of a failure. */
  readonly trail: string[] = []
  readonly title: string
  protected readonly chance: Random
  private readonly version: number
  protected readonly flash: NorFlash | null
  protected readonly system: ManualSystem
  private readonly packets: Template[]
  private readonly connacks: Template[]
  protected readonly options: Record<string, any>
  protected transport!: ScriptedTransport
  protected client!: MqttClient
  /** Tickets accepted and not settled. */
  private readonly open = new Set<number>()
  /** Settled, but not marked before a reboot, or empty: they may settle once more. */
  private readonly returned = new Set<number>()
  private texts = 0
  /** Bytes delivered on this connection, and how far the messages handed over have come in them. */
  private stream = Buffer.alloc(65536)
  private streamSize = 0
  private cursor = 0
  /** Inbound QoS 2 identifiers handed over and not released, as the bytes have it. */
  private readonly held = new Set<number>()
  private readonly sent: SentReader
  /** Packets of twelve that are a right answer, where one is due. */
  private readonly calm: number
  /** Packets of a hundred that are spoilt. */
  private readonly spoiltParts: number
  private waitMs = 0

  constructor(seed: number, isSmall = false) {
    this.chance = new Random(seed)
    const chance = this.chance
    this.version = chance.below(2) === 0 || isSmall ? 4 : 5
    const hasLanes = chance.below(2) === 0 && !isSmall
    const capacity = hasLanes ? 24576 : 16384
    this.flash =
      chance.below(2) === 0
        ? new NorFlash({ capacity, eraseSize: 1024, writeSize: 1 + 3 * chance.below(2) })
        : null
    this.sent = new SentReader(this.version)
    this.system = new ManualSystem(seed)
    this.packets = corpora.get(this.version)!.packets
    this.connacks = corpora.get(this.version)!.connacks
    this.options = {
      protocol: this.version,
      sessionExpirySeconds: chance.below(3) * 100,
      cleanStart: chance.below(4) === 0,
      sessionLost: chance.below(2) === 0 ? 'republish' : 'discard',
      overflow: chance.below(2) === 0 ? 'reject' : 'drop-oldest',
      inFlightLimit: 1 + chance.below(64),
      receiveMaximum: 1 + chance.below(64),
      sendBufferSize: [128, 300, 1536][chance.below(3)],
      receiveBufferSize: [64, 300, 1024][chance.below(3)],
      queueQos0: chance.below(2) === 0,
      ackBatch: 1 + chance.below(16),
      queueSize: 1024,
    }
    if (hasLanes) {
      this.options.lanes = LANES.map(({ durability, groupBytes, groupMs, ...lane }: any) =>
        this.flash && durability ? { ...lane, durability, groupBytes, groupMs } : lane,
      )
      if (!this.flash) this.options.queueSize = 3072
    }
    this.calm = [4, 8, 11][chance.below(3)]!
    this.spoiltParts = [1, 3, 10, 50][chance.below(4)]!
    const lanes = hasLanes ? '3 lanes' : 'one lane'
    this.title = `protocol ${this.version}, ${this.flash ? 'flash' : 'RAM'}, ${lanes}`
    this.boot()
  }

  /** Feeds about so many packets. */
  run(packets: number): void {
    while (this.figures.packets < packets) {
      this.act()
      this.connect()
      for (let n = 1 + this.chance.below(24); n > 0 && this.transport.state === OPEN; n--) {
        this.feed(this.draw(), true)
        if (this.chance.below(3) === 0) this.act()
      }
      if (this.transport.state === OPEN && this.chance.below(3) === 0) this.transport.drop('cut')
      this.poll()
      if (this.flash && this.chance.below(12) === 0) this.reboot()
    }
    this.drain()
  }

  /** In the end a broker that only answers, but little at a time: all that is open must go. */
  private drain(): void {
    const tight = corpora.get(5)!.connacks[TIGHT]!
    for (let round = 0; this.openTickets().length > 0; round++) {
      assert.ok(round < 400, `${this.open.size} messages are stuck behind a good broker`)
      if (this.transport.state !== OPEN || this.client.isStopped) {
        this.connect(true)
        const isKept = this.maySessionExist()
        if (this.version === 5 && isKept) this.feed(tight.bytes, true)
        else this.feed(this.connacks[isKept ? 1 : 0]!.bytes, true)
      }
      this.transport.room = Infinity
      this.poll()
      while (this.transport.state === OPEN && this.sent.answers.length > 0) {
        this.feed(this.sent.answers.shift()!, true)
      }
      this.system.advance(1000)
      this.poll()
    }
  }

  private boot(): void {
    this.transport = new ScriptedTransport()
    this.client = this.makeClient()
    const { client } = this
    client.on('message.acked', ({ ticket }) => {
      this.figures.acked++
      this.settle(ticket)
    })
    client.on('message.dropped', ({ ticket }) => {
      if (ticket === 0) return // for us, and larger than the receive buffer
      this.figures.dropped++
      this.settle(ticket)
    })
    client.on('session.lost', () => this.held.clear())
    client.on('client.connected', ({ sessionPresent }) => {
      this.figures.established++
      if (!sessionPresent) this.held.clear()
    })
    client.on('message.received', ({ message }) => {
      this.figures.delivered++
      const { bytes, topicAt, topicLength } = message!
      const topic = Buffer.from(bytes).toString('hex', topicAt, topicAt + topicLength)
      this.checkDelivery(topic, Buffer.from(message!.payload).toString('hex'))
      if (this.chance.below(4) === 0) this.act()
    })
    client.subscribe('in/#', { qos: 2 }, () => {})
  }

  protected makeClient(): MqttClient {
    const storage = this.flash ? { storage: new FlashStore(this.flash, this.system) } : {}
    const client = new MqttClient({
      system: this.system,
      transport: this.transport,
      broker: 'mqtt://fuzz.test',
      clientId: 'fuzz',
      ...this.options,
      ...storage,
    })
    // A QoS 0 message that was queued settles when it was sent.
    client.on('message.sent', ({ ticket }) => {
      const { window } = client['queues'][Math.floor(ticket / LANE)]!
      if (window.state(ticket % LANE) === COMPLETE) this.settle(ticket)
    })
    return client
  }

  private settle(ticket: number): void {
    const isOpen = this.open.delete(ticket) || this.returned.delete(ticket)
    assert.ok(isOpen, `ticket ${ticket} settled and was not open`)
  }

  /** A power cycle between two operations of flash, sometimes with a flush before it. */
  private reboot(): void {
    const isFlushed = this.chance.below(2) === 0
    if (isFlushed) assert.equal(this.client.flush(), 0)
    this.figures.reboots++
    this.boot()
    const found = new Set(this.openTickets())
    for (const ticket of this.open) {
      if (found.has(ticket)) continue
      // Accepted is kept; but a lane that groups keeps in RAM what is not yet due.
      const mayBeInRam = Math.floor(ticket / LANE) === 1 && !isFlushed
      assert.ok(mayBeInRam, `ticket ${ticket} lost in a reboot`)
      this.open.delete(ticket)
    }
    // What was settled and not marked comes again; more than a batch of marks and a window cannot.
    const come = [...found].filter((ticket) => !this.open.has(ticket))
    const empty = isFlushed ? this.emptyRecords() : new Set<number>()
    const isEmpty = (ticket: number) => empty.has(ticket - LANE)
    const more = come.filter((ticket) => !this.returned.has(ticket) && !isEmpty(ticket)).length
    assert.ok(more <= (isFlushed ? 0 : 80), `${more} settled messages came back`)
    this.returned.clear()
    for (const ticket of come) this.returned.add(ticket)
  }

  /** A lane that groups writes them for what was complete in RAM: open until they are read. */
  protected emptyRecords(): Set<number> {
    const group = this.client['queues'][1]
    return group ? emptyRecords(group) : new Set()
  }

  protected openTickets(): number[] {
    const tickets: number[] = []
    for (const [lane, { window, log }] of this.client['queues'].entries()) {
      for (let number = window.base; number !== log.nextNumber; number = numberAfter(number)) {
        if (window.state(number) !== COMPLETE) tickets.push(lane * LANE + number)
      }
    }
    return tickets
  }

  private connect(isCalm = false): void {
    const { transport, chance } = this
    if (this.client.isStopped) this.client.start()
    for (let n = 0; n < 50 && transport.state !== CONNECTING; n++) {
      this.poll()
      if (transport.state === CLOSED) this.system.advance(Math.min(this.waitMs, 100000))
    }
    if (transport.state !== CONNECTING) return
    this.readReleases()
    this.streamSize = 0
    this.cursor = 0
    this.sent.reset()
    transport.room = Infinity
    transport.readLimit = chance.below(3) === 0 ? 1 + chance.below(9) : Infinity
    this.figures.connections++
    transport.accept()
    this.poll()
    if (isCalm) return
    // Mostly a CONNACK; sometimes a spoiled one, sometimes the packets come without any.
    const draw = chance.below(12)
    const likely = chance.below(4) > 0 && this.maySessionExist() ? 1 : 0
    const connack = this.connacks[draw < 8 ? likely : chance.below(this.connacks.length)]!
    if (draw < 10) this.feed(connack.bytes, true)
    else if (draw === 10) this.feed(mutate(connack.bytes, chance), true)
  }

  /** Whether a good broker could answer the CONNECT of this connection with Session Present 1. */
  private maySessionExist(): boolean {
    const isClean = (this.transport.sent[9]! & 2) !== 0
    return !isClean && this.hasSession
  }

  protected get hasSession(): boolean {
    return this.client['queues'][0]!.state.sessionMayExist
  }

  private draw(): Uint8Array {
    const { chance } = this
    const answer = chance.below(12) < this.calm ? this.sent.answers.shift() : undefined
    const isSpoilt = chance.below(100) < this.spoiltParts
    if (answer) return isSpoilt ? mutate(answer, chance) : answer
    const source = chance.below(60) === 0 ? this.connacks : this.packets
    // In a calm world more of what comes unasked is PUBLISH and PUBREL, which harm nobody.
    const isHarmless = chance.below(12) < this.calm
    const few = source.filter(({ bytes }) => [3, 6].includes(bytes[0]! >> 4))
    const choice = isHarmless && few.length > 0 ? few : source
    const packet = choice[chance.below(choice.length)]!
    const ids = this.sent.ids
    const isKnown = ids.length > 0 && chance.below(4) > 0
    const packetId = isKnown ? ids[chance.below(ids.length)]! : 1 + chance.below(65535)
    const whole = fill(packet, packetId)
    if (!isSpoilt) return whole
    return chance.below(4) === 0 ? randomBytes(chance) : mutate(whole, chance)
  }

  /** Delivers bytes in slices and polls between them. */
  private feed(bytes: Uint8Array, isPacket: boolean): void {
    const { transport, chance } = this
    if (isPacket) this.figures.packets++
    this.note(Buffer.from(bytes).toString('hex'))
    this.stream.set(bytes, this.streamSize)
    this.streamSize += bytes.length
    for (let at = 0; at < bytes.length;) {
      const isWhole = chance.below(3) > 0
      const size = isWhole ? bytes.length - at : 1 + chance.below(bytes.length - at)
      if (transport.state !== OPEN) return
      transport.deliver(bytes.subarray(at, at + size))
      at += size
      this.poll()
    }
    this.check()
  }

  /** What the application, the clock or the network may do at any moment. */
  private act(): void {
    const { chance, client } = this
    const draw = chance.below(24)
    if (draw < 12) this.publish()
    else if (draw < 14) client.subscribe(['in/#', 'b', 'c/+'][chance.below(3)]!, { qos: 1 })
    else if (draw === 14) client.unsubscribe(['b', 'c/+'][chance.below(2)]!)
    else if (draw < 18) this.system.advance(chance.below(chance.below(10) === 0 ? 90000 : 500))
    else if (draw === 18 && this.transport.state === OPEN) {
      this.transport.room = chance.below(60)
      this.sent.isLimited = true
    } else if (draw < 22) this.transport.room = Infinity
    else if (chance.below(6) === 0) client.stop()
    else if (chance.below(6) === 0) client.start()
  }

  private publish(): void {
    const { chance } = this
    const text = `m${this.texts++}.`.padEnd(8 + chance.below(70), '#') + '!'
    const qos = chance.below(3)
    const ticket = this.client.publish('out/' + chance.below(3), text, { qos })
    if (ticket <= 0) return
    this.figures.accepted++
    this.open.add(ticket)
  }

  private poll(): void {
    for (let round = 0; ; round++) {
      assert.ok(round < MOST_POLLS, 'poll does not come to rest')
      this.waitMs = this.client.poll(this.system.now())
      assert.ok(this.waitMs >= 0, `poll returned ${this.waitMs}`)
      if (this.waitMs > 0) break
    }
    this.sent.read(this.transport.sent, this.transport.state === OPEN)
  }

  private check(): void {
    if (this.client.isConnected) this.checkCounts()
    const found = new Set(this.openTickets())
    for (const ticket of this.open) assert.ok(found.has(ticket), `ticket ${ticket} is gone`)
    for (const ticket of found) {
      assert.ok(this.open.has(ticket) || this.returned.has(ticket), `ticket ${ticket} is new`)
    }
  }

  protected checkCounts(): void {
    const { connection } = this.client['session']
    assert.equal(connection.exchanges.count, recount(connection), 'in flight')
  }

  /** A message handed over must be the next of the PUBLISH packets that arrived, or a later one. */
  private checkDelivery(topic: string, payload: string): void {
    for (;;) {
      const frame = frameAt(this.stream, this.cursor, this.streamSize)
      assert.ok(frame, `${topic} ${payload} is in no packet that arrived`)
      this.cursor = frame.end
      if (frame.first >> 4 === 6) {
        this.held.delete(this.stream.readUInt16BE(frame.bodyAt))
        continue
      }
      if (frame.first >> 4 !== 3) continue
      const published = readPublish(this.stream, frame, this.version)
      if (!published || published.topic !== topic || published.payload !== payload) continue
      if (published.qos === 2) {
        if (this.held.has(published.packetId)) continue // a repeat, not this one
        this.held.add(published.packetId)
      }
      return
    }
  }

  /** The PUBRELs behind the last message handed over on a connection that is gone. */
  private readReleases(): void {
    for (;;) {
      const frame = frameAt(this.stream, this.cursor, this.streamSize)
      if (!frame) return
      this.cursor = frame.end
      if (frame.first >> 4 === 6) this.held.delete(this.stream.readUInt16BE(frame.bodyAt))
    }
  }

  private note(line: string): void {
    this.trail.push(line)
    if (this.trail.length > 12) this.trail.shift()
  }
}
