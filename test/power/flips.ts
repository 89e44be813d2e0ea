/**
 * A full 64 KB image and one inverted bit: nothing false comes out, nothing hangs, at most one
 * sector's messages are lost, and a loss is reported.
 */
import assert from 'node:assert/strict'
import { COMPLETE, isBefore } from '../../src/store/exchange-window.js'
import { OK } from '../../src/status.js'
import { Rig } from '../store/log-rig.js'
import { XorHooks } from '../store/xor-hooks.js'
import type { FlipCase } from './cases.js'
import type { Outcome } from './totals.js'

export const IMAGE_BITS = 65536 * 8

/** Fills the log until it refuses, with topics, times, marks and releases among the messages. */
function fill(rig: Rig): void {
  const topics = ['flip/a', 'flip/b', '']
  let count = 0
  for (; count < 200; count++) rig.publishOn('old/one', 90 + (count % 30))
  rig.complete(200)
  rig.mark()
  rig.log.maintain()
  while (rig.publish(topics[count % 3], 80 + ((count * 13) % 70), count % 4 === 0) > 0) {
    count++
    rig.log.maintain()
    if (count === 210) rig.completeAt(2)
    if (count === 215) rig.release(3)
    if (count === 230) rig.complete(2)
    if (count % 40 === 39) rig.mark()
  }
  rig.mayLoseTime = true
}

/** One image for many flips: nothing below writes to the flash. */
export class FlipImage {
  private readonly rig: Rig
  private readonly expected: number
  private readonly most: number

  constructor(writeSize: number, isHooked: boolean) {
    const hooks = isHooked ? new XorHooks() : null
    this.rig = new Rig({ writeSize, hooks, eraseSize: 4096, sectors: 16 })
    fill(this.rig)
    this.expected = this.rig.kept.size
    this.most = Math.max(...this.rig.perSector.values())
    assert.ok(this.expected > 5 * this.most, 'the image spans sectors')
  }

  run(flipCase: FlipCase, outcome: Outcome): void {
    const { rig } = this
    const { bit } = flipCase
    const written = rig.flash.counters.writes
    rig.flash.flipBit(bit >> 3, bit & 7)
    try {
      rig.boot()
      const lost = this.expected - this.readAll(outcome)
      assert.ok(lost <= this.most, `${lost} messages are lost`)
      if (lost > 0) outcome.harmfulFlips++
      outcome.mostLost = Math.max(outcome.mostLost, lost)
    } finally {
      rig.flash.flipBit(bit >> 3, bit & 7)
    }
    assert.equal(rig.flash.counters.writes, written, 'nothing is written')
    outcome.flips++
  }

  /** Reads everything there is and returns how many messages came; each must be the right one. */
  private readAll(outcome: Outcome): number {
    const { log, window, kept, completed } = this.rig
    let found = 0
    let nameless = 0
    let steps = 0
    log.rewind(window.base)
    for (let number = log.advance(); number !== 0; number = log.advance()) {
      assert.ok(number > 0 && ++steps < 5000, 'reading comes to an end')
      if (isBefore(number, window.base) || window.state(number) === COMPLETE) continue
      if (log.load() !== OK) continue
      const message = kept.get(number)
      // A MARK that is lost lets a complete message come again.
      if (!message) {
        assert.ok(completed.has(number), `message ${number} was never accepted`)
        continue
      }
      const topicNumber = log.buffer[log.loadedAt] & 0x7f
      if (topicNumber > 0 && log.loadTopic(topicNumber) !== OK) {
        nameless++ // the queue drops it and counts it as damaged
        continue
      }
      this.rig.compareLoaded(number, message)
      found++
    }
    // Exactly: a loss too many is a false report.
    if (found + nameless + log.skippedCount !== this.expected) outcome.unreportedLosses++
    return found
  }
}
