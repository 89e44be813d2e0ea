/** FileFlash: the storage contract, what its files keep over runs, and the simulator's cut. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FileFlash } from '../../hal/node/file-flash.js'
import { ERR_STORAGE, OK } from '../../src/status.js'
import { seededTest } from './seed.js'
import { storageContract } from './storage-contract.js'

const FILE = 'file-flash.test.js'
const GEOMETRY = { capacity: 4096, eraseSize: 512, writeSize: 4 }
const directory = fs.mkdtempSync(join(tmpdir(), 'holdfast-flash-'))
const opened: FileFlash[] = []
let imageCount = 0

after(() => {
  for (const flash of opened) flash.close()
  fs.rmSync(directory, { recursive: true })
})

function newPath(): string {
  imageCount += 1
  return join(directory, `image-${imageCount}`)
}

function open(path: string, more: { enforce?: boolean; sync?: boolean } = {}): FileFlash {
  const flash = new FileFlash(path, { ...GEOMETRY, ...more })
  opened.push(flash)
  return flash
}

function statisticsOf(path: string): unknown {
  return JSON.parse(fs.readFileSync(path + '.stats', 'utf8'))
}

for (const writeSize of [1, 4, 16, 32]) {
  storageContract('FileFlash', FILE, writeSize, (geometry) => {
    const flash = new FileFlash(newPath(), geometry)
    opened.push(flash)
    return flash
  })
}

test('contents and written units hold from one run to the next', () => {
  const path = newPath()
  const first = open(path)
  first.write(0, new Uint8Array([1, 2, 3, 4]), 0, 4)
  first.write(8, new Uint8Array(4).fill(0xff), 0, 4)
  first.write(512, new Uint8Array(4), 0, 4)
  first.erase(512, 512)
  first.close()
  const second = open(path)
  const target = new Uint8Array(4)
  second.read(0, target, 0, 4)
  assert.deepEqual([...target], [1, 2, 3, 4])
  assert.throws(() => second.write(0, target, 0, 4), /written already/)
  assert.throws(() => second.write(8, target, 0, 4), /written already/, 'written as 0xFF')
  assert.equal(second.write(4, target, 0, 4), OK)
  assert.equal(second.write(512, target, 0, 4), OK)
})

test('without its side file every unit that is not blank counts as written', () => {
  const path = newPath()
  const first = open(path)
  first.write(0, new Uint8Array([1, 2, 3, 4]), 0, 4)
  first.write(8, new Uint8Array(4).fill(0xff), 0, 4)
  first.close()
  fs.rmSync(path + '.units')
  const second = open(path)
  assert.throws(() => second.write(0, new Uint8Array(4), 0, 4), /written already/)
  assert.equal(second.write(8, new Uint8Array(4), 0, 4), OK)
})

test('a file of the wrong size is refused by path and sizes, and not touched', () => {
  const path = newPath()
  fs.writeFileSync(path, 'not a flash image')
  assert.throws(() => open(path), {
    message: `flash image ${path} has 17 bytes, 4096 are wanted`,
  })
  assert.equal(fs.readFileSync(path, 'utf8'), 'not a flash image')
})

test('a side file kept for another writeSize is refused by name', () => {
  const path = newPath()
  open(path).close()
  assert.throws(() => new FileFlash(path, { ...GEOMETRY, writeSize: 1 }), /\.units has 128 bytes/)
})

test('a new image starts without the side files of an older one', () => {
  const path = newPath()
  const first = open(path)
  first.write(0, new Uint8Array(4), 0, 4)
  first.close()
  fs.rmSync(path)
  const second = open(path)
  assert.equal(second.write(0, new Uint8Array(4), 0, 4), OK)
  assert.deepEqual(second.statistics, { programmedBytes: 4, erases: 0, doubleProgrammedBytes: 0 })
})

test('statistics add up over runs and are on disk after close and after 100 operations', () => {
  const path = newPath()
  const first = open(path)
  first.write(0, new Uint8Array(64), 0, 64)
  first.erase(0, 1024)
  first.close()
  const expected = { programmedBytes: 64, erases: 2, doubleProgrammedBytes: 0 }
  assert.deepEqual(statisticsOf(path), expected)
  const second = open(path)
  for (let n = 0; n < 100; n += 1) second.erase(0, 512)
  assert.deepEqual(statisticsOf(path), { ...expected, erases: 102 })
  second.write(0, new Uint8Array(8), 0, 8)
  assert.throws(() => second.write(4, new Uint8Array(4), 0, 4))
  const last = { programmedBytes: 72, erases: 102, doubleProgrammedBytes: 4 }
  assert.deepEqual(statisticsOf(path), last, 'a breach is on disk at once')
})

test('damaged statistics count from zero', () => {
  const path = newPath()
  open(path).close()
  for (const damaged of ['', 'null', '{"erases":"many"}']) {
    fs.writeFileSync(path + '.stats', damaged)
    const flash = open(path)
    assert.deepEqual(flash.statistics, { programmedBytes: 0, erases: 0, doubleProgrammedBytes: 0 })
  }
})

test('without enforcement bits are cleared by AND, and no side file goes stale', () => {
  const path = newPath()
  open(path).close()
  assert.ok(fs.existsSync(path + '.units'))
  const flash = open(path, { enforce: false, sync: true })
  assert.ok(!fs.existsSync(path + '.units'))
  flash.write(0, new Uint8Array([0xf0, 1, 2, 3]), 0, 4)
  flash.write(0, new Uint8Array([0x3f, 1, 2, 3]), 0, 4)
  const target = new Uint8Array(4)
  flash.read(0, target, 0, 4)
  assert.deepEqual([...target], [0x30, 1, 2, 3])
  assert.equal(flash.erase(0, 512), OK)
  assert.throws(() => flash.write(2, target, 0, 4), /not aligned/, 'bounds are always checked')
})

test('trouble of the disk is a status, and use after close throws', () => {
  const path = newPath()
  const flash = open(path)
  fs.truncateSync(path, 100)
  assert.equal(flash.read(0, new Uint8Array(512), 0, 512), ERR_STORAGE)
  flash.close()
  flash.close()
  assert.throws(() => flash.read(0, new Uint8Array(4), 0, 4), /is closed/)
})

/** Runs, in a process of its own, zeros into sector 0, then the torn operation. */
function runAndCut(path: string, operation: number, seed: number): void {
  const script = `
    import { FileFlash } from ${JSON.stringify(
      new URL('../../hal/node/file-flash.js', import.meta.url).href,
    )}
    import { CuttingFlash } from ${JSON.stringify(
      new URL('../../targets/simulator/cutting-flash.js', import.meta.url).href,
    )}
    const file = new FileFlash(${JSON.stringify(path)}, ${JSON.stringify(GEOMETRY)})
    const flash = new CuttingFlash(file, { operation: ${operation}, seed: ${seed} })
    flash.write(0, new Uint8Array(512), 0, 512)
    flash.write(512, new Uint8Array(64), 0, 64)
    flash.erase(0, 512)
    flash.write(512 + 64, new Uint8Array(64), 0, 64)
    console.log('survived')
  `
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  assert.equal(result.signal, 'SIGKILL', result.stderr.toString())
  assert.equal(result.stdout.toString(), '')
}

