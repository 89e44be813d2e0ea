/**
 * Engines: the programs that run a firmware bundle as a board would. XS is what a Moddable board
 * runs, in the heap of an ESP32; Node is there where no C compiler is. Both take the same command
 * line (device-process.ts) and give the firmware the same `device`.
 */
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureXsHost } from './xs-host.js'

export interface Engine {
  /** As in the summary and in --json. */
  readonly name: 'xs' | 'node'
  readonly program: string
  /** Before the options that all engines have. */
  readonly args: readonly string[]
  /** The client is in ROM, as Moddable preloads it, and the firmware refers to it. */
  readonly hasRom: boolean
}

/** What `--engine` takes; `auto` is XS where it can be built. */
export type EngineChoice = 'auto' | 'xs' | 'node'

export class EngineError extends Error {}

export const NODE_ENGINE: Engine = {
  name: 'node',
  program: process.execPath,
  args: [path.join(path.dirname(fileURLToPath(import.meta.url)), 'device-node.js')],
  hasRom: false,
}

/** Builds XS at its first use. `say` takes lines for a person. */
export async function chooseEngine(
  choice: EngineChoice,
  say: (line: string) => void,
): Promise<Engine> {
  if (choice === 'node') return NODE_ENGINE
  const host = await ensureXsHost({ progress: say })
  if ('path' in host) return { name: 'xs', program: host.path, args: [], hasRom: true }
  if (choice === 'xs') throw new EngineError(`--engine xs: ${host.missing}`)
  say(`the device runs on Node instead of XS, without a board's heap limits: ${host.missing}`)
  return NODE_ENGINE
}
