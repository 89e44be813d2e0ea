/**
 * `npm run test:nonces [-- --full] [-- --json]`: devices that lose their power again and again, and
 * a log of every nonce. A sample takes seconds; `--full` makes 1,000,000 cuts in some minutes.
 * HOLDFAST_SEED repeats a run.
 */
import { parseArgs } from 'node:util'
import { liveLives } from './nonce-lives.js'

const CUTS = 10_000

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const seed = Number(process.env['HOLDFAST_SEED'] ?? Math.floor(Math.random() * 0x100000000))
const options = values.full ? ' -- --full' : ''
console.error(`seed ${seed}; repeat: HOLDFAST_SEED=${seed} npm run test:nonces${options}`)
const sum = liveLives(values.full ? 100 : 3, CUTS, seed)
if (values.json) console.log(JSON.stringify(sum))
else for (const [key, value] of Object.entries(sum)) console.log(`${key.padEnd(18)} ${value}`)
process.exitCode = sum.repeatedNonces + sum.repeatedStreams + sum.lost + sum.falseAlarms > 0 ? 1 : 0
