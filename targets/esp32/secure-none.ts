/** The module `secure` of a firmware without TLS: `mqtts://` is refused there, in words. */
import type { TlsParts } from 'holdfast/moddable'

export function openSecure(): TlsParts | undefined {
  return undefined
}
