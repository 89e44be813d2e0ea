/** SocketTransport over fakes of the platform's sockets: the contract, and Moddable's own ways. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualSystem } from '../../hal/memory/index.js'
import { SocketTransport } from '../../hal/moddable/socket-transport.js'
import type { TransportOptions } from '../../hal/moddable/socket-transport.js'
import { TRANSPORT_CLOSED, TRANSPORT_CONNECTING, TRANSPORT_OPEN } from '../../hal/transport.js'
import { ERR_CLOSED, ERR_CONNECT, OK } from '../../src/status.js'
import { transportContract, type Peer } from '../hal/transport-contract.js'
import { until } from '../until.js'
import { FakeNetwork, type FakeEnd } from './fake-network.js'
import { FakeTlsSocket, TlsEnd } from './fake-tls.js'

const system = new ManualSystem(1)
const PORT = 1883
const ADDRESS = { host: '10.0.0.1', port: PORT, secure: false }

function makeTransport(network: FakeNetwork, options: TransportOptions = {}): SocketTransport {
  return new SocketTransport({ TCP: network.TCP, resolve: network.resolve, system }, options)
}

function last<T>(items: readonly T[]): T {
  assert.ok(items.length > 0)
  return items[items.length - 1]!
}

/** The other end, in the clear. */
async function peerOf(window: number): Promise<Peer> {
  const network = new FakeNetwork(window)
  network.ports.add(PORT)
  network.names.set('broker.example', '10.0.0.1')
  let accepted = 0
  const end = (): FakeEnd => last(network.ends)
  return {
    transport: makeTransport(network),
    broker: { ...ADDRESS, host: 'broker.example' },
    absent: { ...ADDRESS, port: 1 },
    accept: async () => {
      accepted += 1
      await until('the connection stands', () => network.ends.length >= accepted)
    },
    refuse: async () => {},
    send: (bytes) => end().send(bytes),
    received: () => end().received,
    stall: () => end().stall(),
    unstall: () => end().unstall(),
    end: () => end().end(),
    sawEnd: () => end().sawFin,
    slack: window,
    stop: async () => {},
  }
}

for (const window of [1536, 5744, 8192]) {
  transportContract(`SocketTransport, window ${window}`, () => peerOf(window))
}

/** The other end, behind TLS. */
async function tlsPeer(): Promise<Peer> {
  const network = new FakeNetwork(5744)
  network.ports.add(PORT)
  network.names.set('broker.example', '10.0.0.1')
  const ends: TlsEnd[] = []
  const end = (): TlsEnd => {
    while (ends.length < network.ends.length) ends.push(new TlsEnd(network.ends[ends.length]!))
    return last(ends)
  }
  let accepted = 0
  const tls = { Socket: FakeTlsSocket, secure: { trusts: 'broker.example' } }
  return {
    transport: makeTransport(network, { tls }),
    broker: { ...ADDRESS, host: 'broker.example', secure: true },
    absent: { ...ADDRESS, port: 1, secure: true },
    accept: async () => {
      accepted += 1
      await until('the connection stands', () => network.ends.length >= accepted)
      end()
    },
    refuse: async () => {},
    send: (bytes) => end().send(bytes),
    received: () => end().received,
    stall: () => end().inner.stall(),
    unstall: () => end().inner.unstall(),
    end: () => end().inner.end(),
    sawEnd: () => end().inner.sawFin,
    slack: 5744,
    stop: async () => {},
  }
}

transportContract('SocketTransport over TLS', tlsPeer)

test('an unknown name and a network that is not there are told in words', async () => {
  const network = new FakeNetwork(1536)
  const transport = makeTransport(network)
  assert.equal(transport.open({ ...ADDRESS, host: 'nowhere.example' }), OK)
  assert.equal(transport.state, TRANSPORT_CONNECTING)
  await until('the look-up failed', () => transport.state === TRANSPORT_CLOSED)
  assert.match(transport.reason, /the name nowhere\.example was not found/)
  network.refusal = 'no network'
  assert.equal(transport.open(ADDRESS), ERR_CONNECT)
  assert.match(transport.reason, /no network/)
})

