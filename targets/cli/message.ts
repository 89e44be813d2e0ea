/**
 * The body of a MESSAGE record: docs/FLASH-FORMAT.md, section 4.1. Knows nothing of topics that
 * other records tell.
 */
import { uint16, uint32 } from './sector.js'

export interface Body {
  readonly qos: number
  readonly retain: boolean
  /** It was sent before it was written. */
  readonly wasSent: boolean
  /** null: `topicNumber` names it. */
  readonly topic: Uint8Array | null
  readonly topicNumber: number
  /** Seconds since the time base; -1: none. */
  readonly timeDelta: number
  readonly properties: Uint8Array
  readonly payload: Uint8Array
  /** The payload's bytes when it stands in FRAGMENT records; else -1. */
  readonly fragmentsLength: number
}

/** Takes a body apart; null when its lengths do not add up. */
export function readBody(body: Uint8Array): Body | null {
  const flags = body[0]
  if (flags === undefined || (flags & 3) === 3) return null
  let at = 1
  /** The next `length` bytes; shorter when they are not there. */
  const take = (length: number) => body.subarray(at, (at += length))
  let topic: Uint8Array | null = null
  let topicNumber = 0
  if (flags & 8) {
    if (body.length < 3) return null
    topic = take(2 + uint16(body, at)).subarray(2)
  } else {
    topicNumber = take(1)[0] ?? 0
    if (topicNumber === 0) return null
  }
  let timeDelta = -1
  if (flags & 16) {
    const bytes = take(2)
    if (bytes.length < 2) return null
    timeDelta = uint16(bytes, 0)
  }
  let properties = new Uint8Array(0)
  if (flags & 32) {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = take(1)[0]
      if (byte === undefined || shift > 21) return null
      length |= (byte & 127) << shift
      if (byte < 128) break
    }
    properties = new Uint8Array(take(length))
  }
  if (at > body.length) return null
  const payload = body.subarray(at)
  const isFragmented = (flags & 64) !== 0
  if (isFragmented && payload.length !== 4) return null
  return {
    qos: flags & 3,
    retain: (flags & 4) !== 0,
    wasSent: (flags & 128) !== 0,
    topic,
    topicNumber,
    timeDelta,
    properties,
    payload: isFragmented ? new Uint8Array(0) : payload,
    fragmentsLength: isFragmented ? uint32(payload, 0) : -1,
  }
}
