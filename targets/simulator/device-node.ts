/**
 * The simulated board with Node as its engine: a process of its own that makes `device` of the HAL
 * for Node and runs the bundle. Its command line is that of the XS host, so that the two engines
 * can stand in for each other. Knows nothing of what the firmware does.
 */
import * as fs from 'node:fs'
import { parseArgs } from 'node:util'
import * as vm from 'node:vm'
import { FileFlash, NodeSystem, run, type Running, TcpTransport } from '../../hal/node/index.js'
import { CuttingFlash } from './cutting-flash.js'
import type { Device } from './device.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    image: { type: 'string' },
    capacity: { type: 'string' },
    'erase-size': { type: 'string', default: '4096' },
    'write-size': { type: 'string', default: '4' },
    'cut-at': { type: 'string', default: '0' },
    'cut-bits': { type: 'string', default: '1' },
    config: { type: 'string', default: '' },
    'report-fd': { type: 'string', default: '1' },
  },
})
const bundle = positionals[0]
if (bundle === undefined || values.image === undefined || values.capacity === undefined) {
  throw new Error('usage: device-node --image FILE --capacity N [--cut-at N] [...] bundle.js')
}

const flash = new FileFlash(values.image, {
  capacity: Number(values.capacity),
  eraseSize: Number(values['erase-size']),
  writeSize: Number(values['write-size']),
})
process.on('exit', () => flash.close())
const cut = { operation: Number(values['cut-at']), seed: Number(values['cut-bits']) }
const reportFd = Number(values['report-fd'])

const device: Device = {
  storage: cut.operation > 0 ? new CuttingFlash(flash, cut) : flash,
  transport: new TcpTransport(),
  system: new NodeSystem(),
  config: values.config,
  poll: undefined,
  print: (line) => console.log(line),
  report: (line) => fs.writeSync(reportFd, line + '\n'),
  exit: (code) => process.exit(code),
}

// The same words as the XS host's, for the same reader (last-words.ts).
process.on('uncaughtException', (error: unknown) => {
  const text = (error as { stack?: string } | null)?.stack ?? String(error)
  // vm puts the source line and a caret before it.
  const plain = text.replace(/^[^]*?\n\s*\^+\n+/, '')
  fs.writeSync(2, `device-node: uncaught exception: ${plain}\n`)
  process.exit(1)
})

let running: Running | undefined

/** What a timer did may be something to send, so `poll` is due after it. */
function andPoll(callback: () => void): () => void {
  return () => {
    callback()
    running?.wake()
  }
}

// A context of its own: the firmware sees what a board has, and no name of Node.
const board = vm.createContext({
  device,
  console,
  setTimeout: (callback: () => void, ms: number) => setTimeout(andPoll(callback), ms),
  setInterval: (callback: () => void, ms: number) => setInterval(andPoll(callback), ms),
  clearTimeout,
  clearInterval,
})
vm.runInContext(fs.readFileSync(bundle, 'utf8'), board, { filename: bundle })
if (device.poll !== undefined) {
  running = run({ poll: (now) => device.poll!(now), onWork: () => {} })
  const note = device.transport.onReady
  device.transport.onReady = (): void => {
    note()
    running!.wake()
  }
}
