/**
 * TLS for `openTransport`, in a module of its own: whoever does not import `holdfast/moddable/tls`
 * has no TLS in the firmware. Its manifest is `hal/moddable/manifest-tls.json`.
 */
import TLSSocket from 'embedded:io/socket/tcp/tls'
import type { TlsSocketClass } from '../socket.js'
import type { TlsParts } from '../socket-transport.js'

/** `secure` goes to TLSSocket: `certificate`, `clientCertificates`, `clientKey`, `serverName`. */
export function openTls(secure: object): TlsParts {
  return { Socket: TLSSocket as unknown as TlsSocketClass, secure }
}
