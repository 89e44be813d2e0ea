/**
 * The XS host: that its heap is a board's, counts what is allocated, and ends as a board ends; that
 * its clock and timers keep their promises. Knows no flash and no socket: xs-devices.test.ts does.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as path from 'node:path'
import {
  EXIT_EXCEPTION,
  EXIT_KEYS,
  EXIT_MEMORY,
  EXIT_STACK,
  MEMORY_FIELDS,
} from '../../targets/simulator/xs-host.js'
import { COUNTS, folder, host32, hostTest, results, run } from './xs-host-run.js'

const COUNTED_WORK = `${COUNTS}
  const bytes = new Uint8Array(256), source = new Uint8Array(256), topic = 'a/b/c/d'
  let kept
  function hand() { for (let i = 0; i < 256; i++) bytes[i] = source[i] ^ (i * 7) }
  const { system, storage, transport } = device
  report(counts(1000, hand))
  report(counts(1000, () => { kept = new Uint8Array(100) }))
  report(counts(1000, () => { kept = topic.charCodeAt(2) }))
  report(counts(1000, () => { kept = 'a string in ROM' }))
  report(counts(1000, () => {
    system.copy(bytes, 1, source, 0, 200)
    kept = system.crc32(bytes, 0, 256) + system.now() + system.random()
    transport.state
    transport.read(bytes, 0, 10)
    device.memory(memoryAfter)
  }))
  report(counts(1000, (i) => {
    storage.write(i << 2, source, 0, 4)
    storage.read(i << 2, bytes, 0, 200)
  }))
`

hostTest('the counts of slots and chunks are those of a device', async (program) => {
  const image = path.join(folder, 'counts.img')
  const counted = await results(program, COUNTED_WORK, '--image', image, '--capacity', '8192')
  assert.deepEqual(counted, [
    [0, 0, 0],
    [7, 1, 120],
    [2, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ])
})

hostTest(
  'the 32-bit host counts the same and has slots and chunks of the size of a device',
  async (program) => {
    const script = `${COUNTS}
      let kept
      report(counts(1000, () => { kept = new Uint8Array(100) }))
      report(Array.from(memoryAfter))`
    const [counted, memory] = (await results(program, script)) as [number[], number[]]
    assert.deepEqual(counted, [7, 1, 108])
    assert.equal(memory[MEMORY_FIELDS.indexOf('slotSize')], 16)
  },
  host32,
)

hostTest('memory tells capacities, peaks, what lives and collections', async (program) => {
  const script = `${COUNTS}
    let kept = []
    for (let i = 0; i < 100; i++) kept.push(new Uint8Array(100))
    device.gc(); device.memory(memoryBefore); report(Array.from(memoryBefore))
    kept = undefined
    device.gc(); device.memory(memoryBefore); report(Array.from(memoryBefore))`
  const rows = (await results(program, script)) as number[][]
  const [held, freed] = rows.map((row) =>
    Object.fromEntries(MEMORY_FIELDS.map((name, i) => [name, row[i]!])),
  ) as Record<(typeof MEMORY_FIELDS)[number], number>[]
  // The first slot of a heap is its header.
  assert.equal(held!.slotCapacity, 4927)
  assert.equal(held!.chunkCapacity, 78848)
  assert.equal(held!.stackCapacity, 512)
  assert.ok(held!.liveSlots - freed!.liveSlots >= 700, 'a hundred arrays of 7 slots')
  assert.ok(held!.liveChunkBytes - freed!.liveChunkBytes >= 12_000)
  assert.ok(freed!.peakSlots > held!.liveSlots && freed!.peakChunkBytes > held!.liveChunkBytes)
  assert.ok(freed!.collections > held!.collections)
})

hostTest('functions have neither name nor length, as a device image', async (program) => {
  const script = `
    function f(a, b) {}
    class C { m(x) {} }
    const all = [f, C, (x) => x, new C().m, Uint8Array, Math.abs, device.print]
    device.report(JSON.stringify(all.map((g) => [typeof g.name, typeof g.length, 'name' in g])))`
  const [told] = (await results(program, script)) as unknown[][]
  for (const row of told!) assert.deepEqual(row, ['undefined', 'undefined', false])
})

const OVERFLOWS: [string, string, number, RegExp][] = [
  ['chunks', 'const a = []; for (;;) a.push(new Uint8Array(256))', EXIT_MEMORY, /chunks are full/],
  ['slots', 'let a = null; for (;;) a = { a }', EXIT_MEMORY, /slots are full/],
  ['the stack', 'function f(a) { return 1 + f(a) } f(1)', EXIT_STACK, /the stack is full/],
  ['keys', "const o = {}; for (let i = 0; i < 99; i++) o['k' + i] = i", EXIT_KEYS, /keys are full/],
]

for (const [what, script, code, words] of OVERFLOWS) {
  hostTest(`a script that overflows ${what} ends the run and says so`, async (program) => {
    const caught = `try { ${script} } catch (error) { device.exit(0) }`
    const outcome = await run(program, caught, '--creation', 'chunk=20000,heap=1000')
    assert.equal(outcome.code, code, outcome.err)
    assert.match(outcome.err, words)
    assert.match(outcome.err, /in use \d+ of 999 slots of 32 bytes, \d+ of 20000 bytes of chunks/)
  })
}

hostTest('an uncaught exception ends the run with file and line', async (program) => {
  const script = `function deep(x) {\n return x.y.z\n}\nsetTimeout(() => {\n deep({})\n}, 1)`
  const { code, err } = await run(program, script)
  assert.equal(code, EXIT_EXCEPTION)
  assert.match(err, /TypeError: .*\n at deep \(script-\d+\.js:3\)\n at \(script-\d+\.js:6\)/)
  const rejected = await run(program, 'Promise.reject(new RangeError("too far"))')
  assert.equal(rejected.code, EXIT_EXCEPTION)
  assert.match(rejected.err, /unhandled rejection: RangeError: too far\n at \(script-\d+\.js:2\)/)
})

hostTest('what a preloaded bundle defines is ROM and costs no heap', async (program) => {
  const library = path.join(folder, 'library.js')
  const classes = Array.from({ length: 30 }, (_, i) => `class C${i} { m() { return ${i} } }`)
  const names = classes.map((_, i) => `C${i}`).join()
  const body = `${classes.join('\n')}\nfunction fail(x) {\n return x.y.z\n}\n`
  fs.writeFileSync(library, `var lib = (() => {\n${body}return { ${names}, fail } })()\n`)
  const script = `${COUNTS}
    device.gc()
    device.memory(memoryBefore)
    class Own extends lib.C7 { n() { return this.m() + 1 } }
    for (let i = 0; i < 3000; i++) { const garbage = { i, text: 'x' + i } }
    report([memoryBefore[4], new Own().n(), new lib.C29().m()])
    lib.fail({})`
  const { code, err, reports } = await run(program, script, '--preload', library)
  const [live, own, last] = JSON.parse(reports[0]!) as number[]
  assert.ok(live! < 100, `${live} slots are live at the start`)
  assert.deepEqual([own, last], [8, 29])
  assert.equal(code, EXIT_EXCEPTION)
  assert.match(err, /at fail \(library\.js:33\)\n at \(script-\d+\.js:\d+\)/)
})

hostTest('what a preloaded bundle made is read-only, as the ROM of a board', async (program) => {
  const library = path.join(folder, 'frozen.js')
  const body =
    "{ map: new Map([['a', 1]]), set: new Set(), bytes: Uint8Array.of(1, 2), object: {} }"
  fs.writeFileSync(library, `var rom = ${body}\n`)
  const script = `
    const changes = [() => rom.map.set('b', 2), () => rom.set.add(1), () => { rom.bytes[0] = 7 },
      () => rom.bytes.fill(7), () => device.system.copy(rom.bytes, 0, new Uint8Array(2), 0, 2)]
    const thrown = changes.map((change) => {
      try { change() } catch (error) { return error instanceof TypeError }
      return 'nothing'
    })
    rom.object.own = 'in the heap'
    // Enough for a collection: what it does not see of the ROM must not be in use.
    for (let i = 0; i < 9000; i++) { const garbage = { i, map: new Map([[i, 'x' + i]]) } }
    const is = [rom.map.get('a'), rom.map.size, rom.set.size, rom.bytes[0], rom.object.own]
    device.report(JSON.stringify([thrown, is]))`
  const [[thrown, is]] = (await results(program, script, '--preload', library)) as [
    [unknown[], unknown[]],
  ]
  assert.deepEqual(thrown, [true, true, true, true, true])
  assert.deepEqual(is, [1, 1, 0, 1, 'in the heap'])
})

hostTest('poll is called when it asked to be, and timers run in order of time', async (program) => {
  const script = `
    let last = 0, calls = 0, ticks = 0
    const interval = setInterval(() => { if (++ticks === 3) clearInterval(interval) }, 2)
    const never = setTimeout(() => device.exit(7), 5)
    clearTimeout(never)
    setTimeout(() => {
      device.report('"second"')
      device.poll = (now) => {
        if (last && now - last < 10) device.exit(8)
        last = now
        return ++calls < 4 ? 10 : -1
      }
    }, 40)
    setTimeout(() => device.report('"first"'), 20)
    console.log('config', device.config, [1, 2], null)
    console.error('to stderr')`
  const { code, out, err, reports } = await run(program, script, '--config', '{"a":"ü"}')
  assert.equal(code, 0)
  assert.equal(out, 'config {"a":"ü"} 1,2 null\n')
  assert.equal(err, 'to stderr\n')
  assert.deepEqual(reports, ['"first"', '"second"'])
  assert.equal((await run(program, 'device.exit(42)')).code, 42)
})

hostTest('system copies overlapping ranges and computes the CRC-32 of zlib', async (program) => {
  const script = `${COUNTS}
    const text = new Uint8Array([49, 50, 51, 52, 53, 54, 55, 56, 57])
    report(device.system.crc32(text, 0, 9))
    device.system.copy(text, 2, text, 0, 7)
    report(Array.from(text))
    report(device.system.wallSeconds())
    let thrown = 0
    const wrong = [() => device.system.crc32(text, 5, 5),
      () => device.system.copy(text, -1, text, 0, 1),
      () => device.system.crc32([1], 0, 1), () => device.system.crc32(text, 0.5, 1)]
    for (const call of wrong) try { call() } catch (error) { thrown++ }
    report(thrown)`
  const [crc, moved, seconds, thrown] = await results(program, script)
  assert.equal(crc, 0xcbf43926)
  assert.deepEqual(moved, [49, 50, 49, 50, 51, 52, 53, 54, 55])
  assert.ok(Math.abs((seconds as number) - Date.now() / 1000) < 5)
  assert.equal(thrown, 4)
})
