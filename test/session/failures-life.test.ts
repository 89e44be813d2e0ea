/** Known failures F20 to F26 of other clients, one test each: throughput, storage, settling. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PowerCut, type Tear } from '../../hal/memory/index.js'
import { ERR_EXPIRED, ERR_NOT_AVAILABLE, ERR_TOO_LARGE } from '../../src/index.js'
import { Desk, type Packet } from './desk.js'
import { board, boot, comeBack, kept, openCount, textsOf } from './failures-rig.js'
import { RETURNS, VERSIONS, Wire, withSeed } from './failures-rig.js'
import { ModelBroker } from './model-broker.js'

const FILE = 'failures-life.test.js'
const count = (size: number) => Array.from({ length: size }, (_, n) => `${n}`)

for (const protocol of VERSIONS) {
  describe(`known failures in the life of a client, protocol ${protocol}`, () => {
    it('F20: a backlog shrinks while the producer goes on, at 200 ms round trip', () => {
      const flash = board(128 * 1024)
      const options = { protocol, inFlightLimit: 20 }
      const first = boot(flash, options)
      first.connect()
      for (const text of count(300)) first.client.publish('t', text, { qos: 1 })
      first.sent()
      const desk = boot(flash, options)
      comeBack(desk)
      let produced = 0
      let rounds = 0
      // 50 messages a second come, the window allows 100: the backlog is gone after 6 seconds.
      for (let late: Packet[] = []; desk.client.stats.queued > 10; rounds++) {
        assert.ok(rounds < 35, `${desk.client.stats.queued} wait after ${rounds} round trips`)
        for (const { messageId } of late) desk.reply({ cmd: 'puback', messageId })
        for (let n = 0; n < 10; n++) desk.client.publish('t', `new ${produced++}`, { qos: 1 })
        late = desk.sent()
        desk.system.advance(200)
      }
    })

    it('F21: what was published before the first connection survives a power cut', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      for (const text of count(5)) assert.ok(first.client.publish('t', text, { qos: 1 }) > 0)
      flash.powerOff()
      flash.powerOn()
      const desk = boot(flash, { protocol })
      desk.connect()
      assert.deepEqual(textsOf(desk.sent()), count(5))
    })

    it('F22: each ticket settles once, and is acked only after its PUBACK or PUBCOMP', () => {
      withSeed(FILE, (chance) => {
        const desk = new Desk({ protocol, ...kept, queueSize: 2048, overflow: 'drop-oldest' })
        const tickets = new Set<number>()
        const answered = new Set<number>()
        const settled = new Map<number, string>()
        let checked = 0
        let open: Packet[] = []
        desk.connect()
        for (let step = 0; step < 1500; step++) {
          const properties = chance.below(4) === 0 ? { messageExpiryInterval: 2 } : {}
          const qos = 1 + chance.below(2)
          const ticket = desk.client.publish('t', 'x'.repeat(chance.below(60)), { qos, properties })
          if (ticket > 0) tickets.add(ticket)
          open = open.concat(desk.sent()).slice(-12)
          const at = chance.below(open.length + 1)
          const { cmd, messageId, qos: sentQos } = open[at] ?? { cmd: 'none' }
          if (cmd === 'publish' && sentQos === 1) {
            answered.add(messageId!)
            desk.reply({ cmd: 'puback', messageId })
          } else if (cmd === 'publish') desk.reply({ cmd: 'pubrec', messageId })
          else if (cmd === 'pubrel') {
            answered.add(messageId!)
            desk.reply({ cmd: 'pubcomp', messageId })
          }
          if (at < open.length) open.splice(at, 1)
          desk.after(chance.below(300))
          if (chance.below(30) === 0 && desk.client.isConnected) {
            desk.reconnect({ sessionPresent: chance.below(2) === 0 })
            open = []
          }
          if (!desk.client.isConnected) comeBack(desk)
          for (; checked < desk.events.length; checked++) {
            const event = desk.events[checked]!
            if (event.name !== 'message.acked' && event.name !== 'message.dropped') continue
            assert.ok(!settled.has(event.ticket), `ticket ${event.ticket} settled twice`)
            settled.set(event.ticket, event.name)
            // With fewer than 32,768 messages ticket and identifier are one apart.
            if (event.name === 'message.acked') assert.ok(answered.has(event.ticket + 1))
          }
        }
        assert.equal(settled.size + openCount(desk), tickets.size)
        for (const ticket of settled.keys()) assert.ok(tickets.has(ticket))
      })
    })

    it('F23: a bit flipped anywhere in a stored message never loops and never lies', () => {
      const all = 40
      const padding = '.'.repeat(60) // several sectors
      const image = board()
      const writer = boot(image, { protocol })
      for (let n = 10; n < 10 + all; n++) {
        assert.ok(writer.client.publish(`topic/${n % 3}`, `load${n}${padding}`, { qos: 1 }) > 0)
      }
      const start = Buffer.from(image.bytes).indexOf('load14') - 24
      const taken = image.snapshot()
      let damaged = 0
      for (let address = start; address < start + 30; address++) {
        for (let bit = address & 1; bit < 8; bit += 2) {
          const flash = board()
          flash.restore(taken)
          flash.flipBit(address, bit)
          const broker = new ModelBroker(protocol)
          const wire = new Wire(boot(flash, { protocol }), broker)
          wire.desk.client.start()
          wire.pump()
          const { queued, dropped } = wire.desk.client.stats
          assert.equal(queued, 0, `${address}.${bit}: something blocks the queue`)
          const texts = broker.delivered.map(({ text }) => text)
          assert.equal(texts.length + dropped.damaged, all, `${address}.${bit} is not counted`)
          for (const { topic, text } of broker.delivered) {
            assert.match(text, /^load\d\d\.{60}$/)
            assert.equal(topic, `topic/${Number(text.slice(4, 6)) % 3}`)
          }
          assert.deepEqual(texts, [...new Set(texts)].sort(), 'order')
          // The next message is as good as ever, and nothing comes back after a reboot.
          assert.ok(wire.desk.client.publish('t', 'next', { qos: 1 }) > 0)
          wire.pump()
          wire.desk.client.flush()
          assert.equal(broker.delivered.at(-1)!.text, 'next')
          assert.equal(boot(flash, { protocol }).client.stats.queued, 0)
          damaged += dropped.damaged
        }
      }
      assert.ok(damaged > 20, `only ${damaged} messages were hit`)
    })

    it('F24: after a cut in any write or erase the store opens and takes messages', () => {
      const tears: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']
      for (const tear of tears) {
        for (let operation = 1, isCut = true; isCut; operation++) {
          const flash = board(8 * 1024)
          flash.cutAt(operation, tear, operation)
          isCut = false
          try {
            const desk = boot(flash, { protocol })
            desk.connect()
            for (const text of count(60)) {
              desk.client.publish('t', text.padEnd(60), { qos: 1 })
              for (const { messageId } of desk.sent()) desk.reply({ cmd: 'puback', messageId })
            }
          } catch (error) {
            if (!(error instanceof PowerCut)) throw error
            isCut = true
          }
          flash.powerOn()
          const desk = boot(flash, { protocol })
          assert.ok(desk.client.publish('t', 'after', { qos: 1 }) > 0, `${tear} ${operation}`)
          desk.connect({ sessionPresent: false })
          assert.equal(textsOf(desk.sent()).at(-1), 'after')
        }
      }
    })

    for (const [how, comesBack] of RETURNS) {
      it(`F25: a message too large for what sends it leaves the queue, ${how}`, () => {
        const flash = board()
        const first = boot(flash, { protocol })
        const tickets = ['x'.repeat(600), 'fits'].map((text) =>
          first.client.publish('t', text, { qos: 1 }),
        )
        // In 3.1.1 no broker says what it takes; a smaller send buffer after a reboot does.
        const options = protocol === 4 ? { protocol, sendBufferSize: 300 } : { protocol }
        const properties = { maximumPacketSize: 100 }
        let desk = protocol === 4 ? boot(flash, options) : first
        desk.connect(protocol === 5 ? { properties } : {})
        const publish = desk.sentOne()
        assert.equal(String(publish.payload), 'fits')
        assert.ok(desk.client.isConnected)
        assert.deepEqual(
          desk.of('message.dropped').map(({ ticket, status }) => [ticket, status]),
          [[tickets[0], protocol === 5 ? ERR_NOT_AVAILABLE : ERR_TOO_LARGE]],
        )
        desk.reply({ cmd: 'puback', messageId: publish.messageId })
        desk.client.flush()
        desk = comesBack(desk, flash, options)
        comeBack(desk, { sessionPresent: true })
        assert.deepEqual(desk.sent(), [], 'it does not come back')
        assert.equal(desk.client.stats.dropped.refused, 1)
      })

      it(`F26: waiting reduces the expiry, ${how}`, () => {
        const flash = board()
        const first = boot(flash, { protocol })
        first.system.wall = 1790000000
        for (const [text, seconds] of [
          ['short', 10],
          ['long', 100],
        ] as const) {
          const properties = { messageExpiryInterval: seconds }
          assert.ok(first.client.publish('t', text, { qos: 2, properties }) > 0)
        }
        const desk = comesBack(first, flash, { protocol })
        desk.system.wall = 1790000030
        desk.connect()
        const publish = desk.sentOne()
        assert.equal(String(publish.payload), 'long')
        if (protocol === 5) assert.equal(publish.properties!.messageExpiryInterval, 70)
        assert.deepEqual(
          desk.of('message.dropped').map(({ status }) => status),
          [ERR_EXPIRED],
        )
      })

      it(`F26: an exchange that has begun is ended however old it is, ${how}`, () => {
        const flash = board()
        const first = boot(flash, { protocol })
        first.system.wall = 1790000000
        first.connect()
        const properties = { messageExpiryInterval: 10 }
        first.client.publish('t', 'begun', { qos: 2, properties })
        assert.equal(first.sent().length, 1)
        const desk = comesBack(first, flash, { protocol })
        desk.system.wall = 1790000030
        comeBack(desk)
        const publish = desk.sentOne()
        assert.deepEqual([publish.cmd, publish.dup], ['publish', true])
        desk.reply({ cmd: 'pubrec', messageId: publish.messageId })
        assert.equal(desk.sentOne().cmd, 'pubrel')
        desk.system.wall += 1000
        comeBack(desk)
        assert.equal(desk.sentOne().cmd, 'pubrel')
      })
    }
  })
}
