/**
 * What the small client writes to flash is the format of docs/FLASH-FORMAT.md: the inspector reads
 * it, and the full client goes on with it, in the midst of exchanges too. And what is not its own
 * the small client refuses, in words that say what to do, and leaves as it is.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash, PowerCut, Random } from '../../hal/memory/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { bodySize } from '../../src/small/outbox.js'
import { ERR_TOO_LARGE, OK } from '../../src/status.js'
import { FlashStore } from '../../src/storage.js'
import { COMPLETE, RELEASED } from '../../src/store/exchange-window.js'
import { readStore } from '../../targets/cli/store.js'
import { viewOf } from '../../targets/cli/view.js'
import { type Cut, TEARS } from '../session/cut-life.js'
import { FullLife } from './full-life.js'
import { BROKER, CLIENT, Device } from './small-device.js'
import { lead, QUIET, SmallLife } from './small-life.js'

const WRITE_SIZES = [1, 4, 16, 32]
const PLAIN = { capacity: 4096, eraseSize: 512, writeSize: 4 }
const isFull = process.env.HOLDFAST_FULL !== undefined
const given = process.env.HOLDFAST_SEED
const seed = given === undefined ? Math.floor(Math.random() * 0x100000000) : Number(given)
const chance = new Random(seed)
const repeat = `seed ${seed}; repeat: HOLDFAST_SEED=${seed} npm test -- small/format`

function imageOf(flash: NorFlash): Uint8Array {
  return flash.bytes.slice()
}

/** Small lives that end with a power cut; `take` gets each with the cut that ended it. */
function endings(writeSize: number, make: typeof SmallLife, take: (life: SmallLife) => void): void {
  const { operations } = lead({ ...QUIET, writeSize })!
  for (let operation = 1; operation <= operations; operation++) {
    for (const tear of TEARS) {
      if (!isFull && chance.below(8) > 0) continue
      const cuts: Cut[] = [[operation, tear, operation]]
      const firstNumber = chance.below(2) === 0 ? 1 : 0xffffffe8
      const load = chance.below(4) === 0 ? 'tiny' : 'mixed'
      const plan = { ...QUIET, writeSize, cuts, firstNumber, load } as const
      try {
        take(new make(plan))
      } catch (error) {
        ;(error as Error).message += `; life ${JSON.stringify(plan)}; ${repeat}`
        throw error
      }
    }
  }
}

/** Lives until the cut, and gives the flash as it is then. Null: no cut came. */
function cutShort(life: SmallLife): NorFlash | null {
  life.nor.cutAt(...life.plan.cuts[0]!)
  if (!life.losesPower()) return null
  life.nor.powerOn()
  return life.nor
}

describe('the inspector on a flash of the small client', () => {
  for (const writeSize of WRITE_SIZES) {
    it(`sees after a power cut what a mount sees, writes of ${writeSize} bytes`, () => {
      endings(writeSize, SmallLife, (life) => {
        const flash = cutShort(life)
        if (flash !== null) compare(flash)
      })
    })
  }

  it('prints identity, session and messages', () => {
    const flash = new NorFlash(PLAIN)
    const { client } = new Device(flash, 1)
    assert.ok(client.publish('plant/7', '21.5', { qos: 1, retain: true }) > 0)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-small-'))
    const file = path.join(folder, 'flash.img')
    fs.writeFileSync(file, flash.bytes)
    const here = path.dirname(fileURLToPath(import.meta.url))
    const main = path.join(here, '../../targets/cli/main.js')
    const words = [main, 'inspect', file, '--messages', '--records', '--erase-size', '512']
    const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: 'utf8' })
    fs.rmSync(folder, { recursive: true })
    assert.equal(stderr, '')
    assert.equal(status, 0)
    assert.match(stdout, /client "small"/)
    assert.match(stdout, /broker mqtt:\/\/broker\.test:1883 \(home\): no session/)
    assert.match(stdout, /PUBLISH "plant\/7" QoS 1 retain id 2 4 bytes "21\.5"/)
  })
})

