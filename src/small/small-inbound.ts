/**
 * SmallInbound: messages that arrive: PUBLISH, and PUBREL that ends one of QoS 2. A message that is
 * larger than the receive buffer is told of and answered as others are: unanswered it would come
 * again on each connection, and nothing behind it.
 */
import { readUint16 } from '../codec/bytes.js'
import { PUBACK, PUBCOMP, PUBREC, REASON_MALFORMED_PACKET } from '../codec/protocol.js'
import { checkUtf8 } from '../codec/utf8.js'
import { ERR_TOO_LARGE, OK, type Status } from '../status.js'
import { INBOUND_LIMIT, type Outbox } from './outbox.js'
import type { SmallEvents } from './small-events.js'
import { MessageView } from './small-message.js'
import type { SmallSubscriptions } from './small-subscriptions.js'
import type { Wire } from './wire.js'

export class SmallInbound {
  private readonly outbox: Outbox
  private readonly events: SmallEvents
  private readonly wire: Wire
  private readonly subscriptions: SmallSubscriptions
  private readonly message: MessageView
  /** The answer to a message that is being passed over, or 0, and its identifier. */
  private skipAnswer: number
  private skipId: number

  constructor(outbox: Outbox, events: SmallEvents, wire: Wire, subscriptions: SmallSubscriptions) {
    this.outbox = outbox
    this.events = events
    this.wire = wire
    this.subscriptions = subscriptions
    this.message = new MessageView(wire.rx)
    this.skipAnswer = 0
    this.skipId = 0
  }

  /** PUBLISH: OK, Malformed Packet, ERR_TOO_LARGE, ERR_STORAGE. */
  onPublish(): Status {
    const wire = this.wire
    const message = this.message
    const rx = wire.rx
    const qos = (wire.first >> 1) & 3
    const topicAt = wire.bodyAt + 2
    const topicLength = readUint16(rx, wire.bodyAt)
    const payloadAt = topicAt + topicLength + (qos > 0 ? 2 : 0)
    if (wire.isCut && payloadAt > wire.bodyEnd) return ERR_TOO_LARGE
    const packetId = qos > 0 ? readUint16(rx, payloadAt - 2) : 1
    if (
      qos > 2 ||
      (wire.first & 14) === 8 || // DUP without QoS [MQTT-3.3.1-2]
      topicLength === 0 ||
      payloadAt > wire.bodyEnd ||
      packetId === 0 ||
      checkUtf8(rx, topicAt, topicLength, true) !== 0
    ) {
      return -REASON_MALFORMED_PACKET
    }
    message.topicAt = topicAt
    message.topicLength = topicLength
    message.payloadAt = payloadAt
    message.payloadEnd = wire.bodyEnd
    message.qos = qos
    message.retain = (wire.first & 1) > 0
    message.dup = (wire.first & 8) > 0
    this.skipAnswer = 0
    const answer = qos === 0 ? 0 : (qos === 1 ? PUBACK : PUBREC) << 4
    if (qos === 2 && this.outbox.inbound.indexOf(packetId) < 0) {
      const inbound = this.outbox.inbound
      // No room for one more: without an answer it comes again on the next connection.
      if (inbound.length === INBOUND_LIMIT) return OK
      this.deliver()
      inbound.push(packetId)
      const status = this.outbox.save()
      if (status !== OK) return status
    } else if (qos < 2) this.deliver()
    if (wire.isCut) {
      this.skipAnswer = answer
      this.skipId = packetId
    } else if (answer > 0) wire.put(answer, packetId)
    return OK
  }

  /** Gives the message to its handlers; or says that it is larger than the buffer. */
  private deliver(): void {
    const message = this.message
    if (this.wire.isCut) {
      this.events.emit('message.dropped', 0, ERR_TOO_LARGE, message.topic)
      return
    }
    this.subscriptions.dispatch(message)
    this.events.tell(message)
  }

  /** PUBREL: OK or ERR_STORAGE. */
  onPubrel(packetId: number): Status {
    // Durable first: after PUBCOMP the broker may use the identifier for a new message, which must
    // not be taken for a repeat after a reboot [MQTT-4.3.3-2].
    const inbound = this.outbox.inbound
    const index = inbound.indexOf(packetId)
    if (index >= 0) {
      inbound.splice(index, 1)
      const status = this.outbox.save()
      if (status !== OK) return status
    }
    this.wire.put(PUBCOMP << 4, packetId)
    return OK
  }

  /** The message that was too large has been passed over. */
  onSkipped(): void {
    if (this.skipAnswer > 0) this.wire.put(this.skipAnswer, this.skipId)
  }
}
