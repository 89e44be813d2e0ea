/**
 * npm `mqtt` in `npm run bench:peers`, with its default store in memory or, durable, with
 * `mqtt-level-store`. Knows nothing of Holdfast.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { type Job, measure, type Measured, PAYLOAD_SIZE, Progress, TOPIC } from './peers-job.js'

const require = createRequire(import.meta.url)
const LEVEL = 'mqtt-level-store'

/** QoS 0: messages whose callback has not come. With 1,000 it is slower: a listener for each. */
const QOS0_WINDOW = 100

/** True when the package is there; it is needed for the durable row alone. */
export function hasLevelStore(): boolean {
  try {
    require.resolve(LEVEL)
    return true
  } catch {
    return false
  }
}

function optionsOf(job: Job): mqtt.IClientOptions {
  const options: mqtt.IClientOptions = {
    clientId: `mqtt-${process.pid}`,
    protocolVersion: 5,
    reconnectPeriod: 0,
  }
  if (job.folder === '') return options
  const makeStores = require(LEVEL) as (path: string) => {
    incoming: mqtt.IStore
    outgoing: mqtt.IStore
  }
  const stores = makeStores(join(job.folder, 'level'))
  return {
    ...options,
    clean: false,
    properties: { sessionExpiryInterval: 86400 },
    incomingStore: stores.incoming,
    outgoingStore: stores.outgoing,
  }
}

export async function measureMqtt(job: Job): Promise<Measured> {
  const client = await mqtt.connectAsync(`mqtt://${job.host}:${job.port}`, optionsOf(job))
  const payload = Buffer.alloc(PAYLOAD_SIZE)
  const options = { qos: job.qos }
  const window = job.qos === 0 && job.window > 0 ? QOS0_WINDOW : job.window

  const measured = await measure(job, async (count, returned) => {
    const progress: Progress = new Progress(count, window, () => {
      client.publish(TOPIC, payload, options, finished)
      return true
    })
    const finished = (error?: Error): void => {
      if (error) throw error
      progress.finish()
    }
    progress.advance()
    if (progress.isStarted) returned()
    await progress.done
    // QoS 0 is complete when written: the answer to a QoS 1 message behind shows it arrived.
    if (job.qos === 0) await client.publishAsync(TOPIC, payload, { qos: 1 })
  })
  client.end(true)
  return measured
}
