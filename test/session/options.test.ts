import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MqttClient } from '../../src/index.js'
import { ManualSystem, ScriptedTransport } from '../../hal/memory/index.js'

const good = () => ({
  system: new ManualSystem(1),
  transport: new ScriptedTransport(),
  broker: 'mqtt://localhost',
  clientId: 'x',
})

/** Option or options, and words that the error must hold. */
const bad: [Record<string, unknown>, RegExp][] = [
  [{ clientID: 'x' }, /option "clientID" is not known/],
  [{ system: undefined }, /"system"/],
  [{ transport: 5 }, /"transport"/],
  [{ broker: undefined }, /"broker"/],
  [{ broker: 'localhost' }, /"broker" is localhost.*mqtt:\/\/host/],
  [{ broker: 'http://host' }, /"broker"/],
  [{ broker: 'mqtt://' }, /"broker"/],
  [{ broker: 'mqtt://host:0' }, /"broker".*port/],
  [{ broker: 'mqtt://host:65536' }, /"broker".*port/],
  [{ broker: 'mqtt://host:12x' }, /"broker".*port/],
  [{ broker: 'mqtt://host/path' }, /"broker" is mqtt:\/\/host\/path/],
  [{ broker: 'ws://host/pa th' }, /"broker".*without blanks/],
  [{ broker: 'ws://host/a\r\nb: c' }, /"broker"[^]*without blanks/],
  [{ broker: 'wss:///mqtt' }, /"broker"/],
  [{ broker: 'wsss://host' }, /"broker".*wss:\/\/host/],
  [{ broker: 'ws://host/mqtt' }, /"broker" is ws:\/\/host\/mqtt; .* opens: mqtt mqtts/],
  [{ protocol: 3 }, /"protocol" is 3/],
  [{ clientId: 7 }, /"clientId"/],
  [{ clientId: '\ud800' }, /"clientId"/],
  [{ clientId: '', cleanStart: false, protocol: 4 }, /"clientId"/],
  [{ connectProperties: { topicAliasMaximum: 3 } }, /"connectProperties.topicAliasMaximum"/],
  [{ connectProperties: { authenticationMethod: 'm' } }, /authenticationMethod.*its own/],
  [{ keepAliveMs: 1500 }, /"keepAliveMs"/],
  [{ keepAliveMs: -1 }, /"keepAliveMs"/],
  [{ keepAliveMs: 65536000 }, /"keepAliveMs"/],
  [{ cleanStart: 1 }, /"cleanStart"/],
  [{ sessionLost: 'ignore' }, /"sessionLost" is ignore/],
  [{ overflow: 'block' }, /"overflow"/],
  [{ inFlightLimit: 0 }, /"inFlightLimit"/],
  [{ inFlightLimit: 65 }, /"inFlightLimit"/],
  [{ receiveMaximum: 0 }, /"receiveMaximum"/],
  [{ queueSize: 1.5 }, /"queueSize"/],
  [{ retryMinMs: 5000, retryMaxMs: 1000 }, /"retryMaxMs"/],
  [{ sendBufferSize: 64, clientId: 'c'.repeat(60) }, /"sendBufferSize"/],
  [{ will: { topic: 'a/+', payload: '' } }, /"will.topic"/],
  [{ will: { topic: 'a', payload: '', qos: 3 } }, /"will.qos"/],
  [{ password: 'p', protocol: 4 }, /"username"/],
  [{ connectProperties: { receiveMaximum: 3 } }, /"connectProperties.receiveMaximum"/],
]

describe('options', () => {
  for (const [options, words] of bad) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(
        () => new MqttClient({ ...good(), ...options } as any),
        (error: Error) => words.test(error.message),
      )
    })
  }

  it('what may be a secret is not repeated', () => {
    const secret: [object, RegExp][] = [
      [{ broker: 'mqtt://me:secret@host' }, /credentials are options/],
      [{ broker: 'mqtt://me:se/secret@host' }, /credentials are options/],
      [{ broker: 'https://me:secret@host' }, /credentials are options/],
      [{ broker: 'wss://host/mqtt?token=secret' }, /credentials are options/],
      [{ broker: 'wss://host/mqtt#secret' }, /credentials are options/],
      [{ username: ['secret'] }, /"username" is object/],
      [{ username: 'me', password: ['secret'] }, /"password" is object/],
      [{ username: 'me', password: 'secret\ud800' }, /"password"/],
    ]
    for (const [options, words] of secret) {
      assert.throws(
        () => new MqttClient({ ...good(), ...options } as any),
        (error: Error) => words.test(error.message) && !/secret/.test(error.stack!),
      )
    }
    assert.throws(
      () => new MqttClient('mqtt://me:secret@host' as any),
      (error: Error) => /"options" is string/.test(error.message) && !/secret/.test(error.stack!),
    )
  })

  it('takes host names, addresses and ports', () => {
    const seen: string[] = []
    for (const broker of [
      'mqtt://h',
      'mqtts://h',
      'mqtt://h:99',
      'mqtt://10.0.0.1/',
      'mqtt://[::1]:7',
      'mqtts://[fe80::1]',
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
      '::1 7 false',
      'fe80::1 8883 true',
    ])
  })

  it('takes WebSocket where the transport has it', () => {
    const seen: string[] = []
    for (const broker of ['ws://h', 'wss://h/', 'ws://h:99/mqtt', 'wss://[::1]:7/a/b:c]']) {
      const transport = new ScriptedTransport()
      Object.assign(transport, { schemes: ' ws wss ' })
      const client = new MqttClient({ ...good(), transport, broker })
      client.start()
      client.poll(0)
      const { host, port, secure, path } = transport.opened[0]!
      seen.push(`${host} ${port} ${secure} ${path}`)
      const wrong = { ...good(), transport, broker: 'mqtts://h' }
      assert.throws(() => new MqttClient(wrong), /"broker" is mqtts:\/\/h; .* opens: ws wss/)
    }
    assert.deepEqual(seen, [
      'h 80 false /',
      'h 443 true /',
      'h 99 false /mqtt',
      '::1 7 true /a/b:c]',
    ])
  })

  it('a filter, a prepared topic and an event name are checked where they are given', () => {
    const client = new MqttClient(good())
    assert.throws(() => client.subscribe('a#'), /"filter" is a#/)
    assert.throws(() => client.subscribe(''), /"filter"/)
    assert.throws(() => client.subscribe('a', { qos: 3 }), /"qos"/)
    assert.throws(() => client.publisher('a/+'), /"topic" is a\/\+/)
    assert.throws(() => client.publisher('a', { qos: 9 }), /"qos"/)
    assert.throws(() => client.on('connect' as any, () => {}), /unknown event "connect"/)
  })

  it('poll inside a handler is refused with the reason', () => {
    const options = good()
    const client = new MqttClient(options)
    client.on('client.disconnected', () => client.poll(0))
    client.start()
    client.poll(0)
    options.transport.fail('no')
    assert.throws(() => client.poll(0), /handler/)
  })
})
