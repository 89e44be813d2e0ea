/** Random numbers from a seed, and the test that prints the seed when it fails. */
import { test } from 'node:test'

export class Chance {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** A whole number from 0 to `limit - 1`. A Weyl sequence through a mixing function. */
  below(limit: number): number {
    this.state = (this.state + 0x9e3779b9) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    mixed = (mixed ^ (mixed >>> 15)) >>> 0
    return Math.floor((mixed / 0x100000000) * limit)
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  happens(oneIn = 2): boolean {
    return this.below(oneIn) === 0
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]
  }

  bytes(maximum: number): Uint8Array {
    return Uint8Array.from({ length: this.below(maximum + 1) }, () => this.below(256))
  }

  /** Text with characters of one to four bytes in UTF-8. */
  text(maximum: number): string {
    const ranges = [
      [0x61, 0x7a],
      [0x01, 0x7f],
      [0x80, 0x7ff],
      [0x800, 0xd7ff],
      [0xe000, 0xffff],
      [0x10000, 0x10ffff],
    ]
    const points = Array.from({ length: this.below(maximum + 1) }, () => {
      // The byte order mark is legal but `toString` of some readers drops it.
      const range = ranges[this.happens() ? 0 : this.below(ranges.length)]
      const point = this.between(range[0], range[1])
      return point === 0xfeff ? 0x61 : point
    })
    return String.fromCodePoint(...points)
  }
}

export function randomTest(name: string, file: string, body: (chance: Chance) => void): void {
  test(name, () => {
    const given = process.env.HOLDFAST_SEED
    const seed = given === undefined ? Math.floor(Math.random() * 0x100000000) : Number(given)
    try {
      body(new Chance(seed))
    } catch (error) {
      console.error(`seed ${seed}`)
      console.error(`repeat: HOLDFAST_SEED=${seed} node --test dist/test/codec/${file}`)
      throw error
    }
  })
}
