/**
 * What `create` of the full module for Espruino offers beside publishing: handlers with a filter
 * and order, lanes, other storages, encryption. The files that go to a board, on Node with models.
 */
import './fake-globals.js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash, SpiNorChip } from '../../hal/memory/index.js'
import type { InboundMessage, ListenOptions, MqttClient } from '../../src/index.js'
import { PLAIN } from '../../targets/espruino/bundle.js'
import type { Switches } from '../../targets/espruino/switches.js'
import { hasMosquitto } from '../broker/mosquitto.js'
import { CRYPTO, spiOf } from './fake-chips.js'
import { FakeFlash } from './fake-flash.js'
import { fakeNet } from './fake-net.js'
import { AREAS, BASE, built, chip, load, loadWith, type Module } from './module-rig.js'
import { Scene } from './scene.js'
import { until } from '../until.js'

/** Nobody listens there. */
const NOWHERE = { broker: 'mqtt://127.0.0.1:1', clientId: 'create' }
const BARE: Switches = { protocol: 5, words: false }

/** As applications on Espruino see it. */
interface Client extends Omit<MqttClient, 'on' | 'off'> {
  on(name: string, handler: (value: any) => void, options?: ListenOptions): void
  off(name: string, handler: (value: any) => void): void
}

async function moduleOf(flash: FakeFlash | null, switches = PLAIN): Promise<Module> {
  const { text } = await built('holdfast-full', switches)
  return load(text, fakeNet(true), flash)
}

function made(module: Module, options: object): Client {
  return module.create(options) as unknown as Client
}

describe('events of a client on Espruino', () => {
  it('handlers take a filter and an order', async () => {
    const client = made(await moduleOf(null), NOWHERE)
    const calls: string[] = []
    const noting =
      (name: string) =>
      ({ topic }: { topic: string }): void => {
        calls.push(`${name} ${topic}`)
      }
    client.on('message.queued', noting('second'), { order: 2 })
    client.on('message.queued', noting('first'), { order: 1, filter: 'a/+' })
    client.publish('a/b', 'x', { qos: 1 })
    client.publish('b', 'x', { qos: 1 })
    assert.deepEqual(calls, ['first a/b', 'second a/b', 'second b'])
    const wrong = { order: 'x' } as object
    assert.throws(() => client.on('message', noting('none'), wrong), /"order"/)
    client.stop()
  })

  if (hasMosquitto('handlers of `message`')) {
    it('so do those of `message` and of a subscription, and can be taken off', async () => {
      const scene = await Scene.open()
      const client = made(await moduleOf(chip()), { ...NOWHERE, broker: scene.url })
      const calls: string[] = []
      const noting =
        (name: string) =>
        ({ topic, text }: InboundMessage): void => {
          calls.push(`${name} ${topic} ${text}`)
        }
      const third = noting('third')
      client.on('message', third, { order: 3 })
      client.on('message', noting('second'), { order: 2, filter: 'to/+/one' })
      let answers = 0
      client.on('session.subscribed', () => answers++)
      client.subscribe('to/#', { qos: 1 }, noting('subscription'))
      client.start()
      await until('SUBACK', () => answers === 1)
      await scene.peer.publishAsync('to/us/one', '1', { qos: 1 })
      await scene.peer.publishAsync('to/us/two', '2', { qos: 1 })
      await until('both', () => calls.length === 5)
      client.off('message', third)
      client.off('message', third)
      await scene.peer.publishAsync('to/us/two', '3', { qos: 1 })
      await until('the last', () => calls.some((call) => call.endsWith('3')))
      assert.deepEqual(calls, [
        'subscription to/us/one 1',
        'second to/us/one 1',
        'third to/us/one 1',
        'subscription to/us/two 2',
        'third to/us/two 2',
        'subscription to/us/two 3',
      ])
      client.stop()
      await until('the end', () => client.isStopped)
      await scene.close()
    })
  }
})

