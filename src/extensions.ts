/**
 * Extensions: what can be added to a client by an option, as the session sees it. Who does not add
 * one does not have its code in the bundle.
 *
 *   aliases          holdfast/aliases          TopicAliases
 *   manualAck        holdfast/manual-ack       ManualAck
 *   authentication   holdfast/authentication   Authentication
 *
 * Each belongs to one client. Interfaces only; the session calls them from `poll`, the client where
 * a call of its own is meant.
 */
import type { ReceivedPacket } from './codec/decode.js'
import type { ConnectOptions } from './codec/encode.js'
import type { ClientEvent } from './events.js'
import type { InboundMessage } from './inbound-message.js'
import type { Status } from './status.js'
import type { SessionState } from './store/session-state.js'

/** What an extension may use of the connection of the moment (`session/connection.ts`). */
export interface ConnectionFace {
  readonly settings: {
    readonly version: number
    readonly receiveMaximum: number
    readonly connectTimeoutMs: number
    readonly connect: ConnectOptions | null
  }
  readonly events: {
    readonly event: ClientEvent
    has(index: number): boolean
    emit(index: number): boolean
  }
  readonly state: SessionState
  readonly limits: { readonly maximumPacketSize: number }
  readonly sendBuffer: {
    readonly bytes: Uint8Array
    readonly end: number
    hasRoom(size: number): boolean
    added(end: number): void
  }
  readonly reader: { readonly bytes: Uint8Array }
  readonly message: InboundMessage
  readonly isConnected: boolean
  readonly epoch: number
  readonly heldBefore: number
  readonly now: number
  fail(status: Status): void
}

/** What the acknowledging extension may use of the inbound side (`session/inbound.ts`). */
export interface InboundFace {
  readonly connection: ConnectionFace
  /** Gives the message to its handlers: false when there is none. */
  handOver(packet: ReceivedPacket): boolean
  /** Remembers the identifier of a QoS 2 message durably: false when that failed. */
  own(packetId: number): boolean
  answer(type: number, packetId: number, reasonCode: number): void
}

/** Topic Aliases of the connection of the moment, sections 3.3.2.3.4 of MQTT 5. */
export interface TopicAliasing {
  /** Topic Alias Maximum for CONNECT; 0: the broker may use none. */
  readonly receiveLimit: number
  /** A new connection, on which the broker takes so many: nothing is known on it [MQTT-3.3.2-7]. */
  reset(topicAliasMaximum: number): void
  /**
   * The alias for a topic that is about to be sent: above 0, the broker knows it; below 0, it is
   * new, its number with a minus sign, and the topic must be sent with it; 0, none. A new one is
   * made only if `mayAdd`.
   */
  choose(topic: Uint8Array, at: number, length: number, mayAdd: boolean): number
  /** Learns the message's topic, or fills it in where it is empty: OK, or minus a Reason Code. */
  received(alias: number, message: InboundMessage): Status
}

/** Acknowledgement by the application instead of the client. */
export interface Acknowledging {
  bind(inbound: InboundFace): void
  /** PUBLISH with QoS 1 or 2 arrived. */
  onPublish(packet: ReceivedPacket): void
  /** Encodes the answers whose turn has come, as far as there is room. */
  send(): void
  acknowledge(token: number): Status
}

/** Enhanced authentication, section 4.12 of MQTT 5. */
export interface Authenticating {
  readonly method: string
  bind(connection: ConnectionFace): void
  /** Writes CONNECT with the method's first data: the offset after it, or negative. */
  writeConnect(isClean: boolean): number
  onAuth(packet: ReceivedPacket): void
  /** False when the CONNACK is not to be believed; then it has called `fail`. */
  onConnack(packet: ReceivedPacket): boolean
  /** Encodes the AUTH that is due, if there is room for it. */
  send(): void
  /** Milliseconds until the exchange has taken too long; then it has called `fail`. */
  leftMs(): number
  reauthenticate(): Status
}

/** Work of a helper that has times of its own; see `MqttClient.attach`. */
export interface Task {
  /** Called at the end of each `poll`. Returns as `poll` does. */
  poll(now: number): number
}
