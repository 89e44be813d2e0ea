/**
 * `npm run bench:peers [-- --json] [--rounds N] [--row NAME]`: how fast the client is beside npm
 * `mqtt` and, for durable messages, beside npm `mqtt` with a level store and Paho C with files. All
 * send to one Mosquitto on loopback; in each round each client takes its turn in its own process.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { findMosquitto, Mosquitto } from '../broker/mosquitto.js'
import { compareEncoding, type EncodeTimes } from './peers-encode.js'
import type { Job, Measured } from './peers-job.js'
import { hasLevelStore } from './peers-mqtt.js'
import { compilePaho, measurePaho } from './peers-paho.js'
import { type Figures, figuresOf, MOST_CPU, type Result, resultOf, type Row } from './peers-rows.js'
import { ROWS } from './peers-rows.js'
import { inFolder, MissingHost, root } from './xs-run.js'

/** The broker is to be no one's limit: no Nagle, no Receive Maximum of its own. */
const BROKER = 'set_tcp_nodelay true\nmax_inflight_messages 0'
/** A row scatters when half of its rounds lie further apart than this part of the median. */
const MOST_SPREAD = 0.25
/** Rounds more for a row that scatters. */
const MORE_ROUNDS = 4
/** A row that has taken this long ends after fewer rounds, though not fewer than three. */
const ROW_LIMIT_MS = 45_000

export interface Comparison {
  rows: Result[]
  /** null where there is no XS host. */
  xsEncodeRatio: number | null
}

/** What the table for people shows beside the results. */
interface Details {
  figures: Map<string, Map<string, Figures>>
  encoding: EncodeTimes | null
  leftOut: string[]
}

export interface Choice {
  rounds: number
  /** 1 sends the counts of the rows, less sends fewer. */
  scale: number
  /** Only the row of this name; '' for all. */
  row: string
}

class Bench {
  private readonly broker: Mosquitto
  private readonly folder: string
  private readonly paho: string | null
  private readonly choice: Choice
  private folderCount = 0

  constructor(broker: Mosquitto, folder: string, choice: Choice) {
    this.broker = broker
    this.folder = folder
    this.choice = choice
    this.paho = compilePaho(root, folder)
  }

  has(peer: string): boolean {
    if (peer === 'paho-c') return this.paho !== null
    return peer !== 'mqtt-level' || hasLevelStore()
  }

  /** The clients take turns; a row that scatters is given more rounds. */
  async row(row: Row): Promise<Map<string, Figures>> {
    const clients = ['ours', ...row.peers.filter((peer) => this.has(peer))]
    const taken = new Map<string, Measured[]>(clients.map((client) => [client, []]))
    const count = this.scaled(row.count)
    const startedAt = performance.now()
    for (let round = 1; ; round++) {
      for (const client of clients) taken.get(client)!.push(await this.measure(client, row))
      const isLate = performance.now() - startedAt > ROW_LIMIT_MS
      if (round < this.choice.rounds && !(isLate && round >= 3)) continue
      const figures = new Map(
        clients.map((client) => [client, figuresOf(count, taken.get(client)!)]),
      )
      const isSteady = [...figures.values()].every(({ spread }) => spread <= MOST_SPREAD)
      if (isSteady || isLate || round >= this.choice.rounds + MORE_ROUNDS) return figures
      // A trial with small counts scatters always.
      if (this.choice.scale < 1) return figures
    }
  }

  private scaled(count: number): number {
    return Math.max(1, Math.round(count * this.choice.scale))
  }

  private async measure(client: string, row: Row): Promise<Measured> {
    const folder = row.isDurable ? join(this.folder, `store-${this.folderCount++}`) : ''
    if (folder !== '') mkdirSync(folder)
    const job: Job = {
      client,
      host: '127.0.0.1',
      port: this.broker.port,
      qos: row.qos,
      window: row.window,
      count: this.scaled(row.count),
      warmUp: this.scaled(row.warmUp),
      folder,
    }
    try {
      return client === 'paho-c' ? await measurePaho(this.paho!, job) : await inChild(job)
    } finally {
      if (folder !== '') rmSync(folder, { recursive: true, force: true })
    }
  }
}

async function inChild(job: Job): Promise<Measured> {
  const program = fileURLToPath(new URL('peers-child.js', import.meta.url))
  const child = fork(program, [JSON.stringify(job)], {
    execArgv: ['--expose-gc', '--no-warnings'],
  })
  // A client that waits for ever must not outlive the bench.
  const limit = setTimeout(() => child.kill('SIGKILL'), 120_000)
  let measured: Measured | undefined
  child.on('message', (message) => (measured = message as Measured))
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  clearTimeout(limit)
  if (!measured) throw new Error(`${job.client} ended with ${code ?? signal}`)
  return measured
}

