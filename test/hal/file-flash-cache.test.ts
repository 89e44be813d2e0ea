/** FileFlash keeps the sector written last in memory; the file must always say the same. */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileFlash } from '../../hal/node/index.js'
import { OK } from '../../src/status.js'
import { randomBytes, seededTest } from './seed.js'

const CAPACITY = 8192
const ERASE = 512

seededTest('memory and file agree, whatever is done', 'file-flash-cache.test.js', (chance) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'holdfast-cache-'))
  const path = join(folder, 'flash')
  const flash = new FileFlash(path, { capacity: CAPACITY, eraseSize: ERASE, enforce: false })
  const model = new Uint8Array(CAPACITY).fill(0xff)
  for (let step = 0; step < 3000; step++) {
    const address = chance.below(CAPACITY)
    const length = Math.min(
      chance.below(3) === 0 ? chance.below(1500) : chance.below(60),
      CAPACITY - address,
    )
    switch (chance.below(8)) {
      case 0: {
        const sector = address - (address % ERASE)
        assert.equal(flash.erase(sector, ERASE), OK)
        model.fill(0xff, sector, sector + ERASE)
        break
      }
      case 1:
      case 2:
      case 3: {
        const bytes = randomBytes(chance, length)
        assert.equal(flash.write(address, bytes, 0, length), OK)
        for (let index = 0; index < length; index++) model[address + index] &= bytes[index]
        break
      }
      default: {
        const target = new Uint8Array(length + 2)
        assert.equal(flash.read(address, target, 1, length), OK)
        const wanted = model.subarray(address, address + length)
        assert.deepEqual(target.subarray(1, length + 1), wanted, `step ${step}`)
      }
    }
  }
  assert.deepEqual(new Uint8Array(fs.readFileSync(path)), model)
  flash.close()
  fs.rmSync(folder, { recursive: true })
})
