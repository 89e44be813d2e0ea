/**
 * The inspector against images that the store made: an independent reader of docs/FLASH-FORMAT.md
 * must see what a mount sees, also after power cuts and flipped bits.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, describe, it } from 'node:test'
import { ManualSystem, NorFlash, PowerCut, Random } from '../../hal/memory/index.js'
import type { ReadWriteStorage } from '../../hal/storage.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import { FlashStore } from '../../src/storage.js'
import { COMPLETE, isBefore } from '../../src/store/exchange-window.js'
import {
  MESSAGE_INLINE_TOPIC,
  MessageRecord,
  MessageSource,
} from '../../src/store/message-record.js'
import { placeMessage } from '../../src/store/place-message.js'
import type { LaneSpace } from '../../src/store/storage-face.js'
import { ERR_FULL, OK } from '../../src/status.js'
import { NoImage } from '../../targets/cli/image.js'
import { type Store, readStore } from '../../targets/cli/store.js'
import { viewOf } from '../../targets/cli/view.js'
import { seededTest } from '../store/seed.js'
import { XorHooks } from '../store/xor-hooks.js'

const BROKERS = 'mqtt://a.test:1883 mqtt://b.test:1883'
const LANES: LaneSpace[] = [
  { name: 'alarm', bytes: 24576, groupBytes: 0, isForOffline: false },
  { name: 'bulk:1', bytes: 0, groupBytes: 0, isForOffline: false },
]
const ONE: LaneSpace[] = [{ name: '', bytes: 0, groupBytes: 0, isForOffline: false }]
const TOPICS = ['t', 'plant/7/temperature', 'ä/ö', 'a/rather/long/topic/that/fills/a/sector/soon']
const encoder = new TextEncoder()

interface Geometry {
  eraseSize: number
  writeSize: number
  sectors: number
}

/** A store on a flash, driven below the client: any mixture of what the log can do. */
class Bench {
  readonly flash: NorFlash
  readonly system: ManualSystem
  readonly lanes: LaneSpace[]
  readonly hooks: SealedHooks | null
  store!: FlashStore
  seconds = 1_700_000_000

  constructor(geometry: Geometry, lanes: LaneSpace[], hooks: SealedHooks | null = null) {
    const { eraseSize, writeSize, sectors } = geometry
    this.flash = new NorFlash({ capacity: eraseSize * sectors, eraseSize, writeSize })
    this.system = new ManualSystem(5)
    this.lanes = lanes
    this.hooks = hooks
    this.boot()
  }

  boot(): void {
    this.flash.powerOn()
    this.store = open(this.flash, this.lanes, this.hooks, this.system)
  }

  publish(lane: number, topic: string, payload: Uint8Array, flags: number, timed: boolean): number {
    const { log, window } = this.store.lanes[lane]
    const source = new MessageSource(encoder.encode(topic), new Uint8Array(0))
    source.flags = flags
    source.payloadLength = payload.length
    // Property 0x02: Message Expiry Interval.
    if (timed) {
      source.properties = Uint8Array.of(2, 0, 0, 1, 0)
      source.propertiesLength = 5
    }
    const room = { makeRoom: (length: number) => log.reserve(length) }
    const at = placeMessage(log, room, source, timed ? this.seconds : -1, this.system)
    if (at < 0) return at
    log.buffer.set(payload, at)
    const number = log.append(at + payload.length - log.bodyAt)
    if (number > 0 && window.base === number) log.release(number)
    return number
  }

  /** A message whose payload goes to fragments; `isWhole` false leaves out the last one. */
  stream(lane: number, topic: string, payload: Uint8Array, isWhole: boolean): number {
    const { log } = this.store.lanes[lane]
    const body = new Uint8Array(7 + topic.length)
    body.set([0x40 | MESSAGE_INLINE_TOPIC | 1, 0, topic.length])
    body.set(encoder.encode(topic), 3)
    new DataView(body.buffer).setUint32(3 + topic.length, payload.length)
    if (log.reserve(body.length) !== OK) return ERR_FULL
    log.buffer.set(body, log.bodyAt)
    const number = log.append(body.length)
    const fragments = log.fragments!
    for (let at = 0; number > 0 && at < payload.length;) {
      const count = fragments.fit(payload.length - at)
      const isLast = at + count === payload.length
      if (isLast && !isWhole) break
      if (fragments.append(number, payload, at, count, isLast) !== OK) return ERR_FULL
      at += count
    }
    return number
  }

