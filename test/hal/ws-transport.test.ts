/** The transport over WebSocket against its contracts, with the server of `ws` as peer. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import * as net from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import * as esbuild from 'esbuild'
import { WebSocketServer, type WebSocket } from 'ws'
import { NodeSystem, TcpTransport } from '../../hal/node/index.js'
import { WsTransport, type WsOptions } from '../../hal/node/ws-transport.js'
import { TRANSPORT_CLOSED } from '../../hal/transport.js'
import { ERR_CONNECT, MqttClient, OK } from '../../src/index.js'
import { Certificates } from '../broker/certificates.js'
import { transportContract } from './transport-contract.js'
import { until } from '../until.js'
import { webSocketContract, type WebSocketPeer } from './websocket-contract.js'

const FRAME_LIMIT = 100_000
/** Two windows of ours and what the kernel keeps for two sockets, which it sizes itself. */
const SLACK = 12 << 20

/** A server on the loopback; the last connection is the current one. */
class ServerPeer implements WebSocketPeer {
  readonly transport: WsTransport
  readonly frameLimit = FRAME_LIMIT
  readonly slack = SLACK
  broker = { host: '127.0.0.1', port: 0, secure: false, path: '/mqtt' }
  absent = { host: '127.0.0.1', port: 1, secure: false, path: '/mqtt' }
  private readonly http: ReturnType<typeof createServer>
  private readonly webSockets: WebSocket[] = []
  private request: IncomingMessage | null = null
  private chosen = 'mqtt'
  private chunks: Buffer[] = []
  private frameKinds: boolean[] = []
  private endCode = 0
  private accepted = 0

  constructor(options: WsOptions, identity: { cert: Buffer; key: Buffer } | null) {
    this.transport = new WsTransport({ maxFrameSize: FRAME_LIMIT, ...options })
    this.http = identity === null ? createServer() : createSecureServer(identity)
    this.http.on('tlsClientError', () => {})
    if (identity !== null) {
      this.broker = { ...this.broker, host: 'localhost', secure: true }
      this.absent = { ...this.absent, secure: true }
    }
    const handleProtocols = () => (this.chosen === '' ? false : this.chosen)
    const server = new WebSocketServer({ server: this.http, handleProtocols })
    server.on('connection', (webSocket, request) => this.serve(webSocket, request))
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.http.listen(0, '127.0.0.1', resolve))
    this.broker.port = (this.http.address() as net.AddressInfo).port
    return this
  }

  private serve(webSocket: WebSocket, request: IncomingMessage): void {
    this.webSockets.push(webSocket)
    this.request = request
    this.chunks = []
    this.frameKinds = []
    this.endCode = 0
    webSocket.on('message', (data, isBinary) => {
      this.chunks.push(data as Buffer)
      this.frameKinds.push(isBinary)
    })
    webSocket.on('close', (code) => (this.endCode = code))
    webSocket.on('error', () => {})
  }

  private get last(): WebSocket {
    return this.webSockets.at(-1)!
  }

  async accept(): Promise<void> {
    this.accepted = this.webSockets.length + 1
    await until('the server has the connection', () => this.webSockets.length >= this.accepted)
  }

  async refuse(): Promise<void> {}

  send(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 50_000)
      this.sendFrame(bytes.subarray(at, at + 50_000))
  }

  sendFrame = (bytes: Uint8Array) => this.last.send(bytes)
  sendText = (text: string) => this.last.send(text)

  sendFragments(parts: Uint8Array[]): void {
    parts.forEach((part, index) => this.last.send(part, { fin: index === parts.length - 1 }))
  }

  received = () => Buffer.concat(this.chunks)
  kinds = () => this.frameKinds
  stall = () => this.last.pause()
  unstall = () => this.last.resume()
  end = () => this.last.close()
  endWith = (code: number, words: string) => this.last.close(code, words)
  closeCode = () => this.endCode
  sawEnd = () => this.endCode !== 0 && this.endCode !== 1006
  path = () => this.request!.url!
  offered = () => String(this.request!.headers['sec-websocket-protocol']).split(',')

  choose(subprotocol: string): void {
    this.chosen = subprotocol
  }

  /** The headers of the last request. */
  get headers(): IncomingMessage['headers'] {
    return this.request!.headers
  }

  async stop(): Promise<void> {
    for (const webSocket of this.webSockets) webSocket.terminate()
    await new Promise((resolve) => this.http.close(resolve))
  }
}

const peer = (options: WsOptions = {}) => new ServerPeer(options, null).listen()

transportContract('WsTransport', peer)
webSocketContract('WsTransport', peer)

