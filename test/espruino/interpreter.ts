/**
 * A real Espruino, built for Linux, as a child process: its flash is a file in a folder of its own,
 * so it can be killed and started again. Knows nothing of MQTT.
 *
 * The stock build for Linux has Storage and `Flash` on the same 256 KB: a file of Storage, made
 * first, keeps the place, and Holdfast gets the whole pages inside of it.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const FLASH_START = 0x10000000
const PAGE_SIZE = 1024
const AREA_SIZE = 96 * 1024

/** The pages inside the file that keeps the place: the first begins with the file's header. */
export const AREAS = [{ addr: FLASH_START + PAGE_SIZE, length: AREA_SIZE - 2 * PAGE_SIZE }]

/** True when there is an interpreter; else says once what is left out. */
export function hasInterpreter(what: string): boolean {
  const file = process.env.ESPRUINO_BIN
  if (file !== undefined) {
    accessSync(file, constants.X_OK)
    return true
  }
  console.log(`left out: ${what}: ESPRUINO_BIN names none for Linux (docs/BOARDS.md)`)
  return false
}

export class Interpreter {
  readonly lines: string[] = []
  private readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-espruino-'))
  private child: ChildProcess | null = null
  private count = 0

  /** Starts `script`; what it prints goes to `lines`. */
  start(script: string): void {
    const file = join(this.folder, `script-${this.count++}.js`)
    writeFileSync(file, script)
    // Its standard input stays open: at its end Espruino would fill its input queue with junk.
    const child = spawn(process.env.ESPRUINO_BIN!, [file], {
      cwd: this.folder,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.child = child
    let rest = ''
    child.stdout!.setEncoding('latin1')
    child.stdout!.on('data', (text: string) => {
      const parts = (rest + text).split(/\r?\n/)
      rest = parts.pop()!
      // The console draws its prompt before what a timer prints.
      this.lines.push(...parts.map((line) => line.replace(/^[\r>]*(\x1b\[J)?[\r>]*/, '')))
    })
  }

  /** Types a line on the console. */
  type(line: string): void {
    this.child!.stdin!.write(line + '\n')
  }

  /** Waits until the program has ended by itself: there was nothing left to do. */
  async ended(): Promise<void> {
    const child = this.child!
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
  }

  /** As a power cut: nothing of the program runs any more. */
  async cut(): Promise<void> {
    const child = this.child
    this.child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  /** Writes files to Storage, behind the one that keeps the place for Holdfast. */
  async install(files: Record<string, string>): Promise<void> {
    const step = 3000
    let script = "var S=require('Storage');"
    script += `if (S.read('place')===undefined) S.write('place','x',0,${AREA_SIZE});\n`
    for (const [name, text] of Object.entries(files)) {
      for (let at = 0; at < text.length; at += step) {
        const part = Buffer.from(text.slice(at, at + step), 'latin1').toString('base64')
        const size = at === 0 ? ',' + text.length : ''
        script += `S.write('${name}',atob('${part}'),${at}${size});\n`
      }
      script += `print('size of ${name}', S.read('${name}').length);\n`
    }
    this.start(script + "print('installed');\n")
    await this.until('the installation', (line) => line === 'installed')
    for (const [name, text] of Object.entries(files)) {
      if (!this.lines.includes(`size of ${name} ${text.length}`)) {
        throw new Error(`Storage did not take ${name}:\n` + this.lines.join('\n'))
      }
    }
    await this.cut()
    this.lines.length = 0
  }

  /** Waits for a line; gives back the first that fits. */
  async until(what: string, fits: (line: string) => boolean): Promise<string> {
    const limit = Date.now() + 30_000
    for (;;) {
      const found = this.lines.find(fits)
      if (found !== undefined) return found
      if (Date.now() > limit) {
        throw new Error(`waited 30 s for ${what}; it printed:\n` + this.lines.slice(-40).join('\n'))
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async remove(): Promise<void> {
    await this.cut()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
