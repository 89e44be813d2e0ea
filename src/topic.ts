/**
 * Topic names and topic filters as bytes, MQTT 5 and 3.1.1 section 4.7.
 *
 * Works on UTF-8 that has been checked. Knows nothing of subscriptions.
 */
const SLASH = 0x2f
const PLUS = 0x2b
const HASH = 0x23
const DOLLAR = 0x24
const MAX_TOPIC = 65535
const SHARE = '$share/'

/** True for a topic a PUBLISH can name: 1 to 65,535 bytes, no wildcard, no U+0000. */
export function isTopicName(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < 1 || length > MAX_TOPIC) return false // [MQTT-4.7.3-1] [MQTT-4.7.3-3]
  for (let index = at; index < at + length; index++) {
    const byte = bytes[index]!
    if (byte === PLUS || byte === HASH || byte === 0) return false // [MQTT-3.3.2-2] [MQTT-4.7.3-2]
  }
  return true
}

function startsWithShare(filter: Uint8Array): boolean {
  for (let index = 0; index < SHARE.length; index++) {
    if (filter[index] !== SHARE.charCodeAt(index)) return false
  }
  return true
}

/** Where the part of a filter that is matched begins: behind `$share/name/`, or at 0. */
export function sharedPrefix(filter: Uint8Array): number {
  if (!startsWithShare(filter)) return 0
  for (let index = SHARE.length; index < filter.length; index++) {
    if (filter[index] === SLASH) return index + 1
  }
  return 0
}

/** True for a topic filter: wildcards stand alone in their level, `#` only at the end. */
export function isTopicFilter(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < 1 || length > MAX_TOPIC) return false
  const end = at + length
  for (let index = at; index < end; index++) {
    const byte = bytes[index]!
    if (byte === 0) return false
    if (byte !== PLUS && byte !== HASH) continue
    if (index > at && bytes[index - 1] !== SLASH) return false // [MQTT-4.7.1-1] [MQTT-4.7.1-2]
    if (byte === HASH && index + 1 !== end) return false
    if (byte === PLUS && index + 1 !== end && bytes[index + 1] !== SLASH) return false
  }
  return true
}

/** True for what SUBSCRIBE may ask for: a filter, or $share/name/ and a filter [MQTT-4.8.2-1]. */
export function isSubscription(filter: Uint8Array): boolean {
  if (!startsWithShare(filter)) return isTopicFilter(filter, 0, filter.length)
  const at = sharedPrefix(filter)
  const nameLength = at - SHARE.length - 1
  return (
    isTopicName(filter, SHARE.length, nameLength) && isTopicFilter(filter, at, filter.length - at)
  )
}

/** True when the filter from `filterAt` on matches the topic, level by level (section 4.7.1). */
export function matches(
  filter: Uint8Array,
  filterAt: number,
  topic: Uint8Array,
  topicAt: number,
  topicLength: number,
): boolean {
  const topicEnd = topicAt + topicLength
  const first = filter[filterAt]!
  // A wildcard at the start never matches $SYS and its like [MQTT-4.7.2-1].
  if ((first === PLUS || first === HASH) && topic[topicAt] === DOLLAR) return false
  let at = topicAt
  let index = filterAt
  while (index < filter.length) {
    const byte = filter[index]!
    if (byte === HASH) return true
    if (byte === PLUS) {
      while (at < topicEnd && topic[at] !== SLASH) at++
      index++
    } else if (at < topicEnd && topic[at] === byte) {
      at++
      index++
    } else {
      // "sport/#" also matches "sport", its parent level.
      return (
        at === topicEnd &&
        byte === SLASH &&
        index + 2 === filter.length &&
        filter[index + 1] === HASH
      )
    }
  }
  return at === topicEnd
}
