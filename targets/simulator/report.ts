/**
 * The end of a run in words and as JSON, and whether every promise was kept. Knows numbers only.
 */
import type { SimulatorOptions } from './options.js'
import type { Outcome } from './scenario.js'

/** So many of a kind are named one by one. */
const MOST_NAMED = 10

/** What was broken, in words; empty when every promise was kept. */
export function violations(outcome: Outcome): string[] {
  const { findings, flash } = outcome
  const broken = [...outcome.troubles]
  list(broken, 'accepted and lost: reading', findings.lost)
  list(broken, 'QoS 2 and delivered twice: reading', findings.duplicatesQos2)
  list(broken, 'out of order: reading', findings.reordered)
  list(broken, 'corrupt:', findings.corrupt)
  if (flash.doubleProgrammedBytes > 0) {
    broken.push(`${flash.doubleProgrammedBytes} bytes of flash were programmed twice`)
  }
  return broken
}

function list(broken: string[], words: string, items: readonly (number | string)[]): void {
  for (const item of items.slice(0, MOST_NAMED)) broken.push(`${words} ${item}`)
  const more = items.length - MOST_NAMED
  if (more > 0) broken.push(`${words} … and ${more} more`)
}

export function toJson(outcome: Outcome, options: SimulatorOptions, engine: string): string {
  const { findings, flash } = outcome
  return JSON.stringify({
    accepted: outcome.ledger.accepted.size,
    delivered: findings.delivered,
    lost: findings.lost.length,
    duplicatesQos1: findings.duplicatesQos1,
    duplicatesQos2: findings.duplicatesQos2.length,
    corrupt: findings.corrupt.length,
    reordered: findings.reordered.length,
    powerCuts: outcome.cuts.length,
    flash: {
      programmedBytes: flash.programmedBytes,
      payloadBytes: outcome.payloadBytes,
      erases: flash.erases,
      doubleProgrammedBytes: flash.doubleProgrammedBytes,
    },
    engine,
    protocol: options.protocol,
  })
}

export function summary(outcome: Outcome, seconds: number): string[] {
  const { findings, flash, ledger, cuts } = outcome
  const torn = ledger.begun.size - ledger.accepted.size
  const amplification = (flash.programmedBytes / Math.max(1, outcome.payloadBytes)).toFixed(2)
  const lines = [
    '',
    `accepted     ${count(ledger.accepted.size, 'message')}` +
      (torn > 0 ? `, and ${torn} that a power cut met inside publish` : ''),
    `network      gone ${count(outcome.networkCuts, 'time')}, ` +
      `${count(outcome.refused, 'attempt')} to connect refused`,
  ]
  cuts.forEach((cut, index) => {
    const found =
      cut.found < 0 ? 'cut again before it was up' : `${cut.found} found at the next boot`
    lines.push(
      `power cut ${index + 1}  in flash operation ${cut.operation} of its boot, ` +
        `network ${cut.isNetworkUp ? 'up' : 'down'}: ${cut.waiting} on flash, ${found}`,
    )
  })
  if (ledger.sessionsLost > 0) {
    lines.push(`session      lost by the broker ${count(ledger.sessionsLost, 'time')}`)
  }
  lines.push(
    `delivered    ${findings.delivered} of ${ledger.accepted.size}; ` +
      `lost ${findings.lost.length}, corrupt ${findings.corrupt.length}, ` +
      `out of order ${findings.reordered.length}`,
    `twice        QoS 1: ${findings.duplicatesQos1} (allowed), ` +
      `QoS 2: ${findings.duplicatesQos2.length}`,
    `flash        ${flash.programmedBytes} bytes programmed for ${outcome.payloadBytes} bytes of ` +
      `payload (${amplification}), ${flash.erases} sectors erased, ` +
      `${flash.doubleProgrammedBytes} bytes programmed twice`,
    `time         ${seconds.toFixed(1)} s`,
    '',
  )
  const broken = violations(outcome)
  if (broken.length === 0) return [...lines, 'Every promise was kept.']
  return [...lines, 'BROKEN:', ...broken.map((line) => '  ' + line)]
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
