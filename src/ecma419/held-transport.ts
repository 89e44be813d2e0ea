/**
 * HeldTransport: the transport of the platform, whose bytes wait while the application has not
 * read the last message. So the broker waits too: TCP has its own limits. Knows nothing of MQTT.
 */
import type { Status } from '../status.js'
import type { BrokerAddress, Transport } from '../../hal/transport.js'

/** Says whether bytes have to wait. */
export interface Holder {
  readonly isHolding: boolean
}

export class HeldTransport implements Transport {
  onReady: () => void
  private readonly inner: Transport
  private readonly holder: Holder
  private isDeaf: boolean

  constructor(inner: Transport, holder: Holder) {
    this.onReady = nothing
    this.inner = inner
    this.holder = holder
    this.isDeaf = false
    inner.onReady = (): void => this.onReady()
  }

  get state(): number {
    return this.inner.state
  }

  get reason(): string {
    return this.inner.reason
  }

  open(broker: BrokerAddress): Status {
    return this.inner.open(broker)
  }

  write(source: Uint8Array, sourceAt: number, length: number): number {
    return this.inner.write(source, sourceAt, length)
  }

  read(target: Uint8Array, targetAt: number, length: number): number {
    return this.isDeaf || this.holder.isHolding ? 0 : this.inner.read(target, targetAt, length)
  }

  close(): void {
    this.inner.close()
  }

  /** Nothing arrives any more: there is nobody left to hand it to. */
  deafen(): void {
    this.isDeaf = true
  }
}

function nothing(): void {}
