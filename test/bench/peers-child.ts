/**
 * The child process of `npm run bench:peers`: one client, one row, one measurement. A process of
 * its own keeps the garbage and the compiled code of one client away from the other.
 */
import type { Job, Measured } from './peers-job.js'

/** Each loads only what it measures. */
async function measured(job: Job): Promise<Measured> {
  if (job.client === 'ours') return (await import('./peers-ours.js')).measureOurs(job)
  if (job.client === 'floor') return (await import('./peers-floor.js')).measureFloor(job)
  return (await import('./peers-mqtt.js')).measureMqtt(job)
}

const result = await measured(JSON.parse(process.argv[2] ?? '{}') as Job)
process.send!(result, () => process.exit(0))
