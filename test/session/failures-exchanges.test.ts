/** Known failures F1 to F8 of other clients, one test each: exchanges and Packet Identifiers. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NorFlash, PowerCut } from '../../hal/memory/index.js'
import { Events } from '../../src/events.js'
import { Limits } from '../../src/session/limits.js'
import { SendBuffer } from '../../src/session/send-buffer.js'
import { SessionState } from '../../src/store/session-state.js'
import { Subscriptions } from '../../src/session/subscriptions.js'
import { Desk, words } from './desk.js'
import { board, boot, checkCounts, comeBack, kept, message, textsOf } from './failures-rig.js'
import { RETURNS, VERSIONS, Wire } from './failures-rig.js'
import { ModelBroker } from './model-broker.js'

for (const protocol of VERSIONS) {
  describe(`known failures of exchanges, protocol ${protocol}`, () => {
    for (const [how, comesBack] of RETURNS) {
      it(`F1: after PUBREC no PUBLISH, wherever the exchange is cut, ${how}`, () => {
        /** One exchange with a wire of so many bytes; true when the wire was long enough. */
        const live = (toBroker: number, toClient: number): boolean => {
          const flash = board()
          const broker = new ModelBroker(protocol)
          const first = boot(flash, { protocol })
          const wire = new Wire(first, broker)
          first.client.publish('t', 'once', { qos: 2 })
          first.transport.room = toBroker
          wire.toClient = toClient
          first.client.start()
          wire.pump()
          const isWhole = first.client.stats.queued === 0
          const hadPubrec = wire.arrived.includes(0x50)
          const desk = comesBack(first, flash, { protocol })
          const packets = wire.breakAndReturn(desk).pumpAndRead()
          const repeats = packets.filter(({ cmd }) => cmd === 'publish')
          if (hadPubrec) assert.equal(repeats.length, 0, `cut after ${toBroker}, ${toClient}`)
          assert.equal(broker.delivered.length, 1, `cut after ${toBroker}, ${toClient}`)
          assert.equal(desk.client.stats.queued, 0)
          return isWhole
        }
        let cut = 0
        while (!live(cut, Infinity)) cut++
        assert.ok(cut > 20)
        for (cut = 0; !live(Infinity, cut);) cut++
        assert.ok(cut > 10)
      })
    }

    it('F2: PUBREC leaves only after the identifier is durable', () => {
      let cuts = 0
      for (let operation = 1; ; operation++) {
        const flash = board()
        const first = boot(flash, { protocol })
        first.connect()
        flash.cutAt(operation, 'random', operation)
        let wasCut = false
        try {
          first.reply(message(2, 9, 'once'))
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error
          wasCut = true
        }
        // What was handed to the transport by now may have reached the broker.
        const hasPubrec = first.transport.takeSent().length > 0
        assert.equal(hasPubrec, !wasCut)
        flash.powerOff()
        flash.powerOn()
        const desk = boot(flash, { protocol })
        desk.connect({ sessionPresent: true })
        desk.reply(message(2, 9, 'once', true))
        assert.deepEqual(words(desk.sent()), ['pubrec 9'])
        const count = first.received.length + desk.received.length
        assert.ok(count >= 1, 'the message is lost')
        if (hasPubrec) assert.equal(count, 1, 'the message came twice')
        if (!wasCut) break
        cuts++
      }
      assert.ok(cuts > 0, 'no flash operation at all')
    })

    it('F2: storage that fails sends no PUBREC and ends the connection', () => {
      const desk = boot(board(), { protocol })
      desk.connect()
      desk.client['queues'][0]!.state.save = () => -5001
      desk.reply(message(2, 9, 'once'))
      assert.ok(!words(desk.sent()).includes('pubrec 9'))
      assert.equal(desk.client.isConnected, false)
      assert.equal(desk.of('storage.failed').length, 1)
    })

    for (const [how, comesBack] of RETURNS) {
      it(`F3: a session that begins with PUBREL for an unknown identifier goes on, ${how}`, () => {
        const flash = board()
        const first = boot(flash, { protocol })
        first.connect()
        const desk = comesBack(first, flash, { protocol })
        comeBack(desk)
        for (const messageId of [1, 77, 32768, 65535]) {
          desk.reply({ cmd: 'pubrel', messageId })
          const pubcomp = desk.sentOne()
          assert.deepEqual(words([pubcomp]), [`pubcomp ${messageId}`])
          if (protocol === 5) assert.equal(pubcomp.reasonCode, 0x92)
        }
        desk.reply(message(1, 5, 'still alive'))
        assert.equal(desk.received.at(-1)!.text, 'still alive')
      })

      it(`F4: 0 to 5 repeats with DUP are one message, ${how}`, () => {
        for (let repeats = 0; repeats <= 5; repeats++) {
          const flash = board()
          let desk = boot(flash, { protocol })
          let count = 0
          desk.connect()
          desk.reply(message(2, 9, 'once'))
          count += desk.received.length
          for (let n = 0; n < repeats; n++) {
            const next = comesBack(desk, flash, { protocol })
            if (next === desk) desk.received.length = 0
            desk = next
            comeBack(desk)
            desk.reply(message(2, 9, 'once', true))
            assert.deepEqual(words(desk.sent()), ['pubrec 9'])
            count += desk.received.length
          }
          desk.reply({ cmd: 'pubrel', messageId: 9 })
          assert.equal(count, 1)
        }
      })

      it(`F5: DUP is set on what left before, on nothing else, ${how}`, () => {
        const flash = board()
        const options = { protocol, inFlightLimit: 2 }
        const first = boot(flash, options)
        first.connect()
        for (const text of ['a', 'b', 'c']) first.client.publish('t', text, { qos: 1 })
        assert.deepEqual(
          first.sent().map(({ dup }) => dup),
          [false, false],
        )
        const desk = comesBack(first, flash, options)
        comeBack(desk)
        const again = desk.sent()
        assert.deepEqual(
          again.map(({ payload, dup }) => [String(payload), dup]),
          [
            ['a', true],
            ['b', true],
          ],
        )
        for (const { messageId } of again) desk.reply({ cmd: 'puback', messageId })
        // After a reboot flash does not say whether the third had left: DUP is then the safe side.
        if (desk === first) assert.equal(desk.sentOne().dup, false)
      })
    }

    it('F5: DUP is set when a single byte had left', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.connect()
      desk.transport.room = 1
      desk.client.publish('t', 'a', { qos: 1 })
      desk.poll()
      assert.equal(desk.transport.takeSent().length, 1)
      desk.transport.drop('cut')
      desk.transport.room = Infinity
      desk.poll()
      desk.system.advance(120000)
      desk.poll()
      desk.transport.accept()
      desk.sentOne()
      desk.reply(
        protocol === 5
          ? { cmd: 'connack', sessionPresent: true, reasonCode: 0 }
          : { cmd: 'connack', sessionPresent: true, returnCode: 0 },
      )
      assert.equal(desk.sentOne().dup, true)
    })

    it('F6: no identifier names two exchanges, also where they wrap and one stays open', () => {
      const desk = new Desk({ protocol, ...kept, inFlightLimit: 64, queueSize: 8192 })
      desk.connect()
      const live = new Map<number, number>()
      let wraps = 0
      let last = 0
      let held = 0
      for (let count = 0; count < 33000;) {
        for (let n = 0; n < 40; n++, count++) desk.client.publish('t', '', { qos: 1 })
        desk.client.subscribe('f')
        for (const packet of desk.sent()) {
          const messageId = packet.messageId!
          assert.ok(messageId >= 1 && messageId <= 65535)
          assert.ok(!live.has(messageId), `identifier ${messageId} is in use`)
          if (packet.cmd === 'subscribe') {
            desk.reply({ cmd: 'suback', messageId, granted: [0] })
            continue
          }
          live.set(messageId, count)
          if (messageId < last) wraps++
          last = messageId
          if (held === 0) held = messageId
        }
        // The oldest stays open as long as the window lets others pass it.
        for (const messageId of live.keys()) {
          if (messageId === held && live.size > 1) continue
          desk.transport.deliver(Uint8Array.from([0x40, 2, messageId >> 8, messageId & 255]))
          live.delete(messageId)
          if (messageId === held) held = 0
        }
        if (held !== 0 && count % 3 === 0) {
          desk.transport.deliver(Uint8Array.from([0x40, 2, held >> 8, held & 255]))
          live.delete(held)
          held = 0
        }
        desk.poll()
        checkCounts(desk)
      }
      assert.equal(wraps, 8) // a lane has 4,096 identifiers
    })

    it('F7: after a reboot numbers go on; n stored and n more are 2n', () => {
      const flash = board()
      const expected: string[] = []
      for (let round = 0; round < 4; round++) {
        const desk = boot(flash, { protocol })
        for (let n = 0; n < 10; n++) {
          expected.push(`${round}.${n}`)
          assert.ok(desk.client.publish('t', expected.at(-1)!, { qos: 1 + (n % 2) }) > 0)
        }
      }
      const broker = new ModelBroker(protocol)
      const wire = new Wire(boot(flash, { protocol }), broker)
      wire.desk.client.start()
      wire.pump()
      assert.deepEqual(
        broker.delivered.map(({ text }) => text),
        expected,
      )
    })

    it('F8: a SUBSCRIBE never answered on 70,000 connections leaks no identifier', () => {
      const desk = new Desk({ protocol })
      const table = new Subscriptions(new Events(), new SessionState())
      const buffer = new SendBuffer(256, desk.system)
      const limits = new Limits()
      table.add({ filter: 'x', qos: 0 }, Buffer.from('x'), null)
      const seen = new Set<number>()
      for (let n = 0; n < 70000; n++) {
        table.connected(false, false)
        table.send(buffer, protocol, limits)
        assert.ok(buffer.end > 0, `no SUBSCRIBE on connection ${n}`)
        const packetId = (buffer.bytes[2]! << 8) | buffer.bytes[3]!
        assert.ok(packetId > 32768, 'an identifier of PUBLISH')
        seen.add(packetId)
        buffer.clear()
      }
      assert.equal(seen.size, 32767)
    })

    it('F8: the same on the wire, with an UNSUBSCRIBE beside it', () => {
      const desk = new Desk({ protocol, ...kept })
      desk.client.subscribe('x')
      desk.client.subscribe('y')
      const ids = new Set<number>()
      desk.connect()
      for (let n = 0; n < 50; n++) {
        const subscribe = desk.sentOne()
        assert.equal(subscribe.cmd, 'subscribe')
        ids.add(subscribe.messageId!)
        desk.reconnect({ sessionPresent: n % 2 === 0 })
      }
      const last = desk.sentOne()
      desk.reply({ cmd: 'suback', messageId: last.messageId, granted: [0, 0] })
      assert.equal(desk.of('session.subscribed').length, 2)
      assert.equal(ids.size, 50)
      desk.client.unsubscribe('y')
      for (let n = 0; n < 5; n++) {
        assert.equal(desk.sentOne().cmd, 'unsubscribe')
        desk.reconnect({ sessionPresent: true })
      }
    })

    it('F6: numbers restored from flash keep their identifiers, and new ones differ', () => {
      const flash: NorFlash = board()
      const first = boot(flash, { protocol, inFlightLimit: 64 })
      first.connect()
      for (let n = 0; n < 30; n++) first.client.publish('t', `${n}`, { qos: 1 })
      const sent = first.sent().map(({ payload, messageId }) => [String(payload), messageId])
      const desk = boot(flash, { protocol, inFlightLimit: 64 })
      for (let n = 30; n < 50; n++) desk.client.publish('t', `${n}`, { qos: 1 })
      desk.connect({ sessionPresent: true })
      const again = desk.sent()
      assert.deepEqual(
        again.slice(0, 30).map(({ payload, messageId }) => [String(payload), messageId]),
        sent,
      )
      assert.equal(new Set(again.map(({ messageId }) => messageId)).size, 50)
      assert.equal(textsOf(again).length, 50)
    })
  })
}
