/** A desk with two brokers, `a.test` and `b.test`: attempts that must go where the test says. */
import assert from 'node:assert/strict'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { type ClientOptions, TRANSPORT_CONNECTING } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { connackPacket, Desk, type Packet } from './desk.js'

export const brokers = ['mqtt://a.test', 'mqtt://b.test']
let boots = 0

export function boot(flash: NorFlash | null, options: Partial<ClientOptions> = {}): Desk {
  const system = new ManualSystem(++boots)
  const storage = flash ? { storage: new FlashStore(flash, system) } : {}
  const list =
    options.broker === undefined ? { broker: undefined, brokers } : { brokers: undefined }
  return new Desk({ ...storage, ...list, ...options } as Partial<ClientOptions>, system)
}

export function flashOf(): NorFlash {
  return new NorFlash({ capacity: 64 * 1024, eraseSize: 4096, writeSize: 4 })
}

export const hostOf = (desk: Desk) => desk.transport.opened.at(-1)!.host

/** Waits for the next attempt, which must go to `host`. */
export function attempt(desk: Desk, host: string): void {
  if (desk.client.isStopped) desk.client.start()
  desk.poll()
  for (let n = 0; desk.transport.state !== TRANSPORT_CONNECTING && n < 200; n++) desk.after(1000)
  assert.equal(hostOf(desk), host)
}

/** The attempt succeeds: CONNECT. */
export function greet(desk: Desk, host: string, connack: Record<string, any> = {}): Packet {
  attempt(desk, host)
  desk.transport.accept()
  const connect = desk.sentOne()
  desk.reply(connackPacket(desk.version, connack))
  return connect
}

/** The attempt fails. */
export function refuse(desk: Desk, host: string): void {
  attempt(desk, host)
  desk.transport.fail('unreachable')
}

/** The connection breaks. */
export function drop(desk: Desk): void {
  desk.transport.drop('cut')
  desk.poll()
}
