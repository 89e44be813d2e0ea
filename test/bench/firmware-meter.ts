/**
 * Meter: how much the firmware has allocated between `begin` and `end`, as the XS host counts it.
 * Reading the counters allocates nothing. Knows nothing of what happens in between.
 */
import type * as core from '../../src/index.js'
import type * as storage from '../../src/storage.js'
import type * as manualAck from '../../src/session/manual-ack.js'
import type * as aliases from '../../src/session/topic-aliases.js'
import type { Device } from '../../targets/simulator/device.js'

/** The device of the XS host, which can say more of itself than other devices. */
export interface CountingDevice extends Device {
  /** Fills in the figures that MEMORY_FIELDS (xs-host.ts) names. */
  memory(target: Float64Array): number
  gc(): void
}

/** The library, preloaded: the global name under which its bundle stands. */
export type Library = Pick<typeof core, 'MqttClient' | 'statusText'> &
  Pick<typeof storage, 'FlashStore'> &
  Pick<typeof aliases, 'TopicAliases'> &
  Pick<typeof manualAck, 'ManualAck'>

/** MEMORY_FIELDS of xs-host.ts, as far as it is used here. */
export const FIELD_COUNT = 16
export const LIVE_SLOTS = 4
export const LIVE_CHUNK_BYTES = 5
export const SLOT_SIZE = 14
export const BYTECODE_SIZE = 15

/** One line of the report: sums over all operations. */
export interface Measured {
  name: string
  operations: number
  slots: number
  chunks: number
  bytes: number
}

export class Meter {
  private readonly before = new Float64Array(FIELD_COUNT)
  private readonly after = new Float64Array(FIELD_COUNT)
  private readonly sums = new Float64Array(3)
  private operations = 0
  private readonly device: CountingDevice

  constructor(device: CountingDevice) {
    this.device = device
  }

  begin(): void {
    this.device.memory(this.before)
  }

  end(operations: number): void {
    this.device.memory(this.after)
    for (let field = 0; field < 3; field++) {
      this.sums[field]! += this.after[field]! - this.before[field]!
    }
    this.operations += operations
  }

  report(name: string): void {
    const [slots, chunks, bytes] = this.sums
    const row = { name, operations: this.operations, slots, chunks, bytes }
    this.device.report(JSON.stringify(row))
  }
}
