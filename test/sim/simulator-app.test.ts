/**
 * `npm start -- --app`: firmware of a user on the simulated board, and what is said when it cannot
 * be built, throws, or fills the heap. Each trouble names file, line and remedy.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import mqtt from 'mqtt'
import { ensureXsHost } from '../../targets/simulator/xs-host.js'
import { planBoots } from '../../targets/simulator/plan.js'
import { until } from '../until.js'

const main = fileURLToPath(new URL('../../targets/simulator/main.js', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-app-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))

const engines = ['node']
const host = await ensureXsHost({ progress: () => {} })
if ('path' in host) engines.push('xs')
else if (process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error(host.missing)
else console.log(`left out: applications on XS: ${host.missing}`)
const xs = { skip: 'missing' in host && host.missing }

interface Run {
  code: number | null
  out: string
  err: string
}

function begin(cwd: string, env: NodeJS.ProcessEnv, ...args: string[]) {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, INIT_CWD: cwd, ...env },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  const run: Run = { code: null, out: '', err: '' }
  child.stdout.on('data', (bytes: Buffer) => (run.out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (run.err += bytes.toString()))
  const ended = new Promise<Run>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...run, code }))
  })
  return { child: child as ChildProcess, run, ended }
}

let appCount = 0

/** Runs an application of this text to its end, from its own folder, as `app-N.ts`. */
async function runApp(text: string, ...args: string[]): Promise<Run & { file: string }> {
  const file = `app-${++appCount}.ts`
  fs.writeFileSync(path.join(folder, file), text)
  const run = await begin(folder, {}, '--app', file, ...args).ended
  return { ...run, file }
}

const CLIENT = `import { MqttClient } from 'holdfast'
const client = (board: any, more: object = {}) => new MqttClient({ system: board.system,
  transport: board.transport, clientId: 'app', ...board.config, ...more })
`

