/**
 * A Mosquitto of the test's own on a free loopback port. Where there is none, the tests that need
 * it say so in one line; with HOLDFAST_REQUIRE_ALL=1 that is a failure.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const NAME = 'mosquitto'

/** Where mosquitto is, or null. Debian puts it where a user's PATH does not look. */
export function findMosquitto(): string | null {
  const bare = process.env.HOLDFAST_NO_MOSQUITTO === '1'
  const folders = bare ? [] : (process.env.PATH ?? '').split(delimiter)
  for (const folder of folders) {
    try {
      accessSync(join(folder, NAME), constants.X_OK)
      return join(folder, NAME)
    } catch {
      // not in this folder
    }
  }
  return null
}

/** True when Mosquitto is there; else says once what is left out. */
export function hasMosquitto(what: string): boolean {
  if (findMosquitto()) return true
  const line = `left out: ${what}: no mosquitto on the PATH (apt-get install mosquitto)`
  if (process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error(line)
  console.log(line)
  return false
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

export class Mosquitto {
  readonly port: number
  private readonly folder: string
  private readonly extra: string
  private child: ChildProcess | null = null

  private constructor(port: number, extra: string) {
    this.port = port
    this.extra = extra
    this.folder = mkdtempSync(join(tmpdir(), 'holdfast-mosquitto-'))
  }

  /** Starts one. `extra` are further lines of its configuration; FOLDER in them is its folder. */
  static async start(extra = ''): Promise<Mosquitto> {
    const broker = new Mosquitto(await freePort(), extra)
    await broker.restart()
    return broker
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  /** Starts it (again) on the same port, with what it stored. */
  async restart(): Promise<void> {
    const config = join(this.folder, 'mosquitto.conf')
    const lines = [
      `listener ${this.port} 127.0.0.1`,
      'allow_anonymous true',
      'max_queued_messages 0',
      `persistence_location ${this.folder}/`,
      // As root it would become another user, who may not write there.
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      this.extra.replaceAll('FOLDER', this.folder),
    ]
    const text = lines.join('\n') + '\n'
    writeFileSync(config, text)
    // It opens its listeners one after the other; a test may want the last.
    const closed = [...text.matchAll(/^listener (\d+)/gm)].map(([, port]) => Number(port))
    const child = spawn(findMosquitto()!, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.child = child
    let words = ''
    child.stderr!.on('data', (data) => (words += data))
    for (let tries = 0; tries < 250; tries++) {
      while (closed.length > 0 && (await answers(closed[0]!))) closed.shift()
      if (closed.length === 0) return
      if (child.exitCode !== null) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`mosquitto does not start: ${words}`)
  }

  /** Ends it with this signal and waits until it is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child
    this.child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
