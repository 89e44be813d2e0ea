/**
 * How many times faster than `mqtt-packet` the client's codec encodes one PUBLISH on XS. The two
 * take turns. Knows nothing of brokers.
 */
import * as path from 'node:path'
import { SHIMS } from './alloc.js'
import { median } from './peers-rows.js'
import { bundleFirmware, inFolder, runOnXs, xsHost } from './xs-run.js'

/** Room for what mqtt-packet loads; nothing may grow, so it collects its garbage as it goes. */
const HEAP = 'chunk=2097152,heap=131072,stack=1024,keys=2000'

/** Microseconds for each, medians of `rounds`. */
export interface EncodeTimes {
  ours: number
  mqttPacket: number
}

/** Throws MissingHost where there is no XS host. */
export function compareEncoding(rounds: number): Promise<EncodeTimes> {
  return inFolder(async (folder) => {
    const program = await xsHost(64)
    const bundles = [path.join(folder, 'ours.js'), path.join(folder, 'mqtt-packet.js')] as const
    await bundleFirmware('peers-encode-ours', bundles[0])
    await bundleFirmware('peers-encode-packet', bundles[1], SHIMS)
    const times: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      for (const which of [0, 1] as const) {
        const [report] = (await runOnXs(program, bundles[which], '--creation', HEAP)) as {
          microseconds: number
        }[]
        times[which].push(report!.microseconds)
      }
    }
    return { ours: median(times[0]), mqttPacket: median(times[1]) }
  })
}
