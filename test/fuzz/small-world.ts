/** A world of the fuzzer in which the small client lives, on flash or in RAM. */
import assert from 'node:assert/strict'
import type { MqttClient } from '../../src/index.js'
import { MqttClient as SmallClient, RamOutbox, type SmallOptions } from '../../src/small/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { COMPLETE, numberAfter } from '../../src/store/exchange-window.js'
import { recountSmall } from '../sim/small-watch.js'
import { World } from './world.js'

export class SmallWorld extends World {
  constructor(seed: number) {
    super(seed, true)
  }

  protected override makeClient(): MqttClient {
    const { system, transport, flash } = this
    const { cleanStart, inFlightLimit, sendBufferSize, receiveBufferSize, ackBatch } = this.options
    const storage = flash
      ? new FlashOutbox(flash, system, { bufferSize: 256 })
      : new RamOutbox(this.options.queueSize)
    const options: SmallOptions = {
      system,
      transport,
      storage,
      broker: 'mqtt://fuzz.test',
      clientId: 'fuzz',
      ...{ cleanStart, inFlightLimit, sendBufferSize, receiveBufferSize, ackBatch },
    }
    // The part of the full client's face that the fuzzer uses.
    return new SmallClient(options) as unknown as MqttClient
  }

  private get small(): SmallClient {
    return this.client as unknown as SmallClient
  }

  protected override openTickets(): number[] {
    const { window, nextNumber } = this.small['outbox']
    const tickets: number[] = []
    for (let number = window.base; number !== nextNumber; number = numberAfter(number)) {
      if (window.state(number) !== COMPLETE) tickets.push(number)
    }
    return tickets
  }

  protected override emptyRecords(): Set<number> {
    return new Set()
  }

  protected override get hasSession(): boolean {
    return this.small['outbox'].sessionMayExist
  }

  protected override checkCounts(): void {
    const client = this.small
    assert.equal(client.stats.inFlight, recountSmall(client), 'in flight')
    const { out, rx, outEnd } = client['session'].wire
    assert.ok(outEnd <= out.length, 'bytes behind the send buffer')
    assert.equal(rx.length, this.options.receiveBufferSize)
    assert.ok(client['outbox'].inbound.length <= 64, 'inbound identifiers without end')
  }
}
