/**
 * ECMA-419 flash storage, which @moddable/typings 5.6.0 lacks. A build with the SDK uses the SDK's
 * own declarations. ESP32 reports neither `writeAlign` nor `eraseValue`.
 */
declare module 'embedded:storage/flash' {
  class Flash {
    close(): void
    eraseBlock(start: number, end?: number): void
    read(byteLength: number, byteOffset: number): ArrayBuffer
    read(buffer: ArrayBufferView | ArrayBuffer, byteOffset: number): number
    write(buffer: ArrayBufferView | ArrayBuffer, byteOffset: number): void
    status(): {
      size: number
      blockLength: number
      blocks: number
      writeAlign?: number
      eraseValue?: number
    }
  }
  const flashStorage: {
    open(options: { path: string; mode?: 'r' | 'r+' }): Flash
    [Symbol.iterator](): IterableIterator<string>
  }
  export default flashStorage
}
