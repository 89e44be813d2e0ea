/** Options of the small client: each mistake throws and names the option, no secret is shown. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash, ScriptedTransport } from '../../hal/memory/index.js'
import { MqttClient, RamOutbox } from '../../src/small/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { board, boot, SmallDesk } from './small-desk.js'

const good = () => ({
  system: new ManualSystem(1),
  transport: new ScriptedTransport(),
  storage: new RamOutbox(1000),
  broker: 'mqtt://localhost',
  clientId: 'x',
})

const will = { topic: 'a', payload: '' }

/** Option or options, and words that the error must hold. */
const BAD: [name: string, Record<string, unknown>, RegExp][] = [
  ['a name that is none', { clientID: 'x' }, /option "clientID" is unknown/],
  ['an option of the full client', { lanes: [] }, /option "lanes" is unknown/],
  ['no system', { system: undefined }, /system/],
  ['no transport', { transport: undefined }, /transport/],
  ['no storage', { storage: undefined }, /storage/],
  ['no broker', { broker: undefined }, /"broker"/],
  ['a broker without scheme', { broker: 'localhost' }, /"broker".*mqtt:\/\/host/],
  ['a broker of the web', { broker: 'http://host' }, /"broker"/],
  ['a broker over WebSocket', { broker: 'ws://host' }, /"broker"/],
  ['a broker without host', { broker: 'mqtt://' }, /"broker"/],
  ['port 0', { broker: 'mqtt://host:0' }, /"broker"/],
  ['port 65536', { broker: 'mqtt://host:65536' }, /"broker"/],
  ['a port with a letter', { broker: 'mqtt://host:12x' }, /"broker"/],
  ['half a port', { broker: 'mqtt://host:1.5' }, /"broker"/],
  ['an empty port', { broker: 'mqtt://host:' }, /"broker"/],
  ['an IPv6 address', { broker: 'mqtt://[::1]:7' }, /"broker"/],
  ['a path', { broker: 'mqtt://host/path' }, /"broker"/],
  ['MQTT 5', { protocol: 5 }, /"protocol" is 5/],
  ['MQTT 3.1', { protocol: 3 }, /"protocol" is 3/],
  ['no clientId', { clientId: undefined }, /"clientId"/],
  ['an empty clientId', { clientId: '' }, /"clientId"/],
  ['a clientId that is a number', { clientId: 7 }, /"clientId"/],
  ['a clientId that is no UTF-8', { clientId: '\ud800' }, /"clientId"/],
  ['a clientId with U+0000', { clientId: 'a\0' }, /"clientId"/],
  ['a clientId of 65,536 bytes', { clientId: 'c'.repeat(65536) }, /"clientId"/],
  ['a username that is no UTF-8', { username: '\ud800' }, /"username"/],
  ['a username with U+0000', { username: 'a\0' }, /"username"/],
  ['a password without username', { password: 'p' }, /"username"/],
  ['a password that is a number', { username: 'u', password: 7 }, /"password"/],
  ['parts of a millisecond of Keep Alive', { keepAliveMs: 1.5 }, /"keepAliveMs"/],
  ['Keep Alive below 0', { keepAliveMs: -1 }, /"keepAliveMs"/],
  ['Keep Alive of 65,536 s', { keepAliveMs: 65536000 }, /"keepAliveMs"/],
  ['inFlightLimit 0', { inFlightLimit: 0 }, /"inFlightLimit"/],
  ['inFlightLimit 65', { inFlightLimit: 65 }, /"inFlightLimit"/],
  ['sendBufferSize 63', { sendBufferSize: 63 }, /"sendBufferSize"/],
  ['sendBufferSize 65,536', { sendBufferSize: 65536 }, /"sendBufferSize"/],
  ['a CONNECT too long for it', { sendBufferSize: 64, clientId: 'c'.repeat(60) }, /sendBufferSize/],
  ['receiveBufferSize 63', { receiveBufferSize: 63 }, /"receiveBufferSize"/],
  ['receiveBufferSize NaN', { receiveBufferSize: NaN }, /"receiveBufferSize"/],
  ['connectTimeoutMs 0', { connectTimeoutMs: 0 }, /"connectTimeoutMs"/],
  ['pingTimeoutMs 0', { pingTimeoutMs: 0 }, /"pingTimeoutMs"/],
  ['ackTimeoutMs as text', { ackTimeoutMs: '5' }, /"ackTimeoutMs"/],
  ['retryMinMs 0', { retryMinMs: 0 }, /"retryMinMs"/],
  ['retryMaxMs below retryMinMs', { retryMinMs: 5000, retryMaxMs: 1000 }, /"retryMaxMs"/],
  ['ackBatch 0', { ackBatch: 0 }, /"ackBatch"/],
  ['ackBatch 65', { ackBatch: 65 }, /"ackBatch"/],
  ['ackDelayMs below 0', { ackDelayMs: -1 }, /"ackDelayMs"/],
  ['a will without topic', { will: { payload: '' } }, /"will.topic"/],
  ['a will to a filter', { will: { ...will, topic: 'a/+' } }, /"will.topic"/],
  ['a will to nowhere', { will: { ...will, topic: '' } }, /"will.topic"/],
  ['a will with U+0000', { will: { ...will, topic: 'a\0' } }, /"will.topic"/],
  ['a will of QoS 3', { will: { ...will, qos: 3 } }, /"will.qos"/],
  ['a will without payload', { will: { topic: 'a' } }, /"will.payload"/],
  ['a will too large', { will: { ...will, payload: 'w'.repeat(2000) } }, /"sendBufferSize"/],
]

