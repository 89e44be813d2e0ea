/**
 * Identity over TLS against Mosquitto, with the certificates and the configuration of docs/TLS.md:
 * right ones pass, wrong ones are refused with their reason, and what is queued waits meanwhile.
 */
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import mqtt from 'mqtt'
import { Proxy } from '../../targets/simulator/proxy.js'
import { ERR_CLOSED, ERR_CONNECT, MqttClient } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import {
  FileFlash,
  NodeSystem,
  run,
  TcpTransport,
  type Running,
  type TlsOptions,
} from '../../hal/node/index.js'
import { blockOf, Certificates } from './certificates.js'
import { freePort, hasMosquitto, Mosquitto } from './mosquitto.js'
import { Started, until } from '../until.js'

/** Chance that always says the most: each pause is the whole of its limit. */
class PatientSystem extends NodeSystem {
  override random(): number {
    return 0xffffffff
  }
}

interface Loss {
  status: number
  text: string
  retryMs: number
}

interface Ours {
  client: MqttClient
  running: Running
  losses: Loss[]
  flash: FileFlash
  transport: TcpTransport
  isCut: boolean
}

const started = new Started()
const { endAll } = started

/** One boot of a device on a flash image. */
function boot(url: string, image: string, tls: TlsOptions): Ours {
  const system = new PatientSystem()
  const transport = new TcpTransport(tls)
  const flash = new FileFlash(image, { capacity: 65536, eraseSize: 4096, writeSize: 4 })
  const client = new MqttClient({
    system,
    transport,
    broker: url,
    clientId: 'greenhouse-7',
    storage: new FlashStore(flash, system),
    retryMinMs: 10,
    retryMaxMs: 60,
  })
  const losses: Loss[] = []
  client.on('client.disconnected', ({ status, text, retryMs }) =>
    losses.push({ status, text, retryMs }),
  )
  client.start()
  const us = { client, running: run(client), losses, flash, transport, isCut: false }
  started.push(() => cut(us))
  return us
}

/** The device's power is gone. */
function cut(us: Ours): void {
  if (us.isCut) return
  us.isCut = true
  us.running.stop()
  us.transport.close()
  us.flash.close()
}

/** A Mosquitto as the page says, whose certificate is copied to `broker-now` first. */
class TlsBroker {
  private readonly certificates: Certificates
  private readonly port: number
  private readonly mosquitto: Mosquitto

  private constructor(certificates: Certificates, port: number, mosquitto: Mosquitto) {
    this.certificates = certificates
    this.port = port
    this.mosquitto = mosquitto
  }

  static async start(certificates: Certificates, certificate: string): Promise<TlsBroker> {
    const port = await freePort()
    show(certificates, certificate)
    const lines = blockOf('conf')
      .replace('8883', `${port} localhost`)
      .replace('broker.crt', 'now.crt')
      .replace('broker.key', 'now.key')
      .replace(/ (\S+\.(?:crt|key))/g, ` ${certificates.folder}/$1`)
    const broker = new TlsBroker(certificates, port, await Mosquitto.start(lines))
    started.push(() => broker.mosquitto.stop())
    return broker
  }

  get url(): string {
    return `mqtts://localhost:${this.port}`
  }

  /** The one without TLS, for those who watch. */
  get plainUrl(): string {
    return this.mosquitto.url
  }

  async restartWith(certificate: string): Promise<void> {
    await this.mosquitto.end('SIGTERM')
    show(this.certificates, certificate)
    await this.mosquitto.restart()
  }
}

function show(certificates: Certificates, name: string): void {
  copyFileSync(certificates.path(name + '.crt'), certificates.path('now.crt'))
  copyFileSync(certificates.path(name + '.key'), certificates.path('now.key'))
}

interface Case {
  title: string
  /** The certificate of the broker, and of the device ('' for none). */
  broker: string
  device: string
  status: number
  text: RegExp
}

/** The alert; or where our CONNECT met the broker's reset, which took it along, a hint at it. */
function refusedByBroker(alert: string): RegExp {
  const hint = 'before its first byte: the broker may not accept our certificate'
  return new RegExp(`^(${alert}|.*(ECONNRESET|EPIPE|closed).*); ${hint}$`)
}

