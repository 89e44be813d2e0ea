/**
 * `npm run bench:flash [-- --json]`: what the flash log costs the chip, one row per write size, in
 * the model and at the sizes in which the peers were measured. Speeds are model time, not a
 * board's. docs/PERFORMANCE.md says what is missed and why.
 */
import { pathToFileURL } from 'node:url'
import { MEGABYTE, measureBoot, measureInterned, measurePush, measurePushPop } from './flash-run.js'
import { measureSavedWrites } from './saved-writes.js'

export interface Row {
  /** Bytes programmed per body byte, headers, padding and marks included. */
  waPush: number
  waPushPop: number
  /** Against the bytes of the MQTT packet: topic of 40 bytes, payload of 82. */
  waInterned: number
  programsPerPush: number
  bootReads: { typical1MB: number; worst1MB: number; typical16MB: number }
  readsPerPushPop: number
  burstPerSecond: number
  sustainedPerSecond: number
  sustainedIdleErase: number
  sustainedIdleEraseInterned: number
  erasesInHotPath: number
  popMicros: number
  wearSpread: number
  /** Share of messages that never touch flash in `group` mode. */
  savedWrites: number
}

export interface Effort {
  /** Messages of a steady state, and those for wear. */
  readonly messages: number
  readonly wearMessages: number
  readonly boots: number
  readonly boots16MB: number
}

export const WRITE_SIZES = [1, 4, 16, 32]
const FULL: Effort = { messages: 40_000, wearMessages: 1_000_000, boots: 200, boots16MB: 4 }

export function measureRow(writeSize: number, effort: Effort): Row {
  const push = measurePush(writeSize)
  const small = measurePushPop(writeSize, 4096, effort.messages)
  const large = measurePushPop(writeSize, 65536, effort.messages)
  const worn = measurePushPop(writeSize, 65536, effort.wearMessages)
  const interned = measureInterned(writeSize, effort.messages)
  const boot = measureBoot(writeSize, MEGABYTE, effort.boots)
  const boot16 =
    effort.boots16MB === 0 ? boot : measureBoot(writeSize, 16 * MEGABYTE, effort.boots16MB)
  return {
    waPush: push.waPush,
    waPushPop: small.waPushPop,
    waInterned: interned.waInterned,
    programsPerPush: push.programsPerPush,
    bootReads: { typical1MB: boot.typical, worst1MB: boot.worst, typical16MB: boot16.typical },
    readsPerPushPop: small.readsPerPushPop,
    burstPerSecond: push.burstPerSecond,
    sustainedPerSecond: small.perSecond,
    sustainedIdleErase: large.perSecond,
    sustainedIdleEraseInterned: interned.perSecond,
    erasesInHotPath: small.erasesInHotPath + large.erasesInHotPath,
    popMicros: small.popMicros,
    wearSpread: worn.wearSpread,
    savedWrites: measureSavedWrites(writeSize, 2000),
  }
}

/** Bounds of a number by write size; one number: the same for all. */
type Bound = { readonly atMost: number[] } | { readonly atLeast: number[] }

export const TARGETS: Record<string, Bound> = {
  waPush: { atMost: [1.055, 1.07, 1.14, 1.265] },
  waPushPop: { atMost: [1.06, 1.075, 1.15, 1.28] },
  waInterned: { atMost: [0.75] },
  programsPerPush: { atMost: [1.6] },
  typical1MB: { atMost: [80] },
  worst1MB: { atMost: [150] },
  typical16MB: { atMost: [100] },
  readsPerPushPop: { atMost: [2.3] },
  burstPerSecond: { atLeast: [2400] },
  sustainedPerSecond: { atLeast: [510] },
  sustainedIdleErase: { atLeast: [1300] },
  sustainedIdleEraseInterned: { atLeast: [1900] },
  erasesInHotPath: { atMost: [0] },
  popMicros: { atMost: [25] },
  wearSpread: { atMost: [1] },
  savedWrites: { atLeast: [0.99] },
}

export function meets(key: string, value: number, writeSize: number): boolean {
  const bound = TARGETS[key]
  const values = 'atMost' in bound ? bound.atMost : bound.atLeast
  const limit = values.length === 1 ? values[0] : values[WRITE_SIZES.indexOf(writeSize)]
  return 'atMost' in bound ? value <= limit : value >= limit
}

/** A row with the boot reads beside the other numbers, as targets and table have them. */
export function flat(row: Row): Record<string, number> {
  const { bootReads, ...rest } = row
  return { ...rest, ...bootReads }
}

/** sequential-storage 8.0.1, FlashDB 2.2.99 TSDB, mynewt FCB, littlefs 2.11.2; the same model. */
const PEERS: Record<string, [string, string, string, string]> = {
  waPush: ['1.065', '1.114', '1.025', '17.25'],
  waPushPop: ['1.127', '1.12', '-', '-'],
  programsPerPush: ['2.57', '4.25', '3.50', '9.99'],
  typical1MB: ['514', '525', '377-557', '428'],
  readsPerPushPop: ['34', '-', '-', '-'],
  burstPerSecond: ['2346', '2042', '2197', '18.8'],
  sustainedPerSecond: ['502', '488', '725', '-'],
  popMicros: ['1562', '-', '-', '-'],
  wearSpread: ['1', '1', '1', '31'],
}

function printTable(rows: Map<number, Row>): void {
  const head = ['', ...WRITE_SIZES.map((size) => `align ${size}`)]
  const peers = ['seq-storage', 'FlashDB', 'FCB', 'littlefs']
  console.log([...head, ...peers].map((text, i) => text.padEnd(i === 0 ? 28 : 13)).join(''))
  for (const key of Object.keys(flat(rows.get(1)!))) {
    const cells = WRITE_SIZES.map((size) => {
      const value = flat(rows.get(size)!)[key]
      return `${value}${key in TARGETS && !meets(key, value, size) ? ' *' : ''}`
    })
    const line = [...cells, ...(PEERS[key] ?? ['-', '-', '-', '-'])]
    console.log(key.padEnd(28) + line.map((text) => text.padEnd(13)).join(''))
  }
  console.log(
    '\n* misses its target. Bodies of 128 bytes, 1 MB, sectors of 4 KB, W25Q typical times.',
  )
  console.log('The peers: align 4, with the caches that cost no more than 48 bytes.')
}

function main(): void {
  const rows = new Map(WRITE_SIZES.map((size) => [size, measureRow(size, FULL)]))
  if (!process.argv.includes('--json')) return printTable(rows)
  const named = [...rows].map(([size, row]) => [`align${size}`, row])
  console.log(JSON.stringify(Object.fromEntries(named)))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
