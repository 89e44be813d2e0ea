/**
 * The bundles on a real Espruino against a real Mosquitto. Needs the environment variable
 * ESPRUINO_BIN; without it one line says what was left out.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { buildProduct } from '../../targets/espruino/build.js'
import type { Product } from '../../targets/espruino/build.js'
import type { Switches } from '../../targets/espruino/switches.js'
import { hasMosquitto } from '../broker/mosquitto.js'
import { AREAS, hasInterpreter, Interpreter } from './interpreter.js'
import { Scene } from './scene.js'
import { until } from '../until.js'

interface Variant {
  readonly title: string
  readonly product: Product
  readonly switches: Switches
  readonly form: 'text' | 'binary'
  readonly protocol: number
}

const WORDS = { protocol: 0 as const, words: true }
const VARIANTS: Variant[] = [
  ...(['text', 'binary'] as const).map((form) => ({
    title: `with storage, as ${form}`,
    product: 'holdfast' as const,
    switches: WORDS,
    form,
    protocol: 4,
  })),
  {
    title: 'the full client, as text, protocol 5',
    product: 'holdfast-full',
    switches: WORDS,
    form: 'text',
    protocol: 5,
  },
  ...([4, 5] as const).map((protocol) => ({
    title: `the full client, pretokenised, one protocol (${protocol}), no words`,
    product: 'holdfast-full' as const,
    switches: { protocol, words: false },
    form: 'binary' as const,
    protocol,
  })),
]

/** A client that tells what it does. `publish` is code that runs once it is started. */
function device(url: string, protocol: number, areas: object[] | null, publish: string): string {
  const options = {
    broker: url,
    clientId: 'espruino',
    protocol,
    retryMinMs: 50,
    retryMaxMs: 200,
    seed: 'test',
    ...(areas ? { areas } : {}),
  }
  return `
    var client = require('holdfast').create(${JSON.stringify(options)});
    client.on('message', function(m) { print('got', m.topic, m.text, m.qos); });
    client.on('client.connected', function() { print('connected'); });
    client.on('client.disconnected', function(e) { print('offline', e.status, e.text); });
    client.on('message.acked', function(e) { print('acked', e.ticket); });
    client.on('session.subscribed', function() { print('subscribed'); });
    client.subscribe('to/espruino', { qos: 2 });
    client.start();
    function publish(text, qos) {
      var ticket = client.publish('from/espruino', text, { qos: qos });
      print(ticket < 0 ? 'refused' : 'kept', text, ticket);
    }
    ${publish}`
}

if (hasInterpreter('bundles on Espruino') && hasMosquitto('bundles on Espruino')) {
  for (const { title, product, switches, form, protocol } of VARIANTS) {
    describe(`Espruino, ${title}`, () => {
      let scene: Scene
      const board = new Interpreter()

      before(async () => {
        scene = await Scene.open()
        const built = await buildProduct(product, switches)
        await board.install({ holdfast: form === 'text' ? built.text : built.binary })
      })
      after(async () => {
        await board.remove()
        await scene.close()
      })

      it('publishes and receives with QoS 0, 1 and 2', async () => {
        board.start(
          device(
            scene.url,
            protocol,
            AREAS,
            'setTimeout(function(){for(var q=0;q<3;q++)publish("a"+q,q)},400);',
          ),
        )
        await board.until('SUBACK', (line) => line === 'subscribed')
        for (const qos of [0, 1, 2] as const) {
          await scene.peer.publishAsync('to/espruino', `down ${qos}`, { qos })
        }
        for (const qos of [0, 1, 2]) {
          await board.until(
            'what was sent',
            (line) => line === `got to/espruino down ${qos} ${qos}`,
          )
        }
        await until('all three', () => scene.heard.length >= 3)
        assert.deepEqual(scene.heard.splice(0).sort(), ['a0', 'a1', 'a2'])
        await until(
          'both acknowledgements',
          () => board.lines.filter((line) => line.startsWith('acked')).length === 2,
        )
        await board.cut()
        board.lines.length = 0
      })

      it('loses nothing in an outage, power cuts, a restart; QoS 2 comes once', async () => {
        const { heard, url } = scene
        const publishing = (from: number): string =>
          `var n=${from};setInterval(function(){publish('m'+n,1+(n&1));n++},15);`
        board.start(device(url, protocol, AREAS, publishing(0)))
        await until('the first messages', () => heard.length >= 10)
        scene.cutNetwork()
        await board.until('the outage', (line) => line.startsWith('offline'))
        await board.until('messages kept meanwhile', (line) => line.startsWith('kept m60 '))
        await board.cut()
        const firstLife = board.lines.splice(0)
        board.start(device(url, protocol, AREAS, publishing(1000)))
        await board.until('messages of the second life', (line) => line.startsWith('kept m1030 '))
        scene.restoreNetwork()
        await until('messages of the second life', () => heard.includes('m1010'))
        await board.cut()
        const secondLife = board.lines.splice(0)
        board.start(device(url, protocol, AREAS, ''))
        const kept = [...firstLife, ...secondLife]
          .filter((line) => line.startsWith('kept m'))
          .map((line) => line.split(' ')[1])
        assert.ok(kept.length > 90)
        await until('all that was kept', () => kept.every((text) => heard.includes(text)))
        const odd = heard.filter((text) => Number(text.slice(1)) & 1)
        assert.equal(new Set(odd).size, odd.length, 'a message of QoS 2 came twice')
        // A broker passes on QoS 2 with PUBREL, so the two overtake each other.
        for (const bit of [0, 1]) {
          const numbers = [...new Set(heard)].map((text) => Number(text.slice(1)))
          const order = numbers.filter((number) => (number & 1) === bit)
          assert.deepEqual(
            order,
            [...order].sort((one, other) => one - other),
          )
        }
        assert.deepEqual(
          [...firstLife, ...secondLife, ...board.lines].filter((line) =>
            /Uncaught|refused/.test(line),
          ),
          [],
        )
      })
    })
  }

  describe('Espruino, without storage', () => {
    it('keeps messages in RAM through an outage', async () => {
      const scene = await Scene.open()
      const board = new Interpreter()
      const built = await buildProduct('holdfast-ram', { protocol: 0, words: true })
      await board.install({ holdfast: built.binary })
      const { heard, url } = scene
      const script = `var n=0;setInterval(function(){if(n<40)publish('m'+n,1+(n&1));n++},15);`
      board.start(device(url, 4, null, script))
      await until('the first messages', () => heard.length >= 5)
      scene.cutNetwork()
      await board.until('all publishes', (line) => line.startsWith('kept m39 '))
      scene.restoreNetwork()
      await until('all messages', () => new Set(heard).size === 40)
      await board.remove()
      await scene.close()
    })
  })
}
