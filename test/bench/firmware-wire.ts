/**
 * Wire: a transport with a broker behind it that answers at once, for firmware that measures what
 * the client allocates: after its constructor it allocates nothing. It believes that packets are
 * well made and written whole, which the client's send buffer does.
 */
import type { System } from '../../hal/system.js'
import type { Transport } from '../../hal/transport.js'
import type { CountingDevice } from './firmware-meter.js'

const CLOSED = 0
const OPEN = 2
const INBOX_SIZE = 2048

export class Wire implements Transport {
  state = CLOSED
  readonly reason = ''
  onReady = (): void => {}
  /** What the next CONNACK says. */
  sessionPresent = 0
  receiveMaximum = 100
  topicAliasMaximum = 0
  /** False: CONNACK is one of MQTT 3.1.1. Other packets are the same in both, or not used. */
  isV5 = true
  /** Packets that came, by type, since the start; PUBLISH packets with DUP apart. */
  readonly counts = new Uint32Array(16)
  dupCount = 0
  private readonly system: System
  private readonly inbox = new Uint8Array(INBOX_SIZE)
  private inboxStart = 0
  private inboxEnd = 0
  /** PUBLISH packets that wait for their answer: identifier and QoS. */
  private readonly waitingIds = new Uint16Array(64)
  private readonly waitingQos = new Uint8Array(64)
  private waitingCount = 0

  constructor(device: CountingDevice) {
    this.system = device.system
  }

  open(): number {
    this.state = OPEN
    this.inboxStart = this.inboxEnd = 0
    this.waitingCount = 0
    return 0
  }

  /** The network is gone. */
  drop(): void {
    this.state = CLOSED
  }

  close(): void {
    this.state = CLOSED
  }

  read(target: Uint8Array, targetAt: number, length: number): number {
    if (this.state !== OPEN) return -4002
    const waiting = this.inboxEnd - this.inboxStart
    const count = length < waiting ? length : waiting
    this.system.copy(target, targetAt, this.inbox, this.inboxStart, count)
    this.inboxStart += count
    if (this.inboxStart === this.inboxEnd) this.inboxStart = this.inboxEnd = 0
    return count
  }

  write(source: Uint8Array, sourceAt: number, length: number): number {
    if (this.state !== OPEN) return -4002
    const end = sourceAt + length
    for (let at = sourceAt; at < end;) {
      let bodyAt = at + 1
      let size = 0
      for (let shift = 0; ; shift += 7) {
        size += (source[bodyAt]! & 127) << shift
        if (source[bodyAt++]! < 128) break
      }
      this.take(source, source[at]!, bodyAt)
      at = bodyAt + size
    }
    return length
  }

  /** Answers every PUBLISH of QoS 1 and 2 that came since the last call. */
  answer(): void {
    for (let index = 0; index < this.waitingCount; index++) {
      this.put4(this.waitingQos[index] === 1 ? 0x40 : 0x50, this.waitingIds[index]!)
    }
    this.waitingCount = 0
  }

  /** Lets bytes arrive. */
  deliver(bytes: Uint8Array): void {
    this.system.copy(this.inbox, this.inboxEnd, bytes, 0, bytes.length)
    this.inboxEnd += bytes.length
  }

  private take(source: Uint8Array, first: number, bodyAt: number): void {
    const type = first >> 4
    this.counts[type]!++
    if (type === 1) this.putConnack()
    else if (type === 3) this.takePublish(source, first, bodyAt)
    else if (type === 6) this.put4(0x70, (source[bodyAt]! << 8) | source[bodyAt + 1]!)
    else if (type === 8) this.putSuback((source[bodyAt]! << 8) | source[bodyAt + 1]!)
    else if (type === 12) this.put2(0xd0, 0)
  }

  private takePublish(source: Uint8Array, first: number, bodyAt: number): void {
    const qos = (first >> 1) & 3
    if (qos === 0) return
    if (first & 8) this.dupCount++
    const idAt = bodyAt + 2 + ((source[bodyAt]! << 8) | source[bodyAt + 1]!)
    this.waitingIds[this.waitingCount] = (source[idAt]! << 8) | source[idAt + 1]!
    this.waitingQos[this.waitingCount++] = qos
  }

  private put2(first: number, second: number): void {
    this.inbox[this.inboxEnd++] = first
    this.inbox[this.inboxEnd++] = second
  }

  private put4(first: number, packetId: number): void {
    this.put2(first, 2)
    this.put2(packetId >> 8, packetId & 255)
  }

  /** MQTT 5: success, with Receive Maximum (0x21) and Topic Alias Maximum (0x22). */
  private putConnack(): void {
    this.put2(0x20, this.isV5 ? 9 : 2)
    this.put2(this.sessionPresent, 0)
    if (!this.isV5) return
    this.put2(6, 0x21)
    this.put2(this.receiveMaximum >> 8, this.receiveMaximum & 255)
    this.put2(0x22, 0)
    this.inbox[this.inboxEnd++] = this.topicAliasMaximum
  }

  /** One filter, granted with QoS 1. */
  private putSuback(packetId: number): void {
    this.put2(0x90, 4)
    this.put2(packetId >> 8, packetId & 255)
    this.put2(0, 1)
  }
}
