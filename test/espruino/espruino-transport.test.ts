/** EspruinoTransport: the transport contract over a model of `net`, and what only Espruino does. */
import './fake-globals.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EspruinoTransport } from '../../hal/espruino/index.js'
import type { EspruinoSocket, EspruinoTransportOptions } from '../../hal/espruino/index.js'
import { TRANSPORT_CLOSED, TRANSPORT_OPEN } from '../../hal/transport.js'
import { ERR_CLOSED, ERR_CONNECT, OK } from '../../src/status.js'
import { socketPeer } from '../hal/socket-peer.js'
import { transportContract, type Peer } from '../hal/transport-contract.js'
import { until } from '../until.js'
import { fakeNet } from './fake-net.js'

const ABSENT = { host: '127.0.0.1', port: 1, secure: false }

const peerOf = (options?: EspruinoTransportOptions): Promise<Peer> =>
  socketPeer(new EspruinoTransport(fakeNet(), options ?? { unreadLimit: 1 << 24 }), null)

transportContract('EspruinoTransport', () => peerOf())

test('what `connect` throws becomes a refusal with its words', () => {
  const transport = new EspruinoTransport(fakeNet(true))
  assert.equal(transport.open(ABSENT), ERR_CONNECT)
  assert.equal(transport.state, TRANSPORT_CLOSED)
  assert.equal(transport.reason, 'Unable to create socket')
})

test('TLS is refused until the application says that no certificate is checked', async () => {
  const secure = { host: '127.0.0.1', port: 8883, secure: true }
  const without = new EspruinoTransport(fakeNet())
  assert.equal(without.open(secure), ERR_CONNECT)
  assert.match(without.reason, /tls: require/)
  const unaware = new EspruinoTransport(fakeNet(), { tls: fakeNet() })
  assert.equal(unaware.open(secure), ERR_CONNECT)
  assert.match(unaware.reason, /checks no certificate/)
  let asked = {}
  const tls = {
    connect(options: object): EspruinoSocket {
      asked = options
      return { on() {}, write() {}, end() {} }
    },
  }
  const aware = new EspruinoTransport(fakeNet(), {
    tls,
    rejectUnauthorized: false,
    cert: 'C',
    key: 'K',
  })
  assert.equal(aware.open(secure), OK)
  assert.deepEqual(asked, { host: '127.0.0.1', port: 8883, cert: 'C', key: 'K' })
})

test('no more than unsentLimit bytes wait in Espruino, and `drain` makes room', () => {
  const handlers: Record<string, (value: unknown) => void> = {}
  let sent = ''
  let connected = () => {}
  const transport = new EspruinoTransport(
    {
      connect(_options, callback) {
        connected = callback
        return {
          on: (event, handler) => void (handlers[event] = handler),
          write: (data) => void (sent += data),
          end() {},
        }
      },
    },
    { unsentLimit: 100 },
  )
  let readyCount = 0
  transport.onReady = () => (readyCount += 1)
  transport.open(ABSENT)
  connected()
  assert.equal(transport.write(new Uint8Array(300), 0, 60), 60)
  assert.equal(transport.write(new Uint8Array(300), 0, 60), 40)
  assert.equal(transport.write(new Uint8Array(300), 0, 60), 0)
  assert.equal(sent.length, 100)
  readyCount = 0
  handlers.drain!(null)
  assert.equal(readyCount, 1)
  assert.equal(transport.write(new Uint8Array(300), 0, 60), 60)
  handlers.drain!(null)
  assert.equal(readyCount, 1, 'nobody waits')
})

test('a broker that sends faster than the client reads loses its connection', async () => {
  const peer = await peerOf({ unreadLimit: 5000 })
  const { transport } = peer
  transport.open(peer.broker)
  await peer.accept()
  await until('the transport is open', () => transport.state === TRANSPORT_OPEN)
  peer.send(new Uint8Array(50_000))
  await until('it is closed', () => transport.state === TRANSPORT_CLOSED)
  assert.match(transport.reason, /unreadLimit/)
  const target = new Uint8Array(10_000)
  const held = transport.read(target, 0, 10_000)
  assert.ok(held > 5000 && held <= 5000 + 536, `${held} bytes were held`)
  assert.equal(transport.read(target, 0, 1), ERR_CLOSED)
  await until('the broker sees the end', () => peer.sawEnd())
  await peer.stop()
})

test('a socket that closed behind our back is an end, not an exception', () => {
  let connected = () => {}
  const transport = new EspruinoTransport({
    connect(_options, callback) {
      connected = callback
      const closed = () => {
        throw new Error('This socket is closed')
      }
      return { on() {}, write: closed, end: closed }
    },
  })
  transport.open(ABSENT)
  connected()
  assert.equal(transport.state, TRANSPORT_OPEN)
  assert.equal(transport.write(new Uint8Array(1), 0, 1), ERR_CLOSED)
  assert.equal(transport.reason, 'This socket is closed')
  transport.open(ABSENT)
  transport.close()
  assert.equal(transport.state, TRANSPORT_CLOSED)
})