/** The inspector and a mount of the small client, on one flash. */
function compare(flash: NorFlash): void {
  const { eraseSize, writeSize } = flash
  const store = readStore(imageOf(flash), { eraseSize, writeSize })
  const { storage } = new Device(flash, 9)
  const { window } = storage
  if (store.session.kind !== 'read') return assert.equal(storage.count, 0)
  const { session } = store.session
  assert.deepEqual(
    [session.clientId, ...session.brokers.map(({ broker }) => broker)],
    [CLIENT, BROKER],
  )
  assert.equal(session.owner, 0)
  const [{ mayExist, inbound }] = session.brokers
  assert.deepEqual([mayExist, inbound], [storage.sessionMayExist, storage.inbound])
  assert.deepEqual(store.problems, [])
  const [lane] = viewOf(store, { records: true, messages: true }).lanes
  assert.equal(lane.base, window.base)
  assert.equal(lane.nextNumber, storage.nextNumber)
  const seen = new Map(lane.messages!.map((message) => [message.number, message]))
  const body = new Uint8Array(512)
  for (let number = window.base; number !== storage.nextNumber; number = (number + 1) >>> 0 || 1) {
    const state = window.state(number)
    const message = seen.get(number) as any
    seen.delete(number)
    if (state === COMPLETE) continue
    const length = storage.load(number, body, 0, 512)
    if (length <= 0) assert.equal(message, undefined, `${number} is damaged`)
    else if (state === RELEASED) assert.equal(message.packet.cmd, 'pubrel')
    else {
      const payload = Buffer.from(body.subarray(6, length)).toString('base64')
      const { packet } = message
      assert.deepEqual([packet.payload, packet.qos], [payload, body[0]! & 3])
      assert.match(packet.topic, /^o\/[01]$/)
    }
    if (message) assert.equal(message.packetId, 1 + (number & 4095))
  }
  assert.equal(seen.size, 0, 'the inspector has more')
}

describe('the full client on a flash of the small client', () => {
  for (const writeSize of WRITE_SIZES) {
    it(`goes on without loss or repeat, writes of ${writeSize} bytes`, () => {
      endings(writeSize, FullLife, (life) => {
        const isHandedOver = life.run()
        life.check()
        if (!isHandedOver) return
        const image = imageOf(life.nor)
        assert.throws(
          () => new Device(life.flash, 1),
          /of another client or broker, or of the full/,
        )
        assert.deepEqual(life.nor.bytes, image, 'what is refused is left as it is')
      })
    })
  }
})

