/**
 * The contract of Transport as tests, for the scripted one, TCP and TLS. Knows nothing of sockets:
 * the caller brings a peer. Every call to the transport is watched for an `onReady` inside it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../hal/memory/random.js'
import {
  TRANSPORT_CLOSED,
  TRANSPORT_CONNECTING,
  TRANSPORT_OPEN,
  type BrokerAddress,
  type Transport,
} from '../../hal/transport.js'
import { ERR_CLOSED, OK } from '../../src/status.js'
import { randomBytes } from './seed.js'
import { until } from '../until.js'

/** The other end of the transport under test. */
export interface Peer {
  readonly transport: Transport
  /** An address that accepts, and one where nothing listens. */
  readonly broker: BrokerAddress
  readonly absent: BrokerAddress
  /** Lets the connection that was opened come about, or be refused. */
  accept(): Promise<void>
  refuse(): Promise<void>
  send(bytes: Uint8Array): void
  /** All bytes that came from the client on the current connection. */
  received(): Uint8Array
  /** Stops and starts taking bytes from the client. */
  stall(): void
  unstall(): void
  /** Ends the connection after what was sent. */
  end(): void
  /** True when the connection is over at the peer's end too, and in order: by FIN, not reset. */
  sawEnd(): boolean
  /** The most bytes that may wait between the two ends. */
  readonly slack: number
  stop(): Promise<void>
}

const MEGABYTE = 1 << 20

/** The transport, with a check that no call reaches onReady before it returns. */
class Watched {
  readyCount = 0
  readonly inner: Transport
  private isInside = false

  constructor(inner: Transport) {
    this.inner = inner
    inner.onReady = () => {
      assert.ok(!this.isInside, 'onReady was called from inside a call')
      this.readyCount += 1
    }
  }

  open(broker: BrokerAddress): number {
    return this.watch(() => this.inner.open(broker))
  }

  write(bytes: Uint8Array, at = 0, length = bytes.length - at): number {
    return this.watch(() => this.inner.write(bytes, at, length))
  }

  read(target: Uint8Array, at = 0, length = target.length - at): number {
    return this.watch(() => this.inner.read(target, at, length))
  }

  close(): void {
    this.watch(() => this.inner.close())
  }

  private watch<T>(call: () => T): T {
    this.isInside = true
    try {
      return call()
    } finally {
      this.isInside = false
    }
  }
}

async function connected(peer: Peer): Promise<Watched> {
  const client = new Watched(peer.transport)
  assert.equal(client.open(peer.broker), OK)
  await peer.accept()
  await until('the transport is open', () => client.inner.state === TRANSPORT_OPEN)
  return client
}

/** Reads until ERR_CLOSED or, where `size` is given, until that many bytes came. */
async function readAll(client: Watched, size = Infinity, step = 1000): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let count = 0
  let last = 0
  const target = new Uint8Array(step + 2)
  await until('all is read', () => {
    do {
      last = client.read(target, 1, step)
      assert.ok(last === ERR_CLOSED || (last >= 0 && last <= step), `read returned ${last}`)
      if (last > 0) {
        parts.push(target.slice(1, 1 + last))
        count += last
      }
    } while (last > 0)
    return last === ERR_CLOSED || count >= size
  })
  assert.ok(target[0] === 0 && target[step + 1] === 0, 'read stayed in its part of the target')
  return Buffer.concat(parts)
}

function same(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length)
  assert.ok(Buffer.from(actual).equals(Buffer.from(expected)), 'the bytes differ')
}

export function transportContract(name: string, makePeer: () => Promise<Peer>): void {
  const contractTest = (title: string, body: (peer: Peer) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const peer = await makePeer()
      try {
        await body(peer)
      } finally {
        peer.transport.close()
        await peer.stop()
      }
    })
  }

  connectionTests(contractTest)
  windowTests(contractTest)
  transferTests(contractTest)
  brokerEndTests(contractTest)
  closeTests(contractTest)
}

type ContractTest = (title: string, body: (peer: Peer) => Promise<void>) => void

