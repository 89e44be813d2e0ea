/**
 * TlsIdentity: whom a transport trusts over TLS and who it is, checked once, and sockets that prove
 * it. Knows certificates and TCP; nothing of what passes over the connection.
 */
import { X509Certificate } from 'node:crypto'
import * as net from 'node:net'
import * as tls from 'node:tls'
import type { BrokerAddress } from '../transport.js'
import { reasonOf } from './stream-transport.js'

/** One certificate or several, in PEM: the text or its bytes. */
type Pem = string | Buffer

/** How to prove and check identity over TLS: docs/TLS.md. */
export interface TlsOptions {
  /** The authorities to trust, and no others. Absent: those that come with Node. */
  readonly ca?: Pem | Pem[]
  /** Our certificate, with those between it and the authority behind it. */
  readonly cert?: Pem
  /** The key of `cert`. */
  readonly key?: Pem
  /** What `key` is encrypted with. */
  readonly passphrase?: string
  /** The name to ask for and to check, where it is not the host. */
  readonly servername?: string
  /** False accepts any certificate: for tests only. */
  readonly rejectUnauthorized?: boolean
  /** Application protocols to offer, e.g. `['x-amzn-mqtt-ca']`. */
  readonly alpn?: string[]
}

/**
 * With TLS 1.3 a broker looks at our certificate after the connection stands for us. If what we
 * write meets its reset, the alert that says why is lost.
 */
export const TLS_HINT = '; before its first byte: the broker may not accept our certificate'

const NAMES = ['ca', 'cert', 'key', 'passphrase', 'servername', 'rejectUnauthorized', 'alpn']

export class TlsIdentity {
  // Private to the engine too: a transport that is printed shows neither key nor passphrase.
  readonly #options: TlsOptions
  /** Made once, not at each connection. Undefined where Node's own trust is enough. */
  readonly #context: tls.SecureContext | undefined

  /** Throws where the options cannot be used. No message shows what they hold. */
  constructor(options: TlsOptions) {
    for (const name of Object.keys(options)) {
      if (!NAMES.includes(name)) {
        throw new Error(`TLS option "${name}" is not known; the options are: ${NAMES.join(' ')}`)
      }
    }
    if ((options.cert === undefined) !== (options.key === undefined)) {
      throw new Error('TLS options "cert" and "key" belong together; one of them is missing')
    }
    this.#options = options
    this.#context = contextOf(options)
  }

  /** A socket on its way; 'secureConnect' follows when both sides have proved who they are. */
  connect(broker: BrokerAddress): tls.TLSSocket {
    const { servername, rejectUnauthorized, alpn } = this.#options
    const options: tls.ConnectionOptions = { host: broker.host, port: broker.port }
    if (this.#context !== undefined) options.secureContext = this.#context
    if (rejectUnauthorized !== undefined) options.rejectUnauthorized = rejectUnauthorized
    if (alpn !== undefined) options.ALPNProtocols = alpn
    // A certificate names hosts; Node refuses to send an address as a server name.
    if (servername !== undefined) options.servername = servername
    else if (net.isIP(broker.host) === 0) options.servername = broker.host
    const socket = tls.connect(options)
    socket.setNoDelay(true)
    return socket
  }
}

function contextOf({ ca, cert, key, passphrase }: TlsOptions): tls.SecureContext | undefined {
  const trust = ca === undefined ? {} : { ca }
  const lock = passphrase === undefined ? {} : { passphrase }
  // Node takes an empty `ca` for none and trusts its own list then, and skips what is no PEM.
  if (ca !== undefined) attempt('"ca"', () => certificates(ca))
  if (cert !== undefined && key !== undefined) {
    // One at a time, so that a mistake has the name of its option.
    attempt('"cert"', () => tls.createSecureContext({ cert }))
    const name = passphrase === undefined ? '"key"' : '"key" with "passphrase"'
    attempt(name, () => tls.createSecureContext({ key, ...lock }))
    return attempt('"key"', () => tls.createSecureContext({ ...trust, cert, key, ...lock }))
  }
  return ca === undefined ? undefined : tls.createSecureContext(trust)
}

function certificates(ca: Pem | Pem[]): void {
  const parts = Array.isArray(ca) ? ca : [ca]
  if (parts.length === 0) throw new Error('it holds no certificate')
  for (const part of parts) {
    // DER passes X509Certificate, and is skipped without a word where it is to be trusted.
    if (!part.includes('-----BEGIN')) throw new Error('no start line')
    new X509Certificate(part)
  }
}

function attempt<T>(name: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    const words = `TLS option ${name} cannot be used: ${reasonOf(error)}`
    throw new Error(words + '; it must be PEM, "-----BEGIN ...", and fit the others')
  }
}
