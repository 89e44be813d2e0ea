/**
 * Firmware that counts what the HAL for Moddable allocates on XS, over classes of the platform that
 * allocate nothing themselves: a flash of two blocks, a socket that takes all and gives the same.
 * Checks as well that XS resizes buffers as the scratch wants it.
 */
import type { FlashPartition as Partition } from '../../hal/moddable/flash-partition.js'
import type { Loop as AnyLoop } from '../../hal/moddable/loop.js'
import type { Scratch as AnyScratch } from '../../hal/moddable/scratch.js'
import type { SocketTransport as Transport } from '../../hal/moddable/socket-transport.js'
import type { SocketOptions } from '../../hal/moddable/socket.js'
import { type CountingDevice, FIELD_COUNT, LIVE_CHUNK_BYTES } from '../bench/firmware-meter.js'
import { LIVE_SLOTS, Meter } from '../bench/firmware-meter.js'

declare const device: CountingDevice
declare const holdfast: {
  FlashPartition: typeof Partition
  Loop: typeof AnyLoop
  Scratch: typeof AnyScratch
  SocketTransport: typeof Transport
}

const BLOCK = 4096
const OPERATIONS = 100
const system = device.system

class TinyFlash {
  private readonly cells = new Uint8Array(2 * BLOCK).fill(0xff)

  read(buffer: Uint8Array, at: number): void {
    for (let i = 0; i < buffer.length; i++) buffer[i] = this.cells[at + i]!
  }
  write(buffer: Uint8Array, at: number): void {
    for (let i = 0; i < buffer.length; i++) this.cells[at + i]! &= buffer[i]!
  }
  eraseBlock(start: number, end: number): void {
    this.cells.fill(0xff, start * BLOCK, end * BLOCK)
  }
  status() {
    return { size: 2 * BLOCK, blockLength: BLOCK, blocks: 2 }
  }
}

let socket: TinySocket | null = null

class TinySocket {
  readonly options: SocketOptions
  written = 0

  constructor(options: SocketOptions) {
    this.options = options
    socket = this
  }
  read(buffer: Uint8Array): number {
    for (let i = 0; i < buffer.length; i++) buffer[i] = i
    return buffer.length
  }
  write(buffer: Uint8Array): number {
    this.written += buffer.length
    return 5744
  }
  close(): void {}
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error('does not measure what it should: ' + what)
}

function measure(name: string, operation: (round: number) => number): void {
  const meter = new Meter(device)
  const first = operation(0)
  meter.begin()
  for (let round = 1; round <= OPERATIONS; round++) {
    if (operation(round) !== first) check(false, name)
  }
  meter.end(OPERATIONS)
  meter.report(name)
}

const source = new Uint8Array(1500)
const target = new Uint8Array(1500)
for (let i = 0; i < source.length; i++) source[i] = i

const partition = new holdfast.FlashPartition(new TinyFlash(), system, new holdfast.Scratch(512))
measure('erase', (round) => partition.erase((round & 1) * BLOCK, BLOCK))
measure('write', (round) => partition.write(round * 70 + 3, source, 5, 67))
measure('read', (round) => partition.read(round * 70 + 3, target, 1, 67))
for (let i = 0; i < 67; i++) check(target[1 + i] === source[5 + i], 'what was written')
measure('write in parts', () => partition.write(200, source, 0, 1300))
measure('read in parts', () => partition.read(200, target, 0, 1300))

const transport = new holdfast.SocketTransport(
  { TCP: TinySocket, resolve: () => {}, system },
  { bufferSize: 1024 },
)
transport.open({ host: '10.0.0.1', port: 1883, secure: false })
socket!.options.onWritable(5744)
measure('send', (round) => transport.write(source, round, 67) - 67)
measure('send in parts', () => transport.write(source, 0, 1500) - 1500)
check(socket!.written === (OPERATIONS + 1) * (67 + 1500), 'what was sent')
measure('room', () => {
  socket!.options.onWritable(5744)
  return 0
})
measure('receive', () => {
  socket!.options.onReadable(67)
  return transport.read(target, 1, 100) - 67
})
check(target[67] === 66, 'what was received')
measure('receive in parts', () => {
  socket!.options.onReadable(1300)
  return transport.read(target, 0, 1500) - 1300
})

/** A buffer that narrows and widens again is counted as bytes each time, though none are taken. */
function measureLeft(name: string, operation: () => void): void {
  const before = new Float64Array(FIELD_COUNT)
  const after = new Float64Array(FIELD_COUNT)
  device.memory(before)
  for (let round = 0; round < OPERATIONS; round++) operation()
  device.memory(after)
  const slots = after[LIVE_SLOTS]! - before[LIVE_SLOTS]!
  const bytes = after[LIVE_CHUNK_BYTES]! - before[LIVE_CHUNK_BYTES]!
  device.report(JSON.stringify({ name, operations: OPERATIONS, slots, chunks: 0, bytes }))
}

measureLeft('left behind', () => {
  partition.write(300, source, 0, 67)
  partition.read(300, target, 0, 67)
  transport.write(source, 0, 67)
  socket!.options.onReadable(67)
  transport.read(target, 0, 100)
})

let tick: () => void = () => {}
const timers = {
  set(callback: () => void): object {
    tick = callback
    return timers
  },
  schedule(): void {},
  clear(): void {},
}
const client = { poll: () => 1000, onWork: (): void => {} }
new holdfast.Loop<object>(client, () => system.now(), timers)
measure('turn', () => {
  tick()
  client.onWork()
  return 0
})
