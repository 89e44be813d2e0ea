/**
 * The simulator as a user starts it, and its judgement: a harness that cannot see a fault proves
 * nothing, so each kind of fault is planted once.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ensureXsHost } from '../../targets/simulator/xs-host.js'
import { BundleError, bundleFirmware, sensorPath } from '../../targets/simulator/bundle.js'
import {
  readingPayload,
  readingQos,
  readingTopic,
} from '../../targets/simulator/firmware/reading.js'
import { type Delivery, judge, Ledger } from '../../targets/simulator/ledger.js'
import { planBoots } from '../../targets/simulator/plan.js'
import { hasMosquitto, Mosquitto } from '../broker/mosquitto.js'

const main = fileURLToPath(new URL('../../targets/simulator/main.js', import.meta.url))
const folder = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-simulator-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))

interface Run {
  code: number | null
  out: string
  err: string
}

function simulate(...args: string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    // Its temporary files go where the test can see that none is left.
    const env = { ...process.env, TMPDIR: folder }
    const child = spawn(process.execPath, [main, ...args], { env, timeout: 60_000 })
    const run: Run = { code: null, out: '', err: '' }
    child.stdout.on('data', (bytes: Buffer) => (run.out += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (run.err += bytes.toString()))
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...run, code }))
  })
}

/** The JSON of a run in which every promise was kept. */
async function keptRun(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await simulate('--json', ...args)
  assert.equal(code, 0, err + out)
  const lines = out.trimEnd().split('\n')
  assert.equal(lines.length, 1, 'progress goes to stderr')
  assert.deepEqual(
    fs.readdirSync(folder).filter((name) => /^holdfast-\w{6}$/.test(name)),
    [],
  )
  return JSON.parse(lines[0]!) as Record<string, unknown>
}

function checkResult(
  result: Record<string, unknown>,
  messages: number,
  protocol: number,
  engine: string,
): void {
  const { flash, duplicatesQos1, ...rest } = result
  assert.deepEqual(rest, {
    accepted: messages,
    delivered: messages,
    lost: 0,
    duplicatesQos2: 0,
    corrupt: 0,
    reordered: 0,
    powerCuts: 4,
    engine,
    protocol,
  })
  assert.equal(typeof duplicatesQos1, 'number')
  const figures = flash as Record<string, number>
  const names = ['programmedBytes', 'payloadBytes', 'erases', 'doubleProgrammedBytes']
  assert.deepEqual(Object.keys(figures), names)
  assert.ok(figures.programmedBytes! > figures.payloadBytes!)
  assert.equal(figures.doubleProgrammedBytes, 0)
}

