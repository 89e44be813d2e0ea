/**
 * MQTTClient on Node against Mosquitto, with npm mqtt at the other end: what a Moddable application
 * gains by the import, and that nothing depends on our own reading of the packets.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import mqtt from 'mqtt'
import { MQTTClient, type MQTTClientOptions } from '../../src/ecma419/mqtt-client.js'
import { FlashStore } from '../../src/storage.js'
import { NorFlash } from '../../hal/memory/index.js'
import { NodeSystem, run, TcpTransport } from '../../hal/node/index.js'
import { hasMosquitto, Mosquitto } from '../broker/mosquitto.js'
import { bytes, textOf } from './rig.js'
import { Started, until } from '../until.js'

/** What a test started ends after it, also where it failed: else the process would live on. */
const started = new Started()

/** A device, written as its author would have done it for the class of the Moddable SDK. */
class Device {
  readonly client: MQTTClient
  readonly received: string[] = []
  readonly controls: [number, any][] = []
  readonly errors: Error[] = []
  parts: string[] = []

  constructor(port: number, options: object = {}, holdfast: object = {}) {
    const device = this
    const system = new NodeSystem()
    const callbacks: Partial<MQTTClientOptions> = {
      onControl(opcode, message) {
        device.controls.push([opcode, { ...message }])
        if (opcode !== MQTTClient.CONNACK) return
        const items = [{ topic: 'to/device/#', QoS: 2 }]
        this.write(null, { operation: MQTTClient.SUBSCRIBE, items })
      },
      onReadable(count, { topic, QoS, more }) {
        // In pieces of three, as a device with little memory would.
        let text = ''
        while (count > 0) {
          const piece = this.read(Math.min(count, 3))!
          count -= piece.byteLength
          text += textOf(piece)
        }
        assert.equal(more, false)
        device.received.push(`${topic} ${QoS} ${text}`)
      },
      onError: (error) => device.errors.push(error),
    }
    this.client = new MQTTClient({
      host: '127.0.0.1',
      port,
      id: 'ecma-device',
      ...callbacks,
      ...options,
      holdfast: {
        system,
        run,
        transport: () => new TcpTransport(),
        retryMinMs: 20,
        retryMaxMs: 200,
        ...holdfast,
      },
    })
    started.push(() => this.client.close())
  }

  got(operation: number): any[] {
    return this.controls.filter(([opcode]) => opcode === operation).map(([, message]) => message)
  }

  ready(): Promise<void> {
    return until('SUBACK', () => this.got(MQTTClient.SUBACK).length > 0)
  }
}