describe('options of the small client', () => {
  for (const [name, options, words] of BAD) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => new MqttClient({ ...good(), ...options } as any),
        (error: Error) => words.test(error.message),
      )
    })
  }

  it('what may be a secret is not repeated', () => {
    const secrets: [object, RegExp][] = [
      [{ broker: 'mqtt://me:secret@host' }, /"broker"/],
      [{ broker: 'mqtt://me:se/secret@host' }, /"broker"/],
      [{ broker: 'https://me:secret@host' }, /"broker"/],
      [{ broker: 'mqtt://host?token=secret' }, /"broker"/],
      [{ broker: 'mqtt://host#secret' }, /"broker"/],
      [{ username: ['secret'] }, /"username"/],
      [{ username: 'me', password: ['secret'] }, /"password"/],
      [{ username: 'me', password: 'secret\ud800' }, /"password"/],
      [{ username: 'me', password: 'secret'.repeat(20000) }, /"password"/],
      [{ will: { topic: 'a', payload: ['secret'] } }, /"will.payload"/],
    ]
    for (const [options, words] of secrets) {
      assert.throws(
        () => new MqttClient({ ...good(), ...options } as any),
        (error: Error) => words.test(error.message) && !/secret/.test(String(error)),
      )
    }
    assert.throws(
      () => new MqttClient('mqtt://me:secret@host' as any),
      (error: Error) => /option/.test(error.message) && !/secret/.test(String(error)),
    )
  })

  it('takes host names, addresses and ports', () => {
    const seen: string[] = []
    for (const broker of [
      'mqtt://h',
      'mqtts://h',
      'mqtt://h:99',
      'mqtt://10.0.0.1',
      'mqtts://a-b.example:7',
    ]) {
      const options = good()
      const client = new MqttClient({ ...options, broker })
      client.start()
      client.poll(0)
      const { host, port, secure } = options.transport.opened[0]!
      seen.push(`${host} ${port} ${secure}`)
    }
    assert.deepEqual(seen, [
      'h 1883 false',
      'h 8883 true',
      'h 99 false',
      '10.0.0.1 1883 false',
      'a-b.example 7 true',
    ])
  })

  it('an event that is none is refused by name', () => {
    const { client } = new SmallDesk()
    for (const name of ['message.gone', 'constructor', '__proto__', '', ' ', 'message ']) {
      assert.throws(() => client.on(name as any, () => undefined), /unknown event/)
    }
  })

  it('a filter is UTF-8 of 1 to 65,535 bytes, # stands last and + alone', () => {
    const { client } = new SmallDesk()
    const bad = ['', '\ud800', 'a\0', 'a#', '#/a', 'a/#/b', '##', 'a+', '+a/b', 'a/b+/c']
    for (const filter of [...bad, 'x'.repeat(65536), 'x'.repeat(2000), 7 as any]) {
      assert.throws(() => client.subscribe(filter), /filter/, String(filter).slice(0, 9))
      assert.equal(client.unsubscribe(filter), false, 'only what was asked for is given up')
    }
    for (const qos of [-1, 3, 0.5, '1' as any]) {
      assert.throws(() => client.subscribe('a', { qos }), /"qos"/)
    }
    for (const filter of ['#', '+', '/', 'a/#', '+/a/+', '$SYS/#']) client.subscribe(filter)
  })

  it('a flash that holds no log, or too small a buffer, is refused by name', () => {
    const small = new NorFlash({ capacity: 7 * 1024, eraseSize: 1024, writeSize: 4 })
    assert.throws(() => boot(small), /"storage" has fewer than 8 sectors/)
    const system = new ManualSystem(1)
    const storage = new FlashOutbox(board(), system, { bufferSize: 100 })
    assert.throws(() => new SmallDesk({ storage }), /"bufferSize" too small/)
  })

  it('a store of another client or broker is refused, and can be given up', () => {
    const flash = board()
    boot(flash).publish(1)
    const system = new ManualSystem(2)
    const storage = new FlashOutbox(flash, system)
    assert.throws(() => new SmallDesk({ storage, clientId: 'other' }), /"storage" is of another/)
    assert.throws(() => boot(flash, { broker: 'mqtt://elsewhere' }), /"storage" is of another/)
    assert.equal(boot(flash).client.stats.queued, 1)
    assert.equal(storage.format(), 0)
    assert.equal(boot(flash, { clientId: 'other' }).client.stats.queued, 0)
  })
})
