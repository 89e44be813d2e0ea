/**
 * What docs/BOARDS.md tells a user to type and to write: run, built and compiled as far as it can
 * be.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { bundleManifest } from '../../targets/esp32/tool/bundle.js'
import { findMosquitto, freePort, hasMosquitto } from '../broker/mosquitto.js'
import { until } from '../until.js'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const page = fs.readFileSync(path.join(root, 'docs/BOARDS.md'), 'utf8')
const scratch = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-boards-'))
after(() => fs.rmSync(scratch, { recursive: true }))

/** The ESP32 part: Espruino's has a test of its own. */
const text =
  page.slice(0, page.indexOf('## Espruino')) + page.slice(page.indexOf('## What a board'))

function blocks(language: string): string[] {
  const pattern = new RegExp('```' + language + '\\n([^]*?)```', 'g')
  return [...text.matchAll(pattern)].map((match) => match[1]!)
}

const commands = blocks('sh').flatMap((block) => block.trim().split('\n'))

/** What no test can run, and why. */
const ELSEWHERE: [RegExp, string][] = [
  [/^npx xs-dev setup\b/, 'installs an SDK and ESP-IDF from GitHub: gigabytes, and not loopback'],
  [/^npx xs-dev run\b/, 'wants a board'],
  [/^npm ci$/, 'replaces the node_modules that this runs from; .ci/run begins with it'],
  [/^npm install holdfast$/, 'wants a registry; mcpack.test.ts installs what "npm pack" packs'],
  [/^mcpack mcconfig -m -p esp32/, 'ends with ESP-IDF; mcpack.test.ts goes as far as the linker'],
]
/** Run below as they stand, but for the port, and the address of the broker. */
const BROKER = 'mosquitto -v'
const WATCH = "mosquitto_sub -h 192.168.1.2 -v -t 'greenhouse/#'"
const AT_THE_DESK = 'npm start -- --app targets/sensor.ts'

test('each command is one that a test knows', () => {
  assert.ok(commands.length >= 9)
  const here = [BROKER, WATCH, AT_THE_DESK]
  for (const command of here) assert.ok(commands.includes(command), command)
  for (const command of commands) {
    const isKnown = /^(npm run (build|flash):esp32|openssl x509) ?/.test(command)
    const isElsewhere = ELSEWHERE.some(([pattern]) => pattern.test(command))
    assert.ok(isKnown || here.includes(command) || isElsewhere, command)
  }
})

/** Starts a command of the page and collects what it says. */
function begin(command: string, words: string[], ...more: string[]) {
  const child = spawn(command, [...words, ...more], { cwd: root })
  const said = { text: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (data: string) => (said.text += data))
  }
  return { child, said }
}

const DESK = 'the commands of docs/BOARDS.md at the desk'
const hasClients = spawnSync('mosquitto_sub', ['--help']).error === undefined
if (!hasClients) {
  const line = `left out: ${DESK}: no mosquitto_sub (apt-get install mosquitto-clients)`
  if (process.env['HOLDFAST_REQUIRE_ALL'] === '1') throw new Error(line)
  console.log(line)
}
if (hasClients && hasMosquitto(DESK)) {
  test('the command for the broker starts one', async () => {
    const [, ...words] = BROKER.split(' ')
    const { child, said } = begin(findMosquitto()!, words, '-p', String(await freePort()))
    await until('a broker', () => /mosquitto version \S+ running/.test(said.text))
    child.kill('SIGTERM')
  })

  test('the sensor at the desk is heard by the command that watches a board', async (context) => {
    const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
    const [, line] = /^npm run -s build && node (.*)$/.exec(scripts.start)!
    const words = [...line!.split(' '), ...AT_THE_DESK.split(' ').slice(3)]
    const sensor = begin(process.execPath, words)
    context.after(() => sensor.child.kill('SIGKILL'))
    await until('it samples', () => /^sample /m.test(sensor.said.text))
    const [, port] = /broker mqtt:\/\/\S+:(\d+);/.exec(sensor.said.text)!
    const watch = WATCH.replace('192.168.1.2', '127.0.0.1 -p ' + port).replaceAll("'", '')
    const [command, ...rest] = watch.split(' ')
    const watcher = begin(command!, rest)
    context.after(() => watcher.child.kill('SIGKILL'))
    await until('a sample', () => /^greenhouse\/7\/temperature -?\d/m.test(watcher.said.text))
  })
}

