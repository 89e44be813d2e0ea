/**
 * Each ticket settles exactly once: acked, or dropped with the reason refused, not available,
 * expired, full or session lost. A random broker and a random network, and at the end a good one,
 * under which all that is open settles.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Random } from '../../hal/memory/index.js'
import { ERR_DROPPED, ERR_EXPIRED, ERR_FULL, ERR_NOT_AVAILABLE } from '../../src/index.js'
import { ERR_REFUSED, ERR_SESSION_LOST, OK } from '../../src/index.js'
import { TopicAliases } from '../../src/session/topic-aliases.js'
import { Desk, type Packet } from './desk.js'
import { comeBack, kept, VERSIONS, withSeed } from './failures-rig.js'

const FILE = 'settle.test.js'
const REASONS = [ERR_DROPPED, ERR_EXPIRED, ERR_NOT_AVAILABLE, ERR_REFUSED, ERR_SESSION_LOST]

/** Tickets that `publish` gave, and how each was settled. */
class Book {
  readonly tickets = new Set<number>()
  readonly settled = new Map<number, number>()

  constructor(desk: Desk) {
    desk.client.on('message.acked', ({ ticket }) => this.settle(ticket, OK))
    desk.client.on('message.dropped', ({ ticket, status }) => this.settle(ticket, status))
  }

  /** A message may be dropped before `publish` has returned its ticket, but not its own. */
  private settle(ticket: number, status: number): void {
    assert.ok(this.tickets.has(ticket), `ticket ${ticket} was given to nobody`)
    assert.ok(!this.settled.has(ticket), `ticket ${ticket} is settled twice`)
    assert.ok(status === OK || REASONS.includes(status), `${status}`)
    this.settled.set(ticket, status)
  }
}

function anyConnack(desk: Desk, chance: Random): Record<string, any> {
  const sessionPresent = chance.below(3) > 0
  if (desk.version === 4) return { sessionPresent }
  const properties: Record<string, any> = { topicAliasMaximum: chance.below(4) }
  if (chance.below(3) === 0) properties.maximumPacketSize = 30 + chance.below(80)
  if (chance.below(3) === 0) properties.maximumQoS = chance.below(2)
  if (chance.below(3) === 0) properties.retainAvailable = false
  if (chance.below(3) === 0) properties.receiveMaximum = 1 + chance.below(5)
  if (chance.below(5) === 0) properties.sessionExpiryInterval = 0
  return { sessionPresent, properties }
}

function publishAny(desk: Desk, book: Book, chance: Random): void {
  const properties = chance.below(4) === 0 ? { messageExpiryInterval: 1 + chance.below(3) } : {}
  const ticket = desk.client.publish('topic/' + chance.below(5), 'x'.repeat(chance.below(60)), {
    qos: 1 + chance.below(2),
    retain: chance.below(4) === 0,
    properties,
  })
  if (ticket > 0) book.tickets.add(ticket)
  else assert.equal(ticket, ERR_FULL)
}

/** The answer to a packet; `isGood` is never an error. */
function answerTo(
  { cmd, qos, messageId }: Packet,
  version: number,
  chance: Random,
  isGood: boolean,
) {
  const isError = !isGood && version === 5 && chance.below(6) === 0
  const code = isError ? { reasonCode: 0x97 } : {}
  if (cmd === 'publish') return { cmd: qos === 1 ? 'puback' : 'pubrec', messageId, ...code }
  return cmd === 'pubrel' ? { cmd: 'pubcomp', messageId } : null
}

function run(
  chance: Random,
  protocol: number,
  sessionLost: 'republish' | 'discard',
  overflow: 'reject' | 'drop-oldest',
): Book {
  const aliases = new TopicAliases(3, 0)
  const options = { protocol, sessionLost, overflow, queueSize: 512, aliases, ...kept } as const
  const desk = new Desk(options)
  const book = new Book(desk)
  desk.connect({})
  let open: Packet[] = []
  for (let step = 0; step < 300; step++) {
    publishAny(desk, book, chance)
    open.push(...desk.sent())
    while (open.length > 0 && chance.below(3) > 0) {
      const at = chance.below(4) === 0 ? chance.below(open.length) : 0
      const [packet] = open.splice(at, 1)
      const answer = answerTo(packet!, protocol, chance, false)
      if (answer !== null && desk.client.isConnected) desk.reply(answer)
    }
    desk.after(chance.below(300))
    if (chance.below(25) > 0 && desk.client.isConnected) continue
    open = []
    if (chance.below(5) === 0) {
      desk.client.stop() // and what is published meanwhile waits
      desk.poll()
      publishAny(desk, book, chance)
      desk.client.start()
    }
    comeBack(desk, anyConnack(desk, chance))
    // A session that is not ours is refused at first: once more, without.
    if (!desk.client.isConnected) comeBack(desk, { sessionPresent: false })
  }
  finish(desk, chance)
  return book
}

/** A good broker takes all that is open. */
function finish(desk: Desk, chance: Random): void {
  for (let round = 0; desk.client.stats.queued > 0; round++) {
    assert.ok(round < 1000, `${desk.client.stats.queued} messages stay`)
    if (!desk.client.isConnected || round === 0) comeBack(desk, { sessionPresent: false })
    for (const packet of desk.sent()) {
      const answer = answerTo(packet, desk.version, chance, true)
      if (answer !== null) desk.reply(answer)
    }
  }
}

for (const protocol of VERSIONS) {
  describe(`tickets, protocol ${protocol}`, () => {
    for (const policy of ['republish', 'discard'] as const) {
      it(`each settles exactly once, whatever happens, with ${policy}`, () => {
        withSeed(FILE, (chance) => {
          const reasons = new Map<number, number>()
          for (let n = 0; n < 16; n++) {
            const overflow = n % 2 === 0 ? 'reject' : 'drop-oldest'
            const { tickets, settled } = run(chance, protocol, policy, overflow)
            assert.equal(settled.size, tickets.size)
            for (const status of settled.values()) {
              reasons.set(status, (reasons.get(status) ?? 0) + 1)
            }
          }
          // The runs must have met what they are about.
          const met = protocol === 5 ? [OK, ...REASONS] : [OK, ERR_DROPPED]
          for (const status of met) {
            if (status === ERR_SESSION_LOST && policy === 'republish') continue
            assert.ok(reasons.has(status), `no message was settled with ${status}`)
          }
        })
      })
    }
  })
}
