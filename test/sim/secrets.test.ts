/**
 * No secret is written to flash, printed, or told by an event. Each secret is a canary that is
 * really used (a broker checks it); then all that came out is searched for it, in several codings.
 * Knows nothing of how the secrets are kept.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { FileFlash, NodeSystem, run, TcpTransport, type TlsOptions } from '../../hal/node/index.js'
import { WsTransport } from '../../hal/node/ws-transport.js'
import { ERR_REFUSED, MqttClient, type ClientOptions, type EventName } from '../../src/index.js'
import { Authentication } from '../../src/session/authentication.js'
import { FlashStore } from '../../src/storage.js'
import type { Transport } from '../../hal/transport.js'
import { ensureXsHost } from '../../targets/simulator/xs-host.js'
import { Started, until } from '../until.js'
import { Certificates } from '../broker/certificates.js'
import { freePort, hasMosquitto, Mosquitto } from '../broker/mosquitto.js'

const main = fileURLToPath(new URL('../../targets/simulator/main.js', import.meta.url))
const folder = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-secrets-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))

const USERNAME = 'canary-username'
const PASSWORD = 'canary-password'
const PASSPHRASE = 'canary-passphrase'
const TOKEN = 'canary-token'
/** No secret: it must be found, or the search finds nothing. */
const CONTROL = 'canary-control'

const EVENTS: EventName[] = [
  'client.connected',
  'client.disconnected',
  'session.resumed',
  'session.lost',
  'session.subscribed',
  'session.unsubscribed',
  'message.queued',
  'message.persisted',
  'message.sent',
  'message.acked',
  'message.dropped',
  'message.received',
  'storage.failed',
  'client.authenticated',
]

/** The ways in which a secret could stand somewhere. */
function codings(secret: Buffer): Buffer[] {
  const hex = secret.toString('hex')
  return [
    secret,
    Buffer.from(secret.toString('latin1'), 'utf16le'),
    ...[hex, hex.toUpperCase(), secret.toString('base64'), secret.toString('base64url')].map(
      (text) => Buffer.from(text.replace(/=+$/, '')),
    ),
    // As an array or a typed array is printed, with and without blanks.
    Buffer.from([...secret].join(', ')),
    Buffer.from([...secret].join()),
  ]
}

/** The names of the secrets that stand in what came out. */
function found(secrets: Record<string, Buffer>, out: Buffer): string[] {
  return Object.keys(secrets).filter((name) =>
    codings(secrets[name]!).some((coded) => out.includes(coded)),
  )
}

const SECRETS: Record<string, Buffer> = {
  username: Buffer.from(USERNAME),
  password: Buffer.from(PASSWORD),
  passphrase: Buffer.from(PASSPHRASE),
  token: Buffer.from(TOKEN),
}

/** All that came out of a client: events, counters, errors, and what was printed meanwhile. */
class Findings {
  private readonly parts: string[] = []

  add(value: unknown): void {
    this.parts.push(typeof value === 'string' ? value : everything(value))
  }

  /** Runs the action and adds what it throws. */
  refusal(action: () => unknown): void {
    try {
      action()
    } catch (error) {
      this.add(error)
      return
    }
    assert.fail('it was expected to throw')
  }

  bytes(image: string): Buffer {
    return Buffer.concat([Buffer.from(this.parts.join('\n')), fs.readFileSync(image)])
  }
}

function everything(value: unknown): string {
  return inspect(value, { depth: 12, showHidden: true, maxArrayLength: null, breakLength: 1e9 })
}

const started = new Started()
const { endAll } = started

function boot(url: string, image: string, transport: Transport, options: Partial<ClientOptions>) {
  const record = new Findings()
  const printed: [NodeJS.WriteStream, NodeJS.WriteStream['write']][] = []
  for (const stream of [process.stdout, process.stderr]) {
    printed.push([stream, stream.write])
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
    stream.write = ((...args: unknown[]) => {
      record.add(String(args[0]))
      return write(...args)
    }) as typeof stream.write
  }
  const system = new NodeSystem()
  const flash = new FileFlash(image, { capacity: 65536, eraseSize: 4096, writeSize: 4 })
  const storage = new FlashStore(flash, system)
  const client = new MqttClient({
    system,
    transport,
    storage,
    broker: url,
    clientId: 'secretive',
    retryMinMs: 10,
    retryMaxMs: 20,
    ...options,
  })
  const losses: { status: number; reasonCode: number }[] = []
  for (const name of EVENTS) client.on(name, (event) => record.add({ name, event, transport }))
  client.on('client.disconnected', ({ status, reasonCode }) => losses.push({ status, reasonCode }))
  client.publish('kept/x', CONTROL, { qos: 1 })
  client.start()
  const running = run(client)
  let isCut = false
  const cut = (): void => {
    if (isCut) return
    isCut = true
    record.add(client.stats)
    record.add(transport)
    running.stop()
    transport.close()
    flash.close()
    for (const [stream, write] of printed) stream.write = write
  }
  started.push(cut)
  return { client, record, losses, cut }
}