  complete(lane: number, distance: number): void {
    const { log, window } = this.store.lanes[lane]
    const number = (window.base + distance) >>> 0
    if (number === 0 || !isBefore(number, log.nextNumber)) return
    window.setState(number, COMPLETE)
    if (window.slide(log.nextNumber)) log.release(window.base)
  }
}

function open(
  flash: ReadWriteStorage,
  lanes: LaneSpace[],
  hooks: SealedHooks | null,
  system: ManualSystem,
): FlashStore {
  const store = new FlashStore(flash, system, hooks ? { hooks } : {})
  assert.equal(store.mount('dev', BROKERS, lanes), OK)
  return store
}

function imageOf(flash: NorFlash): Uint8Array {
  const bytes = new Uint8Array(flash.capacity)
  assert.equal(flash.read(0, bytes, 0, bytes.length), OK)
  return bytes
}

interface Seen {
  base: number
  next: number
  lost: number
  messages: string[]
}

/** What a mount of the image finds, lane by lane, without hooks. */
function mounted(bytes: Uint8Array, geometry: Geometry, lanes: LaneSpace[]): Seen[] {
  // The copy is written as sectors, so what mounting writes may meet units that are written.
  const { eraseSize, writeSize } = geometry
  const flash = new NorFlash({
    capacity: bytes.length,
    eraseSize,
    writeSize,
    enforceWriteOnce: false,
  })
  flash.write(0, bytes, 0, bytes.length)
  const store = open(flash, lanes, null, new ManualSystem(9))
  return store.lanes.map(({ log, window }) => {
    const base = window.base
    const messages: string[] = []
    const record = new MessageRecord()
    let lost = 0
    for (let number = log.advance(); number !== 0; number = log.advance()) {
      assert.ok(number > 0)
      if (isBefore(number, base) || window.state(number) === COMPLETE) continue
      if (log.load() !== OK) continue
      if (record.parse(log.buffer, log.loadedAt, log.loadedLength) !== OK) {
        lost++
        continue
      }
      const { qos, retain, topicNumber, topicAt, topicLength, timeDelta, isFragmented } = record
      let topic: string | null = null
      const text = (from: Uint8Array, at: number, size: number) =>
        Buffer.from(from.slice(at, at + size)).toString()
      if (topicNumber === 0) topic = text(log.buffer, topicAt, topicLength)
      const timeBase = log.loadedTimeBase
      const seconds = timeDelta < 0 || timeBase === 0 ? -1 : timeBase + timeDelta
      let payload: string | null = Buffer.from(
        log.buffer.slice(record.payloadAt, record.payloadAt + record.payloadLength),
      ).toString('hex')
      if (topicNumber > 0 && log.loadTopic(topicNumber) === OK) {
        topic = text(log.topicBuffer, log.topicAt, log.topicLength)
      }
      if (isFragmented) {
        payload = ''
        const fragments = log.fragments!
        fragments.rewind()
        let length = fragments.next()
        for (; length > 0; length = fragments.next()) {
          const at = fragments.loadedAt
          payload += Buffer.from(log.buffer.slice(at, at + length)).toString('hex')
        }
        if (length < 0 || payload.length !== record.payloadLength * 2) payload = null
      }
      const state = window.state(number)
      messages.push(JSON.stringify({ number, state, topic, qos, retain, seconds, payload }))
    }
    return { base, next: log.nextNumber, lost: lost + log.skippedCount, messages }
  })
}

const STATES = ['open', 'complete', 'released', 'sent']

function inspected(store: Store): Seen[] {
  return store.lanes.map((lane) => ({
    base: lane.base,
    next: lane.nextNumber,
    lost: lane.lost,
    messages: lane.messages.map(({ number, state, content }) => {
      const { topic, qos, retain, seconds, payload } = content!
      return JSON.stringify({
        number,
        state: STATES.indexOf(state),
        topic: topic && Buffer.from(topic).toString(),
        qos,
        retain: retain ? 1 : 0,
        seconds,
        payload: payload && Buffer.from(payload).toString('hex'),
      })
    }),
  }))
}

