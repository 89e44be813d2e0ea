/**
 * ECMA-419, clause by clause: the Base Class Pattern (8), the IO Class Pattern (9) and the MQTT
 * Client Class Pattern (25), whose numbers are those of the second and third edition. `CLAUSES`
 * names what they demand of this class; each has its tests, and the last test counts them.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import defaultExport, { MQTTClient, type MQTTClientOptions } from '../../src/ecma419/mqtt-client.js'
import type { WriteOptions } from '../../src/ecma419/mqtt-client.js'
import { ERR_STORAGE } from '../../src/status.js'
import { FlashStore } from '../../src/storage.js'
import { ManualSystem, NorFlash, ScriptedTransport } from '../../hal/memory/index.js'
import { connackPacket, type Packet } from '../session/desk.js'
import { bytes, NAMES, publishPacket, Rig, textOf } from './rig.js'

const CLAUSES = [
  '8 constructor: the options object',
  '8 constructor: validation before anything is taken',
  '8 target',
  '8 close',
  '8 callbacks',
  '9 constructor: io',
  '9 read',
  '9 write',
  '9 format',
  '9 onReadable',
  '9 onWritable',
  '9 onError',
  '25 must: keep alive',
  '25 should: answers of QoS 1 and 2',
  '25 may: caching and retransmission',
  '25 may: reconnect',
  '25 may: subscriptions',
  '25 data format',
  '25 option socket and dns',
  '25 option host and port',
  '25 option id',
  '25 option user and password',
  '25 option keepAlive',
  '25 option clean',
  '25 option will',
  '25 onReadable',
  '25 onWritable',
  '25 onError',
  '25 onControl',
  '25 close',
  '25 read',
  '25 write: operation',
  '25 write: id',
  '25 write: topic',
  '25 write: QoS',
  '25 write: retain',
  '25 write: duplicate',
  '25 write: byteLength',
  '25 write: items',
  '25 write: options are required but for fragments',
  '25 write: not before CONNACK',
  '25 write: return value',
  '25 static properties',
] as const

const seen = new Set<string>()

function clause(name: (typeof CLAUSES)[number], sentence: string, body: () => void): void {
  seen.add(name)
  it(`${name}: ${sentence}`, body)
}

/** A rig with a connection, its log emptied. */
function connected(options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const rig = new Rig(options)
  rig.connect()
  rig.take()
  return rig
}

/** Reads everything in onReadable, into texts. */
function reader(rig: Rig): string[] {
  const texts: string[] = []
  rig.onReadable = function (count) {
    texts.push(textOf(this.read(count)))
  }
  return texts
}

const ack = (cmd: string, messageId: number) => ({ cmd, messageId })

// 8 Base Class Pattern

clause('8 constructor: the options object', 'it is required', () => {
  assert.throws(() => new (MQTTClient as any)(), /"options".*an object/)
  assert.throws(() => new (MQTTClient as any)(null), /"options"/)
})

clause('8 constructor: the options object', 'unknown properties are passed over', () => {
  new Rig({ nonsense: 1 } as object)
})

clause('8 constructor: the options object', 'it may be immutable and is not changed', () => {
  const options = { will: Object.freeze({ topic: 'w', message: 'x' }), user: 'u', password: 'p' }
  const before = JSON.stringify(options)
  new Rig(Object.freeze(options))
  assert.equal(JSON.stringify(options), before)
})

for (const [name, value] of Object.entries({
  host: 5,
  port: 0,
  id: 7,
  user: 1,
  password: 9,
  keepAlive: -1,
  will: { message: 'x' },
  onReadable: 'f',
  onWritable: {},
  onControl: 1,
  onError: true,
})) {
  clause('8 constructor: validation before anything is taken', `a wrong ${name} throws`, () => {
    assert.throws(() => new Rig({ [name]: value } as object), new RegExp(`"${name}`))
  })
}

clause('8 constructor: validation before anything is taken', 'a loop that fails', () => {
  const run = (): never => assert.fail('no timer')
  const flash = new NorFlash({ capacity: 65536 })
  const storage = new FlashStore(flash, new ManualSystem(1))
  assert.throws(() => new Rig({ holdfast: { run, storage } }), /no timer/)
  new Rig({ holdfast: { storage } }) // the store is free again
})

clause('8 target', 'it is the one of the options and may be changed', () => {
  const target = {}
  const rig = new Rig({ target })
  assert.equal(rig.client.target, target)
  rig.client.target = 5
  assert.equal(rig.client.target, 5)
  assert.equal(new Rig().client.target, undefined)
})

clause('8 close', 'releases everything, twice is no error, other methods throw', () => {
  const rig = connected()
  rig.act((client) => client.close())
  rig.client.close()
  assert.ok(rig.isStopped)
  assert.equal(rig.transport.state, 0)
  assert.throws(() => rig.client.read(), /closed/)
  assert.throws(() => rig.client.write(bytes('x'), { topic: 't' }), /closed/)
  assert.throws(() => rig.client.format, /closed/)
  assert.equal(rig.polled!.poll(0), Infinity)
})

clause('8 close', 'no callback comes after it, also for what arrived before', () => {
  const rig = connected()
  rig.onReadable = function (count) {
    this.read(count)
    this.close()
  }
  rig.replyAtOnce(publishPacket('a', '1'), publishPacket('b', '2'), { cmd: 'pingresp' })
  assert.deepEqual(rig.take(), ['readable 1 a'])
  assert.ok(rig.isStopped)
})

clause('8 close', 'what was not handed over is not acknowledged', () => {
  const rig = connected()
  rig.onReadable = function () {
    this.close()
  }
  rig.replyAtOnce(publishPacket('a', '1', 1, 5), publishPacket('b', '2', 1, 6))
  assert.deepEqual(rig.names(), [])
})

clause('8 close', 'a message that was announced and not read is not acknowledged', () => {
  const rig = connected()
  rig.onReadable = function () {
    this.read(1)
    this.close()
  }
  rig.reply(publishPacket('a', '12', 1, 5))
  assert.deepEqual(rig.names(), [])
})

clause('8 close', 'what was written before it leaves, whatever waits to be read', () => {
  const rig = connected()
  rig.act((client) => {
    rig.transport.deliver(Uint8Array.from([0xd0, 0x00]))
    client.write(bytes('last'), { topic: 't' })
    client.close()
  })
  assert.deepEqual(rig.names(), ['publish'])
})

clause('8 close', 'so it does from a callback, with messages behind the one being read', () => {
  const rig = connected()
  rig.onReadable = function (count) {
    this.read(count)
    this.write(bytes('last'), { topic: 't' })
    this.close()
  }
  rig.replyAtOnce(publishPacket('a', '1', 1, 5), publishPacket('b', '2', 1, 6))
  assert.deepEqual(rig.names(), ['puback', 'publish'])
})

clause('8 close', 'is legal in each callback', () => {
  for (const callback of ['onControl', 'onWritable'] as const) {
    const rig = new Rig()
    rig[callback] = function () {
      this.close()
    }
    rig.connect()
    assert.ok(rig.isStopped)
    assert.equal(rig.log.at(-1), callback === 'onControl' ? 'control CONNACK' : 'writable')
  }
})

clause('8 callbacks', '`this` is the instance, and none comes out of a method', () => {
  const rig = new Rig() // asserts both at each callback
  rig.onControl = function (opcode) {
    if (opcode !== MQTTClient.CONNACK) return
    this.write(null, { operation: MQTTClient.SUBSCRIBE, items: [{ topic: 'a/#' }] })
    this.write(bytes('x'), { topic: 'a/b', QoS: 2 })
    this.write(null, { operation: MQTTClient.PINGREQ })
  }
  rig.connect()
  assert.deepEqual(rig.names(), ['subscribe', 'publish', 'pingreq'])
  rig.write('y', { topic: 'c', byteLength: 2 })
  rig.write('z')
})

