/**
 * What docs/BOARDS.md tells users of Espruino to type and to write: each command is run by a test
 * as far as it can be without a board, each example runs on Node with models of Espruino's globals.
 */
import './fake-globals.js'
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import { ManualSystem, NorFlash, SpiNorChip } from '../../hal/memory/index.js'
import type { MqttClient } from '../../src/index.js'
import { outputFolder, PRODUCTS } from '../../targets/espruino/build.js'
import { PLAIN } from '../../targets/espruino/bundle.js'
import { hasMosquitto } from '../broker/mosquitto.js'
import { CRYPTO, spiOf } from './fake-chips.js'
import { fakeNet } from './fake-net.js'
import { built, chip, load, loadWith } from './module-rig.js'
import { Scene } from './scene.js'
import { until } from '../until.js'
import { folder, upload } from './upload-rig.js'

const root = join(outputFolder(), '../..')
const page = fs.readFileSync(join(root, 'docs/BOARDS.md'), 'utf8')
const guide = page.slice(page.indexOf('\n## Espruino'), page.indexOf('\n## What a board'))

/** Lines that stand alone and begin with a command. */
const commands = [...guide.matchAll(/^ +((?:npm|npx|ESPRUINO_BIN=\S+) .*)$/gm)].map(
  ([, line]) => line!,
)
const examples = [...guide.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code!)

/** Fetched from a registry; or the run of these very tests. */
const ELSEWHERE = [/^npm install --no-save espruino@/, /^(ESPRUINO_BIN=\S+ )?npm test -- espruino$/]

test('each command of the guide is one that is run here or known', () => {
  assert.ok(commands.length >= 8, commands.join('\n'))
  for (const command of commands) {
    const isRun = /^npm run (build|upload):espruino( --( --[\w-]+( [\w/.-]+)?)+)?$/.test(command)
    assert.ok(isRun || ELSEWHERE.some((pattern) => pattern.test(command)), command)
  }
  assert.match(guide, /espruino@0\.1\.67/)
  assert.match(upload(['--port', 'x'], false).output, /espruino@0\.1\.67/)
})

test('the builds of the guide are those that bundle.test.ts runs', () => {
  assert.deepEqual(
    commands.filter((command) => command.startsWith('npm run build:espruino')),
    ['npm run build:espruino', 'npm run build:espruino -- --no-words --protocol 5'],
  )
  for (const name of PRODUCTS) assert.ok(guide.includes('`' + name + '`'), name)
})

test('each upload of the guide reaches the tool, with the settings of the guide', () => {
  const [settings] = /\{ "broker"[^]*?\n\n/.exec(guide)!
  fs.writeFileSync(join(folder, 'device.json'), settings)
  assert.deepEqual(Object.keys(JSON.parse(settings)), ['broker', 'clientId', 'areas', 'seed'])
  const uploads = commands.filter((command) => command.startsWith('npm run upload:espruino'))
  const names = new Set<string>()
  for (const command of uploads) {
    const words = command.split(' ').slice(4)
    const { status, output } = upload(words)
    assert.equal(status, 0, command + '\n' + output)
    const at = words.indexOf('--module')
    const name = at < 0 ? '.boot0' : words[at + 1]!
    const stored = name === 'holdfast-full' ? 'holdfast' : name
    const [, size] = /^(\d+) bytes to \/dev\/ttyUSB0\n/.exec(output)!
    assert.ok(output.includes(`--storage ${stored}:${size} bytes`), output)
    names.add(name)
  }
  assert.deepEqual([...names].sort(), [
    '.boot0',
    'holdfast',
    'holdfast-encrypt',
    'holdfast-full',
    'holdfast-spi',
  ])
})

describe('the examples of the guide', () => {
  it('there are three', () => assert.equal(examples.length, 3))

  if (hasMosquitto('the examples for Espruino')) {
    it('the first publishes and receives', async () => {
      const scene = await Scene.open()
      const module = load((await built('holdfast', PLAIN)).text, fakeNet(), chip())
      const printed: string[] = []
      const client = new Function('require', 'print', examples[0] + '\nreturn client')(
        () => ({
          create: (options: object) => module.create({ ...options, broker: scene.url }),
        }),
        (...words: unknown[]) => printed.push(words.join(' ')),
      ) as MqttClient
      await until('PUBACK', () => printed.includes('the broker has 1'))
      const topic = 'greenhouse/7/interval'
      await until('the subscription', () => {
        scene.peer.publish(topic, '500')
        return printed.includes(topic + ' 500')
      })
      client.stop()
      await until('the end', () => client.isStopped)
      await scene.close()
    })
  }

  it('that of a chip on SPI keeps messages there', async () => {
    const nor = new NorFlash({ capacity: 1 << 20, eraseSize: 4096, writeSize: 1 })
    const system = new ManualSystem(1)
    const model = new SpiNorChip({ flash: nor, system, capacity: 0x1000000 })
    const globals = globalThis as unknown as { getTime: () => number }
    const realTime = globals.getTime
    globals.getTime = () => system.now() / 1000 // the driver's patience, by the chip's clock
    const { spi, pin } = spiOf(model)
    const modules = {
      'holdfast-spi': loadWith((await built('holdfast-spi', PLAIN)).text, {}),
      holdfast: load((await built('holdfast', PLAIN)).text, fakeNet(true), null),
    }
    const setup: object[] = []
    const client = new Function(
      'require',
      'SPI1',
      'B3',
      'B4',
      'B5',
      'B6',
      `${examples[1]}
      return client`,
    )(
      (name: keyof typeof modules) => modules[name],
      Object.assign(spi, { setup: (options: object) => setup.push(options) }),
      ...[3, 4, 5, pin],
    ) as MqttClient
    assert.deepEqual(setup, [{ sck: 3, miso: 4, mosi: 5, baud: 8000000 }])
    assert.ok(client.publish('a', 'x', { qos: 1 }) > 0)
    assert.equal(client.stats.queued, 1)
    const image = new Uint8Array(16384)
    nor.read(0, image, 0, image.length)
    assert.ok(Buffer.from(image).includes('HF') && Buffer.from(image).includes('greenhouse-7'))
    client.stop()
    assert.deepEqual(model.violations, [])
    globals.getTime = realTime
  })

  it('that of encryption keeps nothing in the clear', async () => {
    const flash = chip()
    const modules: Record<string, object> = {
      'holdfast-encrypt': loadWith((await built('holdfast-encrypt', PLAIN)).text, {
        crypto: CRYPTO,
      }),
      holdfast: load((await built('holdfast-full', PLAIN)).text, fakeNet(true), flash),
      Storage: { read: () => Buffer.alloc(32, 7).toString('base64') },
    }
    const espruino = {
      toUint8Array: (text: string) => Uint8Array.from(Buffer.from(text, 'latin1')),
    }
    const client = new Function('require', 'E', `${examples[2]}\nreturn client`)(
      (name: string) => modules[name],
      espruino,
    ) as MqttClient
    assert.ok(client.publish('secret/topic', 'secret payload', { qos: 1 }) > 0)
    client.stop()
    const image = new Uint8Array(flash.nor.capacity)
    flash.nor.read(0, image, 0, image.length)
    assert.ok(!Buffer.from(image).includes('secret'))
  })
})
