/**
 * Reads what the client writes on one connection, by the frames alone: checks that it is whole
 * packets in a legal order with nothing made up, and notes what a good broker would answer.
 */
import assert from 'node:assert/strict'
import { frameAt, readPublish, type Frame } from './packets.js'

export class SentReader {
  /** Identifiers the client used lately. */
  ids: number[] = []
  /** What a broker in its right mind would answer, oldest first. */
  answers: Uint8Array[] = []
  /** True when the transport took only a part at some time, so that a packet may be cut off. */
  isLimited = false
  private readonly version: number
  private sentAt = 0
  private hasLeft = false

  constructor(version: number) {
    this.version = version
  }

  /** A new connection. */
  reset(): void {
    this.ids = []
    this.answers = []
    this.isLimited = false
    this.sentAt = 0
    this.hasLeft = false
  }

  /** What the client writes must be whole packets, in a legal order, with nothing made up. */
  read(sent: Uint8Array, isOpen: boolean): void {
    for (;;) {
      const frame = frameAt(sent, this.sentAt, sent.length)
      if (!frame) break
      const type = frame.first >> 4
      assert.ok(!this.hasLeft, 'a packet after DISCONNECT')
      assert.equal(this.sentAt === 0, type === 1, 'CONNECT first, and only first')
      assert.ok([1, 3, 4, 5, 6, 7, 8, 10, 12, 14].includes(type), `a packet of type ${type}`)
      if (type === 14) this.hasLeft = true
      if (type === 3) this.readPublished(sent, frame)
      if (type >= 4 && type <= 10) {
        const packetId = (sent[frame.bodyAt]! << 8) | sent[frame.bodyAt + 1]!
        assert.ok(packetId > 0, 'Packet Identifier 0')
        this.ids.push(packetId)
        if (type === 6) this.answers.push(this.ack(0x70, packetId))
        if (type === 5) this.answers.push(this.ack(0x62, packetId))
        if (type === 8) this.answers.push(this.suback(packetId, sent, frame))
      }
      if (this.ids.length > 40) this.ids = this.ids.slice(-20)
      this.sentAt = frame.end
    }
    const isWhole = this.sentAt === sent.length || this.isLimited
    assert.ok(isWhole || !isOpen, 'part of a packet was sent')
  }

  private readPublished(sent: Uint8Array, frame: Frame): void {
    const published = readPublish(sent, frame, this.version)
    assert.ok(published, 'a PUBLISH that makes no sense')
    const text = Buffer.from(published.payload, 'hex').toString('latin1')
    assert.match(text, /^m\d+\.#*!$/, 'a payload nobody published')
    if (published.qos > 0) {
      assert.ok(published.packetId > 0, 'PUBLISH with Packet Identifier 0')
      this.ids.push(published.packetId)
      this.answers.push(this.ack(published.qos === 1 ? 0x40 : 0x50, published.packetId))
    }
  }

  private ack(first: number, packetId: number): Uint8Array {
    return Uint8Array.from([first, 2, packetId >> 8, packetId & 255])
  }

  /** SUBACK with as many codes as the SUBSCRIBE has filters (none of more than 127 bytes). */
  private suback(packetId: number, sent: Uint8Array, frame: Frame) {
    const propertiesSize = this.version === 5 ? 1 : 0
    let codes = 0
    for (let at = frame.bodyAt + 2 + propertiesSize; at < frame.end; codes++) {
      at += 3 + ((sent[at]! << 8) | sent[at + 1]!)
    }
    const body = [packetId >> 8, packetId & 255, ...new Array(propertiesSize + codes).fill(0)]
    return Uint8Array.from([0x90, body.length, ...body])
  }
}
