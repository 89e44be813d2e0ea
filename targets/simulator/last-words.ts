/**
 * The last words of a device that failed, for a person: what happened, at which line of the user's
 * TypeScript, and what to do about it. Knows how the engines word their ends, and source maps;
 * nothing of what ran.
 */
import * as fs from 'node:fs'
import { SourceMap } from 'node:module'
import * as path from 'node:path'
import { EXIT_KEYS, EXIT_MEMORY, EXIT_STACK } from './xs-host.js'

/** An engine begins with its name where it speaks itself; all else is the firmware's output. */
export const ENGINE_LINE = /^(xs-device|device-node): /

const SLOTS =
  'slots hold objects, properties, closures and arrays: lower inFlightLimit and receiveMaximum, ' +
  'and keep fewer objects'
const CHUNKS =
  'chunks hold buffers and strings: lower sendBufferSize, receiveBufferSize, queueSize (without ' +
  'storage) or bufferSize of FlashStore, and keep less in arrays and strings'
const STACK = 'the stack holds calls and their variables: call less deep, without recursion'
const KEYS = 'each new property name takes a key for ever: use a Map or an array for such data'
const OPTION = 'give the option as the message says; README.md lists the options'
const THROWN =
  'a board would restart here: catch it where it is thrown, or test what it complains of before'
const NO_CLIENT = 'end start(board) with: return client'

/** What to do, in a line. */
function remedyFor(code: number | null, text: string): string {
  if (code === EXIT_MEMORY) return text.includes('chunks are full') ? CHUNKS : SLOTS
  if (code === EXIT_STACK) return STACK
  if (code === EXIT_KEYS) return KEYS
  // XS: "get process: undefined variable"; Node: "process is not defined".
  const absent = /get (\w+): undefined variable|ReferenceError: (\w+) is not defined/.exec(text)
  if (absent) {
    const name = absent[1] ?? absent[2]
    return `a board has no ${name}: it has console, timers, and what start(board) is given`
  }
  if (/option "[\w.]+" is/.test(text)) return OPTION
  if (text.includes('start(board) must return')) return NO_CLIENT
  return THROWN
}

interface Place {
  file: string
  line: number
}

/** Finds the source of a line of the bundle. */
class Bundle {
  private readonly name: string
  private readonly lines: string[]
  private readonly map: SourceMap
  private readonly folder: string

  constructor(bundle: string) {
    this.name = path.basename(bundle)
    this.folder = path.dirname(bundle)
    this.lines = fs.readFileSync(bundle, 'utf8').split('\n')
    this.map = new SourceMap(JSON.parse(fs.readFileSync(bundle + '.map', 'utf8')))
  }

  /** `column` from 1, or 0 where the engine knows lines only: then the first statement counts. */
  private place(line: number, column: number): Place | null {
    const text = this.lines[line - 1] ?? ''
    const at = column > 0 ? column - 1 : text.search(/\S|$/)
    const entry = this.map.findEntry(line - 1, at)
    if (!('originalSource' in entry)) return null
    const file = path.resolve(this.folder, entry.originalSource)
    return { file, line: entry.originalLine + 1 }
  }

  /** The first place in `text` that is in this bundle, as the engine wrote it and as it is. */
  placeOf(text: string): { found: string; place: Place | null } | null {
    const name = this.name.replaceAll('.', '\\.')
    const match = new RegExp(`(?:[^\\s(:]*/)?${name}:(\\d+)(?::(\\d+))?`).exec(text)
    if (match === null) return null
    return { found: match[0], place: this.place(Number(match[1]), Number(match[2] ?? 0)) }
  }
}

/** The lines that matter: from the engine's first word on, without the inside of Node. */
function engineLines(text: string): string[] {
  const lines = text.split('\n').filter((line) => line !== '')
  const first = lines.findIndex((line) => ENGINE_LINE.test(line))
  return lines
    .slice(Math.max(0, first))
    .map((line) => line.replace(ENGINE_LINE, ''))
    .filter((line) => !/^\s*at .*(node:|device-node\.js)/.test(line))
}

/** What ran, so that its lines can be told as those of its sources. */
export interface Application {
  /** The scripts of the board, each with its source map beside it. */
  readonly bundles: readonly string[]
  /** The user's file. */
  readonly entry: string
  /** The folder of this project: what is in its parts is not the user's. */
  readonly project: string
  /** Where the user stands: paths are told from here. */
  readonly folder: string
}

/** A device that failed: words that name the place, then the remedy. */
export function lastWords(code: number | null, text: string, app: Application | null): string {
  const told = engineLines(text).join('\n')
  const remedy = 'remedy: ' + remedyFor(code, told)
  if (app === null) return `${told}\n${remedy}`
  const { lines, first } = translate(told.split('\n'), app)
  // An exception of a moment without a function, as at the end of a file, has no frames.
  const place = first ?? { file: app.entry, line: 0 }
  const where = path.relative(app.folder, place.file) + (place.line > 0 ? `:${place.line}` : '')
  return `${where}: ${lines.join('\n')}\n${remedy}`
}

const OURS = /^(src|hal|targets\/simulator|node_modules)\//

/**
 * The lines with places in sources, without the frames of the simulator; and the first of these
 * places that is the user's, not the library's.
 */
function translate(told: string[], app: Application) {
  const bundles = app.bundles.filter((name) => fs.existsSync(name + '.map'))
  const maps = bundles.map((name) => new Bundle(name))
  const lines: string[] = []
  let first: Place | null = null
  for (const line of told) {
    const hit = maps.map((map) => map.placeOf(line)).find((one) => one?.place)
    if (!hit?.place) {
      lines.push(line)
      continue
    }
    const inProject = path.relative(app.project, hit.place.file)
    if (inProject.startsWith('targets/simulator/')) continue
    const isOurs = OURS.test(inProject)
    if (!isOurs) first ??= hit.place
    const file = isOurs ? `holdfast/${inProject}` : path.relative(app.folder, hit.place.file)
    lines.push(line.replace(hit.found, `${file}:${hit.place.line}`))
  }
  return { lines, first }
}
