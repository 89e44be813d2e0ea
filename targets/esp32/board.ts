/**
 * The Board (targets/board.ts) of an ESP32: its system, its sockets, the partition `mqtt`. Knows no
 * application.
 */
import { openPartition, openSystem, openTransport } from 'holdfast/moddable'
import { openSecure } from 'secure'
import type { Board } from '../board.js'
import type { Settings } from './settings.js'

/** The label in partitions.csv. */
const PARTITION = 'mqtt'

export function openBoard(settings: Settings) {
  const system = openSystem()
  const tls = openSecure()
  const transport = openTransport(system, tls === undefined ? {} : { tls })
  const storage = openPartition(PARTITION, system)
  const { broker, clientId, protocol } = settings
  return {
    system,
    transport,
    storage,
    config: { broker, clientId, protocol },
  } satisfies Board
}
