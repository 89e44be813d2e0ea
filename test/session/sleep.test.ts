/** Before a sleep: what can leave leaves, the rest is durable, and the time is kept. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import type { ClientOptions, SleepReport } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { Desk } from './desk.js'

let boots = 0
function boot(flash: NorFlash, options: Partial<ClientOptions> = {}): Desk {
  const system = new ManualSystem(++boots)
  return new Desk({ storage: new FlashStore(flash, system), ...options }, system)
}

function flashOf(capacity = 64 * 1024): NorFlash {
  return new NorFlash({ capacity, eraseSize: 4096, writeSize: 4 })
}

describe('prepareForSleep', () => {
  it('ends as soon as all is acknowledged, with DISCONNECT', () => {
    const desk = boot(flashOf())
    const reports: SleepReport[] = []
    desk.connect()
    desk.client.publish('t', 'last', { qos: 1 })
    desk.client.prepareForSleep(10000, (report) => reports.push(report))
    const { messageId } = desk.sentOne()
    assert.equal(reports.length, 0)
    desk.reply({ cmd: 'puback', messageId })
    desk.after(1)
    assert.deepEqual(reports, [{ queued: 0, status: 0 }])
    assert.equal(desk.sentOne().cmd, 'disconnect')
    assert.ok(desk.client.isStopped)
  })

  it('ends at the deadline; what remains is on flash, also what a lane held in RAM', () => {
    const flash = flashOf()
    const lanes = [{ name: 'g', durability: 'group' as const, groupMs: 60000 }]
    const desk = boot(flash, { lanes })
    const reports: SleepReport[] = []
    desk.client.start()
    for (let n = 0; n < 5; n++) desk.client.publish('t', String(n), { qos: 1 })
    desk.client.prepareForSleep(3000, (report) => reports.push(report))
    desk.poll()
    assert.ok(desk.waitMs <= 3000)
    desk.after(2999)
    assert.equal(reports.length, 0)
    desk.after(1)
    assert.deepEqual(reports, [{ queued: 5, status: 0 }])
    assert.ok(desk.client.isStopped)
    assert.equal(boot(flash, { lanes }).client.stats.queued, 5)
  })

  it('a client that is stopped reports at once, and starts again after the sleep', () => {
    const desk = boot(flashOf())
    const reports: SleepReport[] = []
    desk.client.publish('t', 'x', { qos: 1 })
    desk.client.prepareForSleep(5000, (report) => reports.push(report))
    desk.poll()
    assert.deepEqual(reports, [{ queued: 1, status: 0 }])
    desk.connect()
    assert.equal(desk.sentOne().cmd, 'publish')
  })

  it('acknowledgements are durable before it reports', () => {
    const flash = flashOf()
    const desk = boot(flash)
    desk.connect()
    desk.client.publish('t', 'x', { qos: 1 })
    const { messageId } = desk.sentOne()
    desk.client.prepareForSleep(5000, () => {})
    desk.reply({ cmd: 'puback', messageId })
    desk.after(1)
    assert.equal(boot(flash).client.stats.queued, 0)
  })

  it('a mistake in the deadline is named', () => {
    assert.throws(() => boot(flashOf()).client.prepareForSleep(-1, () => {}), /deadlineMs/)
  })
})

describe('estimateLifetime', () => {
  for (const writeSize of [1, 16]) {
    it(`is within 2 % of the simulation, write size ${writeSize}`, () => {
      const cycles = 400
      const flash = new NorFlash({ capacity: 64 * 1024, eraseSize: 4096, writeSize })
      const desk = boot(flash)
      assert.equal(desk.client.estimateLifetime(cycles), Infinity)
      desk.connect()
      const payload = new Uint8Array(200)
      const publisher = desk.client.publisher('sensors/kitchen', { qos: 1 })
      let estimatedAt = 0
      let estimate = 0
      while (Math.max(...flash.wear) < cycles) {
        publisher.publish(payload, 0, payload.length)
        desk.poll()
        const packet = desk.transport.takeSent()
        if (packet.length > 20) {
          const at = 2 + (packet[1]! > 127 ? 1 : 0)
          const idAt = at + 2 + packet[at + 1]!
          desk.transport.deliver(Uint8Array.from([0x40, 2, packet[idAt]!, packet[idAt + 1]!]))
        }
        desk.after(1000)
        desk.events.length = 0
        if (estimatedAt === 0 && Math.max(...flash.wear) >= cycles / 8) {
          estimatedAt = desk.system.now()
          estimate = desk.client.estimateLifetime(cycles)
        }
      }
      const real = (desk.system.now() - estimatedAt) / 1000
      assert.ok(Math.abs(estimate / real - 1) <= 0.02, `${estimate} s estimated, ${real} s`)
    })
  }
})
