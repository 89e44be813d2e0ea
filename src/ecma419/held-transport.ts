/**
 * HeldTransport: the transport of the platform, whose bytes wait while the application has not
 * read what it has. So the broker waits too: TCP has its own limits. PartsReader says when; this
 * knows nothing of MQTT.
 */
import type { Status } from '../status.js'
import type { BrokerAddress, Transport } from '../../hal/transport.js'

export class HeldTransport implements Transport {
  onReady: () => void
  /** Bytes that arrive have to wait. */
  isHeld: boolean
  private readonly inner: Transport

  constructor(inner: Transport) {
    this.onReady = nothing
    this.isHeld = false
    this.inner = inner
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
    return this.isHeld ? 0 : this.inner.read(target, targetAt, length)
  }

  close(): void {
    this.inner.close()
  }
}

function nothing(): void {}
