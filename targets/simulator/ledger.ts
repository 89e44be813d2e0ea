/**
 * What the device said it did, and the judgement over what arrived. The ledger is outside the
 * device, so that it survives every power cut. Knows no process, no broker and no network.
 *
 * The lines a device reports, one at a time:
 *   booted <queued>                      the client is up, with so many messages on flash
 *   publishing <n>                       reading n is about to be published
 *   accepted <n> <qos> <ticket>          publish returned success
 *   refused <n> <words>                  publish did not take it
 *   acked <ticket>                       the broker has it
 *   dropped <ticket> <words>             the client gave it up
 *   connected <session present>          0 or 1
 *   disconnected <words>
 *   lost <count>                         the broker lost the session with so many in flight
 *   failed <words>                       the storage failed
 *   drained, stopped                     the queue is empty; DISCONNECT has left
 */
import { readingNumber, readingPayload, readingQos, readingTopic } from './firmware/reading.js'

/** One message as the subscriber got it; the payload as latin1, a character for each byte. */
export interface Delivery {
  readonly topic: string
  readonly payload: string
  readonly qos: number
}

export class Ledger {
  /** Readings of which publish was called: also those of which nobody knows how it ended. */
  readonly begun = new Set<number>()
  readonly accepted = new Set<number>()
  /** Tickets the broker has acknowledged, as far as the device came to say so. */
  readonly acked = new Set<number>()
  /** What should never be reported, in words. */
  readonly troubles: string[] = []
  connects = 0
  sessionsLost = 0
  /** What the device found on flash at its last boot. */
  queuedAtBoot = 0
  isDrained = false
  /** Lines so far: a device that reports nothing more hangs. */
  lineCount = 0
  private next = 1

  /** Takes one line of the device. */
  note(line: string): void {
    const [verb, first = '', ...rest] = line.split(' ')
    this.lineCount++
    if (verb === 'publishing') this.begun.add(Number(first))
    else if (verb === 'accepted') this.accepted.add(Number(first))
    else if (verb === 'acked') this.acked.add(Number(first))
    else if (verb === 'connected') this.connects++
    else if (verb === 'lost') this.sessionsLost++
    else if (verb === 'drained') this.isDrained = true
    else if (verb === 'booted') {
      this.queuedAtBoot = Number(first)
      this.isDrained = false
    } else if (verb === 'dropped') {
      this.troubles.push(`message ${first} was dropped by the client: ${rest.join(' ')}`)
    } else if (verb === 'failed') {
      this.troubles.push(`the storage failed: ${[first, ...rest].join(' ')}`)
    } else if (verb !== 'refused' && verb !== 'disconnected' && verb !== 'stopped') {
      this.troubles.push(`the device reported "${line}", which means nothing`)
    }
    // A reading that was refused was not kept, and its number is free. One whose publish the power
    // cut tore may have been kept, and its number is not.
    if (verb === 'publishing') this.next = Number(first) + 1
    else if (verb === 'refused') this.next = Number(first)
  }

  /** The number with which the next boot goes on. */
  get nextNumber(): number {
    return this.next
  }

  /** Accepted and not yet acknowledged: all of them must be on flash. */
  get waitingCount(): number {
    return this.accepted.size - this.acked.size
  }

  payloadBytes(seed: number): number {
    let sum = 0
    for (const n of this.accepted) sum += readingPayload(seed, n).length
    return sum
  }
}

/** What a run comes to. Each list names readings, so that a person can look for them. */
export interface Findings {
  /** Accepted readings that arrived. */
  readonly delivered: number
  readonly lost: readonly number[]
  /** QoS 1 may come twice. */
  readonly duplicatesQos1: number
  readonly duplicatesQos2: readonly number[]
  /** Changed, or never published, or at the wrong QoS; in words. */
  readonly corrupt: readonly string[]
  /** Came for the first time after a later reading of the same QoS. */
  readonly reordered: readonly number[]
}

/**
 * Judges the deliveries, in the order of arrival. Order holds for each QoS by itself: a broker
 * passes QoS 1 on at PUBLISH and may pass QoS 2 on at PUBREL.
 */
export function judge(
  ledger: Pick<Ledger, 'accepted' | 'begun'>,
  deliveries: readonly Delivery[],
  topicPrefix: string,
  seed: number,
): Findings {
  const seen = new Set<number>()
  const latest = [0, 0, 0]
  const duplicatesQos2: number[] = []
  const corrupt: string[] = []
  const reordered: number[] = []
  let duplicatesQos1 = 0
  for (const delivery of deliveries) {
    const n = readingNumber(delivery.payload)
    const flaw = flawOf(delivery, n, ledger.begun, topicPrefix, seed)
    if (flaw !== '') {
      corrupt.push(flaw)
    } else if (seen.has(n)) {
      if (delivery.qos === 2) duplicatesQos2.push(n)
      else duplicatesQos1++
    } else {
      seen.add(n)
      // Readings are published in the order of their numbers.
      if (n < latest[delivery.qos]!) reordered.push(n)
      else latest[delivery.qos] = n
    }
  }
  const lost = [...ledger.accepted].filter((n) => !seen.has(n))
  const delivered = ledger.accepted.size - lost.length
  return { delivered, lost, duplicatesQos1, duplicatesQos2, corrupt, reordered }
}

function flawOf(
  delivery: Delivery,
  n: number,
  begun: ReadonlySet<number>,
  topicPrefix: string,
  seed: number,
): string {
  if (n < 0) return `not a reading: ${JSON.stringify(delivery.payload.slice(0, 80))}`
  if (!begun.has(n)) return `reading ${n} was never published`
  if (delivery.payload !== readingPayload(seed, n)) return `reading ${n} has another payload`
  if (delivery.topic !== readingTopic(topicPrefix, n)) return `reading ${n} has another topic`
  if (delivery.qos !== readingQos(n)) return `reading ${n} came with QoS ${delivery.qos}`
  return ''
}