if (hasMosquitto('ECMA-419 tests with Mosquitto')) {
  for (const protocol of [4, 5]) {
    describe(`MQTTClient with Mosquitto, protocol ${protocol}`, () => {
      let broker: Mosquitto
      let peer: mqtt.MqttClient
      const seen: { topic: string; text: string; qos: number; retain: boolean }[] = []

      afterEach(started.endAll)

      const ofAll = new Started()
      after(ofAll.endAll)

      before(async () => {
        broker = await Mosquitto.start('persistence true')
        ofAll.push(() => broker.stop())
        // With a session of its own: what comes while it is away waits for it.
        const kept = { clientId: 'peer', clean: false, reconnectPeriod: 20 }
        peer = await mqtt.connectAsync(broker.url, kept)
        ofAll.push(() => peer.endAsync(true))
        peer.on('message', (topic, payload, { qos, retain }) => {
          seen.push({ topic, text: String(payload), qos, retain })
        })
        await peer.subscribeAsync('from/device/#', { qos: 2 })
      })

      const texts = (topic: string): string[] =>
        seen.filter((message) => message.topic === topic).map(({ text }) => text)

      it('messages of each QoS both ways, empty ones included', async () => {
        const device = new Device(broker.port, {}, { protocol })
        await device.ready()
        assert.deepEqual(device.got(MQTTClient.SUBACK)[0].payload, [2])
        const sent: string[] = []
        for (const [qos, text] of [
          [0, 'zero'],
          [1, ''],
          [2, 'two'],
          [0, ''],
          [1, 'a longer text'],
          [2, ''],
        ] as const) {
          await peer.publishAsync(`to/device/${qos}`, text, { qos })
          sent.push(`to/device/${qos} ${qos} ${text}`)
          device.client.write(bytes(text), { topic: `from/device/${qos}`, QoS: qos })
        }
        await until('all', () => device.received.length === 6 && seen.length === 6)
        assert.deepEqual(device.received, sent)
        assert.deepEqual(
          seen.map(({ topic, qos, text }) => `${topic} ${qos} ${text}`).sort(),
          sent.map((line) => line.replace('to/', 'from/')).sort(),
        )
        await until('answers', () => device.got(MQTTClient.PUBCOMP).length === 2)
        assert.equal(device.got(MQTTClient.PUBACK).length, 2)
        assert.equal(device.got(MQTTClient.PUBREC).length, 2)
        device.client.close()
      })

      it('a message in parts, PINGREQ, UNSUBSCRIBE of what was never subscribed', async () => {
        const device = new Device(broker.port, {}, { protocol })
        await device.ready()
        const client = device.client
        client.write(null, { operation: MQTTClient.PINGREQ })
        client.write(null, {
          operation: MQTTClient.UNSUBSCRIBE,
          items: [{ topic: 'frogs' }, { topic: 'to/device/#' }],
          id: 77,
        })
        let left = client.write(bytes('['), {
          topic: 'from/device/parts',
          byteLength: 1000,
          QoS: 1,
        })
        assert.equal(left, 999)
        for (; left > 0; left -= 37) client.write(new Uint8Array(Math.min(left, 37)).fill(45))
        await until('PINGRESP', () => device.got(MQTTClient.PINGRESP).length > 0)
        await until('UNSUBACK', () => device.got(MQTTClient.UNSUBACK).length > 0)
        await until('the message', () => texts('from/device/parts').length > 0)
        assert.equal(device.got(MQTTClient.UNSUBACK)[0].id, 77)
        assert.equal(texts('from/device/parts')[0], '[' + '-'.repeat(999))
        client.close()
      })

      it('the will comes after close, and not after DISCONNECT', async () => {
        const will = (message: string) => ({ topic: 'from/device/will', message, QoS: 1 })
        const gone = new Device(broker.port, { id: 'gone', will: will('gone') }, { protocol })
        await gone.ready()
        gone.client.close()
        await until('the will', () => texts('from/device/will').includes('gone'))
        const fine = new Device(broker.port, { id: 'fine', will: will('fine') }, { protocol })
        await fine.ready()
        fine.client.write(bytes('bye'), { topic: 'from/device/will', QoS: 1 })
        fine.client.write(null, { operation: MQTTClient.DISCONNECT })
        await until('onError', () => fine.errors.length > 0)
        await until('bye', () => texts('from/device/will').includes('bye'))
        fine.client.close()
        const mark = new Device(broker.port, { id: 'mark' }, { protocol })
        await mark.ready()
        mark.client.write(bytes('mark'), { topic: 'from/device/will', QoS: 1 })
        await until('mark', () => texts('from/device/will').includes('mark'))
        mark.client.close()
        assert.deepEqual(texts('from/device/will'), ['gone', 'bye', 'mark'])
      })

      it('a broker that restarts: nothing is lost, nothing twice, no onError', async () => {
        const device = new Device(broker.port, { clean: false, id: 'steady' }, { protocol })
        await device.ready()
        const topic = 'from/device/steady'
        const write = (text: string): number => device.client.write(bytes(text), { topic, QoS: 2 })
        for (let count = 0; count < 20; count++) write(`before ${count}`)
        await broker.end('SIGTERM')
        for (let count = 0; count < 20; count++) write(`without ${count}`)
        await broker.restart()
        await until('CONNACK again', () => device.got(MQTTClient.CONNACK).length >= 2)
        await until('the peer', () => peer.connected)
        write('after')
        await until('all', () => texts(topic).length >= 41)
        await until('all answers', () => device.client.holdfast.stats.queued === 0)
        const expected = [
          ...Array.from({ length: 20 }, (_, count) => `before ${count}`),
          ...Array.from({ length: 20 }, (_, count) => `without ${count}`),
          'after',
        ]
        assert.deepEqual(texts(topic), expected)
        assert.deepEqual(device.errors, [])
        await peer.publishAsync('to/device/again', 'still subscribed', { qos: 1 })
        await until('a message', () => device.received.length > 0)
        device.client.close()
      })

      it('with storage, what was written without a connection survives a reboot', async () => {
        const flash = new NorFlash({ capacity: 65536 })
        const boot = (): Device => {
          const storage = new FlashStore(flash, new NodeSystem())
          return new Device(broker.port, { id: 'boots' }, { protocol, storage })
        }
        const topic = 'from/device/boots'
        const first = boot()
        await first.ready()
        await broker.end('SIGTERM')
        await until('the end', () => !first.client.holdfast.isConnected)
        for (let count = 0; count < 10; count++) {
          first.client.write(bytes(`${count}`), { topic, QoS: 2 })
        }
        first.client.close()
        await broker.restart()
        await until('the peer', () => peer.connected)
        const second = boot()
        await until('all', () => texts(topic).length >= 10)
        await until('all answers', () => second.client.holdfast.stats.queued === 0)
        assert.deepEqual(
          texts(topic),
          Array.from({ length: 10 }, (_, count) => `${count}`),
        )
        second.client.close()
      })

      it('a message larger than each buffer, written in parts, through a power cut', async () => {
        const payload = 'all of it, in order. '.repeat(3000)
        const nor = new NorFlash({ capacity: 256 * 1024 })
        const make = (): Device => {
          const storage = new FlashStore(nor, new NodeSystem())
          const own = { protocol, storage, sendBufferSize: 512 }
          return new Device(broker.port, { id: 'large' }, own)
        }
        let device = make()
        await device.ready()
        device.client.write(bytes(payload), { topic: 'from/device/large', QoS: 2 })
        device.client.write(bytes(payload.slice(0, 20000)), {
          topic: 'from/device/half',
          QoS: 1,
          byteLength: payload.length,
        })
        device.client.close()
        device = make()
        const { client } = device
        await device.ready()
        const first = { topic: 'from/device/large', QoS: 1, byteLength: payload.length }
        for (let at = 0; at < payload.length; at += 1000) {
          const part = bytes(payload.slice(at, at + 1000))
          assert.ok((at === 0 ? client.write(part, first) : client.write(part)) > 0)
        }
        await until('both', () => texts('from/device/large').length === 2)
        assert.ok(texts('from/device/large').every((text) => text === payload))
        assert.deepEqual(texts('from/device/half'), [])
        client.close()
      })

      for (const QoS of [0, 1, 2] as const) {
        it(`a message of 200 KB is received in parts, QoS ${QoS}`, async () => {
          const payload = Buffer.alloc(200 * 1024)
          for (let at = 0; at < payload.length; at++) payload[at] = (at * 7919) >> 5
          const hash = createHash('sha256')
          const topics: unknown[] = []
          const counts: number[] = []
          const rest: string[] = []
          const readAll: MQTTClientOptions['onReadable'] = function (count, options) {
            const data = new Uint8Array(this.read(count)!)
            if (options.topic !== undefined) topics.push({ ...options })
            if (options.topic === 'to/device/end') {
              rest.push(textOf(data.buffer))
            } else {
              hash.update(data)
              counts.push(count)
              if (counts.length === 50)
                device.client.write(bytes('x'), { topic: 'from/device/mid' })
            }
          }
          const own = { protocol, receiveBufferSize: 1024 }
          const device: Device = new Device(broker.port, { id: 'sink', onReadable: readAll }, own)
          await device.ready()
          await peer.publishAsync('to/device/large', payload, { qos: QoS })
          await peer.publishAsync('to/device/end', 'end', { qos: QoS })
          await until('the message behind it', () => rest.length > 0)
          assert.deepEqual(topics, [
            {
              more: true,
              topic: 'to/device/large',
              QoS,
              byteLength: payload.length,
              retain: false,
            },
            { more: false, topic: 'to/device/end', QoS, byteLength: 3, retain: false },
          ])
          assert.equal(hash.digest('hex'), createHash('sha256').update(payload).digest('hex'))
          assert.ok(counts.every((count) => count <= 1024))
          await until('what was written in its midst', () => texts('from/device/mid').length > QoS)
          assert.equal(device.got(MQTTClient.CONNACK).length, 1)
          assert.equal(device.got(MQTTClient.PUBREL).length, QoS === 2 ? 2 : 0)
        })
      }

      it('parts that are read later, half by half, and the messages behind them', async () => {
        const payload = 'read when there is time for it. '.repeat(2000)
        const texts: string[] = []
        const onReadable: MQTTClientOptions['onReadable'] = function (count, options) {
          if (options.topic !== undefined) texts.push('')
          const half = (count >> 1) + 1
          setImmediate(() => (texts[texts.length - 1] += textOf(this.read(half))))
          if (count > half) setTimeout(() => (texts[texts.length - 1] += textOf(this.read())), 2)
        }
        const own = { protocol, receiveBufferSize: 1024 }
        const device = new Device(broker.port, { id: 'later', onReadable }, own)
        await device.ready()
        const sent = ['before', payload, 'x', payload, 'behind']
        for (const text of sent) await peer.publishAsync('to/device/later', text, { qos: 1 })
        await until('all', () => texts.join().length === sent.join().length)
        assert.deepEqual(texts, sent)
      })

      it('one that is larger than was said is not received, and holds nothing up', async () => {
        const own = { protocol, receiveBufferSize: 1024, maximumPacketSize: 5000 }
        const device = new Device(broker.port, { id: 'bounded' }, own)
        await device.ready()
        // MQTT 5: the broker knows and leaves it out. 3.1.1: the client ends the connection, and
        // without a session nothing comes again.
        await peer.publishAsync('to/device/large', 'x'.repeat(6000), { qos: 1 })
        if (protocol === 4) {
          await until('SUBACK again', () => device.got(MQTTClient.SUBACK).length > 1)
        }
        await peer.publishAsync('to/device/end', 'end', { qos: 1 })
        await until('the message behind it', () => device.received.length > 0)
        assert.deepEqual(device.received, ['to/device/end 1 end'])
        assert.equal(device.got(MQTTClient.CONNACK).length, protocol === 4 ? 2 : 1)
      })

      it('the connection is cut in its midst: it comes again from its first byte', async () => {
        const payload = 'what breaks off begins anew. '.repeat(8000)
        const texts: string[] = []
        const onReadable: MQTTClientOptions['onReadable'] = function (count, options) {
          if (options.topic !== undefined) texts.push('')
          texts[texts.length - 1] += textOf(this.read(count))
          if (texts.length === 1 && texts[0]!.length > 20000) transport.close()
        }
        const transport = new TcpTransport()
        const own = { protocol, receiveBufferSize: 1024, transport }
        const device = new Device(broker.port, { id: 'twice', clean: false, onReadable }, own)
        await device.ready()
        await peer.publishAsync('to/device/large', payload, { qos: 2 })
        await until('PUBREL', () => device.got(MQTTClient.PUBREL).length > 0)
        assert.equal(texts.length, 2)
        assert.ok(texts[0]!.length < payload.length && payload.startsWith(texts[0]!))
        assert.equal(texts[1], payload)
        assert.equal(device.got(MQTTClient.CONNACK).length, 2)
      })
    })
  }

  it('a password that Mosquitto refuses ends in onError, and in no further attempt', async () => {
    const broker = await Mosquitto.start('allow_anonymous false')
    started.push(() => broker.stop())
    const device = new Device(broker.port, { user: 'u', password: 'wrong' })
    await until('onError', () => device.errors.length > 0)
    assert.match(device.errors[0]!.message, /refused the connection, code [45]/)
    assert.throws(() => device.client.write(bytes('x'), { topic: 't' }))
    await started.endAll()
  })
}
