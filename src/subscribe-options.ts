/**
 * What an application says about a subscription, checked where it is given. Knows nothing of
 * connections.
 */
import type { SubscribeFilter } from './codec/encode.js'
import { MAX_REMAINING_LENGTH } from './codec/protocol.js'
import { fail, integer, toBytes } from './checks.js'
import { isSubscription, sharedPrefix } from './topic.js'

export interface SubscribeOptions {
  /** The highest QoS wanted. Default 0. */
  qos?: number
  noLocal?: boolean
  retainAsPublished?: boolean
  /** 0, 1 or 2: retained messages always, for a new subscription, never. */
  retainHandling?: number
  /**
   * MQTT 5: a Subscription Identifier, 1 to 268,435,455. Messages have it in
   * `properties.subscriptionIdentifiers`.
   */
  identifier?: number
}

/** The bytes of a filter; throws for what is none and for what no SUBSCRIBE could hold. */
export function subscriptionBytes(filter: string, sendBufferSize: number): Uint8Array {
  const bytes = toBytes(filter, 'filter')
  if (!isSubscription(bytes)) fail('filter', filter, 'a topic filter, or $share/name/filter')
  if (bytes.length + 16 > sendBufferSize >> 1) {
    fail('filter', bytes.length + ' bytes', 'at most half of sendBufferSize')
  }
  return bytes
}

/** The entry of a SUBSCRIBE; throws and names the option that is wrong. */
export function subscribeFilter(
  filter: string,
  bytes: Uint8Array,
  options: SubscribeOptions,
): SubscribeFilter {
  if (options.noLocal === true && sharedPrefix(bytes) > 0) {
    fail('noLocal', true, 'false for a shared subscription') // [MQTT-3.8.3-4]
  }
  return {
    filter,
    qos: integer(options.qos, 'qos', 0, 0, 2),
    noLocal: options.noLocal === true,
    retainAsPublished: options.retainAsPublished === true,
    retainHandling: integer(options.retainHandling, 'retainHandling', 0, 0, 2),
    identifier: integer(options.identifier, 'identifier', 0, 1, MAX_REMAINING_LENGTH),
  }
}
