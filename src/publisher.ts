/**
 * Publisher: a topic prepared once, so that publishing to it allocates nothing.
 *
 * It holds the topic and the properties as bytes and remembers by which number the sector being
 * written knows the topic. Made by `client.publisher(topic, options)`.
 */
import type { MessageSource } from './store/message-record.js'

/** What a publisher hands its payload to: the client. */
export interface PayloadSink {
  publishSource(
    source: MessageSource,
    isTimed: boolean,
    payload: Uint8Array,
    at: number,
    length: number,
  ): number
}

export class Publisher {
  private readonly sink: PayloadSink
  private readonly source: MessageSource
  private readonly isTimed: boolean

  constructor(sink: PayloadSink, source: MessageSource, isTimed: boolean) {
    this.sink = sink
    this.source = source
    this.isTimed = isTimed
  }

  /**
   * Publishes `length` bytes of `payload` from `at` on. Returns a ticket above 0 once the message
   * is kept (on flash with `storage`), 0 for a QoS 0 message that was handed to the connection, or
   * a negative status, as `MqttClient.publish` does.
   */
  publish(payload: Uint8Array, at: number, length: number): number {
    return this.sink.publishSource(this.source, this.isTimed, payload, at, length)
  }
}
