/** What applications on Espruino have beside the globals of `hal/espruino`. */
declare function require(name: 'Flash'): import('../../../hal/espruino/index.js').FlashModule
declare function require(name: 'net' | 'tls'): import('../../../hal/espruino/index.js').NetModule
declare function require(name: 'crypto'): {
  AES: { encrypt(data: Uint8Array, key: Uint8Array, options: { mode: string }): ArrayBuffer }
  SHA256(data: Uint8Array): ArrayBuffer
}
declare function require(name: 'Storage'): { readJSON(name: string, isQuiet: boolean): any }
declare function setInterval(callback: () => void, ms: number): number
declare function clearInterval(timer: number): void
declare const console: { log(text: string): void }
interface ObjectConstructor {
  assign<T>(target: object, source: T): T
}
