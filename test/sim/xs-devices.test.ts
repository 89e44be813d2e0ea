/**
 * The flash and the socket of the XS host: that they keep the contracts of `hal/storage.ts` and
 * `hal/transport.ts`, and what a power cut leaves. Knows nothing of MQTT.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { COUNTS, folder, hostTest, results, run } from './xs-host-run.js'

const FLASH = `
  const s = device.storage, b = new Uint8Array(8192)
  function attempt(call) { try { return call() } catch (error) { return error.message } }
  function report(value) { device.report(JSON.stringify(value)) }
`

function flashOptions(name: string, ...more: string[]): string[] {
  return ['--image', path.join(folder, name), '--capacity', '8192', '--write-size', '8', ...more]
}

hostTest('a breach of the flash contract throws, also in a later run', async (program) => {
  const script = `${FLASH}
    report([s.capacity, s.eraseSize, s.writeSize, s.eraseBlockSize])
    b[0] = 0x0f
    report(attempt(() => s.write(16, b, 0, 8)))
    report(attempt(() => s.write(8, b, 0, 16)))
    report(attempt(() => s.write(32, b, 0, 4)))
    report(attempt(() => s.erase(4096, 2048)))
    report(attempt(() => s.read(8190, b, 0, 4)))
    report(attempt(() => s.read(0, b, 8190, 4)))`
  const first = await results(program, script, ...flashOptions('breach.img'))
  assert.deepEqual(first.slice(0, 2), [[8192, 4096, 8, 4096], 0])
  assert.match(String(first[2]), /written a second time/)
  for (const words of first.slice(3, 5)) assert.match(String(words), /is not aligned to/)
  for (const words of first.slice(5)) assert.match(String(words), /outside/)
  const again = `${FLASH}
    report(attempt(() => s.write(16, b, 0, 8)))
    report(attempt(() => s.erase(0, 4096)))
    report(attempt(() => s.write(16, b, 0, 8)))
    s.read(16, b, 0, 9); report(Array.from(b.subarray(0, 9)))`
  const second = await results(program, again, ...flashOptions('breach.img'))
  assert.match(String(second[0]), /written a second time/)
  assert.deepEqual(second.slice(1), [0, 0, [0, 0, 0, 0, 0, 0, 0, 0, 255]])
  assert.deepEqual(readStats('breach.img'), {
    programmedBytes: 16,
    erases: 1,
    doubleProgrammedBytes: 16,
  })
})

function readStats(name: string): unknown {
  return JSON.parse(fs.readFileSync(path.join(folder, name + '.stats'), 'utf8'))
}

const CUT_SCRIPT = `${FLASH}
  b.fill(0x0f, 0, 64)
  s.write(0, b, 0, 64)
  report('torn next')
  if (device.config === 'erase') s.erase(0, 8192)
  else s.write(64, b, 0, 64)
  report('not reached')`

/** Runs to a power cut in the second operation and gives back the image. */
async function cutImage(
  program: string,
  name: string,
  seed: number,
  what: string,
): Promise<Buffer> {
  for (const ending of ['', '.units', '.stats']) {
    fs.rmSync(path.join(folder, name + ending), { force: true })
  }
  const cut = ['--cut-at', '2', '--cut-bits', String(seed), '--config', what]
  const outcome = await run(program, CUT_SCRIPT, ...flashOptions(name, ...cut))
  assert.equal(outcome.signal, 'SIGKILL', outcome.err)
  assert.deepEqual(outcome.reports, ['"torn next"'])
  return fs.readFileSync(path.join(folder, name))
}

hostTest('a cut in a write clears some of its bits and no others', async (program) => {
  let partial = 0
  for (let seed = 0; seed < 12; seed++) {
    const image = await cutImage(program, 'cut.img', seed, 'write')
    assert.ok(
      image.subarray(0, 64).every((byte) => byte === 0x0f),
      `seed ${seed}: first write`,
    )
    const torn = image.subarray(64, 128)
    assert.ok(
      torn.every((byte) => (byte & 0x0f) === 0x0f),
      `seed ${seed}: a wrong bit`,
    )
    assert.ok(
      image.subarray(128).every((byte) => byte === 0xff),
      `seed ${seed}: a wrong byte`,
    )
    if (torn.some((byte) => byte !== 0xff) && torn.some((byte) => byte !== 0x0f)) partial++
    assert.deepEqual(
      await cutImage(program, 'cut2.img', seed, 'write'),
      image,
      'same seed, same cut',
    )
    assert.deepEqual(readStats('cut.img'), {
      programmedBytes: 128,
      erases: 0,
      doubleProgrammedBytes: 0,
    })
  }
  assert.ok(partial >= 4, `${partial} of 12 cuts left a half-written range`)
})