const certificates = Certificates.make()
if (certificates !== null) {
  const identity = certificates.identity('broker')
  const tls = { ca: certificates.read('ca.crt') }
  const securePeer = (options: WsOptions) => new ServerPeer(options, identity).listen()
  transportContract('WsTransport over TLS', () => securePeer({ tls }))
  webSocketContract('WsTransport over TLS', () => securePeer({ tls }))

  test('over TLS it refuses a certificate it does not trust, or for another host', async () => {
    const other = { ca: certificates.read('other.crt') }
    const cases: [WsOptions, string, RegExp][] = [
      [{ tls: other }, 'localhost', /unable to verify the first certificate/],
      [{ tls }, '127.0.0.1', /does not match certificate's altnames: IP: 127\.0\.0\.1/],
    ]
    for (const [options, host, reason] of cases) {
      const server = await securePeer(options)
      server.transport.open({ ...server.broker, host })
      await until('it is closed', () => server.transport.state === TRANSPORT_CLOSED)
      assert.match(server.transport.reason, reason)
      await server.stop()
    }
  })
} else if (process.env.HOLDFAST_REQUIRE_ALL === '1') {
  test('TLS can be tested', () => assert.fail('openssl is not there to make a certificate'))
} else console.log('left out: WebSocket over TLS: openssl is not there to make a certificate')

test('headers and query are asked for at each connection, and shown nowhere', async () => {
  let count = 0
  const query = () => `signature=SECRET-${++count}`
  const headers = () => ({ Authorization: `Bearer SECRET-${count}` })
  const server = await peer({ query, headers })
  const { transport } = server
  for (const turn of [1, 2]) {
    assert.equal(transport.open(server.broker), OK)
    await server.accept()
    assert.equal(server.path(), `/mqtt?signature=SECRET-${turn}`)
    assert.equal(server.headers.authorization, `Bearer SECRET-${turn}`)
  }
  transport.open(server.absent)
  await until('it is closed', () => transport.state === TRANSPORT_CLOSED)
  assert.doesNotMatch(transport.reason, /SECRET/)
  transport.open({ ...server.broker, host: 'no%host' })
  assert.match(transport.reason, /Invalid URL/)
  assert.doesNotMatch(transport.reason, /SECRET/)
  assert.doesNotMatch(inspect(transport, { depth: 9 }), /SECRET/)
  await server.stop()
})

test('a server that is none of WebSocket has its answer as the reason', async () => {
  const http = createServer((_, response) => response.writeHead(404).end('nothing here'))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as net.AddressInfo
  const transport = new WsTransport()
  transport.open({ host: '127.0.0.1', port, secure: false, path: '/' })
  await until('it is closed', () => transport.state === TRANSPORT_CLOSED)
  assert.match(transport.reason, /server response: 404/)
  await new Promise((resolve) => http.close(resolve))
})

test('wrong options are refused by name', () => {
  const wrong: [object, RegExp][] = [
    [{ ca: 'x' }, /option "ca" is not known; they are: tls headers query maxFrameSize/],
    [{ headers: { Authorization: 'SECRET' } }, /headers is object; it must be a function/],
    [{ query: 'SECRET' }, /query is string; it must be a function/],
    [{ maxFrameSize: 0 }, /maxFrameSize is 0/],
    [{ maxFrameSize: 1.5 }, /maxFrameSize is 1.5/],
    [{ tls: { cafile: 'x' } }, /"cafile" is not known/],
  ]
  for (const [options, words] of wrong) {
    assert.throws(
      () => new WsTransport(options),
      (error: Error) => words.test(error.message) && !error.message.includes('SECRET'),
    )
  }
})

test('a client is refused a URL that its transport does not open', () => {
  const make = (transport: WsTransport | TcpTransport, broker: string) =>
    new MqttClient({ system: new NodeSystem(), transport, broker, clientId: 'x' })
  assert.throws(
    () => make(new TcpTransport(), 'ws://localhost/mqtt'),
    /"broker" is ws:\/\/localhost\/mqtt; it must be of a scheme .*: mqtt mqtts/,
  )
  assert.throws(() => make(new WsTransport(), 'mqtt://localhost'), /scheme .*: ws wss/)
  make(new WsTransport(), 'wss://localhost')
  make(new TcpTransport(), 'mqtts://localhost')
  const transport = new TcpTransport()
  const address = { host: 'localhost', port: 80, secure: false, path: '/' }
  assert.equal(transport.open(address), ERR_CONNECT)
  assert.match(transport.reason, /no WebSocket/)
})

test('the package ws is needed by holdfast/node-ws and by nothing else', async () => {
  const needs = async (entry: string): Promise<boolean> => {
    const { metafile } = await esbuild.build({
      entryPoints: [fileURLToPath(new URL(`../../${entry}`, import.meta.url))],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      packages: 'external',
      metafile: true,
    })
    const outputs = Object.values(metafile.outputs)
    return outputs.some(({ imports }) => imports.some(({ path }) => path === 'ws'))
  }
  const { exports } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  ) as {
    exports: Record<string, { default?: string }>
  }
  for (const [name, { default: entry }] of Object.entries(exports)) {
    if (entry === undefined) continue
    assert.equal(await needs(entry.replace('./dist/', '')), name === './node-ws', name)
  }
})