function oneBits(bytes: Uint8Array): number {
  let count = 0
  for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1
  return count
}

seededTest(
  'a cut dies in its operation and leaves it torn, all before it whole',
  FILE,
  (chance) => {
    const partial = { write: 0, erase: 0 }
    for (let n = 0; n < 6; n += 1) {
      const path = newPath()
      const isErase = n % 2 === 1
      runAndCut(path, isErase ? 3 : 2, chance.next())
      const image = fs.readFileSync(path)
      assert.equal(image.length, GEOMETRY.capacity)
      const done = image.subarray(512, 512 + 64)
      const tornRange = isErase ? image.subarray(0, 512) : done
      const ones = oneBits(tornRange)
      if (ones > 0 && ones < tornRange.length * 8) partial[isErase ? 'erase' : 'write'] += 1
      assert.equal(oneBits(isErase ? done : image.subarray(0, 512)), 0, 'the operation before')
      assert.ok(
        image.subarray(512 + 64).every((byte) => byte === 0xff),
        'nothing after the cut',
      )
      const { programmedBytes } = statisticsOf(path) as { programmedBytes: number }
      assert.ok(programmedBytes === 576 || (!isErase && programmedBytes === 512))
      // The image opens again, and the torn sector is usable after an erase.
      const flash = open(path)
      assert.equal(flash.erase(0, 1024), OK)
      assert.equal(flash.write(0, new Uint8Array(1024), 0, 1024), OK)
    }
    assert.ok(partial.write > 0, 'some write was caught halfway')
    assert.ok(partial.erase > 0, 'some erase was caught halfway')
  },
)
