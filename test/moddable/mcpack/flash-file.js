/**
 * `embedded:storage/flash` for the Linux simulator, which has none: a NOR flash of 64 KB in a file.
 * Clears bits where it writes, sets them where it erases. Knows one partition.
 */
import Modules from 'modules'

const BLOCK = 4096
const BLOCKS = 16
const NAME = 'mcpack-flash.img'

class Flash {
  constructor() {
    // Not imported above: what preloaded modules import runs in the linker, where it has no files.
    const files = Modules.importNow('embedded:storage/files')
    try {
      this.file = files.openFile({ path: NAME, mode: 'r+' })
    } catch {
      this.file = files.openFile({ path: NAME, mode: 'w+' })
      this.eraseBlock(0, BLOCKS)
    }
  }
  read(target, at) {
    const bytes = new Uint8Array(this.file.read(target.byteLength, at))
    new Uint8Array(target.buffer ?? target, target.byteOffset ?? 0, bytes.length).set(bytes)
    return bytes.length
  }
  write(source, at) {
    const count = source.byteLength
    const bytes = new Uint8Array(source.buffer ?? source, source.byteOffset ?? 0, count)
    const here = new Uint8Array(this.file.read(count, at))
    for (let i = 0; i < count; i++) here[i] &= bytes[i]
    this.file.write(here, at)
  }
  eraseBlock(first, end = first + 1) {
    const blank = new Uint8Array(BLOCK).fill(0xff)
    for (let block = first; block < end; block++) this.file.write(blank, block * BLOCK)
  }
  status() {
    return { size: BLOCK * BLOCKS, blockLength: BLOCK, blocks: BLOCKS }
  }
  close() {
    this.file.close()
  }
}

export default { open: () => new Flash() }
