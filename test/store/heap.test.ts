/**
 * What the flash log allocates on V8 once it is made, by heap sampling: nothing for `append`, peek,
 * consume, `maintain` and the records that recovery reads. V8 boxes a number beyond 31 bits where
 * it has not optimized yet, so a few bytes are let pass: the smallest object takes more. Exact
 * counts are those of XS: test/bench/alloc.test.ts.
 */
import assert from 'node:assert/strict'
import { type HeapProfiler, Session } from 'node:inspector/promises'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import { Crc32 } from '../../hal/memory/crc32.js'
import { OK } from '../../src/status.js'
import { COMPLETE, ExchangeWindow } from '../../src/store/exchange-window.js'
import { FlashLog } from '../../src/store/flash-log.js'
import { MessageSource } from '../../src/store/message-record.js'

// When V8 optimizes must not depend on how busy the machine is.
setFlagsFromString('--no-concurrent-recompilation')

const SECTOR = 4096
const SECTORS = 32
const BODY = 60
const ACK_BATCH = 16
/** Bytes a round of operations, or a record read, may seem to take; the smallest object has 24. */
const MOST = 12

/** Moves bytes one by one, where the models of the other tests make views. */
function move(
  target: Uint8Array,
  targetAt: number,
  source: Uint8Array,
  sourceAt: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) target[targetAt + i] = source[sourceAt + i]
}

class PlainFlash implements ReadWriteStorage {
  readonly capacity = SECTORS * SECTOR
  readonly eraseSize = SECTOR
  readonly writeSize = 4
  readonly eraseBlockSize = SECTOR
  readonly bytes = new Uint8Array(this.capacity).fill(0xff)
  erases = 0
  isWasteful = false

  read(address: number, target: Uint8Array, targetAt: number, length: number): number {
    if (this.isWasteful) target.set(this.bytes.subarray(address, address + length), targetAt)
    else move(target, targetAt, this.bytes, address, length)
    return OK
  }

  write(address: number, source: Uint8Array, sourceAt: number, length: number): number {
    move(this.bytes, address, source, sourceAt, length)
    return OK
  }

  erase(address: number, length: number): number {
    this.erases++
    this.bytes.fill(0xff, address, address + length)
    return OK
  }
}

class PlainSystem implements System {
  private readonly crc = new Crc32()
  readonly copy = move
  now = (): number => 0
  wallSeconds = (): number => 0
  random = (): number => 1

  crc32(source: Uint8Array, sourceAt: number, length: number): number {
    return this.crc.of(source, sourceAt, length)
  }
}

class Device {
  readonly flash = new PlainFlash()
  readonly window = new ExchangeWindow()
  readonly log: FlashLog
  private readonly message = new MessageSource(new Uint8Array(20).fill(0x61), new Uint8Array(0))
  private seconds = 1_800_000_000

  constructor() {
    const buffer = new Uint8Array(1024)
    this.log = new FlashLog(this.flash, 0, SECTORS, 1, new PlainSystem(), buffer, null, 128)
    this.recover()
  }

  append(): void {
    const { log } = this
    this.seconds += 7
    log.reserve(BODY)
    log.topicNumber(this.message)
    log.timeDelta(this.seconds)
    if (log.append(BODY) < 0) throw new Error('not appended')
  }

  peek(): number {
    const number = this.log.advance()
    if (number <= 0 || this.log.load() !== OK || this.log.loadTopic(1) !== OK) {
      throw new Error('not read')
    }
    return number
  }

  consume(number: number): void {
    const { log, window } = this
    window.setState(number, COMPLETE)
    if (window.slide(log.nextNumber)) log.release(window.base)
    if (number % ACK_BATCH === 0 && log.writeMark(window) !== OK) throw new Error('not marked')
  }

  maintain(): void {
    while (this.log.maintain()) continue
  }

  recover(): void {
    if (this.log.mount(5, 1, this.window) !== OK) throw new Error('not mounted')
  }

  round(): void {
    this.append()
    this.consume(this.peek())
    this.maintain()
  }
}

/** All bytes but those of Node itself. */
function bytesOf(node: HeapProfiler.SamplingHeapProfileNode): number {
  const own = node.callFrame.url.startsWith('node:') ? 0 : node.selfSize
  return node.children.reduce((sum, child) => sum + bytesOf(child), own)
}

/** Bytes each of `count` calls allocated, after as many that V8 may use to optimize. */
async function sample(work: () => void, count: number): Promise<number> {
  const session = new Session()
  session.connect()
  try {
    for (let i = 0; i < count; i++) work()
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: 64,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    })
    for (let i = 0; i < count; i++) work()
    const { profile } = await session.post('HeapProfiler.stopSampling')
    return bytesOf(profile.head) / count
  } finally {
    session.disconnect()
  }
}

test('append, peek, consume and maintain allocate nothing', async (context) => {
  const device = new Device()
  const bytes = await sample(() => device.round(), 20_000)
  context.diagnostic(`${bytes.toFixed(2)} bytes a round`)
  assert.ok(device.flash.erases > 300, 'sectors are erased')
  assert.ok(bytes < MOST, `${bytes} bytes a round`)
})

test('what recovery reads allocates nothing', async (context) => {
  const device = new Device()
  while (device.log.region.sectorCount * 40 > device.log.nextNumber) device.round()
  // To the end of a sector, so that recovery has its records to read.
  const sector = device.log.writeSector
  let records = 0
  while (device.log.writeSector === sector || records < 40) {
    device.round()
    records = device.log.writeSector === sector ? 0 : records + 1
  }
  const bytes = await sample(() => device.recover(), 2000)
  context.diagnostic(`${bytes.toFixed(2)} bytes for ${records} records`)
  assert.ok(bytes < records * MOST, `${bytes} bytes for ${records} records`)
})

test('the sampling sees a view that is made for each operation', async () => {
  const device = new Device()
  device.flash.isWasteful = true
  const bytes = await sample(() => device.round(), 2000)
  assert.ok(bytes > 10 * MOST, `${bytes} bytes a round`)
})
