/**
 * The very files that go to a board, run on Node with Espruino's globals and modules as models:
 * against a real Mosquitto where there is one, and against wrong use everywhere.
 */
import { killHandlers } from './fake-globals.js'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { NorFlash } from '../../hal/memory/index.js'
import type { NetModule } from '../../hal/espruino/index.js'
import type { MqttClient } from '../../src/index.js'
import { outputFolder, PRODUCTS } from '../../targets/espruino/build.js'
import type { Product } from '../../targets/espruino/build.js'
import { bundle, PLAIN } from '../../targets/espruino/bundle.js'
import type { Switches } from '../../targets/espruino/switches.js'
import { BUDGETS, espruinoSizes } from '../bench/size.js'
import { hasMosquitto } from '../broker/mosquitto.js'
import { FakeFlash } from './fake-flash.js'
import { fakeNet } from './fake-net.js'
import { AREAS, BASE, built, chip, load } from './module-rig.js'
import { Scene } from './scene.js'
import { until } from '../until.js'

/** One life of a board: once its power is cut, its network and its flash are out of its reach. */
class Life {
  readonly client: MqttClient
  readonly received: string[] = []
  readonly acked: number[] = []
  private isOver = false

  constructor(text: string, flash: NorFlash | null, options: object) {
    const net = fakeNet(true)
    const guarded: NetModule = {
      connect: (to, callback) => {
        if (this.isOver) throw new Error('no power')
        const socket = net.connect(to, callback)
        this.cutSocket = () => socket.end()
        return socket
      },
    }
    const wires = flash && new FakeFlash(flash, BASE)
    this.cutFlash = () => wires && (wires.isDeaf = true)
    const options2 = wires ? { areas: AREAS, ...options } : options
    this.client = load(text, guarded, wires).create({
      clientId: 'espruino',
      retryMinMs: 20,
      retryMaxMs: 100,
      ...options2,
    })
    const on = this.client.on.bind(this.client) as (name: string, handler: unknown) => void
    on('message', (message: { topic: string; text: string; qos: number }) => {
      this.received.push(`${message.topic} ${message.text} ${message.qos}`)
    })
    on('message.acked', (event: { ticket: number }) => this.acked.push(event.ticket))
  }

  private cutSocket = (): void => {}
  private readonly cutFlash: () => void

  cutPower(): void {
    this.isOver = true
    this.cutFlash()
    this.cutSocket()
    this.client.stop()
  }
}

const VARIANTS: [string, Product, Switches, number][] = [
  ['with storage', 'holdfast', PLAIN, 4],
  ['with storage, no words', 'holdfast', { protocol: 0, words: false }, 4],
  ['without storage', 'holdfast-ram', PLAIN, 4],
  ['of the full client, MQTT 3.1.1', 'holdfast-full', PLAIN, 4],
  ['of the full client, MQTT 5', 'holdfast-full', PLAIN, 5],
  ['of the full client, only 3.1.1, no words', 'holdfast-full', { protocol: 4, words: false }, 4],
  ['of the full client, only 5, no words', 'holdfast-full', { protocol: 5, words: false }, 5],
]

