/**
 * One append to a log with marks, cut after exactly so many bits of one of its writes. `isFull`:
 * the append begins a sector, so its writes are the header, the MARK and the record.
 */
import assert from 'node:assert/strict'
import { Rig } from '../store/log-rig.js'
import type { BitCase } from './cases.js'
import type { Outcome } from './totals.js'

const SIZE = 60

function prepare(writeSize: number, fillers: number): Rig {
  const rig = new Rig({ writeSize, sectors: 6 })
  for (let i = 0; i < 4; i++) rig.publish('', 40)
  rig.release(1)
  for (let i = 0; i < fillers; i++) rig.publish('', 41)
  rig.log.maintain()
  return rig
}

/** Fewest messages after which the next append begins a sector, by write size. */
const fillersBySize = new Map<number, number>()

function fillersFor(writeSize: number): number {
  let fillers = fillersBySize.get(writeSize) ?? -1
  while (!fillersBySize.has(writeSize)) {
    const rig = prepare(writeSize, ++fillers)
    const sector = rig.log.writeSector
    const written = rig.flash.counters.writes
    rig.publish('', SIZE)
    if (rig.log.writeSector === sector) continue
    assert.equal(rig.flash.counters.writes - written, 3, 'header, MARK and record')
    fillersBySize.set(writeSize, fillers)
  }
  return fillers
}

/**
 * Runs a case. Returns the bits of the write that was cut, or -1 when there was no such write:
 * a loop over `bit` ends when `bit` reaches that number.
 */
export function runBitCase(bitCase: BitCase, outcome: Outcome): number {
  const rig = prepare(bitCase.writeSize, bitCase.isFull ? fillersFor(bitCase.writeSize) : 0)
  if (bitCase.seed === undefined) rig.flash.cutAt(bitCase.operation, 'bits', 1, bitCase.bit)
  else rig.flash.cutAt(bitCase.operation, 'progressive', bitCase.seed)
  if (!rig.loses(() => rig.publish('', SIZE))) return -1
  const bits = rig.flash.torn.pendingBits
  try {
    rig.boot()
    rig.settle()
    rig.goOn(6)
    rig.settleRunning()
  } finally {
    outcome.totals.doubleProgrammedBytes += rig.flash.counters.doubleProgrammedBytes
    outcome.totals.cuts++
  }
  return bits
}