test('the commands that build and flash reach mcconfig with what they say', () => {
  const bin = path.join(scratch, 'bin')
  fs.mkdirSync(path.join(scratch, 'examples'))
  fs.mkdirSync(bin)
  fs.writeFileSync(path.join(scratch, 'examples/manifest_base.json'), '{}')
  const note = path.join(scratch, 'note')
  const script = `#!/bin/sh\nprintf '%s\\n' "$@" > "${note}"\n`
  fs.writeFileSync(path.join(bin, 'mcconfig'), script, { mode: 0o755 })
  const PATH = bin + path.delimiter + process.env['PATH']
  const env = { ...process.env, MODDABLE: scratch, IDF_PATH: scratch, PATH }
  const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  const ours = commands.filter((command) => command.startsWith('npm run'))
  assert.ok(ours.length >= 3)
  for (const command of ours) {
    const [, name, words = ''] = /^npm run ([\w:]+)(?: -- (.*))?$/.exec(command)!
    const script = (scripts as Record<string, string>)[name!]!
    const [, line] = /^npm run -s build && node (.*)$/.exec(script)!
    const given = [...line!.split(' '), ...words.split(' ').filter(Boolean)]
    const { status, stderr } = spawnSync(process.execPath, given, {
      cwd: root,
      env,
      encoding: 'utf8',
    })
    // The certificate is the user's own.
    if (words.includes('--variant tls') && status === 1) {
      assert.match(stderr, /ca\.der is missing/)
      continue
    }
    assert.equal(status, 0, command + '\n' + stderr)
    const lines = fs.readFileSync(note, 'utf8').split('\n')
    for (const word of words.split(' ').filter((one) => one.includes('='))) {
      assert.ok(lines.includes(word), `${word} in ${lines}`)
    }
  }
})

test('the command for the certificate makes the DER that the firmware takes', (context) => {
  const made =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x'
  const files = ['-keyout', 'key.pem', '-out', 'ca.pem']
  const result = spawnSync('openssl', [...made.split(' '), ...files], { cwd: scratch })
  if (result.error !== undefined && process.env['HOLDFAST_REQUIRE_ALL'] !== '1') {
    return context.skip('openssl is not here')
  }
  fs.mkdirSync(path.join(scratch, 'targets/esp32/tls'), { recursive: true })
  const command = commands.find((one) => one.startsWith('openssl'))!
  assert.equal(spawnSync(command, { cwd: scratch, shell: true }).status, 0)
  const der = fs.readFileSync(path.join(scratch, 'targets/esp32/tls/ca.der'))
  assert.equal(der[0], 0x30, 'a SEQUENCE of ASN.1')
})

test('the project of the page bundles: its manifest brings what its code imports', async () => {
  const folder = path.join(scratch, 'project')
  fs.mkdirSync(folder)
  const ours = path.join(root, 'manifest.json')
  const manifest = blocks('json')[0]!.replace('../holdfast/manifest.json', ours)
  fs.writeFileSync(path.join(folder, 'manifest.json'), manifest)
  fs.writeFileSync(path.join(folder, 'main.ts'), blocks('ts')[0]!)
  await bundleManifest(path.join(folder, 'manifest.json'), path.join(scratch, 'project.js'))
})

test('the TypeScript of the page compiles against the package', () => {
  const folder = path.join(root, 'dist/boards')
  fs.mkdirSync(folder, { recursive: true })
  const files = blocks('ts').map((block, index) => {
    const file = path.join(folder, `block${index + 1}.ts`)
    fs.writeFileSync(file, block)
    return file
  })
  assert.ok(files.length >= 2)
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: [],
  })
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file && file.getLineAndCharacterOfPosition(start!).line + 1
    return `${file?.fileName}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
  assert.deepEqual(problems, [])
})
