/** What a queue does with its log, as scripts that can be cut at any flash operation. */
import type { Rig } from './log-rig.js'

export interface Scenario {
  readonly name: string
  /** Sectors of the log. */
  readonly sectors: number
  run(rig: Rig): void
}

export const scenarios: Scenario[] = [
  {
    name: 'publish, send and acknowledge around the ring',
    sectors: 5,
    run(rig) {
      for (let i = 0; i < 60; i++) {
        rig.publishOn('', 20 + ((i * 13) % 60))
        rig.read(2)
        if (i % 3 === 2) rig.complete(2)
        if (i % 6 === 5) rig.mark()
        if (i % 5 === 4) rig.log.maintain()
      }
    },
  },
  {
    name: 'topics and times, stored once a sector',
    sectors: 5,
    run(rig) {
      for (let i = 0; i < 48; i++) {
        rig.seconds += i % 16 === 7 ? 70000 : 30
        rig.publishOn(`house/room${i % 5}/temperature`, 8 + (i % 7), i % 2 === 0)
        if (i % 4 === 3) rig.complete(3)
        if (i % 8 === 7) rig.mark()
        if (i % 9 === 4) rig.log.maintain()
      }
      rig.publishOn('a/topic/longer/than/the/table/takes/so/it/stays/inline', 5)
    },
  },
  {
    name: 'releases of QoS 2, and acknowledgements out of order',
    sectors: 5,
    run(rig) {
      for (let i = 0; i < 30; i++) {
        rig.publishOn('q2', 24 + (i % 4) * 10)
        rig.publishOn('', 12)
        if (i % 2 === 1) rig.release(i % 3)
        if (i % 3 === 2) rig.completeAt(1)
        if (i % 5 === 4) rig.complete(4)
        if (i % 6 === 5) rig.log.maintain()
      }
      rig.complete(10)
      rig.mark()
    },
  },
  {
    name: 'a full log drops its oldest sector',
    sectors: 5,
    run(rig) {
      for (let i = 0; i < 70; i++) {
        if (rig.publish(i % 2 === 0 ? 'drop/me' : '', 70) < 0) rig.drop()
        if (i % 10 === 9) rig.mark()
        if (i % 7 === 6) rig.log.maintain()
      }
    },
  },
  {
    name: 'a full log refuses, and goes on when messages are complete',
    sectors: 5,
    run(rig) {
      while (rig.publish('full', 90) > 0) rig.read(1)
      rig.release(0)
      rig.release(2)
      rig.complete(6)
      rig.mark()
      rig.log.maintain()
      rig.publish('full', 90)
      rig.complete(12)
      rig.mark()
      while (rig.publish('again', 60) > 0) rig.log.maintain()
    },
  },
  {
    name: 'several sectors are erased at once while idle',
    // Two blocks of four and one sector more.
    sectors: 9,
    run(rig) {
      for (let i = 0; i < 66; i++) {
        rig.publishOn('', 60)
        if (i % 4 === 3) {
          rig.complete(3)
          rig.mark()
        }
        rig.log.maintain()
      }
    },
  },
]