clause('8 callbacks', 'all are optional and may be null', () => {
  const none = { onReadable: null, onWritable: null, onControl: null, onError: null }
  const rig = connected(none)
  rig.reply(publishPacket('a', 'text', 1, 3), publishPacket('a', 'text', 1, 4))
  assert.deepEqual(rig.names(), ['puback', 'puback'])
  rig.write(null, { operation: MQTTClient.DISCONNECT })
  rig.turn()
})

clause('8 callbacks', 'an exception reaches the loop, and the message comes again', () => {
  const rig = connected()
  const texts: string[] = []
  rig.onReadable = function (count) {
    if (texts.length === 0) {
      texts.push(textOf(this.read(1)))
      throw new Error('of the application')
    }
    texts.push(textOf(this.read(count)))
  }
  assert.throws(() => rig.reply(publishPacket('a', 'xy', 1, 3)), /of the application/)
  rig.reply(publishPacket('a', 'z', 1, 4))
  assert.deepEqual(texts, ['x', 'xy', 'z'])
  assert.deepEqual(rig.names(), ['puback', 'puback'])
})

// 9 IO Class Pattern

clause('9 constructor: io', 'a property io is ignored', () => {
  new Rig({ io: MQTTClient } as object)
})

clause('9 read', 'a number of bytes, all of them, or a buffer to fill', () => {
  const rig = connected()
  const got: unknown[] = []
  rig.onReadable = function () {
    const data = this.read(2)!
    assert.ok(data instanceof ArrayBuffer)
    got.push(textOf(data))
    const view = new Uint8Array(8)
    got.push(this.read(new DataView(view.buffer, 1, 2)), textOf(view.subarray(1, 4)))
    got.push(this.read(new Int8Array(view.buffer, 0, 1)), this.read(new SharedArrayBuffer(1)))
    got.push(textOf(this.read()))
    got.push(this.read(), this.read(1), this.read(view))
  }
  rig.reply(publishPacket('a', 'abcdefghi'))
  const none = undefined
  assert.deepEqual(got, ['ab', 2, 'cd\0', 1, 1, 'ghi', none, none, none])
})

clause('9 read', 'more than there is gives what there is; less than one byte throws', () => {
  const rig = connected()
  rig.onReadable = function () {
    assert.throws(() => this.read(0), /no count/)
    assert.throws(() => this.read(1.5), /no count/)
    assert.throws(() => this.read('x' as any), /byte buffer/)
    assert.equal(textOf(this.read(1000)), 'ab')
  }
  rig.reply(publishPacket('a', 'ab'))
  assert.equal(rig.readables.length, 1)
  assert.equal(rig.client.read(10), undefined)
})

clause('9 write', 'each kind of byte buffer, within its bounds', () => {
  const rig = connected()
  const base = bytes('.abc.')
  const shared = new SharedArrayBuffer(3)
  new Uint8Array(shared).set(bytes('abc'))
  for (const data of [
    base.slice(1, 4).buffer,
    shared,
    base.subarray(1, 4),
    new Int8Array(base.buffer, 1, 3),
    new DataView(base.buffer, 1, 3),
  ]) {
    rig.act((client) => client.write(data, { topic: 't' }))
    const [packet] = rig.sent()
    assert.equal(String(packet!.payload), 'abc')
  }
  for (const data of ['abc', 5, null, undefined, {}, { byteLength: 3 }, [1, 2]]) {
    assert.throws(() => rig.client.write(data as any, { topic: 't' }), /"data".*byte buffer/)
  }
  assert.deepEqual(rig.names(), [])
})

clause('9 write', 'what does not fit throws, and nothing of it is sent', () => {
  const rig = connected({ holdfast: { queueSize: 256, sendBufferSize: 256 } })
  rig.transport.room = 0
  let written = 0
  assert.throws(() => {
    for (;;) {
      rig.write(new Uint8Array(30), { topic: 't', QoS: 1 })
      written++
    }
  }, /queue is full/)
  assert.throws(() => rig.write(new Uint8Array(300), { topic: 't' }), /larger than the buffers/)
  rig.transport.giveRoom(Infinity)
  assert.equal(rig.names().length, written)
})

clause('9 format', 'it is "buffer"; another value throws and changes nothing', () => {
  const rig = new Rig()
  assert.equal(rig.client.format, 'buffer')
  rig.client.format = 'buffer'
  assert.throws(() => (rig.client.format = 'number'), /"buffer"/)
  assert.equal(rig.client.format, 'buffer')
})

clause('9 onReadable', 'it comes once, and not again before there is more', () => {
  const rig = connected()
  rig.reply(publishPacket('a', 'abc'))
  rig.turn()
  rig.after(100)
  assert.deepEqual(rig.take(), ['readable 3 a'])
  assert.equal(textOf(rig.client.read(3)), 'abc')
  rig.turn()
  assert.deepEqual(rig.take(), [])
})

clause('9 onWritable', 'it comes when there is room again', () => {
  const rig = connected({ holdfast: { queueSize: 256 } })
  while (rig.write(new Uint8Array(10), { topic: 't', QoS: 1 }) > 0);
  const packets = rig.sent()
  rig.after(5000)
  assert.deepEqual(rig.take(), [])
  for (const packet of packets) rig.reply(ack('puback', packet.messageId!))
  assert.equal(rig.take().filter((line) => line === 'writable').length, 1)
})

clause('9 onError', 'after it only close is of use', () => {
  const rig = new Rig()
  rig.connect({ reasonCode: 5 })
  assert.deepEqual(rig.take(), ['error'])
  assert.throws(() => rig.write('x', { topic: 't' }))
  rig.after(600000)
  assert.equal(rig.transport.opened.length, 1)
  rig.client.close()
  assert.ok(rig.isStopped)
})

// 25 MQTT Client Class Pattern

clause('25 must: keep alive', 'PINGREQ leaves within the interval', () => {
  const rig = connected({ keepAlive: 10000 })
  rig.after(9999)
  assert.deepEqual(rig.names(), ['pingreq'])
})

clause('25 must: keep alive', 'a broker may send no PINGREQ (MQTT 3.1.1, 3.12): it is cut', () => {
  // The clause wants an answer to PINGREQ; MQTT knows it from client to server only.
  const rig = connected()
  rig.transport.deliver(Uint8Array.from([0xc0, 0x00]))
  rig.turn()
  assert.equal(rig.transport.state, 0)
})

clause('25 should: answers of QoS 1 and 2', 'PUBACK, PUBREC, PUBCOMP and PUBREL', () => {
  const rig = connected()
  reader(rig)
  rig.reply(publishPacket('a', 'one', 1, 11), publishPacket('a', 'two', 2, 12))
  const ids = (packets: Packet[]) => packets.map((packet) => `${packet.cmd} ${packet.messageId}`)
  assert.deepEqual(ids(rig.sent()), ['puback 11', 'pubrec 12'])
  rig.reply(ack('pubrel', 12))
  assert.deepEqual(ids(rig.sent()), ['pubcomp 12'])
  rig.write('out', { topic: 't', QoS: 2 })
  const [publish] = rig.sent()
  rig.reply(ack('pubrec', publish!.messageId!))
  assert.deepEqual(ids(rig.sent()), [`pubrel ${publish!.messageId}`])
})

