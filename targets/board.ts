/**
 * The seam between firmware and board. An application is a module that exports
 *
 *   export function start(board: Board): Polled
 *
 * and imports only `holdfast`, `holdfast/storage`, `holdfast/encryption` and the extensions. Each
 * target (the simulator, a board) makes a Board of its HAL, calls `start` once after power on, and
 * from then on calls `poll` of what came back, which is the client. So the same file runs on all of
 * them. Types only: knows no target.
 *
 * Beside `board` an application has the globals `console`, `setTimeout`, `setInterval` and their
 * clear functions. A target whose runtime lacks one of them provides it before it calls `start`.
 */
import type { ReadWriteStorage } from '../hal/storage.js'
import type { System } from '../hal/system.js'
import type { Transport } from '../hal/transport.js'

export interface Board {
  readonly system: System
  /** For one client. */
  readonly transport: Transport
  /** The partition set aside for Holdfast, or null where the board has none. */
  readonly storage: ReadWriteStorage | null
  readonly config: BoardConfig
}

/** What differs from device to device, and must not be in the firmware. */
export interface BoardConfig {
  /** `mqtt://host:port`; with `mqtts://` where the transport has TLS. */
  readonly broker: string
  /** The same at each boot: the broker's half of the session and the flash belong to it. */
  readonly clientId: string
  /** 4 for MQTT 3.1.1, 5 for MQTT 5. */
  readonly protocol: number
}

/**
 * What `start` returns; an MqttClient is one. The target calls `poll` soon after `start` and after
 * each `onWork`, and when the milliseconds are over that the last `poll` returned. It never calls
 * it from inside `onWork`, nor from inside a callback of the application.
 */
export interface Polled {
  poll(now: number): number
  /** Set by the target. */
  onWork: () => void
}
