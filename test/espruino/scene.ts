/**
 * A Mosquitto, a network that can be taken away, and a client that others wrote, which hears what a
 * device publishes to `from/espruino`. Knows nothing of the device.
 */
import mqtt from 'mqtt'
import { Proxy } from '../../targets/simulator/proxy.js'
import { Mosquitto } from '../broker/mosquitto.js'
import { until } from '../until.js'

export class Scene {
  readonly heard: string[] = []
  readonly peer: mqtt.MqttClient
  private readonly broker: Mosquitto
  private readonly network: Proxy

  private constructor(broker: Mosquitto, network: Proxy, peer: mqtt.MqttClient) {
    this.broker = broker
    this.network = network
    this.peer = peer
    peer.on('message', (_, payload) => this.heard.push(String(payload)))
    peer.on('error', () => {})
  }

  static async open(): Promise<Scene> {
    const broker = await Mosquitto.start()
    const network = new Proxy({ host: '127.0.0.1', port: broker.port, secure: false })
    await network.listen()
    const peer = await mqtt.connectAsync(broker.url, { reconnectPeriod: 50 })
    const scene = new Scene(broker, network, peer)
    await peer.subscribeAsync('from/espruino', { qos: 2 })
    return scene
  }

  /** Where the device finds the broker. */
  get url(): string {
    return this.network.url
  }

  cutNetwork(): void {
    this.network.cut()
  }

  restoreNetwork(): void {
    this.network.restore()
  }

  /** The broker forgets everything. The network comes back once the other client listens again. */
  async restartBroker(): Promise<void> {
    this.network.cut()
    await this.broker.end('SIGKILL')
    await this.broker.restart()
    await until('the watcher to be back', () => this.peer.connected)
    await this.peer.subscribeAsync('from/espruino', { qos: 2 })
    this.network.restore()
  }

  async close(): Promise<void> {
    await this.peer.endAsync(true)
    await this.network.close()
    await this.broker.stop()
  }
}