clause('25 should: answers of QoS 1 and 2', 'the answer leaves after onReadable read it', () => {
  const rig = connected()
  rig.onReadable = function (count) {
    assert.equal(rig.transport.takeSent().length, 0)
    this.read(count)
  }
  rig.reply(publishPacket('a', 'one', 1, 11))
  assert.deepEqual(rig.names(), ['puback'])
})

clause('25 should: answers of QoS 1 and 2', 'a repeat of QoS 2 is not handed over twice', () => {
  const rig = connected({ clean: false })
  const texts = reader(rig)
  rig.reply(publishPacket('a', 'two', 2, 12))
  rig.reconnect({ sessionPresent: true })
  rig.reply({ ...publishPacket('a', 'two', 2, 12), dup: true })
  assert.deepEqual(texts, ['two'])
})

clause('25 may: caching and retransmission', 'write goes on without a connection', () => {
  const rig = connected()
  rig.transport.drop('cut')
  rig.turn()
  rig.write('zero', { topic: 't' })
  rig.write('one', { topic: 't', QoS: 1 })
  rig.after(120000)
  rig.connect()
  assert.deepEqual(
    rig.sent().map((packet) => `${packet.payload} ${packet.qos}`),
    ['zero 0', 'one 1'],
  )
})

clause('25 may: caching and retransmission', 'what had no answer is sent again with DUP', () => {
  const rig = connected({ clean: false })
  rig.write('one', { topic: 't', QoS: 1 })
  const [first] = rig.sent()
  rig.reconnect({ sessionPresent: true })
  const [again] = rig.sent()
  assert.equal(again!.messageId, first!.messageId)
  assert.equal(again!.dup, true)
})

clause('25 may: reconnect', 'a broken connection comes again without onError', () => {
  const rig = connected()
  rig.reconnect()
  assert.deepEqual(rig.take(), ['control CONNACK', 'writable'])
  assert.equal(rig.errors.length, 0)
})

clause('25 may: reconnect', 'a broker that is not there is tried again', () => {
  const rig = new Rig()
  rig.turn()
  rig.transport.fail('refused')
  rig.turn()
  rig.after(120000)
  rig.connect({ reasonCode: 3 }) // server unavailable
  rig.after(120000)
  rig.connect()
  assert.deepEqual(rig.take(), ['control CONNACK', 'writable'])
})

clause('25 may: subscriptions', 'they are asked for again when the session is gone', () => {
  const rig = connected()
  rig.write(null, { operation: MQTTClient.SUBSCRIBE, items: [{ topic: 'a/+', QoS: 1 }] })
  const [subscribe] = rig.sent()
  rig.reply({ cmd: 'suback', messageId: subscribe!.messageId, granted: [1] })
  rig.reconnect()
  const [again] = rig.sent()
  assert.deepEqual(again!.subscriptions, [{ topic: 'a/+', qos: 1 }])
})

clause('25 may: subscriptions', 'what a connection took along is asked for on the next', () => {
  const rig = connected()
  const { SUBSCRIBE, UNSUBSCRIBE } = MQTTClient
  rig.write(null, { operation: SUBSCRIBE, items: [{ topic: 'a' }] })
  rig.write(null, { operation: SUBSCRIBE, items: [{ topic: 'b' }] })
  rig.write(null, { operation: UNSUBSCRIBE, items: [{ topic: 'c' }] })
  assert.deepEqual(rig.names(), ['subscribe'])
  rig.take()
  rig.reconnect()
  const [subscribe] = rig.sent()
  assert.deepEqual(
    subscribe!.subscriptions.map((item: any) => item.topic),
    ['a', 'b'],
  )
  rig.reply({ cmd: 'suback', messageId: subscribe!.messageId, granted: [0, 0] })
  assert.deepEqual(rig.take(), ['control CONNACK', 'writable'])
  rig.write(null, { operation: SUBSCRIBE, items: [{ topic: 'd' }], id: 9 })
  const [next] = rig.sent()
  rig.reply({ cmd: 'suback', messageId: next!.messageId, granted: [0] })
  assert.equal(rig.controls.at(-1)!.id, 9)
})

clause('25 data format', 'it is always "buffer"', () => {
  assert.equal(new Rig().client.format, 'buffer')
})

clause('25 option socket and dns', 'they go to the function that makes the transport', () => {
  const [socket, dns] = [{ io: class {} }, { io: class {} }]
  let given: any
  const rig: Rig = new Rig({
    socket,
    dns,
    holdfast: { transport: (options: object) => ((given = options), spare.transport) },
  })
  assert.equal(given.socket, socket)
  assert.equal(given.dns, dns)
  rig.turn()
  assert.equal(spare.transport.opened[0]!.secure, false)
})
const spare = new Rig()

clause('25 option socket and dns', 'a socket with TLS options makes the address secure', () => {
  for (const socket of [{ tls: {} }, { secure: {} }]) {
    const rig = new Rig({ socket })
    rig.turn()
    assert.equal(rig.transport.opened[0]!.secure, true)
  }
})

clause('25 option socket and dns', 'without a transport the error names what is missing', () => {
  assert.throws(() => new Rig({ holdfast: { transport: undefined } }), /"holdfast.transport"/)
  assert.throws(() => new Rig({ holdfast: { run: undefined } }), /"holdfast.run"/)
  assert.throws(() => new Rig({ holdfast: { keepAliveMs: 5 } }), /"holdfast.keepAliveMs"/)
  assert.throws(() => new Rig({ holdfast: { sytem: 1 } }), /"sytem" is not known/)
  assert.throws(() => new (MQTTClient as any)({ host: 'h' }), /"holdfast.run"/)
  assert.throws(() => new (MQTTClient as any)({ host: 'h', holdfast: null }), /"holdfast"/)
})

clause('25 option socket and dns', 'a subclass brings what its platform has', () => {
  const [system, transport] = [new ManualSystem(1), new ScriptedTransport()]
  let given: unknown[] = []
  const run = (...values: unknown[]) => ((given = values), { stop() {} })
  class Bound extends MQTTClient {
    constructor(options: MQTTClientOptions) {
      super(options, { system, transport, run })
    }
  }
  assert.throws(() => new Bound({ host: 'h', holdfast: { retryMinMs: -1 } }), /"retryMinMs"/)
  new Bound({ host: 'h' })
  assert.equal(given[1], system)
})

clause('25 option host and port', 'host is required, port is 1883 if not given', () => {
  assert.throws(() => new Rig({ host: undefined } as object), /"host"/)
  for (const [options, address] of [
    [{}, { host: 'broker.test', port: 1883, secure: false, path: '' }],
    [{ port: 8883 }, { host: 'broker.test', port: 8883, secure: false, path: '' }],
    [{ host: '10.0.0.7' }, { host: '10.0.0.7', port: 1883, secure: false, path: '' }],
    [
      { host: 'fe80::1', port: 1 },
      { host: 'fe80::1', port: 1, secure: false, path: '' },
    ],
  ] as const) {
    const rig = new Rig(options)
    rig.turn()
    assert.deepEqual(rig.transport.opened, [address])
  }
})

clause('25 option id', 'it is empty if not given', () => {
  assert.equal(new Rig({ id: 'dev-7' }).connect().clientId, 'dev-7')
  assert.equal(new Rig({ id: undefined } as object).connect().clientId, '')
  assert.throws(() => new Rig({ id: '', clean: false }), /"id"/)
})

