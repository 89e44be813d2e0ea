/**
 * Packets that others wrote down: those of the test suite that the npm package mqtt-packet ships
 * (MIT licence). The suite is read from node_modules when the tests run, and run once against
 * mqtt-packet itself with this file in place of its test runner. Nothing of it stands here.
 */
import loose from 'node:assert'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import mqttPacket from 'mqtt-packet'

type Json = Record<string, any>

/** Bytes that the suite has read, and what mqtt-packet made of them. */
export interface PublishedRead {
  name: string
  version: number
  bytes: Uint8Array
  packets: Json[]
  error: string | null
}

/** A packet that the suite has written, and its bytes. */
export interface PublishedWrite {
  name: string
  version: number
  packet: Json
  bytes: Uint8Array
}

export interface Published {
  reads: PublishedRead[]
  writes: PublishedWrite[]
  /** Comparisons of the suite, and those among them that failed. */
  compared: number
  failed: string[]
}

const LARGE = 70000

const versionOf = (options?: Json) => options?.protocolVersion ?? 4

/** The suite deletes `topic` and `payload` of what it has read: each packet is copied before. */
function watch(published: Published, nameOf: () => string): Json {
  return {
    ...mqttPacket,
    parser(options?: Json) {
      const parser = mqttPacket.parser(options as object)
      const read: PublishedRead = {
        name: nameOf(),
        version: versionOf(options),
        bytes: new Uint8Array(0),
        packets: [],
        error: null,
      }
      published.reads.push(read)
      parser.on('packet', (packet) => read.packets.push({ ...packet }))
      parser.on('error', (error: Error) => (read.error = error.message))
      const parse = parser.parse.bind(parser)
      parser.parse = (part: Buffer) => {
        read.bytes = Buffer.concat([read.bytes, part])
        return parse(part)
      }
      return parser
    },
    generate(packet: Json, options?: Json) {
      const bytes = mqttPacket.generate(packet as mqttPacket.Packet, options as object)
      const version = versionOf(options ?? packet)
      published.writes.push({ name: nameOf(), version, packet, bytes: Uint8Array.from(bytes) })
      return bytes
    },
  }
}

export function readPublished(): Published {
  const require = createRequire(import.meta.url)
  const folder = dirname(require.resolve('mqtt-packet'))
  const published: Published = { reads: [], writes: [], compared: 0, failed: [] }
  let name = ''
  const equal = (actual: unknown, expected: unknown) => {
    published.compared++
    try {
      loose.deepEqual(actual, expected) // loosely, as the suite compares where prototypes differ
    } catch {
      published.failed.push(name)
    }
  }
  const assertions = { equal, deepEqual: equal, deepLooseEqual: equal, fail: () => equal(0, 1) }
  const nothing = () => undefined
  const checker = new Proxy(assertions as Json, {
    get: (known, key: string) => known[key] ?? nothing,
  })
  const run = (title: string, body: (checker: Json) => void) => {
    name = title
    body(checker)
  }
  const watched = watch(published, () => name)
  const stand: Json = { tape: run, './': watched, 'readable-stream': require('node:stream') }
  const wanted = (module: string) => stand[module] ?? require('node:' + module)
  const source = readFileSync(join(folder, 'test.js'), 'utf8')
  new Function('require', source)(wanted)
  // The suite has packets of 256 MB too; nothing here is for them.
  const isSmall = ({ bytes }: { bytes: Uint8Array }) => bytes.length < LARGE
  published.reads = published.reads.filter(isSmall)
  published.writes = published.writes.filter(isSmall)
  return published
}