const CASES: Case[] = [
  {
    title: 'a broker of another authority is refused',
    broker: 'foreign',
    device: 'device',
    status: ERR_CONNECT,
    text: /^unable to verify the first certificate$/,
  },
  {
    title: 'a broker with a self-signed certificate is refused',
    broker: 'self',
    device: 'device',
    status: ERR_CONNECT,
    text: /^self-signed certificate$/,
  },
  {
    title: 'a broker whose certificate is too old is refused',
    broker: 'expired',
    device: 'device',
    status: ERR_CONNECT,
    text: /^certificate has expired$/,
  },
  {
    title: 'a broker whose certificate names another host is refused, common name or not',
    broker: 'elsewhere',
    device: 'device',
    status: ERR_CONNECT,
    text: /^Hostname\/IP does not match certificate's altnames: .*elsewhere\.example/,
  },
  {
    title: 'a device without a certificate is refused',
    broker: 'broker',
    device: '',
    status: ERR_CLOSED,
    text: refusedByBroker('tlsv13 alert certificate required'),
  },
  {
    title: 'a device of another authority is refused',
    broker: 'broker',
    device: 'foreign-device',
    status: ERR_CLOSED,
    text: refusedByBroker('tlsv1 alert unknown ca'),
  },
  {
    title: 'a device whose certificate is too old is refused',
    broker: 'broker',
    device: 'old-device',
    status: ERR_CLOSED,
    text: refusedByBroker('sslv3 alert certificate expired'),
  },
]

function tlsTests(certificates: Certificates): void {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'))
  let imageCount = 0
  const newImage = () => join(folder, `flash-${++imageCount}.img`)
  afterEach(endAll)
  after(() => {
    rmSync(folder, { recursive: true })
    certificates.remove()
  })
  const tlsOf = (device: string): TlsOptions => ({
    ca: certificates.read('ca.crt'),
    ...(device === '' ? {} : certificates.identity(device)),
  })

  /** A network in front of the broker that can be shut, under the name in its certificate. */
  async function gateTo(broker: TlsBroker): Promise<{ gate: Proxy; url: string }> {
    const port = new URL(broker.url).port
    const gate = new Proxy({ host: '127.0.0.1', port: Number(port), secure: false })
    await gate.listen()
    started.push(() => gate.close())
    return { gate, url: broker.url.replace(port, new URL(gate.url).port) }
  }

  async function watch(broker: TlsBroker, heard: string[]): Promise<void> {
    const peer = await mqtt.connectAsync(broker.plainUrl)
    started.push(() => peer.endAsync(true))
    peer.on('message', (_, payload) => heard.push(String(payload)))
    await peer.subscribeAsync('greenhouse/7/#', { qos: 2 })
  }

  for (const { title, broker: shown, device, status, text } of CASES) {
    it(`${title}: the reason is told, the pauses grow, and nothing is lost`, async () => {
      const broker = await TlsBroker.start(certificates, shown)
      const image = newImage()
      const network = await gateTo(broker)
      const url = shown === 'broker' ? broker.url : network.url
      let us = boot(url, image, tlsOf(device))
      assert.ok(us.client.publish('greenhouse/7/x', 'first', { qos: 1 }) > 0)
      assert.ok(us.client.publish('greenhouse/7/x', 'second', { qos: 2 }) > 0)
      await until('five attempts', () => us.losses.length >= 5)
      assert.equal(us.client.isConnected, false)
      for (const loss of us.losses) {
        assert.match(loss.text, text)
        assert.equal(loss.status, status)
      }
      const pauses = us.losses.slice(0, 5).map(({ retryMs }) => retryMs)
      assert.deepEqual(pauses, [10, 20, 40, 60, 60])
      assert.equal(us.client.stats.queued, 2)
      // The trouble is put right where it was: at the broker, or by a new boot of the device.
      const heard: string[] = []
      // The network opens when somebody hears: the device is back sooner than a subscriber.
      network.gate.cut()
      if (shown !== 'broker') await broker.restartWith('broker')
      await watch(broker, heard)
      network.gate.restore()
      if (device !== 'device') {
        cut(us)
        us = boot(url, image, tlsOf('device'))
      }
      await until('the messages', () => heard.length >= 2 && us.client.stats.queued === 0)
      assert.deepEqual(heard, ['first', 'second'])
    })
  }

  it('the page: broker and device prove who they are', async () => {
    const broker = await TlsBroker.start(certificates, 'broker')
    const heard: string[] = []
    await watch(broker, heard)
    const us = boot(broker.url, newImage(), tlsOf('device'))
    us.client.publish('greenhouse/7/x', 'hello', { qos: 1 })
    await until('the message', () => heard.length === 1)
    assert.deepEqual(us.losses, [])
  })

  it('a broker under an address proves the name it is asked for', async () => {
    const broker = await TlsBroker.start(certificates, 'broker')
    const url = broker.url.replace('localhost', '127.0.0.1')
    const plain = boot(url, newImage(), tlsOf('device'))
    await until('a refusal', () => plain.losses.length > 0)
    assert.match(plain.losses[0]!.text, /^Hostname\/IP does not match .*IP: 127\.0\.0\.1/)
    cut(plain)
    const named = boot(url, newImage(), { ...tlsOf('device'), servername: 'localhost' })
    await until('the connection', () => named.client.isConnected)
  })

  it('a self-signed certificate of the broker, given as `ca`, pins this broker', async () => {
    const broker = await TlsBroker.start(certificates, 'self')
    const tls = { ...tlsOf('device'), ca: certificates.read('self.crt') }
    const us = boot(broker.url, newImage(), tls)
    await until('the connection', () => us.client.isConnected)
    await broker.restartWith('broker')
    await until('a refusal', () => us.losses.some(({ text }) => /certificate chain$/.test(text)))
  })

  it('an encrypted key passes with its passphrase', async () => {
    certificates.run('openssl ec -in device.key -aes256 -passout pass:geheim -out locked.key')
    const broker = await TlsBroker.start(certificates, 'broker')
    const key = certificates.read('locked.key')
    const us = boot(broker.url, newImage(), { ...tlsOf('device'), key, passphrase: 'geheim' })
    await until('the connection', () => us.client.isConnected)
  })
}

