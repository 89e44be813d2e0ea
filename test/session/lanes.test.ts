/** Lanes: which message goes where, what leaves first, what gives way, and what is written when. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { type ClientOptions, type LaneOptions, TRANSPORT_CONNECTING } from '../../src/index.js'
import { ERR_DROPPED, ERR_EXPIRED, ERR_FULL, ERR_REPLACED, OK } from '../../src/status.js'
import { FlashStore } from '../../src/storage.js'
import { Desk, type Packet } from './desk.js'

const LANE = 4294967296
const alarms: LaneOptions = { name: 'alarm', filters: ['alarm/#'], minQos: 1, priority: 10 }
const bulk: LaneOptions = { name: 'bulk' }

function flashOf(sectors = 32): NorFlash {
  return new NorFlash({ capacity: sectors * 1024, eraseSize: 1024, writeSize: 4 })
}

let boots = 0
function boot(flash: NorFlash, lanes: LaneOptions[], options: Partial<ClientOptions> = {}): Desk {
  const system = new ManualSystem(++boots)
  return new Desk({ storage: new FlashStore(flash, system), lanes, ...options }, system)
}

function puback(desk: Desk, packets: Packet[]): void {
  for (const { messageId, qos } of packets) {
    if (qos === 1) desk.reply({ cmd: 'puback', messageId })
    else desk.reply({ cmd: 'pubrec', messageId }, { cmd: 'pubcomp', messageId })
  }
}

function programs(flash: NorFlash): number {
  return flash.counters.writes
}

describe('lanes', () => {
  it('the first lane takes a message whose filters and QoS fit, the last takes the rest', () => {
    const desk = new Desk({ lanes: [alarms, { name: 'hot', minQos: 2 }, bulk] })
    const lane = (topic: string, qos: number) =>
      Math.floor(desk.client.publish(topic, 'x', { qos }) / LANE)
    assert.equal(lane('alarm/fire', 1), 0)
    assert.equal(lane('alarm/fire', 2), 0)
    assert.equal(lane('alarmed', 1), 2)
    assert.equal(lane('t', 2), 1)
    assert.equal(lane('t', 1), 2)
    assert.equal(desk.client.publisher('alarm/x', { qos: 1 }).publish(new Uint8Array(3), 0, 3), 3)
    assert.deepEqual(
      desk.client.stats.lanes.map(({ name, queued }) => [name, queued]),
      [
        ['alarm', 3],
        ['hot', 1],
        ['bulk', 2],
      ],
    )
  })

  it('a lane with priority overtakes the others, each lane keeps its order', () => {
    const desk = new Desk({ lanes: [bulk, { ...alarms, name: 'a' }].reverse(), inFlightLimit: 2 })
    desk.connect()
    for (let n = 0; n < 4; n++) desk.client.publish('t', String(n), { qos: 1 })
    let packets = desk.sent()
    assert.deepEqual(
      packets.map(({ payload }) => String(payload)),
      ['0', '1'],
    )
    desk.client.publish('alarm/1', 'A', { qos: 1 })
    desk.client.publish('alarm/2', 'B', { qos: 1 })
    puback(desk, packets)
    packets = desk.sent()
    assert.deepEqual(
      packets.map(({ payload }) => String(payload)),
      ['A', 'B'],
    )
    puback(desk, packets)
    packets = desk.sent()
    assert.deepEqual(
      packets.map(({ payload }) => String(payload)),
      ['2', '3'],
    )
    const tickets = desk.of('message.acked').map(({ ticket }) => ticket)
    assert.deepEqual(tickets, [LANE + 1, LANE + 2, 1, 2])
  })

  it('lanes never share a Packet Identifier', () => {
    const desk = new Desk({ lanes: [alarms, bulk], inFlightLimit: 64 })
    desk.connect()
    for (let n = 0; n < 8; n++) desk.client.publish(n % 2 ? 't' : 'alarm/x', '', { qos: 1 })
    const ids = desk.sent().map(({ messageId }) => messageId!)
    assert.deepEqual(
      [...ids].sort((a, b) => a - b),
      [2, 3, 4, 5, 4098, 4099, 4100, 4101],
    )
  })

  it('lanes survive a reboot, each with its messages and its exchanges', () => {
    const flash = flashOf()
    const lanes = [alarms, bulk]
    const first = boot(flash, lanes)
    first.connect()
    for (let n = 0; n < 30; n++) {
      first.client.publish(n % 3 === 0 ? 'alarm/x' : 't', String(n), { qos: n % 3 === 0 ? 2 : 1 })
    }
    const sent = first.sent()
    for (const { messageId, qos } of sent.slice(0, 12)) {
      first.reply(qos === 2 ? { cmd: 'pubrec', messageId } : { cmd: 'puback', messageId })
    }
    first.after(2000)
    const pubrels = first.sent().filter(({ cmd }) => cmd === 'pubrel')
    assert.ok(pubrels.length > 0)
    const second = boot(flash, lanes)
    second.connect({ sessionPresent: true })
    const again = second.sent()
    assert.deepEqual(
      again.filter(({ cmd }) => cmd === 'pubrel').map(({ messageId }) => messageId),
      pubrels.map(({ messageId }) => messageId),
    )
    const published = again.filter(({ cmd }) => cmd === 'publish')
    assert.ok(published.every(({ messageId, dup }) => dup || messageId! > 0))
    assert.equal(second.client.stats.queued, first.client.stats.queued)
  })

  it('other lanes than those of the store are refused, and nothing is lost by it', () => {
    const flash = flashOf()
    boot(flash, [alarms, bulk]).client.publish('t', 'kept', { qos: 1 })
    const image = Buffer.from(flash.bytes)
    assert.throws(() => boot(flash, [alarms, bulk, { name: 'new' }]), /alarm:15 bulk:15/)
    assert.throws(() => boot(flash, [bulk, alarms]), /made for other lanes/)
    assert.throws(() => new Desk({ storage: new FlashStore(flash, new ManualSystem(9)) }), /lanes/)
    assert.deepEqual(Buffer.from(flash.bytes), image)
    assert.equal(boot(flash, [alarms, bulk]).client.stats.queued, 1)
  })

  it('mistakes are named', () => {
    const bad = (lanes: LaneOptions[], words: RegExp) =>
      assert.throws(() => boot(flashOf(), lanes), words)
    bad([], /"lanes" is 0 lanes/)
    bad([{ name: 'a b' }], /lanes\[0\]\.name/)
    bad([bulk, bulk], /"bulk" twice/)
    bad([{ name: 'a', filters: ['#/a'] }, bulk], /lanes\[0\]\.filters/)
    bad([{ name: 'a', bytes: 40000 }, bulk], /lanes\[0\]\.bytes.* too few/)
    bad([{ name: 'a', bytes: 4096 }, bulk], /a lane needs 6/)
    bad([{ name: 'a', overflow: 'panic' as 'reject' }], /lanes\[0\]\.overflow.*reject drop-oldest/)
    bad([{ name: 'a', colour: 1 } as LaneOptions], /"colour" is not known/)
    assert.throws(
      () => new Desk({ lanes: [{ name: 'a', durability: 'group' }] }),
      /lanes\[0\]\.durability/,
    )
  })
})

for (const isStored of [false, true]) {
  describe('overflow, ' + (isStored ? 'flash' : 'RAM'), () => {
    const make = (lane: Partial<LaneOptions>) => {
      const lanes: LaneOptions[] = [{ name: 'only', ...lane }]
      return isStored ? boot(flashOf(8), lanes) : new Desk({ lanes, queueSize: 2048 })
    }
    const fill = (desk: Desk, topic = (n: number) => 't/' + (n % 2)) => {
      let n = 0
      for (; n < 10000; n++) {
        const ticket = desk.client.publish(topic(n), 'x'.repeat(60) + n, { qos: 1 })
        if (ticket < 0 || desk.of('message.dropped').length > 0) return { n, ticket }
      }
      throw new Error('it is never full')
    }

    it('reject refuses the new message and drops nothing', () => {
      const desk = make({})
      assert.equal(fill(desk).ticket, ERR_FULL)
      assert.equal(desk.client.stats.dropped.full, 0)
    })

    it('drop-newest gives the new message up, counted and reported', () => {
      const desk = make({ overflow: 'drop-newest' })
      const { n, ticket } = fill(desk)
      assert.equal(ticket, ERR_DROPPED)
      assert.equal(desk.client.stats.queued, n)
      assert.equal(desk.client.stats.dropped.full, 1)
      const { status, ticket: none } = desk.of('message.dropped')[0]!
      assert.deepEqual([status, none], [ERR_DROPPED, 0])
    })

    it('drop-oldest gives the oldest up', () => {
      const desk = make({ overflow: 'drop-oldest' })
      fill(desk)
      assert.equal(desk.of('message.dropped')[0]!.ticket, 1)
    })

    it('replace-same-topic gives up what a newer message replaces, the oldest first', () => {
      const desk = make({ overflow: 'replace-same-topic' })
      fill(desk)
      const dropped = desk.of('message.dropped')
      assert.ok(dropped.every(({ status }) => status === ERR_REPLACED))
      assert.deepEqual(
        dropped.map(({ ticket }) => ticket),
        dropped.map((_, index) => index + 1),
      )
      assert.equal(desk.client.stats.dropped.replaced, dropped.length)
    })

    it('replace-same-topic falls back to the oldest where every topic is new', () => {
      const desk = make({ overflow: 'replace-same-topic' })
      fill(desk, (n) => 'topic/' + n)
      assert.equal(desk.of('message.dropped')[0]!.status, ERR_DROPPED)
    })

    it('what has expired makes room, whatever the policy', () => {
      const desk = make({ ttlMs: 10000 })
      const { n } = fill(desk)
      desk.system.advance(11000)
      assert.ok(desk.client.publish('t/0', 'x'.repeat(60) + 'new', { qos: 1 }) > 0)
      const dropped = desk.of('message.dropped')
      assert.ok(dropped.length > 0 && dropped.every(({ status }) => status === ERR_EXPIRED))
      desk.connect()
      const sent = desk.sent()
      assert.deepEqual(
        sent.map(({ payload }) => String(payload)),
        ['x'.repeat(60) + 'new'],
      )
      assert.equal(desk.client.stats.dropped.expired, n)
    })

    it('a message whose time to live has run out is not sent', () => {
      const desk = make({ ttlMs: 1500 })
      desk.client.publish('t', 'old', { qos: 1 })
      desk.system.advance(1000)
      desk.client.publish('t', 'young', { qos: 1 })
      desk.system.advance(1000)
      desk.connect()
      assert.deepEqual(
        desk.sent().map(({ payload }) => String(payload)),
        ['young'],
      )
    })
  })
}

describe('durability of a lane', () => {
  it('group: what is acknowledged in time never touches flash', () => {
    const flash = flashOf()
    const desk = boot(flash, [{ name: 'g', durability: 'group', groupMs: 1000 }])
    desk.connect()
    desk.after(5000)
    const before = programs(flash)
    for (let n = 0; n < 2000; n++) {
      desk.client.publish('t', 'x'.repeat(40), { qos: 1 })
      const packets = desk.sent()
      desk.after(50)
      puback(desk, packets)
    }
    assert.equal(programs(flash), before)
    assert.equal(desk.client.stats.lanes[0]!.savedWrites, 2000)
    assert.equal(desk.of('message.persisted').length, 0)
    assert.equal(desk.of('message.acked').length, 2000)
  })

  it('group: written when the time is over, when the bytes are reached and by flush', () => {
    const flash = flashOf()
    const desk = boot(flash, [{ name: 'g', durability: 'group', groupMs: 1000, groupBytes: 512 }])
    const persisted = () => desk.of('message.persisted').map(({ ticket }) => ticket)
    desk.client.publish('t', 'a', { qos: 1 })
    desk.poll()
    assert.deepEqual(persisted(), [])
    assert.ok(desk.waitMs <= 1000)
    desk.after(1000)
    assert.deepEqual(persisted(), [1])
    desk.client.publish('t', 'b', { qos: 1 })
    assert.equal(desk.client.flush(), OK)
    assert.deepEqual(persisted(), [1, 2])
    for (let n = 0; n < 10; n++) desk.client.publish('t', 'x'.repeat(100), { qos: 1 })
    assert.ok(persisted().length > 2)
    const again = boot(flash, [{ name: 'g', durability: 'group' }])
    assert.equal(again.client.stats.queued, persisted().length)
  })

  it('offline: at once without a connection, in RAM with one, written when the link drops', () => {
    const flash = flashOf()
    const lanes: LaneOptions[] = [{ name: 'o', durability: 'offline' }]
    const desk = boot(flash, lanes)
    assert.equal(desk.client.publish('t', 'early', { qos: 1 }), 1)
    assert.deepEqual(
      desk.of('message.persisted').map(({ ticket }) => ticket),
      [1],
    )
    desk.connect()
    puback(desk, desk.sent())
    for (let n = 0; n < 5; n++) desk.client.publish('t', 'online ' + n, { qos: 1 })
    const packets = desk.sent()
    desk.after(60000 - 5000)
    assert.equal(desk.of('message.persisted').length, 1)
    puback(desk, packets.slice(0, 3))
    desk.transport.drop('cut')
    desk.poll()
    assert.deepEqual(
      desk.of('message.persisted').map(({ ticket }) => ticket),
      [1, 5, 6],
    )
    const again = boot(flash, lanes)
    assert.equal(again.client.stats.queued, 2)
    again.connect({ sessionPresent: true })
    assert.deepEqual(
      again.sent().map(({ payload }) => String(payload)),
      ['online 3', 'online 4'],
    )
    assert.equal(again.client.stats.dropped.damaged, 0)
  })

  it('QoS 2 is on flash before its PUBLISH leaves, whatever the lane', () => {
    const flash = flashOf()
    const desk = boot(flash, [{ name: 'g', durability: 'group' }])
    desk.connect()
    desk.client.publish('t', 'one', { qos: 1 })
    desk.client.publish('t', 'two', { qos: 2 })
    assert.deepEqual(
      desk.of('message.persisted').map(({ ticket }) => ticket),
      [1, 2],
    )
  })

  it('order, content and numbers hold through RAM and flash, outages and reboots', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const flash = flashOf(16)
      const random = new ManualSystem(seed)
      const below = (limit: number) => random.random() % limit
      const durability = seed % 2 ? 'group' : 'offline'
      const lanes: LaneOptions[] = [{ name: 'g', durability, groupBytes: 700 }]
      let next = 0
      let expected = 0
      let lastKept = -1
      let hasSession = false
      for (let life = 0; life < 6; life++) {
        const desk = boot(flash, lanes, { inFlightLimit: 1 + below(30) })
        const numbers = new Map<number, number>()
        // What was in RAM only is gone with the power, and nothing else.
        next = lastKept + 1
        desk.client.on('message.persisted', ({ ticket }) => {
          lastKept = Math.max(lastKept, numbers.get(ticket) ?? -1)
        })
        const take = (): void => {
          const packets = desk.sent().filter(({ cmd }) => cmd === 'publish')
          const acked = packets.slice(0, below(packets.length + 1))
          for (const { payload } of packets) {
            const value = Number(String(payload).split(' ')[0])
            assert.ok(value <= expected, `${value} comes before ${expected}, seed ${seed}`)
            expected = Math.max(expected, value + 1)
          }
          puback(desk, acked)
        }
        let isUp = false
        for (let step = 0; step < 60; step++) {
          const kind = below(10)
          if (kind < 6) {
            for (let n = below(5); n >= 0; n--) {
              const body = next + ' ' + 'x'.repeat(below(120))
              const options = kind === 5 ? { qos: 2 } : { qos: 1 }
              const ticket = desk.client.publish('t/' + (next % 3), body, options)
              if (ticket < 0) {
                assert.equal(ticket, ERR_FULL)
                continue
              }
              numbers.set(ticket, next)
              if (desk.of('message.persisted').at(-1)?.ticket === ticket) lastKept = next
              next++
            }
          } else if (kind === 6 && !isUp) {
            desk.client.start()
            desk.poll()
            while (desk.transport.state !== TRANSPORT_CONNECTING) desk.after(1000)
            desk.connect({ sessionPresent: hasSession })
            hasSession = true
            isUp = true
          } else if (kind === 7 && isUp) {
            desk.transport.drop('cut')
            desk.poll()
            isUp = false
          } else if (isUp) take()
          desk.after(below(400))
        }
        assert.equal(desk.client.stats.dropped.damaged, 0, `seed ${seed}`)
        expected = Math.min(expected, lastKept + 1)
      }
    }
  })
})