interface Place {
  broker: Mosquitto
  tls: TlsOptions
  secure: string
  web: string
  secrets: Record<string, Buffer>
}

/** A Mosquitto that checks certificate and password, over TLS and over WebSocket with TLS. */
async function start(certificates: Certificates): Promise<Place> {
  certificates.run(
    `openssl ec -in device.key -aes256 -passout pass:${PASSPHRASE} -out locked.key
     touch passwords; mosquitto_passwd -b passwords ${USERNAME} ${PASSWORD}`,
  )
  const [port, webPort] = [await freePort(), await freePort()]
  const identity = [
    `cafile ${certificates.path('ca.crt')}`,
    `certfile ${certificates.path('broker.crt')}`,
    `keyfile ${certificates.path('broker.key')}`,
    'require_certificate true',
  ]
  const lines = [
    `password_file ${certificates.path('passwords')}`,
    `listener ${port} localhost`,
    ...identity,
    `listener ${webPort} 127.0.0.1`,
    'protocol websockets',
    ...identity,
  ]
  const broker = await Mosquitto.start(lines.join('\n'))
  started.push(() => broker.stop())
  const key = certificates.read('device.key')
  const { d } = createPrivateKey(key).export({ format: 'jwk' })
  return {
    broker,
    tls: {
      ca: certificates.read('ca.crt'),
      cert: certificates.read('device.crt'),
      key: certificates.read('locked.key'),
      passphrase: PASSPHRASE,
    },
    secure: `mqtts://localhost:${port}`,
    web: `wss://localhost:${webPort}/mqtt`,
    // The number that is the key, and a line of its two files.
    secrets: {
      ...SECRETS,
      key: Buffer.from(d!, 'base64url'),
      'key file': Buffer.from(String(key).split('\n')[1]!),
      'locked key file': Buffer.from(String(certificates.read('locked.key')).split('\n')[4]!),
    },
  }
}

function clientTests(certificates: Certificates): void {
  afterEach(endAll)
  let count = 0
  const newImage = () => path.join(folder, `flash-${++count}.img`)
  const credentials = { username: USERNAME, password: PASSWORD }

  const clean = (place: Place, record: Findings, image: string) => {
    const out = record.bytes(image)
    assert.deepEqual(found({ control: Buffer.from(CONTROL) }, out), ['control'])
    assert.deepEqual(found(place.secrets, out), [])
  }

  const kinds: [string, (place: Place) => [string, Transport]][] = [
    ['TLS', ({ tls, secure }) => [secure, new TcpTransport(tls)]],
    [
      'WebSocket',
      ({ tls, web }) => {
        const headers = () => ({ Authorization: `Bearer ${TOKEN}` })
        return [web, new WsTransport({ tls, headers, query: () => `token=${TOKEN}` })]
      },
    ],
  ]
  for (const [kind, make] of kinds) {
    it(`over ${kind}, accepted by the broker, and back after an outage`, async () => {
      const place = await start(certificates)
      const image = newImage()
      const [url, transport] = make(place)
      const us = boot(url, image, transport, credentials)
      us.client.subscribe('kept/#', { qos: 2 })
      await until('the message', () => us.client.stats.queued === 0)
      await place.broker.end('SIGTERM')
      us.client.publish('kept/y', 'meanwhile', { qos: 2 })
      await until('losses', () => us.losses.length >= 2)
      await place.broker.restart()
      await until('an empty queue', () => us.client.stats.queued === 0)
      us.client.stop()
      await until('the end', () => us.client.isStopped)
      us.cut()
      clean(place, us.record, image)
    })

    it(`over ${kind}, refused by the broker`, async () => {
      const place = await start(certificates)
      const image = newImage()
      const [url, transport] = make(place)
      const wrong = { username: PASSWORD, password: USERNAME }
      const us = boot(url, image, transport, wrong)
      const isRefusal = ({ status }: { status: number }) => status === ERR_REFUSED
      await until('refusals', () => us.losses.filter(isRefusal).length >= 2)
      us.cut()
      clean(place, us.record, image)
    })
  }

  it('data of an authentication method, refused by the broker', async () => {
    const place = await start(certificates)
    const image = newImage()
    const method = { name: 'm', start: () => Buffer.from(TOKEN), step: () => null }
    const options = { ...credentials, authentication: new Authentication(method) }
    const us = boot(place.secure, image, new TcpTransport(place.tls), options)
    await until('a refusal', () => us.losses.length > 0)
    assert.deepEqual(us.losses[0], { status: ERR_REFUSED, reasonCode: 0x8c })
    us.cut()
    clean(place, us.record, image)
  })

  it('errors of construction', async () => {
    const place = await start(certificates)
    const image = newImage()
    const us = boot(place.secure, image, new TcpTransport(place.tls), credentials)
    us.cut()
    const { record } = us
    const { tls } = place
    const make = (options: object) =>
      new MqttClient({
        system: new NodeSystem(),
        transport: new TcpTransport(),
        broker: 'mqtt://localhost',
        clientId: 'x',
        ...options,
      })
    const other = Buffer.from(String(certificates.read('device.key')).replace('=', ''))
    record.refusal(() => new TcpTransport({ ...tls, passphrase: PASSWORD }))
    record.refusal(() => new TcpTransport({ ...tls, key: other.subarray(0, 200) }))
    record.refusal(() => new TcpTransport({ ...tls, key: PASSPHRASE }))
    record.refusal(() => new TcpTransport({ ...tls, ca: certificates.read('device.key') }))
    record.refusal(() => new TcpTransport({ ...tls, passphrase: [PASSPHRASE] } as never))
    record.refusal(() => new WsTransport({ headers: { Authorization: TOKEN } as never }))
    record.refusal(() => new WsTransport({ query: TOKEN as never }))
    record.refusal(() => make({ password: [PASSWORD], username: 'x' }))
    record.refusal(() => make({ username: [USERNAME] }))
    record.refusal(() => make({ ...credentials, protocol: 4, password: PASSWORD + '\ud800' }))
    record.refusal(() => make({ ...credentials, sendBufferSize: 64, clientId: 'x'.repeat(50) }))
    record.refusal(() => make({ ...credentials, passwd: PASSWORD }))
    const inUrl = `mqtt://${USERNAME}:${PASSWORD}@localhost`
    record.refusal(() => make({ broker: inUrl }))
    record.refusal(() => make({ broker: inUrl, brokers: ['mqtt://a', 'mqtt://b'] }))
    record.refusal(() => make({ broker: undefined, brokers: [inUrl, inUrl] }))
    record.refusal(() => make({ broker: undefined, brokers: ['mqtt://a', inUrl] }))
    record.refusal(() => make({ broker: `https://${USERNAME}:${PASSWORD}@localhost` }))
    record.refusal(() => make({ broker: `wss://localhost/mqtt?token=${TOKEN}` }))
    record.refusal(() => make({ connectProperties: { receiveMaximum: TOKEN } }))
    clean(place, record, image)
  })
}