describe('the small client on a flash that is not its own', () => {
  const fresh = (): NorFlash => new NorFlash(PLAIN)

  function refuses(flash: NorFlash, words: RegExp): void {
    const image = imageOf(flash)
    const box = new FlashOutbox(flash, new ManualSystem(1), { bufferSize: 400 })
    assert.throws(() => box.mount(CLIENT, BROKER), words)
    assert.throws(() => box.mount(CLIENT, BROKER), /use another, or erase it/)
    assert.deepEqual(flash.bytes, image, 'it is left as it is')
    assert.equal(box.format(), OK)
    box.mount(CLIENT, BROKER)
    const { client, storage } = new Device(flash, 3)
    assert.deepEqual(
      [client.stats.queued, storage.inbound, storage.sessionMayExist],
      [0, [], false],
    )
    assert.ok(client.publish('t', 'x', { qos: 2 }) > 0)
    assert.equal(new Device(flash, 4).client.stats.queued, 1)
  }

  /** Bytes of somebody else, which stand wherever they may. */
  function strewn(flash: NorFlash, address: number, count: number): NorFlash {
    const noise = new Random(7)
    const size = flash.writeSize
    for (let at = address; at < address + count; at += size) {
      flash.write(
        at,
        Uint8Array.from({ length: size }, () => noise.below(255)),
        0,
        size,
      )
    }
    return flash
  }

  it('refuses data of others, wherever it stands', () => {
    refuses(strewn(fresh(), 0, 4096), /"storage" is no Holdfast store/)
    for (const address of [512, 1024, 2048, 4092]) {
      refuses(strewn(fresh(), address, 4), /"storage" is no Holdfast store/)
    }
  })

  it('refuses the store of another client or at another broker', () => {
    for (const [clientId, broker] of [
      ['other', BROKER],
      [CLIENT, 'mqtt://other.test'],
      [CLIENT + 'x', BROKER],
    ] as const) {
      const flash = fresh()
      const box = new FlashOutbox(flash, new ManualSystem(1), { bufferSize: 400 })
      box.mount(clientId, broker)
      assert.ok(box.add(1, 't', 'x', bodySize('t', 'x')) > 0)
      refuses(flash, /"storage" is of another client or broker/)
    }
  })

  it('refuses a store that was given up', () => {
    const flash = fresh()
    const { client } = new Device(flash, 1)
    assert.ok(client.publish('t', 'x', { qos: 1 }) > 0)
    const store = new FlashStore(flash, new ManualSystem(2))
    assert.equal(store.mount(CLIENT, BROKER), OK)
    store.unmount()
    flash.cutAt(3, 'noop', 1)
    assert.throws(
      () => store.forget(),
      (error) => error instanceof PowerCut,
    )
    flash.powerOn()
    refuses(flash, /"storage" was given up/)
  })

  it('takes no sector of another store, however new it is', () => {
    const [ours, theirs] = [fresh(), fresh()]
    const { client, storage } = new Device(ours, 1)
    for (let n = 0; n < 3; n++) assert.ok(client.publish('t', `m${n}`, { qos: 1 }) > 0)
    const other = new Device(theirs, 2)
    while (other.storage.log.sequence < 4) other.client.publish('t', 'theirs', { qos: 1 })
    const { address } = other.storage.log
    ours.write(address, theirs.bytes, address, 512)
    const again = new Device(ours, 3).storage
    assert.deepEqual([again.count, again.nextNumber], [3, storage.nextNumber])
  })

  it('refuses a flash that is too small, and takes the smallest', () => {
    const small = new NorFlash({ ...PLAIN, capacity: 7 * 512 })
    assert.throws(() => new Device(small, 1), /"storage" has fewer than 8 sectors; use another/)
    assert.ok(new Device(fresh(), 1).client.publish('t', 'x', { qos: 1 }) > 0)
  })
})

describe('a format that is interrupted', () => {
  it('is begun again by the next mount, whenever the power went', () => {
    for (const writeSize of WRITE_SIZES) {
      for (const tear of [...TEARS, 'bits'] as const) {
        for (let operation = 1; operation <= 4; operation++) {
          for (let part = 0; part < (tear === 'noop' ? 1 : 40); part++) {
            const flash = new NorFlash({ ...PLAIN, writeSize })
            flash.cutAt(operation, tear, part + 1, part * 9)
            assert.throws(
              () => new Device(flash, 1),
              (error) => error instanceof PowerCut,
            )
            flash.powerOn()
            const { client } = new Device(flash, 2)
            assert.ok(client.publish('t', 'x', { qos: 1 }) > 0)
            assert.equal(new Device(flash, 3).client.stats.queued, 1)
          }
        }
      }
    }
  })

  it('of a flash in use leaves it as it was, blank, or to be erased again', () => {
    const flash = new NorFlash(PLAIN)
    const { client } = new Device(flash, 1)
    for (let n = 0; n < 50; n++) client.publish('t', `m${n}`, { qos: 2 })
    const full = flash.snapshot()
    for (let part = 0; part < 40; part++) {
      for (const tear of TEARS) {
        flash.restore(full)
        const box = new FlashOutbox(flash, new ManualSystem(1), { bufferSize: 400 })
        flash.cutAt(1, tear, part + 1)
        assert.throws(
          () => box.format(),
          (error) => error instanceof PowerCut,
        )
        flash.powerOn()
        try {
          assert.ok([0, 50].includes(new Device(flash, 2).client.stats.queued))
        } catch (error) {
          assert.match(String(error), /"storage" is .*; use another, or erase it/)
        }
        assert.equal(box.format(), OK)
        assert.equal(new Device(flash, 2).client.stats.queued, 0)
      }
    }
  })
})

