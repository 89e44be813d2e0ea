/**
 * The module `secure` of a firmware with TLS: trusts the authority whose certificate lies beside
 * the manifest as `ca.der`. It is read from flash when a connection begins, not held in RAM.
 */
import Resource from 'Resource'
import type { TlsParts } from 'holdfast/moddable'
import { openTls } from 'holdfast/moddable/tls'

export function openSecure(): TlsParts | undefined {
  return openTls({ certificate: new Resource('ca.der') })
}
