/** NorFlash: the storage contract, then the faults that the store's power-cut tests rest on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NorFlash, PowerCut, Random, esp32Timing } from '../../hal/memory/index.js'
import type { Tear } from '../../hal/memory/index.js'
import { ERR_STORAGE, OK } from '../../src/status.js'
import { randomBytes, seededTest } from './seed.js'
import { storageContract } from './storage-contract.js'

const FILE = 'nor.test.js'
const TEARS: readonly Tear[] = ['noop', 'prefix', 'random', 'progressive', 'weak', 'bits']

for (const writeSize of [1, 4, 16, 32]) {
  storageContract('NorFlash', FILE, writeSize, (geometry) => new NorFlash(geometry))
}

function smallFlash(): NorFlash {
  return new NorFlash({ capacity: 4 * 512, eraseSize: 512 })
}

function bitsIn(bytes: Uint8Array): number {
  let count = 0
  for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1
  return count
}

function cutWrite(flash: NorFlash, tear: Tear, seed: number, source: Uint8Array, bits = 0): void {
  flash.cutAt(1, tear, seed, bits)
  assert.throws(() => flash.write(0, source, 0, source.length), PowerCut)
  flash.powerOn()
}

function cutErase(flash: NorFlash, tear: Tear, seed: number, bits = 0): void {
  flash.cutAt(1, tear, seed, bits)
  assert.throws(() => flash.erase(0, 512), PowerCut)
  flash.powerOn()
}

test('a geometry no chip has is refused by name', () => {
  assert.throws(() => new NorFlash({ capacity: 4096, eraseSize: 1000 }), /eraseSize 1000/)
  assert.throws(() => new NorFlash({ capacity: 4096, writeSize: 64 }), /writeSize 64/)
  assert.throws(() => new NorFlash({ capacity: 5000 }), /capacity 5000/)
  assert.throws(() => new NorFlash({ capacity: 0 }), /capacity 0/)
  assert.throws(() => new NorFlash({ capacity: 4096, eraseBlockSize: 2048 }), /eraseBlockSize 2048/)
})

test('a cut comes at the operation it was planned for, and reads do not count', () => {
  const flash = smallFlash()
  const source = new Uint8Array(8)
  const target = new Uint8Array(8)
  flash.cutAt(3, 'noop', 1)
  flash.write(0, source, 0, 8)
  flash.read(0, target, 0, 8)
  flash.erase(512, 512)
  flash.read(0, target, 0, 8)
  assert.throws(() => flash.write(8, source, 0, 8), PowerCut)
})

test('every call throws PowerCut until powerOn, and works after it', () => {
  const flash = smallFlash()
  const bytes = new Uint8Array(8)
  cutWrite(flash, 'noop', 1, bytes)
  flash.powerOff()
  assert.throws(() => flash.read(0, bytes, 0, 8), PowerCut)
  assert.throws(() => flash.write(0, bytes, 0, 8), PowerCut)
  assert.throws(() => flash.erase(0, 512), PowerCut)
  flash.powerOn()
  assert.equal(flash.write(0, bytes, 0, 8), OK)
  assert.equal(flash.read(0, bytes, 0, 8), OK)
  assert.equal(flash.erase(0, 512), OK)
})

test('a planned cut can be taken back', () => {
  const flash = smallFlash()
  flash.cutAt(1, 'random', 1)
  flash.cutAt(0, 'noop', 1)
  assert.equal(flash.write(0, new Uint8Array(8), 0, 8), OK)
})

test('noop leaves a write and an erase undone, and the unit free to write', () => {
  const flash = smallFlash()
  cutWrite(flash, 'noop', 7, new Uint8Array(16))
  assert.equal(bitsIn(flash.bytes), flash.capacity * 8)
  assert.equal(flash.write(0, new Uint8Array(16), 0, 16), OK)
  cutErase(flash, 'noop', 7)
  assert.equal(bitsIn(flash.bytes.subarray(0, 16)), 0)
})

seededTest('prefix leaves the first bytes done and the rest undone', FILE, (_chance, seed) => {
  const lengths = new Set<number>()
  for (let n = 0; n < 200; n += 1) {
    const flash = smallFlash()
    cutWrite(flash, 'prefix', seed + n, new Uint8Array(8))
    const done = flash.bytes.indexOf(0xff)
    lengths.add(done)
    assert.ok(done >= 0 && done <= 8)
    assert.ok(flash.bytes.subarray(0, done).every((byte) => byte === 0))
    assert.ok(flash.bytes.subarray(done).every((byte) => byte === 0xff))
  }
  assert.equal(lengths.size, 9, 'every length from 0 to 8 occurs')
})

seededTest('bits flips exactly k pending bits, lowest first, up to all', FILE, (chance) => {
  const source = randomBytes(chance, 24)
  const pending = 24 * 8 - bitsIn(source)
  let before = new Uint8Array(24).fill(0xff)
  for (let k = 0; k <= pending; k += 1) {
    const flash = smallFlash()
    cutWrite(flash, 'bits', 1, source, k)
    assert.equal(flash.torn.pendingBits, pending)
    assert.equal(flash.torn.flippedBits, k)
    const after = flash.bytes.slice(0, 24)
    assert.equal(24 * 8 - bitsIn(after), k)
    // One bit more than with k - 1, and nothing above it has changed yet.
    if (k > 0) {
      const at = after.findIndex((byte, i) => byte !== before[i])
      const flipped = after[at] ^ before[at]
      assert.equal(flipped & (flipped - 1), 0, 'one bit')
      assert.ok(after.subarray(at + 1).every((byte) => byte === 0xff))
      assert.equal(after[at] & ~source[at] & (flipped - 1), 0, 'no lower bit is left pending')
    }
    before = after
  }
  assert.deepEqual(before, source)
})

test('bits tears an erase in ascending order too', () => {
  const flash = smallFlash()
  flash.write(0, new Uint8Array(512), 0, 512)
  cutErase(flash, 'bits', 1, 8 * 100 + 3)
  assert.equal(flash.torn.pendingBits, 512 * 8)
  assert.ok(flash.bytes.subarray(0, 100).every((byte) => byte === 0xff))
  assert.equal(flash.bytes[100], 0b111)
  assert.ok(flash.bytes.subarray(101, 512).every((byte) => byte === 0))
})

test('random changes about half of the pending bits, of a write and of an erase', () => {
  const flash = smallFlash()
  cutWrite(flash, 'random', 3, new Uint8Array(512))
  assert.ok(Math.abs(flash.torn.flippedBits / 4096 - 0.5) < 0.05)
  flash.erase(0, 512)
  flash.write(0, new Uint8Array(512), 0, 512)
  cutErase(flash, 'random', 4)
  assert.ok(Math.abs(flash.torn.flippedBits / 4096 - 0.5) < 0.05)
})

test('progressive changes every share of the bits, and finds an erase late', () => {
  const shares = (tearOnce: (flash: NorFlash, seed: number) => void) =>
    Array.from({ length: 300 }, (_, seed) => {
      const flash = smallFlash()
      tearOnce(flash, seed)
      return flash.torn.flippedBits / flash.torn.pendingBits
    })
  const mean = (all: number[]) => all.reduce((sum, share) => sum + share, 0) / all.length
  const zeros = new Uint8Array(512)
  const writes = shares((flash, seed) => cutWrite(flash, 'progressive', seed, zeros))
  const erases = shares((flash, seed) => {
    flash.write(0, zeros, 0, 512)
    cutErase(flash, 'progressive', seed)
  })
  assert.ok(Math.min(...writes) < 0.05 && Math.max(...writes) > 0.95)
  // The mean of u is 1/2, that of 1 - (1-u)^2 is 2/3.
  assert.ok(Math.abs(mean(writes) - 1 / 2) < 0.06, `writes ${mean(writes)}`)
  assert.ok(Math.abs(mean(erases) - 2 / 3) < 0.06, `erases ${mean(erases)}`)
})

test('a weak sector reads blank, takes a write, and loses bits of it until it is erased', () => {
  const flash = smallFlash()
  const zeros = new Uint8Array(64)
  const target = new Uint8Array(512)
  flash.write(0, zeros, 0, 64)
  cutErase(flash, 'weak', 5)
  flash.read(0, target, 0, 512)
  assert.ok(target.every((byte) => byte === 0xff))
  flash.write(0, zeros, 0, 64)
  flash.write(512, zeros, 0, 64)

  const readsWithLoss = (address: number) => {
    let count = 0
    for (let n = 0; n < 100; n += 1) {
      flash.read(address, target, 0, 64)
      if (target.subarray(0, 64).some((byte) => byte !== 0)) count += 1
    }
    return count
  }
  const lossy = readsWithLoss(0)
  assert.ok(lossy > 20 && lossy < 80, `${lossy} of 100 reads lost bits`)
  assert.equal(readsWithLoss(512), 0, 'the sector beside it holds')
  flash.cutAt(1, 'weak', 6)
  assert.throws(() => flash.erase(1024, 512), PowerCut)
  flash.powerOn()
  flash.erase(0, 512)
  flash.write(0, zeros, 0, 64)
  assert.equal(readsWithLoss(0), 0, 'an erase mends it, and no other')
  flash.write(1024, zeros, 0, 64)
  assert.ok(readsWithLoss(1024) > 20)
})

test('a torn write leaves its units written when a bit changed', () => {
  const flash = smallFlash()
  const zeros = new Uint8Array(32)
  cutWrite(flash, 'bits', 1, zeros, 1)
  assert.throws(() => flash.write(31, zeros, 0, 1), /written already/)
  assert.equal(flash.write(32, zeros, 0, 1), OK)
})

test('a torn erase that does not blank the sector does not free its units', () => {
  const flash = smallFlash()
  flash.write(0, new Uint8Array(512), 0, 512)
  cutErase(flash, 'bits', 1, 4095)
  assert.throws(() => flash.write(0, new Uint8Array(8), 0, 8), /written already/)
})

seededTest('no tear changes a bit that was not pending, nor another sector', FILE, (chance) => {
  for (let n = 0; n < 300; n += 1) {
    const flash = smallFlash()
    const old = randomBytes(chance, 1024)
    flash.write(0, old, 0, 512)
    flash.write(512, old, 512, 512)
    const source = randomBytes(chance, 100)
    const tear = TEARS[chance.below(TEARS.length)]
    flash.cutAt(1, tear, chance.next(), chance.below(400))
    assert.throws(() => flash.write(1024, source, 0, 100), PowerCut)
    flash.powerOn()
    for (let i = 0; i < 100; i += 1) {
      assert.equal(flash.bytes[1024 + i] & source[i], source[i], 'a kept bit changed')
    }
    assert.deepEqual(flash.bytes.slice(0, 1024), old)

    flash.cutAt(1, tear, chance.next(), chance.below(4096))
    assert.throws(() => flash.erase(512, 512), PowerCut)
    for (let i = 512; i < 1024; i += 1) {
      assert.equal(flash.bytes[i] & old[i], old[i], 'an erase cleared a bit')
    }
    assert.deepEqual(flash.bytes.slice(0, 512), old.slice(0, 512))
  }
})

seededTest('the same seed tears in the same way', FILE, (chance) => {
  for (const tear of TEARS) {
    const source = randomBytes(chance, 200)
    const seed = chance.next()
    const images = [0, 1].map(() => {
      const flash = smallFlash()
      cutWrite(flash, tear, seed, source, 50)
      return flash.bytes
    })
    assert.deepEqual(images[0], images[1], tear)
  }
})

test('restore brings back contents, marks, wear, counts and faults', () => {
  const flash = smallFlash()
  const zeros = new Uint8Array(64)
  const target = new Uint8Array(64)
  flash.write(0, zeros, 0, 64)
  flash.erase(512, 512)
  flash.stickSector(1024, 'reports')
  flash.cutAt(1, 'weak', 9)
  assert.throws(() => flash.erase(1536, 512), PowerCut)
  const taken = flash.snapshot()
  const counts = { ...flash.counters }

  const replay = () => {
    flash.restore(taken)
    assert.ok(flash.isOff)
    flash.powerOn()
    flash.write(1536, zeros, 0, 64)
    flash.read(1536, target, 0, 64)
    flash.read(1536, target, 0, 64)
    return [...target]
  }
  const first = replay()
  flash.erase(0, 1024)
  flash.stickSector(1024, 'none')
  assert.deepEqual(replay(), first, 'the weak bits fall the same way again')
  flash.restore(taken)
  assert.deepEqual({ ...flash.counters }, counts)
  assert.deepEqual([...flash.wear], [0, 1, 0, 1])
  flash.powerOn()
  assert.throws(() => flash.write(0, zeros, 0, 1), /written already/)
  assert.equal(flash.erase(1024, 512), ERR_STORAGE)
  assert.throws(() => new NorFlash({ capacity: 4096 }).restore(taken), /another geometry/)
})

test('counters and model time follow the datasheet numbers', () => {
  const flash = new NorFlash({ capacity: 131072 })
  const bytes = new Uint8Array(512)
  flash.write(200, bytes, 0, 128)
  // Two pages, 56 and 72 bytes: 2 x (0.5 + 30) + 126 x 2.5 + 128 x 0.1.
  assert.equal(flash.counters.pagePrograms, 2)
  assert.ok(Math.abs(flash.counters.microseconds - 388.8) < 1e-6)
  flash.read(0, bytes, 0, 100)
  assert.ok(Math.abs(flash.counters.microseconds - 399.3) < 1e-6)
  flash.erase(0, 65536 + 4096)
  assert.ok(Math.abs(flash.counters.microseconds - 399.3 - 195001) < 1e-6)
  const { reads, readBytes, writes, programmedBytes, eraseCalls, erases } = flash.counters
  const counts = [reads, readBytes, writes, programmedBytes, eraseCalls, erases]
  assert.deepEqual(counts, [1, 100, 1, 128, 1, 17])
  assert.equal(flash.wear[16], 1)
  assert.equal(flash.wear[17], 0)
})

test('the ESP32 model is within 2 % of its table', () => {
  const near = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual / expected - 1) < 0.02, `${actual} for ${expected}`)
  const spent = (work: (flash: NorFlash) => void) => {
    const flash = new NorFlash({ capacity: 8192, timing: esp32Timing() })
    work(flash)
    return flash.counters.microseconds
  }
  const bytes = new Uint8Array(4096)
  const write = (length: number) => spent((flash) => flash.write(0, bytes, 0, length))
  near(write(128), 205)
  near(write(256), 417)
  const read = spent((flash) => flash.read(0, bytes, 0, 4096))
  near(read, 459)
  const erase = spent((flash) => flash.erase(0, 4096))
  near(erase, 37100)
})

test('a second write is only counted where enforcement is off', () => {
  const flash = new NorFlash({ capacity: 4096, writeSize: 4, enforceWriteOnce: false })
  flash.write(0, new Uint8Array([0xf0, 0xff, 0xff, 0xff]), 0, 4)
  flash.write(0, new Uint8Array([0x0f, 0xff, 0xff, 0xff]), 0, 4)
  assert.equal(flash.bytes[0], 0)
  assert.equal(flash.counters.doubleProgrammedBytes, 4)
})

test('read flips come at the rate asked for, and leave the stored bits alone', () => {
  const flash = smallFlash()
  const target = new Uint8Array(2048)
  flash.flipOnRead(0.001, 11)
  let flipped = 0
  for (let n = 0; n < 100; n += 1) {
    flash.read(0, target, 0, 2048)
    flipped += 2048 * 8 - bitsIn(target)
  }
  // 1,638,400 bits: 1,638 expected, standard deviation 40.
  assert.ok(Math.abs(flipped - 1638) < 240, `${flipped} flips`)
  flash.flipOnRead(0, 1)
  flash.read(0, target, 0, 2048)
  assert.equal(bitsIn(target), 2048 * 8)
})

test('flipBit inverts one stored bit', () => {
  const flash = smallFlash()
  flash.flipBit(5, 3)
  assert.equal(flash.bytes[5], 0xf7)
  flash.flipBit(5, 3)
  assert.equal(bitsIn(flash.bytes), 2048 * 8)
})

test('a stuck sector reports its erase, or silently reads non-blank after it', () => {
  const flash = smallFlash()
  flash.write(0, new Uint8Array(1024), 0, 1024)
  flash.stickSector(0, 'reports')
  flash.stickSector(512, 'silent')
  assert.equal(flash.erase(0, 512), ERR_STORAGE)
  assert.ok(flash.bytes.subarray(0, 512).every((byte) => byte === 0))
  assert.equal(flash.erase(512, 512), OK)
  assert.equal(bitsIn(flash.bytes.subarray(512, 1024)), 4095)
  flash.stickSector(0, 'none')
  assert.equal(flash.erase(0, 512), OK)
  assert.equal(bitsIn(flash.bytes.subarray(0, 512)), 4096)
})

test('the generator repeats, spreads, and draws bits with the probability asked for', () => {
  const first = new Random(1)
  const again = new Random(1)
  const other = new Random(2)
  for (let n = 0; n < 100; n += 1) {
    const drawn = first.next()
    assert.equal(drawn, again.next())
    assert.notEqual(drawn, other.next())
    assert.ok(drawn >= 0 && drawn <= 0xffffffff)
    assert.ok(first.below(7) < 7 && again.below(7) < 7)
  }
  const counts = new Array<number>(8).fill(0)
  for (let n = 0; n < 8000; n += 1) counts[first.below(8)] += 1
  assert.ok(
    counts.every((count) => Math.abs(count - 1000) < 150),
    counts.join(' '),
  )
  for (const parts of [0, 1, 64, 200, 256]) {
    let ones = 0
    for (let n = 0; n < 4000; n += 1) {
      for (let rest = first.bits(parts); rest !== 0; rest &= rest - 1) ones += 1
    }
    assert.ok(Math.abs(ones / 128000 - parts / 256) < 0.01, `${parts}: ${ones}`)
  }
})