clause('25 option user and password', 'strings, or a byte buffer for the password', () => {
  const words = new Rig({ user: 'u', password: 'p' }).connect()
  assert.equal(words.username, 'u')
  assert.equal(String(words.password), 'p')
  const data = new Rig({ user: 'u', password: bytes('\x01p').buffer }).connect()
  assert.equal(String(data.password), '\x01p')
  const none = new Rig({ user: '', password: '' }).connect()
  assert.equal(none.username, undefined)
  assert.equal(none.password, undefined)
  assert.throws(() => new Rig({ password: 'p' }), /"user"/)
})

clause('25 option keepAlive', 'it is in milliseconds, and 0 if not given', () => {
  assert.equal(new Rig({ keepAlive: 60000 }).connect().keepalive, 60)
  assert.equal(new Rig({ keepAlive: 1500 }).connect().keepalive, 2)
  assert.equal(new Rig().connect().keepalive, 0)
  assert.equal(new Rig({ keepalive: 30000 } as object).connect().keepalive, 30) // Moddable's name
  assert.throws(() => new Rig({ keepAlive: 65536000 }), /"keepAlive"/)
})

clause('25 option clean', 'it is true if not given', () => {
  assert.equal(new Rig().connect().clean, true)
  const rig = new Rig({ clean: false })
  assert.equal(rig.connect().clean, false)
  assert.equal(rig.reconnect({ sessionPresent: true }).clean, false)
})

clause('25 option will', 'topic, message, QoS and retain', () => {
  const will = (options: object): any => new Rig({ will: options as any }).connect().will
  const given = will({ topic: 'w', message: bytes('m').buffer, QoS: 2, retain: true })
  assert.equal(given.topic, 'w')
  assert.equal(String(given.payload), 'm')
  assert.equal(given.qos, 2)
  assert.equal(given.retain, true)
  const least = will({ topic: 'w', message: 'text', retain: 0 })
  assert.equal(String(least.payload), 'text')
  assert.equal(least.qos, 0)
  assert.equal(least.retain, false)
  assert.throws(() => new Rig({ will: { topic: 'w', QoS: 3 } }), /"will.QoS"/)
  assert.throws(() => new Rig({ will: { topic: 'w/#' } }), /"will.topic"/)
  assert.equal(new Rig({ will: null }).connect().will, undefined)
})

clause(
  '25 onReadable',
  'the first fragment has topic, QoS and byteLength; the last no more',
  () => {
    const rig = connected()
    reader(rig)
    rig.reply({ ...publishPacket('a/ä', 'text', 1, 4), retain: true })
    const words = { more: false, topic: 'a/ä', QoS: 1, byteLength: 4, retain: true }
    assert.deepEqual(rig.readables, [[4, words]])
  },
)

clause('25 onReadable', 'a message larger than the buffer comes in fragments', () => {
  const rig = connected({ holdfast: { receiveBufferSize: 100 } }) // more in parts.test.ts
  const texts = reader(rig)
  rig.reply(publishPacket('a', 'fragment'.repeat(30), 1, 4))
  assert.equal(texts.join(''), 'fragment'.repeat(30))
  const [first, ...later] = rig.readables.map(([, options]) => options)
  assert.deepEqual(first, { more: true, topic: 'a', QoS: 1, byteLength: 240, retain: false })
  assert.deepEqual(later, [...later.slice(1).map(() => ({ more: true })), { more: false }])
  assert.deepEqual(rig.names(), ['puback'])
})

clause('25 onReadable', 'an empty message is announced, and those behind it come', () => {
  const rig = connected()
  const texts: string[] = []
  rig.onReadable = function (count) {
    const data = this.read(count)
    assert.ok(data instanceof ArrayBuffer)
    texts.push(textOf(data))
  }
  rig.replyAtOnce(publishPacket('a', 'one', 1, 1), publishPacket('a', '', 1, 2))
  rig.replyAtOnce(publishPacket('a', '', 0, 0), publishPacket('a', 'four', 1, 4))
  assert.deepEqual(texts, ['one', '', '', 'four'])
  assert.equal(rig.readables[1]![1].byteLength, 0)
  assert.deepEqual(rig.names(), ['puback', 'puback', 'puback'])
  assert.equal(rig.client.read(1), undefined)
})

clause('25 onReadable', 'an empty message needs no read', () => {
  const rig = connected()
  rig.replyAtOnce(publishPacket('a', ''), publishPacket('b', ''), publishPacket('c', 'x'))
  assert.deepEqual(rig.take(), ['readable 0 a', 'readable 0 b', 'readable 1 c'])
})

clause('25 onWritable', 'it follows CONNACK and each write, with how much may be written', () => {
  const rig = new Rig()
  rig.connect()
  assert.deepEqual(rig.take(), ['control CONNACK', 'writable'])
  assert.ok(rig.writables[0]! > 1000)
  rig.write('x', { topic: 't' })
  rig.write('y', { topic: 't' })
  rig.turn()
  rig.turn()
  assert.deepEqual(rig.take(), ['writable'])
})

clause('25 onWritable', 'a message in parts is written from one to the next', () => {
  const rig = connected()
  let left = 700
  rig.onWritable = function (count) {
    if (left === 0) return
    const length = Math.min(left, count, 100)
    left -= length
    this.write(new Uint8Array(length).fill(65))
  }
  rig.write('BEGIN', { topic: 'xl', byteLength: 705 })
  const [packet] = rig.sent()
  assert.equal(String(packet!.payload), 'BEGIN' + 'A'.repeat(700))
})

clause('25 onError', 'a DISCONNECT that was written ends in onError, once', () => {
  const rig = connected()
  rig.write(null, { operation: MQTTClient.DISCONNECT })
  assert.deepEqual(rig.names(), ['disconnect'])
  rig.after(600000)
  assert.deepEqual(rig.take(), ['error'])
  assert.ok(rig.errors[0] instanceof Error)
})

clause('25 onError', 'so does one that was written without a connection', () => {
  const rig = connected()
  rig.transport.drop('cut')
  rig.turn()
  rig.write(null, { operation: MQTTClient.DISCONNECT })
  rig.turn()
  assert.deepEqual(rig.take(), ['error'])
})

for (const [version, code] of [
  [4, 1],
  [4, 2],
  [4, 4],
  [4, 5],
  [5, 0x86],
  [5, 0x87],
] as const) {
  clause('25 onError', `a refusal for good, MQTT ${version} code ${code}`, () => {
    const rig = new Rig({ holdfast: { protocol: version } })
    rig.connect({ reasonCode: code })
    assert.deepEqual(rig.take(), ['error'])
    assert.match(rig.errors[0]!.message, new RegExp(`refused.*${code}`))
  })
}

clause('25 onControl', 'each control packet, with its id where it has one', () => {
  const rig = new Rig()
  reader(rig)
  rig.connect({ sessionPresent: false })
  rig.write('one', { topic: 't', QoS: 1 })
  rig.write('two', { topic: 't', QoS: 2 })
  rig.write(null, { operation: MQTTClient.PINGREQ })
  const [one, two] = rig.sent()
  rig.reply(ack('puback', one!.messageId!), ack('pubrec', two!.messageId!))
  rig.reply(ack('pubcomp', two!.messageId!), { cmd: 'pingresp' })
  rig.reply(publishPacket('a', 'in', 2, 77), ack('pubrel', 77))
  const { CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, PINGRESP } = MQTTClient
  assert.deepEqual(rig.controls, [
    { operation: CONNACK, returnCode: 0, sessionPresent: false },
    { operation: PUBACK, id: one!.messageId, reasonCode: 0 },
    { operation: PUBREC, id: two!.messageId, reasonCode: 0 },
    { operation: PUBCOMP, id: two!.messageId, reasonCode: 0 },
    { operation: PINGRESP },
    { operation: PUBREL, id: 77, reasonCode: 0 },
  ])
})

