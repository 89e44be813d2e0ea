/**
 * Paho C in `npm run bench:peers`: compiles the program in test/bench/paho once for each run and
 * starts it. Knows how to find the library, not what is measured.
 */
import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Job, Measured } from './peers-job.js'

/** The compiled program, or null where there is no compiler or no library. */
export function compilePaho(root: string, folder: string): string | null {
  const program = join(folder, 'paho-durable')
  const source = join(root, 'test/bench/paho/paho-durable.c')
  try {
    execFileSync('cc', ['-O2', '-o', program, source, '-lpaho-mqtt3a', '-lpthread'], {
      stdio: 'ignore',
    })
    return program
  } catch {
    return null
  }
}

export function measurePaho(program: string, job: Job): Promise<Measured> {
  const uri = `tcp://${job.host}:${job.port}`
  const numbers = [job.window, job.warmUp, job.count].map(String)
  const child = spawn(program, [uri, `paho-${process.pid}-${Date.now()}`, job.folder, ...numbers], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
  })
  let text = ''
  child.stdout.on('data', (bytes) => (text += bytes))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(text) as Measured)
      else reject(new Error(`paho-durable ended with ${code ?? signal}`))
    })
  })
}