function geometryBy(chance: Random): Geometry {
  const eraseSize = [1024, 2048, 4096][chance.below(3)]
  return { eraseSize, writeSize: [1, 4, 8, 16, 32][chance.below(5)], sectors: 40 + chance.below(8) }
}

/** One thing a client may do; power cuts leave it half done. */
function act(bench: Bench, chance: Random): void {
  const lane = chance.below(bench.lanes.length)
  const { log, window } = bench.store.lanes[lane]
  const payload = Uint8Array.from({ length: chance.below(90) }, () => chance.below(256))
  const topic = TOPICS[chance.below(TOPICS.length)]
  const dice = chance.below(100)
  bench.seconds += chance.below(3) === 0 ? chance.below(100000) : 1
  if (dice < 60) {
    const flags = chance.below(3) | (chance.below(4) === 0 ? 4 : 0)
    const status = bench.publish(lane, topic, payload, flags, chance.below(4) === 0)
    if (status === ERR_FULL) for (let n = 0; n < 64; n++) bench.complete(lane, 0)
  } else if (dice < 64) {
    const large = Uint8Array.from({ length: 200 + chance.below(1500) }, () => chance.below(256))
    bench.stream(lane, 'stream', large, chance.below(4) > 0)
  } else if (dice < 84) {
    bench.complete(lane, chance.below(3) === 0 ? chance.below(12) : 0)
  } else if (dice < 88) {
    const number = (window.base + chance.below(8)) >>> 0
    const isOpen = isBefore(number, log.nextNumber) && window.state(number) === 0
    if (isOpen && number !== 0) window.setState(number, 2)
  } else if (dice < 94) {
    log.writeMark(window)
  } else if (dice < 96) {
    bench.store.state.lanes[lane].dropped[chance.below(6)]++
    bench.store.state.lanes[lane].takeMark()
    bench.store.state.save()
  } else if (dice < 97 && window.base === log.nextNumber) {
    bench.store.lanes[lane].flash.jumpTo((log.nextNumber + chance.below(20)) >>> 0 || 1)
    window.moveBase(log.nextNumber)
  } else {
    log.maintain()
  }
}

function compare(bytes: Uint8Array, geometry: Geometry, lanes: LaneSpace[]): Store {
  let store = readStore(bytes)
  if (store.image.eraseSizeIs === 'assumed') store = readStore(bytes, geometry)
  assert.equal(store.image.eraseSize, geometry.eraseSize, 'the erase size is found')
  const [ours, theirs] = [inspected(store), mounted(bytes, geometry, lanes)]
  const hasDamage = store.lanes.some(({ sectors }) =>
    sectors.some(({ scan }) => scan!.damages.length > 0),
  )
  // A reader that did not look at a damaged record may know the time where the inspector does not.
  const timeless = (seen: Seen[]) =>
    JSON.parse(JSON.stringify(seen).replace(/\\"seconds\\":-?\d+/g, ''))
  if (hasDamage) assert.deepEqual(timeless(ours), timeless(theirs))
  else assert.deepEqual(ours, theirs)
  return store
}

describe('the inspector against the store', () => {
  for (const lanes of [ONE, LANES]) {
    const what = lanes === ONE ? 'one lane' : 'two lanes'
    seededTest(`sees what a mount sees, ${what}`, '../cli/inspect.test.js', (chance) => {
      for (let round = 0; round < 15; round++) {
        const geometry = geometryBy(chance)
        const bench = new Bench(geometry, lanes)
        const steps = chance.below(900)
        for (let step = 0; step < steps; step++) act(bench, chance)
        compare(imageOf(bench.flash), geometry, lanes)
      }
    })
    seededTest(
      `sees it after power cuts and boots, ${what}`,
      '../cli/inspect.test.js',
      (chance) => {
        const tears = ['noop', 'prefix', 'random', 'progressive'] as const
        for (let round = 0; round < 15; round++) {
          const geometry = geometryBy(chance)
          const bench = new Bench(geometry, lanes)
          for (let boot = 0; boot < 6; boot++) {
            bench.flash.cutAt(1 + chance.below(150), tears[chance.below(4)], chance.below(1e9))
            try {
              for (let step = 0; step < 300; step++) act(bench, chance)
            } catch (error) {
              if (!(error instanceof PowerCut)) throw error
            }
            bench.flash.powerOn()
            compare(imageOf(bench.flash), geometry, lanes)
            bench.boot()
          }
        }
      },
    )
    seededTest(`sees it with a flipped bit, ${what}`, '../cli/inspect.test.js', (chance) => {
      for (let round = 0; round < 8; round++) {
        const geometry = geometryBy(chance)
        const bench = new Bench(geometry, lanes)
        for (let step = 0; step < 600; step++) act(bench, chance)
        const bytes = imageOf(bench.flash)
        for (let flip = 0; flip < 6; flip++) {
          const damaged = bytes.slice()
          let at = chance.below(damaged.length)
          while (damaged[at] === 0xff) at = chance.below(damaged.length)
          damaged[at] ^= 1 << chance.below(8)
          compare(damaged, geometry, lanes)
        }
      }
    })
  }
})

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-inspect-'))
after(() => fs.rmSync(folder, { recursive: true }))
const main = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../targets/cli/main.js')

