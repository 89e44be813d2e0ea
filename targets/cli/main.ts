#!/usr/bin/env node
/**
 * `holdfast inspect <image>`: shows what is in a flash image. Exit status 0; 1 where the file holds
 * no store; 2 for a wrong command line.
 */
import * as fs from 'node:fs'
import { parseArgs } from 'node:util'
import { NoImage } from './image.js'
import { readStore } from './store.js'
import { textOf } from './text.js'
import { viewOf } from './view.js'

/** Bytes of the smallest sector. */
const LEAST_SECTOR = 512

const HELP = `usage: holdfast inspect <flash image> [options]

  --messages        what would be delivered, lane by lane, in order
  --records         every sector and every record
  --json            one line of JSON
  --at <n>          where the store begins in the file, if it is a part of a chip; 0 unless given
  --bytes <n>       bytes of that part; to the end of the file unless given
  --erase-size <n>  bytes of a sector, where it is not found by itself
  --write-size <n>  bytes of a write unit, where it is not found by itself

It only reads. An image is what the partition holds: of an ESP32, for instance, what
"esptool read_flash <offset> <size> flash.img" brings.`

function fail(text: string, status: number): number {
  process.stderr.write(text + '\n')
  return status
}

function size(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new NoImage(`--${name} ${text} is no number of bytes`)
  return Number(text)
}

/** The part of the file that holds the store. */
function partOf(file: Uint8Array, at: number, bytes: number | undefined): Uint8Array {
  const end = at + (bytes ?? file.length - at)
  if (at % LEAST_SECTOR !== 0) throw new NoImage(`--at ${at} is not where a sector can begin`)
  if (at > 0 && at >= file.length) {
    throw new NoImage(`--at ${at} lies behind the end of a file of ${file.length} bytes`)
  }
  if (end > file.length) {
    throw new NoImage(`--bytes ${bytes} from ${at} on are more than the file's ${file.length}`)
  }
  return file.subarray(at, end)
}

/** Runs one command line and returns the exit status. */
export function main(words: string[]): number {
  let parsed
  try {
    parsed = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        messages: { type: 'boolean', default: false },
        records: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        at: { type: 'string' },
        bytes: { type: 'string' },
        'erase-size': { type: 'string' },
        'write-size': { type: 'string' },
      },
    })
  } catch (error) {
    return fail(`holdfast: ${(error as Error).message}\n\n${HELP}`, 2)
  }
  const { values, positionals } = parsed
  if (values.help) {
    process.stdout.write(HELP + '\n')
    return 0
  }
  const [command, path, ...more] = positionals
  if (command !== 'inspect' || path === undefined || more.length > 0) return fail(HELP, 2)
  try {
    const geometry = {
      eraseSize: size(values['erase-size'], 'erase-size'),
      writeSize: size(values['write-size'], 'write-size'),
    }
    const file = fs.readFileSync(path)
    const part = partOf(file, size(values.at, 'at') ?? 0, size(values.bytes, 'bytes'))
    const store = readStore(part, geometry)
    const view = viewOf(store, { records: values.records, messages: values.messages })
    const line = values.json ? JSON.stringify({ path, ...view }) : textOf(path, view)
    process.stdout.write(line + '\n')
    return 0
  } catch (error) {
    const isSystem = (error as NodeJS.ErrnoException).syscall !== undefined
    if (!(error instanceof NoImage) && !isSystem) throw error
    return fail(`holdfast: ${path}: ${(error as Error).message}`, 1)
  }
}

process.exitCode = main(process.argv.slice(2))
