/**
 * Known failure F33 of other clients: leaks. Measures the heap of V8, so it runs on Node alone;
 * what a connection leaves on XS is measured by test/bench/alloc.test.ts.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { bytesOf, connackPacket, Desk } from './desk.js'
import { kept, VERSIONS } from './failures-rig.js'

for (const protocol of VERSIONS) {
  it(`F33: 10,000 connections leave the heap flat, protocol ${protocol}`, () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const desk = new Desk({ protocol, ...kept })
    const present = bytesOf(connackPacket(protocol, { sessionPresent: true }), protocol)
    desk.client.subscribe('x')
    desk.connect()
    desk.client.publish('t', 'held', { qos: 2 })
    desk.sent()
    const live = (times: number) => {
      for (let n = 0; n < times; n++) {
        desk.transport.drop('cut')
        for (desk.poll(); desk.transport.state !== 1; desk.poll()) {
          desk.system.advance(desk.waitMs)
        }
        desk.transport.accept()
        desk.poll()
        desk.transport.deliver(present)
        desk.poll()
        assert.ok(desk.client.isConnected)
        // What the desk itself writes down.
        desk.events.length = 0
        desk.transport.opened.length = 0
      }
      collect()
      return process.memoryUsage().heapUsed
    }
    live(2000)
    const before = live(100)
    const after = live(10000)
    assert.ok(after - before < 600000, `${after - before} bytes more`)
  })
}