clause('25 onControl', 'SUBACK has the codes of all items, also of many packets', () => {
  const rig = connected()
  const topics = Array.from({ length: 11 }, (_, index) => ({ topic: `t/${index}`, QoS: index % 3 }))
  rig.write(null, { operation: MQTTClient.SUBSCRIBE, items: topics, id: 600 })
  for (;;) {
    const [packet] = rig.sent()
    if (!packet) break
    const granted = packet.subscriptions.map((item: any) => (item.topic === 't/4' ? 128 : item.qos))
    rig.reply({ cmd: 'suback', messageId: packet.messageId, granted })
  }
  const payload = topics.map((item, index) => (index === 4 ? 128 : item.QoS))
  assert.deepEqual(rig.controls.slice(1), [{ operation: MQTTClient.SUBACK, id: 600, payload }])
})

clause('25 onControl', 'controls and messages come in the order of the wire', () => {
  const rig = connected()
  reader(rig)
  rig.write(null, { operation: MQTTClient.SUBSCRIBE, items: [{ topic: 'a' }] })
  const [subscribe] = rig.sent()
  rig.take()
  rig.replyAtOnce(
    publishPacket('a', 'before'),
    { cmd: 'suback', messageId: subscribe!.messageId, granted: [0] },
    publishPacket('a', 'after'),
    { cmd: 'pingresp' },
  )
  const order = ['readable 6 a', 'control SUBACK', 'readable 5 a', 'control PINGRESP']
  assert.deepEqual(rig.take(), order)
})

clause('25 onControl', 'CONNACK comes before what arrived with it', () => {
  const rig = new Rig({ clean: false })
  reader(rig)
  rig.turn()
  rig.transport.accept()
  rig.sent()
  rig.replyAtOnce(connackPacket(4, {}), publishPacket('a', 'x'))
  assert.deepEqual(rig.take(), ['control CONNACK', 'readable 1 a', 'writable'])
})

clause('25 onControl', 'with messageOnly it is called as the Moddable SDK calls it', () => {
  const seen: any[][] = []
  const rig = new Rig({
    onControl: (...values: any[]) => seen.push(values),
    holdfast: { messageOnly: true },
  })
  rig.connect()
  assert.equal(seen[0]![0].operation, MQTTClient.CONNACK)
})

clause('25 close', 'it sends no DISCONNECT, but what was written before it', () => {
  const rig = connected()
  rig.write('last', { topic: 't' })
  rig.act((client) => client.close())
  assert.deepEqual(
    rig.sent().map((packet) => packet.cmd),
    ['publish'],
  )
})

clause('25 close', 'after a DISCONNECT that was written, it leaves', () => {
  const rig = connected()
  rig.onWritable = function () {
    this.write(bytes('last'), { topic: 't', QoS: 1 })
    this.write(null, { operation: MQTTClient.DISCONNECT })
    this.close()
  }
  rig.write('x', { topic: 't' })
  assert.deepEqual(rig.names(), ['publish', 'publish', 'disconnect'])
  assert.ok(rig.isStopped)
})

clause('25 read', 'a message is read in parts, and the next comes when it is read', () => {
  const rig = connected()
  const texts: string[] = []
  rig.replyAtOnce(
    publishPacket('a', 'abcdef', 1, 1),
    publishPacket('b', '', 1, 2),
    publishPacket('c', 'ghi', 2, 3),
  )
  rig.reply(publishPacket('d', 'jk'))
  assert.deepEqual(rig.take(), ['readable 6 a'])
  for (let count = 0; count < 3; count++) {
    texts.push(rig.act((client) => textOf(client.read(2))))
    if (count < 2) assert.equal(rig.take().length, 0)
    rig.turn()
  }
  assert.deepEqual(texts, ['ab', 'cd', 'ef'])
  assert.deepEqual(rig.take(), ['readable 0 b', 'readable 3 c'])
  assert.equal(rig.readables[2]![1].QoS, 2)
  assert.equal(textOf(rig.client.read(100)), 'ghi')
  rig.turn()
  assert.deepEqual(rig.take(), ['readable 2 d'])
  assert.equal(textOf(rig.client.read(2)), 'jk')
})

clause('25 read', 'part is read in onReadable and the rest later', () => {
  const rig = connected()
  rig.onReadable = function () {
    assert.equal(textOf(this.read(2)), 'ab')
  }
  rig.replyAtOnce(publishPacket('a', 'abcd'), publishPacket('b', 'abcd'))
  assert.equal(textOf(rig.client.read()), 'cd')
  rig.turn()
  assert.equal(textOf(rig.client.read()), 'cd')
  assert.deepEqual(rig.take(), ['readable 4 a', 'readable 4 b'])
})

clause('25 read', 'what is unread makes the broker wait, as many messages as there are', () => {
  const rig = connected({ holdfast: { receiveBufferSize: 128 } })
  const sent: string[] = []
  for (let count = 0; count < 200; count++) {
    sent.push('x'.repeat((count * 7) % 90))
    rig.transport.deliver(Buffer.from(bytesOfPublish(sent.at(-1)!)))
  }
  const got: string[] = []
  let open = -1
  rig.onReadable = function (count) {
    if (count === 0) got.push('')
    else open = count
  }
  for (let round = 0; round < 1000 && got.length < 200; round++) {
    rig.turn()
    if (open < 0) continue
    got.push(textOf(rig.client.read(open - (open >> 1))) + textOf(rig.client.read(open)))
    open = -1
  }
  assert.deepEqual(got, sent)
})

clause('25 write: operation', 'what an application may not send throws', () => {
  const rig = connected()
  const { CONNECT, CONNACK, SUBACK, UNSUBACK, PINGRESP } = MQTTClient
  for (const operation of [CONNECT, CONNACK, SUBACK, UNSUBACK, PINGRESP, 0, 15, 99, 'x']) {
    assert.throws(() => rig.client.write(null, { operation } as any), /"operation"/)
  }
  assert.deepEqual(rig.names(), [])
})

clause('25 write: operation', 'PINGREQ, also one written without a connection', () => {
  const rig = connected()
  rig.write(null, { operation: MQTTClient.PINGREQ })
  assert.deepEqual(rig.names(), ['pingreq'])
  rig.transport.drop('cut')
  rig.turn()
  rig.write(null, { operation: MQTTClient.PINGREQ })
  rig.after(120000)
  rig.connect()
  assert.deepEqual(rig.names(), ['pingreq'])
})

clause(
  '25 write: operation',
  'answers of QoS 1 and 2 are the session’s: nothing is repeated',
  () => {
    const rig = connected()
    const { PUBACK, PUBREC, PUBREL, PUBCOMP } = MQTTClient
    for (const operation of [PUBACK, PUBREC, PUBREL, PUBCOMP]) rig.write(null, { operation, id: 1 })
    assert.deepEqual(rig.names(), [])
  },
)

clause('25 write: operation', 'DISCONNECT follows all that was written; then nothing may', () => {
  const rig = connected()
  rig.transport.room = 0
  for (let count = 0; count < 40; count++) rig.write(`${count}`, { topic: 't', QoS: 1 })
  rig.write(null, { operation: MQTTClient.DISCONNECT })
  assert.throws(() => rig.write('x', { topic: 't' }), /has ended/)
  rig.transport.giveRoom(Infinity)
  const first = rig.sent()
  assert.equal(first.length, 20) // the window of messages in flight
  for (const packet of first) rig.reply(ack('puback', packet.messageId!))
  const rest = rig.names()
  assert.equal(rest.length, 21)
  assert.equal(rest.at(-1), 'disconnect')
})

