/**
 * What a simulated board gives its firmware: the global object `device`. Every engine that runs
 * the bundle (device-node.ts, xs/) makes one. Types only, so that firmware may import this file.
 *
 * Beside it the firmware has `console`, `setTimeout`, `setInterval` and their clear functions, and
 * nothing else: what a board has not, the simulator does not offer either.
 */
import type { ReadWriteStorage } from '../../hal/storage.js'
import type { System } from '../../hal/system.js'
import type { Transport } from '../../hal/transport.js'

export interface Device {
  readonly storage: ReadWriteStorage
  readonly transport: Transport
  readonly system: System
  /** JSON text that was given at boot. */
  readonly config: string
  /**
   * Set by the firmware, called by the engine: once after the bundle ran, when the socket is
   * ready, after a timer, and when the milliseconds are over that the last call returned. The
   * device ends by itself when neither a timer, nor a wish of `poll`, nor a connection is left.
   */
  poll: ((now: number) => number) | undefined
  /** A line for a person to read. */
  print(line: string): void
  /**
   * A line for the harness. It is out when the call returns: a power cut in the very next
   * operation does not take it back.
   */
  report(line: string): void
  /** Ends the device, cleanly: the statistics of the flash are saved. */
  exit(code: number): void
}
