/**
 * Espruino's module `Flash` over the NOR model: addresses of a chip, pages, a write that says
 * nothing when it went nowhere. Knows nothing of areas.
 */
import type { FlashArea, FlashModule } from '../../hal/espruino/espruino-flash.js'
import type { NorFlash } from '../../hal/memory/index.js'

export class FakeFlash implements FlashModule {
  /** From here on `write` and `erasePage` do nothing, as a chip that refuses. */
  isDeaf = false
  readonly base: number
  readonly nor: NorFlash

  constructor(nor: NorFlash, base: number) {
    this.nor = nor
    this.base = base
  }

  getPage(address: number): FlashArea | undefined {
    if (!this.has(address)) return undefined
    const length = this.nor.eraseSize
    return { addr: address - ((address - this.base) % length), length }
  }

  erasePage(address: number): void {
    const page = this.getPage(address)
    if (page && !this.isDeaf) this.nor.erase(page.addr - this.base, page.length)
  }

  read(length: number, address: number): Uint8Array {
    const bytes = new Uint8Array(length)
    if (this.has(address)) this.nor.read(address - this.base, bytes, 0, length)
    return bytes
  }

  write(data: Uint8Array, address: number): void {
    if (this.has(address) && !this.isDeaf) this.nor.write(address - this.base, data, 0, data.length)
  }

  private has(address: number): boolean {
    return address >= this.base && address < this.base + this.nor.capacity
  }
}
