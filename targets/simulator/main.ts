/**
 * `npm start`: reads the command line, prepares a folder for the board, runs the night of the
 * device or a user's application, says what came of it, and leaves nothing behind, however it ends.
 */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { ApplicationRun } from './app.js'
import { BundleError, bundleFirmware, bundleLibrary, sensorPath, userFolder } from './bundle.js'
import type { Board } from './device-process.js'
import { chooseEngine, type Engine, EngineError } from './engine.js'
import { HELP, parseOptions, type SimulatorOptions, UsageError } from './options.js'
import { summary, toJson, violations } from './report.js'
import { Scenario } from './scenario.js'
import { BrokerError } from './subscriber.js'

const LEAST_CAPACITY = 256 * 1024
/** Of flash for each message: all of them must fit while the network is gone. */
const BYTES_PER_MESSAGE = 160
const WRITE_SIZE = 4

function makeBoard(engine: Engine, folder: string, options: SimulatorOptions): Board {
  let capacity = LEAST_CAPACITY
  while (capacity < options.messages * BYTES_PER_MESSAGE) capacity *= 2
  return {
    engine,
    library: path.join(folder, 'holdfast.js'),
    bundle: path.join(folder, 'firmware.js'),
    image:
      options.image === ''
        ? path.join(folder, 'flash.img')
        : path.resolve(userFolder(), options.image),
    capacity,
    writeSize: WRITE_SIZE,
    creation: options.creation,
  }
}

/** A folder for the board; also after Ctrl-C and an exception no device goes on, none stays. */
function makeFolder(isKept: boolean, abort: () => void): string {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-'))
  process.on('exit', () => {
    abort()
    if (!isKept) fs.rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

async function runApplication(options: SimulatorOptions): Promise<number> {
  let run: ApplicationRun | null = null
  const folder = makeFolder(options.keep, () => run?.abort())
  const say = (line: string): void => void process.stdout.write(line + '\n')
  const board = makeBoard(await chooseEngine(options.engine, say), folder, options)
  run = new ApplicationRun(options, board)
  const code = await run.run(say)
  if (options.keep) say(`The flash image is ${board.image}`)
  return code
}

async function simulate(options: SimulatorOptions): Promise<number> {
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1000
  const say = (line: string): void => {
    ;(options.json ? process.stderr : process.stdout).write(line + '\n')
  }
  const tell = (line: string): void => say(`${seconds().toFixed(1).padStart(5)} s  ${line}`)

  let scenario: Scenario | null = null
  const folder = makeFolder(options.keep, () => scenario?.abort())
  const engine = await chooseEngine(options.engine, say)
  const board = makeBoard(engine, folder, options)
  scenario = new Scenario(options, board, tell)
  const encrypted = options.encrypt ? 'encrypted, ' : ''
  say(
    `${options.messages} messages, ${options.powerCuts} power cuts, MQTT ` +
      `${options.protocol === 5 ? '5' : '3.1.1'}, ${encrypted}seed ${options.seed} ` +
      `(again with --seed ${options.seed})`,
  )
  await bundleFirmware(sensorPath(), board.bundle, engine.hasRom)
  if (engine.hasRom) await bundleLibrary(board.library)
  const size = fs.statSync(board.bundle).size
  tell(`firmware built, ${size} bytes; engine: ${board.engine.name}`)

  const outcome = await scenario.run()
  for (const line of summary(outcome, seconds())) say(line)
  if (options.keep) say(`The flash image is ${board.image}`)
  if (options.json) console.log(toJson(outcome, options, board.engine.name))
  return violations(outcome).length === 0 ? 0 : 1
}

async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2))
    if (options.help) {
      process.stdout.write(HELP)
      return 0
    }
    return await (options.app === '' ? simulate(options) : runApplication(options))
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nnpm start -- --help lists the options.`)
      return 2
    }
    if (!(
      error instanceof BrokerError ||
      error instanceof BundleError ||
      error instanceof EngineError
    ))
      throw error
    console.error(error.message)
    return 1
  }
}

process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
process.exitCode = await main()
