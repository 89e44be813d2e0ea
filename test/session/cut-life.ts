/**
 * The life of a device with a model broker that ends, again and again, with the power. Knows how
 * bytes are exchanged and how cuts are made; what the device does and promises is its subclass's.
 */
import assert from 'node:assert/strict'
import { type NorFlash, PowerCut, type Tear } from '../../hal/memory/index.js'
import type { Desk } from './desk.js'
import { ModelBroker } from './model-broker.js'

/** In which flash operation from the boot on the power goes, how it tears, and the tear's seed. */
export type Cut = [operation: number, tear: Tear, seed: number]

export const TEARS: Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak']

export abstract class CutLife {
  readonly flash: NorFlash
  readonly broker: ModelBroker
  protected readonly protocol: number
  protected boots = 0

  constructor(protocol: number, flash: NorFlash) {
    this.protocol = protocol
    this.flash = flash
    this.broker = new ModelBroker(protocol)
  }

  /** The whole life of the device from where it stands; throws PowerCut when the power goes. */
  protected abstract live(): void

  /** The power went: what had been begun may be there or not. */
  protected abstract noteCut(): void

  /** Throws where a promise is broken. */
  abstract check(): void

  /** Lives on through power cuts until the work is done. False when a cut did not happen. */
  run(cuts: Cut[]): boolean {
    for (const [operation, tear, seed] of cuts) {
      this.flash.cutAt(operation, tear, seed)
      try {
        this.live()
        return false
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error
        this.noteCut()
      }
      this.flash.powerOn()
    }
    this.live()
    return true
  }

  /** Bytes in both directions until the two come to rest. */
  protected exchange(desk: Desk): void {
    for (let round = 0; round < 200; round++) {
      desk.poll()
      if (desk.transport.state === 1) desk.transport.accept()
      const sent = desk.transport.takeSent()
      if (sent.length === 0 && desk.waitMs > 0) {
        if (desk.client.isConnected) return
        desk.system.advance(desk.waitMs) // the pause before the next attempt
      }
      for (const answer of this.broker.receive(sent)) {
        if (desk.transport.state === 2) desk.transport.deliver(answer)
      }
    }
    assert.fail('the exchange does not come to rest')
  }

  /**
   * Every message that was kept was delivered, of QoS 2 once. Returns how often each of the other
   * texts was.
   */
  protected checkKept(kept: { text: string; qos: number }[]): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { text } of this.broker.delivered) counts.set(text, (counts.get(text) ?? 0) + 1)
    for (const { text, qos } of kept) {
      const count = counts.get(text) ?? 0
      assert.ok(count >= 1, `${text} was kept and is lost`)
      if (qos === 2) assert.equal(count, 1, `${text} (QoS 2) arrived ${count} times`)
      counts.delete(text)
    }
    return counts
  }

  /** These texts, `m` and a number, came for the first time in the order of their numbers. */
  protected checkOrder(texts: string[], what: string): void {
    const firsts = [...new Set(texts)].map((text) => Number(text.slice(1)))
    assert.deepEqual(
      firsts,
      [...firsts].sort((a, b) => a - b),
      what,
    )
  }
}

/** One life with these cuts, and the check at its end. False when a cut did not happen. */
export function tryCuts(life: CutLife, cuts: Cut[]): boolean {
  try {
    const wasCut = life.run(cuts)
    life.check()
    return wasCut
  } catch (error) {
    ;(error as Error).message += ' (cuts ' + JSON.stringify(cuts) + ')'
    throw error
  }
}

/** One cut at every operation there is, with every tear. Returns how many operations there were. */
export function tryEveryCut(begin: () => CutLife): number {
  let operations = 0
  for (const tear of TEARS) {
    for (let operation = 1; ; operation++) {
      if (!tryCuts(begin(), [[operation, tear, operation * 7 + 1]])) break
      operations = operation
    }
  }
  return operations
}

/** A cut at every `step`-th operation, and one in each of the first six of the recovery. */
export function trySecondCuts(begin: () => CutLife, last: number, step: number): void {
  for (const tear of TEARS) {
    for (let operation = 2; operation < last; operation += step) {
      for (let second = 1; second <= 6; second++) {
        tryCuts(begin(), [
          [operation, tear, operation],
          [second, 'random', second],
        ])
      }
    }
  }
}
