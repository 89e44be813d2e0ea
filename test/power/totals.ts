/** What a power run counts, and the failures it met, each with the case that repeats it. */
import type { PowerCase } from './cases.js'

export interface Totals {
  /** Cuts of depth 1, 3, and of the exchanges with a broker. */
  cuts: number
  failures: number
  /** Cases whose second cut came during the recovery from the first. */
  depth2Cuts: number
  depth2Failures: number
  /** Of the failures: an erase was cut that left its sector blank but weak. */
  weakBlankFailures: number
  /** The most messages of QoS 1 that one cut brought to the broker again. */
  redeliveriesMax: number
  /** Messages of QoS 2 that a subscriber got twice. */
  qos2Duplicates: number
  /** Of the failures: something came out that was never put in. */
  corruptDelivered: number
  doubleProgrammedBytes: number
}

/** Beside the totals: what a run tells people on stderr. */
export interface Outcome {
  readonly totals: Totals
  /** Bits flipped, those that cost messages, the most one cost, and losses nothing reported. */
  flips: number
  harmfulFlips: number
  mostLost: number
  unreportedLosses: number
  /** The first failures, as the lines that are printed. */
  readonly notes: string[]
}

const NOTES_KEPT = 5
const FALSE_DELIVERY =
  /never accepted|payload of|topic of|size of|time of|QoS of|messages come in order/

export function emptyOutcome(): Outcome {
  return {
    totals: {
      cuts: 0,
      failures: 0,
      depth2Cuts: 0,
      depth2Failures: 0,
      weakBlankFailures: 0,
      redeliveriesMax: 0,
      qos2Duplicates: 0,
      corruptDelivered: 0,
      doubleProgrammedBytes: 0,
    },
    flips: 0,
    harmfulFlips: 0,
    mostLost: 0,
    unreportedLosses: 0,
    notes: [],
  }
}

export function addOutcome(sum: Outcome, part: Outcome): void {
  for (const key of Object.keys(sum.totals) as (keyof Totals)[]) {
    const value = part.totals[key]
    if (key === 'redeliveriesMax') sum.totals[key] = Math.max(sum.totals[key], value)
    else sum.totals[key] += value
  }
  sum.flips += part.flips
  sum.harmfulFlips += part.harmfulFlips
  sum.mostLost = Math.max(sum.mostLost, part.mostLost)
  sum.unreportedLosses += part.unreportedLosses
  for (const note of part.notes) if (sum.notes.length < NOTES_KEPT) sum.notes.push(note)
}

/** The command that runs one case alone. */
export function repeatCommand(powerCase: PowerCase): string {
  return `npm run test:power -- --case '${JSON.stringify(powerCase)}'`
}

export function noteFailure(outcome: Outcome, powerCase: PowerCase, error: unknown): void {
  const { totals } = outcome
  const message = error instanceof Error ? error.message : String(error)
  const cuts = powerCase.cuts ?? []
  if (cuts.length === 2) totals.depth2Failures++
  else totals.failures++
  if (cuts.some(([, tear]) => tear === 'weak')) totals.weakBlankFailures++
  if (FALSE_DELIVERY.test(message)) totals.corruptDelivered++
  if (outcome.notes.length < NOTES_KEPT) {
    outcome.notes.push(`${message.split('\n')[0]}\n  repeat: ${repeatCommand(powerCase)}`)
  }
}