clause('25 write: operation', 'DISCONNECT waits 5 s and no longer', () => {
  const rig = connected()
  for (let count = 0; count < 40; count++) rig.write(`${count}`, { topic: 't', QoS: 1 })
  rig.write(null, { operation: MQTTClient.DISCONNECT })
  assert.equal(rig.names().includes('disconnect'), false)
  rig.after(5000)
  assert.deepEqual(rig.names(), ['disconnect'])
})

clause('25 write: id', 'onControl reports the id that write gave', () => {
  const rig = connected()
  const ids = [1234, 65535, 1]
  for (const id of ids) rig.write('x', { topic: 't', QoS: id === 1 ? 2 : 1, id })
  const packets = rig.sent()
  assert.equal(new Set(packets.map((packet) => packet.messageId)).size, 3)
  rig.reply(ack('pubrec', packets[2]!.messageId!), ack('pubcomp', packets[2]!.messageId!))
  rig.reply(ack('puback', packets[1]!.messageId!), ack('puback', packets[0]!.messageId!))
  assert.deepEqual(
    rig.controls.slice(1).map(({ operation, id }) => `${NAMES[operation]} ${id}`),
    ['PUBREC 1', 'PUBCOMP 1', 'PUBACK 65535', 'PUBACK 1234'],
  )
})

clause(
  '25 write: id',
  'it outlives a reconnect, and may be given again when it is answered',
  () => {
    const rig = connected({ clean: false, holdfast: { idLimit: 3 } })
    for (let round = 0; round < 10; round++) {
      rig.write('x', { topic: 't', QoS: 1, id: 7 })
      rig.write('x', { topic: 't', QoS: 1, id: 8 })
      rig.sent()
      rig.reconnect({ sessionPresent: true })
      for (const packet of rig.sent().reverse()) rig.reply(ack('puback', packet.messageId!))
    }
    const ids = rig.controls.filter(({ operation }) => operation === MQTTClient.PUBACK)
    assert.deepEqual(
      ids.map(({ id }) => id),
      Array.from({ length: 10 }, () => [8, 7]).flat(),
    )
  },
)

clause('25 write: id', 'also with lanes, whose identifiers and tickets are apart', () => {
  const lanes = [{ name: 'alarm', filters: ['alarm/#'], priority: 1 }, { name: 'rest' }]
  const rig = connected({ holdfast: { lanes } })
  for (let id = 1; id <= 6; id++) {
    rig.write('x', { topic: id % 2 ? 'alarm/1' : 'other', QoS: 1, id: id * 100 })
  }
  rig.write('a', { topic: 'alarm/2', byteLength: 2, QoS: 1, id: 700 })
  rig.write('b')
  rig.write(null, { operation: MQTTClient.DISCONNECT })
  const packets = rig.sent()
  assert.deepEqual(
    packets.map((packet) => packet.topic ?? packet.cmd),
    'alarm/1 alarm/1 alarm/1 alarm/2 other other other disconnect'.split(' '),
  )
  assert.equal(packets[3]!.payload.toString(), 'ab')
})

clause('25 write: id', 'and their answers find it', () => {
  const lanes = [{ name: 'alarm', filters: ['alarm/#'], priority: 1 }, { name: 'rest' }]
  const rig = connected({ holdfast: { lanes, idLimit: 2 } })
  for (let round = 0; round < 3; round++) {
    rig.write('x', { topic: 'other', QoS: 1, id: 1 })
    rig.write('x', { topic: 'alarm/1', QoS: 1, id: 2 })
    for (const packet of rig.sent()) rig.reply(ack('puback', packet.messageId!))
  }
  const ids = rig.controls.slice(1).map(({ id }) => id)
  assert.deepEqual(ids, [2, 1, 2, 1, 2, 1])
})

clause('25 write: id', 'more of them than idLimit throw; without one there is no limit', () => {
  const rig = connected({ holdfast: { idLimit: 2 } })
  rig.write('x', { topic: 't', QoS: 1, id: 1 })
  assert.equal(rig.write('x', { topic: 't', QoS: 1, id: 2 }), 0)
  assert.throws(() => rig.write('x', { topic: 't', QoS: 1, id: 3 }), /full/)
  rig.write('x', { topic: 't', QoS: 1 })
  rig.write('x', { topic: 't', QoS: 0, id: 3 })
  const [first] = rig.sent()
  rig.reply(ack('puback', first!.messageId!))
  rig.write('x', { topic: 't', QoS: 1, id: 3 })
  for (const id of [0, 65536, 1.5, 'x', -1]) {
    assert.throws(() => rig.write('x', { topic: 't', QoS: 1, id } as any), /"id"/)
  }
})

clause('25 write: topic', 'it is required and has no wildcards', () => {
  const rig = connected()
  assert.throws(() => rig.write('x', {}), /"topic"/)
  assert.throws(() => rig.write('x', { topic: '' }), /topic/)
  assert.throws(() => rig.write('x', { topic: 'a/#' }), /topic/)
  assert.throws(() => rig.write('x', { topic: 'a/#', byteLength: 5 }), /"topic"/)
  rig.write('x', { topic: bytes('as/bytes').buffer }) // as Moddable's mqtt/js has it
  const [packet] = rig.sent()
  assert.equal(packet!.topic, 'as/bytes')
})

clause('25 write: QoS', '0, 1, 2, and 0 if not given; another throws', () => {
  const rig = connected()
  for (const QoS of [undefined, 0, 1, 2]) {
    rig.write('x', { topic: 't', ...(QoS === undefined ? {} : { QoS }) })
  }
  assert.deepEqual(
    rig.sent().map((packet) => packet.qos),
    [0, 0, 1, 2],
  )
  for (const QoS of [3, -1, 0.5, '1']) {
    assert.throws(() => rig.write('x', { topic: 't', QoS } as any), /"QoS"/)
    const items = [{ topic: 't', QoS }] as any
    assert.throws(() => rig.write(null, { operation: MQTTClient.SUBSCRIBE, items }), /"items.QoS"/)
  }
  assert.deepEqual(rig.names(), [])
})

clause('25 write: retain', 'it is false if not given, also after one that was true', () => {
  const rig = connected()
  rig.write('x', { topic: 't', retain: true })
  rig.write('', { topic: 't', retain: true })
  rig.write('x', { topic: 't' })
  const packets = rig.sent()
  assert.deepEqual(
    packets.map((packet) => packet.retain),
    [true, true, false],
  )
  assert.equal(packets[1]!.payload.length, 0)
})

clause('25 write: duplicate', 'what the session still holds is not queued twice', () => {
  const rig = connected({ clean: false })
  rig.write('x', { topic: 't', QoS: 1, id: 4 })
  rig.sent()
  rig.write('x', { topic: 't', QoS: 1, id: 4, duplicate: true })
  assert.deepEqual(rig.names(), [])
  const [again] = (rig.reconnect({ sessionPresent: true }), rig.sent())
  assert.equal(again!.dup, true)
  rig.reply(ack('puback', again!.messageId!))
  rig.write('x', { topic: 't', QoS: 1, id: 4, duplicate: true })
  const [anew] = rig.sent()
  assert.equal(anew!.dup, false) // a new Packet Identifier [MQTT-3.3.1-1]
})

