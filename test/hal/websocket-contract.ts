/**
 * What the Transport contract asks of one that speaks WebSocket, as tests, with the statements of
 * MQTT section 6. Knows nothing of sockets: the caller brings a peer that can do wrong.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TRANSPORT_CLOSED, TRANSPORT_OPEN } from '../../hal/transport.js'
import { ERR_CLOSED, ERR_CONNECT, OK } from '../../src/status.js'
import { type Peer } from './transport-contract.js'
import { until } from '../until.js'

/** A peer of the Transport contract that also shows what is particular to WebSocket. */
export interface WebSocketPeer extends Peer {
  /** What the client asked for on the current connection. */
  path(): string
  offered(): string[]
  /** The subprotocol to choose on the next connections; '' for none. */
  choose(subprotocol: string): void
  /** One frame of these bytes, alone. */
  sendFrame(bytes: Uint8Array): void
  sendText(text: string): void
  /** One message in as many frames as there are parts. */
  sendFragments(parts: Uint8Array[]): void
  /** For each frame that came: true for binary. */
  kinds(): boolean[]
  /** The code of the Close frame that ended the connection; 0 while there is none. */
  closeCode(): number
  /** Ends the connection with this code and these words. */
  endWith(code: number, words: string): void
  /** The limit of a frame that the transport was made with. */
  readonly frameLimit: number
}

type Body = (peer: WebSocketPeer) => Promise<void>

async function connected(peer: WebSocketPeer): Promise<void> {
  assert.equal(peer.transport.open(peer.broker), OK)
  await peer.accept()
  await until('the transport is open', () => peer.transport.state === TRANSPORT_OPEN)
}

async function closedWith(peer: WebSocketPeer, words: RegExp): Promise<void> {
  await until('the transport is closed', () => peer.transport.state === TRANSPORT_CLOSED)
  assert.match(peer.transport.reason, words)
}

async function readAll(peer: WebSocketPeer, size: number): Promise<number[]> {
  const target = new Uint8Array(size + 1)
  let count = 0
  await until(`${size} bytes are read`, () => {
    count += Math.max(0, peer.transport.read(target, count, target.length - count))
    return count >= size
  })
  return [...target.subarray(0, count)]
}

export function webSocketContract(name: string, makePeer: () => Promise<WebSocketPeer>): void {
  const contractTest = (title: string, body: Body): void => {
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
  handshakeTests(contractTest)
  frameTests(contractTest)
  endTests(contractTest)
}

function handshakeTests(contractTest: (title: string, body: Body) => void): void {
  contractTest('it asks for the path and offers mqtt', async (peer) => {
    await connected(peer)
    assert.equal(peer.path(), peer.broker.path)
    assert.deepEqual(peer.offered(), ['mqtt'])
  })

  contractTest('a peer that chooses another subprotocol, or none, is left', async (peer) => {
    for (const chosen of ['mqttv3.1', '']) {
      peer.choose(chosen)
      assert.equal(peer.transport.open(peer.broker), OK)
      await closedWith(peer, /subprotocol/)
    }
    peer.choose('mqtt')
    await connected(peer)
  })

  contractTest('it says which schemes it opens, and opens no other', async (peer) => {
    assert.equal(peer.transport.schemes, ' ws wss ')
    for (const path of ['', undefined]) {
      const { host, port, secure } = peer.broker
      const address = path === undefined ? { host, port, secure } : { host, port, secure, path }
      assert.equal(peer.transport.open(address), ERR_CONNECT)
      assert.match(peer.transport.reason, /ws:\/\//)
    }
  })
}

function frameTests(contractTest: (title: string, body: Body) => void): void {
  contractTest('what it sends is binary frames', async (peer) => {
    await connected(peer)
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index)
    for (let at = 0; at < 1000; at += 10) peer.transport.write(bytes, at, 10)
    await until('all has arrived', () => peer.received().length === 1000)
    assert.deepEqual([...peer.received()], [...bytes])
    assert.ok(peer.kinds().length > 0)
    assert.ok(peer.kinds().every((isBinary) => isBinary))
  })

  contractTest('bytes of one frame are read in parts, those of many at once', async (peer) => {
    await connected(peer)
    peer.sendFrame(Uint8Array.of(1, 2, 3, 4, 5))
    assert.deepEqual(await readAll(peer, 2), [1, 2, 3])
    assert.deepEqual(await readAll(peer, 2), [4, 5])
    for (let value = 6; value < 30; value++) peer.sendFrame(Uint8Array.of(value))
    peer.sendFrame(new Uint8Array(0))
    peer.sendFrame(Uint8Array.of(30))
    assert.equal(
      (await readAll(peer, 25)).join(),
      '6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30',
    )
  })

  contractTest('a message in fragments is one stream of bytes too', async (peer) => {
    await connected(peer)
    peer.sendFragments([Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)])
    assert.deepEqual(await readAll(peer, 3), [1, 2, 3])
  })

  contractTest(
    'a frame of text ends the connection, and what came before is read',
    async (peer) => {
      await connected(peer)
      peer.sendFrame(Uint8Array.of(1, 2))
      peer.sendText('text')
      peer.sendFrame(Uint8Array.of(3))
      await closedWith(peer, /text/)
      assert.deepEqual(await readAll(peer, 2), [1, 2])
      assert.equal(peer.transport.read(new Uint8Array(9), 0, 9), ERR_CLOSED)
      await until('the peer sees the end', () => peer.closeCode() !== 0)
      assert.equal(peer.closeCode(), 1003)
    },
  )

  contractTest('a frame larger than the limit ends the connection unread', async (peer) => {
    await connected(peer)
    peer.sendFrame(new Uint8Array(peer.frameLimit))
    await readAll(peer, peer.frameLimit)
    peer.sendFrame(new Uint8Array(peer.frameLimit + 1))
    await closedWith(peer, /payload|frame/i)
    assert.equal(peer.transport.read(new Uint8Array(9), 0, 9), ERR_CLOSED)
  })
}

function endTests(contractTest: (title: string, body: Body) => void): void {
  contractTest('close says so with a Close frame', async (peer) => {
    await connected(peer)
    peer.transport.close()
    await until('the peer sees the end', () => peer.closeCode() !== 0)
    assert.ok([1000, 1005].includes(peer.closeCode()), `code ${peer.closeCode()}`)
  })

  contractTest('the code and the words of the peer are the reason', async (peer) => {
    await connected(peer)
    peer.endWith(1008, 'not you')
    await closedWith(peer, /1008.*not you/)
  })
}