function optionTests(certificates: Certificates): void {
  certificates.run('openssl ec -in device.key -aes256 -passout pass:right -out shut.key')
  const { cert, key } = certificates.identity('device')
  const shut = certificates.read('shut.key')
  const der = Buffer.from(String(cert).replace(/-----.*-----|\s/g, ''), 'base64')
  const wrong: [string, object, RegExp][] = [
    ['an unknown name', { cafile: 'ca.crt' }, /"cafile" is not known; the options are: ca cert/],
    ['an empty authority', { ca: '' }, /"ca" cannot be used/],
    ['no authority in the list', { ca: [] }, /"ca" cannot be used: it holds no certificate/],
    ['text that is no authority', { ca: [certificates.read('ca.crt'), 'x'] }, /"ca" .*PEM/],
    ['an authority in DER', { ca: der }, /"ca" cannot be used.*PEM/],
    ['a key without its certificate', { key }, /"cert" and "key" belong together/],
    ['a certificate without its key', { cert }, /"cert" and "key" belong together/],
    ['text that is no certificate', { cert: 'x', key }, /"cert" cannot be used/],
    ['text that is no key', { cert, key: 'x' }, /"key" cannot be used/],
    ['the key of another', { cert, key: certificates.read('ca.key') }, /"key" .*mismatch/],
    ['a key without its passphrase', { cert, key: shut }, /"key" cannot be used/],
    ['a wrong passphrase', { cert, key: shut, passphrase: 'left' }, /"key" with "passphrase"/],
  ]
  for (const [what, options, words] of wrong) {
    it(`${what} is refused at construction`, () => {
      assert.throws(() => new TcpTransport(options), words)
    })
  }
}

const what = 'TLS with Mosquitto'
const certificates = hasMosquitto(what) ? Certificates.make() : null
if (certificates !== null) {
  describe('identity over TLS', () => tlsTests(certificates))
  describe('TLS options', () => optionTests(certificates))
} else if (process.env.HOLDFAST_REQUIRE_ALL === '1') throw new Error(`${what}: no openssl`)
else console.log(`left out: ${what}: it needs mosquitto and openssl`)
