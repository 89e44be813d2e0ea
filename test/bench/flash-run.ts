/**
 * The measurements of `npm run bench:flash`, each on a new chip of 1 MB in the W25Q time model. The
 * numbers are exact: the model has no noise. Knows nothing of how they are printed.
 */
import assert from 'node:assert/strict'
import { FlashCounters, ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { OK } from '../../src/status.js'
import { onlyLane, OVERFLOW_REJECT } from '../../src/queue/lane.js'
import { OutgoingQueue } from '../../src/queue/outgoing-queue.js'
import { COMPLETE, ExchangeWindow } from '../../src/store/exchange-window.js'
import { DEFAULT_MAX_TOPIC, FlashLog } from '../../src/store/flash-log.js'
import { MessageSource } from '../../src/store/message-record.js'
import { SessionState } from '../../src/store/session-state.js'

export const BODY = 128
const SECTOR = 4096
export const MEGABYTE = 1 << 20
/** Acknowledgements that share one MARK. */
const ACK_BATCH = 16
/** The buffer of FlashStore unless the application says otherwise. */
const BUFFER = 1024
const TOPIC_BYTES = 40
const PAYLOAD_BYTES = 82
/** PUBLISH of 3.1.1, QoS 1: fixed header, topic with length, Packet Identifier, payload. */
const PACKET_BYTES = 2 + 2 + TOPIC_BYTES + 2 + PAYLOAD_BYTES

/** A chip and a log on the whole of it. */
export class Bench {
  readonly flash: NorFlash
  readonly system = new ManualSystem(5)
  log!: FlashLog
  window!: ExchangeWindow
  /** Bytes of the largest erase that `maintain` may use. */
  constructor(writeSize: number, capacity = MEGABYTE, eraseBlockSize = SECTOR) {
    this.flash = new NorFlash({ capacity, eraseSize: SECTOR, writeSize, eraseBlockSize })
    this.mount()
  }

  mount(): void {
    const { flash, system } = this
    const sectors = flash.capacity / SECTOR
    const buffer = new Uint8Array(BUFFER)
    this.log = new FlashLog(flash, 0, sectors, 1, system, buffer, null, DEFAULT_MAX_TOPIC)
    this.window = new ExchangeWindow()
    assert.equal(this.log.mount(77, 1, this.window), OK)
  }

  push(): void {
    const { log } = this
    assert.equal(log.reserve(BODY), OK)
    log.buffer.fill(0x5a, log.bodyAt, log.bodyAt + BODY)
    assert.ok(log.append(BODY) > 0)
  }

  /** Reads the oldest message, completes it, and stores a MARK for every sixteenth. */
  pop(): void {
    const { log } = this
    const number = log.advance()
    assert.ok(number > 0)
    assert.equal(log.load(), OK)
    this.complete(number)
  }

  complete(number: number): void {
    const { log, window } = this
    window.setState(number, COMPLETE)
    if (window.slide(log.nextNumber)) log.release(window.base)
    if (number % ACK_BATCH === 0) assert.equal(log.writeMark(window), OK)
  }

  maintain(): void {
    while (this.log.maintain()) continue
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

/** Messages go in and nothing comes out; erasing happens beside. */
export function measurePush(writeSize: number) {
  const bench = new Bench(writeSize)
  const { counters } = bench.flash
  const count = 5000
  let microseconds = 0
  for (let i = 0; i < count; i++) {
    bench.maintain()
    const before = counters.microseconds
    bench.push()
    microseconds += counters.microseconds - before
  }
  return {
    waPush: round(counters.programmedBytes / (count * BODY), 4),
    programsPerPush: round(counters.pagePrograms / count, 3),
    burstPerSecond: Math.round((count * 1e6) / microseconds),
  }
}

/** Messages before a steady state is measured: once around the ring, for any write size. */
const WARM_UP = 10_000

/** Each message goes in, comes out and is acknowledged; erasing happens in between. */
export function measurePushPop(writeSize: number, eraseBlockSize: number, count: number) {
  const bench = new Bench(writeSize, MEGABYTE, eraseBlockSize)
  const { counters } = bench.flash
  let popMicroseconds = 0
  for (let i = -WARM_UP; i < count; i++) {
    if (i === 0) {
      counters.assign(new FlashCounters())
      popMicroseconds = 0
    }
    bench.maintain()
    bench.push()
    assert.ok(bench.log.advance() > 0)
    assert.equal(bench.log.load(), OK)
    const before = counters.microseconds
    bench.complete(WARM_UP + i + 1)
    popMicroseconds += counters.microseconds - before
  }
  return {
    waPushPop: round(counters.programmedBytes / (count * BODY), 4),
    readsPerPushPop: round(counters.reads / count, 3),
    perSecond: Math.round((count * 1e6) / counters.microseconds),
    erasesInHotPath: bench.log.hotErases,
    popMicros: round(popMicroseconds / count, 1),
    wearSpread: Math.max(...bench.flash.wear) - Math.min(...bench.flash.wear),
  }
}

/** MQTT messages through the real queue: topic by number, flags and time in the record. */
export function measureInterned(writeSize: number, count: number) {
  const bench = new Bench(writeSize, MEGABYTE, 65536)
  const { log, window, system } = bench
  const state = new SessionState()
  const queue = new OutgoingQueue(
    log,
    window,
    state,
    system,
    onlyLane(OVERFLOW_REJECT),
    null,
    ACK_BATCH,
    1000,
    false,
  )
  const message = new MessageSource(new Uint8Array(TOPIC_BYTES).fill(0x61), new Uint8Array(0))
  message.flags = 1
  message.payloadLength = PAYLOAD_BYTES
  system.wall = 1_800_000_000
  for (let i = -WARM_UP; i < count; i++) {
    if (i === 0) bench.flash.counters.assign(new FlashCounters())
    bench.maintain()
    system.advance(1)
    const at = queue.begin(message, true)
    assert.ok(at >= 0)
    log.buffer.fill(i, at, at + PAYLOAD_BYTES)
    assert.ok(queue.commit() > 0)
    const number = queue.next()
    assert.equal(queue.load(number), OK)
    queue.markSent(number)
    queue.complete(number)
    queue.tend(system.now())
  }
  const { counters } = bench.flash
  return {
    waInterned: round(counters.programmedBytes / (count * PACKET_BYTES), 4),
    perSecond: Math.round((count * 1e6) / counters.microseconds),
  }
}

/** Reads from the boot to the first message in the buffer, at many fill levels of the ring. */
export function measureBoot(writeSize: number, capacity: number, boots: number) {
  const bench = new Bench(writeSize, capacity)
  const { counters } = bench.flash
  const perSector = Math.floor((SECTOR - 64) / bench.log.region.recordSize(BODY))
  const most = (capacity / SECTOR - 24) * perSector
  const reads: number[] = []
  let queued = 0
  let popped = 0
  let state = 12345
  for (let boot = 0; boot < boots; boot++) {
    // To a random fill level, at most a few sectors' worth of work away for large chips.
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    const wanted = 1 + Math.floor((state / 0x100000000) * (most - 1))
    for (; queued < wanted; queued++) {
      bench.maintain()
      bench.push()
    }
    for (; queued > wanted; queued--) {
      bench.pop()
      if (++popped % 3 === 0) {
        bench.maintain()
        bench.push()
        queued++
      }
    }
    assert.equal(bench.log.writeMark(bench.window), OK)
    const before = counters.reads
    bench.mount()
    assert.ok(bench.log.advance() > 0)
    assert.equal(bench.log.load(), OK)
    reads.push(counters.reads - before)
    bench.log.stepBack()
  }
  reads.sort((a, b) => a - b)
  return { typical: reads[reads.length >> 1], worst: reads[reads.length - 1] }
}
