/**
 * What Holdfast uses of Espruino's globals. @types/espruino lacks half of it (`require`, `Storage`,
 * `E.CRC32`) and clashes with the types of Node.
 */
declare function getTime(): number
declare function getSerial(): string
declare function setTimeout(callback: () => void, ms: number): number
declare function clearTimeout(timer: number): void

declare const E: {
  /** The bytes of all arguments as one string; a single array may come back as its own memory. */
  toString(first: string, second: Uint8Array): string
  /** A view of the string, not a copy. */
  toArrayBuffer(text: string): ArrayBuffer
  CRC32(bytes: Uint8Array | string): number
  hwRand(): number
  on(event: 'kill', handler: () => unknown): void
}
