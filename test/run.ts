/**
 * `npm test`: runs every compiled test file, two at a time, and says first what will be left out
 * on this machine. Arguments: parts of file names, to run only those.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const compiled = dirname(fileURLToPath(import.meta.url))
const sources = join(compiled, '../../test')
const wanted = process.argv.slice(2)

const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .map((name) => join(compiled, name.replace(/\.ts$/, '.js')))
  .sort()
if (files.length === 0) {
  console.error(`no test file has a name with ${wanted.join(' or ')}`)
  process.exit(1)
}
const reporter = process.stdout.isTTY ? 'spec' : 'tap'
const run = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', `--test-reporter=${reporter}`, ...files],
  { stdio: 'inherit' },
)
process.exit(run.status ?? 1)
