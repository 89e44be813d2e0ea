/** The transports against their contract: scripted, TCP, and TLS with a certificate made here. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as tls from 'node:tls'
import { ScriptedTransport } from '../../hal/memory/index.js'
import { TcpTransport } from '../../hal/node/index.js'
import { reasonOf } from '../../hal/node/stream-transport.js'
import { TRANSPORT_CLOSED, TRANSPORT_CONNECTING, TRANSPORT_OPEN } from '../../hal/transport.js'
import { ERR_CONNECT, OK } from '../../src/status.js'
import { type Identity, socketPeer } from './socket-peer.js'
import { transportContract, type Peer } from './transport-contract.js'
import { until } from '../until.js'

const ABSENT = { host: '127.0.0.1', port: 1, secure: false }

async function scriptedPeer(): Promise<Peer> {
  const transport = new ScriptedTransport()
  transport.readLimit = 100
  return {
    transport,
    broker: { host: 'broker.example', port: 1883, secure: false },
    absent: ABSENT,
    accept: async () => transport.accept(),
    refuse: async () => transport.fail('connect ECONNREFUSED'),
    send: (bytes) => transport.deliver(bytes),
    received: () => transport.sent,
    stall: () => {
      transport.room = 4000
    },
    unstall: () => transport.giveRoom(Infinity),
    end: () => transport.drop('closed by the test'),
    sawEnd: () => transport.closeCount > 0,
    slack: 4000,
    stop: async () => {},
  }
}

transportContract('ScriptedTransport', scriptedPeer)
transportContract('TcpTransport', () => socketPeer(new TcpTransport(), null))

test('a script that acts on a connection that is not there is told so', () => {
  const transport = new ScriptedTransport()
  assert.throws(() => transport.accept(), /accept\(\) in transport state 0/)
  assert.throws(() => transport.deliver(new Uint8Array(1)), /deliver\(\) in transport state 0/)
  transport.open(ABSENT)
  assert.throws(() => transport.drop('x'), /drop\(\) in transport state 1/)
})

test('the scripted transport logs brokers, refuses on request, and gives sent bytes once', () => {
  const transport = new ScriptedTransport()
  transport.openRefusal = 'no route'
  assert.equal(transport.open(ABSENT), ERR_CONNECT)
  assert.equal(transport.state, TRANSPORT_CLOSED)
  assert.equal(transport.reason, 'no route')
  transport.openRefusal = ''
  const other = { host: 'b', port: 2, secure: false }
  assert.equal(transport.open(other), OK)
  assert.deepEqual(transport.opened, [ABSENT, other])
  transport.accept()
  transport.write(Uint8Array.of(1, 2, 3, 4), 1, 2)
  assert.deepEqual([...transport.takeSent()], [2, 3])
  assert.equal(transport.takeSent().length, 0)
  transport.write(Uint8Array.of(5), 0, 1)
  assert.deepEqual([...transport.takeSent()], [5])
  assert.deepEqual([...transport.sent], [2, 3, 5])
  transport.readLimit = 3
  transport.deliver(Uint8Array.of(1, 2, 3, 4))
  const target = new Uint8Array(10)
  assert.equal(transport.read(target, 0, 10), 3)
  assert.equal(transport.read(target, 3, 10), 1)
  assert.deepEqual([...target.subarray(0, 5)], [1, 2, 3, 4, 0])
})

test('a peer that floods an idle reader is held back', async () => {
  const transport = new TcpTransport()
  const peer = await socketPeer(transport, null)
  transport.open(peer.broker)
  await peer.accept()
  await until('the transport is open', () => transport.state === TRANSPORT_OPEN)
  peer.send(new Uint8Array(8 << 20))
  await new Promise((resolve) => setTimeout(resolve, 100))
  const { unreadSize } = transport as unknown as { unreadSize: number }
  assert.ok(unreadSize > 65536 && unreadSize <= 3 * 65536, `${unreadSize} bytes are held`)
  transport.close()
  await peer.stop()
})

test('an address that cannot be used fails at once, with a reason', () => {
  const transport = new TcpTransport()
  assert.equal(transport.open({ host: 'localhost', port: 99999, secure: false }), ERR_CONNECT)
  assert.equal(transport.state, TRANSPORT_CLOSED)
  assert.match(transport.reason, /port/i)
})

test('a host name that several addresses refuse still has a reason', async () => {
  const transport = new TcpTransport()
  assert.equal(transport.open({ host: 'localhost', port: 1, secure: false }), OK)
  assert.equal(transport.state, TRANSPORT_CONNECTING)
  await until('the transport is closed', () => transport.state === TRANSPORT_CLOSED)
  assert.match(transport.reason, /ECONNREFUSED.*:1/)
})

test('an error of several attempts has the words of each', () => {
  const parts = [
    new Error('connect ECONNREFUSED ::1:1'),
    new Error('connect ETIMEDOUT 127.0.0.1:1'),
  ]
  const words = 'connect ECONNREFUSED ::1:1; connect ETIMEDOUT 127.0.0.1:1'
  assert.equal(reasonOf(new AggregateError(parts)), words)
})

test('bytes that the socket held behind a pause are read after it failed', async () => {
  const transport = new TcpTransport()
  const peer = await socketPeer(transport, null)
  transport.open(peer.broker)
  await peer.accept()
  await until('the transport is open', () => transport.state === TRANSPORT_OPEN)
  peer.send(new Uint8Array(4 << 20))
  const inner = transport as unknown as { unreadSize: number; link: { socket: net.Socket } }
  const { socket } = inner.link
  await until('the pause holds bytes back', () => socket.readableLength > 0)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const held = inner.unreadSize + socket.readableLength
  socket.destroy(new Error('the network failed'))
  await until('the transport is closed', () => transport.state === TRANSPORT_CLOSED)
  assert.equal(transport.reason, 'the network failed')
  const target = new Uint8Array(8 << 20)
  assert.equal(transport.read(target, 0, target.length), held)
  await peer.stop()
})

test('a reset closes with its reason, and what arrived is read first', async () => {
  const transport = new TcpTransport()
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  transport.open({ host: '127.0.0.1', port, secure: false })
  await until(
    'the connection stands',
    () => sockets.length > 0 && transport.state === TRANSPORT_OPEN,
  )
  sockets[0].write(Uint8Array.of(7))
  const target = new Uint8Array(10)
  await until('the byte has arrived', () => {
    const { unreadSize } = transport as unknown as { unreadSize: number }
    return unreadSize === 1
  })
  sockets[0].resetAndDestroy()
  await until('the transport is closed', () => transport.state === TRANSPORT_CLOSED)
  assert.match(transport.reason, /ECONNRESET/)
  assert.equal(transport.read(target, 0, 10), 1)
  assert.ok(transport.read(target, 0, 10) < 0)
  await new Promise((resolve) => server.close(resolve))
})

/** A self-signed certificate for localhost, made now: no key lies in the repository. */
function makeIdentity(): Identity | null {
  const directory = fs.mkdtempSync(join(tmpdir(), 'holdfast-tls-'))
  after(() => fs.rmSync(directory, { recursive: true }))
  const keyPath = join(directory, 'key.pem')
  const certPath = join(directory, 'cert.pem')
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const files = ['-keyout', keyPath, '-out', certPath]
  const result = spawnSync('openssl', [...request.split(' '), ...subject, ...files])
  if (result.status !== 0) return null
  return { key: fs.readFileSync(keyPath), cert: fs.readFileSync(certPath) }
}