hostTest('a cut in an erase leaves a sector that is not to be trusted', async (program) => {
  const left = new Set<string>()
  for (let seed = 0; seed < 12; seed++) {
    const image = await cutImage(program, 'erase.img', seed, 'erase')
    assert.ok(image.subarray(0, 64).every((byte) => (byte & 0x0f) === 0x0f))
    left.add(image.toString('base64'))
    // The torn sector, which may be either, takes no write before a whole erase.
    const script = `${FLASH}
      report([attempt(() => s.write(128, b, 0, 8)), attempt(() => s.write(4096, b, 0, 8))])
      s.erase(0, 8192)
      report(s.write(128, b, 0, 8))`
    const [told, written] = (await results(program, script, ...flashOptions('erase.img'))) as [
      unknown[],
      number,
    ]
    assert.equal(told.filter((result) => result !== 0).length, 1, `seed ${seed}: ${String(told)}`)
    assert.equal(written, 0)
  }
  assert.ok(left.size >= 4, `${left.size} different images`)
})

hostTest('an image of another size is refused by name', async (program) => {
  fs.writeFileSync(path.join(folder, 'small.img'), 'x')
  const { code, err } = await run(program, '', ...flashOptions('small.img'))
  assert.equal(code, 2)
  assert.match(err, /small\.img has 1 bytes, wanted 8192/)
})

/** Listens on a free port of the loopback for as long as `body` runs. */
async function withServer(
  onSocket: (socket: net.Socket) => void,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await body((server.address() as net.AddressInfo).port)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

const ECHO_SCRIPT = `${COUNTS}
  const t = device.transport, size = 64, total = 3000
  const out = new Uint8Array(size), input = new Uint8Array(size)
  let sent = 0, got = 0, filled = 0, wrong = 0, readies = 0
  function poll(now) {
    if (t.state === 0) { report(t.reason); device.exit(9) }
    if (t.state !== 2) return -1
    if (sent === 0) device.memory(memoryBefore)
    for (;;) {
      if (sent === got) {
        if (got === total) break
        for (let i = 0; i < size; i++) out[i] = sent + i
        if (t.write(out, 0, size) !== size) wrong++
        sent++
      }
      const count = t.read(input, filled, size - filled)
      if (count <= 0) return -1
      filled += count
      if (filled === size) {
        for (let i = 0; i < size; i++) if (input[i] !== out[i]) wrong++
        filled = 0
        got++
      }
    }
    device.memory(memoryAfter)
    report({ wrong, isReadyCalled: readies > 100,
      counts: [0, 1, 2, 3].map((i) => memoryAfter[i] - memoryBefore[i]) })
    t.close()
    return -1
  }
  device.poll = poll
  t.onReady = () => { readies++ }
  if (t.open(JSON.parse(device.config)) !== 0) device.exit(10)
`

hostTest('3000 messages to an echo and back allocate nothing', async (program) => {
  await withServer(
    (socket) => socket.pipe(socket),
    async (port) => {
      const config = JSON.stringify({ host: '127.0.0.1', port, secure: false })
      const [told] = await results(program, ECHO_SCRIPT, '--config', config)
      assert.deepEqual(told, { wrong: 0, isReadyCalled: true, counts: [0, 0, 0, 0] })
    },
  )
})

hostTest('a connection ends after its last byte, and trouble is told in words', async (program) => {
  const script = `${COUNTS}
    const t = device.transport, b = new Uint8Array(16), log = []
    const address = JSON.parse(device.config)
    log.push(t.state, t.reason, t.read(b, 0, 4), t.write(b, 0, 4))
    log.push(t.open({ host: address.host, port: address.port, secure: true }), t.reason)
    device.poll = () => {
      if (t.state === 1) return -1
      let count
      while ((count = t.read(b, 0, 3)) > 0) log.push(count)
      if (count === 0) return -1
      log.push(count, t.state, t.reason)
      if (address.port !== 1) {
        address.port = 1
        t.open(address)
        return -1
      }
      report(log)
      device.exit(0)
    }
    t.open(address)`
  await withServer(
    (socket) => socket.end('12345'),
    async (port) => {
      const config = JSON.stringify({ host: 'localhost', port, secure: false })
      const [log] = (await results(program, script, '--config', config)) as unknown[][]
      const ended = [3, 2, -4002, 0, 'the broker closed the connection']
      const refused = [-4002, 0, 'Connection refused']
      const tls = [-4003, 'this simulated board has no TLS']
      assert.deepEqual(log, [0, '', -4002, -4002, ...tls, ...ended, ...refused])
    },
  )
})
