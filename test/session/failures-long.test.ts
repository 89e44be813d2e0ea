/** Known failures F27 to F32 of other clients, one test each: epochs, sleep, wear. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { ManualAck } from '../../src/session/manual-ack.js'
import { ERR_STALE, OK } from '../../src/status.js'
import { FlashStore } from '../../src/storage.js'
import { bytesOf, Desk, words } from './desk.js'
import { board, boot, comeBack, message, openCount, textsOf } from './failures-rig.js'
import { RETURNS, VERSIONS, Wire, withSeed } from './failures-rig.js'
import { ModelBroker } from './model-broker.js'

const FILE = 'failures-long.test.js'
const count = (size: number) => Array.from({ length: size }, (_, n) => `${n}`)

for (const protocol of VERSIONS) {
  describe(`known failures over a long time, protocol ${protocol}`, () => {
    for (const [how, comesBack] of RETURNS) {
      for (const sessionPresent of [true, false]) {
        const title = `of one connection leave on the next, Session Present ${sessionPresent}`
        it(`F27 F31: no acknowledgements ${title}, ${how}`, () => {
          const flash = board()
          const first = boot(flash, { protocol })
          first.connect()
          first.transport.room = 0
          first.reply(message(1, 7, 'one'), message(2, 8, 'two'), { cmd: 'pubrel', messageId: 9 })
          first.transport.drop('cut')
          first.transport.room = Infinity
          const desk = comesBack(first, flash, { protocol })
          comeBack(desk, { sessionPresent })
          assert.deepEqual(desk.sent(), [], 'acknowledgements of an earlier connection')
          // The identifier comes again for another message: it is acknowledged for itself.
          desk.received.length = 0
          desk.reply(message(1, 7, 'another'))
          assert.deepEqual(words(desk.sent()), ['puback 7'])
          assert.equal(desk.received[0]!.text, 'another')
        })
      }

      it(`F27: a manual acknowledgement does not outlive its connection, ${how}`, () => {
        const flash = board()
        const tokens: number[] = []
        const manual = () => ({ protocol, manualAck: new ManualAck() })
        const listen = (desk: Desk) => {
          desk.client.on('message.received', ({ message }) => tokens.push(message!.acknowledgement))
          return desk
        }
        const first = listen(boot(flash, manual()))
        first.connect()
        first.reply(message(1, 7, 'one'), message(2, 8, 'two'))
        const desk = comesBack(first, flash, manual())
        if (desk !== first) listen(desk)
        comeBack(desk)
        // The broker gives the identifiers to other messages, as it may after a lost PUBACK.
        desk.reply(message(1, 7, 'another'), message(2, 8, 'yet another'))
        assert.equal(tokens.length, 4)
        for (const token of tokens.slice(0, 2)) {
          // A token is good for its client alone; after a reboot it may be that of a new message.
          if (!tokens.slice(2).includes(token)) {
            assert.equal(desk.client.acknowledge(token), ERR_STALE)
          }
        }
        assert.deepEqual(desk.sent(), [])
        for (const token of tokens.slice(2)) assert.equal(desk.client.acknowledge(token), OK)
        assert.deepEqual(words(desk.sent()), ['puback 7', 'pubrec 8'])
      })

      it(`F28: the connection closes between any two events, and the work goes on, ${how}`, () => {
        withSeed(FILE, (chance) => {
          for (let run = 0; run < 15; run++) {
            const flash = board(32 * 1024)
            const broker = new ModelBroker(protocol)
            let wire = new Wire(boot(flash, { protocol, inFlightLimit: 6 }), broker)
            wire.desk.client.start()
            for (let n = 0; n < 40; n++) {
              wire.desk.client.publish('t', `${n}`, { qos: 1 + (n % 2) })
              wire.desk.transport.room = chance.below(150)
              wire.toClient = chance.below(40)
              wire.pump()
              if (chance.below(3) === 0) wire.desk.client.stop()
              wire.desk.poll()
              wire = wire.breakAndReturn(comesBack(wire.desk, flash, { protocol }))
            }
            wire.pump()
            assert.equal(wire.desk.client.stats.queued, 0)
            const texts = broker.delivered.map(({ text }) => text)
            assert.deepEqual([...new Set(texts)], count(40))
            for (const text of count(40).filter((_, n) => n % 2 === 1)) {
              assert.equal(texts.filter((one) => one === text).length, 1, `QoS 2 ${text}`)
            }
          }
        })
      })
    }

    it('F27: acknowledgements that are due leave before DISCONNECT', () => {
      const desk = new Desk({ protocol })
      desk.connect()
      desk.transport.deliver(bytesOf(message(1, 7, 'one'), protocol))
      desk.transport.deliver(bytesOf(message(2, 8, 'two'), protocol))
      desk.client.on('message.received', () => desk.client.stop())
      desk.poll()
      assert.deepEqual(words(desk.sent()), ['puback 7', 'pubrec 8', 'disconnect'])
    })

    it('F29: sleep at any moment after flush, and go on as if nothing had been', () => {
      for (let steps = 0; steps < 14; steps++) {
        const flash = board()
        const broker = new ModelBroker(protocol)
        const first = new Wire(boot(flash, { protocol, inFlightLimit: 3 }), broker)
        for (const text of count(6)) {
          first.desk.client.publish('t', text, { qos: 1 + (Number(text) % 2) })
        }
        first.desk.client.start()
        let step = 0
        const asleep = new Error('asleep')
        try {
          first.pump(() => {
            if (step++ === steps) throw asleep
          })
        } catch (error) {
          if (error !== asleep) throw error
        }
        assert.equal(first.desk.client.flush(), 0)
        const queued = openCount(first.desk)
        const acked = first.desk.of('message.acked').length
        assert.equal(queued + acked, 6)
        const wire = first.breakAndReturn(boot(flash, { protocol, inFlightLimit: 3 }))
        assert.equal(openCount(wire.desk), queued, 'what was acknowledged stays so')
        wire.pump()
        assert.deepEqual([...new Set(broker.delivered.map(({ text }) => text))], count(6))
      }
    })

    it('F30: 1,000 messages erase no more sectors than their bytes fill', () => {
      const flash = new NorFlash({ capacity: 32 * 4096, eraseSize: 4096, writeSize: 4 })
      const system = new ManualSystem(1)
      const desk = new Desk({ protocol, storage: new FlashStore(flash, system) }, system)
      desk.connect()
      const work = (times: number) => {
        const before = flash.counters.erases
        for (let n = 0; n < times; n++) {
          desk.client.publish('sensors/1', 'x'.repeat(50), { qos: 1 })
          for (const { messageId } of desk.sent()) desk.reply({ cmd: 'puback', messageId })
        }
        desk.after(5000)
        return flash.counters.erases - before
      }
      work(1000) // the first round of the ring, in which a new boot erases what it does not trust
      // 62 bytes a message with header and marks, 66 messages a sector: 15 sectors a thousand.
      const erases = work(2000)
      assert.ok(erases <= 34, `${erases} erases`)
      assert.ok(Math.max(...flash.wear) <= 3, 'one sector is worn more than the others')
    })

    it('F31: a clean start forgets what was owed to the last connection', () => {
      const desk = new Desk({ protocol, cleanStart: true })
      desk.connect()
      desk.reply(message(2, 8, 'two'))
      desk.client.publish('t', 'x', { qos: 2 })
      const publish = desk.sent().find(({ cmd }) => cmd === 'publish')!
      desk.reply({ cmd: 'pubrec', messageId: publish.messageId })
      desk.sent()
      assert.equal(desk.reconnect({ sessionPresent: false }).clean, true)
      const packets = desk.sent()
      assert.deepEqual(textsOf(packets), ['x'])
      assert.equal(packets.length, 1, words(packets).join(', '))
      assert.equal(packets[0]!.dup, false)
      desk.received.length = 0
      desk.reply(message(2, 8, 'new'))
      assert.equal(desk.received.length, 1)
    })

    it('F32: each connection says whether the session was resumed or lost', () => {
      const flash = board()
      const first = boot(flash, { protocol })
      first.connect()
      for (const sessionPresent of [true, true, false, true]) first.reconnect({ sessionPresent })
      assert.deepEqual(
        first.of('client.connected').map((event) => event.sessionPresent),
        [false, true, true, false, true],
      )
      assert.equal(first.of('session.resumed').length, 3)
      assert.equal(first.of('session.lost').length, 1)
      for (const sessionPresent of [true, false]) {
        const desk = boot(flash, { protocol })
        desk.connect({ sessionPresent })
        assert.equal(desk.of('client.connected')[0]!.sessionPresent, sessionPresent)
        assert.equal(desk.of('session.resumed').length, sessionPresent ? 1 : 0)
        assert.equal(desk.of('session.lost').length, sessionPresent ? 0 : 1)
      }
    })
  })
}