for (const engine of engines) {
  test(`the sensor that ships samples, and takes an interval, on ${engine}`, async () => {
    const args = ['--app', 'targets/sensor.ts', '--engine', engine]
    const { child, run, ended } = begin(root, {}, ...args)
    await until('it samples', () => /^sample \d+\.\d, \d+ on flash$/m.test(run.out))
    const url = /broker (mqtt:\S+);/.exec(run.out)![1]!
    const client = await mqtt.connectAsync(url)
    const arrived: string[] = []
    client.on('message', (topic, payload) => arrived.push(`${topic} ${payload.toString()}`))
    await client.subscribeAsync('greenhouse/7/temperature')
    await client.publishAsync('greenhouse/7/interval', '50', { qos: 1 })
    await until('the interval', () => run.out.includes('interval is 50 ms') && arrived.length > 5)
    assert.match(arrived[0]!, /^greenhouse\/7\/temperature \d+\.\d$/)
    await client.publishAsync('greenhouse/7/interval', 'soon', { qos: 1 })
    await until('a wrong interval', () => run.out.includes('no interval: soon'))
    await client.endAsync()
    child.kill('SIGINT')
    assert.equal((await ended).code, 130)
  })

  test(`an application whose power is cut boots again on its flash, on ${engine}`, async () => {
    const image = `cut-${engine}.img`
    const text = `${CLIENT}import { FlashStore } from 'holdfast/storage'
      export function start(board: any) {
        const mqtt = client(board, { storage: new FlashStore(board.storage, board.system) })
        console.log('found ' + mqtt.stats.queued)
        const ticking = setInterval(() => {
          mqtt.publish('t', 'x', { qos: 1 })
          if (mqtt.stats.queued >= 12) clearInterval(ticking)
        }, 1)
        return mqtt
      }`
    const args = ['--engine', engine, '--image', image]
    const { code, out, err } = await runApp(text, ...args, '--cut-at', '10:7')
    assert.equal(code, 0, err)
    assert.match(out, /found 0\n.*power cut in flash operation 10.*\nfound [1-9]\d*\n/)
    assert.match((await runApp(text, ...args)).out, /found 12\n/)
  })

  test(`so does one with the small client, on ${engine}`, async () => {
    const image = `small-${engine}.img`
    const text = `import { MqttClient } from 'holdfast/small'
      import { FlashOutbox } from 'holdfast/small/storage'
      export function start(board: any) {
        const mqtt = new MqttClient({ system: board.system, transport: board.transport,
          broker: board.config.broker, clientId: 'small',
          storage: new FlashOutbox(board.storage, board.system) })
        console.log('found ' + mqtt.stats.queued)
        const ticking = setInterval(() => {
          mqtt.publish('t', 'x', { qos: 1 })
          if (mqtt.stats.queued >= 12) clearInterval(ticking)
        }, 1)
        return mqtt
      }`
    const args = ['--engine', engine, '--image', image]
    const { code, out, err } = await runApp(text, ...args, '--cut-at', '10:7')
    assert.equal(code, 0, err)
    assert.match(out, /found 0\n.*power cut in flash operation 10.*\nfound [1-9]\d*\n/)
    assert.match((await runApp(text, ...args)).out, /found 12\n/)
  })

  test(`an exception tells its line in TypeScript, and what to do, on ${engine}`, async () => {
    const text = `${CLIENT}interface Reading { celsius: number }

// Types and comments are not in the bundle, so its lines are others.
function read(sensor: Reading | null): number {
  return sensor!.celsius
}
export function start(board: any) {
  setTimeout(() => { console.log(read(null)) }, 5)
  return client(board)
}
`
    const { code, err, file } = await runApp(text, '--engine', engine)
    assert.equal(code, 1)
    assert.match(err, new RegExp(`^${file}:8: uncaught exception: TypeError: .*\\n +at read`))
    assert.match(err, /\nremedy: .*catch it/)
    assert.doesNotMatch(err, /firmware\.js|node:/)
  })

  test(`a name that a board has not is told, on ${engine}`, async () => {
    const text = `export function start() {\n  console.error('before')\n  process.exit(0)\n}\n`
    const { code, err, file } = await runApp(text, '--engine', engine)
    assert.equal(code, 1)
    assert.match(err, new RegExp(`^before\n${file}:3: .*process`))
    assert.match(err, /remedy: a board has no process/)
  })

  test(`a wrong option is told where the client was made, on ${engine}`, async () => {
    const body = 'export function start(board: any) {\n  return client(board, { protocol: 6 })\n}'
    const text = CLIENT + body
    const { code, err } = await runApp(text, '--engine', engine)
    assert.equal(code, 1)
    assert.match(err, /^app-\d+\.ts:\d: uncaught exception: Error: option "protocol" is 6/)
    assert.match(err, /holdfast\/src\/options\.ts:\d+/)
    assert.match(err, /remedy: .*README/)
  })
}

const UNBUILDABLE: [string, RegExp][] = [
  ["import * as fs from 'node:fs'\nfs", /app-\d+\.ts:1: .*"node:fs".*no modules of Node: use what/],
  [
    "\n\nimport { readFileSync } from 'fs'\nreadFileSync",
    /app-\d+\.ts:3: .*"fs".*no modules of No/,
  ],
  ["import { run } from 'holdfast/node'\nrun", /app-\d+\.ts:1: a board has no "holdfast\/node"/],
  ["import 'not-there'", /app-\d+\.ts:1: .*"not-there".*install the package/],
  ['export const x = 1', /app-\d+\.ts:1: it must export a function start\(board\)/],
  ['const a: = 1', /app-\d+\.ts:1: Unexpected "="/],
]

test('what cannot be on a board is refused with file, line and remedy', async () => {
  for (const [text, words] of UNBUILDABLE) {
    const { code, out, err } = await runApp(text, '--engine', 'node')
    assert.equal(code, 1, text)
    assert.match(err, words)
    assert.equal(out, '')
  }
  const { code, err } = await begin(folder, {}, '--app', 'absent.ts', '--engine', 'node').ended
  assert.equal(code, 1)
  assert.match(err, /there is no file .*absent\.ts/)
})

