/**
 * What comes again on a resumed session, with several lanes: in the order in which it was sent
 * first, whatever the priorities [MQTT-4.6.0-1], and before anything new.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import type { ClientOptions, LaneOptions } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { connackPacket, Desk, type Packet } from './desk.js'

const high: LaneOptions = { name: 'high', filters: ['high'], priority: 10 }
const middle: LaneOptions = { name: 'middle', filters: ['middle'], priority: 5 }
const low: LaneOptions = { name: 'low' }
const kept = { cleanStart: false, sessionExpirySeconds: 600 } as const
const resumed = { sessionPresent: true }

let boots = 0
function boot(flash: NorFlash, options: Partial<ClientOptions>): Desk {
  const system = new ManualSystem(++boots)
  return new Desk({ storage: new FlashStore(flash, system), ...options }, system)
}

function publish(desk: Desk, topic: string, text: string, qos: 0 | 1 | 2 = 1): void {
  assert.ok(desk.client.publish(topic, text, { qos }) > 0)
}

/** Each is sent before the next one is published, so the priorities decide nothing. */
function sendOneByOne(desk: Desk, list: [string, 0 | 1 | 2][]): Packet[] {
  return list.map(([topic, qos], n) => {
    publish(desk, topic, `${n}`, qos)
    return desk.sentOne()
  })
}

/** The connection was lost; the next one is made. */
function comeBack(desk: Desk, connack: Record<string, any>): void {
  desk.poll()
  desk.after(120000)
  desk.transport.accept()
  desk.sentOne()
  desk.reply(connackPacket(desk.version, connack))
}

const brief = (packets: Packet[]): string[] =>
  packets.map(({ cmd, payload, messageId, dup }) => {
    return cmd === 'publish' ? `${payload}${dup ? ' dup' : ''}` : `${cmd} ${messageId}`
  })

