/**
 * The share of messages that never touch flash in a lane with `durability: 'group'`: a message each
 * 20 ms, acknowledged after 50 ms, a window of 1 s. Model time.
 */
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { FlashStore } from '../../src/storage.js'
import { DistantBroker } from './distant-broker.js'

export function measureSavedWrites(writeSize: number, count: number): number {
  const system = new ManualSystem(1)
  const flash = new NorFlash({ capacity: 1024 * 1024, eraseSize: 4096, writeSize })
  const broker = new DistantBroker(
    {
      storage: new FlashStore(flash, system),
      lanes: [{ name: 'g', durability: 'group', groupMs: 1000, groupBytes: 4096 }],
    },
    system,
    50,
    20,
  )
  let published = 0
  let persisted = 0
  broker.client.on('message.persisted', () => persisted++)
  const publisher = broker.client.publisher('sensors/kitchen/temperature', { qos: 1 })
  const payload = new Uint8Array(82)
  broker.client.start()
  const isDone = () => published === count && broker.client.stats.queued === 0
  broker.run(count * 40, isDone, () => {
    if (!broker.client.isConnected || published === count || system.now() % 20 !== 0) return
    if (publisher.publish(payload, 0, payload.length) > 0) published++
  })
  const saved = broker.client.stats.lanes[0]!.savedWrites
  if (!isDone() || saved + persisted !== count) throw new Error('messages are missing')
  return saved / count
}
