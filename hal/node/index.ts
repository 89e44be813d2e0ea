/** The implementations for Node: a flash image in a file, TCP and TLS, clocks, and the loop. */
export { FileFlash } from './file-flash.js'
export type { FileFlashOptions, FlashStatistics } from './file-flash.js'
export { NodeSystem } from './node-system.js'
export { run } from './run.js'
export type { Polled, Running } from './run.js'
export { TcpTransport } from './tcp-transport.js'
export type { TlsOptions } from './tls-identity.js'
