import type { Status } from '../src/status.js'

/** Where a broker is and how to reach it; `src/broker-url.ts` makes one of a URL. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  /** Absent or '': the bytes of MQTT as they are. Else over WebSocket, at this path: '/mqtt'. */
  readonly path?: string
}

/** What a transport opens that does not say otherwise. */
export const TCP_SCHEMES = ' mqtt mqtts '

/** Nothing is open, or what was open has failed; `reason` has the words. */
export const TRANSPORT_CLOSED = 0
/** `open` was called and neither success nor failure is known. */
export const TRANSPORT_CONNECTING = 1
/** Bytes can be written and read. */
export const TRANSPORT_OPEN = 2

/**
 * Transport: one byte stream to a broker at a time, over TCP, TLS or WebSocket.
 *
 * Over WebSocket (`broker.path` is not empty) the implementation offers the subprotocol `mqtt` and
 * goes on only where the broker chose it [MQTT-6.0.0-3] [MQTT-6.0.0-4]. It sends binary frames; a
 * frame of text ends the connection [MQTT-6.0.0-1]. Frames and packets have nothing to do with each
 * other [MQTT-6.0.0-2]: `read` gives the bytes of the frames as one stream. What a frame may hold
 * has a limit. `test/hal/websocket-contract.ts` has these as tests.
 *
 * For the client: it calls these methods from `poll` only, never from inside `onReady`.
 * For the implementation: no call blocks, none throws for trouble of the network, and none calls
 * `onReady` before it returns. All trouble becomes `state` CLOSED plus words in `reason`.
 */
export interface Transport {
  /**
   * The URL schemes it opens, among `mqtt`, `mqtts`, `ws` and `wss`, each between spaces. Absent:
   * TCP_SCHEMES. A client whose broker has another is refused at construction.
   */
  readonly schemes?: string
  /** TRANSPORT_CLOSED, TRANSPORT_CONNECTING or TRANSPORT_OPEN. */
  readonly state: number
  /** Why the last connection failed or ended, in words; '' when it was closed by `close()`. */
  readonly reason: string
  /**
   * Called by the implementation after the state changed, bytes arrived, or room to write came
   * back. It only notes that `poll` is due. Set by the client in its constructor.
   */
  onReady: () => void

  /**
   * Begins to connect; drops an earlier connection. Returns OK, or ERR_CONNECT when it is already
   * known to fail, as with an address that asks for WebSocket where there is none. The limit on
   * the time it may take is the client's (`connectTimeoutMs`).
   */
  open(broker: BrokerAddress): Status

  /**
   * Takes up to `length` bytes and returns how many it took: 0 when there is no room now (then
   * `onReady` follows when there is), ERR_CLOSED when the connection is gone. It copies: the
   * caller may reuse `source` at once. Memory behind it is bounded by the implementation.
   */
  write(source: Uint8Array, sourceAt: number, length: number): number

  /**
   * Copies up to `length` bytes that arrived into `target` and returns how many. 0 means: none
   * now. ERR_CLOSED means: none will come; it is returned only after the last byte was read.
   */
  read(target: Uint8Array, targetAt: number, length: number): number

  /**
   * Ends the connection after what was written has been handed to the network, and returns at
   * once. Legal in every state, any number of times.
   */
  close(): void
}
