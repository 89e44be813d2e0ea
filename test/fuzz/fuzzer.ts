/** Runs worlds one after the other until so many packets were fed; reports the one that fails. */
import { NO_FIGURES, type Figures } from './figures.js'
import { SmallWorld } from './small-world.js'
import { World } from './world.js'

/** Packets one client lives through. Its seed alone repeats its life. */
const PER_WORLD = 400

export interface FuzzResult extends Figures {
  worlds: number
  seconds: number
}

export function fuzz(
  packets: number,
  seed: number,
  onProgress: (figures: FuzzResult) => void = () => {},
  isSmall = false,
): FuzzResult {
  const total: FuzzResult = { ...NO_FIGURES, worlds: 0, seconds: 0 }
  const startedAt = process.hrtime.bigint()
  while (total.packets < packets) {
    const worldSeed = (seed + total.worlds) >>> 0
    let world: World | null = null
    try {
      world = isSmall ? new SmallWorld(worldSeed) : new World(worldSeed)
      world.run(PER_WORLD)
    } catch (error) {
      console.error(`seed ${worldSeed}: ${world?.title ?? 'at boot'}, packets before the end:`)
      for (const line of world?.trail ?? []) console.error('  ' + line)
      const flag = isSmall ? ' --small' : ''
      console.error(`repeat: npm run test:fuzz -- --packets 1 --seed ${worldSeed}${flag}`)
      throw error
    }
    total.worlds++
    for (const name of Object.keys(world.figures) as (keyof Figures)[]) {
      total[name] += world.figures[name]
    }
    total.seconds = Number(process.hrtime.bigint() - startedAt) / 1e9
    if (total.worlds % 100 === 0) onProgress(total)
  }
  return total
}
