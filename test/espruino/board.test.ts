/**
 * A board's life on a real Espruino against a real Mosquitto: the sensor as boot code, `load()`,
 * lanes, handlers with filters, the modules beside. Needs the environment variable ESPRUINO_BIN;
 * without it one line says what was left out.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { buildProduct } from '../../targets/espruino/build.js'
import { PLAIN } from '../../targets/espruino/bundle.js'
import { hasMosquitto } from '../broker/mosquitto.js'
import { AREAS, hasInterpreter, Interpreter } from './interpreter.js'
import { Scene } from './scene.js'
import { until } from '../until.js'

const SAMPLE = /^sample \d+\.\d, \d+ on flash$/

/** Makes a client, and prints what waits in its queue. */
function client(options: object): string {
  const all = { clientId: 'board', retryMinMs: 50, retryMaxMs: 200, areas: AREAS, ...options }
  return `
    var client = require('holdfast').create(${JSON.stringify(all)});
    print('queued', client.stats.queued);
    client.on('message.acked', function(e) { print('acked', e.ticket); });`
}

function samplesIn(board: Interpreter): number {
  return board.lines.filter((line) => SAMPLE.test(line)).length
}

/** What `kill` made durable is not sent again; what a power cut took is. */
async function endsWell(board: Interpreter, scene: Scene): Promise<void> {
  const options = { broker: scene.url, ackDelayMs: 100_000, ackBatch: 64 }
  const publish = `client.start();client.publish('from/espruino','x',{qos:1});`
  for (const [end, left] of [
    ['load()', 0],
    ['', 1],
  ] as const) {
    board.lines.length = 0
    board.start(client(options) + publish)
    await board.until('PUBACK', (line) => line.startsWith('acked'))
    if (end !== '') {
      board.type(end)
      await board.ended() // there is no boot code to go on with
    }
    await board.cut()
    board.lines.length = 0
    board.start(client(options))
    const line = await board.until('the queue', (line) => line.startsWith('queued'))
    assert.equal(line, `queued ${left}`)
    await board.cut()
  }
}

