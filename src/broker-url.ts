/**
 * BrokerUrl: the options `broker` and `brokers`, checked and taken apart.
 */
import { fail, text } from './checks.js'
import { type BrokerAddress, TCP_SCHEMES, type Transport } from '../hal/transport.js'

/** The list of brokers, of one or several, each once. No URL is shown before it is checked. */
export function brokerUrls(broker: string | undefined, brokers: string[] | undefined): string[] {
  if (brokers === undefined) return [text(broker, 'broker')]
  if (broker !== undefined) fail('broker', 'given', 'left out with brokers')
  if (!(brokers.length >= 2 && brokers.length <= 4)) {
    fail('brokers', brokers.length + ' of them', '2 to 4; one is given as broker')
  }
  for (let index = 0; index < brokers.length; index++) {
    const url = text(brokers[index], 'brokers')
    if (brokers.indexOf(url) !== index) fail('brokers', 'one twice', 'each once')
  }
  return brokers.slice(0)
}

/** Takes the URLs apart and checks that the transport opens each. */
export function parseBrokers(urls: string[], transport: Transport): BrokerAddress[] {
  const brokers: BrokerAddress[] = []
  const schemes = transport.schemes ?? TCP_SCHEMES
  for (let index = 0; index < urls.length; index++) {
    const url = urls[index]!
    brokers.push(parseBroker(url))
    if (schemes.indexOf(' ' + schemeOf(url) + ' ') < 0) {
      fail('broker', url, 'of a scheme that this transport opens:' + schemes)
    }
  }
  return brokers
}

/**
 * Takes `mqtt://host:port` or `ws://host:port/path` apart, and the same with an s for TLS. Throws
 * for anything else, and for what may hold a secret: a URL is shown, and kept on flash.
 */
export function parseBroker(url: string): BrokerAddress {
  if (/[@?#]/.test(url)) {
    fail('broker', '(not shown)', 'without @, ? and #: credentials are options of their own')
  }
  if (!/^(mqtt|ws)s?:\/\//.test(url)) {
    fail('broker', url, 'a URL such as mqtt://host:1883, mqtts://host:8883 or wss://host/mqtt')
  }
  const scheme = schemeOf(url)
  const isWeb = scheme === 'ws' || scheme === 'wss'
  const secure = scheme === 'wss' || scheme === 'mqtts'
  let host = url.slice(scheme.length + 3)
  const slash = host.indexOf('/')
  let path = isWeb ? '/' : ''
  if (slash >= 0) {
    if (isWeb) path = host.slice(slash)
    else if (slash < host.length - 1) fail('broker', url, 'a URL of a host and a port only')
    host = host.slice(0, slash)
  }
  let port = isWeb ? (secure ? 443 : 80) : secure ? 8883 : 1883
  const bracket = host.indexOf(']')
  const portAt = host.indexOf(':', bracket < 0 ? 0 : bracket)
  if (portAt >= 0) {
    const digits = host.slice(portAt + 1)
    port = Number(digits)
    if (digits === '' || !(port >= 1 && port <= 65535) || port !== Math.floor(port)) {
      fail('broker', url, 'a URL with a port from 1 to 65535')
    }
    host = host.slice(0, portAt)
  }
  if (bracket > 0 && host.charAt(0) === '[') host = host.slice(1, bracket)
  // A path goes into an HTTP request: a blank or a line end in it would be a header of its own.
  if (host === '' || /[^!-~]/.test(path) || host.indexOf(' ') >= 0) {
    fail('broker', url, 'a URL with a host and without blanks')
  }
  return { host, port, secure, path }
}

function schemeOf(url: string): string {
  return url.slice(0, url.indexOf(':'))
}