if (hasMosquitto('the bundles for Espruino on Node')) {
  for (const [title, product, switches, protocol] of VARIANTS) {
    describe(`bundle ${title}`, () => {
      let scene: Scene
      let text: string

      before(async () => {
        text = (await built(product, switches)).text
        scene = await Scene.open()
      })
      after(() => scene.close())

      it('publishes and receives with QoS 0, 1 and 2', async () => {
        const { heard, peer, url } = scene
        const flash = product === 'holdfast-ram' ? null : chip().nor
        const life = new Life(text, flash, { broker: url, protocol })
        let subscribed = false
        life.client.on('session.subscribed', () => (subscribed = true))
        life.client.subscribe('to/us', { qos: 2 })
        life.client.start()
        await until('SUBACK', () => subscribed)
        for (const qos of [0, 1, 2] as const) {
          await peer.publishAsync('to/us', `down ${qos}`, { qos })
          assert.ok(life.client.publish('from/espruino', `up ${qos}`, { qos }) >= 0)
        }
        await until('all three there', () => heard.length === 3)
        await until('all three here', () => life.received.length === 3)
        assert.deepEqual(heard.splice(0).sort(), ['up 0', 'up 1', 'up 2'])
        assert.deepEqual(life.received, ['to/us down 0 0', 'to/us down 1 1', 'to/us down 2 2'])
        await until('acknowledgements', () => life.acked.length === 2)
        life.client.stop()
        await until('the end', () => life.client.isStopped)
      })

      it('loses nothing through outage, restart, and a power cut with storage', async () => {
        const { heard, url } = scene
        const flash = product === 'holdfast-ram' ? null : chip().nor
        const options = { broker: url, protocol, clientId: 'outage' }
        let life = new Life(text, flash, options)
        let count = 0
        const publish = (most: number): void => {
          for (; count < most; count++) {
            const qos = 1 + (count & 1)
            assert.ok(life.client.publish('from/espruino', `m${count}`, { qos }) > 0)
          }
        }
        life.client.start()
        publish(10)
        await until('the first messages', () => heard.length >= 5)
        scene.cutNetwork()
        publish(40)
        if (flash) {
          life.cutPower()
          life = new Life(text, flash, options)
          life.client.start()
          publish(60)
        }
        scene.restoreNetwork()
        await until('all messages', () => new Set(heard).size === count)
        await until('an empty queue', () => life.client.stats.queued === 0)
        const odd = heard.splice(0).filter((text) => Number(text.slice(1)) & 1)
        assert.equal(new Set(odd).size, odd.length, 'a message of QoS 2 came twice')
        // A broker that forgot the session may get messages twice, but it gets them all.
        const first = count
        publish(first + 10)
        await until('half of them', () => heard.length >= 5)
        await scene.restartBroker()
        publish(first + 20)
        await until('all messages', () => new Set(heard).size === 20)
        await until('an empty queue', () => life.client.stats.queued === 0)
        heard.length = 0
        life.client.stop()
        await until('the end', () => life.client.isStopped)
      })
    })
  }

  it('`kill` makes acknowledgements durable: nothing is sent again after a reset', async () => {
    const { text } = await built('holdfast', PLAIN)
    const scene = await Scene.open()
    const flash = chip().nor
    const options = { broker: scene.url, ackDelayMs: 100_000, ackBatch: 64 }
    killHandlers.length = 0
    const life = new Life(text, flash, options)
    life.client.start()
    life.client.publish('from/espruino', 'once', { qos: 1 })
    await until('PUBACK', () => life.acked.length === 1)
    assert.equal(killHandlers.length, 1)
    killHandlers[0]()
    life.cutPower()
    const next = new Life(text, flash, options)
    assert.equal(next.client.stats.queued, 0)
    next.client.stop()
    await scene.close()
  })
}

