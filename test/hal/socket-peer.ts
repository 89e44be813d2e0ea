/**
 * The other side of a transport under test: a server on the loopback, over TCP or TLS. The last
 * connection is the current one.
 */
import * as net from 'node:net'
import * as tls from 'node:tls'
import type { Transport } from '../../hal/transport.js'
import { until } from '../until.js'
import type { Peer } from './transport-contract.js'

const ABSENT = { host: '127.0.0.1', port: 1, secure: false }

/** Of the server, in PEM. */
export interface Identity {
  readonly key: Buffer
  readonly cert: Buffer
}

/** Over TLS where the server is given an identity. */
export async function socketPeer<T extends Transport>(
  transport: T,
  identity: Identity | null,
): Promise<Peer> {
  const sockets: net.Socket[] = []
  let chunks: Buffer[] = []
  let hasEnded = false
  const serve = (socket: net.Socket): void => {
    sockets.push(socket)
    chunks = []
    hasEnded = false
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('close', (hadError) => {
      hasEnded = !hadError
    })
    socket.on('error', () => {})
  }
  const server = identity === null ? net.createServer(serve) : tls.createServer(identity, serve)
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  let accepted = 0
  const last = () => sockets[sockets.length - 1]
  return {
    transport,
    broker: {
      host: identity === null ? '127.0.0.1' : 'localhost',
      port,
      secure: identity !== null,
    },
    absent: { ...ABSENT, secure: identity !== null },
    accept: async () => {
      accepted += 1
      await until('the server has the connection', () => sockets.length >= accepted)
    },
    refuse: async () => {},
    send: (bytes) => void last().write(bytes),
    received: () => Buffer.concat(chunks),
    stall: () => void last().pause(),
    unstall: () => void last().resume(),
    end: () => void last().end(),
    sawEnd: () => hasEnded,
    // Two windows of ours and what the kernel keeps for two sockets, which it sizes itself.
    slack: 12 << 20,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
