/**
 * The watch for the small client: what must be true of it after each of its steps. It knows the
 * insides of that client by name.
 */
import type { MqttClient as SmallClient } from '../../src/small/index.js'
import type { FlashOutbox } from '../../src/small/storage.js'
import { ERR_FULL, ERR_OFFLINE, OK } from '../../src/status.js'
import type { FlashStore } from '../../src/storage.js'
import { INBOUND_LIMIT } from '../../src/small/outbox.js'
import { violate } from './world-clock.js'
import type { LaneBook } from './world-lane-book.js'
import type { OutMessage } from './world-message.js'
import { Watch } from './world-watch.js'

/** PUBLISH packets without their last answer, counted anew from what was sent. */
export function recountSmall(client: SmallClient): number {
  return client['session'].exchanges['sent'].filter((sent: number) => sent !== 0).length
}

export class SmallWatch extends Watch {
  private small: SmallClient | null = null
  private outbox: FlashOutbox | null = null

  begun(client: SmallClient, outbox: FlashOutbox): void {
    this.small = client
    this.outbox = outbox
  }

  override booted(): void {}

  override check(): void {
    const client = this.small!
    const { inFlight } = client.stats
    if (client.isConnected && inFlight !== recountSmall(client)) {
      violate(`in-flight count ${inFlight}, counted again ${recountSmall(client)}`)
    }
    const { inbound } = this.outbox!
    if (inbound.length > INBOUND_LIMIT) violate('more inbound QoS 2 identifiers than the limit')
    if (new Set(inbound).size < inbound.length) violate('an inbound identifier stands there twice')
    const { out, outEnd } = client['session'].wire
    if (outEnd > out.length) violate('bytes are put behind the send buffer')
  }

  override polled(): void {}

  override nextTicket(_: LaneBook): number {
    return this.outbox!.nextNumber
  }

  override beforePublish(_: OutMessage): void {}

  override published(message: OutMessage, ticket: number): void {
    const { qos } = message
    if (qos === 0 ? ticket === 0 || ticket === ERR_OFFLINE : ticket > 0) return
    if (ticket !== ERR_FULL) violate(`publish of QoS ${qos} returned ${ticket}`)
    if (qos > 0 && this.outbox!.count === 0) violate('publish finds an empty queue full')
  }

  /** The full client goes on with this flash, and finds nothing to send. */
  checkFull(store: FlashStore, clientId: string, broker: string): void {
    const status = store.mount(clientId, broker)
    if (status !== OK) violate('the full client cannot mount the flash: ' + status)
    for (const { log, window } of store.lanes) {
      const left = (log.nextNumber - window.base) >>> 0
      if (left !== 0) violate(`the full client finds ${left} messages`)
    }
  }
}
