/** Stop and start of the small client in each of its states, and what ends it for good. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem } from '../../hal/memory/index.js'
import { ERR_FULL, ERR_OFFLINE, ERR_STORAGE, RamOutbox } from '../../src/small/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { board, boot, comeBack, kept, message, SmallDesk, textsOf, words } from './small-desk.js'

describe('stop and start of the small client', () => {
  it('after DISCONNECT nothing is sent, and the connection is closed', () => {
    const desk = new SmallDesk(kept)
    desk.connect()
    desk.client.stop()
    assert.equal(desk.client.isConnected, false)
    desk.publish(1)
    assert.equal(desk.publish(0), ERR_OFFLINE)
    assert.equal(words(desk.sent()).at(-1), 'disconnect')
    assert.equal(desk.transport.state, 0)
    assert.ok(desk.client.isStopped)
    desk.after(100000)
    assert.deepEqual(desk.sent(), [])
    assert.equal(desk.waitMs, Infinity)
    desk.connect({ sessionPresent: true })
    assert.deepEqual(textsOf(desk.sent()), ['x'])
  })

  it('a stop with a transport that takes nothing ends after pingTimeoutMs', () => {
    const desk = new SmallDesk({ pingTimeoutMs: 3000 })
    desk.connect()
    desk.transport.room = 1
    desk.client.stop()
    desk.poll()
    assert.equal(desk.client.isStopped, false)
    desk.after(2999)
    assert.equal(desk.client.isStopped, false)
    desk.after(1)
    assert.ok(desk.client.isStopped)
    assert.equal(desk.transport.state, 0)
    assert.equal(desk.of('client.disconnected').length, 1)
  })

  it('a start while DISCONNECT leaves connects again behind it', () => {
    const desk = new SmallDesk(kept)
    desk.connect()
    desk.transport.room = 0
    desk.client.stop()
    desk.poll()
    desk.client.start()
    desk.poll()
    assert.equal(desk.client.isConnected, false)
    desk.transport.giveRoom(Infinity)
    assert.deepEqual(words(desk.sentAtOnce()), ['disconnect'])
    assert.equal(desk.client.isStopped, false)
    desk.connect({ sessionPresent: true })
    assert.ok(desk.client.isConnected)
  })

  it('a stop in each state leaves nothing behind', () => {
    for (const state of ['new', 'opening', 'greeting', 'waiting', 'connected', 'twice']) {
      const desk = new SmallDesk(kept)
      desk.publish(1)
      if (state !== 'new') desk.client.start()
      if (state !== 'new') desk.poll()
      if (['greeting', 'connected', 'twice'].includes(state)) desk.greet()
      if (['connected', 'twice'].includes(state)) {
        desk.reply({ cmd: 'connack', sessionPresent: false, returnCode: 0 })
      }
      if (state === 'waiting') desk.transport.fail('no')
      desk.poll()
      desk.client.stop()
      desk.poll()
      if (state === 'twice') desk.client.stop()
      desk.poll()
      assert.ok(desk.client.isStopped, state)
      assert.equal(desk.transport.state, 0, state)
      assert.equal(desk.waitMs, Infinity, state)
      assert.equal(desk.client.stats.queued, 1)
      desk.connect({ sessionPresent: ['connected', 'twice'].includes(state) })
      assert.ok(desk.client.isConnected, state)
    }
  })

  it('what was acknowledged is durable after a stop', () => {
    const flash = board()
    const desk = boot(flash, { ackBatch: 64, ackDelayMs: 100000 })
    desk.connect()
    desk.publish(1)
    desk.reply({ cmd: 'puback', messageId: desk.sentOne().messageId })
    desk.client.stop()
    desk.poll()
    assert.equal(boot(flash).client.stats.queued, 0)
    const again = boot(flash)
    again.publish(1, 'next')
    assert.deepEqual([comeBack(again).clean, textsOf(again.sent())], [false, ['next']])
  })

  it('a storage that fails ends the connection, and is told', () => {
    const system = new ManualSystem(1)
    const storage = new FlashOutbox(board(), system)
    const desk = new SmallDesk({ storage }, system)
    desk.connect()
    storage.save = () => ERR_STORAGE
    desk.reply(message(2, 7, 'x'))
    assert.equal(desk.client.isConnected, false)
    assert.deepEqual(desk.sent(), [], 'no PUBREC without a durable identifier')
    assert.equal(desk.of('storage.failed')[0]!.status, ERR_STORAGE)
  })

  it('a queue in RAM is bounded by its bytes', () => {
    const desk = new SmallDesk({ storage: new RamOutbox(1000) })
    let count = 0
    while (desk.publish(1, 'x'.repeat(60)) > 0) count++
    assert.ok(count > 5 && count < 1000 / 60, `${count} messages`)
    assert.equal(desk.publish(1, 'x'.repeat(60)), ERR_FULL)
    desk.connect()
    for (const { messageId } of desk.sent()) desk.reply({ cmd: 'puback', messageId })
    assert.ok(desk.publish(1, 'x'.repeat(60)) > 0, 'what is complete frees its bytes')
  })
})
