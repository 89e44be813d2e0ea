/** `forget`: a store is given up whole or not at all, wherever the power goes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualSystem, NorFlash, PowerCut } from '../../hal/memory/index.js'
import type { SealedHooks } from '../../src/store/sealing.js'
import { ERR_BUSY, ERR_FOREIGN, ERR_IDENTITY, OK } from '../../src/status.js'
import { FlashStore } from '../../src/storage.js'
import type { LaneSpace } from '../../src/store/storage-face.js'
import { Desk } from '../session/desk.js'
import { XorHooks } from './xor-hooks.js'

const SECTORS = 20
const ERASE = 1024
const URL = 'mqtt://broker.test:1883'
const ONE: LaneSpace[] = [{ name: '', bytes: 0, groupBytes: 0, isForOffline: false }]
const SECRET = 'the-secret-payload'

function makeFlash(): NorFlash {
  const capacity = SECTORS * ERASE
  return new NorFlash({ capacity, eraseSize: ERASE, writeSize: 4, eraseBlockSize: 4 * ERASE })
}

/** A flash with messages of the client "desk". `saves`: states in the session store. */
function filled(saves: number, hooks?: SealedHooks): NorFlash {
  const flash = makeFlash()
  const system = new ManualSystem(3)
  const storage = new FlashStore(flash, system, hooks ? { hooks } : {})
  const desk = new Desk({ storage }, system)
  for (let n = 0; n < 60; n++) desk.client.publish('t', SECRET + n, { qos: 1 })
  for (let n = 0; n < saves; n++) assert.equal(storage.state.save(), OK)
  return flash
}

function textOf(flash: NorFlash): string {
  const bytes = new Uint8Array(flash.capacity)
  flash.read(0, bytes, 0, bytes.length)
  return Buffer.from(bytes).toString('latin1')
}

/** Mounts it as another client: OK where it was given up, ERR_IDENTITY where it was not. */
function mountAsOther(flash: NorFlash, hooks?: SealedHooks): number {
  const storage = new FlashStore(flash, new ManualSystem(8), hooks ? { hooks } : {})
  const status = storage.mount('other', URL, ONE)
  if (status !== OK) return status
  assert.equal(storage.log.nextNumber, 1, 'no message is left')
  assert.equal(storage.log.advance(), 0)
  assert.ok(!textOf(flash).includes(SECRET), 'no byte of a payload is left')
  assert.ok(!textOf(flash).includes('desk'), 'no byte of the identity is left')
  return OK
}

describe('forget', () => {
  it('leaves a blank flash, which takes another client', () => {
    const flash = filled(0)
    assert.ok(textOf(flash).includes(SECRET))
    assert.equal(mountAsOther(flash), ERR_IDENTITY)
    assert.equal(new FlashStore(flash, new ManualSystem(1)).forget(), OK)
    assert.match(textOf(flash), /^\xff+$/)
    assert.equal(mountAsOther(flash), OK)
  })

  it('is refused while the store is mounted, and where there is another format or no store', () => {
    const flash = filled(0)
    const storage = new FlashStore(flash, new ManualSystem(1))
    assert.equal(storage.mount('desk', URL, ONE), OK)
    assert.equal(storage.forget(), ERR_BUSY)
    storage.unmount()
    assert.equal(storage.forget(), OK)
    assert.equal(storage.forget(), OK, 'a blank flash has nothing to forget')
    assert.equal(storage.mount('desk', URL, ONE), OK, 'the same object can be mounted again')
    const foreign = makeFlash()
    foreign.write(5 * ERASE, new Uint8Array(64), 0, 64)
    const before = textOf(foreign)
    assert.equal(new FlashStore(foreign, new ManualSystem(1)).forget(), ERR_FOREIGN)
    assert.equal(textOf(foreign), before)
  })

  it('needs no key: the store of a lost key can be given up', () => {
    const flash = filled(3, new XorHooks())
    assert.equal(new FlashStore(flash, new ManualSystem(1)).forget(), OK)
    assert.equal(mountAsOther(flash), OK)
  })

  for (const tear of ['noop', 'prefix', 'random', 'progressive', 'weak'] as const) {
    it(`cut at each operation (${tear}): the old store or none, and forgetting goes on`, () => {
      // States in sector 0, in sector 1, and in both.
      for (const saves of [0, 6, 14, 25]) {
        const flash = filled(saves)
        const start = flash.snapshot()
        let isDone = false
        let wasGivenUp = false
        for (let operation = 1; !isDone; operation++) {
          flash.restore(start)
          flash.powerOn()
          flash.cutAt(operation, tear, operation * 31 + saves)
          try {
            assert.equal(new FlashStore(flash, new ManualSystem(1)).forget(), OK)
            isDone = true
          } catch (error) {
            if (!(error instanceof PowerCut)) throw error
          }
          flash.powerOn()
          // A second cut while mounting finishes what was begun.
          const cut = flash.snapshot()
          const status = mountAsOther(flash)
          if (status === OK) wasGivenUp = true
          else {
            assert.equal(status, ERR_IDENTITY)
            assert.ok(!wasGivenUp || tear !== 'noop', 'once given up it stays so')
            const storage = new FlashStore(flash, new ManualSystem(2))
            assert.equal(storage.mount('desk', URL, ONE), OK)
            for (let n = 1; n <= 60; n++) assert.equal(storage.log.advance(), n)
            continue
          }
          for (let again = 1; again < 12; again += 3) {
            flash.restore(cut)
            flash.powerOn()
            flash.cutAt(again, tear, again * 77)
            try {
              mountAsOther(flash)
            } catch (error) {
              if (!(error instanceof PowerCut)) throw error
            }
            flash.powerOn()
            const second = mountAsOther(flash)
            assert.equal(second, OK, `cut at ${operation}, then at ${again}`)
          }
        }
        assert.ok(wasGivenUp)
      }
    })
  }
})