async function encodeTimes(rounds: number): Promise<EncodeTimes | null> {
  try {
    return await compareEncoding(rounds)
  } catch (error) {
    if (error instanceof MissingHost) return null
    throw error
  }
}

/** Measures every row. Needs Mosquitto. */
export function comparePeers(choice: Choice): Promise<Comparison & Details> {
  return inFolder(async (folder) => {
    const broker = await Mosquitto.start(BROKER)
    try {
      const bench = new Bench(broker, folder, choice)
      const rows: Result[] = []
      const figures = new Map<string, Map<string, Figures>>()
      const missing = new Set<string>()
      for (const row of ROWS) {
        if (choice.row !== '' && choice.row !== row.name) continue
        for (const peer of row.peers) if (!bench.has(peer)) missing.add(peer)
        if (!row.peers.some((peer) => bench.has(peer))) continue
        const measured = await bench.row(row)
        figures.set(row.name, measured)
        rows.push(resultOf(row, measured))
      }
      const encoding = await encodeTimes(choice.rounds)
      if (encoding === null) missing.add('XS')
      const xsEncodeRatio = encoding && Math.round((encoding.mqttPacket / encoding.ours) * 10) / 10
      return { rows, xsEncodeRatio, figures, encoding, leftOut: [...missing] }
    } finally {
      await broker.stop()
    }
  })
}

const REMEDIES: Record<string, string> = {
  'mqtt-level': 'npm install --no-save mqtt-level-store@3.1.0',
  'paho-c': 'apt-get install libpaho-mqtt-dev, and a C compiler',
  XS: 'a C compiler and make',
}

function print({ rows, figures, encoding, xsEncodeRatio, leftOut }: Comparison & Details): void {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown processor'
  console.log(`Node ${process.version}, ${cpus().length} x ${cpu}\n`)
  console.log('| row | client | messages/s | spread | CPU us/message | calls returned after ms |')
  console.log('| --- | --- | ---: | ---: | ---: | ---: |')
  for (const [name, clients] of figures) {
    for (const [client, { perSecond, cpuMicros, returnedMs, spread }] of clients) {
      const parts = `${Math.round(spread * 100)} % | ${cpuMicros.toFixed(1)}`
      const returned = returnedMs > 0 ? returnedMs.toFixed(0) : ''
      console.log(`| ${name} | ${client} | ${Math.round(perSecond)} | ${parts} | ${returned} |`)
    }
  }
  console.log('\n| row | best peer | ratio | wanted | CPU ratio | wanted | |')
  console.log('| --- | --- | ---: | ---: | ---: | ---: | --- |')
  for (const { name, bestPeer, ratio, cpuRatio } of rows) {
    const { leastRatio, note } = ROWS.find((row) => row.name === name)!
    const wanted = leastRatio > 0 ? `>= ${leastRatio}` : ''
    const text = `${ratio} | ${wanted} | ${cpuRatio} | <= ${MOST_CPU}`
    console.log(`| ${name} | ${bestPeer} | ${text} | ${note} |`)
  }
  if (encoding) {
    const { ours, mqttPacket } = encoding
    console.log(
      `\nOne PUBLISH on XS: ${ours.toFixed(2)} us, mqtt-packet ${mqttPacket.toFixed(2)} us,` +
        ` ratio ${xsEncodeRatio}, wanted >= 5`,
    )
  }
  for (const name of leftOut) console.log(`left out: ${name} (needs: ${REMEDIES[name] ?? name})`)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      scale: { type: 'string', default: '1' },
      row: { type: 'string', default: '' },
    },
  })
  if (findMosquitto() === null) {
    console.error('bench:peers needs mosquitto on the PATH: apt-get install mosquitto')
    process.exitCode = 1
    return
  }
  const choice = { rounds: Number(values.rounds), scale: Number(values.scale), row: values.row }
  if (!(choice.rounds >= 1 && choice.scale > 0)) {
    throw new Error('--rounds takes 1 or more, --scale more than 0')
  }
  const comparison = await comparePeers(choice)
  const { rows, xsEncodeRatio } = comparison
  if (values.json) console.log(JSON.stringify({ rows, xsEncodeRatio }))
  else print(comparison)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