/** The engines of this machine: XS where its host can be built. */
const engines = ['node']
const host = await ensureXsHost({ progress: () => {} })
if ('path' in host) engines.push('xs')
else if (process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error(host.missing)
else console.log(`left out: the simulator on XS: ${host.missing}`)

for (const engine of engines) {
  test(`sixty messages survive the night with the embedded broker, on ${engine}`, async () => {
    checkResult(await keptRun('--messages', '60', '--engine', engine), 60, 4, engine)
  })
}

test('without a choice the device runs on XS if it can', async () => {
  const engine = engines[engines.length - 1]!
  checkResult(await keptRun('--messages', '40'), 40, 4, engine)
})

for (const protocol of hasMosquitto('the simulator with Mosquitto, MQTT 3.1.1 and 5')
  ? [4, 5]
  : []) {
  test(`sixty messages survive the night with Mosquitto, protocol ${protocol}`, async () => {
    const broker = await Mosquitto.start()
    try {
      const args = ['--messages', '60', '--broker', broker.url, '--protocol', String(protocol)]
      for (const engine of engines) {
        checkResult(await keptRun(...args, '--engine', engine), 60, protocol, engine)
      }
    } finally {
      await broker.stop()
    }
  })
}

test('a run tells the seed, shows its progress and ends in words', async () => {
  const { code, out } = await simulate(
    '--messages',
    '20',
    '--power-cuts',
    '1',
    '--seed',
    '7',
    '--keep',
  )
  assert.equal(code, 0, out)
  assert.match(out, /again with --seed 7/)
  assert.match(out, /power cut in flash operation \d+, network (up|down): \d+ accepted/)
  assert.match(out, /delivered {4}20 of 20; lost 0/)
  assert.match(out, /Every promise was kept\./)
  const image = /The flash image is (.*)/.exec(out)![1]!
  assert.equal(fs.statSync(image).size, 256 * 1024)
  fs.rmSync(path.dirname(image), { recursive: true })
})

const WRONG: [string[], RegExp][] = [
  [['--mesages', '60'], /Unknown option '--mesages'/],
  [['--messages', '0'], /--messages is "0"; it must be a whole number from 1 to 100000/],
  [['--messages', '6e1'], /--messages is "6e1"/],
  [['--seed', '4294967296'], /--seed is "4294967296"/],
  [['--messages', '20', '--power-cuts', '3'], /--power-cuts 3 needs --messages 30 or more/],
  [['--protocol', '3'], /--protocol is "3"; it must be 4/],
  [['--protocol', '5'], /--broker mqtt:\/\/host:port/],
  [['--broker', 'http://host'], /--broker is "http:\/\/host"/],
  [['--broker', 'mqtts://host'], /--broker must be mqtt:\/\/: .* into mqtts:\/\//],
  [['--broker', 'ws://host/mqtt'], /--broker must be mqtt:\/\/: .* into ws:\/\//],
  [['night'], /Unexpected argument 'night'/],
]

test('wrong options are refused by name, with exit code 2', async () => {
  for (const [args, words] of WRONG) {
    const { code, out, err } = await simulate(...args)
    assert.equal(code, 2, args.join(' '))
    assert.match(err, words)
    assert.equal(out, '')
  }
})

test('a password in a broker URL is not repeated', async () => {
  for (const url of ['mqtt://me:secret@host', 'mqtt://me:sec?ret@host', 'ws://h/?token=secret']) {
    const { code, err } = await simulate('--broker', url)
    assert.equal(code, 2)
    assert.match(err, /--broker is "(mqtt|ws):…"; it must be like/)
    assert.doesNotMatch(err, /sec/)
  }
})

test('a broker that cannot be reached is named before anything starts', async () => {
  const { code, err } = await simulate('--broker', 'mqtt://127.0.0.1:1')
  assert.equal(code, 1)
  assert.match(err, /the broker mqtt:\/\/127\.0\.0\.1:1 cannot be used: connect ECONNREFUSED/)
})

test('the bundle is a script without a trace of Node, and an import of Node fails', async () => {
  const bundle = path.join(folder, 'firmware.js')
  await bundleFirmware(sensorPath(), bundle, false)
  const text = fs.readFileSync(bundle, 'utf8')
  assert.doesNotMatch(text, /["']node:|\brequire\(|\bprocess\.|\bBuffer\b/)
  assert.match(text, /device\.report/)
  const wrong = path.join(folder, 'wrong.ts')
  fs.writeFileSync(wrong, "import * as fs from 'node:fs'\nfs.readFileSync('x')\n")
  await assert.rejects(
    bundleFirmware(wrong, bundle, false),
    (error) => error instanceof BundleError && /wrong\.ts:1: .*"node:fs"/.test(error.message),
  )
})

test('every plan cuts as often as asked, first without a network, then during recovery', () => {
  for (const [messages, cuts] of [
    [10, 1],
    [20, 2],
    [600, 4],
    [600, 60],
  ] as const) {
    for (let seed = 0; seed < 20; seed++) {
      const boots = planBoots(messages, cuts, seed)
      assert.equal(boots.length, cuts + 1)
      assert.equal(boots.filter((boot) => boot.cutAt > 0).length, cuts)
      assert.equal(boots.at(-1)!.cutAt, 0)
      const operations = boots.reduce((sum, boot) => sum + boot.cutAt, 0)
      assert.ok(operations <= messages, `${operations} operations for ${messages} messages`)
      if (cuts > 1) assert.ok(boots[1]!.cutAt <= 4)
      assert.deepEqual(planBoots(messages, cuts, seed), boots)
    }
  }
})

// The judgement

const SEED = 5
const PREFIX = 'holdfast/test'

function delivery(n: number): Delivery {
  return { topic: readingTopic(PREFIX, n), payload: readingPayload(SEED, n), qos: readingQos(n) }
}

/** A device that published 1 to 20 and was cut inside the publish of 7; and what arrived. */
function findings(change: (deliveries: Delivery[]) => Delivery[]) {
  const ledger = new Ledger()
  for (let n = 1; n <= 20; n++) {
    ledger.note(`publishing ${n}`)
    if (n !== 7) ledger.note(`accepted ${n} ${readingQos(n)} ${n + 100}`)
  }
  const numbers = [...ledger.begun].filter((n) => n !== 7)
  const result = judge(ledger, change(numbers.map(delivery)), PREFIX, SEED)
  return { ...result, corrupt: result.corrupt.join() }
}

const KEPT = {
  delivered: 19,
  lost: [],
  duplicatesQos1: 0,
  duplicatesQos2: [],
  corrupt: '',
  reordered: [],
}

test('a run without a fault has no findings', () => {
  assert.deepEqual(
    findings((all) => all),
    KEPT,
  )
})

test('a message that power cut inside publish may arrive or not', () => {
  const found = findings((all) => [...all.slice(0, 6), delivery(7), ...all.slice(6)])
  assert.deepEqual(found, KEPT)
})

test('QoS 2 may arrive later than the QoS 1 published after it', () => {
  const found = findings((all) => [
    ...all.filter((one) => one.qos === 1),
    ...all.filter((one) => one.qos === 2),
  ])
  assert.deepEqual(found, KEPT)
})

test('a lost message is found', () => {
  const found = findings((all) => all.filter((one) => one.payload !== readingPayload(SEED, 9)))
  assert.deepEqual(found, { ...KEPT, delivered: 18, lost: [9] })
})

test('a message delivered twice is counted for QoS 1 and found for QoS 2', () => {
  const once = findings((all) => [...all, delivery(9)])
  assert.deepEqual(once, { ...KEPT, duplicatesQos1: 1 })
  const never = findings((all) => [...all, delivery(10)])
  assert.deepEqual(never, { ...KEPT, duplicatesQos2: [10] })
})

test('a message out of order is found', () => {
  const found = findings((all) => [all[0]!, all[2]!, all[1]!, ...all.slice(3)])
  assert.deepEqual(found, { ...KEPT, reordered: [2] })
})

test('a spoilt message is found, and so is one that nobody published', () => {
  const spoil = (n: number, change: Partial<Delivery>) =>
    findings((all) =>
      all.map((one) => (one.payload === delivery(n).payload ? { ...one, ...change } : one)),
    )
  const flipped = delivery(9).payload.replace('"t":', '"T":')
  const spoilt = spoil(9, { payload: flipped })
  assert.deepEqual(spoilt, {
    ...KEPT,
    delivered: 18,
    lost: [9],
    corrupt: 'reading 9 has another payload',
  })
  assert.match(spoil(9, { topic: PREFIX }).corrupt, /reading 9 has another topic/)
  assert.match(spoil(9, { qos: 2 }).corrupt, /reading 9 came with QoS 2/)
  assert.match(spoil(9, { payload: '\xff\xff' }).corrupt, /not a reading/)
  assert.equal(findings((all) => [...all, delivery(21)]).corrupt, 'reading 21 was never published')
})

test('the numbers go on behind a torn publish, and with the same one after a refusal', () => {
  const ledger = new Ledger()
  ledger.note('publishing 1')
  ledger.note('refused 1 queue is full')
  assert.equal(ledger.nextNumber, 1)
  ledger.note('publishing 1')
  assert.equal(ledger.nextNumber, 2)
  ledger.note('dropped 12 time to live ran out')
  assert.deepEqual(ledger.troubles, ['message 12 was dropped by the client: time to live ran out'])
})
