/**
 * One boot of the device: a process, from power on to its end. Knows the engine's command line and
 * hands over what the device reports; what the lines mean is the ledger's business.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Engine } from './engine.js'

/** The board: what stays the same from boot to boot. */
export interface Board {
  readonly engine: Engine
  readonly bundle: string
  /** What the board has in ROM, for an engine that has one. */
  readonly library: string
  readonly image: string
  readonly capacity: number
  readonly writeSize: number
  /** Creation values of XS that are not an ESP32's, as in `chunk=40000,heap=3000`; or ''. */
  readonly creation: string
}

export interface Boot {
  /** JSON text for the firmware. */
  readonly config: string
  /** The write or erase of this boot that the power cut tears; 0 for none. */
  readonly cutAt: number
  readonly cutSeed: number
}

type Take = (line: string) => void

/** How a boot ended. */
export type End = 'stopped' | 'power cut' | 'failed'

/** The last words of a device that fails are at the end; a flood before them is of no use. */
const MOST_ERROR_TEXT = 4000

export class DeviceProcess {
  /** Resolves after the last line was handed over. */
  readonly ended: Promise<End>
  /** Null while it runs. */
  end: End | null = null
  /** The exit code; null while it runs, and where a signal ended it. */
  code: number | null = null
  errorText = ''
  private readonly child: ChildProcess

  constructor(board: Board, boot: Boot, onReport: Take, onPrint: Take, onError: Take = () => {}) {
    const { engine } = board
    const args = [...engine.args, '--image', board.image, '--capacity', String(board.capacity)]
    args.push('--write-size', String(board.writeSize), '--config', boot.config)
    if (boot.cutAt > 0) args.push('--cut-at', String(boot.cutAt), '--cut-bits', `${boot.cutSeed}`)
    if (engine.hasRom) args.push('--preload', board.library)
    if (engine.hasRom && board.creation !== '') args.push('--creation', board.creation)
    args.push('--report-fd', '3', board.bundle)
    this.child = spawn(engine.program, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
    lines(this.child.stdio[1] as Readable, onPrint)
    lines(this.child.stdio[3] as Readable, onReport)
    lines(this.child.stdio[2] as Readable, onError)
    this.child.stderr!.on('data', (text: string) => {
      this.errorText = (this.errorText + text).slice(-MOST_ERROR_TEXT)
    })
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => {
        this.errorText += `${engine.program}: ${error.message}`
        resolve((this.end = 'failed'))
      })
      this.child.on('close', (code, signal) => {
        const isCut = signal === 'SIGKILL' && boot.cutAt > 0
        this.code = code
        if (code === null && !isCut) this.errorText += `\nended by ${signal}`
        resolve((this.end = code === 0 ? 'stopped' : isCut ? 'power cut' : 'failed'))
      })
    })
  }

  /** For when the harness itself has to end. Legal at any time. */
  kill(): void {
    if (this.end === null) this.child.kill('SIGKILL')
  }
}

function lines(stream: Readable, take: Take): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    for (const line of parts) take(line)
  })
}
