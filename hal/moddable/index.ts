/**
 * Holdfast on Moddable: the one file that names modules of the platform. It hands them to the
 * classes beside it, which are tested without. Module name in a Moddable project:
 * `holdfast/moddable`.
 */
import flashStorage from 'embedded:storage/flash'
import TCP from 'embedded:io/socket/tcp'
import Net from 'net'
import Time from 'time'
import Timer from 'timer'
import type { System } from '../system.js'
import { FlashPartition } from './flash-partition.js'
import type { Flash, PartitionOptions } from './flash-partition.js'
import { Loop } from './loop.js'
import type { Polled, Timers } from './loop.js'
import { ModdableSystem } from './moddable-system.js'
import { copy, crc32, random } from './native.js'
import { Scratch } from './scratch.js'
import type { SocketClass } from './socket.js'
import { SocketTransport } from './socket-transport.js'
import type { TransportOptions } from './socket-transport.js'

export { deepSleep } from './native.js'
export { FlashPartition } from './flash-partition.js'
export type { Flash, FlashStatus, PartitionOptions } from './flash-partition.js'
export { Loop } from './loop.js'
export type { Polled } from './loop.js'
export { ModdableSystem } from './moddable-system.js'
export { ModdableSpiBus } from './spi-bus.js'
export type { EcmaSpi } from './spi-bus.js'
export { SocketTransport } from './socket-transport.js'
export type { TlsParts, TransportOptions } from './socket-transport.js'

/** Bytes moved by one call of the platform's flash: most records are shorter. */
const FLASH_BUFFER_SIZE = 512

/** Time, chance and bulk moves of the device. */
export function openSystem(): ModdableSystem {
  return new ModdableSystem({
    ticks: () => Time.ticks,
    date: () => Date.now(),
    random,
    copy,
    crc32,
  })
}

/**
 * The flash partition with the label `label` (type `data`). Throws, and says what to do, where the
 * partition table has none.
 */
export function openPartition(
  label: string,
  system: System,
  options?: PartitionOptions,
): FlashPartition {
  let flash: Flash
  try {
    flash = flashStorage.open({ path: label }) as unknown as Flash
  } catch (error) {
    throw new Error(
      'openPartition: no partition "' +
        label +
        '" of type data in the partition table (PARTITIONS_FILE of the manifest): ' +
        String(error),
    )
  }
  return new FlashPartition(flash, system, new Scratch(FLASH_BUFFER_SIZE), options)
}

/** TCP, and TLS where `options.tls` has it (`holdfast/moddable/tls`). */
export function openTransport(system: System, options?: TransportOptions): SocketTransport {
  const parts = {
    TCP: TCP as unknown as SocketClass,
    resolve(host: string, callback: (host: string, address?: string) => void): void {
      Net.resolve(host, callback)
    },
    system,
  }
  return new SocketTransport(parts, options ?? {})
}

/** Polls the client whenever it is due, from now on. */
export function run(client: Polled, system: System): Loop<object> {
  return new Loop<object>(client, () => system.now(), Timer as unknown as Timers<object>)
}
