/**
 * The life of a device that begins with the small client and, after the first power cut, goes on
 * with the full one on the same flash.
 */
import { ManualSystem } from '../../hal/memory/index.js'
import { FlashStore } from '../../src/storage.js'
import { Desk } from '../session/desk.js'
import { type Booted, BROKER, CLIENT, Device } from './small-device.js'
import { SmallLife } from './small-life.js'

export class FullLife extends SmallLife {
  protected override makeDevice(seed: number): Booted {
    if (this.boots === 1) return new Device(this.flash, seed)
    const system = new ManualSystem(seed)
    const storage = new FlashStore(this.nor, system, { bufferSize: 512 })
    const options = { protocol: 4, storage, broker: BROKER, clientId: CLIENT } as const
    return new Desk({ ...options, ackBatch: 3, inFlightLimit: 5 }, system) as unknown as Booted
  }
}
