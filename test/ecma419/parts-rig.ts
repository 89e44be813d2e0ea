/**
 * For tests of messages that come in parts: a Rig with a small receive buffer whose application
 * puts messages together again as one would on a board, and says what it saw break off.
 */
import assert from 'node:assert/strict'
import { MQTTClient } from '../../src/ecma419/mqtt-client.js'
import type { ManualSystem } from '../../hal/memory/index.js'
import { bytesOf, connackPacket } from '../session/desk.js'
import { type Options, publishPacket, Rig, textOf } from './rig.js'

export const VERSIONS = [4, 5]
/** The smallest there is. */
export const BUFFER = 64

/** Text in which each place differs from its neighbours. */
export function payloadOf(length: number, mark = ''): string {
  let text = mark
  for (let index = 0; text.length < length; index++) text += index.toString(36) + '.'
  return text.slice(0, length)
}

export class Collector {
  readonly rig: Rig
  /** Messages that came whole: "topic qos text". */
  readonly whole: string[] = []
  /** What had come of messages that broke off. */
  readonly broken: string[] = []
  /** How many bytes each part had. */
  readonly counts: number[] = []
  /** The message that is coming. */
  coming: { line: string; byteLength: number; count: number; text: string } | null = null

  constructor(options: Options & { protocol?: number } = {}, system?: ManualSystem) {
    const { protocol, holdfast, ...rest } = options
    const own = { protocol: protocol ?? 4, receiveBufferSize: BUFFER, ...holdfast }
    this.rig = new Rig({ ...rest, holdfast: own }, system)
    const collector = this
    this.rig.onReadable = function (count, options) {
      collector.begin(options)
      collector.add(textOf(this.read(count)), options.more, count)
    }
    this.rig.onControl = (opcode) => {
      if (opcode === MQTTClient.CONNACK) collector.breakOff()
    }
  }

  begin(options: any): void {
    if (options.topic === undefined) {
      assert.deepEqual(Object.keys(options), ['more'])
      assert.ok(this.coming, 'a later part without a first')
      return
    }
    assert.equal(this.coming, null, 'a first part in the midst of a message')
    const line = `${options.topic} ${options.QoS}`
    this.coming = { line, byteLength: options.byteLength, count: 0, text: '' }
  }

  add(text: string, more: boolean, count = text.length): void {
    const coming = this.coming!
    this.counts.push(count)
    coming.count += count
    coming.text += text
    assert.ok(coming.count <= coming.byteLength)
    assert.equal(more, coming.count < coming.byteLength)
    if (more) return
    this.whole.push(`${coming.line} ${coming.text}`)
    this.coming = null
  }

  breakOff(): void {
    if (this.coming !== null) this.broken.push(this.coming.text)
    this.coming = null
  }

  connect(connack: Record<string, any> = {}): this {
    this.rig.connect(connack)
    this.rig.take()
    return this
  }

  packet(qos: number, text: string, more: Record<string, any> = {}): Uint8Array {
    return bytesOf({ ...publishPacket('a', text, qos, 7), ...more }, this.rig.version)
  }

  deliver(bytes: Uint8Array): void {
    this.rig.transport.deliver(bytes)
    this.rig.turn()
  }

  /** The broker has the session and says so. */
  comeBack(): void {
    if (this.isConnected) this.rig.transport.drop('cut')
    this.rig.turn()
    this.rig.after(120000)
    this.rig.transport.accept()
    assert.equal(this.rig.names()[0], 'connect')
    this.deliver(bytesOf(connackPacket(this.rig.version, { sessionPresent: true }), this.version))
    this.rig.transport.takeSent()
  }

  get version(): number {
    return this.rig.version
  }

  get isConnected(): boolean {
    return this.rig.client.holdfast.isConnected
  }
}