function connectionTests(contractTest: ContractTest): void {
  contractTest('a new transport is closed, without a reason', async (peer) => {
    const client = new Watched(peer.transport)
    assert.equal(client.inner.state, TRANSPORT_CLOSED)
    assert.equal(client.inner.reason, '')
    assert.equal(client.write(new Uint8Array(1)), ERR_CLOSED)
    assert.equal(client.read(new Uint8Array(1)), ERR_CLOSED)
    client.close()
  })

  contractTest('open connects, says so by onReady, and takes no bytes before', async (peer) => {
    const client = new Watched(peer.transport)
    assert.equal(client.open(peer.broker), OK)
    assert.equal(client.inner.state, TRANSPORT_CONNECTING)
    assert.equal(client.write(new Uint8Array(1)), 0)
    assert.equal(client.read(new Uint8Array(1)), 0)
    assert.equal(client.readyCount, 0)
    await peer.accept()
    await until('the transport is open', () => client.inner.state === TRANSPORT_OPEN)
    assert.equal(client.readyCount, 1)
  })

  contractTest('a refused connection is closed with a reason and an onReady', async (peer) => {
    const client = new Watched(peer.transport)
    assert.equal(client.open(peer.absent), OK)
    await peer.refuse()
    await until('the transport is closed', () => client.inner.state === TRANSPORT_CLOSED)
    await until('onReady was called', () => client.readyCount > 0)
    assert.match(client.inner.reason, /ECONNREFUSED/)
    assert.equal(client.write(new Uint8Array(1)), ERR_CLOSED)
    assert.equal(client.read(new Uint8Array(1)), ERR_CLOSED)
  })

  contractTest('a connection can be given up while it comes about', async (peer) => {
    const client = new Watched(peer.transport)
    client.open(peer.broker)
    client.close()
    assert.equal(client.inner.state, TRANSPORT_CLOSED)
    assert.equal(client.inner.reason, '')
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(client.inner.state, TRANSPORT_CLOSED, 'it does not open later')
    assert.equal(client.readyCount, 0)
  })

  contractTest('open drops an earlier connection and its bytes', async (peer) => {
    const client = await connected(peer)
    peer.send(Uint8Array.of(1, 2, 3))
    const target = new Uint8Array(10)
    await until('the first byte is there', () => client.read(target, 0, 1) === 1)
    assert.equal(client.open(peer.broker), OK)
    assert.equal(client.inner.state, TRANSPORT_CONNECTING)
    await peer.accept()
    await until('the transport is open again', () => client.inner.state === TRANSPORT_OPEN)
    assert.equal(client.inner.reason, '')
    assert.equal(client.read(target), 0)
    peer.send(Uint8Array.of(9))
    same(await readAll(client, 1), Uint8Array.of(9))
    client.write(Uint8Array.of(8))
    await until('the peer has the byte', () => peer.received().length === 1)
  })
}

function windowTests(contractTest: ContractTest): void {
  contractTest(
    'a megabyte to a peer that stalls arrives whole, in bounded memory',
    async (peer) => {
      const client = await connected(peer)
      const bytes = randomBytes(new Random(1), 16 * MEGABYTE)
      peer.stall()
      let sent = 0
      const push = () => {
        for (let taken = 1; sent < bytes.length && taken > 0; sent += taken) {
          const scratch = bytes.slice(sent, sent + 5000)
          taken = client.write(scratch)
          assert.ok(taken >= 0 && taken <= scratch.length)
          // It copies: what the caller does with its buffer afterwards does no harm.
          scratch.fill(0)
        }
      }
      const quiet = performance.now() + 100
      await until('the stalled transport fills up', () => {
        push()
        return performance.now() > quiet
      })
      assert.ok(sent <= peer.slack, `${sent} bytes taken while the peer took none`)
      assert.equal(client.write(bytes, 0, 1), 0, 'there is no room')
      const readyBefore = client.readyCount
      peer.unstall()
      await until('onReady says that there is room', () => client.readyCount > readyBefore)
      const total = sent + MEGABYTE
      await until('the rest is sent', () => {
        push()
        return sent >= Math.min(total, bytes.length)
      })
      await until('all has arrived', () => peer.received().length >= sent)
      same(peer.received(), bytes.subarray(0, sent))
    },
  )

  contractTest('a megabyte from the peer arrives whole, read in odd pieces', async (peer) => {
    const client = await connected(peer)
    const bytes = randomBytes(new Random(2), MEGABYTE)
    for (let at = 0; at < bytes.length; at += 50_000) peer.send(bytes.subarray(at, at + 50_000))
    // Nothing is read for a while: a transport over a network holds the peer back meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 30))
    same(await readAll(client, MEGABYTE, 777), bytes)
    assert.equal(client.read(new Uint8Array(1)), 0)
  })
}