clause('25 write: byteLength', 'a message in two and more parts, empty ones included', () => {
  const rig = connected()
  rig.write('SM', { topic: 'small', byteLength: 6, QoS: 2, retain: true })
  assert.deepEqual(rig.names(), [])
  rig.write('ALL\n')
  rig.write('', { topic: 'three', byteLength: 3 })
  rig.write('')
  rig.write('a')
  rig.write('bc')
  const [small, three] = rig.sent()
  assert.equal(String(small!.payload), 'SMALL\n')
  assert.equal(small!.qos, 2)
  assert.equal(small!.retain, true)
  assert.equal(String(three!.payload), 'abc')
  assert.equal(three!.retain, false)
})

clause('25 write: byteLength', 'the buffer of a message is not the one before', () => {
  const rig = connected()
  for (const text of ['abcd', 'efgh', 'ij']) {
    rig.write(text.slice(0, 1), { topic: 't', byteLength: text.length })
    rig.write(text.slice(1))
  }
  assert.deepEqual(
    rig.sent().map((packet) => String(packet.payload)),
    ['abcd', 'efgh', 'ij'],
  )
})

clause('25 write: byteLength', 'less than the data, or more than is missing, throws', () => {
  const rig = connected()
  assert.throws(() => rig.write('abc', { topic: 't', byteLength: 2 }), /"byteLength"/)
  assert.throws(() => rig.write('abc', { topic: 't', byteLength: 3.5 }), /"byteLength"/)
  rig.write('abc', { topic: 't', byteLength: 5 })
  assert.throws(() => rig.write('def'), /1 bytes more than byteLength/)
  rig.write('de')
  const [packet] = rig.sent()
  assert.equal(String(packet!.payload), 'abcde')
})

clause('25 write: byteLength', 'more than the client sends is refused at the first part', () => {
  const rig = connected()
  assert.throws(() => rig.write('x', { topic: 't', byteLength: 16387 }), /larger than the buffers/)
  const most = rig.write('x', { topic: 't' })
  rig.write('x', { topic: 't', byteLength: most - 20 })
  assert.equal(rig.write(new Uint8Array(most - 21)) > 0, true)
  assert.deepEqual(rig.names(), ['publish', 'publish'])
})

let boots = 0

/** A client over a flash log, and the flash for the one after it. */
function onFlash(nor = new NorFlash({ capacity: 131072 }), holdfast = {}): [Rig, NorFlash] {
  const system = new ManualSystem(++boots)
  const options = { clean: false, holdfast: { storage: new FlashStore(nor, system), ...holdfast } }
  return [new Rig(options, system), nor]
}

/** Writes a message in parts of `part` bytes; what `write` returned after each. */
function inParts(rig: Rig, payload: Uint8Array, part: number, options: WriteOptions): number[] {
  const rooms: number[] = []
  for (let at = 0; at < payload.length; at += part) {
    const piece = payload.subarray(at, at + part)
    const first = { byteLength: payload.length, ...options }
    rooms.push(at === 0 ? rig.write(piece, first) : rig.write(piece))
  }
  return rooms
}

const large = Uint8Array.from({ length: 40000 }, (_, at) => (at * 31) ^ (at >> 8))

clause('25 write: byteLength', 'with storage it may be larger than each buffer', () => {
  for (const QoS of [0, 1, 2]) {
    const [rig] = onFlash()
    rig.connect()
    const rooms = inParts(rig, large, 777, { topic: 'xl', QoS, id: 9, retain: true })
    // Not all that is missing: who makes as many bytes as may be written needs a buffer for them.
    assert.ok(
      rooms.slice(0, -1).every((room) => room > 0 && room <= 1536),
      String(rooms),
    )
    rig.write('after', { topic: 'small', QoS: 1 })
    const [xl, small] = rig.sent()
    assert.deepEqual([xl!.topic, xl!.qos, xl!.retain, small!.topic], ['xl', QoS, true, 'small'])
    assert.ok(Buffer.from(large).equals(xl!.payload as Buffer))
    if (QoS === 0) continue
    rig.reply(ack(QoS === 1 ? 'puback' : 'pubrec', xl!.messageId!))
    assert.equal(rig.controls.at(-1)!.id, 9)
  }
})

clause('25 write: byteLength', 'so may one that is written at once', () => {
  const [rig] = onFlash()
  rig.connect()
  rig.write(large, { topic: 'xl', QoS: 1 })
  const [packet] = rig.sent()
  assert.ok(Buffer.from(large).equals(packet!.payload as Buffer))
  assert.throws(() => rig.write(new Uint8Array(70000), { topic: 'xl' }), /larger than/)
  const begun = { topic: 'xl', byteLength: 70000 }
  assert.throws(() => rig.write(large, begun), /larger than/)
  rig.write('still', { topic: 'small' })
})

clause(
  '25 write: byteLength',
  'a reboot finds what has its last part, and nothing of another',
  () => {
    const [rig, nor] = onFlash()
    rig.connect()
    rig.transport.drop('cut')
    rig.turn()
    inParts(rig, large, 5000, { topic: 'xl', QoS: 1 })
    inParts(rig, large.subarray(0, 20000), 5000, { topic: 'half', QoS: 1, byteLength: 20001 })
    const [next] = onFlash(nor) // the power was cut
    next.connect({ sessionPresent: true })
    const packets = next.sent().filter(({ cmd }) => cmd === 'publish')
    assert.deepEqual(
      packets.map(({ topic }) => topic),
      ['xl'],
    )
    assert.ok(Buffer.from(large).equals(packets[0]!.payload as Buffer))
  },
)

clause('25 write: byteLength', '`close` before the last part leaves nothing of it', () => {
  const [rig, nor] = onFlash()
  rig.connect()
  rig.write(large, { topic: 'xl', QoS: 1, byteLength: 50000 })
  rig.act((client) => client.close())
  const [next] = onFlash(nor)
  next.connect({ sessionPresent: true })
  next.write('first', { topic: 'small', QoS: 1 })
  assert.deepEqual(
    next.sent().map(({ topic }) => topic),
    ['small'],
  )
})

clause('25 write: byteLength', 'more than byteLength throws there too, and changes nothing', () => {
  const [rig] = onFlash()
  rig.connect()
  rig.write(large.subarray(0, 30000), { topic: 'xl', byteLength: 40000 })
  assert.throws(() => rig.write(large), /30000 bytes more than byteLength/)
  assert.throws(() => rig.write('x', { topic: 't' }), /parts of the message before/)
  rig.write(large.subarray(30000))
  const [packet] = rig.sent()
  assert.ok(Buffer.from(large).equals(packet!.payload as Buffer))
})

clause('25 write: byteLength', 'a lane that is full refuses the first part, then takes it', () => {
  const [rig] = onFlash()
  rig.connect()
  for (let count = 0; count < 2; count++) rig.write(large, { topic: 'before', QoS: 1 })
  assert.throws(() => rig.write(large, { topic: 'xl', byteLength: 40001, QoS: 1 }), /full/)
  for (const { messageId } of rig.sent()) rig.reply(ack('puback', messageId!))
  rig.after(5000)
  rig.write(large, { topic: 'xl', byteLength: 40001, QoS: 1 })
  rig.write('x')
  const [packet] = rig.sent()
  assert.equal((packet!.payload as Buffer).length, 40001)
})

clause('25 write: byteLength', 'flash that fails gives the message up, and says so', () => {
  const [rig, nor] = onFlash()
  rig.connect()
  rig.write(large.subarray(0, 10000), { topic: 'xl', byteLength: 40000 })
  const { write } = nor
  nor.write = () => ERR_STORAGE
  assert.throws(() => rig.write(large.subarray(10000)), /storage/)
  nor.write = write
  assert.throws(() => rig.write('x'), /no message is begun/)
})