if (hasInterpreter('a board’s life on Espruino') && hasMosquitto('a board’s life on Espruino')) {
  describe('Espruino with the sensor as boot code', () => {
    let scene: Scene
    const board = new Interpreter()

    before(async () => {
      scene = await Scene.open()
      await scene.peer.subscribeAsync('greenhouse/7/temperature', { qos: 1 })
      const { binary } = await buildProduct('main', PLAIN)
      const settings = { broker: scene.url, clientId: 'greenhouse-7', areas: AREAS, seed: 'x' }
      const files = { '.boot0': binary, 'holdfast.json': JSON.stringify(settings) }
      await board.install(files)
    })
    afterEach(() => board.cut()) // also where a test failed: a second one would be orphaned
    after(async () => {
      await board.remove()
      await scene.close()
    })

    it('starts with the power, obeys, and loses no sample to outage or power cut', async () => {
      const { heard, peer } = scene
      board.start('')
      await board.until('CONNACK', (line) => line.startsWith('connected to mqtt://'))
      await peer.publishAsync('greenhouse/7/interval', '5 ms', { qos: 1, retain: true })
      await board.until('a refusal', (line) => line === 'no interval: 5 ms')
      await peer.publishAsync('greenhouse/7/interval', '60', { qos: 1, retain: true })
      await board.until('the interval', (line) => line === 'interval is 60 ms')
      await until('samples', () => heard.length > 5)
      scene.cutNetwork()
      await board.until('the outage', (line) => line.startsWith('offline: '))
      await board.until('a queue', (line) => / 20 on flash$/.test(line))
      await board.cut()
      const first = samplesIn(board)
      board.lines.length = 0
      await peer.publishAsync('greenhouse/7/interval', '500', { qos: 1, retain: true })
      scene.restoreNetwork()
      board.start('')
      await board.until('the interval', (line) => line === 'interval is 500 ms')
      await until('all samples of the first life', () => heard.length >= first)
      assert.deepEqual(
        board.lines.filter((line) => /Uncaught|lost/.test(line)),
        [],
      )
      await board.cut()
    })

    it('`load()` on the console starts it anew, and it goes on', async () => {
      board.lines.length = 0
      board.start('')
      await board.until('a sample', (line) => SAMPLE.test(line))
      board.type('load()')
      await until('two starts', () => {
        return board.lines.filter((line) => line.startsWith('connected to mqtt://')).length === 2
      })
      const { length } = scene.heard
      await until('samples of the second start', () => scene.heard.length > length)
      await board.cut()
    })
  })

  describe('Espruino with the small module', () => {
    it('`kill` makes acknowledgements durable, which a power cut does not', async () => {
      const scene = await Scene.open()
      const board = new Interpreter()
      try {
        await board.install({ holdfast: (await buildProduct('holdfast', PLAIN)).binary })
        await endsWell(board, scene)
      } finally {
        await board.remove()
        await scene.close()
      }
    })
  })

  describe('Espruino with the full module', () => {
    let scene: Scene
    let board: Interpreter
    const files: Record<string, string> = {}

    before(async () => {
      const names = ['holdfast-full', 'holdfast-spi', 'holdfast-encrypt'] as const
      for (const name of names) {
        const stored = name === 'holdfast-full' ? 'holdfast' : name
        files[stored] = (await buildProduct(name, PLAIN)).binary
      }
    })
    beforeEach(async () => {
      scene = await Scene.open()
      board = new Interpreter()
      await board.install(files)
    })
    afterEach(async () => {
      await board.remove()
      await scene.close()
    })

    it('`kill` makes acknowledgements durable, which a power cut does not', () =>
      endsWell(board, scene))

    it('lanes keep apart through a power cut; handlers have their filter and order', async () => {
      const lanes = [{ name: 'alarm', filters: ['+/alarm'], priority: 5 }, { name: 'bulk' }]
      const options = client({ broker: scene.url, lanes })
      board.start(`${options}
        var topics=['from/espruino','a/alarm','from/espruino'];
        topics.forEach(function(t){client.publish(t,t,{qos:2})});
        client.stats.lanes.forEach(function(l){print(l.name,l.queued)});`)
      await board.until('the first lane', (line) => line === 'alarm 1')
      await board.until('the second lane', (line) => line === 'bulk 2')
      await board.cut()
      board.lines.length = 0
      board.start(`${options}
        client.on('message',function(m){print('2nd',m.topic,m.text)},{order:2});
        client.on('message',function(m){print('1st',m.topic,m.text)},{order:1,filter:'to/+'});
        client.on('session.subscribed',function(){print('subscribed')});
        client.subscribe('to/#',{qos:1},function(m){print('own',m.topic)});
        client.start();`)
      await until('what was kept', () => scene.heard.length === 2)
      await board.until('SUBACK', (line) => line === 'subscribed')
      await scene.peer.publishAsync('to/a/b', '1', { qos: 1 })
      await scene.peer.publishAsync('to/a', '2', { qos: 1 })
      await board.until('the last', (line) => line === '2nd to/a 2')
      assert.deepEqual(
        board.lines.filter((line) => /^(1st|2nd|own) /.test(line)),
        ['own to/a/b', '2nd to/a/b 1', 'own to/a', '1st to/a 2', '2nd to/a 2'],
      )
    })

    it('encrypted with the ciphers of Espruino, a queue is read after a power cut', async () => {
      const options = client({ broker: scene.url }).replace(
        'create({',
        "create({hooks:require('holdfast-encrypt').hooks(E.toUint8Array('0123456789abcdef')),",
      )
      board.start(`${options}
        client.publish('from/espruino','secret',{qos:1});
        print('kept', client.stats.queued);`)
      await board.until('the message on flash', (line) => line === 'kept 1')
      await board.cut()
      board.lines.length = 0
      board.start(`try {${client({ broker: scene.url })}} catch (e) { print(e.message) }`)
      await board.until('the refusal', (line) => /^option.*storage hook refused$/.test(line))
      await board.cut()
      board.start(options + 'client.start();')
      await until('the message', () => scene.heard.length === 1)
      assert.deepEqual(scene.heard, ['secret'])
    })

    it('the module for a chip on SPI says what a bus without a chip is', async () => {
      board.start(`
        var spi={write:function(){},send:function(d){return new Uint8Array(d.length).fill(255)}};
        var pin={set:function(){},reset:function(){}};
        try { require('holdfast-spi').open(spi,pin) } catch (e) { print('said', e.message) }`)
      const line = await board.until('the error', (line) => line.startsWith('said'))
      assert.match(line, /no chip answers.*check wiring/)
    })
  })
}
