/**
 * MQTTClient: the MQTT Client Class Pattern of ECMA-419, clause 25, over a Holdfast client.
 *
 * Code that is written for `embedded:network/mqtt/client` gains a queue that survives reboots,
 * reconnects and QoS 2 by importing this class instead. Its options say under `holdfast` what the
 * platform brings:
 *
 *   import MQTTClient from 'holdfast/ecma419'
 *   new MQTTClient({ host, id, onControl, onReadable, holdfast: { system, transport, run } })
 *
 * What differs from the class of the standard, which clause 25 leaves to "layers built on" it:
 *
 *   - A broken connection is made anew and does not call `onError`; CONNACK is reported again.
 *   - Between connections `write` goes on: messages wait in the queue, in RAM or in `storage`.
 *   - The Packet Identifier on the wire is the session's; `onControl` reports the `id` of `write`.
 *   - A message that is received is whole where its packet fits `receiveBufferSize`; a larger one,
 *     up to `maximumPacketSize`, comes in parts. CONNACK before its last part: it broke off, and
 *     with QoS 1 and 2 comes again from its first byte.
 *   - One that is written, at once or in parts, may be larger than `sendBufferSize` with `storage`,
 *     up to half of a lane: it is on flash as it comes, and sent when its last part is there. Else
 *     `write` refuses it.
 *   - PUBACK, PUBREC, PUBREL and PUBCOMP are the session's to send; `write` of one does nothing.
 *   - What the application leaves unread when `onReadable` returns holds up the connection until
 *     it is read, without a limit in time; a message has its answer already.
 */
import type { MqttClient } from '../client.js'
import { CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP } from '../codec/protocol.js'
import { PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL } from '../codec/protocol.js'
import { SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE } from '../codec/protocol.js'
import type {
  ByteBuffer,
  HoldfastOptions,
  MQTTClientFace,
  MQTTClientOptions,
  WriteOptions,
} from './pattern.js'
import { Turn } from './turn.js'

export type {
  ByteBuffer,
  ControlMessage,
  HoldfastOptions,
  MQTTClientOptions,
  Polled,
  ReadableOptions,
  Running,
  WillPattern,
  WriteOptions,
} from './pattern.js'

export class MQTTClient implements MQTTClientFace {
  /** Belongs to the application (clause 8). So does every property that is not named here. */
  target: unknown
  /** The client below: its events, `stats`, `publish` with MQTT 5 properties. */
  readonly holdfast: MqttClient
  private readonly holdfastTurn: Turn

  /**
   * Throws for a mistake in the options; connects otherwise, and calls nothing before a turn.
   * `platform` is for subclasses that bring what `options.holdfast` would have to.
   */
  constructor(options: MQTTClientOptions, platform?: Partial<HoldfastOptions>) {
    this.holdfastTurn = new Turn(this, options, platform)
    this.holdfast = this.holdfastTurn.client
    this.target = options.target
  }

  /** Always "buffer". */
  get format(): string {
    this.holdfastTurn.check()
    return 'buffer'
  }

  set format(value: string) {
    this.holdfastTurn.check()
    if (value !== 'buffer') throw new Error('format is ' + value + '; it must be "buffer"')
  }

  /**
   * Bytes of the current message, or part of one: a number of them, all that are there, or as
   * many as the buffer takes. Returns an ArrayBuffer, for a buffer the count, and undefined when
   * all is read.
   */
  read(): ArrayBuffer | undefined
  read(byteLength: number): ArrayBuffer | undefined
  read(buffer: ByteBuffer): number | undefined
  read(option?: number | ByteBuffer): any {
    this.holdfastTurn.check()
    const result = this.holdfastTurn.reading.read(option)
    this.holdfastTurn.taken()
    return result
  }

  /**
   * Sends a message, a part of one, or a control packet. Returns how many bytes may be written.
   * Throws, and takes nothing, for what is wrong and for what has no room.
   */
  write(data: ByteBuffer | null, options?: WriteOptions): number {
    return this.holdfastTurn.write(data, options)
  }

  /** Gives everything back. Sends no DISCONNECT; what is queued stays in `storage`. */
  close(): void {
    this.holdfastTurn.close()
  }

  static get CONNECT(): number {
    return CONNECT
  }
  static get CONNACK(): number {
    return CONNACK
  }
  static get PUBLISH(): number {
    return PUBLISH
  }
  static get PUBACK(): number {
    return PUBACK
  }
  static get PUBREC(): number {
    return PUBREC
  }
  static get PUBREL(): number {
    return PUBREL
  }
  static get PUBCOMP(): number {
    return PUBCOMP
  }
  static get SUBSCRIBE(): number {
    return SUBSCRIBE
  }
  static get SUBACK(): number {
    return SUBACK
  }
  static get UNSUBSCRIBE(): number {
    return UNSUBSCRIBE
  }
  static get UNSUBACK(): number {
    return UNSUBACK
  }
  static get PINGREQ(): number {
    return PINGREQ
  }
  static get PINGRESP(): number {
    return PINGRESP
  }
  static get DISCONNECT(): number {
    return DISCONNECT
  }
}

export default MQTTClient