describe('the two sectors of the session state', () => {
  it('a sector whose first state was cut does not keep a smaller one from being read', () => {
    for (const tear of TEARS) {
      const flash = new NorFlash(PLAIN)
      const mount = (): FlashOutbox => {
        const box = new FlashOutbox(flash, new ManualSystem(1), { bufferSize: 400 })
        box.mount(CLIENT, BROKER)
        return box
      }
      const box = mount()
      while (box.state.end < 330) assert.equal(box.save(), OK)
      for (let id = 1; id <= 60; id++) box.inbound.push(id)
      flash.cutAt(3, tear, 1) // erase, header, state
      assert.throws(
        () => box.save(),
        (error) => error instanceof PowerCut,
      )
      flash.powerOn()
      const next = mount()
      next.inbound.splice(0, 64)
      next.inbound.push(4711)
      assert.equal(next.save(), OK)
      assert.equal(next.state.address, 512, 'the sector is begun again')
      assert.deepEqual(mount().inbound, [4711], tear)
      assert.equal(next.save(), OK)
      assert.deepEqual(mount().inbound, [4711], tear)
    }
  })

  it('mounting and draining reads each byte a few times at the most', () => {
    for (const writeSize of WRITE_SIZES) {
      const flash = new NorFlash({ capacity: 65536, eraseSize: 4096, writeSize })
      const { client, storage } = new Device(flash, 1)
      while (client.publish('t', 'x'.repeat(40), { qos: 1 }) > 0) continue
      for (let number = 1; number < 60; number++) storage.settle(number, COMPLETE)
      assert.equal(storage.flush(), OK)
      flash.counters.readBytes = 0
      const again = new Device(flash, 2).storage
      const target = new Uint8Array(512)
      for (let number = again.window.base; number !== again.nextNumber; number++) {
        assert.ok(again.load(number, target, 0, 512) > 0)
      }
      const times = flash.counters.readBytes / flash.capacity
      assert.ok(times < 4, `each byte was read ${times} times`)
    }
  })
})

describe('what has no room on the flash', () => {
  it('a session state with the longest names and all identifiers fits the smallest sector', () => {
    for (const writeSize of WRITE_SIZES) {
      const flash = new NorFlash({ ...PLAIN, writeSize })
      const clientId = 'ü'.repeat((255 - BROKER.length) >> 1)
      const mount = (): FlashOutbox => {
        const box = new FlashOutbox(flash, new ManualSystem(1), { bufferSize: 500 })
        box.mount(clientId, BROKER)
        return box
      }
      const box = mount()
      for (let id = 1; id <= 64; id++) box.inbound.push(id * 1000)
      while (box.nextNumber < 60) box.add(2, 't', '', bodySize('t', ''))
      for (let number = 2; number < 60; number++) box.settle(number, RELEASED)
      for (let count = 0; count < 5; count++) assert.equal(box.save(), OK)
      const again = mount()
      assert.deepEqual(again.inbound, box.inbound)
      for (let number = 2; number < 60; number++) {
        assert.equal(again.window.state(number), RELEASED)
      }
    }
    const longer = new FlashOutbox(new NorFlash(PLAIN), new ManualSystem(1), { bufferSize: 500 })
    assert.throws(() => longer.mount('ü'.repeat(120), BROKER), /"clientId" is too long/)
    const less = new FlashOutbox(new NorFlash(PLAIN), new ManualSystem(1), { bufferSize: 209 })
    assert.throws(() => less.mount(CLIENT, BROKER), /"bufferSize" too small/)
  })

  it('a message is refused that a record cannot hold, and the largest one comes back', () => {
    for (const [eraseSize, bufferSize] of [
      [65536, 10000],
      [512, 10000],
      [65536, 300],
    ] as const) {
      const flash = new NorFlash({ capacity: 8 * eraseSize, eraseSize, writeSize: 16 })
      const mount = (): FlashOutbox => {
        const box = new FlashOutbox(flash, new ManualSystem(1), { bufferSize })
        box.mount(CLIENT, BROKER)
        return box
      }
      const box = mount()
      let size = 10100
      const add = (text: string): number => box.add(1, 't', text, bodySize('t', text))
      while (add('x'.repeat(size)) === ERR_TOO_LARGE) size--
      assert.ok(size >= 200, `${size} bytes`)
      const target = new Uint8Array(20000)
      const again = mount()
      assert.equal(again.count, 1)
      assert.equal(again.load(1, target, 0, 20000), size + 4, `sectors of ${eraseSize}`)
    }
  })
})