describe('storage of a client on Espruino', () => {
  it('lanes share the areas, and a reboot finds what each has', async () => {
    const { nor } = chip()
    const lanes = [
      { name: 'alarm', filters: ['+/alarm'], priority: 5, bytes: 32768 },
      { name: 'bulk', durability: 'group', overflow: 'drop-oldest' },
    ]
    const options = { ...NOWHERE, areas: AREAS, lanes }
    const first = made(await moduleOf(new FakeFlash(nor, BASE)), options)
    for (const topic of ['a/alarm', 'b/alarm', 'temperature']) {
      assert.ok(first.publish(topic, 'x', { qos: 1 }) > 0)
    }
    first.flush()
    first.stop()
    const next = made(await moduleOf(new FakeFlash(nor, BASE)), options)
    assert.deepEqual(
      next.stats.lanes.map(({ name, queued }) => `${name} ${queued}`),
      ['alarm 2', 'bulk 1'],
    )
    next.stop()
  })

  it('a chip on SPI takes the place of areas', async () => {
    const nor = new NorFlash({ capacity: 65536, eraseSize: 4096, writeSize: 1 })
    const system = new ManualSystem(1)
    const model = new SpiNorChip({ flash: nor, system, capacity: 0x1000000 })
    // The driver is timed by the chip's clock: on a busy machine a real one runs on.
    const globals = globalThis as unknown as { getTime: () => number }
    const realTime = globals.getTime
    globals.getTime = () => system.now() / 1000
    const client = async (switches: Switches): Promise<Client> => {
      const { spi, pin } = spiOf(model)
      const { text } = await built('holdfast-spi', switches)
      const { open } = loadWith(text, {}) as { open(...values: object[]): object }
      const flash = open(spi, pin, { size: 65536 })
      return made(await moduleOf(null, switches), { ...NOWHERE, flash })
    }
    const first = await client(PLAIN)
    for (let count = 0; count < 100; count++) {
      assert.ok(first.publish('a/b', 'text ' + count, { qos: 2 }) > 0)
    }
    first.stop()
    const next = await client(BARE)
    assert.equal(next.stats.queued, 100)
    next.stop()
    assert.deepEqual(model.violations, [])
    globals.getTime = realTime
    const { text } = await built('holdfast-spi', PLAIN)
    const { open } = loadWith(text, {}) as { open(...values: object[]): object }
    const { pin } = spiOf(model)
    const none = { write() {}, send: (data: Uint8Array) => new Uint8Array(data.length).fill(255) }
    assert.throws(() => open(none, pin), /SpiNor/)
  })

  it('hooks encrypt with the ciphers of the board, and without them it is refused', async () => {
    const { nor } = chip()
    for (const switches of [PLAIN, BARE]) {
      const { text } = await built('holdfast-encrypt', switches)
      const module = loadWith(text, { crypto: CRYPTO }) as { hooks(key: unknown): object }
      const options = { ...NOWHERE, areas: AREAS, hooks: module.hooks(new Uint8Array(32).fill(7)) }
      const client = made(await moduleOf(new FakeFlash(nor, BASE), switches), options)
      client.publish('secret/topic', 'secret payload', { qos: 1 })
      assert.equal(client.stats.queued, switches === PLAIN ? 1 : 2)
      client.stop()
      assert.throws(() => module.hooks(new Uint8Array(5)), /key 1 has 5 bytes/)
    }
    const image = new Uint8Array(nor.capacity)
    nor.read(0, image, 0, image.length)
    assert.ok(!Buffer.from(image).includes('secret'))
    const bare = await moduleOf(new FakeFlash(nor, BASE))
    assert.throws(() => bare.create({ ...NOWHERE, areas: AREAS }), /storage hook refused/)
  })

  it('what cannot be meant is refused by its name', async () => {
    const module = await moduleOf(chip())
    const hooks = {}
    assert.throws(() => module.create({ ...NOWHERE, hooks }), /"hooks".*with areas or flash/)
    const flash = chip().nor
    assert.throws(() => module.create({ ...NOWHERE, areas: AREAS, flash }), /"flash".*left out/)
    const ram = load((await built('holdfast-ram', PLAIN)).text, fakeNet(), null)
    assert.throws(() => ram.create({ ...NOWHERE, areas: AREAS }), /"areas" is unknown/)
  })
})