for (const protocol of [4, 5]) {
  describe(`what comes again over several lanes, protocol ${protocol}`, () => {
    it('has the order of its first sending in two lanes, before what is new', () => {
      const desk = new Desk({ protocol, ...kept, lanes: [high, low] })
      desk.connect()
      const sent = sendOneByOne(desk, [
        ['low', 1],
        ['high', 1],
        ['low', 2],
        ['low', 1],
        ['high', 2],
        ['low', 1],
      ])
      desk.reply({ cmd: 'puback', messageId: sent[3]!.messageId })
      desk.transport.drop('cut')
      publish(desk, 'high', 'new high')
      publish(desk, 'low', 'new low')
      comeBack(desk, resumed)
      const again = ['0 dup', '1 dup', '2 dup', '4 dup', '5 dup']
      assert.deepEqual(brief(desk.sent()), [...again, 'new high', 'new low'])
      // Once more: what was new then comes again last.
      desk.reconnect(resumed)
      assert.deepEqual(brief(desk.sent()), [...again, 'new high dup', 'new low dup'])
    })

    it('has that order in three lanes under a lower Receive Maximum', () => {
      const desk = new Desk({ protocol, ...kept, lanes: [low, middle, high].reverse() })
      desk.connect()
      const topics = ['low', 'middle', 'high', 'middle', 'low', 'high', 'low', 'middle']
      sendOneByOne(
        desk,
        topics.map((topic, n) => [topic, n % 3 === 1 ? 2 : 1]),
      )
      desk.transport.drop('cut')
      publish(desk, 'high', 'new')
      const properties = { receiveMaximum: 2 }
      comeBack(desk, protocol === 5 ? { ...resumed, properties } : resumed)
      const seen: string[] = []
      for (let packets = desk.sent(); packets.length > 0; packets = desk.sent()) {
        assert.ok(protocol === 4 || packets.length <= 2)
        for (const packet of packets) {
          const { messageId, qos } = packet
          if (packet.cmd === 'publish') seen.push(...brief([packet]))
          if (packet.cmd === 'pubrel') desk.reply({ cmd: 'pubcomp', messageId })
          else desk.reply({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId })
        }
      }
      assert.deepEqual(seen, [...topics.map((_, n) => `${n} dup`), 'new'])
    })

    it('a second loss in the middle of it changes nothing of the order', () => {
      const desk = new Desk({ protocol, ...kept, lanes: [high, low], inFlightLimit: 4 })
      desk.connect()
      sendOneByOne(desk, [
        ['low', 1],
        ['high', 2],
        ['low', 1],
        ['high', 1],
      ])
      // In MQTT 5 only the first two leave on the second connection.
      const all = ['0 dup', '1 dup', '2 dup', '3 dup']
      desk.reconnect(protocol === 5 ? { ...resumed, properties: { receiveMaximum: 2 } } : resumed)
      assert.deepEqual(brief(desk.sent()), protocol === 5 ? all.slice(0, 2) : all)
      desk.transport.drop('cut')
      publish(desk, 'high', 'new')
      comeBack(desk, resumed)
      assert.deepEqual(brief(desk.sent()), all)
    })

    it('PUBRELs come again in the order of their PUBRECs over all lanes', () => {
      for (const lanes of [[high, low], undefined]) {
        const desk = new Desk({ protocol, ...kept, ...(lanes ? { lanes } : {}) })
        desk.connect()
        const sent = sendOneByOne(desk, [
          ['low', 2],
          ['high', 2],
          ['low', 2],
          ['high', 2],
          ['low', 2],
        ])
        const ids = [3, 0, 4, 1].map((n) => sent[n]!.messageId)
        for (const messageId of ids) desk.reply({ cmd: 'pubrec', messageId })
        assert.deepEqual(
          desk.sent().map(({ messageId }) => messageId),
          ids,
        )
        desk.reply({ cmd: 'pubcomp', messageId: ids[1] })
        desk.reconnect(resumed)
        const left = [ids[0], ids[2], ids[3]].map((messageId) => `pubrel ${messageId}`)
        assert.deepEqual(brief(desk.sent()), [...left, '2 dup'])
        desk.reconnect(resumed)
        assert.deepEqual(brief(desk.sent()), [...left, '2 dup'])
        // A session that is lost owes no PUBREL.
        desk.reconnect({})
        assert.ok(desk.sent().every(({ cmd, dup }) => cmd === 'publish' && !dup))
      }
    })

    it('an urgent message does not wait for the pace of what comes again', () => {
      const options = { drainPerSecond: 1, inFlightLimit: 8 }
      const desk = new Desk({ protocol, ...kept, ...options, lanes: [high, low] })
      desk.connect()
      sendOneByOne(desk, [
        ['low', 1],
        ['low', 1],
        ['low', 1],
      ])
      desk.transport.drop('cut')
      for (let n = 0; n < 3; n++) publish(desk, 'low', 'backlog')
      comeBack(desk, resumed)
      publish(desk, 'high', 'urgent')
      const packets = brief(desk.sent())
      assert.deepEqual(packets.slice(0, 3), ['0 dup', '1 dup', '2 dup'])
      assert.ok(packets.includes('urgent'))
      assert.ok(packets.filter((text) => text === 'backlog').length < 3)
    })

    it('after a reboot each lane has its own order, and the lanes follow their priority', () => {
      const flash = new NorFlash({ capacity: 64 * 1024, eraseSize: 1024, writeSize: 4 })
      const options = { protocol, lanes: [high, low] }
      const first = boot(flash, options)
      first.connect()
      sendOneByOne(first, [
        ['low', 1],
        ['high', 1],
        ['low', 1],
        ['high', 1],
      ])
      const desk = boot(flash, options)
      desk.connect(resumed)
      assert.deepEqual(brief(desk.sent()), ['1 dup', '3 dup', '0 dup', '2 dup'])
      // From here on the order of this boot is known.
      desk.reconnect(resumed)
      assert.deepEqual(brief(desk.sent()), ['1 dup', '3 dup', '0 dup', '2 dup'])
    })

    it('after a reboot what flash says was sent comes before what is new, also later on', () => {
      const flash = new NorFlash({ capacity: 64 * 1024, eraseSize: 1024, writeSize: 4 })
      // Under `discard` flash says which messages were sent.
      const options = { protocol, lanes: [high, low], sessionLost: 'discard' as const }
      const first = boot(flash, options)
      first.connect()
      sendOneByOne(first, [
        ['low', 1],
        ['high', 1],
      ])
      first.after(2000)
      const desk = boot(flash, options)
      publish(desk, 'high', 'new')
      desk.connect(resumed)
      const order = ['1 dup', '0 dup']
      assert.deepEqual(brief(desk.sent()).slice(0, 2), order)
      desk.reconnect(resumed)
      assert.deepEqual(brief(desk.sent()), [...order, 'new dup'])
    })
  })
}
