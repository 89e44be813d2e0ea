/** One append to a log with marks, cut after exactly so many bits of one of its writes. */
import { Rig } from '../store/log-rig.js'
import type { BitCase } from './cases.js'
import type { Outcome } from './totals.js'

function prepare(writeSize: number, isFull: boolean): Rig {
  const rig = new Rig({ writeSize, sectors: 6 })
  for (let i = 0; i < 4; i++) rig.publish('', 40)
  rig.release(1)
  // Where the sector is full, the next append begins one: header, MARK and record.
  if (isFull) for (let i = 0; i < 4; i++) rig.publish('', 41)
  rig.log.maintain()
  return rig
}

/**
 * Runs a case. Returns the bits of the write that was cut, or -1 when there was no such write:
 * a loop over `bit` ends when `bit` reaches that number.
 */
export function runBitCase(bitCase: BitCase, outcome: Outcome): number {
  const rig = prepare(bitCase.writeSize, bitCase.isFull)
  if (bitCase.seed === undefined) rig.flash.cutAt(bitCase.operation, 'bits', 1, bitCase.bit)
  else rig.flash.cutAt(bitCase.operation, 'progressive', bitCase.seed)
  if (!rig.loses(() => rig.publish('', 60))) return -1
  const bits = rig.flash.torn.pendingBits
  rig.boot()
  rig.settle()
  rig.goOn(6)
  rig.settleRunning()
  outcome.totals.doubleProgrammedBytes += rig.flash.counters.doubleProgrammedBytes
  outcome.totals.cuts++
  return bits
}
