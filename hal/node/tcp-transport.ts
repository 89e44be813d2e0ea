/**
 * TcpTransport: MQTT's bytes as they are over TCP (`mqtt://`) and TLS (`mqtts://`). Knows how to
 * connect; the bytes pass in StreamTransport.
 */
import * as net from 'node:net'
import type { BrokerAddress } from '../transport.js'
import { StreamTransport, type Link } from './stream-transport.js'
import { TLS_HINT, TlsIdentity, type TlsOptions } from './tls-identity.js'

export class TcpTransport extends StreamTransport {
  private readonly identity: TlsIdentity

  constructor(tlsOptions: TlsOptions = {}) {
    super()
    this.identity = new TlsIdentity(tlsOptions)
  }

  protected connect(broker: BrokerAddress, onOpen: () => void): Link {
    if (broker.path) throw new Error('TcpTransport opens mqtt:// and mqtts://, no WebSocket')
    if (broker.secure) {
      const socket = this.identity.connect(broker)
      socket.once('secureConnect', onOpen)
      return { stream: socket, socket, hint: TLS_HINT }
    }
    const socket = net.connect({ host: broker.host, port: broker.port, noDelay: true })
    socket.once('connect', onOpen)
    return { stream: socket, socket, hint: '' }
  }
}
