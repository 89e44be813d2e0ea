/**
 * Lanes on flash, a model broker, and the power cut at every flash operation, in every way an
 * operation can tear. Two of the lanes hold messages in RAM: what was reported as persisted is
 * delivered however often the power goes, what was not may be lost, and nothing else is sent.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import type { LaneOptions } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { CutLife, tryEveryCut, trySecondCuts } from './cut-life.js'
import { Desk } from './desk.js'

const GEOMETRY = { capacity: 20 * 1024, eraseSize: 1024, writeSize: 4 }
const MESSAGES = 30
const LANES: LaneOptions[] = [
  { name: 'alarm', filters: ['alarm'], priority: 5 },
  { name: 'group', filters: ['group'], durability: 'group', groupBytes: 512, groupMs: 200 },
  { name: 'offline', durability: 'offline', groupBytes: 512 },
]

interface Message {
  text: string
  topic: string
  qos: number
  isKept: boolean
}

class World extends CutLife {
  private readonly sessionLost: 'republish' | 'discard'
  private readonly kept: Message[] = []
  /** Accepted or begun, and not reported as persisted when the power went. */
  private readonly undecided = new Set<string>()
  private inRam = new Map<number, Message>()
  private begun: Message | null = null
  private next = 0

  constructor(protocol: number, sessionLost: 'republish' | 'discard') {
    super(protocol, new NorFlash(GEOMETRY))
    this.sessionLost = sessionLost
  }

  private boot(): Desk {
    const system = new ManualSystem(1000 + this.boots++)
    this.inRam = new Map()
    const desk = new Desk(
      {
        protocol: this.protocol,
        storage: new FlashStore(this.flash, system),
        lanes: LANES,
        sessionLost: this.sessionLost,
        ackBatch: 3,
        inFlightLimit: 5,
      },
      system,
    )
    this.broker.connectionLost()
    const persisted = new Set<number>()
    desk.client.on('message.persisted', ({ ticket }) => {
      assert.ok(!persisted.has(ticket), 'persisted twice')
      persisted.add(ticket)
      const message = this.inRam.get(ticket) ?? this.begun!
      message.isKept = true
      if (this.inRam.delete(ticket)) this.kept.push(message)
    })
    desk.client.on('message.dropped', ({ ticket, status }) => {
      assert.ok(!persisted.has(ticket), `${ticket} was persisted and is dropped: ${status}`)
    })
    return desk
  }

  private publish(desk: Desk): void {
    const n = this.next++
    const topic = ['alarm', 'group', 'offline'][n % 3]!
    const message = { text: `m${n}`, topic, qos: n % 4 === 0 ? 2 : 1, isKept: false }
    this.begun = message
    const ticket = desk.client.publish(topic, message.text, { qos: message.qos })
    this.begun = null
    assert.ok(ticket > 0)
    if (message.isKept) this.kept.push(message)
    else this.inRam.set(ticket, message)
  }

  /** What was sent arrives, but for a third of the answers, and then the link drops. */
  private loseLink(desk: Desk): void {
    desk.poll()
    const answers = this.broker.receive(desk.transport.takeSent())
    for (const answer of answers.slice(answers.length >> 1)) desk.transport.deliver(answer)
    desk.poll()
    this.broker.receive(desk.transport.takeSent())
    this.broker.connectionLost()
    desk.transport.drop('cut')
    desk.poll()
  }

  protected live(): void {
    const desk = this.boot()
    while (this.next < MESSAGES / 3) this.publish(desk)
    desk.after(250)
    desk.client.start()
    this.exchange(desk)
    while (this.next < MESSAGES) {
      for (let count = 0; count < 5; count++) this.publish(desk)
      if (this.next % 10 === 0) this.loseLink(desk)
      else desk.after(250)
      this.exchange(desk)
    }
    desk.after(5000)
    this.exchange(desk)
    assert.equal(desk.client.stats.queued, 0)
  }

  protected noteCut(): void {
    for (const { text } of this.inRam.values()) this.undecided.add(text)
    if (this.begun) this.undecided.add(this.begun.text)
    this.begun = null
  }

  check(): void {
    const delivered = this.broker.delivered
    const counts = this.checkKept(this.kept)
    for (const { text } of this.inRam.values()) counts.delete(text) // acknowledged out of RAM
    for (const [text, count] of counts) {
      assert.ok(this.undecided.has(text), `${text} was never accepted and arrived`)
      const isQos2 = Number(text.slice(1)) % 4 === 0
      assert.ok(count === 1 || !isQos2, `${text} (QoS 2) arrived ${count} times`)
    }
    for (const topic of ['alarm', 'group', 'offline']) {
      const texts = delivered.filter((message) => message.topic === topic).map(({ text }) => text)
      this.checkOrder(texts, 'order of first arrivals in lane ' + topic)
    }
    assert.equal(this.flash.counters.doubleProgrammedBytes, 0)
  }
}

for (const [protocol, sessionLost] of [
  [4, 'discard'],
  [5, 'republish'],
] as const) {
  describe(`power cuts in the life of lanes, protocol ${protocol}, ${sessionLost}`, () => {
    const begin = () => new World(protocol, sessionLost)

    it('one cut at every flash operation', () => {
      const operations = tryEveryCut(begin)
      assert.ok(operations > 40, `only ${operations} flash operations`)
    })

    it('a second cut while the first is being recovered', () => trySecondCuts(begin, 70, 5))
  })
}