describe('what the build for Espruino gives', () => {
  it('is what `npm run build:espruino` writes, and its table says so', async () => {
    const program = join(outputFolder(), '../targets/espruino/build.js')
    const runs: [string[], Switches][] = [
      [['--no-words', '--protocol', '5'], { protocol: 5, words: false }],
      [[], PLAIN],
    ]
    for (const [options, switches] of runs) {
      const run = spawnSync(process.execPath, [program, ...options], { encoding: 'utf8' })
      assert.equal(run.status, 0, run.stderr)
      for (const product of PRODUCTS) {
        const { text, binary, tokens } = await built(product, switches)
        const path = join(outputFolder(), product)
        assert.ok(fs.readFileSync(path + '.js', 'utf8') === text, product)
        assert.ok(fs.readFileSync(path + '.bin', 'latin1') === binary, product)
        assert.match(run.stdout, new RegExp(`${text.length} +${binary.length} +${tokens}\\n`))
      }
    }
  })

  it('stays within its budgets', async () => {
    const sizes = await espruinoSizes()
    for (const [name, size] of Object.entries(sizes)) {
      const budget = BUDGETS[name as keyof typeof sizes]
      assert.ok(size > 10_000, `${name}: ${size} bytes cannot be the whole`)
      assert.ok(size <= budget, `${name}: ${size} bytes, the budget is ${budget}`)
    }
  })

  it('a build of one version refuses the other by the name of the option', async () => {
    for (const protocol of [4, 5] as const) {
      const { text } = await built('holdfast-full', { protocol, words: false })
      const module = load(text, fakeNet(), chip())
      const options = { broker: 'mqtt://x', clientId: 'y', areas: AREAS }
      assert.throws(
        () => module.create({ ...options, protocol: 9 - protocol }),
        /^Error: protocol$/,
      )
      module.create(options).stop()
      assert.equal(module.statusText(-3001), '-3001')
    }
  })

  it('errors have their words unless they are switched off', async () => {
    const options = { broker: 'mqtt://x', clientId: 'y' }
    const cases: [object, RegExp, RegExp][] = [
      [{ inFlightLimit: 0, areas: AREAS }, /inFlightLimit.*1 to 64/, /^Error: inFlightLimit$/],
      [{ ackDelay: 5, areas: AREAS }, /"ackDelay" is (not known|unknown).*ackDelayMs/, /ackDelay/],
      [
        { areas: [{ addr: BASE + 5, length: 8192 }] },
        /areas\[0\].*whole pages/,
        /areas\[0\].*whole pages/,
      ],
    ]
    for (const product of ['holdfast', 'holdfast-full'] as const) {
      const full = await built(product, PLAIN)
      const terse = await built(product, { protocol: 0, words: false })
      for (const [wrong, words, name] of cases) {
        // A module of its own for each: the small one makes one client.
        const create = (text: string) => () =>
          load(text, fakeNet(), chip()).create({ ...options, ...wrong })
        assert.throws(create(full.text), words)
        assert.throws(create(terse.text), name)
      }
    }
    const { text } = await built('holdfast-full', PLAIN)
    assert.equal(load(text, fakeNet(), chip()).statusText(-3001), 'queue is full')
  })

  it('the small module makes one client a boot, and says so', async () => {
    for (const product of ['holdfast', 'holdfast-ram'] as const) {
      const module = load((await built(product, PLAIN)).text, fakeNet(true), chip())
      const areas = product === 'holdfast' ? { areas: AREAS } : {}
      const options = { broker: 'mqtt://127.0.0.1:1', clientId: 'y', ...areas }
      module.create(options).stop()
      assert.throws(() => module.create(options), /create was called before; load\(\) first/)
    }
  })

  it('without flash the module with storage says what is missing', async () => {
    const module = load((await built('holdfast', PLAIN)).text, fakeNet(true), null)
    assert.throws(() => module.create({ broker: 'mqtt://x', clientId: 'y' }), /"areas" is absent/)
  })

  it('has no name in it that only the sources need', async () => {
    const { text } = await built('holdfast', PLAIN)
    for (const name of [
      'sendQuota',
      'readPointer',
      'inFlight ',
      'packetId',
      'ERR_FULL',
      'noteRecord',
    ]) {
      assert.ok(!text.includes(name), name)
    }
    assert.match(text, /exports\.create=/)
    assert.doesNotMatch(text, /^\(\(\)=>|__esModule|import |export /m)
  })

  it('refuses what Espruino does not run, and says what', async () => {
    const folder = fs.mkdtempSync(join(tmpdir(), 'holdfast-'))
    const entry = join(folder, 'app.ts')
    const cases: [string, RegExp][] = [
      ['console.log(((a = 5) => a)())', /default and rest parameters/],
      ['const { a } = JSON.parse("{}"); console.log(a, a)', /destructuring/],
      ['a: for (;;) { for (;;) break a }', /labels/],
      ['console.log("" + /^[a-z]{1,32}$/.test("x"))', /`\{n\}` and `\(\?` in patterns/],
      ['var x: number; x = 5; console.log("" + x)', /`var` before it stands/],
      ['console.log("" + JSON.parse("5").x()?.y)', /`var` before it stands/],
    ]
    for (const [text, words] of cases) {
      fs.writeFileSync(entry, text + '\nexport {}\n')
      await assert.rejects(bundle({ entry, ...PLAIN, minify: false }), words, text)
    }
    fs.rmSync(folder, { recursive: true })
  })

  it('the pretokenised form has the same tokens', async () => {
    for (const product of PRODUCTS) {
      const { text, binary } = await built(product, PLAIN)
      assert.equal(expand(binary), expand(text), product)
      // What is wrong with the wiring is said in words, which stay as they are.
      // The small client's text has few words left to shorten.
      const isSmall = ['holdfast', 'holdfast-ram', 'main'].includes(product)
      const most = isSmall ? 0.89 : product === 'holdfast-spi' ? 0.82 : 0.8
      assert.ok(binary.length < text.length * most, product)
    }
  })
})

/** Espruino's tokens as its lexer numbers them (src/jslex.h), for reading back. */
const WORDS: Record<number, string> = Object.fromEntries(
  (
    '== === != !== <= << <<= >= >> >>> >>= >>>= += -= ++ -- *= /= %= &= && |= || ^= => ' +
    'if else do while for break continue function return var let const this throw try catch ' +
    'finally true false null undefined new in instanceof switch case default delete typeof void ' +
    'debugger class extends super static of'
  )
    .split(' ')
    .map((word, index) => [138 + index, ` ${word} `]),
)

const LONG_OPERATORS =
  '>>>= === !== >>> <<= >>= == != <= >= << >> ++ -- && || ?? => -= += *= /= %= &= |= ^='.split(' ')
const PLAIN_TOKEN = new RegExp(
  `^(?:[\\w$.]*[\\w$]|${LONG_OPERATORS.map((text) => text.replace(/\W/g, '\\$&')).join('|')}|[^])`,
)

/** The text that tokens stand for, every token between single spaces. */
function expand(code: string): string {
  const parts: string[] = []
  for (let at = 0; at < code.length; at++) {
    const byte = code.charCodeAt(at)
    const quoted = /^"(?:[^"\\]|\\.)*"|^'(?:[^'\\]|\\.)*'|^`(?:[^`\\]|\\.)*`/s.exec(
      code.slice(at, at + 3000),
    )
    if (WORDS[byte]) parts.push(WORDS[byte].trim())
    else if (byte === 208) parts.push('??')
    else if (byte === 209 || byte === 210) {
      const wide = byte === 210
      const size = code.charCodeAt(at + 1) + (wide ? code.charCodeAt(at + 2) << 8 : 0)
      at += wide ? 3 : 2
      parts.push(JSON.stringify(code.slice(at, at + size)))
      at += size - 1
    } else if (byte === 211) parts.push('0')
    else if (byte === 212) parts.push(String(code.charCodeAt(++at)))
    else if (byte === 213) {
      parts.push(String(code.charCodeAt(at + 1) | (code.charCodeAt(at + 2) << 8)))
      at += 2
    } else if (quoted) {
      parts.push(JSON.stringify(new Function(`return ${quoted[0]}`)()))
      at += quoted[0].length - 1
    } else {
      const rest = code.slice(at, at + 40)
      const token = PLAIN_TOKEN.exec(rest)!
      if (!/^\s$/.test(token[0]))
        parts.push(...token[0].split(/(\.)/).filter((part) => part !== ''))
      at += token[0].length - 1
    }
  }
  return parts.join(' ')
}