test('an answer of DNS that comes after close opens nothing', async () => {
  const network = new FakeNetwork(1536)
  network.ports.add(PORT)
  network.names.set('broker.example', '10.0.0.1')
  const transport = makeTransport(network)
  transport.open({ ...ADDRESS, host: 'broker.example' })
  transport.close()
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(network.opened, 0)
})

test('mqtts:// without TLS in the firmware is refused, with the remedy', () => {
  const transport = makeTransport(new FakeNetwork(1536))
  assert.equal(transport.open({ ...ADDRESS, secure: true }), ERR_CONNECT)
  assert.match(transport.reason, /give the transport `tls`/)
})

test('a buffer too small to be of use is refused by name', () => {
  assert.throws(() => makeTransport(new FakeNetwork(1536), { bufferSize: 8 }), /bufferSize 8/)
})

async function opened(network: FakeNetwork, options?: TransportOptions): Promise<SocketTransport> {
  network.ports.add(PORT)
  const transport = makeTransport(network, options)
  const isSecure = options?.tls !== undefined
  transport.open({ host: '10.0.0.1', port: PORT, secure: isSecure })
  await until('the connection stands', () => network.ends.length > 0)
  return transport
}

test('room that comes back wakes nobody who did not wait for it', async () => {
  const network = new FakeNetwork(1536)
  const transport = await opened(network)
  await until('it is open', () => transport.state === TRANSPORT_OPEN)
  let readyCount = 0
  transport.onReady = () => {
    readyCount += 1
  }
  assert.equal(transport.write(new Uint8Array(100), 0, 100), 100)
  await until('the peer has it', () => last(network.ends).received.length === 100)
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(readyCount, 0)
  last(network.ends).stall()
  assert.equal(transport.write(new Uint8Array(2000), 0, 2000), 1536)
  last(network.ends).unstall()
  await until('it is told', () => readyCount === 1)
})

test('a closed connection lingers until the peer has all, and no longer', async () => {
  const network = new FakeNetwork(1536)
  const transport = await opened(network)
  await until('it is open', () => transport.state === TRANSPORT_OPEN)
  const end = last(network.ends)
  end.stall()
  end.send(new Uint8Array(5000))
  transport.write(Uint8Array.of(0xe0, 0), 0, 2)
  transport.close()
  assert.ok(transport.isFinishing)
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(transport.isFinishing && !end.sawFin)
  end.unstall()
  await until('it is over', () => !transport.isFinishing)
  assert.ok(end.sawFin && !end.sawReset)
  assert.deepEqual([...end.received], [0xe0, 0])
})

const TRUSTING = { Socket: FakeTlsSocket, secure: { trusts: '10.0.0.1' } }

test('a certificate TLS throws for ends the connection in words, not the program', async () => {
  const network = new FakeNetwork(1536)
  const tls = { Socket: FakeTlsSocket, secure: { trusts: 'another.example' } }
  const transport = await opened(network, { tls })
  const end = new TlsEnd(last(network.ends))
  await until('it is closed', () => transport.state === TRANSPORT_CLOSED)
  assert.match(transport.reason, /TLS: Error: certificate/)
  assert.equal(end.received.length, 0)
})

test('a record that was tampered with closes the connection, also the second of two', async () => {
  for (const isSecond of [false, true]) {
    const network = new FakeNetwork(1536)
    const transport = await opened(network, { tls: TRUSTING })
    const end = new TlsEnd(last(network.ends))
    await until('it is open', () => transport.state === TRANSPORT_OPEN)
    const good = isSecond ? [...end.record(Uint8Array.of(1, 2, 3))] : []
    const bad = end.record(Uint8Array.of(4, 5, 6))
    bad[bad.length - 1]! ^= 1
    end.inner.send(Uint8Array.from([...good, ...bad]))
    // Time for TLSSocket to decrypt the second from a timer of its own, where nobody would catch.
    await new Promise((resolve) => setTimeout(resolve, 5))
    const target = new Uint8Array(10)
    let size = 0
    await until('it is closed', () => {
      const taken = transport.read(target, size, 10 - size)
      if (taken > 0) size += taken
      return taken === ERR_CLOSED
    })
    assert.equal(size, good.length > 0 ? 3 : 0)
    assert.match(transport.reason, /TLS: Error: bad record/)
  }
})
