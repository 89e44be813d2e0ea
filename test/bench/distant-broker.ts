/**
 * A broker in model time, a given round trip away: it answers each PUBLISH after half a round trip
 * there and half back. It turns a client on a scripted transport, and notes what arrived when.
 */
import mqttPacket from 'mqtt-packet'
import { ManualSystem, ScriptedTransport } from '../../hal/memory/index.js'
import { type ClientOptions, MqttClient, TRANSPORT_CONNECTING } from '../../src/index.js'

export interface Arrival {
  readonly topic: string
  readonly payload: Buffer
  readonly atMs: number
}

export class DistantBroker {
  readonly system: ManualSystem
  readonly transport = new ScriptedTransport()
  readonly client: MqttClient
  readonly arrivals: Arrival[] = []
  isUp = true
  private readonly roundTripMs: number
  private readonly connack: object
  private parser = mqttPacket.parser()
  /** Bytes on their way to the client, with the time of their arrival. */
  private replies: { atMs: number; bytes: Uint8Array }[] = []
  private pollAtMs = 0

  constructor(
    options: Partial<ClientOptions>,
    system: ManualSystem,
    roundTripMs: number,
    receiveMaximum: number,
  ) {
    this.system = system
    this.roundTripMs = roundTripMs
    this.connack = {
      cmd: 'connack',
      reasonCode: 0,
      sessionPresent: false,
      properties: { receiveMaximum },
    }
    this.client = new MqttClient({
      system,
      transport: this.transport,
      broker: 'mqtt://far.test',
      clientId: 'bench',
      retryMaxMs: 2000,
      ...options,
    })
    this.client.onWork = () => (this.pollAtMs = system.now())
  }

  /** Goes on until `isDone` or for `mostMs`, calling `eachMs` at every millisecond. */
  run(mostMs: number, isDone: () => boolean, eachMs: () => void = () => {}): void {
    const { system } = this
    for (const end = system.now() + mostMs; system.now() < end && !isDone(); system.advance(1)) {
      eachMs()
      if (this.isUp && this.transport.state === TRANSPORT_CONNECTING) this.accept()
      while (this.replies.length > 0 && this.replies[0]!.atMs <= system.now()) {
        this.transport.deliver(this.replies.shift()!.bytes)
      }
      for (let turn = 0; this.pollAtMs <= system.now(); turn++) {
        if (turn > 100000) throw new Error('poll asks to be called at once for ever')
        const waitMs = this.client.poll(system.now())
        this.pollAtMs = waitMs === 0 ? system.now() : Math.max(system.now() + waitMs, system.now())
        if (waitMs > 0) break
      }
      this.parser.parse(Buffer.from(this.transport.takeSent()))
    }
  }

  /** The network goes: everything on its way is lost. */
  cut(): void {
    this.isUp = false
    this.replies = []
    this.transport.drop('cut')
  }

  private accept(): void {
    this.parser = mqttPacket.parser({ protocolVersion: 5 })
    this.parser.on('packet', (packet) => this.onPacket(packet))
    this.transport.accept()
  }

  private onPacket(packet: mqttPacket.Packet): void {
    const arrivesAt = this.system.now() + this.roundTripMs / 2
    if (packet.cmd === 'connect') this.reply(this.connack)
    if (packet.cmd !== 'publish') return
    const { topic, payload, messageId } = packet
    this.arrivals.push({ topic, payload: payload as Buffer, atMs: arrivesAt })
    if (packet.qos === 1) this.reply({ cmd: 'puback', messageId })
  }

  private reply(packet: object): void {
    const bytes = mqttPacket.generate(packet as mqttPacket.Packet, { protocolVersion: 5 })
    this.replies.push({ atMs: this.system.now() + this.roundTripMs, bytes })
  }
}
