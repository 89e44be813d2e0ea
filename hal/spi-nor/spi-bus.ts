/**
 * SpiBus: what the driver assumes about a SPI bus with one chip selected on it. Knows nothing of
 * flash; `hal/moddable/spi-bus.ts` and `hal/espruino/spi-bus.ts` implement it.
 *
 * Mode 0 or 3, eight bits, most significant bit first. A transaction is any number of `send`, then
 * any number of `receive`, then `end`:
 *
 *   select ___                                             ___
 *             \___ send ___ send ___ receive ___ receive __/      end
 *
 * Between the calls the clock stands still and the chip stays selected: a chip carries out what it
 * was sent when it is deselected, so one `end` too many splits a command in two.
 *
 * Calls are synchronous. Nothing here fails: whether anybody listens shows in what comes back.
 */
export interface SpiBus {
  /** Selects the chip unless it is, and sends `length` bytes of `source` from `at` on. */
  send(source: Uint8Array, at: number, length: number): void
  /** Receives `length` bytes into `target` from `at` on. What is sent meanwhile does not matter. */
  receive(target: Uint8Array, at: number, length: number): void
  /** Waits until everything is sent, and deselects the chip. */
  end(): void
}
