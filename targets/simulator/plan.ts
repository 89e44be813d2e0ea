/**
 * The plan of a run: what happens at which boot. Everything here follows from the numbers of
 * messages and cuts and from the seed.
 */
import { Random } from '../../hal/memory/random.js'

/** A cut at a flash operation that somebody asked for; operation 0 for none. */
export interface PlannedCut {
  readonly operation: number
  readonly seed: number
}

export interface PlannedBoot {
  /** In words, for the progress. */
  readonly title: string
  /** The network goes up or down once so many readings are accepted. The first entry is for 0. */
  readonly network: readonly { readonly accepted: number; readonly isUp: boolean }[]
  /** The flash operation of this boot in which the power is cut; 0 for none. */
  readonly cutAt: number
  readonly cutSeed: number
  /** Publish only when connected, so that a cut meets exchanges that are under way. */
  readonly waitsForBroker: boolean
}

/** A cut within so many operations hits mount and recovery, or the first writes after them. */
const RECOVERY_OPERATIONS = 4

/**
 * Each accepted message takes at least one flash operation, so the cuts of all boots together stay
 * below the number of messages: every one comes true. `firstCut` replaces the cut of the first
 * boot, and keeps to the same limit.
 */
export function planBoots(
  messages: number,
  powerCuts: number,
  seed: number,
  firstCut: PlannedCut = { operation: 0, seed: 0 },
): PlannedBoot[] {
  const chance = new Random(seed)
  const third = Math.floor(messages * 0.3)
  const up = [{ accepted: 0, isUp: true }]
  const down = [{ accepted: 0, isUp: false }]
  const upThenDown = [...up, { accepted: third, isUp: false }]
  const boots: PlannedBoot[] = []
  const add = (
    title: string,
    network: PlannedBoot['network'],
    cutAt: number,
    waitsForBroker = false,
  ): void => {
    boots.push({ title, network, cutAt, cutSeed: chance.next(), waitsForBroker })
  }
  if (powerCuts === 0) {
    add('without a power cut', [...upThenDown, { accepted: third * 2, isUp: true }], 0)
    return boots
  }
  const half = Math.floor(messages / 2)
  add('until the network, then the power is gone', upThenDown, half + chance.below(third / 3 + 1))
  const share = Math.max(1, Math.floor((messages * 0.3) / powerCuts))
  for (let cut = 2; cut <= powerCuts; cut++) {
    if (cut === 2) add('cut again during recovery', down, 1 + chance.below(RECOVERY_OPERATIONS))
    else if (cut % 2 === 1) add('cut while it sends', up, 1 + chance.below(share), true)
    else add('cut without a network', down, 1 + chance.below(share))
  }
  // The second loss meets a device that stays up and has exchanges under way: it must resume them.
  const changes = [
    { accepted: Math.floor(messages * 0.8), isUp: true },
    { accepted: Math.floor(messages * 0.9), isUp: false },
    { accepted: Math.floor(messages * 0.95), isUp: true },
  ]
  add('until the network is back and the queue empty', [...down, ...changes], 0)
  if (firstCut.operation > 0 && boots[0]!.cutAt > 0) {
    boots[0] = { ...boots[0]!, cutAt: firstCut.operation, cutSeed: firstCut.seed }
  }
  return boots
}
