/**
 * Between a user's application (targets/board.ts) and the simulated board: makes a Board of the
 * global `device` and lets the engine poll what `start` returns. Knows no engine, and nothing of
 * what the application does.
 */
import type { Board, BoardConfig, Polled } from '../../board.js'
import type { Device } from '../device.js'

declare const device: Device

export function runApplication(start: (board: Board) => Polled): void {
  const client: unknown = start({
    system: device.system,
    transport: device.transport,
    storage: device.storage,
    config: JSON.parse(device.config) as BoardConfig,
  })
  if (!isPolled(client)) throw new Error('start(board) must return the client, it returned none')
  // The engine polls after each timer and each event of the socket: `onWork` has nothing to add.
  device.poll = (now) => client.poll(now)
}

function isPolled(value: unknown): value is Polled {
  return typeof value === 'object' && value !== null && typeof (value as Polled).poll === 'function'
}
