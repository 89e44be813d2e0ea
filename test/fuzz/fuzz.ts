/**
 * `npm run test:fuzz -- --packets N --seed S [--small]`: feeds hostile packets to clients in all
 * states; `--small`: to the small client.
 * Ends with one line of JSON. Without a seed it draws one and prints it.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseArgs } from 'node:util'
import { fuzz, type FuzzResult } from './fuzzer.js'

/** Growth of the heap between the first tenth and the end that is not yet a leak. */
const MOST_GROWTH = 4 * 1024 * 1024

const { values } = parseArgs({
  options: { packets: { type: 'string' }, seed: { type: 'string' }, small: { type: 'boolean' } },
})
const packets = Number(values.packets ?? 100000)
const seed = Number(values.seed ?? Math.floor(Math.random() * 0x100000000))
if (!Number.isFinite(packets) || !Number.isFinite(seed)) {
  console.error('usage: npm run test:fuzz -- --packets N --seed S [--small]')
  process.exit(2)
}
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const heap = (): number => {
  collect()
  return process.memoryUsage().heapUsed
}

console.error(`seed ${seed}`)
let early = 0
const onProgress = (figures: FuzzResult): void => {
  if (early === 0 && figures.packets >= packets / 10) early = heap()
  if (figures.worlds % 500 === 0) {
    console.error(`${figures.packets} packets, ${Math.round(figures.seconds)} s`)
  }
}
const result = fuzz(packets, seed, onProgress, values.small)
const growth = early === 0 ? 0 : heap() - early
console.log(JSON.stringify({ ...result, seed, heapGrowth: growth }))
if (growth > MOST_GROWTH) {
  console.error(`the heap grew by ${growth} bytes`)
  process.exit(1)
}