const what = 'secrets with Mosquitto'
const certificates = hasMosquitto(what) ? Certificates.make() : null
if (certificates !== null) {
  after(() => certificates.remove())
  describe('no secret on flash, in events, counters and errors', () => clientTests(certificates))
} else if (process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error(`${what}: no openssl`)
else console.log(`left out: ${what}: it needs mosquitto and openssl`)

const APP = `import { MqttClient } from 'holdfast'
import { FlashStore } from 'holdfast/storage'
export function start(board: any) {
  const client = new MqttClient({
    system: board.system,
    transport: board.transport,
    storage: new FlashStore(board.storage, board.system),
    ...board.config,
    username: '${USERNAME}',
    password: '${PASSWORD}',
  })
  for (const name of ${JSON.stringify(EVENTS)}) {
    client.on(name as any, (event) => console.log(name + ' ' + JSON.stringify(event)))
  }
  client.on('message.acked', () => {
    console.log(JSON.stringify(client.stats))
    if (client.stats.queued === 0) throw new Error('the end')
  })
  client.subscribe('kept/#', { qos: 1 })
  for (let n = 0; n < 8; n++) client.publish('kept/x', '${CONTROL}', { qos: 1 })
  client.start()
  return client
}
`

const engines = ['node']
const host = await ensureXsHost({ progress: () => {} })
if ('path' in host) engines.push('xs')
else if (process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error(host.missing)
else console.log(`left out: secrets on XS: ${host.missing}`)

for (const engine of engines) {
  it(`no secret of an application is printed or kept by the simulator, on ${engine}`, () => {
    fs.writeFileSync(path.join(folder, 'app.ts'), APP)
    const image = `${engine}.img`
    const args = ['--app', 'app.ts', '--engine', engine, '--image', image, '--cut-at', '6:3']
    const env = { ...process.env, INIT_CWD: folder }
    const run = spawnSync(process.execPath, [main, ...args], { cwd: folder, env, timeout: 300_000 })
    const printed = Buffer.concat([run.stdout, run.stderr])
    assert.equal(run.status, 1, String(printed))
    assert.match(String(printed), /power cut in flash operation 6[^]*uncaught exception: .*the end/)
    const out = Buffer.concat([printed, fs.readFileSync(path.join(folder, image))])
    assert.deepEqual(found({ control: Buffer.from(CONTROL) }, out), ['control'])
    assert.deepEqual(found(SECRETS, out), [])
  })
}