const FULL: [string, string, RegExp][] = [
  [
    'buffers',
    'export function start(board: any) {\n  return client(board, { sendBufferSize: 90000 })\n}',
    /^app-\d+\.ts:3: out of memory: chunks are full: \d+ bytes.*\nin use [^]*lower sendBufferSize/,
  ],
  [
    'objects',
    'let last: object = []\nexport function start(board: any) {\n' +
      '  setInterval(() => {\n    for (let i = 0; i < 99; i++) last = { last }\n  }, 1)\n' +
      '  return client(board)\n}',
    /^app-\d+\.ts:7: out of memory: slots are full\nin use 49\d\d of [^]*lower inFlightLimit/,
  ],
  [
    'calls',
    'const deep = (n: number): number => 1 + deep(n)\nexport function start() { return deep(1) }',
    /^app-\d+\.ts:4: out of memory: the stack is full[^]*without recursion/,
  ],
]

for (const [what, text, words] of FULL) {
  test(`too many ${what} end the device with a report and a remedy`, xs, async () => {
    const { code, err } = await runApp(CLIENT + text, '--engine', 'xs')
    assert.equal(code, 1)
    assert.match(err, words)
  })
}

test('the night on a heap that is too small says which option to lower', xs, async () => {
  const args = ['--messages', '10', '--engine', 'xs', '--creation', 'chunk=6000']
  const { code, out } = await begin(folder, {}, ...args).ended
  assert.equal(code, 1)
  assert.match(out, /the device failed: out of memory: chunks are full[^]*lower sendBufferSize/)
})

for (const engine of engines) {
  test(`--cut-at cuts the first boot in that operation, on ${engine}`, async () => {
    const args = ['--messages', '40', '--engine', engine, '--cut-at', '9:5', '--seed', '3']
    const { code, out } = await begin(folder, {}, ...args).ended
    assert.equal(code, 0, out)
    assert.match(out, /power cut 1 {2}in flash operation 9 of its boot/)
    assert.match(out, /Every promise was kept/)
  })
}

test('a cut that was asked for replaces the first one of the plan and no other', () => {
  const plan = planBoots(600, 4, 3)
  const changed = planBoots(600, 4, 3, { operation: 17, seed: 99 })
  assert.equal(changed[0]!.cutAt, 17)
  assert.equal(changed[0]!.cutSeed, 99)
  assert.deepEqual(changed.slice(1), plan.slice(1))
})

test('without a compiler the device runs on Node, and one line says so', async () => {
  const bare = path.join(folder, 'bin')
  fs.mkdirSync(bare)
  fs.symlinkSync(process.execPath, path.join(bare, 'node'))
  const { code, out } = await begin(folder, { PATH: bare, CC: '' }, '--messages', '10').ended
  assert.equal(code, 0, out)
  assert.match(out, /^the device runs on Node instead of XS, .*: there is no C compiler \(cc/m)
  assert.match(out, /engine: node/)
})

const WRONG: [string[], RegExp][] = [
  [['--app', 'a.ts', '--messages', '5'], /--messages is not for --app/],
  [['--image', 'a.img'], /--image needs --app/],
  [['--cut-at', '0'], /--cut-at is "0"; it must be a whole number from 1 to 360/],
  [['--cut-at', '5:x'], /BITS of --cut-at is "x"/],
  [['--cut-at', '5', '--power-cuts', '0'], /--cut-at needs --power-cuts 1/],
  [['--creation', 'heap=many'], /--creation is "heap=many"/],
]

test('wrong options are refused by name', async () => {
  for (const [args, words] of WRONG) {
    const { code, err } = await begin(folder, {}, ...args).ended
    assert.equal(code, 2, args.join(' '))
    assert.match(err, words)
  }
})
