/**
 * What a turn of the event loop costs on Node: writes of one turn leave together, a refused write
 * is called back, and handlers that publish do not make the loop go round again.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { NodeSystem, run, TcpTransport } from '../../hal/node/index.js'
import { TRANSPORT_OPEN } from '../../hal/transport.js'
import { until } from '../until.js'

interface Pair {
  transport: TcpTransport
  server: Server
  peer: Socket
  end: () => void
}

async function connected(): Promise<Pair> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const transport = new TcpTransport()
  const accepted = once(server, 'connection')
  transport.open({ host: '127.0.0.1', port, secure: false })
  const [peer] = (await accepted) as [Socket]
  await until('the connection', () => transport.state === TRANSPORT_OPEN)
  const end = (): void => {
    transport.close()
    peer.destroy()
    server.close()
  }
  return { transport, server, peer, end }
}

test('writes of one turn arrive as one piece', async () => {
  const { transport, peer, end } = await connected()
  const pieces: string[] = []
  peer.on('data', (piece) => pieces.push(piece.toString()))
  for (const letter of 'abc') assert.equal(transport.write(Buffer.from(letter), 0, 1), 1)
  await until('the bytes', () => pieces.length > 0)
  assert.deepEqual(pieces, ['abc'])
  end()
})

test('what was written in the same turn leaves before close ends the connection', async () => {
  const { transport, peer, end } = await connected()
  let text = ''
  peer.on('data', (piece) => (text += piece.toString()))
  const ended = once(peer, 'end')
  transport.write(Buffer.from('last'), 0, 4)
  transport.close()
  await ended
  assert.equal(text, 'last')
  end()
})

test('a write that takes less than it was given is followed by onReady', async () => {
  const { transport, peer, end } = await connected()
  let received = 0
  peer.on('data', (piece) => (received += piece.length))
  const bytes = new Uint8Array(200_000)
  let sent = 0
  const send = (): void => {
    while (sent < bytes.length) {
      const taken = transport.write(bytes, sent, bytes.length - sent)
      if (taken === 0) return
      sent += taken
    }
  }
  transport.onReady = send
  send()
  assert.ok(sent < bytes.length, `${sent} bytes taken in one turn`)
  await until('all bytes', () => received === bytes.length)
  end()
})

test('bytes of a connection that is gone do not leave on the next one', async () => {
  const { transport, server, end } = await connected()
  const { port } = server.address() as { port: number }
  const accepted = once(server, 'connection')
  transport.write(Buffer.from('old'), 0, 3)
  transport.open({ host: '127.0.0.1', port, secure: false })
  const [next] = (await accepted) as [Socket]
  let text = ''
  next.on('data', (piece) => (text += piece.toString()))
  await until('the connection', () => transport.state === TRANSPORT_OPEN)
  transport.write(Buffer.from('new'), 0, 3)
  await until('the bytes', () => text !== '')
  assert.equal(text, 'new')
  next.destroy()
  end()
})

test('work that a handler announces inside poll is polled in the same turn', async () => {
  let turn = 0
  const turns: number[] = []
  const client = {
    onWork: () => {},
    poll: () => {
      turns.push(turn)
      if (turns.length === 1) client.onWork()
      return Infinity
    },
  }
  const running = run(client)
  const count = (): void => {
    turn += 1
    if (turn < 5) setImmediate(count)
  }
  setImmediate(count)
  await until('five turns', () => turn === 5)
  assert.deepEqual(turns, [0, 0])
  running.stop()
})

test('a client that is never done lets others have their turn', async () => {
  let count = 0
  const running = run({
    onWork: () => {},
    poll: () => {
      count += 1
      return 0
    },
  })
  // This wait has its turns only where the client gives them.
  await until('many polls', () => count > 100)
  running.stop()
})

test('copies of every short length are right, at every side of the limit', () => {
  const system = new NodeSystem()
  for (let length = 0; length <= 40; length++) {
    const source = Uint8Array.from({ length: 50 }, (_, index) => index + 1)
    const target = new Uint8Array(50)
    system.copy(target, 3, source, 5, length)
    const wanted = new Uint8Array(50)
    for (let index = 0; index < length; index++) wanted[3 + index] = index + 6
    assert.deepEqual(target, wanted)
    system.copy(source, 1, source, 0, length)
    assert.equal(source[length], length || 1)
  }
})
