/**
 * `npm run bench:alloc [-- --json]`: slots, chunks and bytes that each operation of the client
 * allocates on XS, in the heap of an ESP32, and beside it what `mqtt-packet` takes to generate the
 * same packet. Counts are exact: the host counts every allocation. Knows nothing of time.
 */
import type * as esbuild from 'esbuild'
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Measured } from './firmware-meter.js'
import { bundleFirmware, bundleLibrary, ESP32, EXTENSIONS, inFolder, SMALL } from './xs-run.js'
import { MissingHost, runOnXs, xsHost } from './xs-run.js'

/** What is allocated for one operation; fractions where it happens once in several. */
export interface Allocation {
  slots: number
  chunks: number
  bytes: number
}

/** The rows of `--json`, in their order, with a line for people. */
const ROWS: [string, string][] = [
  ['publishQos0', 'prepared topic, to the transport'],
  ['publishQos1', 'prepared topic, queue in RAM'],
  ['publishQos1Flash', 'prepared topic, durable, marks and erases included'],
  ['resendFromFlash', 'PUBLISH with DUP, and the PUBACK before it'],
  ['puback', 'queue in RAM'],
  ['pingreq', 'with PINGRESP'],
  ['inboundQos0', 'one view for message.payload'],
  ['inboundQos1', 'one view for message.payload, PUBACK'],
  ['publishQos2', 'all four packets, queue in RAM'],
  ['publishStrings', 'a topic as last time, a payload of 16 characters, QoS 1'],
  ['reconnect', 'CONNECT and CONNACK'],
  ['mqttPacketGenerate', 'the PUBLISH alone, QoS 1, which needs a larger heap'],
]

/** Measured in the same run, for people and for the test. */
const MORE_ROWS: [string, string][] = [
  ['pubackFlash', 'durable, with marks'],
  ['maintain', 'sectors are erased ahead'],
  ['recover', 'the flash log is mounted, with some records or many'],
  ['inboundQos0Offsets', 'a handler that reads message.bytes'],
  ['inboundQos1Offsets', 'a handler that reads message.bytes, PUBACK'],
  ['publishQos2Flash', 'all four packets, durable'],
  ['publishAliased', 'prepared topic, its alias and a handler with a filter, QoS 1'],
  ['inboundByHand', 'a topic that is an alias, acknowledged by the application'],
  ['reconnectAliased', 'CONNECT, CONNACK and a topic with a new alias'],
  ['publishStringsNew', 'another topic of 32 characters each time'],
  ['reconnectSubscribed', 'with SUBSCRIBE of one filter'],
  ['smallPublish', 'the small client: topic as text, QoS 1, queue in RAM'],
  ['smallPublishFlash', 'the same, durable'],
  ['smallPuback', 'the small client, queue in RAM'],
  ['smallPubackFlash', 'the same, durable, with marks'],
  ['liveGrowth', 'what lives after 10,000 reconnects more than before, for each'],
]

/** So large that nothing is collected: what a collection moves would count again. */
const LARGE_HEAP = 'chunk=2097152,heap=131072,stack=1024,keys=2000'

/** What mqtt-packet loads and does not need to generate: far smaller without. */
const STUBS: Record<string, string> = {
  bl: 'module.exports = function () {}',
  debug: 'module.exports = () => () => {}',
  'process-nextick-args': 'exports.nextTick = (work) => work()',
}

const stubs: esbuild.Plugin = {
  name: 'stubs',
  setup(build) {
    const filter = new RegExp(`^(${Object.keys(STUBS).join('|')})$`)
    build.onResolve({ filter }, ({ path }) => ({ path, namespace: 'stub' }))
    build.onLoad({ filter, namespace: 'stub' }, ({ path }) => ({ contents: STUBS[path]! }))
  },
}

/** `buffer` and `events` are the npm packages: on a board Node has none. */
export const SHIMS: esbuild.BuildOptions = {
  plugins: [stubs],
  banner: {
    js:
      'var global = globalThis, process = { env: {}, browser: true }, Buffer;' +
      'var console = console || { log() {}, error() {}, warn() {} };',
  },
}

/** Every row by its name. */
export function measureAllocations(): Promise<Record<string, Allocation>> {
  return inFolder(async (folder) => {
    const program = await xsHost(64)
    const library = path.join(folder, 'library.js')
    const firmware = path.join(folder, 'firmware.js')
    const other = path.join(folder, 'mqtt-packet.js')
    await bundleLibrary(EXTENSIONS, library)
    await bundleFirmware('alloc-firmware', firmware)
    await bundleFirmware('alloc-mqtt-packet', other, SHIMS)
    const smallLibrary = path.join(folder, 'small-library.js')
    const small = path.join(folder, 'small.js')
    await bundleLibrary(
      SMALL + "export { FlashOutbox } from './src/small/storage.js'\n",
      smallLibrary,
    )
    await bundleFirmware('alloc-small-firmware', small)
    // 16 sectors: the flash log goes round and erases while it is measured.
    const flash = ['--image', path.join(folder, 'flash'), '--capacity', '65536']
    const measured = [
      ...(await runOnXs(program, firmware, '--preload', library, '--creation', ESP32, ...flash)),
      ...(await runOnXs(program, other, '--creation', LARGE_HEAP)),
      ...(await runOnXs(program, small, '--preload', smallLibrary, '--creation', ESP32, ...flash)),
    ] as Measured[]
    const rows: Record<string, Allocation> = {}
    for (const { name, operations, slots, chunks, bytes } of measured) {
      rows[name] = {
        slots: slots / operations,
        chunks: chunks / operations,
        bytes: bytes / operations,
      }
    }
    return rows
  })
}

function print(rows: Record<string, Allocation>, wanted: [string, string][]): void {
  for (const [name, note] of wanted) {
    const { slots, chunks, bytes } = rows[name]!
    const figures = [slots, chunks, bytes].map((figure) => String(figure).padStart(8)).join('')
    console.log(name.padEnd(22) + figures + '  ' + note)
  }
}

async function main(): Promise<void> {
  try {
    const rows = await measureAllocations()
    if (process.argv.includes('--json')) {
      console.log(JSON.stringify(Object.fromEntries(ROWS.map(([name]) => [name, rows[name]]))))
      return
    }
    console.log('For one operation, on XS (64 bits: chunks are larger than on a board)')
    console.log(' '.repeat(22) + '   slots  chunks   bytes')
    print(rows, ROWS)
    console.log()
    print(rows, MORE_ROWS)
  } catch (error) {
    if (!(error instanceof MissingHost)) throw error
    console.error('bench:alloc needs the XS host: ' + error.message)
    process.exitCode = 1
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