clause('25 write: byteLength', 'without a queue for QoS 0 it is refused by name', () => {
  const [rig] = onFlash(undefined, { queueQos0: false })
  rig.connect()
  assert.throws(() => rig.write(large, { topic: 'xl', byteLength: 50000 }), /larger than/)
  rig.write(large, { topic: 'xl', QoS: 1 })
  assert.deepEqual(rig.names(), ['publish'])
})

clause('25 write: byteLength', 'a connection that breaks between two parts changes nothing', () => {
  const rig = connected()
  rig.write('ab', { topic: 't', byteLength: 4, QoS: 1 })
  rig.reconnect()
  rig.write('cd')
  const [packet] = rig.sent()
  assert.equal(String(packet!.payload), 'abcd')
})

clause('25 write: byteLength', 'a full queue leaves the last part to be written again', () => {
  const rig = connected({ holdfast: { queueSize: 256 } })
  rig.write('ab', { topic: 't', byteLength: 4 })
  rig.transport.room = 0
  // Others of the same client fill the queue meanwhile.
  for (const size of [20, 1]) {
    while (rig.client.holdfast.publish('u', new Uint8Array(size), { qos: 1 }) > 0);
  }
  assert.throws(() => rig.write('cd'), /queue is full/)
  rig.transport.giveRoom(Infinity)
  for (const packet of rig.sent()) rig.reply(ack('puback', packet.messageId!))
  rig.write('cd')
  const packets = rig.sent()
  assert.equal(String(packets.at(-1)!.payload), 'abcd')
})

clause('25 write: items', 'filters with their QoS, in SUBSCRIBE and UNSUBSCRIBE', () => {
  const rig = connected()
  const { SUBSCRIBE, UNSUBSCRIBE } = MQTTClient
  const items = [{ topic: 'foo/bar/+', QoS: 2 }, { topic: 'bar/foo' }]
  rig.write(null, { operation: SUBSCRIBE, items })
  rig.write(null, { operation: UNSUBSCRIBE, items: [{ topic: 'frogs' }, { topic: 'bar/foo' }] })
  rig.write(null, { operation: SUBSCRIBE, items: [{ topic: 'bar/foo', QoS: 1 }], id: 3 })
  const [subscribe] = rig.sent()
  assert.deepEqual(subscribe!.subscriptions, [
    { topic: 'foo/bar/+', qos: 2 },
    { topic: 'bar/foo', qos: 0 },
  ])
  rig.reply({ cmd: 'suback', messageId: subscribe!.messageId, granted: [2, 0] })
  const [unsubscribe] = rig.sent()
  assert.deepEqual([...unsubscribe!.unsubscriptions].sort(), ['bar/foo', 'frogs'])
  rig.reply({ cmd: 'unsuback', messageId: unsubscribe!.messageId })
  const [last] = rig.sent()
  rig.reply({ cmd: 'suback', messageId: last!.messageId, granted: [1] })
  const { SUBACK, UNSUBACK } = MQTTClient
  assert.deepEqual(rig.controls.slice(1), [
    { operation: SUBACK, id: subscribe!.messageId, payload: [2, 0] },
    { operation: UNSUBACK, id: unsubscribe!.messageId },
    { operation: SUBACK, id: 3, payload: [1] },
  ])
})

clause('25 write: items', 'UNSUBSCRIBE where the session has still to ask for the filter', () => {
  const rig = connected()
  const items = [{ topic: 'a' }]
  rig.write(null, { operation: MQTTClient.SUBSCRIBE, items })
  const [first] = rig.sent()
  rig.reply({ cmd: 'suback', messageId: first!.messageId, granted: [0] })
  rig.onControl = function (opcode) {
    if (opcode === MQTTClient.CONNACK)
      this.write(null, { operation: MQTTClient.UNSUBSCRIBE, items })
  }
  rig.reconnect()
  for (const packet of rig.sent()) {
    const cmd = packet.cmd === 'subscribe' ? 'suback' : 'unsuback'
    rig.reply({ cmd, messageId: packet.messageId, granted: [0] })
  }
  for (const packet of rig.sent()) rig.reply({ cmd: 'unsuback', messageId: packet.messageId })
  assert.equal(rig.log.filter((line) => line === 'control UNSUBACK').length, 1)
  rig.onControl = () => {}
  rig.reconnect()
  assert.deepEqual(rig.names(), [])
})

clause('25 write: items', 'at least one, each with a topic filter; else nothing is taken', () => {
  const rig = connected()
  const { SUBSCRIBE, UNSUBSCRIBE } = MQTTClient
  for (const operation of [SUBSCRIBE, UNSUBSCRIBE]) {
    assert.throws(() => rig.write(null, { operation }), /"items"/)
    assert.throws(() => rig.write(null, { operation, items: [] }), /"items"/)
    for (const topic of ['', 'a#', undefined, 'x'.repeat(5000)]) {
      const items = [{ topic: 'good' }, { topic }] as any
      assert.throws(() => rig.write(null, { operation, items }), /"items.topic"/)
    }
  }
  assert.deepEqual(rig.names(), [])
})

clause('25 write: options are required but for fragments', 'else it throws', () => {
  const rig = connected()
  assert.throws(() => rig.write('x'), /options are missing/)
  rig.write('a', { topic: 't', byteLength: 2 })
  assert.throws(() => rig.write('b', { topic: 't' }), /parts of the message before/)
  assert.throws(() => rig.write(null, { operation: MQTTClient.PINGREQ }), /parts of the message/)
  rig.write('b')
  assert.throws(() => rig.write('c'), /options are missing/)
})

clause('25 write: not before CONNACK', 'it is an error', () => {
  const rig = new Rig()
  const early = (): number => rig.client.write(bytes('x'), { topic: 't' })
  assert.throws(early, /no CONNACK/)
  rig.turn()
  rig.transport.accept()
  assert.deepEqual(rig.names(), ['connect'])
  assert.throws(early, /no CONNACK/)
  rig.reply(connackPacket(4, {}))
  assert.ok(early() > 0)
})

clause('25 write: return value', 'a PUBLISH of that many bytes is taken', () => {
  for (const holdfast of [{}, { queueSize: 300 }, { queueSize: 2000, sendBufferSize: 500 }]) {
    const rig = connected({ holdfast })
    rig.transport.room = 0
    let count = 0
    let room = rig.write('x', { topic: 'topic' })
    while (room > 16) {
      const length = count++ % 3 === 0 ? room - 16 : Math.min(room - 16, count * 3)
      room = rig.write(new Uint8Array(length), { topic: 'topic', QoS: 2 })
    }
    assert.ok(count > 1)
  }
})

clause('25 write: return value', 'between two parts it is what is missing', () => {
  const rig = connected()
  assert.equal(rig.write('abc', { topic: 't', byteLength: 10 }), 7)
  assert.equal(rig.write('def'), 4)
})

clause('25 static properties', 'the numbers of the packet types, read-only', () => {
  const names = Object.values(NAMES)
  assert.deepEqual(
    names.map((name) => (MQTTClient as any)[name]),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
  )
  for (const name of names) assert.throws(() => ((MQTTClient as any)[name] = 0), TypeError)
  assert.equal(defaultExport, MQTTClient)
  assert.equal(class extends MQTTClient {}.PINGREQ, 12)
})

it('each clause of the list has a test', () => {
  assert.deepEqual(
    CLAUSES.filter((name) => !seen.has(name)),
    [],
  )
})

function bytesOfPublish(payload: string): number[] {
  return [0x30, 3 + payload.length, 0, 1, 97, ...bytes(payload)]
}
