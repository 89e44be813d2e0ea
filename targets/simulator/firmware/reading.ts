/**
 * The readings of the simulated sensor. Reading n of a seed is always the same text, so that the
 * harness can say of any message whether it is the one that was published. Pure: no device here.
 */

/** Every fifth reading is worth the longer exchange. */
const QOS2_EVERY = 5
const SENSOR_COUNT = 4
const NOTES = 'steady rising falling door-open self-test calibrated low-battery'.split(' ')

/** A number from 0 to 2^32 - 1 that depends on all bits of both: two rounds of xorshift. */
function mix(seed: number, n: number): number {
  let x = (seed ^ (n * 0x9e3b)) | 0
  if (x === 0) x = 0x5bd1e995
  for (let round = 0; round < 4; round++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    x = (x + n) | 0
  }
  return x >>> 0
}

export function readingQos(n: number): number {
  return n % QOS2_EVERY === 0 ? 2 : 1
}

export function readingTopic(prefix: string, n: number): string {
  return prefix + '/sensors/' + (n % SENSOR_COUNT) + '/temperature'
}

/** ASCII only: as many bytes as characters. */
export function readingPayload(seed: number, n: number): string {
  const draw = mix(seed, n)
  const degrees = ((draw % 6000) / 100 - 20).toFixed(2)
  // Lengths differ, so that records end anywhere in a write unit and in a sector.
  let note = ''
  for (let words = (draw >>> 16) % 6; words > 0; words--) {
    note += (note === '' ? '' : ' ') + NOTES[(draw >>> (words * 3)) % NOTES.length]!
  }
  const check = mix(draw, seed).toString(16)
  return '{"n":' + n + ',"t":' + degrees + ',"note":"' + note + '","check":"' + check + '"}'
}

/** The number in a payload, or -1: enough to look up what the payload should have been. */
export function readingNumber(payload: string): number {
  const match = /^\{"n":(\d{1,10}),/.exec(payload)
  return match ? Number(match[1]) : -1
}
