/**
 * Modules of the platform that @moddable/typings 5.6.0 lacks, as far as they are used here. A build
 * with the SDK uses the SDK's own declarations.
 */
declare module 'embedded:network/interface/wifi' {
  export default class WiFi {
    constructor(options: { onChanged?: (property: string) => void })
    /** 500 and up: an address is there; 200 and below: no network. */
    readonly connection: number
    readonly address: string | undefined
    connect(options: { SSID: string; password?: string; secure?: boolean }): void
    disconnect(): void
    close(): void
  }
}
