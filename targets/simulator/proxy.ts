/**
 * The network between device and broker: forwards bytes with a delay, so that there is always
 * something on the way, and can be taken away and given back. Knows bytes, nothing of MQTT.
 */
import * as net from 'node:net'
import type { BrokerAddress } from '../../hal/transport.js'

/** One way, milliseconds. */
const DELAY_MS = 4

export class Proxy {
  /** Times the network was taken away, and attempts to connect meanwhile. */
  cutCount = 0
  refusedCount = 0
  private readonly broker: BrokerAddress
  private readonly server: net.Server
  private readonly sockets = new Set<net.Socket>()
  private isUp = true

  constructor(broker: BrokerAddress) {
    this.broker = broker
    this.server = net.createServer({ noDelay: true, allowHalfOpen: true }, (device) =>
      this.connect(device),
    )
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(0, '127.0.0.1', resolve)
    })
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.server.address() as net.AddressInfo).port}`
  }

  /** Takes the network away: what is on the way is lost, and new connections are reset. */
  cut(): void {
    this.isUp = false
    this.cutCount++
    for (const socket of this.sockets) {
      // Node 20 never lets go of a socket that is reset after `end`, and then spins at exit.
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
    this.sockets.clear()
  }

  restore(): void {
    this.isUp = true
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  private connect(device: net.Socket): void {
    // The port stays ours while the network is down: another process could take a closed one.
    if (!this.isUp) {
      this.refusedCount++
      device.on('error', () => {})
      device.resetAndDestroy()
      return
    }
    const { host, port } = this.broker
    const broker = net.connect({ host, port, noDelay: true, allowHalfOpen: true })
    this.forward(device, broker)
    this.forward(broker, device)
  }

  private forward(from: net.Socket, to: net.Socket): void {
    this.sockets.add(from)
    // Equal timers fire in the order in which they were set, so the bytes stay in order.
    const later = (action: () => void): void => {
      setTimeout(() => {
        if (!to.destroyed) action()
      }, DELAY_MS)
    }
    from.on('data', (bytes: Buffer) => later(() => to.write(bytes)))
    from.on('end', () => later(() => to.end()))
    // An 'error' is followed by 'close', and that is all there is to do about it.
    from.on('error', () => {})
    from.on('close', () => {
      this.sockets.delete(from)
      later(() => to.end(() => to.destroy()))
    })
  }
}
