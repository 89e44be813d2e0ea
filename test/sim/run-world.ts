/**
 * `npm run sim -- --seeds N [--seed S] [--trace] --json`: runs the simulated world for N seeds from
 * S on (random without `--seed`). `--trace` prints every packet of the devices through mqtt-packet.
 * `--few` gives each lane 256 Packet Identifiers, so that they are used again soon. `--small` runs
 * the small client.
 */
import mqttPacket from 'mqtt-packet'
import { withFewIdentifiers } from './world-identifiers.js'
import { World, type Trace } from './world.js'

const argument = (name: string): string | undefined => {
  const at = process.argv.indexOf('--' + name)
  return at < 0 ? undefined : process.argv[at + 1]
}
const seedCount = Number(argument('seeds') ?? 1)
const firstSeed = Number(argument('seed') ?? Math.floor(Math.random() * 0x7fffffff))
const isTracing = process.argv.includes('--trace')
const isFew = process.argv.includes('--few')
const isSmall = process.argv.includes('--small')
const isJson = process.argv.includes('--json')

/** The version of each device, learnt from its CONNECT. */
const versions = new Map<string, number>()

const trace: Trace = (device, now, packet, isSent) => {
  if (packet.type === 1) versions.set(device, packet.bytes[8]!)
  const parser = mqttPacket.parser({ protocolVersion: versions.get(device) ?? 5 })
  parser.on('packet', ({ payload, length: _, topic, ...rest }: any) => {
    const arrow = isSent ? '->' : '<-'
    if (payload) rest.message = payload.readUInt32BE(0)
    const fields = JSON.stringify(rest, (_, value) => value ?? undefined)
    console.error(`${now.toFixed(2).padStart(12)} ${device} ${arrow} ${fields}`)
  })
  parser.on('error', (error) => console.error(`${device}: mqtt-packet refuses: ${error}`))
  parser.parse(Buffer.from(packet.bytes))
}

const began = performance.now()
const sum = { events: 0, virtualMs: 0, messages: 0, disconnects: 0, cuts: 0, deliveries: 0 }
let violations = 0
for (let index = 0; index < seedCount; index++) {
  const world = new World(firstSeed + index, isTracing ? trace : null, isSmall)
  const result = isFew ? withFewIdentifiers(() => world.run()) : world.run()
  for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += result[name]
  if (result.violation !== null) {
    violations++
    console.error(`seed ${result.seed}: ${result.violation}`)
    if (isTracing) {
      for (const { name, config } of world.devices) console.error(name, JSON.stringify(config))
      console.error('broker', JSON.stringify(world.broker.config))
    }
    const flags = (isFew ? ' --few' : '') + (isSmall ? ' --small' : '')
    console.error(`  repeat: npm run sim -- --seeds 1 --seed ${result.seed}${flags} --trace`)
  }
  if ((index + 1) % 100 === 0) console.error(`${index + 1} seeds, ${violations} violations`)
}
const seconds = (performance.now() - began) / 1000
const report = {
  seeds: seedCount,
  events: sum.events,
  virtualHours: Number((sum.virtualMs / 3600000).toFixed(2)),
  violations,
  seedsPerSecond: Number((seedCount / seconds).toFixed(1)),
  messages: sum.messages,
  deliveries: sum.deliveries,
  disconnects: sum.disconnects,
  powerCuts: sum.cuts,
}
console.log(isJson ? JSON.stringify(report) : report)
process.exitCode = violations > 0 ? 1 : 0