function tlsTests(identity: Identity): void {
  const trusting = () => new TcpTransport({ ca: identity.cert })
  transportContract('TcpTransport over TLS', () => socketPeer(trusting(), identity))

  const refused = async (transport: TcpTransport, host: string, reason: RegExp) => {
    const peer = await socketPeer(transport, identity)
    transport.open({ ...peer.broker, host })
    await until('the transport is closed', () => transport.state === TRANSPORT_CLOSED)
    assert.match(transport.reason, reason)
    await peer.stop()
  }
  test('TLS refuses a certificate it does not trust, and says why', () =>
    refused(new TcpTransport(), 'localhost', /self-signed/))
  test('TLS refuses a certificate for another name', () =>
    refused(trusting(), '127.0.0.1', /IP: 127\.0\.0\.1/))

  test('TLS asks for the server name and the protocols it is given', async () => {
    const transport = new TcpTransport({
      ca: identity.cert,
      servername: 'localhost',
      alpn: ['mqtt'],
    })
    let seen: unknown[] = []
    const options = { ...identity, ALPNProtocols: ['other', 'mqtt'] }
    const server = tls.createServer(options, (socket) => {
      seen = [(socket as tls.TLSSocket & { servername: string }).servername, socket.alpnProtocol]
      socket.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as net.AddressInfo
    transport.open({ host: '127.0.0.1', port, secure: true })
    await until('the server was reached', () => seen.length > 0)
    assert.deepEqual(seen, ['localhost', 'mqtt'])
    transport.close()
    await new Promise((resolve) => server.close(resolve))
  })
}

const identity = makeIdentity()
if (identity !== null) tlsTests(identity)
else if (process.env.HOLDFAST_REQUIRE_ALL === '1') {
  test('TLS can be tested', () => assert.fail('openssl is not there to make a certificate'))
} else console.log('TLS transport not tested: openssl is not there to make a certificate')