function transferTests(contractTest: ContractTest): void {
  contractTest('both directions at once keep apart', async (peer) => {
    const client = await connected(peer)
    const up = randomBytes(new Random(3), 100_000)
    const down = randomBytes(new Random(4), 100_000)
    let sent = 0
    peer.send(down)
    const reading = readAll(client, down.length, 333)
    await until('all is sent', () => {
      sent += client.write(up, sent, Math.min(999, up.length - sent))
      return sent === up.length
    })
    same(await reading, down)
    await until('all has arrived', () => peer.received().length === up.length)
    same(peer.received(), up)
  })

  contractTest('onReady follows bytes that arrive', async (peer) => {
    const client = await connected(peer)
    const before = client.readyCount
    peer.send(Uint8Array.of(1))
    await until('onReady was called', () => client.readyCount > before)
    assert.equal(client.read(new Uint8Array(1)), 1)
  })
}

function brokerEndTests(contractTest: ContractTest): void {
  contractTest('ERR_CLOSED comes after the last byte of a peer that ended', async (peer) => {
    const client = await connected(peer)
    const bytes = randomBytes(new Random(5), 300_000)
    peer.send(bytes)
    peer.end()
    same(await readAll(client), bytes)
    assert.equal(client.inner.state, TRANSPORT_CLOSED)
    assert.notEqual(client.inner.reason, '')
    assert.equal(client.write(new Uint8Array(1)), ERR_CLOSED)
    assert.equal(client.read(new Uint8Array(1)), ERR_CLOSED)
  })

  contractTest('bytes can be read after the state became closed', async (peer) => {
    const client = await connected(peer)
    const before = client.readyCount
    peer.send(Uint8Array.of(1, 2, 3))
    peer.end()
    await until('the transport is closed', () => client.inner.state === TRANSPORT_CLOSED)
    assert.ok(client.readyCount > before)
    same(await readAll(client, Infinity, 2), Uint8Array.of(1, 2, 3))
  })

  contractTest('a read of no bytes is no end while bytes are unread', async (peer) => {
    const client = await connected(peer)
    peer.send(Uint8Array.of(1))
    peer.end()
    await until('the transport is closed', () => client.inner.state === TRANSPORT_CLOSED)
    assert.equal(client.read(new Uint8Array(0)), 0)
    assert.equal(client.read(new Uint8Array(1)), 1)
    assert.equal(client.read(new Uint8Array(0)), ERR_CLOSED)
  })
}

function closeTests(contractTest: ContractTest): void {
  contractTest('close hands over what was written, then ends, without a reason', async (peer) => {
    const client = await connected(peer)
    const bytes = randomBytes(new Random(6), 60_000)
    let sent = 0
    await until('all is taken', () => {
      sent += client.write(bytes, sent)
      return sent === bytes.length
    })
    client.close()
    assert.equal(client.inner.state, TRANSPORT_CLOSED)
    assert.equal(client.inner.reason, '')
    assert.equal(client.write(bytes), ERR_CLOSED)
    assert.equal(client.read(new Uint8Array(1)), ERR_CLOSED)
    client.close()
    await until('the peer sees the end', () => peer.sawEnd())
    same(peer.received(), bytes)
    assert.equal(client.inner.reason, '', 'the end of the socket brings no reason later')
  })

  contractTest('close with a stalled peer and unread bytes still hands all over', async (peer) => {
    const client = await connected(peer)
    const bytes = randomBytes(new Random(7), 16 * MEGABYTE)
    peer.send(new Uint8Array(8 * MEGABYTE))
    peer.stall()
    let sent = 0
    const quiet = performance.now() + 100
    await until('the stalled transport fills up', () => {
      for (let taken = 1; taken > 0; sent += taken) taken = client.write(bytes, sent)
      return performance.now() > quiet
    })
    client.close()
    peer.unstall()
    await until('the peer sees the end', () => peer.sawEnd())
    same(peer.received(), bytes.subarray(0, sent))
  })

  contractTest('what arrived before close can still be read', async (peer) => {
    const client = await connected(peer)
    peer.send(Uint8Array.of(1, 2, 3))
    const target = new Uint8Array(1)
    await until('the first byte is there', () => client.read(target) === 1)
    client.close()
    same(await readAll(client), Uint8Array.of(2, 3))
  })
}