/** Runs the command line on a file with these bytes. */
function inspect(bytes: Uint8Array, ...words: string[]) {
  const file = path.join(folder, 'flash.img')
  fs.writeFileSync(file, bytes)
  const run = spawnSync(process.execPath, [main, 'inspect', file, ...words], { encoding: 'utf8' })
  return { status: run.status, out: run.stdout, error: run.stderr }
}

const PLAIN = { eraseSize: 4096, writeSize: 4, sectors: 16 }

function smallImage(lanes: LaneSpace[], hooks: SealedHooks | null = null): Uint8Array {
  const bench = new Bench(PLAIN, lanes, hooks)
  bench.publish(0, 'plant/7', encoder.encode('21.5'), 1, true)
  bench.publish(0, 'plant/7', encoder.encode('22.5'), 2 | 4, false)
  bench.complete(0, 0)
  bench.store.lanes[0].log.writeMark(bench.store.lanes[0].window)
  bench.publish(lanes.length - 1, 'plant/8', encoder.encode('secret-payload'), 0, false)
  return imageOf(bench.flash)
}

describe('holdfast inspect', () => {
  it('prints identity, lanes and each message as the PUBLISH it would become', () => {
    const { status, out, error } = inspect(smallImage(LANES), '--messages', '--records')
    assert.equal(error, '')
    assert.equal(status, 0)
    assert.match(out, /16 sectors of 4,096 bytes/)
    assert.match(out, /client "dev"/)
    assert.match(out, /broker mqtt:\/\/b\.test:1883: no session/)
    assert.match(out, /lane 1 "alarm": sectors 2 to 7/)
    assert.match(out, /PUBLISH "plant\/7" QoS 2 retain id 3 4 bytes "22\.5"/)
    assert.match(out, /lane 2 "bulk:1"/)
    assert.match(out, /TOPIC .*topic "plant\/7"/)
    assert.doesNotMatch(out, /21\.5/, 'what is complete would not be delivered')
  })

  it('prints one line of JSON', () => {
    const { out } = inspect(smallImage(LANES), '--json', '--messages')
    assert.equal(out.trim().split('\n').length, 1)
    const view = JSON.parse(out)
    assert.equal(view.session.state.clientId, 'dev')
    const [message] = view.lanes[0].messages
    assert.equal(message.packet.topic, 'plant/7')
    assert.equal(Buffer.from(message.packet.payload, 'base64').toString(), '22.5')
    assert.equal(view.lanes[1].messageCount, 1)
  })

  it('shows of an encrypted store what is visible, and says so', () => {
    const bytes = smallImage(ONE, new XorHooks())
    const { status, out } = inspect(bytes, '--messages', '--records')
    assert.equal(status, 0)
    assert.match(out, /encrypted: bodies cannot be read/)
    assert.match(out, /3 messages to deliver or complete/)
    assert.doesNotMatch(out, /plant|secret-payload/)
  })

  it('refuses what is no Holdfast store, and says what it is', () => {
    const image = smallImage(ONE)
    const other = image.slice()
    // A header of format 2 that carries its check.
    const header = Buffer.from('484602000000000100000001000000000000000000000000', 'hex')
    header.writeUInt32BE(crcOf(header.subarray(0, 20)), 20)
    other.set(header, 0)
    const cases: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /the file is empty/],
      [new Uint8Array(65536).fill(0xff), /blank: every byte is 0xFF/],
      [new Uint8Array(65536), /not a Holdfast store/],
      [randomBytes(65536), /not a Holdfast store/],
      [encoder.encode('#!/bin/sh\necho hello\n'), /not a Holdfast store/],
      [other, /store of format 2/],
      [image.subarray(0, 5000), /truncated/],
      [image.subarray(0, 16384), /truncated/],
    ]
    for (const [bytes, words] of cases) {
      const { status, out, error } = inspect(bytes)
      assert.equal(out, '')
      assert.match(error, words)
      assert.equal(status, 1)
    }
    const gone = spawnSync(process.execPath, [main, 'inspect', path.join(folder, 'none')])
    assert.match(String(gone.stderr), /ENOENT/)
    assert.equal(spawnSync(process.execPath, [main, 'inspct']).status, 2)
    assert.match(inspect(image, '--erase-size', '1000').error, /no power of two/)
  })

  it('takes nothing of a store that was given up for there', () => {
    const bench = new Bench(PLAIN, ONE)
    bench.publish(0, 't', encoder.encode('x'), 1, false)
    bench.store.unmount()
    // The header that gives the store up is the second operation: an erase comes first.
    bench.flash.cutAt(3, 'noop', 1)
    assert.throws(
      () => bench.store.forget(),
      (error) => error instanceof PowerCut,
    )
    bench.flash.powerOn()
    assert.throws(() => readStore(imageOf(bench.flash)), /given up/)
  })

  it('says that lanes are missing when an image is cut off between sectors', () => {
    const { problems } = readStore(smallImage(LANES).subarray(0, 9 * 4096), { eraseSize: 4096 })
    assert.match(problems.join(), /ends at sector 16, the image has 9/)
  })

  it('shows each store of a chip with several, and tells how where it finds none', () => {
    const first = smallImage(ONE)
    const second = smallImage(LANES)
    const chip = Buffer.concat([Buffer.alloc(8192, 0xff), first, second])
    const at = `${8192 + first.length}`
    const shown = (...words: string[]) => inspect(chip, '--json', '--messages', ...words)
    const alone = (image: Uint8Array) => inspect(image, '--json', '--messages').out
    assert.equal(shown('--at', at).out, alone(second))
    assert.equal(shown('--at', '8192', '--bytes', `${first.length}`).out, alone(first))
    assert.match(shown().error, /a store begins at \d+ .* give --at/)
    const two = inspect(Buffer.concat([first, second]), '--json')
    assert.match(two.error, /a store begins at 65536 .*, at 0 another: give --at/)
    assert.match(shown('--at', '100').error, /--at 100 is not where a sector can begin/)
    assert.match(shown('--at', `${chip.length}`).error, /behind the end of a file of/)
    assert.match(shown('--at', at, '--bytes', '9999999').error, /are more than the file's/)
    assert.match(shown('--bytes', 'x').error, /--bytes x is no number of bytes/)
  })

  it('never fails on images that are random behind one good header', () => {
    const image = smallImage(LANES)
    for (let round = 0; round < 50; round++) {
      const bytes = Buffer.concat([image.subarray(0, 24), randomBytes(8 * 4096 - 24)])
      const view = viewOf(readStore(bytes), { records: true, messages: true })
      assert.equal(view.lanes[0].messageCount, 0, bytes.toString('base64'))
    }
    assert.throws(() => readStore(randomBytes(4096)), NoImage)
  })

  it('works as the one file that the package ships, without any package beside it', () => {
    const bundle = path.join(path.dirname(main), 'bundle.js')
    assert.equal(spawnSync(process.execPath, [bundle]).status, 0)
    const shipped = path.join(folder, 'holdfast.cjs')
    fs.copyFileSync(path.join(path.dirname(main), '../../holdfast.cjs'), shipped)
    const file = path.join(folder, 'flash.img')
    fs.writeFileSync(file, smallImage(ONE))
    const run = spawnSync(process.execPath, [shipped, 'inspect', file, '--messages'], {
      encoding: 'utf8',
      cwd: folder,
    })
    assert.equal(run.stderr, '')
    assert.match(run.stdout, /PUBLISH "plant\/8" QoS 0 14 bytes "secret-payload"/)
    assert.match(fs.readFileSync(shipped, 'utf8'), /MIT License/)
  })
})

function crcOf(bytes: Uint8Array): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}
